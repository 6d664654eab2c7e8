"""SAMSegment 3D's network on one device: windows and prompts in, masks out, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from ..tensor_files.checkpoints import check_network, load_tensors
from .network import HEAD, Features, PromptTensors, SAMSegment3D, unfolded

TITLE = "SAMSegment 3D"
# In these, features wait for the next click on a CPU; half the memory, and as good.
_STORED = torch.float16


class WindowNetwork:
    """The network, and the features that it used last.

    Args:
        weights: the tensors as safetensors.
        numbers: in which it computes: float32, bfloat16 or float16.

    Raises:
        WeightsError: if the file is not one of this network.
    """

    def __init__(self, weights: Path, device: torch.device, numbers: torch.dtype) -> None:
        self._network = load_network(weights, device, numbers)
        self._device, self._numbers = device, numbers
        self._latest: tuple[Features, Features] | None = None

    @torch.inference_mode()
    def encode(self, picture: np.ndarray) -> Features:
        """What is seen in a picture, float32 (2, x, y, z); to be kept."""
        tensor = torch.from_numpy(picture)[None].to(self._device, self._numbers)
        features = self._network.encode(tensor)
        if self._numbers != torch.float32:
            return features
        stored = features.map(lambda tensor: tensor.to(_STORED))
        self._latest = stored, features
        return stored

    @torch.inference_mode()
    def decode(
        self,
        features: Features,
        clicks: np.ndarray,
        signs: np.ndarray,
        roi: np.ndarray | None,
        before: np.ndarray | None,
        wanted: int,
    ) -> list[np.ndarray]:
        """Masks, the best first; see networks.samsegment3d.PromptTensors for the arguments.

        Args:
            clicks, signs: (N, 3) and (N,); N may be 0.
            roi, before: (x/2, y/2, z/2).

        Returns:
            logits, float32 (x, y, z), of as many masks as wanted.
        """
        features = self._computable(features)
        if not len(signs):
            clicks, signs = np.zeros((1, 3)), np.zeros(1)
        half = tuple(features.levels[0].shape[2:])
        prompts = PromptTensors(
            self._tensor(clicks)[None],
            self._tensor(signs)[None],
            *(self._tensor(np.zeros(half) if m is None else m)[None, None] for m in (roi, before)),
        )
        masks, quality = self._network.decode(features, prompts)
        best = quality[0].argsort(descending=True)[:wanted].tolist()
        return [unfolded(masks[0, number]).float().cpu().numpy() for number in best]

    def _computable(self, stored: Features) -> Features:
        """Features in the numbers in which is computed; the latest are kept so."""
        if self._numbers != torch.float32:
            return stored
        if self._latest is None or self._latest[0] is not stored:
            self._latest = stored, stored.map(lambda tensor: tensor.to(self._numbers))
        return self._latest[1]

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self._device)


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


def sizes_of(tensors: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
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
    return found if all(min(sizes) > 0 for sizes in found.values()) else {}


def nbytes_of(features: Features) -> int:
    """Memory that features take."""
    return sum(tensor.nbytes for tensor in features.tensors())
