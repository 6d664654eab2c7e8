"""Samples: made images and real ones, with objects that can be seen, the same for the same seed."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from Training.anatomy import blob, random_anatomy
from Training.appearance import Scanner, rendered, with_lesion
from Training.pack import Case
from Training.samples import FEWEST, MOST, SampleMaker

N = 32


def ball(shape, center, radius):
    grid = np.indices(shape) - np.reshape(center, (3, 1, 1, 1))
    return (grid**2).sum(0) < radius**2


@pytest.fixture(scope="module")
def cases():
    random = np.random.default_rng(1)
    shape = (40, 36, 20)
    layers = np.zeros((1, *shape), np.uint8)
    layers[0][ball(shape, (20, 18, 10), 8)] = 1
    layers[0][ball(shape, (8, 8, 8), 5)] = 2
    image = np.clip(90 + 80 * (layers[0] > 0) + random.normal(0, 8, shape), 0, 255)
    spacing = (2.0, 2.0, 5.0)
    return [
        Case("labels/balls/one", layers, None, spacing),
        Case("unlabelled/balls/one", layers, image.astype(np.uint8), spacing, ct=True),
    ]


@pytest.mark.parametrize("kind", ["anatomy", "label_map", "real"])
def test_a_sample_is_a_picture_and_connected_objects_in_it(cases, kind):
    maker = SampleMaker(cases, {kind: 1.0}, 2, 5)
    for _ in range(4):
        sample = maker.sample(N)
        assert sample.picture.shape == (2, N, N, N) and sample.picture.dtype == np.float16
        assert sample.picture.min() >= -1 and sample.picture.max() <= 1
        assert sample.masks.shape == (2, N, N, N)
        for mask in sample.masks:
            assert FEWEST <= mask.sum() <= MOST * N**3
            assert ndimage.label(mask, np.ones((3, 3, 3)))[1] == 1


def test_the_same_seed_gives_the_same_samples(cases):
    shares = {"anatomy": 0.4, "label_map": 0.3, "real": 0.3}
    one, other = (SampleMaker(cases, shares, 2, 9) for _ in range(2))
    for _ in range(3):
        first, second = one.sample(N), other.sample(N)
        assert np.array_equal(first.picture, second.picture)
        assert np.array_equal(first.masks, second.masks)


def test_another_seed_gives_others(cases):
    one, other = (SampleMaker(cases, {"real": 1.0}, 1, seed).sample(N) for seed in (1, 2))
    assert not np.array_equal(one.picture, other.picture)


def test_the_object_of_a_real_image_lies_where_its_grey_levels_do(cases):
    # Windows are turned, flipped and bent: image and mask alike.
    maker = SampleMaker(cases[1:], {"real": 1.0}, 1, 3)
    steps = []
    for _ in range(12):
        image, layers = maker._real(N)
        inside = layers[0] > 0
        core = ndimage.binary_erosion(inside, iterations=2)
        around = ~ndimage.binary_dilation(inside, iterations=2)
        if core.any() and around.any():
            steps.append(float(image.numpy()[core].mean() - image.numpy()[around].mean()))
    assert len(steps) > 3
    assert min(steps) > 0.1


def test_anatomy_has_several_tissues_and_no_number_twice_used():
    labels = random_anatomy(np.random.default_rng(4), N)
    assert labels.shape == (N, N, N) and labels.dtype == np.uint8
    assert len(np.unique(labels)) > 3


def test_a_lesion_changes_nothing_far_from_it():
    random = np.random.default_rng(2)
    image = torch.rand(N, N, N)
    function = blob(random, N, (16, 16, 16), 5.0)
    changed = with_lesion(random, image, function) != image
    near = ndimage.binary_dilation((function < 0).numpy(), iterations=6)
    assert changed.any()
    assert not (changed.numpy() & ~near).any()


def test_a_label_is_one_tissue_in_the_image():
    random = np.random.default_rng(7)
    labels = np.zeros((N, N, N), np.uint8)
    labels[ball(labels.shape, (16, 16, 16), 9)] = 1
    differences = []
    for _ in range(10):
        image = rendered(random, labels, None).numpy()
        differences.append(abs(image[labels == 1].mean() - image[labels == 0].mean()))
    assert np.median(differences) > 0.05


def test_a_scanner_leaves_finite_images_of_the_same_size():
    random, scanner = np.random.default_rng(3), Scanner(3)
    for _ in range(20):
        image = scanner(random, torch.rand(N, N, N))
        assert image.shape == (N, N, N) and image.dtype == torch.float32
        assert torch.isfinite(image).all()
