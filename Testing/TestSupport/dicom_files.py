"""Small made-up DICOM files: series of slices, and enhanced files of many frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)
from pydicom.valuerep import format_number_as_ds

K, J, I = 8, 6, 7  # noqa: E741
STEP = 2.0
AXES = (1, 0, 0, 0, 1, 0)
#: Voxels of a series whose slices all differ, (k, j, i).
VOXELS = np.random.default_rng(3).integers(-500, 1500, (K, J, I)).astype(np.int16)


def slice_of(voxels: np.ndarray, position: Sequence[float], **elements) -> FileDataset:
    """One CT slice; further keyword arguments set or, if None, remove elements."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.Modality, dataset.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = "1.2.3", "1.2.4"
    dataset.SeriesNumber, dataset.SeriesDescription = 4, "Abdomen"
    dataset.PixelSpacing, dataset.SliceThickness = [0.75, 0.5], 2
    dataset.ImagePositionPatient = decimal(position)
    dataset.ImageOrientationPatient = list(AXES)
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
    set_pixels(dataset, voxels)
    for keyword, value in elements.items():
        if value is None:
            del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    return dataset


def decimal(values: Sequence[float]) -> list[str]:
    """Numbers in the 16 characters that DICOM gives them."""
    return [format_number_as_ds(float(value)) for value in values]


def set_pixels(dataset: Dataset, voxels: np.ndarray) -> None:
    """Stores voxels (rows, columns), or (frames, rows, columns), as they are."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = voxels.shape[-2:]
    dataset.BitsAllocated = dataset.BitsStored = voxels.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(voxels.dtype.kind == "i")
    if voxels.ndim == 3:
        dataset.NumberOfFrames = len(voxels)
    data = voxels.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OB" if voxels.dtype.itemsize == 1 else "OW"


def position(number: float, tilt: float = 0.0) -> tuple[float, float, float]:
    """Where slice `number` of the usual series lies, LPS; `tilt` mm are added in y a slice."""
    return (-10.0, -20.0 + tilt * number, 30.0 + STEP * number)


def series(count: int = K, tilt: float = 0.0, **elements) -> list[FileDataset]:
    """The slices of a CT series, the lowest first."""
    return [slice_of(VOXELS[n], position(n, tilt), **elements) for n in range(count)]


def write(folder: Path, slices: Sequence[Dataset], names: Sequence[str] = ()) -> Path:
    """Writes datasets as 0000.dcm and so on; returns the folder."""
    folder.mkdir(exist_ok=True)
    for number, dataset in enumerate(slices):
        name = names[number] if names else f"{number:04d}.dcm"
        dataset.save_as(folder / name, enforce_file_format=True)
    return folder


def enhanced(
    voxels: np.ndarray,
    positions: Sequence[Sequence[float]],
    axes: Sequence[Sequence[float]] | None = None,
    **contents: Sequence,
) -> FileDataset:
    """An enhanced CT file of frames (n, rows, columns), each with its own place.

    Args:
        contents: for each keyword of the frame content, one value a frame.
    """
    dataset = slice_of(voxels[0], positions[0])
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        del dataset[keyword]
    del dataset.RescaleSlope, dataset.RescaleIntercept, dataset.SliceThickness
    dataset.SOPClassUID = EnhancedCTImageStorage
    set_pixels(dataset, voxels)
    dataset.SharedFunctionalGroupsSequence = Items([Dataset()])
    shared = dataset.SharedFunctionalGroupsSequence[0]
    shared.PixelMeasuresSequence = _item(PixelSpacing=[0.75, 0.5], SliceThickness=2)
    shared.PixelValueTransformationSequence = _item(RescaleSlope=2, RescaleIntercept=-1000)
    groups = []
    for number, place in enumerate(positions):
        group = Dataset()
        group.PlanePositionSequence = _item(ImagePositionPatient=decimal(place))
        direction = decimal(axes[number] if axes else AXES)
        group.PlaneOrientationSequence = _item(ImageOrientationPatient=direction)
        group.FrameContentSequence = _item(
            **{keyword: values[number] for keyword, values in contents.items()}
        )
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = Items(groups)
    return dataset


def _item(**elements) -> Items:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return Items([item])
