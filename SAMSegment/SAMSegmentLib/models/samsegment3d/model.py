"""SAMSegment 3D on one device: windows and prompts in, masks out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from ...core.geometry import Geometry
from ...core.image import Image
from ...core.prompts import positions_of
from ..precision import encoder_type
from ..tensor_files.checkpoints import check_network, load_tensors
from ..windowed.windows import Window, intensities_in
from .network import Features, SAMSegment3D, unfolded
from .picture import picture_of
from .prompt_maps import HEAD, PromptTensors
from .prompts import WindowPrompt
from .windows import WindowFrame

TITLE = "SAMSegment 3D"
# In these, features wait for the next click on a CPU; half the memory, and as good.
_STORED = torch.float16


class SAMSegment3DModel:
    """A WindowModel; it keeps the features that it used last.

    Args:
        weights: the tensors as safetensors.
        numbers: in which it computes: float32, bfloat16 or float16; None: the fastest that the
            device has without harm.

    Raises:
        WeightsError: if the file is not one of this network.
    """

    steps = 1
    further = "Looking again, window {}"

    def __init__(self, weights: Path, device: torch.device, numbers: torch.dtype | None) -> None:
        self.numbers = encoder_type(device) if numbers is None else numbers
        self._network = load_network(weights, device, self.numbers)
        self._device = device
        self._latest: tuple[Features, Features] | None = None

    def first_window(self, geometry: Geometry, ras: np.ndarray) -> Window:
        """See WindowModel."""
        return WindowFrame(geometry).around(ras)

    def intensities(
        self, image: Image, intensity_range: tuple[float, float] | None
    ) -> tuple[float, float] | None:
        """See WindowModel."""
        return intensity_range

    def picture(self, image: Image, window: Window, clip: tuple[float, float] | None) -> np.ndarray:
        """See WindowModel, and picture.picture_of: float32 (2, x, y, z)."""
        values, outside = intensities_in(image, window)
        return picture_of(values, outside if outside.any() else None, clip)

    @torch.inference_mode()
    def encode(self, picture: np.ndarray, between_steps: Callable[[], None]) -> Features:
        """See WindowModel."""
        between_steps()
        tensor = torch.from_numpy(picture)[None].to(self._device, self.numbers)
        features = self._network.encode(tensor)
        if self.numbers != torch.float32:
            return features
        stored = features.map(lambda tensor: tensor.to(_STORED))
        self._latest = stored, features
        return stored

    @torch.inference_mode()
    def decode(
        self, features: Features, window: Window, prompt: WindowPrompt, check: Callable[[], None]
    ) -> list[np.ndarray]:
        """See WindowModel. As many masks as wanted, (x, y, z)."""
        features = self._computable(features)
        clicks = window.place(positions_of(prompt.points))
        signs = np.array([1.0 if point.positive else -1.0 for point in prompt.points])
        if not len(signs):
            clicks, signs = np.zeros((1, 3)), np.zeros(1)
        roi, ramp = prompt.roi, prompt.ramp
        if not self._network.knows_ramps:
            ramp = None
        elif ramp is not None:
            roi = np.where(ramp > 0, np.float32(1), np.float32(-1))
        half = np.zeros(features.levels[0].shape[2:])
        maps = (half if each is None else each for each in (roi, prompt.before))
        prompts = PromptTensors(
            self._tensor(clicks)[None],
            self._tensor(signs)[None],
            *(self._tensor(each)[None, None] for each in maps),
            None if ramp is None else self._tensor(ramp)[None, None],
        )
        masks, quality = self._network.decode(features, prompts)
        best = quality[0].argsort(descending=True)[: prompt.wanted].tolist()
        return [evened(unfolded(masks[0, number]).float().cpu().numpy()) for number in best]

    def _computable(self, stored: Features) -> Features:
        """Features in the numbers in which is computed; the latest are kept so."""
        if self.numbers != torch.float32:
            return stored
        if self._latest is None or self._latest[0] is not stored:
            self._latest = stored, stored.map(lambda tensor: tensor.to(self.numbers))
        return self._latest[1]

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self._device)


def evened(mask: np.ndarray) -> np.ndarray:
    """A mask (x, y, z) without the pattern of two voxels in which the network folds it, a copy.

    Neighbouring voxels are different channels, each of which tends to a level of its own: as it
    comes, a mask's border is toothed. The kernel, twice (1, 2, 1) / 4 less its own square, is 0 for
    what alternates from voxel to voxel; its second moment is 0, too, so that no border moves.
    """
    for axis in range(3):
        size = mask.shape[axis]
        padded = np.pad(mask, [(2, 2) if each == axis else (0, 0) for each in range(3)], "edge")
        first, second, own, third, fourth = (
            padded[(slice(None),) * axis + (slice(offset, offset + size),)] for offset in range(5)
        )
        mask = second + third
        mask += np.float32(2.5) * own
        mask *= np.float32(4)
        mask -= first
        mask -= fourth
        mask *= np.float32(1 / 16)
    return mask


def load_network(weights: Path, device: torch.device, numbers: torch.dtype) -> SAMSegment3D:
    """The network in a weights file.

    Raises:
        WeightsError: if the file is not one of this network.
    """
    tensors = load_tensors(weights)
    with torch.device("meta"):
        network = SAMSegment3D(**sizes_of(tensors))
    check_network(tensors, {n: value.shape for n, value in network.state_dict().items()}, TITLE)
    tensors = {name: value.to(device, numbers, copy=True) for name, value in tensors.items()}
    network.load_state_dict(tensors, assign=True)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last_3d)


def sizes_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...] | int]:
    """The arguments of a network with such tensors; none if they are of another network."""
    names = ["encoder.stem.weight", *(f"encoder.down.{n}.weight" for n in range(3))]
    levels = [f"bridge.levels.{n}.weight" for n in range(4)]
    heads = [f"bridge.likeness.{n}.weight" for n in range(2)]
    if not all(name in tensors and tensors[name].ndim >= 2 for name in (*names, *levels, *heads)):
        return {}
    found = {
        "widths": tuple(tensors[name].shape[0] for name in names),
        "decoder_widths": tuple(tensors[name].shape[0] for name in levels),
        "heads": tuple(tensors[name].shape[0] // HEAD for name in heads),
    }
    if not all(min(sizes) > 0 for sizes in found.values()):
        return {}
    return found | {"edition": 2 if "decoder.border.first.weight" in tensors else 1}
