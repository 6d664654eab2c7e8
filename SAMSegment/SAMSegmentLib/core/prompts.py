"""The prompts of one object: points, a measured line, a region of interest, in RAS mm.

Prompts are immutable values. Their RAS is that of the image they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from . import arguments
from .errors import InputError
from .geometry import ORTHOGONAL_TOLERANCE, Geometry, apply_matrix, corners_between

# An ROI face exactly through voxel centres includes them despite rounding.
FACE_TOLERANCE = 1e-6
# A shorter line is an accidental click.
SHORTEST_LINE_MM = 0.01
# Directions in files have six digits or more.
UNIT_TOLERANCE = 1e-3
NO_SIZE = "The ROI has no size along at least one axis: make it larger."
# What parsing raises for JSON of another structure.
DAMAGE = (
    KeyError,
    TypeError,
    ValueError,
    IndexError,
    AttributeError,
    OverflowError,
    RecursionError,
)


@dataclass(frozen=True)
class Point:
    """A point on the object (positive) or outside it (negative), RAS in mm."""

    ras: tuple[float, float, float]
    positive: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "ras", arguments.position(self.ras, "A point"))
        object.__setattr__(self, "positive", arguments.truth(self.positive, "positive"))

    def transformed(self, matrix: np.ndarray) -> Point:
        """This point mapped by a 4x4 matrix."""
        return Point(tuple(apply_matrix(matrix, np.array(self.ras))), self.positive)


def positions_of(points: Sequence[Point]) -> np.ndarray:
    """Positions of points in RAS mm, (N, 3)."""
    return np.array([point.ras for point in points], dtype=float).reshape(-1, 3)


@dataclass(frozen=True)
class Line:
    """The measured longest diameter of the object, from border to border, as in RECIST.

    Attributes:
        start, end: RAS in mm.
    """

    start: tuple[float, float, float]
    end: tuple[float, float, float]

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            ras = arguments.position(getattr(self, name), f"A line's {name}")
            object.__setattr__(self, name, ras)
        if self.length < SHORTEST_LINE_MM:
            raise InputError("The line has no length: draw it across the object.")

    @property
    def length(self) -> float:
        """Length in mm."""
        return float(np.linalg.norm(np.subtract(self.end, self.start)))

    @property
    def middle(self) -> np.ndarray:
        """(R, A, S) in mm."""
        return (np.array(self.start) + self.end) / 2

    @property
    def direction(self) -> np.ndarray:
        """Unit vector from start to end."""
        return np.subtract(self.end, self.start) / self.length

    def transformed(self, matrix: np.ndarray) -> Line:
        """This line mapped by a 4x4 matrix."""
        start, end = apply_matrix(matrix, np.array([self.start, self.end]))
        return Line(tuple(start), tuple(end))


@dataclass(frozen=True, eq=False)
class Roi:
    """A box around the object, or a parallelepiped after a transform with shear.

    Attributes:
        box_to_ras: 4x4, maps the unit cube [-0.5, 0.5]^3 to RAS in mm.
    """

    box_to_ras: np.ndarray

    def __post_init__(self) -> None:
        matrix = arguments.array(self.box_to_ras, (4, 4), "An ROI's matrix", finite=False).copy()
        matrix.flags.writeable = False
        object.__setattr__(self, "box_to_ras", matrix)
        if not np.isfinite(matrix).all():
            raise InputError("The ROI holds NaN or infinite numbers: draw it again.")
        if min(self.size) <= 0:
            raise InputError(NO_SIZE)
        if abs(np.linalg.det(self.axes)) < 1e-6:
            raise InputError("The ROI's axes lie in one plane: draw it again.")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Roi) and np.array_equal(self.box_to_ras, other.box_to_ras)

    def __hash__(self) -> int:
        return hash(tuple(self.box_to_ras.ravel().tolist()))

    @classmethod
    def from_box(
        cls,
        center: Sequence[float],
        size: Sequence[float],
        axes: Sequence[Sequence[float]] | None = None,
    ) -> Roi:
        """An ROI from its centre and size.

        Args:
            center: (R, A, S) in mm.
            size: edge lengths in mm.
            axes: 3x3, unit edge directions in RAS as columns; None: R, A, S.
        """
        center = np.array(arguments.position(center, "center"))
        size = arguments.array(size, (3,), "size", "three finite lengths in mm are needed")
        axes = np.eye(3) if axes is None else arguments.array(axes, (3, 3), "axes")
        if np.abs(np.linalg.norm(axes, axis=0) - 1).max() > UNIT_TOLERANCE:
            raise InputError("axes: unit vectors as columns of a 3x3 are needed; size has lengths.")
        if size.min() <= 0:
            raise InputError(NO_SIZE)
        matrix = np.eye(4)
        matrix[:3, :3] = axes * size
        matrix[:3, 3] = center
        return cls(matrix)

    @property
    def center(self) -> np.ndarray:
        """(R, A, S) in mm."""
        return self.box_to_ras[:3, 3]

    @property
    def size(self) -> np.ndarray:
        """Edge lengths in mm, (3,)."""
        return np.linalg.norm(self.box_to_ras[:3, :3], axis=0)

    @property
    def axes(self) -> np.ndarray:
        """Unit edge directions, columns of a 3x3."""
        return self.box_to_ras[:3, :3] / self.size

    @property
    def is_sheared(self) -> bool:
        """Whether its edges are not orthogonal: a parallelepiped instead of a box."""
        cosines = self.axes.T @ self.axes - np.eye(3)
        return bool(np.abs(cosines).max() > ORTHOGONAL_TOLERANCE)

    def transformed(self, matrix: np.ndarray) -> Roi:
        """This ROI mapped by a 4x4 matrix, which may also shear it."""
        return Roi(np.asarray(matrix, dtype=float) @ self.box_to_ras)

    def corners(self) -> np.ndarray:
        """RAS in mm of the eight corners, (8, 3), in binary order of the box axes."""
        return apply_matrix(self.box_to_ras, corners_between((-0.5,) * 3, (0.5,) * 3))

    def contains(self, ras: np.ndarray) -> np.ndarray:
        """Whether positions (..., 3) in RAS mm lie inside: boolean (...)."""
        position = apply_matrix(np.linalg.inv(self.box_to_ras), ras)
        return (np.abs(position) <= 0.5 + FACE_TOLERANCE).all(-1)

    def contains_voxels(self, geometry: Geometry) -> np.ndarray:
        """Which voxel centres of a grid lie inside: boolean, the grid's shape (k, j, i)."""
        ijk_to_box = np.linalg.inv(self.box_to_ras) @ geometry.ijk_to_ras
        i, j, k = (np.arange(n) for n in geometry.shape[::-1])
        inside = np.ones(geometry.shape, dtype=bool)
        # Slice by slice, so that no volume of coordinates is ever in memory.
        for index, slice_inside in zip(k, inside, strict=True):
            for row in ijk_to_box[:3]:
                position = (row[1] * j)[:, None] + (row[0] * i + row[2] * index + row[3])
                slice_inside &= np.abs(position) <= 0.5 + FACE_TOLERANCE
        return inside


@dataclass(frozen=True)
class Prompts:
    """All prompts of one object.

    Attributes:
        roi: the region of interest around the object.
        points: in the order in which they were placed.
        line: the object's measured diameter.
        candidate: which mask for the first prompt the user chose, 0 being the most likely: a point
            may mean a vessel or the organ around it. Further points correct that one.
    """

    roi: Roi | None = None
    points: tuple[Point, ...] = field(default_factory=tuple)
    line: Line | None = None
    candidate: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "candidate", arguments.whole_number(self.candidate, "candidate"))

    @property
    def kinds(self) -> frozenset[str]:
        """Which of "roi", "points" and "line" are present."""
        present = {
            "roi": self.roi is not None,
            "points": bool(self.points),
            "line": self.line is not None,
        }
        return frozenset(kind for kind, is_present in present.items() if is_present)

    def transformed(self, matrix: np.ndarray) -> Prompts:
        """These prompts mapped by a 4x4 matrix."""
        return Prompts(
            None if self.roi is None else self.roi.transformed(matrix),
            tuple(point.transformed(matrix) for point in self.points),
            None if self.line is None else self.line.transformed(matrix),
            self.candidate,
        )

    def is_close(self, other: Prompts, tolerance_mm: float = 1e-6) -> bool:
        """Whether both are the same prompts at the same positions, to within rounding."""
        signs = [tuple(point.positive for point in each.points) for each in (self, other)]
        if (signs[0], self.kinds, self.candidate) != (signs[1], other.kinds, other.candidate):
            return False
        apart = np.abs(self._positions() - other._positions())
        return bool(apart.max(initial=0) <= tolerance_mm)

    def _positions(self) -> np.ndarray:
        ends = [] if self.line is None else [self.line.start, self.line.end]
        corners = [] if self.roi is None else self.roi.corners().tolist()
        return np.array([*(p.ras for p in self.points), *ends, *corners]).reshape(-1, 3)

    def to_json(self) -> str:
        """One line of JSON, from which `from_json` restores the prompts exactly."""
        roi = None if self.roi is None else self.roi.box_to_ras.tolist()
        points = [{"ras": list(p.ras), "positive": p.positive} for p in self.points]
        data = {"roi": roi, "points": points}
        if self.line is not None:
            data["line"] = [list(self.line.start), list(self.line.end)]
        if self.candidate:
            data["reading"] = self.candidate  # the name in scenes of version 0.1.0
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Prompts:
        """Prompts from `to_json`'s text.

        Raises:
            InputError: if the text is not what `to_json` writes.
        """
        try:
            data = json.loads(text)
            roi = None if data["roi"] is None else Roi(data["roi"])
            points = tuple(Point(tuple(p["ras"]), bool(p["positive"])) for p in data["points"])
            # Earlier versions stored no line and no candidate.
            ends = data.get("line")
            line = None if ends is None else _line_of(ends)
            candidate = int(data.get("reading", 0))
        except InputError:
            raise
        except DAMAGE as error:
            raise InputError(f"These are not stored prompts: {error}.") from error
        return cls(roi, points, line, candidate)


def _line_of(ends: list) -> Line:
    start, end = ends
    return Line(tuple(start), tuple(end))
