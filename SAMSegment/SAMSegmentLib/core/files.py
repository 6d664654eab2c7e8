"""Volumes from files, and masks into files."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .errors import InputError, WriteError
from .geometry import Geometry
from .image import Image, image_from_sitk, sitk_from_array
from .whole_file import new_file

SEGMENTATION_SUFFIX = ".seg.nrrd"
# Cosine between two axes above which a grid counts as sheared.
ORTHOGONAL_TOLERANCE = 1e-5
MASK_SUFFIXES = (SEGMENTATION_SUFFIX, ".nrrd", ".nii.gz", ".nii", ".mha")


def read_image(path: str | os.PathLike) -> Image:
    """A volume from a file that SimpleITK reads, or from a folder with one DICOM series.

    Raises:
        InputError: if there is no such file, or it is no 3D scalar volume.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"There is no file or folder {path}: check the path.")
    source = _read_series(path) if path.is_dir() else _read_file(path)
    return image_from_sitk(source)


def write_mask(path: str | os.PathLike, mask: np.ndarray, geometry: Geometry, name: str) -> None:
    """Writes a mask (k, j, i) of 0 and 1; an existing file is replaced once the new one is whole.

    Args:
        name: the segment's name, kept by .seg.nrrd files.

    Raises:
        InputError: if the folder or the file format is not usable.
        WriteError: if writing fails.
    """
    path = Path(path)
    check_output(path)
    _check_format_keeps(geometry, path)
    image = sitk_from_array(mask.astype(np.uint8, copy=False), geometry)
    if path.name.endswith(SEGMENTATION_SUFFIX):
        for key, value in _segment_fields(mask, name).items():
            image.SetMetaData(key, value)
    with replaced_when_whole(path) as unfinished:
        sitk.WriteImage(image, str(unfinished), useCompression=True)


def check_output(path: str | os.PathLike) -> None:
    """Finds out before the work whether its result can be written.

    Raises:
        InputError: if the folder is missing or read-only, or the format is unknown.
    """
    path = Path(path)
    if not path.name.endswith(MASK_SUFFIXES):
        raise InputError(
            f"{path.name}: a mask is written as one of {', '.join(MASK_SUFFIXES)}; "
            "choose one of these endings."
        )
    check_folder(path)


def check_folder(path: str | os.PathLike) -> None:
    """Finds out before the work whether a file can be written at `path`.

    Raises:
        InputError: if it is a folder, or the folder it is to lie in is missing or read-only.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder: name a file in it.")
    if not path.parent.is_dir():
        raise InputError(f"The output folder {path.parent} does not exist: make it first.")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".samsegment-"):
            pass
    except OSError as error:
        raise InputError(
            f"The output folder {path.parent} cannot be written to ({error.strerror}): choose "
            "another one."
        ) from error


def _check_format_keeps(geometry: Geometry, path: Path) -> None:
    """Refuses NIfTI for sheared grids: SimpleITK would silently make its axes orthogonal."""
    off_axis = geometry.directions.T @ geometry.directions - np.eye(3)
    if ".nii" in path.suffixes and np.abs(off_axis).max() > ORTHOGONAL_TOLERANCE:
        raise InputError(
            f"{path.name}: NIfTI cannot keep the tilt of this volume's slices: write .nrrd or "
            ".seg.nrrd."
        )


def _read_file(path: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(
            f"{path} is not an image that can be read: {_reason(error)} "
            "Give a NRRD, NIfTI, MetaImage or DICOM file, or a folder with a DICOM series."
        ) from error


def _read_series(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    if not series:
        raise InputError(f"The folder {folder} holds no DICOM series.")
    if len(series) > 1:
        raise InputError(
            f"The folder {folder} holds {len(series)} DICOM series: give a folder with one series."
        )
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder), series[0]))
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(
            f"The DICOM series in {folder} cannot be read: {_reason(error)}"
        ) from error
    modality = "0008|0060"
    if reader.HasMetaDataKey(0, modality):
        image.SetMetaData(modality, reader.GetMetaData(0, modality))
    return image


def _reason(error: Exception) -> str:
    """The last telling line of an ITK message, without its C++ file name."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[-1].split("ERROR: ")[-1] if lines else "unknown reason"
    return text if text.endswith(".") else f"{text}."


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


@contextmanager
def replaced_when_whole(path: Path):
    """Gives a temporary path beside `path`, and moves it over `path` when all went well.

    Raises:
        WriteError: if writing fails; what was there before is still there.
    """
    suffix = next((ending for ending in MASK_SUFFIXES if path.name.endswith(ending)), path.suffix)
    try:
        handle, unfinished = new_file(path.parent, ".samsegment-", suffix)
        os.close(handle)
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror}.") from error
    try:
        yield Path(unfinished)
        os.replace(unfinished, path)
    except (OSError, RuntimeError) as error:
        raise WriteError(f"{path} could not be written: {_reason(error)}") from error
    finally:
        Path(unfinished).unlink(missing_ok=True)
