"""Synthetic images from label maps, and random scanner artefacts.

Grey levels of a label map are those of a CT, an MR, a PET, or any, as in SynthSeg (Billot et al.,
arXiv:2107.09559), with texture from real volumes; random resolution, bias field, noise and ringing
for synthetic and real images.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from monai import transforms as mt

from .scenes import Tissue, neighbours
from .shapes import smooth_field, smooth_noise

#: Ranges of Hounsfield units.
HOUNSFIELD = {
    Tissue.AIR: (-1000, -950),
    Tissue.LUNG: (-900, -650),
    Tissue.FAT: (-120, -70),
    Tissue.FLUID: (-5, 30),
    Tissue.SOFT: (20, 70),
    Tissue.MUSCLE: (40, 75),
    Tissue.ORGAN: (25, 150),
    Tissue.VESSEL: (35, 350),
    Tissue.BONE: (200, 1200),
    Tissue.MARROW: (-40, 300),
    Tissue.LESION: (-10, 130),
}
#: Ranges of uptake in PET.
UPTAKE = {
    Tissue.AIR: (0.0, 0.05),
    Tissue.LUNG: (0.1, 0.4),
    Tissue.FAT: (0.1, 0.4),
    Tissue.FLUID: (0.2, 8.0),
    Tissue.SOFT: (0.4, 1.2),
    Tissue.MUSCLE: (0.4, 1.0),
    Tissue.ORGAN: (0.6, 4.0),
    Tissue.VESSEL: (0.8, 2.0),
    Tissue.BONE: (0.4, 1.2),
    Tissue.MARROW: (0.8, 2.5),
    Tissue.LESION: (1.5, 10.0),
}
#: Tissues that are dark in MR.
DARK = (Tissue.AIR, Tissue.LUNG, Tissue.BONE)
MODALITIES = ("any", "ct", "mr", "pet")
#: How often a label has the grey levels of one that it touches.
ALIKE = 0.35


def rendered(
    random: np.random.Generator,
    labels: np.ndarray,
    texture: torch.Tensor | None,
    tissues: np.ndarray | None = None,
    modality: str = "any",
) -> torch.Tensor:
    """A random image float32 (n, n, n) of a label map.

    Args:
        random: the generator.
        labels: uint8 (n, n, n).
        texture: high-pass filtered real grey levels, standard deviation 1; None: no texture.
        tissues: Tissue of each label, uint8 (256,); None: any.
        modality: one of MODALITIES.
    """
    tissues = np.zeros(256, np.uint8) if tissues is None else tissues
    means, rough = _LEVELS[modality](random, tissues)
    if random.random() < ALIKE:
        for one, other in neighbours(random, labels, int(random.integers(1, 3))):
            means[one] = means[other]
    index = torch.from_numpy(labels).int()
    image = torch.from_numpy(means.astype(np.float32))[index]
    n = labels.shape[0]
    cells = int(np.exp(random.uniform(np.log(4), np.log(0.7 * n))))
    noise = smooth_field(random, n, cells)[0]
    if texture is not None and random.random() < 0.6:
        noise = noise * random.uniform(0, 1) + texture
    image += torch.from_numpy(rough.astype(np.float32))[index] * noise
    if modality == "pet":
        return _measured_by_pet(random, image.clamp_(min=0))
    if modality == "ct":
        return _measured_by_ct(random, blurred(image, random.uniform(0.4, 0.9)))
    return blurred(image, random.uniform(0.3, 0.9))


def _any_levels(random: np.random.Generator, tissues: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Any mean of each label, and the deviation within it."""
    palette = random.uniform(0, 1, int(random.integers(2, 9)))
    means = palette[random.integers(palette.size, size=256)]
    means = means + random.normal(0, random.choice([0.03, 0.08, 0.2]), 256)
    return means, np.abs(random.normal(0, random.choice([0.01, 0.03, 0.08]), 256))


def _mr_levels(random: np.random.Generator, tissues: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    palette = random.uniform(0.1, 1, len(Tissue))
    means = palette[_known(random, tissues)]
    means = np.abs(means + random.normal(0, random.choice([0.03, 0.07, 0.15]), 256))
    if random.random() < 0.85:
        dark = np.isin(tissues, DARK)
        means[dark] = random.uniform(0, 0.12, np.count_nonzero(dark))
    return means, np.abs(random.normal(0, random.choice([0.01, 0.03, 0.06]), 256)) * (means > 0.13)


def _ct_levels(random: np.random.Generator, tissues: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = _ranges(HOUNSFIELD, _known(random, tissues))
    if random.random() < 0.4:  # without contrast medium
        low, high = low.copy(), high.copy()
        vessel = np.isin(tissues, (Tissue.VESSEL, Tissue.ORGAN))
        low[vessel], high[vessel] = 25, 65
    means = random.uniform(low, high)
    rough = np.abs(random.normal(0, random.uniform(2, 15), 256))
    rough[means > 180] *= 4
    rough[(means < -300) & (means > -930)] *= 5
    return means, rough


def _pet_levels(random: np.random.Generator, tissues: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = _ranges(UPTAKE, _known(random, tissues))
    means = np.exp(random.uniform(np.log(low + 0.02), np.log(high)))
    return means, 0.3 * random.random() * means


_LEVELS = {"any": _any_levels, "ct": _ct_levels, "mr": _mr_levels, "pet": _pet_levels}


def _known(random: np.random.Generator, tissues: np.ndarray) -> np.ndarray:
    """The tissues, with a random one instead of ANY."""
    other = random.integers(1, len(Tissue), 256)
    # More soft tissue than bone and air, of which little would be left to see.
    other[random.random(256) < 0.5] = Tissue.ORGAN
    # Around everything that has a label there is mostly air.
    other[0] = random.choice([Tissue.AIR, Tissue.FAT, Tissue.SOFT], p=[0.6, 0.2, 0.2])
    return np.where(tissues == Tissue.ANY, other, tissues)


def _ranges(
    table: dict[Tissue, tuple[float, float]], tissues: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    ends = np.zeros((len(Tissue), 2))
    for tissue, values in table.items():
        ends[tissue] = values
    return ends[tissues, 0], ends[tissues, 1]


def _measured_by_ct(random: np.random.Generator, image: torch.Tensor) -> torch.Tensor:
    """With noise that neighbours share, sometimes with streaks."""
    n = image.shape[0]
    noise = torch.from_numpy(random.standard_normal(image.shape, dtype=np.float32))
    if random.random() < 0.7:
        noise = blurred(noise, random.uniform(0.4, 1.0))
    amount = float(np.exp(random.uniform(np.log(4), np.log(70)))) / float(noise.std())
    image = image + amount * noise
    if random.random() < 0.12:
        cells = np.array([max(4, n // 4), max(4, n // 4), 2])[random.permutation(3)]
        streaks = smooth_noise(random, (n,) * 3, tuple(int(c) for c in cells))[0]
        image += random.uniform(20, 120) * streaks * (smooth_field(random, n, 1)[0] > 0.3)
    return image.clamp_(-1024, 3000)


def _measured_by_pet(random: np.random.Generator, image: torch.Tensor) -> torch.Tensor:
    """Strongly blurred, with noise that grows with the uptake and that neighbours share."""
    image = blurred(image, random.uniform(0.8, 2.2))
    noise = torch.from_numpy(random.standard_normal(image.shape, dtype=np.float32))
    noise = blurred(noise, random.uniform(0.5, 1.3))
    return image + random.uniform(0.03, 0.25) / noise.std() * noise * (image + 0.05).sqrt()


def textured(image: torch.Tensor) -> torch.Tensor:
    """The high-pass filtered image, standard deviation 1."""
    fine = image - blurred(image, 2.0)
    return fine / (fine.std() + 1e-3)


def pasted(
    random: np.random.Generator, image: torch.Tensor, inside: np.ndarray, fine: torch.Tensor
) -> torch.Tensor:
    """The image with another tissue of soft border in a mask.

    Args:
        random: the generator.
        image: float32 (n, n, n).
        inside: boolean (n, n, n), not empty.
        fine: texture, standard deviation 1.
    """
    spread = float(image.std()) + 1e-3
    mask = torch.from_numpy(inside)
    there = float(image[mask].mean())
    step = random.choice([-1, 1]) * random.uniform(0.3, 1.6) * spread
    filled = there + step + random.uniform(0.02, 0.35) * spread * fine
    filled += random.uniform(0, 0.6) * (image - there)
    alpha = blurred(mask.float(), random.uniform(0.4, 1.2))
    return torch.lerp(image, filled, alpha)


def blurred(image: torch.Tensor, sigma: float) -> torch.Tensor:
    """An image (n, n, n) after a Gaussian filter of `sigma` voxels."""
    reach = max(1, int(2.5 * sigma + 0.5))
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
    """Random resolution and scanner artefacts, by MONAI's transforms.

    Args:
        seed: of the random transforms.
    """

    def __init__(self, seed: int) -> None:
        self._faults = mt.Compose(
            [
                mt.RandBiasField(prob=0.3, degree=3, coeff_range=(0.0, 0.25)),
                mt.RandAdjustContrast(prob=0.4, gamma=(0.5, 2.0)),
                mt.RandHistogramShift(prob=0.1, num_control_points=(4, 8)),
                mt.RandGaussianNoise(prob=0.35, std=0.06),
                mt.RandRicianNoise(prob=0.1, std=0.06, relative=True, sample_std=True),
                mt.RandGibbsNoise(prob=0.1, alpha=(0.3, 0.7)),
            ]
        )
        self._faults.set_random_state(seed)

    def __call__(self, random: np.random.Generator, image: torch.Tensor) -> torch.Tensor:
        """The image (n, n, n) with random artefacts, of the scanner's own voxels."""
        low, high = float(image.min()), float(image.max())
        image = (image - low) / (high - low + 1e-6)
        if random.random() < 0.12:
            image = 1 - image
        shape = image.shape
        if random.random() < 0.5:
            image = in_other_voxels(random, image)
        image = self._faults(image[None])
        image = torch.as_tensor(np.asarray(image), dtype=torch.float32)[0]
        if image.shape == shape:
            return image
        return F.interpolate(image[None, None], size=shape, mode="trilinear")[0, 0]


def in_other_voxels(random: np.random.Generator, image: torch.Tensor) -> torch.Tensor:
    """The image as measured in thicker slices or larger voxels: averaged, or at places only."""
    n = image.shape[0]
    larger = np.exp(random.uniform(0, np.log(3))) if random.random() < 0.5 else 1.0
    factors = np.full(3, larger)
    if random.random() < 0.65:
        factors[random.integers(3)] = np.exp(random.uniform(np.log(1.3), np.log(8)))
    size = [max(6, round(n / factor)) for factor in factors]
    mode = "area" if random.random() < 0.6 else "nearest-exact"
    return F.interpolate(image[None, None], size=size, mode=mode)[0, 0]
