"""SAM-Med3D on one device, and the cubes of a volume that it gets."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ...core.geometry import Geometry
from ...core.image import Image
from ..precision import computing_in, encoder_type
from ..shared_layers.low_precision import compute_in
from ..tensor_files.checkpoints import check_network, load_tensors
from ..windowed.windows import VolumeFrame, Window, nearest_step
from .network import IMAGE_SIZE, MASK_SIZE, SAMMed3D
from .picture import clip_of, picture_in

TITLE = "SAM-Med3D"
#: Side of a cube: 128 voxels of 1.5 mm, as the network was trained.
CUBE_MM = 192.0
#: Side of a voxel that the network gets.
VOXEL_MM = CUBE_MM / IMAGE_SIZE
# Cubes start at even steps between a volume's ends, at most two voxels of the network's mask, so
# that clicks near each other share what was encoded. The point meant stays within 6 mm of the
# middle, and the last cube ends where the volume does.
START_STEP_MM = 12.0
# Starts of cubes are rounded to a thousandth of this: a volume's face may lie that far outside.
_ROUNDING_MM = 1.0
# Of so many images, what their intensities are clipped to is kept.
_KEPT_CLIPS = 4


class CubeFrame(VolumeFrame):
    """The cubes of a volume."""

    def around(self, ras: np.ndarray) -> Window:
        """The cube around a position, RAS mm; moved into the volume where that is large enough."""
        start = np.asarray(ras, dtype=float) @ self.axes - CUBE_MM / 2
        return self._cube(nearest_step(start, *self._ends(), START_STEP_MM))

    def beside(self, cube: Window, axis: int, side: int) -> Window:
        """The cube half a side further along an axis (0, 1, 2: x, y, z); `side` is -1 or +1.

        A little further, if the volume ends there: no cube is spent on one step of the starts.
        """
        start = np.array(cube.start)
        start[axis] += side * CUBE_MM / 2
        end = self._ends()[0 if side < 0 else 1][axis]
        # A whole step is what many volumes leave, and starts are rounded.
        if abs(start[axis] - end) <= START_STEP_MM + 2e-3 * _ROUNDING_MM:
            start[axis] = end
        return self._cube(np.clip(start, *self._ends()))

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The first and the last place where a cube may start, mm.

        A volume smaller than the cube lies within it, a larger one around it.
        """
        ends = self.low, self.high - CUBE_MM
        return np.minimum(*ends), np.maximum(*ends)

    def _cube(self, start: np.ndarray) -> Window:
        return self.window(start, VOXEL_MM, (IMAGE_SIZE,) * 3, _ROUNDING_MM)


@dataclass(frozen=True)
class CubePrompt:
    """What the network gets at once.

    Attributes:
        voxel: (x, y, z) of the click; None: no click.
        positive: whether that lies on the object.
        box: two opposite corners, (x, y, z) each, for weights that take boxes.
        before: the logits before, (32, 32, 32); None: there are none.
    """

    voxel: tuple[int, int, int] | None = None
    positive: bool = True
    box: tuple[float, ...] | None = None
    before: np.ndarray | None = field(default=None, compare=False)


class SAMMed3DModel:
    """A WindowModel.

    Args:
        weights: a published file, or the same tensors as safetensors.
        numbers: in which the encoder computes, torch.int8 among them; None: the fastest that the
            device has without harm.

    Raises:
        WeightsError: if the file is not one of this network.
    """

    # Twelve blocks, and what follows them.
    steps = 13
    further = "Following the object, part {}"

    def __init__(self, weights: Path, device: torch.device, numbers: torch.dtype | None) -> None:
        if numbers is None or (numbers == torch.int8 and device.type != "cpu"):
            numbers = encoder_type(device)
        self.numbers = numbers
        self._network = load_network(weights, device, numbers)
        self._device = device
        self._clips: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    @property
    def takes_boxes(self) -> bool:
        """Whether the weights know boxes."""
        return self._network.takes_boxes

    def first_window(self, geometry: Geometry, ras: np.ndarray) -> Window:
        """See WindowModel."""
        return CubeFrame(geometry).around(ras)

    def intensities(
        self, image: Image, intensity_range: tuple[float, float] | None
    ) -> tuple[float, float]:
        """See WindowModel. Those of the latest images are kept."""
        key = image.key, intensity_range
        if key not in self._clips:
            self._clips[key] = clip_of(image, intensity_range)
            if len(self._clips) > _KEPT_CLIPS:
                self._clips.popitem(last=False)
        return self._clips[key]

    def picture(self, image: Image, window: Window, clip: tuple[float, float]) -> np.ndarray:
        """See WindowModel."""
        return picture_in(image, window, clip)

    @torch.inference_mode()
    def encode(self, picture: np.ndarray, between_steps: Callable[[], None]) -> torch.Tensor:
        """See WindowModel."""
        tensor = torch.from_numpy(picture)[None, None].to(self._device)
        with computing_in(self.numbers, self._device):
            features = self._network.encode(tensor, between_steps)
        return features.float()

    @torch.inference_mode()
    def decode(
        self,
        features: torch.Tensor,
        window: Window,
        prompt: CubePrompt,
        check: Callable[[], None],
    ) -> list[np.ndarray]:
        """See WindowModel. One mask, (32, 32, 32)."""
        points = boxes = None
        if prompt.voxel is not None:
            points = self._tensor([[prompt.voxel]]), self._tensor([[float(prompt.positive)]])
        if prompt.box is not None:
            boxes = self._tensor([prompt.box])
        before = np.zeros((MASK_SIZE,) * 3) if prompt.before is None else prompt.before
        before = self._tensor(before)[None, None]
        logits = self._network.decode(features, before, points, boxes, check)
        return [logits[0, 0].float().cpu().numpy()]

    def _tensor(self, values) -> torch.Tensor:
        return torch.tensor(np.asarray(values), dtype=torch.float32, device=self._device)


def load_network(weights: Path, device: torch.device, numbers: torch.dtype) -> SAMMed3D:
    """The network in a weights file, its encoder in the numbers given.

    Raises:
        WeightsError: if the file is not one of this network.
    """
    tensors = load_tensors(weights)
    expected = SAMMed3D.empty(tensors).state_dict()
    check_network(tensors, {name: value.shape for name, value in expected.items()}, TITLE)
    network = SAMMed3D.build(tensors, device)
    if numbers != torch.float32:
        compute_in(network.image_encoder, numbers)
        # The rest is copied, so that the file, of which most is not needed now, is let go.
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.dtype == torch.float32:
                tensor.data = tensor.data.clone()
    return network
