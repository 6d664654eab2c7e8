"""A volume and the truth about it, from files, on one grid."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from ..core.errors import InputError
from ..core.files import read_image
from ..core.geometry import Geometry
from ..core.image import Image, sitk_from_array
from .boxes import bounding_box
from .simulated_user import NEIGHBOURS_26

#: Grids that differ by less than this part of a voxel place every label in its own voxel.
SAME_GRID_VOXELS = 0.1
#: From this many components on, a label is hardly one object.
MANY_COMPONENTS = 1000
#: No atlas has more labels in one volume, and hardly an image has fewer intensities.
MOST_LABELS = 1000


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """A volume and its labels on one grid.

    Attributes:
        labels: integers, (k, j, i) of the image's grid; 0 is background.
        values: the labels that are to be scored, ascending.
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
    """Reads a volume and its label map, and puts the labels on the volume's grid.

    Args:
        label_path: a label map, or a .seg.nrrd with one layer.
        values: the labels that are wanted; None: all.

    Raises:
        InputError: if a file cannot be read, the label map holds no usable labels or lies beside
            the volume, or a wanted label is absent or fills the volume.
    """
    image = read_image(image_path)
    label = _read_label(Path(label_path))
    labels = _as_integers(label.voxels, label_path)
    present = _present(labels, label_path)
    wanted = present if values is None else tuple(sorted(set(values)))
    if absent := sorted(set(wanted) - set(present)):
        raise InputError(
            f"The label map {label_path} does not hold {_listed(absent)}: it holds "
            f"{_listed(present)}."
        )
    labels, warnings = _on_grid(labels, label.geometry, image.geometry, label_path)
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
    """As read_image, but tells of layers, which only segmentations have."""
    if path.is_file():
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            return read_image(path)  # which says what is wrong
        size = reader.GetSize()
        if reader.GetNumberOfComponents() > 1 or (len(size) == 4 and size[3] > 1):
            raise InputError(
                f"{path} holds several layers, as segmentations with overlapping segments do: "
                "export the segments that you want to score to one label map."
            )
    try:
        return read_image(path)
    except InputError as error:
        raise InputError(f"The label map cannot be used. {error}") from error


def _as_integers(voxels: np.ndarray, path: str | os.PathLike) -> np.ndarray:
    if voxels.dtype.kind == "f":
        # NaN and infinity are no integers either.
        if not np.array_equal(voxels, np.rint(voxels)) or not np.isfinite(voxels).all():
            raise InputError(
                f"{path} holds values that are not whole numbers: it is an image or a probability "
                "map. Give a label map (threshold it first)."
            )
        return voxels.astype(np.int64)
    return voxels


def _present(labels: np.ndarray, path: str | os.PathLike) -> tuple[int, ...]:
    """The labels that occur, ascending."""
    present = tuple(int(value) for value in np.unique(labels) if value != 0)
    if not present:
        raise InputError(f"The label map {path} is empty: every voxel of it is 0.")
    if present[0] < 0 or len(present) > MOST_LABELS:
        raise InputError(
            f"{path} holds {len(present)} different values from {present[0]} to {present[-1]}: it "
            "is an image. Give a label map."
        )
    return present


def _on_grid(
    labels: np.ndarray, source: Geometry, target: Geometry, path: str | os.PathLike
) -> tuple[np.ndarray, list[str]]:
    """The labels on the volume's grid, and a warning if they were on another one."""
    if source.is_close(target, SAME_GRID_VOXELS * min(target.spacing)):
        return labels, []
    # A value that is no label marks what lies outside the label map.
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
        "The label map is on another grid than the volume: each voxel of the volume got the label "
        "nearest to it."
    )
    return resampled, [warning]


def _reference(geometry: Geometry) -> sitk.Image:
    return sitk_from_array(np.zeros(geometry.shape, dtype=np.uint8), geometry)


def _checked_label(labels: np.ndarray, value: int, box, path: str | os.PathLike) -> list[str]:
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


def _listed(values: Sequence[int]) -> str:
    return f"label{'s' if len(values) > 1 else ''} {', '.join(str(value) for value in values)}"
