"""Synthetic images from label maps, and random scanner artefacts.

Random intensities for each label as in SynthSeg (Billot et al., arXiv:2107.09559), with texture
from real volumes; random resolution, bias field, noise and ringing for synthetic and real images.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from monai import transforms as mt

from .anatomy import smooth_field


def rendered(
    random: np.random.Generator, labels: np.ndarray, texture: torch.Tensor | None
) -> torch.Tensor:
    """A random image float32 (n, n, n) of a label map.

    Args:
        random: the generator.
        labels: uint8 (n, n, n).
        texture: high-pass filtered real grey levels, standard deviation 1; None: no texture.
    """
    n, kinds = labels.shape[0], int(labels.max()) + 1
    tissues = random.uniform(0, 1, int(random.integers(2, 9)))
    means = tissues[random.integers(tissues.size, size=kinds)]
    means = means + random.normal(0, random.choice([0.03, 0.08, 0.2]), kinds)
    rough = np.abs(random.normal(0, random.choice([0.01, 0.03, 0.08]), kinds))
    index = torch.from_numpy(labels.astype(np.int64))
    image = torch.from_numpy(means.astype(np.float32))[index]
    noise = smooth_field(random, n, int(np.exp(random.uniform(np.log(4), np.log(n)))))[0]
    image = image + torch.from_numpy(rough.astype(np.float32))[index] * noise
    if texture is not None and random.random() < 0.7:
        rough = np.abs(random.normal(0, random.choice([0.02, 0.06]), kinds)).astype(np.float32)
        image = image + torch.from_numpy(rough)[index] * texture
    return blurred(image, random.uniform(0.3, 0.9))


def textured(image: torch.Tensor) -> torch.Tensor:
    """The high-pass filtered image, standard deviation 1."""
    fine = image - blurred(image, 3.0)
    return fine / (fine.std() + 1e-3)


def with_lesion(
    random: np.random.Generator, image: torch.Tensor, function: torch.Tensor
) -> torch.Tensor:
    """The image with a lesion of soft border where the implicit function is negative."""
    inside = function < 0
    around = (function < 0.6) & ~inside
    spread = float(image.std()) + 1e-3
    there = float(image[around].mean()) if around.any() else float(image.mean())
    step = random.choice([-1, 1]) * random.uniform(0.3, 1.5) * spread
    n = image.shape[0]
    noise = smooth_field(random, n, int(random.integers(4, n // 2)))[0]
    filled = there + step + random.uniform(0.02, 0.3) * spread * noise
    kept = random.uniform(0, 0.6)
    filled = filled + kept * (image - there)
    alpha = blurred(inside.float(), random.uniform(0.4, 1.2))
    return image * (1 - alpha) + filled * alpha


def blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """An image (n, n, n) after a Gaussian filter of `sigma` voxels."""
    reach = max(1, int(3 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    x = image[None, None]
    for axis in range(3):
        shape, pad = [1] * 5, [0] * 6
        shape[2 + axis] = kernel.numel()
        pad[2 * (2 - axis)] = pad[2 * (2 - axis) + 1] = reach
        x = F.conv3d(F.pad(x, pad, mode="replicate"), kernel.reshape(shape))
    return x[0, 0]


class Scanner:
    """Random scanner artefacts, by MONAI's transforms.

    Args:
        seed: of the random transforms.
    """

    def __init__(self, seed: int) -> None:
        self._faults = mt.Compose(
            [
                mt.RandBiasField(prob=0.3, degree=3, coeff_range=(0.0, 0.25)),
                mt.RandAdjustContrast(prob=0.4, gamma=(0.5, 2.0)),
                mt.RandHistogramShift(prob=0.1, num_control_points=(4, 8)),
                mt.RandGaussianNoise(prob=0.4, std=0.06),
                mt.RandRicianNoise(prob=0.1, std=0.06, relative=True, sample_std=True),
                mt.RandGibbsNoise(prob=0.1, alpha=(0.3, 0.7)),
            ]
        )
        self._faults.set_random_state(seed)

    def __call__(self, random: np.random.Generator, image: torch.Tensor) -> torch.Tensor:
        """The image (n, n, n) with random artefacts."""
        low, high = float(image.min()), float(image.max())
        image = (image - low) / (high - low + 1e-6)
        if random.random() < 0.15:
            image = 1 - image
        if random.random() < 0.45:
            image = _coarser(random, image)
        image = self._faults(image[None])
        return torch.as_tensor(np.asarray(image), dtype=torch.float32)[0]


def _coarser(random: np.random.Generator, image: torch.Tensor) -> torch.Tensor:
    """The image with thicker slices or a lower resolution."""
    n, thick = image.shape[0], float(np.exp(random.uniform(np.log(1.3), np.log(6))))
    size = [n] * 3
    if random.random() < 0.7:
        size[random.integers(3)] = max(4, round(n / thick))
    else:
        size = [max(8, round(n / min(thick, 2.5)))] * 3
    mode = "area" if random.random() < 0.6 else "nearest-exact"
    small = F.interpolate(image[None, None], size=size, mode=mode)
    return F.interpolate(small, size=image.shape, mode="trilinear")[0, 0]
