"""Samples: synthetic images and real ones, with objects that can be seen, the same for a seed."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from SAMSegmentLib.models.samsegment3d.picture import OUTSIDE
from Training import samples as samples_module
from Training.pack import Case
from Training.samples import FEWEST, MOST, SampleMaker, _cut, _flatten

N = 32
KINDS = ("anatomy", "label_map", "real", "composite")


def ball(shape, center, radius):
    grid = np.indices(shape) - np.reshape(center, (3, 1, 1, 1))
    return (grid**2).sum(0) < radius**2


@pytest.fixture(scope="module", autouse=True)
def few_anatomies():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples_module, "BANK", 2)
        patch.setattr(samples_module, "SIZE", 64)
        yield


@pytest.fixture(scope="module")
def cases():
    random = np.random.default_rng(1)
    shape = (60, 56, 24)
    layers = np.zeros((1, *shape), np.uint8)
    layers[0][ball(shape, (30, 26, 12), 10)] = 1
    layers[0][ball(shape, (10, 10, 10), 6)] = 2
    image = np.clip(90 + 80 * (layers[0] > 0) + random.normal(0, 8, shape), 0, 255)
    spacing = (2.0, 2.0, 5.0)
    return [
        Case("labels/balls/one", layers, None, spacing),
        Case("unlabelled/balls/one", layers, image.astype(np.uint8), spacing, ct=True),
    ]


@pytest.fixture(scope="module")
def samples(cases):
    return {
        kind: [sample(maker) for _ in range(8)]
        for kind in KINDS
        for maker in [SampleMaker(cases, {kind: 1.0}, 2, 5)]
    }


def sample(maker):
    return maker.sample(N)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_a_picture_and_connected_objects_in_it(samples, kind):
    for sample in samples[kind]:
        assert sample.picture.shape == (2, N, N, N) and sample.picture.dtype == np.float16
        assert sample.picture.min() >= -1 and sample.picture.max() <= 1
        assert sample.masks.shape == (2, N, N, N) and sample.masks.dtype == np.uint8
        for mask in sample.masks:
            assert FEWEST <= mask.sum() <= MOST * N**3
            assert ndimage.label(mask, np.ones((3, 3, 3)))[1] == 1


def test_objects_are_tiny_and_larger_than_the_window_and_in_between(samples):
    shares = np.array([s.masks[0].mean() for each in samples.values() for s in each])
    assert shares.min() < 0.005 and shares.max() > 0.2
    at_face = [mask[index].any() for each in samples.values() for s in each
               for mask in s.masks for index in (0, -1)]  # fmt: skip
    assert 0.05 < np.mean(at_face) < 0.6


def test_the_same_seed_gives_the_same_samples(cases):
    shares = {"anatomy": 0.3, "label_map": 0.2, "real": 0.2, "composite": 0.3}
    one, other = (SampleMaker(cases, shares, 2, 9) for _ in range(2))
    for _ in range(4):
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
        view = maker._real(N)
        inside = view.layers[0] > 0
        core = ndimage.binary_erosion(inside, iterations=2)
        around = ~ndimage.binary_dilation(inside, iterations=2) & ~view.outside
        if core.any() and around.any():
            image = view.image.numpy()
            steps.append(float(image[core].mean() - image[around].mean()))
    assert len(steps) > 3
    assert min(steps) > 20


def test_outside_the_volume_it_is_black_and_there_is_no_object(cases):
    maker = SampleMaker(cases, {"real": 1.0}, 2, 4)
    found = 0
    for _ in range(10):
        sample = maker.sample(N)
        outside = (sample.picture == OUTSIDE).all(0)
        # All of a face is black only where the volume ends there.
        for axis in range(3):
            for end in (0, -1):
                if np.take(outside, end, axis).all():
                    found += 1
                    assert not np.take(sample.masks, end, axis + 1).any()
    assert found > 3


def test_a_volume_ends_at_planes_and_never_takes_all_of_the_window():
    random = np.random.default_rng(2)
    for _ in range(40):
        outside = _cut(random, N)
        assert 0 < outside.mean() < 1
        inside = np.argwhere(~outside)
        low, high = inside.min(0), inside.max(0) + 1
        assert np.prod(high - low) == len(inside)


def test_a_single_slice_is_the_same_in_front_and_behind(cases):
    view = SampleMaker(cases, {"real": 1.0}, 1, 8)._real(N)
    _flatten(np.random.default_rng(1), view)
    image, labels = view.image.numpy(), view.layers[0]
    flat = [
        axis
        for axis in range(3)
        if (image == np.take(image, [0], axis)).all()
        and (labels == np.take(labels, [0], axis)).all()
    ]
    assert flat and (labels > 0).any()


def test_a_composite_image_differs_from_the_real_one_where_an_object_was_pasted(cases):
    maker = SampleMaker(cases, {"composite": 1.0}, 1, 6)
    for _ in range(4):
        view = maker._composite(N)
        added = view.layers[1] > 0
        if added.any():
            assert view.objects[0][0] > 0
            assert torch.isfinite(view.image).all()
