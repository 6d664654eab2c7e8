"""A small CT-like volume with a known object: for the self test and "Test the model"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.overlap import dice

SPACING = (2.0, 2.0, 3.0)  # mm along i, j, k
SHAPE = (32, 64, 64)  # k, j, i
ORIGIN = (-64.0, -64.0, -48.0)
CENTER = (6.0, -10.0, 3.0)
RADIUS = 22.0
SPHERE_HU, BODY_HU, AIR_HU, NOISE_HU = 200.0, 40.0, -1000.0, 10.0
# Real scanners blur edges; without it, no threshold would make a difference.
EDGE_MM = 6.0


@dataclass(frozen=True, eq=False)
class Phantom:
    """A bright sphere in soft tissue, with noise.

    Attributes:
        voxels: int16 HU, (k, j, i).
        ijk_to_ras: 4x4, mm.
        sphere: boolean, (k, j, i): the object.
        center: of the sphere, (R, A, S) in mm.
        radius: of the sphere, mm.
    """

    voxels: np.ndarray
    ijk_to_ras: np.ndarray
    sphere: np.ndarray
    center: tuple[float, float, float] = CENTER
    radius: float = RADIUS

    def dice(self, mask: np.ndarray) -> float:
        """How well a boolean mask (k, j, i) agrees with the sphere: 0 to 1."""
        return dice(mask, self.sphere)


def make_phantom() -> Phantom:
    """The phantom; the same voxels each time."""
    index = np.moveaxis(np.indices(SHAPE), 0, -1)[..., ::-1]
    position = index * np.array(SPACING) + np.array(ORIGIN)
    distance = np.linalg.norm(position - np.array(CENTER), axis=-1)
    body = np.linalg.norm(position[..., :2] / [58.0, 46.0], axis=-1) <= 1.0
    share = np.clip((RADIUS - distance) / EDGE_MM + 0.5, 0.0, 1.0)
    voxels = np.where(body, BODY_HU, AIR_HU)
    voxels += share * (SPHERE_HU - voxels)
    voxels += np.random.default_rng(0).normal(scale=NOISE_HU, size=SHAPE)
    ijk_to_ras = np.diag([*SPACING, 1.0])
    ijk_to_ras[:3, 3] = ORIGIN
    return Phantom(voxels.astype(np.int16), ijk_to_ras, distance <= RADIUS)
