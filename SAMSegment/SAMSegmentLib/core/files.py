"""Volumes from files, and masks into files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .errors import InputError, reason_of
from .geometry import Geometry
from .image import Image, image_from_sitk, sitk_from_array
from .outputs import check_new_file, replaced_when_whole
from .paths import existing_path, named_in_utf8

SEGMENTATION_SUFFIX = ".seg.nrrd"
# Cosine between two axes above which a grid counts as sheared.
ORTHOGONAL_TOLERANCE = 1e-5
MASK_SUFFIXES = (SEGMENTATION_SUFFIX, ".nrrd", ".nii.gz", ".nii", ".mha")


def read_image(path: str | os.PathLike) -> Image:
    """A volume from a file that SimpleITK reads, or from a folder with one DICOM series.

    Raises:
        InputError: if there is no such file, or it is no 3D scalar volume.
    """
    path = existing_path(path)
    with named_in_utf8(path) as readable:
        read = _read_series if path.is_dir() else _read_file
        return image_from_sitk(read(path, readable))


def write_mask(
    path: str | os.PathLike,
    mask: np.ndarray,
    geometry: Geometry,
    name: str,
    overwrite: bool = True,
    inputs: Iterable[str | os.PathLike] = (),
) -> None:
    """Writes a mask (k, j, i) of 0 and 1; an existing file is replaced once the new one is whole.

    Args:
        name: the segment's name, kept by .seg.nrrd files.
        overwrite, inputs: see `check_output`.

    Raises:
        InputError: if the folder or the file format is not usable, or something is there that is
            not to be replaced.
        WriteError: if writing fails.
    """
    path = Path(path)
    check_output(path, overwrite, inputs)
    _check_format_keeps(geometry, path)
    image = sitk_from_array(mask.astype(np.uint8, copy=False), geometry)
    if path.name.endswith(SEGMENTATION_SUFFIX):
        for key, value in _segment_fields(mask, name).items():
            image.SetMetaData(key, value)
    with (
        replaced_when_whole(path, overwrite, inputs, _mask_suffix(path)) as unfinished,
        named_in_utf8(unfinished) as writable,
    ):
        sitk.WriteImage(image, str(writable), useCompression=True)


def check_output(
    path: str | os.PathLike,
    overwrite: bool = True,
    inputs: Iterable[str | os.PathLike] = (),
) -> None:
    """Finds out before the work whether its result can be written.

    Args:
        overwrite: whether a file that is there may be replaced.
        inputs: files and folders that are read; their files are never replaced.

    Raises:
        InputError: if the folder is missing or read-only, the format is unknown, or something is
            there that is not to be replaced.
    """
    path = Path(path)
    if _mask_suffix(path) is None:
        raise InputError(
            f"{path.name}: a mask is written as one of {', '.join(MASK_SUFFIXES)}; "
            "choose one of these endings."
        )
    check_new_file(path, overwrite, inputs)


def _mask_suffix(path: Path) -> str | None:
    return next((ending for ending in MASK_SUFFIXES if path.name.endswith(ending)), None)


def _check_format_keeps(geometry: Geometry, path: Path) -> None:
    """Refuses NIfTI for sheared grids: SimpleITK would silently make its axes orthogonal."""
    off_axis = geometry.directions.T @ geometry.directions - np.eye(3)
    if ".nii" in path.suffixes and np.abs(off_axis).max() > ORTHOGONAL_TOLERANCE:
        raise InputError(
            f"{path.name}: NIfTI cannot keep the tilt of this volume's slices: write .nrrd or "
            ".seg.nrrd."
        )


def _read_file(path: Path, readable: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(readable))
    except RuntimeError as error:
        raise InputError(
            f"{path} is not an image that can be read: {reason_of(error)} "
            "Give a NRRD, NIfTI, MetaImage or DICOM file, or a folder with a DICOM series."
        ) from error


def _read_series(folder: Path, readable: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(readable))
    if not series:
        raise InputError(f"The folder {folder} holds no DICOM series.")
    if len(series) > 1:
        raise InputError(
            f"The folder {folder} holds {len(series)} DICOM series: give a folder with one series."
        )
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(readable), series[0]))
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(
            f"The DICOM series in {folder} cannot be read: {reason_of(error)}"
        ) from error
    modality = "0008|0060"
    if reader.HasMetaDataKey(0, modality):
        image.SetMetaData(modality, reader.GetMetaData(0, modality))
    return image


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
