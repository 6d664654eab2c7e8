"""Reads volumes from files and writes masks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from . import arguments
from .dicom import is_dicom, read_dicom
from .errors import InputError, reason_of
from .file_formats import Kind, kind_of
from .geometry import Geometry
from .image import Image
from .itk_files import read_meta_image, read_nrrd, read_picture, write_with_itk
from .nifti import NiftiForms, nibabel_package, read_nifti, write_nifti
from .outputs import atomic_output, check_new_file
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
    path = Path(path)
    check_output(path, overwrite, inputs)
    mask = mask.astype(np.uint8, copy=False)
    suffix = _mask_suffix(path)
    with atomic_output(path, overwrite, inputs, suffix) as unfinished:
        if suffix in NIFTI_SUFFIXES:
            write_nifti(unfinished, mask, nifti or NiftiForms.placing(geometry))
        else:
            fields = (
                _segment_fields(mask, arguments.text(name, "name"))
                if suffix == SEGMENTATION_SUFFIX
                else {}
            )
            try:
                write_with_itk(unfinished, mask, geometry, fields)
            except RuntimeError as error:
                raise OSError(f"{reason_of(error)} {_free_space(unfinished)}") from error
        _check_written(unfinished, mask, geometry)


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


def _check_written(path: Path, mask: np.ndarray, geometry: Geometry) -> None:
    """Reads a mask back, since a full disk is not always reported while writing.

    Raises:
        OSError: if it differs from what was written.
    """
    try:
        back = read_image(path)
    except InputError as error:
        raise OSError(f"what was written cannot be read back. {_free_space(path)}") from error
    if not np.array_equal(back.voxels, mask):
        raise OSError(f"what was written reads back otherwise. {_free_space(path)}")
    if not back.geometry.is_close(geometry, SAME_PLACE_VOXELS * geometry.spacing.min()):
        raise OSError("this format does not keep the place of its voxels: write .nrrd")


def _free_space(path: Path) -> str:
    free = shutil.disk_usage(path.parent).free / 1e6
    return f"The disk has {free:.0f} MB free: make space, or choose another folder"


def _segment_fields(mask: np.ndarray, name: str) -> dict[str, str]:
    """The header of a .seg.nrrd file with one segment, as Slicer writes it.

    Source: vtkMRMLSegmentationStorageNode in Slicer's Libs/MRML.
    """
    extent = " ".join(f"0 {n - 1}" for n in mask.shape[::-1])
    return {
        "Segmentation_ContainedRepresentationNames": "Binary labelmap|",
        "Segmentation_SourceRepresentation": "Binary labelmap",
        "Segmentation_ReferenceImageExtentOffset": "0 0 0",
        "Segment0_ID": "Segment_1",
        "Segment0_Name": name,
        "Segment0_NameAutoGenerated": "0",
        "Segment0_Color": "0.501961 0.682353 0.501961",
        "Segment0_ColorAutoGenerated": "1",
        "Segment0_LabelValue": "1",
        "Segment0_Layer": "0",
        "Segment0_Extent": extent,
    }
