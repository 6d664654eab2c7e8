"""Random anatomy: objects of one or several labels, that are what they are called."""

import numpy as np
import pytest
from scipy import ndimage

from Training import anatomy
from Training.anatomy import Drawing, random_anatomy
from Training.pack import Case
from Training.scenes import FEWEST, Bank, Tissue, mixed, neighbours, scene_from
from Training.shapes import balls, ellipsoid, tree

SIZE = 64


def test_there_are_several_tissues_and_objects_of_several_of_them():
    scene = random_anatomy(np.random.default_rng(4), SIZE)
    assert scene.layers.shape == (1, SIZE, SIZE, SIZE) and scene.layers.dtype == np.uint8
    assert len(np.unique(scene.layers)) > 3
    assert any(len(each.labels) > 1 for each in scene.objects)


def test_each_object_is_there_within_its_box():
    for seed in range(3):
        scene = random_anatomy(np.random.default_rng(seed), SIZE)
        for each in scene.objects:
            mask = np.isin(scene.layers[0], each.labels)
            assert mask.sum() >= FEWEST
            places = np.argwhere(mask)
            assert (places.min(0) == each.box[0]).all()
            assert (places.max(0) + 1 == each.box[1]).all()


def test_the_same_seed_gives_the_same_anatomy():
    one, other = (random_anatomy(np.random.default_rng(7), SIZE) for _ in range(2))
    assert np.array_equal(one.layers, other.layers)
    assert [each.labels for each in one.objects] == [each.labels for each in other.objects]


@pytest.mark.parametrize("draw", [each for each, _ in anatomy.STRUCTURE_CHANCES])
def test_every_structure_can_be_drawn(draw):
    drawing = Drawing(np.random.default_rng(2), SIZE)
    for _ in range(6):
        draw(drawing)
    assert drawing.number >= 3 and drawing.scene().objects


def test_a_hollow_object_has_a_closed_wall_around_its_content():
    random = np.random.default_rng(1)
    closed = 0
    for _ in range(6):
        drawing = Drawing(random, SIZE)
        anatomy.hollow(drawing)
        labels = drawing.labels
        touched = ndimage.binary_dilation(labels > 1) & (labels <= 1)
        closed += bool((labels[touched] == 1).all()) and (labels > 1).any()
    assert closed >= 3


def test_a_vessel_tree_is_connected_and_tapers():
    random = np.random.default_rng(3)
    points, radii = tree(random, np.full(3, 32.0), np.array([1.0, 0.2, 0.1]), 4.0, SIZE)
    mask = np.zeros((SIZE,) * 3, bool)
    box = balls(mask, points, radii)
    assert box is not None and not np.delete(mask, np.arange(SIZE)[box[0]], 0).any()
    assert ndimage.label(mask, np.ones((3, 3, 3)))[1] == 1
    assert radii[0] == radii.max() and radii.min() < 0.6 * radii[0]


def test_an_ellipsoid_has_its_volume():
    shape = ellipsoid(np.random.default_rng(5), SIZE, np.full(3, 32.0), np.array([8.0, 12.0, 16.0]))
    count = np.count_nonzero(shape.function < 0)
    assert count == pytest.approx(4 / 3 * np.pi * 8 * 12 * 16, rel=0.03)


def test_neighbours_touch_each_other():
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[:10], labels[10:15], labels[16:] = 1, 2, 3
    random = np.random.default_rng(1)
    pairs = {pair for _ in range(12) for pair in neighbours(random, labels, 4)}
    assert pairs == {(1, 2)}


def test_a_case_becomes_a_scene_with_the_objects_of_all_layers():
    layers = np.zeros((2, 20, 20, 20), np.uint8)
    layers[0, 2:8], layers[1, 4:16], layers[1, 0, 0, 0] = 1, 3, 9
    scene = scene_from(
        Case("a/b", layers, np.zeros((20, 20, 20), np.uint8), (1.0, 2.0, 3.0)),
        np.random.default_rng(1),
    )
    assert [(each.layer, each.labels) for each in scene.objects] == [(0, (1,)), (1, (3,))]
    assert list(scene.extents) == [60.0, 60.0]
    assert set(np.unique(scene.tissues)) == {Tissue.ANY}


def test_a_mixture_has_the_parts_of_both_and_keeps_them_apart():
    random = np.random.default_rng(3)
    one, other = np.zeros((30, 40, 50), np.uint8), np.zeros((50, 30, 30), np.uint8)
    one[:, ::2], other[:, 10:] = 200, 7
    labels = mixed(random, one, other, 32)
    assert labels.shape == tuple(np.minimum(32, labels.shape)) and labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1, 129}


def test_a_bank_makes_scenes_now_and_then_and_forgets_the_oldest():
    made = []
    bank = Bank(lambda: made.append(len(made)) or made[-1], 3, 0.25)
    random = np.random.default_rng(1)
    taken = [bank.scene(random) for _ in range(200)]
    assert 3 < len(made) < 90
    assert set(taken) >= set(range(3, len(made) - 3))
    assert 0 not in taken[100:]
