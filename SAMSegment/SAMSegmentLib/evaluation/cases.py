"""Reads a volume and its label map from files, on one grid."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..core.errors import InputError, NotScalarError
from ..core.files import read_image
from ..core.geometry import Geometry
from ..core.image import Image, sitk_from_array
from ..core.patch import Box, bounding_box
from .simulated_user import NEIGHBOURS_26

#: Grids that differ by less than this part of a voxel are the same.
SAME_GRID_VOXELS = 0.1
#: A label with more components than this is hardly one object.
MANY_COMPONENTS = 1000
#: No atlas has more labels in one volume.
MOST_LABELS = 1000
#: With at most this many values, a volume counts as a label map, however fragmented its labels are.
FEW_VALUES = 20
#: Smallest share of equal neighbours (at least one of them not 0) in a label map: it was 0.42 to
#: 0.98 in 24 label maps of real cases, and at most 0.22 in 20 images.
LEAST_EQUAL_NEIGHBOURS = 0.3
#: Number of labels listed in a message.
MOST_LISTED = 20
#: A label of which a smaller share remains on the volume's grid gets a warning.
LEAST_KEPT = 0.9


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """A volume and its labels on one grid.

    Attributes:
        labels: integers, (k, j, i) of the image's grid; 0 is background.
        values: the labels to be scored, ascending.
        warnings: what the user should know about the data, in full sentences.
    """

    image: Image
    labels: np.ndarray
    values: tuple[int, ...]
    warnings: tuple[str, ...] = ()

    def mask(self, value: int) -> np.ndarray:
        """Boolean mask of one label, (k, j, i)."""
        return self.labels == value


def load_case(
    image_path: str | os.PathLike,
    label_path: str | os.PathLike,
    values: Sequence[int] | None = None,
) -> LabelledImage:
    """Reads a volume and its label map, and resamples the labels to the volume's grid.

    Args:
        image_path: the volume.
        label_path: a label map, or a .seg.nrrd with one layer.
        values: the requested labels; None: all.

    Raises:
        InputError: if a file cannot be read, the label map has no usable labels or does not
            overlap with the volume, or a requested label is absent or fills the volume.
    """
    if _same_file(image_path, label_path):
        raise InputError(f"{image_path} is given as both image and label map: give two files.")
    image = read_image(image_path)
    label = _read_label(Path(label_path))
    for path, volume in ((image_path, image), (label_path, label)):
        if volume.geometry.slice_axis is not None:
            raise InputError(f"{path} is a single slice: models are scored on volumes.")
    try:
        labels = _as_integers(label.voxels, label_path)
        present = _present(labels, label_path)
    except InputError as error:
        if is_label_map(image.voxels) and not is_label_map(label.voxels):
            raise InputError(
                f"The image ({image_path}) looks like a label map, and the label map "
                f"({label_path}) like an image: give the image first, then the label map."
            ) from error
        raise
    wanted = present if values is None else tuple(sorted(set(values)))
    if absent := sorted(set(wanted) - set(present)):
        raise InputError(
            f"The label map {label_path} does not hold {_listed(absent)}: it holds "
            f"{_listed(present)}."
        )
    own_labels = labels
    labels, warnings = _on_grid(labels, label.geometry, image.geometry, label_path)
    for value in wanted if warnings else ():
        before = np.count_nonzero(own_labels == value) * label.geometry.voxel_volume
        after = np.count_nonzero(labels == value) * image.geometry.voxel_volume
        if 0 < after < LEAST_KEPT * before:
            warnings.append(f"Only {after / before:.0%} of label {value} is on the volume's grid.")
    warnings = [*image.warnings, *label.warnings, *warnings]
    if image.geometry.is_sheared():
        warnings.append(
            "The volume's slices are tilted against each other (gantry tilt): surface distances "
            "are measured as if they were straight."
        )
    boxes = {value: bounding_box(labels == value) for value in wanted}
    for value, box in boxes.items():
        warnings += _checked_label(labels, value, box, label_path)
    return LabelledImage(image, labels, wanted, tuple(warnings))


def _read_label(path: Path) -> Image:
    """As read_image, with a message about layers, which only segmentations have."""
    try:
        return read_image(path)
    except NotScalarError as error:
        raise InputError(
            f"{path} holds several layers, as segmentations with overlapping segments do: "
            "export the segments that you want to score to one label map."
        ) from error
    except InputError as error:
        raise InputError(f"The label map cannot be used. {error}") from error


def _as_integers(voxels: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    if voxels.dtype.kind == "f":
        # Neither NaN nor infinity is an integer.
        if not np.array_equal(voxels, np.rint(voxels)) or not np.isfinite(voxels).all():
            raise InputError(
                f"{path} holds values that are not whole numbers: it is an image or a probability "
                "map. Give a label map (threshold it first)."
            )
        return voxels.astype(np.int64)
    return voxels


def is_label_map(voxels: np.ndarray) -> bool:
    """Whether voxels look like labels: whole numbers, few of them or with equal neighbours."""
    if voxels.dtype.kind == "f" and not np.array_equal(voxels, np.rint(voxels)):
        return False
    return len(_values(voxels)) <= FEW_VALUES or _equal_neighbours(voxels) >= (
        LEAST_EQUAL_NEIGHBOURS
    )


def _equal_neighbours(voxels: np.ndarray) -> float:
    """Share of equal neighbours among those that are not both 0."""
    equal = pairs = 0
    for axis in range(3):
        first = np.moveaxis(voxels, axis, 0)[:-1]
        second = np.moveaxis(voxels, axis, 0)[1:]
        counts = (first != 0) | (second != 0)
        pairs += np.count_nonzero(counts)
        equal += np.count_nonzero((first == second) & counts)
    return equal / max(pairs, 1)


def _values(voxels: np.ndarray) -> np.ndarray:
    """The values that occur, ascending."""
    if voxels.dtype.kind in "iu" and voxels.size:
        lowest, highest = int(voxels.min()), int(voxels.max())
        if highest - lowest < 2**16:  # counting is much faster than sorting
            occurs = np.zeros(highest - lowest + 1, dtype=bool)
            occurs[voxels.ravel().astype(np.int64) - lowest] = True
            return np.flatnonzero(occurs) + lowest
    return np.unique(voxels)


def _present(labels: np.ndarray, path: str | os.PathLike) -> tuple[int, ...]:
    """The labels that occur, ascending."""
    present = tuple(int(value) for value in _values(labels) if value != 0)
    if not present:
        raise InputError(f"The label map {path} is empty: every voxel of it is 0.")
    if present[0] < 0 or len(present) > MOST_LABELS or not is_label_map(labels):
        raise InputError(
            f"{path} holds {len(present)} different values from {present[0]} to {present[-1]}: it "
            "is an image. Give a label map."
        )
    return present


def _same_file(path: str | os.PathLike, other: str | os.PathLike) -> bool:
    try:
        return os.path.samefile(path, other)
    except (OSError, ValueError):  # reading will tell
        return False


def _on_grid(
    labels: np.ndarray, source: Geometry, target: Geometry, path: str | os.PathLike
) -> tuple[np.ndarray, list[str]]:
    """The labels on the volume's grid, and a warning if they were on another one."""
    if source.is_close(target, SAME_GRID_VOXELS * min(target.spacing)):
        return labels, []
    # Outside the label map, voxels get a value that is not a label.
    outside = int(labels.max()) + 1
    resampled = sitk.GetArrayFromImage(
        sitk.Resample(
            sitk_from_array(labels.astype(np.int64), source),
            _reference(target),
            sitk.Transform(),
            sitk.sitkNearestNeighbor,
            outside,
        )
    )
    beside = resampled == outside
    if beside.all():
        raise InputError(
            f"The label map {path} and the volume do not overlap in space: check that they belong "
            "together."
        )
    resampled[beside] = 0
    warning = (
        f"The label map is on another grid ({_described(source)}) than the volume "
        f"({_described(target)}): each voxel of the volume got the label nearest to it."
    )
    return resampled, [warning]


def _reference(geometry: Geometry) -> sitk.Image:
    return sitk_from_array(np.zeros(geometry.shape, dtype=np.uint8), geometry)


def _checked_label(
    labels: np.ndarray, value: int, box: Box | None, path: str | os.PathLike
) -> list[str]:
    """Warnings about one label on the volume's grid."""
    if box is None:
        raise InputError(
            f"Label {value} of {path} lies outside the volume, or between its voxels: leave it out."
        )
    part = labels[box] == value
    if part.shape == labels.shape and part.all():
        raise InputError(
            f"Label {value} of {path} fills the whole volume: there is no border to find. Check "
            "that label map and volume belong together."
        )
    _, components = ndimage.label(part, NEIGHBOURS_26)
    if components > MANY_COMPONENTS:
        return [
            f"Label {value} lies in {components} pieces; it is scored as one object, though models "
            "segment single ones."
        ]
    return []


def _described(geometry: Geometry) -> str:
    """Such as "512 x 512 x 120 voxels of 0.7 x 0.7 x 2.5 mm"."""
    voxels = " x ".join(str(n) for n in geometry.shape[::-1])
    return f"{voxels} voxels of {' x '.join(f'{mm:.3g}' for mm in geometry.spacing)} mm"


def _listed(values: Sequence[int]) -> str:
    listed = ", ".join(str(value) for value in values[:MOST_LISTED])
    more = len(values) - MOST_LISTED
    return f"label{'s' if len(values) > 1 else ''} {listed}" + (
        f" and {more} more" if more > 0 else ""
    )
