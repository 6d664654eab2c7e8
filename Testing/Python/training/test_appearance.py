"""Synthetic images, scanners, and what can be seen of an object."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from Training.appearance import MODALITIES, Scanner, pasted, rendered
from Training.scenes import Tissue
from Training.visibility import LEAST_STEP, raggedness, smoothed, visible_share

N = 32


def ball(center, radius):
    grid = np.indices((N,) * 3) - np.reshape(center, (3, 1, 1, 1))
    return (grid**2).sum(0) < radius**2


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_label_is_one_tissue_in_the_image(modality):
    random = np.random.default_rng(7)
    inside = ball((16, 16, 16), 9)
    tissues = np.zeros(256, np.uint8)
    tissues[:2] = Tissue.FAT, Tissue.BONE
    steps = []
    for _ in range(10):
        image = rendered(random, inside.astype(np.uint8), None, tissues, modality).numpy()
        assert np.isfinite(image).all() and image.dtype == np.float32
        core, around = ball((16, 16, 16), 6), ~ball((16, 16, 16), 12)
        steps.append(abs(image[core].mean() - image[around].mean()) / image.std())
    assert np.median(steps) > 0.5


def test_bone_is_bright_and_air_black_in_ct():
    labels = np.repeat(np.arange(4, dtype=np.uint8), 8)[:, None, None] * np.ones(
        (1, N, N), np.uint8
    )
    tissues = np.zeros(256, np.uint8)
    tissues[:4] = Tissue.AIR, Tissue.FAT, Tissue.MUSCLE, Tissue.BONE
    image = rendered(np.random.default_rng(1), labels, None, tissues, "ct").numpy()
    means = [image[8 * i + 2 : 8 * i + 6].mean() for i in range(4)]
    assert means[0] < -900 and -150 < means[1] < -40 and 20 < means[2] < 100 and means[3] > 150


def test_pasting_changes_nothing_far_from_the_object():
    random = np.random.default_rng(2)
    image, fine = torch.rand(N, N, N), torch.randn(N, N, N)
    mask = ball((16, 16, 16), 5)
    changed = (pasted(random, image, mask, fine) != image).numpy()
    assert changed[mask].all()
    assert not (changed & ~ndimage.binary_dilation(mask, iterations=10)).any()


def test_a_scanner_leaves_finite_images_of_the_same_size():
    random, scanner = np.random.default_rng(3), Scanner(3)
    for _ in range(20):
        image = scanner(random, torch.rand(N, N, N))
        assert image.shape == (N, N, N) and image.dtype == torch.float32
        assert torch.isfinite(image).all()


def test_a_border_in_noise_is_visible_and_none_is_not():
    random = np.random.default_rng(4)
    mask = ball((16, 16, 16), 8)
    noise = random.normal(0, 0.15, (N,) * 3).astype(np.float32)
    assert visible_share(smoothed(noise + 0.6 * mask.astype(np.float32)), mask) > 0.9
    assert visible_share(smoothed(noise), mask) < 0.3


def test_a_tiny_lesion_in_noise_is_visible_only_if_it_stands_out():
    random = np.random.default_rng(4)
    mask = ball((16, 16, 16), 1.8)
    noise = random.normal(0, 0.3, (N,) * 3).astype(np.float32)
    assert visible_share(smoothed(noise + 2 * mask.astype(np.float32)), mask) > 0.8
    assert visible_share(smoothed(noise), mask) < 0.35


def test_a_slope_is_no_border_of_a_tiny_lesion():
    slope = np.linspace(-1, 1, N, dtype=np.float32)[:, None, None] * np.ones((1, N, N), np.float32)
    assert visible_share(slope, ball((16, 16, 16), 2.5)) < 0.1


def test_half_a_border_is_half_visible():
    mask = ball((16, 16, 16), 8)
    image = np.where(mask, 0.5, 0).astype(np.float32)
    image[:, :, 16:] = 0.5
    assert 0.35 < visible_share(smoothed(image), mask) < 0.65


def test_the_volumes_end_is_no_border():
    mask = np.zeros((N,) * 3, bool)
    mask[:16] = True
    image = np.where(mask, 0.5, -1).astype(np.float32)
    assert visible_share(smoothed(image), mask) == 1
    assert visible_share(smoothed(image), mask, ~mask) == 0
    assert LEAST_STEP < 1.5


def test_foam_is_more_ragged_than_a_ball():
    foam = np.random.default_rng(1).random((N,) * 3) < 0.5
    assert raggedness(ball((16, 16, 16), 10)) < 1.3 < 5 < raggedness(foam)
