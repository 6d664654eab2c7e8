"""Packs the training set into one small file, `out/training/pack.npz`, of at most 60 MB.

    python -m Training.pack ../shared/training

Volumes are stored with 8 bits at about 1 mm, axes near L, P, S; labels in layers, so that
objects may overlap. Folders whose licence is marked "from memory" in the manifest are left out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from SAMSegmentLib.core.outputs import atomic_output
from SAMSegmentLib.weights.files import file_sha256

from . import pseudo_labels
from .stable_regions import SAME, stable_regions
from .watersheds import ct_tissues, watershed_regions

OUTPUT = Path("out/training/pack.npz")
LARGEST = 60_000_000
#: Smallest voxel size of images, and that at which objects are looked for in them.
IMAGE_MM, SEARCH_MM = 1.2, 2.0
MOST_LAYERS = 5
UNCERTAIN = "from memory"
#: Folders with label maps, of which images are made, and their voxel size.
LABEL_MAPS = {
    "labels/synthseg": 1.25,
    "labels/torso_niivue": 1.5,
    "labels/spine_mr_panoptica": 1.0,
    "labels/knee_pymskt": 0.7,
}
#: Folders with images without masks.
WITHOUT_MASK = ("unlabelled/crlm_ct", "unlabelled/cmbcrc_mr")
CT_RANGE = (-1000, 1000)
# Hounsfield units and the bytes that stand for them: finer around soft tissue.
_HOUNSFIELD, _BYTES = (-1000, -200, 300, 1000), (0, 30, 225, 255)
#: Hounsfield units of the bytes of a CT, float32 (256,).
CT_LEVELS = np.interp(np.arange(256), _BYTES, _HOUNSFIELD).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Case:
    """One volume of the training set.

    Attributes:
        name: of its file, with the folder.
        layers: uint8 (L, X, Y, Z), objects by number, 0 for none.
        image: uint8 (X, Y, Z); None: synthetic images are made of the labels.
        spacing: mm along X, Y, Z.
        ct: whether it is a CT.
    """

    name: str
    layers: np.ndarray
    image: np.ndarray | None
    spacing: tuple[float, float, float]
    ct: bool = False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    cases = []
    for case in read_cases(given.folder):
        print(
            f"{case.name}: {case.layers.shape}, {len(np.unique(case.layers)) - 1} objects",
            flush=True,
        )
        cases.append(case)
    write_pack(given.output, cases)
    size = given.output.stat().st_size
    print(f"{given.output}: {len(cases)} cases, {size / 1e6:.1f} MB")
    return 0 if size <= LARGEST else 1


def read_cases(folder: Path) -> Iterator[Case]:
    """Yields all cases that may be used for training, checked against the manifest's SHA-256."""
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    for name, entry in manifest.items():
        if UNCERTAIN in entry["licence"]:
            print(f"{name} is left out: {entry['licence']}")
            continue
        files = {file: folder / name / file for file in entry["files"]}
        for file, path in files.items():
            if file_sha256(path) != entry["files"][file]["sha256"]:
                raise SystemExit(f"{path} is not the file of the manifest.")
        if name in LABEL_MAPS:
            for file, path in files.items():
                if file != "ref.nii.gz":  # the same spine as ref_instance, by type of bone
                    yield _label_map(f"{name}/{file}", path, LABEL_MAPS[name])
        elif name in WITHOUT_MASK:
            for file, path in files.items():
                yield _without_mask(f"{name}/{file}", path)
        elif name.startswith("sarcoma/"):
            for file in files:
                if file.endswith("_image.nii.gz"):
                    mask = files[file.replace("_image", "_mask")]
                    yield _with_mask(f"{name}/{file}", files[file], mask)


def _label_map(name: str, path: Path, mm: float) -> Case:
    image = _reoriented(sitk.ReadImage(str(path)))
    values = sitk.GetArrayFromImage(image)
    numbers = np.searchsorted(np.unique(values), values).astype(np.uint8)
    compact = sitk.GetImageFromArray(numbers)
    compact.CopyInformation(image)
    # In thick slices the label of the largest share instead of the nearest, which avoids steps.
    thick = max(compact.GetSpacing()) > mm
    compact = _resampled(compact, mm, sitk.sitkLabelGaussian if thick else sitk.sitkNearestNeighbor)
    labels = _array(compact)
    # Without most of the empty space around.
    box = ndimage.find_objects((labels > 0).astype(np.uint8))[0]
    labels = labels[tuple(slice(max(0, part.start - 8), part.stop + 8) for part in box)]
    return Case(name, np.ascontiguousarray(labels)[None], None, compact.GetSpacing())


def _without_mask(name: str, path: Path) -> Case:
    native = _reoriented(sitk.ReadImage(str(path), sitk.sitkFloat32))
    image, ct = _resampled(native, IMAGE_MM), "crlm_ct" in name
    found = []
    known = pseudo_labels.OUTPUT / f"{path.name.split('.')[0]}.npz"
    if known.exists():
        source = sitk.ReadImage(str(path))
        found = [_on_grid(mask, source, image) for mask in pseudo_labels.load(known)]
    return _case(name, native, image, found, ct)


def _with_mask(name: str, path: Path, mask_path: Path) -> Case:
    native = _reoriented(sitk.ReadImage(str(path), sitk.sitkFloat32))
    image = _resampled(native, IMAGE_MM)
    mask = sitk.Resample(
        sitk.Cast(sitk.ReadImage(str(mask_path)) > 0, sitk.sitkFloat32), image, sitk.Transform()
    )
    return _case(name, native, image, [_array(mask) > 0.5], "CT_" in name)


def _case(
    name: str, native: sitk.Image, image: sitk.Image, masks: list[np.ndarray], ct: bool
) -> Case:
    """An image with its masks, and with objects found in it."""
    searched = _resampled(native, SEARCH_MM)
    voxels, spacing = _array(searched), searched.GetSpacing()
    found = []
    if ct:
        found += ct_tissues(voxels, spacing)
        voxels = np.clip(voxels, *CT_RANGE)
    found += stable_regions(voxels, spacing)
    found += [
        region
        for region in watershed_regions(voxels, spacing)
        if not any(region.dice(other) > SAME for other in found)
    ]
    masks = masks + [
        _array(sitk.Resample(_image_of(region.whole(voxels.shape), searched), image)) > 0.5
        for region in found
    ]
    layers = _layers([mask for mask in masks if mask.any()], image.GetSize())
    return Case(name, layers, _bytes(_array(image), ct), image.GetSpacing(), ct)


def _reoriented(image: sitk.Image) -> sitk.Image:
    """Axes closest to L, P, S, without the remaining rotation: training rotates images anyway."""
    image = sitk.DICOMOrient(image, "LPS")
    image.SetDirection(np.eye(3).ravel())
    image.SetOrigin((0, 0, 0))
    return image


def _resampled(image: sitk.Image, mm: float, interpolator: int = sitk.sitkLinear) -> sitk.Image:
    """The image with voxels of at least `mm`; thick slices are kept."""
    spacing = [max(mm, each) for each in image.GetSpacing()]
    if interpolator != sitk.sitkLinear:
        spacing = [mm] * 3
    size = [
        max(1, round(n * before / after))
        for n, before, after in zip(image.GetSize(), image.GetSpacing(), spacing, strict=True)
    ]
    if image.GetPixelID() == sitk.sitkFloat32:
        sigma = [
            0.4 * (new if new > old else 1e-3)
            for new, old in zip(spacing, image.GetSpacing(), strict=True)
        ]
        image = sitk.SmoothingRecursiveGaussian(image, sigma)
    return sitk.Resample(
        image, size, sitk.Transform(), interpolator, image.GetOrigin(), spacing,
        image.GetDirection(), 0, image.GetPixelID(),
    )  # fmt: skip


def _on_grid(mask: np.ndarray, source: sitk.Image, grid: sitk.Image) -> np.ndarray:
    image = sitk.GetImageFromArray(mask.astype(np.float32))
    image.CopyInformation(source)
    return _array(sitk.Resample(_reoriented(image), grid, sitk.Transform())) > 0.5


def _image_of(mask: np.ndarray, grid: sitk.Image) -> sitk.Image:
    """A mask (X, Y, Z) on the grid of an image, as numbers to interpolate."""
    image = sitk.GetImageFromArray(mask.transpose(2, 1, 0).astype(np.float32))
    image.CopyInformation(grid)
    return image


def _array(image: sitk.Image) -> np.ndarray:
    """The voxels (X, Y, Z)."""
    return np.ascontiguousarray(sitk.GetArrayFromImage(image).transpose(2, 1, 0))


def _bytes(voxels: np.ndarray, ct: bool) -> np.ndarray:
    """8-bit intensities; for CT with a finer scale around soft tissue."""
    if ct:
        return np.interp(voxels, _HOUNSFIELD, _BYTES).round().astype(np.uint8)
    low, high = np.percentile(voxels, [0.2, 99.8])
    return np.clip(255 * (voxels - low) / (high - low), 0, 255).round().astype(np.uint8)


def _layers(masks: list[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """Masks by number on as few layers as possible; each is put where it loses least."""
    layers = np.zeros((MOST_LAYERS, *shape), np.uint8)
    for number, mask in enumerate(masks[:255], 1):
        taken = [np.count_nonzero(layer[mask]) for layer in layers]
        best = int(np.argmin(taken))
        if taken[best] < 0.02 * np.count_nonzero(mask):
            layers[best][mask & (layers[best] == 0)] = number
    return layers[[0, *(n for n in range(1, MOST_LAYERS) if layers[n].any())]]


def write_pack(path: Path, cases: Sequence[Case]) -> None:
    """Writes cases to a file, completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays, about = {}, []
    for n, case in enumerate(cases):
        arrays[f"layers_{n}"] = case.layers
        if case.image is not None:
            arrays[f"image_{n}"] = case.image
        about.append({"name": case.name, "spacing": list(case.spacing), "ct": case.ct})
    with atomic_output(path) as unfinished:
        np.savez_compressed(unfinished, about=np.array(json.dumps(about)), **arrays)


def read_pack(path: Path) -> list[Case]:
    """The cases of a file."""
    with np.load(path) as stored:
        return [
            Case(
                about["name"],
                stored[f"layers_{n}"],
                stored[f"image_{n}"] if f"image_{n}" in stored.files else None,
                tuple(about["spacing"]),
                about["ct"],
            )
            for n, about in enumerate(json.loads(str(stored["about"])))
        ]


if __name__ == "__main__":
    sys.exit(main())
