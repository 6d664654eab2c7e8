"""Scribbles stay in what they are about; lines run across the object."""

import numpy as np
from hypothesis import given, settings
from scipy.spatial.distance import pdist

from TestSupport.objects import N, box, boxes, seeds
from TestSupport.properties import examples
from Training import drawings
from Training.drawings import LENGTHS, drawn, longest_line, scribble


@settings(max_examples=examples(40))
@given(boxes(), seeds)
def test_a_scribble_stays_within_its_region_in_one_slice_and_runs_through_its_start(truth, seed):
    region, random = truth[0].numpy(), np.random.default_rng(seed)
    start = random.choice(np.argwhere(region)).astype(float)
    line = scribble(region, start, random)
    assert line.ndim == 2 and line.shape[1] == 3 and len(line) <= LENGTHS[1] + 1
    assert region[tuple(np.rint(line).astype(int).T)].all()
    assert (line == start).all(1).any()
    assert (np.ptp(line, axis=0) == 0).any()
    assert np.allclose(np.linalg.norm(np.diff(line, axis=0), axis=1), 1)


@settings(max_examples=examples(40))
@given(boxes(), seeds)
def test_a_line_is_the_longest_diameter_of_the_largest_slice_along_some_axis(truth, seed):
    mask, shake = truth[0].numpy(), drawings.LINE_SHAKE
    drawings.LINE_SHAKE = 0.0
    try:
        ends = longest_line(mask, np.random.default_rng(seed))
    finally:
        drawings.LINE_SHAKE = shake
    assert ends.shape == (2, 3) and mask[tuple(ends.astype(int).T)].all()
    matches = []
    for axis in range(3):
        number = int(ends[0, axis])
        voxels = np.argwhere(mask.take(number, axis))
        longest = pdist(voxels).max(initial=0)
        length = np.linalg.norm(ends[1] - ends[0])
        matches.append(ends[0, axis] == ends[1, axis] and 0.9 * longest <= length <= longest + 1e-6)
    assert any(matches)


def test_it_is_that_of_the_largest_slice():
    mask = (box((2, 2, 2), (14, 4, 4)) | box((7, 2, 2), (9, 14, 14)))[0].numpy()
    for seed in range(10):
        ends = longest_line(mask, np.random.default_rng(seed))
        length = np.linalg.norm(ends[1] - ends[0])
        assert length > 8


@settings(max_examples=examples(40))
@given(boxes(), seeds)
def test_the_ends_of_a_line_lie_near_the_objects_border_in_one_slice_of_the_window(truth, seed):
    mask = truth[0].numpy()
    ends = longest_line(mask, np.random.default_rng(seed))
    assert (ends >= 0).all() and (ends <= N - 1).all()
    assert (ends[0] == ends[1]).any()
    low, high = np.argwhere(mask).min(0), np.argwhere(mask).max(0)
    faces = np.minimum(np.abs(ends - low), np.abs(ends - high)).min(1)
    assert (faces < 6 * drawings.LINE_SHAKE).all()


def test_a_polyline_is_drawn_without_gaps_where_it_runs():
    values = drawn(np.array([[2.0, 3.0, 0.0], [2.0, 3.0, 15.0], [15.0, 3.0, 15.0]]), (N, N, N))
    expected = np.zeros((8, 8, 8), np.float32)
    expected[1, 1, :] = expected[1:, 1, 7] = 1
    assert np.array_equal(values, expected) and values.dtype == np.float32


@settings(max_examples=examples(40))
@given(boxes(), seeds)
def test_each_voxel_is_drawn_in_the_block_that_it_lies_in(truth, seed):
    voxels = np.argwhere(truth[0].numpy())
    voxel = np.random.default_rng(seed).choice(voxels)
    values = drawn(voxel[None].astype(float), (N, N, N))
    assert values.sum() == 1 and values[tuple(voxel // 2)] == 1
