"""ROIs of the training enclose objects as drawn ones do."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.models.samsegment3d.prompts import roi_ramp
from SAMSegmentLib.models.samsegment3d.windows import WindowFrame
from TestSupport.objects import N, box, boxes, seeded, seeds
from TestSupport.phantoms import grid
from TestSupport.properties import examples
from Training import rois
from Training.rois import box_maps, drawn_rois, extents

INNER = boxes(least=1, most=N - 1)


@settings(max_examples=examples(40))
@given(boxes())
def test_extents_are_where_an_object_begins_and_ends(truth):
    low, high = extents(truth)
    places = torch.argwhere(truth[0])
    assert low[0].tolist() == places.amin(0).tolist()
    assert high[0].tolist() == (places.amax(0) + 1).tolist()


@settings(max_examples=examples(40))
@given(boxes(), seeds)
def test_a_ramp_is_positive_exactly_inside(truth, seed):
    inside, ramp = drawn_rois(truth, seeded(seed))
    assert inside.shape == ramp.shape == (1, 1, N // 2, N // 2, N // 2)
    assert torch.equal(ramp > 0, inside == 1) and torch.equal(ramp <= 0, inside == -1)
    assert ramp.max() <= 1 and ramp.min() >= -1


def test_a_ramp_is_one_in_the_middle_nothing_on_faces_and_minus_one_at_twice_the_size():
    # Voxel 2n + 1 begins between the two voxels of the n-th pair.
    low, high = torch.tensor([[5.0, 5.0, 5.0]]), torch.tensor([[9.0, 13.0, 17.0]])
    _, ramp = box_maps(low, high, (32, 32, 32))
    values = ramp[0, 0]
    assert values[3, 4, 5] == 1
    for face in ((2, 4, 5), (4, 4, 5), (3, 2, 5), (3, 6, 5), (3, 4, 2), (3, 4, 8)):
        assert values[face] == 0
    assert values[5, 4, 5] == values[3, 8, 5] == values[15, 15, 15] == -1
    assert values[3, 5, 5] == pytest.approx(0.5)


def test_an_roi_of_a_volume_has_the_ramp_that_was_learned():
    frame = WindowFrame(grid((200, 200, 200), (1, 1, 1)))
    window = frame.around(np.array((100.0, 100, 100)), 1.0)
    # Voxel n reaches from n to n + 1.
    low, high = np.array([20.0, 25, 30]), np.array([50.0, 41, 62])
    center = window.geometry.to_ras(((low + high) / 2 - 0.5)[::-1])
    size = np.abs(frame.axes) @ ((high - low) * window.spacing)
    learned = box_maps(torch.tensor(low)[None], torch.tensor(high)[None], window.shape)[1][0, 0]
    assert np.allclose(roi_ramp(Roi.from_box(center, tuple(size)), window), learned, atol=1e-6)


def moved(monkeypatch, kind, truth, seed):
    """The faces of an ROI of that kind, (2, 3)."""
    monkeypatch.setattr(rois, "KINDS", {name: float(name == kind) for name in rois.KINDS})
    low, high = rois._moved_faces(*extents(truth), torch.tensor(truth.shape[1:]), seeded(seed))
    return torch.stack([low[0], high[0]])


OBJECT = box((8, 10, 6), (22, 20, 26), 32)
OWN = torch.tensor([[8.0, 10, 6], [22, 20, 26]])
OUTWARDS = torch.tensor([[-1.0], [1.0]])


def further_out(faces):
    """By how many voxels each face lies outside of the object's."""
    return OUTWARDS * (faces - OWN)


@pytest.mark.parametrize("seed", range(8))
def test_each_kind_of_roi_is_what_its_name_says(monkeypatch, seed):
    size = OWN[1] - OWN[0]
    tight = further_out(moved(monkeypatch, "tight", OBJECT, seed))
    assert (tight.abs() < 0.2 * size).all()
    generous = further_out(moved(monkeypatch, "generous", OBJECT, seed))
    assert (generous >= 0).all() and generous.any()
    inner = further_out(moved(monkeypatch, "inner", OBJECT, seed))
    assert (inner <= 0).all() and (inner >= -0.2 * size - 1e-4).all() and inner.any()
    cut = further_out(moved(monkeypatch, "cut", OBJECT, seed)) / size
    deepest = cut.flatten().sort().values
    assert deepest[0] < -0.05 and (deepest[1:] > -0.15).all()


@pytest.mark.parametrize("kind", rois.KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_where_an_object_reaches_the_windows_face_the_roi_goes_on(monkeypatch, kind, seed):
    truth = box((0, 10, 6), (22, 32, 26), 32)
    faces = moved(monkeypatch, kind, truth, seed)
    assert faces[0, 0] <= 0 and faces[1, 1] >= 32


@settings(max_examples=examples(40))
@given(INNER, seeds)
def test_an_roi_has_some_size_and_is_told_however_small_the_object_is(truth, seed):
    low, high = rois._moved_faces(*extents(truth), torch.tensor(truth.shape[1:]), seeded(seed))
    assert (high - low >= 3 - 1e-4).all()
    inside, _ = drawn_rois(truth, seeded(seed))
    assert (inside > 0).any()
