"""Reads volumes from files and writes masks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from . import arguments
from .dicom import is_dicom, read_dicom
from .errors import InputError, reason_of
from .file_formats import Kind, kind_of
from .geometry import Geometry
from .image import Image
from .itk_files import read_layers, read_meta_image, read_nrrd, read_picture, write_with_itk
from .label import Label, default_color
from .nifti import NiftiForms, nibabel_package, read_nifti, write_nifti
from .outputs import atomic_output, check_new_file
from .patch import Index, Patch
from .paths import existing_path

SEGMENTATION_SUFFIX = ".seg.nrrd"
NIFTI_SUFFIXES = (".nii.gz", ".nii")
MASK_SUFFIXES = (SEGMENTATION_SUFFIX, ".nrrd", *NIFTI_SUFFIXES, ".mha")
# A mask that reads back displaced by more than this part of a voxel was not written correctly.
SAME_PLACE_VOXELS = 0.1
_READERS = {
    Kind.NIFTI: read_nifti,
    Kind.NRRD: read_nrrd,
    Kind.META_IMAGE: read_meta_image,
    Kind.OTHER: read_picture,
}


def read_image(path: str | os.PathLike) -> Image:
    """A volume from a file, or from a folder with a DICOM series.

    The format is recognised by the content of the file, not by its name.

    Raises:
        InputError: if there is no such file, it is partly missing or damaged, or it is neither a
            scalar volume nor a single slice.
        MissingPackageError: if it is NIfTI and nibabel is not installed.
    """
    path = existing_path(path)
    if path.is_dir() or is_dicom(path):
        return read_dicom(path)
    return _READERS[kind_of(path)](path)


def write_mask(
    path: str | os.PathLike,
    mask: np.ndarray,
    geometry: Geometry,
    name: str,
    overwrite: bool = True,
    inputs: Iterable[str | os.PathLike] = (),
    nifti: NiftiForms | None = None,
) -> None:
    """Writes a mask (k, j, i) of 0 and 1.

    An existing file is replaced only once the new one is on the disk and was read back.

    Args:
        name: the segment's name, stored in .seg.nrrd files.
        nifti: how the volume's own file places its voxels (`Image.nifti`), for NIfTI masks.
        overwrite, inputs: see `check_output`.

    Raises:
        InputError: if the folder, the file format or the name is not usable, or the file exists and
            must not be replaced.
        WriteError: if writing fails.
        MissingPackageError: if the format is NIfTI and nibabel is not installed.
    """
    label = Label(arguments.text(name, "name"))
    whole = Patch(mask.astype(bool, copy=False), (0, 0, 0))
    write_labels(path, [(label, whole)], geometry, overwrite, inputs, nifti)


def write_labels(
    path: str | os.PathLike,
    masks: Sequence[tuple[Label, Patch]],
    geometry: Geometry,
    overwrite: bool = True,
    inputs: Iterable[str | os.PathLike] = (),
    nifti: NiftiForms | None = None,
) -> int:
    """Writes masks on boxes of a grid as one labelmap: the first has the value 1, and so on.

    .seg.nrrd files keep names, terminology and colours, and all of masks that overlap. In other
    formats a voxel of several masks has the value of the last one.

    Args:
        others: see `write_mask`.

    Returns:
        How many voxels belong to several masks, of which this format keeps only one.

    Raises:
        InputError, WriteError, MissingPackageError: as `write_mask`.
    """
    path = Path(path)
    check_output(path, overwrite, inputs)
    suffix = _mask_suffix(path)
    patches = [patch for _, patch in masks]
    layers, layer_of = _layers(patches, geometry.shape, suffix == SEGMENTATION_SUFFIX)
    labels = layers[0] if len(layers) == 1 else np.stack(layers, axis=-1)
    with atomic_output(path, overwrite, inputs, suffix) as unfinished:
        if suffix in NIFTI_SUFFIXES:
            write_nifti(unfinished, labels, nifti or NiftiForms.placing(geometry))
        else:
            fields = {}
            if suffix == SEGMENTATION_SUFFIX:
                fields = _segmentation_fields([label for label, _ in masks], layer_of, geometry)
            try:
                write_with_itk(unfinished, labels, geometry, fields)
            except RuntimeError as error:
                raise OSError(f"{reason_of(error)} {_free_space(unfinished)}") from error
        _check_written(unfinished, labels, geometry)
    kept = sum(np.count_nonzero(layer) for layer in layers)
    return sum(np.count_nonzero(patch.values) for patch in patches) - kept


def _layers(
    patches: Sequence[Patch], shape: Index, keep_all: bool
) -> tuple[list[np.ndarray], list[int]]:
    """Labelmaps (k, j, i) that hold masks as the values 1, 2, ..., and the number of each one's.

    Args:
        keep_all: puts a mask that overlaps another into a labelmap of its own.
    """
    kind = np.uint8 if len(patches) <= np.iinfo(np.uint8).max else np.uint16
    layers, layer_of = [np.zeros(shape, dtype=kind)], []
    for value, patch in enumerate(patches, start=1):
        number = 0
        while keep_all and number < len(layers) and layers[number][patch.box][patch.values].any():
            number += 1
        if number == len(layers):
            layers.append(np.zeros_like(layers[0]))
        layers[number][patch.box][patch.values] = value
        layer_of.append(number)
    return layers, layer_of


def format_warnings(path: str | os.PathLike, geometry: Geometry) -> tuple[str, ...]:
    """What the user should know about a mask on this grid in the format of the file name."""
    if _mask_suffix(Path(path)) in NIFTI_SUFFIXES and geometry.is_sheared():
        return (
            f"The mask's slices are tilted against each other, as the image's are. Slicer does not "
            f"open that as NIfTI ({Path(path).name}): for Slicer, write {SEGMENTATION_SUFFIX}.",
        )
    return ()


def check_output(
    path: str | os.PathLike,
    overwrite: bool = True,
    inputs: Iterable[str | os.PathLike] = (),
) -> None:
    """Checks before the computation whether its result can be written.

    Args:
        overwrite: whether an existing file may be replaced.
        inputs: files and folders that are read; their files are never replaced.

    Raises:
        InputError: if the folder is missing or read-only, the format is unknown, or the file exists
            and must not be replaced.
        MissingPackageError: if the format is NIfTI and nibabel is not installed.
    """
    path = Path(path)
    if not path.name:
        raise InputError("The path of the output is empty: name a file.")
    if _mask_suffix(path) is None:
        raise InputError(
            f"{path.name}: a mask is written as one of {', '.join(MASK_SUFFIXES)}; "
            "choose one of these endings."
        )
    check_new_file(path, overwrite, inputs)
    if _mask_suffix(path) in NIFTI_SUFFIXES:
        nibabel_package()


def _mask_suffix(path: Path) -> str | None:
    return next((ending for ending in MASK_SUFFIXES if path.name.endswith(ending)), None)


def _check_written(path: Path, labels: np.ndarray, geometry: Geometry) -> None:
    """Reads a mask back, since a full disk is not always reported while writing.

    Raises:
        OSError: if it differs from what was written.
    """
    try:
        if labels.ndim == 4:
            voxels, place = read_layers(path)
        else:
            back = read_image(path)
            voxels, place = back.voxels, back.geometry
    except InputError as error:
        raise OSError(f"what was written cannot be read back. {_free_space(path)}") from error
    if not np.array_equal(voxels, labels):
        raise OSError(f"what was written reads back otherwise. {_free_space(path)}")
    if not place.is_close(geometry, SAME_PLACE_VOXELS * geometry.spacing.min()):
        raise OSError("this format does not keep the place of its voxels: write .nrrd")


def _free_space(path: Path) -> str:
    free = shutil.disk_usage(path.parent).free / 1e6
    return f"The disk has {free:.0f} MB free: make space, or choose another folder"


def _segmentation_fields(
    labels: Sequence[Label], layer_of: Sequence[int], geometry: Geometry
) -> dict[str, str]:
    """The header of a .seg.nrrd file, as Slicer writes it.

    Source: vtkMRMLSegmentationStorageNode in Slicer's Libs/MRML.
    """
    fields = {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_SourceRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
    }
    extent = " ".join(f"0 {n - 1}" for n in geometry.shape[::-1])
    for number, (label, layer) in enumerate(zip(labels, layer_of, strict=True)):
        color = label.color or default_color(number)
        fields |= {
            f"Segment{number}_ID": f"Segment_{number + 1}",
            f"Segment{number}_Name": label.name,
            f"Segment{number}_NameAutoGenerated": "0",
            f"Segment{number}_Color": " ".join(f"{value:g}" for value in color),
            f"Segment{number}_ColorAutoGenerated": str(int(label.color is None)),
            f"Segment{number}_LabelValue": str(number + 1),
            f"Segment{number}_Layer": str(layer),
            f"Segment{number}_Extent": extent,
        }
        if label.terminology:
            fields[f"Segment{number}_Tags"] = f"TerminologyEntry:{label.terminology}|"
    return fields
