"""An object followed through the slices: along it, to its ends, and not into another one."""

import numpy as np
import pytest

from SAMSegmentLib.core.orientation import all_planes
from SAMSegmentLib.models.regions import RoiOnGrid
from SAMSegmentLib.models.slicewise.slices import SliceStack
from SAMSegmentLib.models.slicewise.tracking import follow, nothing
from SAMSegmentLib.models.slicewise.views import View
from TestSupport.oracle_network import OracleNetwork
from TestSupport.phantoms import ball, dice, ellipsoid, grid, image_of, voxel_positions
from TestSupport.sections import GREY, PICTURES, roi_round, slice_mask

GEOMETRY = grid((30, 48, 48), (2, 2, 2))


def view_on(truth, objects, margin=3.0, step=1) -> View:
    stack = SliceStack(image_of(truth, GEOMETRY), GREY, PICTURES, all_planes(GEOMETRY)[0])
    region = RoiOnGrid(roi_round(truth, GEOMETRY, margin), stack.geometry)
    return View(stack, region, range(0, len(region.slices), step), OracleNetwork(objects))


def sections(view, truth) -> np.ndarray:
    """The truth in a view's region, (slice, row, column)."""
    return view.stack.orientation.apply(truth)[view.region.box]


def followed(view, truth, start=None):
    keys = view.keys
    start = keys[len(keys) // 2] if start is None else start
    return follow(view, start, slice_mask(sections(view, truth)[start]))


def test_slices_are_seen_outward_from_the_first_one_and_are_the_same():
    truth = ball(GEOMETRY, (48, 48, 30), 18)
    view = view_on(truth, [truth])
    start = view.keys[len(view.keys) // 3]
    first, seen = slice_mask(sections(view, truth)[start]), []
    track = follow(view, start, first, lambda masks: seen.append(list(masks)))
    plain = follow(view, start, first)
    assert list(track) == list(plain)
    assert all(np.array_equal(track[key].logits, plain[key].logits) for key in track)
    assert [len(keys) for keys in seen] == list(range(2, len(view.keys) + 1))
    assert {abs(key - start) for key in seen[3]} == {0, 1, 2}
    assert set(seen[-1]) == set(view.keys)


@pytest.mark.parametrize("step", [1, 2])
def test_a_ball_is_followed_to_both_its_ends(step):
    truth = ball(GEOMETRY, (48, 48, 30), 18)
    view = view_on(truth, [truth], step=step)
    track = followed(view, truth)
    assert sorted(track) == view.keys
    found = np.stack([track[key].mask for key in view.keys])
    assert dice(found, sections(view, truth)[view.keys]) > 0.95


def test_a_slanted_tube_is_followed_although_its_ends_lie_beside_each_other():
    positions = voxel_positions(GEOMETRY)
    axis = np.stack([48 + 0.8 * (positions[..., 2] - 30), np.full(GEOMETRY.shape, 48.0)], -1)
    truth = np.linalg.norm(positions[..., :2] - axis, axis=-1) <= 9
    view = view_on(truth, [truth])
    here = sections(view, truth)
    assert not (here[0] & here[-1]).any()
    track = followed(view, truth)
    found = np.stack([track[key].mask for key in view.keys])
    assert dice(found, here) > 0.95


def test_beyond_the_end_of_an_object_masks_are_empty_even_if_another_one_begins():
    truth = ball(GEOMETRY, (40, 40, 20), 14)
    other = ball(GEOMETRY, (70, 70, 46), 14)
    view = view_on(truth | other, [truth, other])
    here = sections(view, truth)
    start = int(np.argmax(here.sum((1, 2))))
    track = followed(view, truth, start)
    after = [key for key in view.keys if key > start and not here[key].any()]
    assert after and not any(track[key].mask.any() for key in after)
    assert dice(np.stack([track[key].mask for key in view.keys]), here) > 0.9


@pytest.mark.parametrize(("shift", "goes_on"), [(8.0, True), (30.0, False)])
def test_sections_that_hardly_overlap_are_of_two_objects(shift, goes_on):
    positions = voxel_positions(GEOMETRY)

    def rod(x, low, high):
        around = np.hypot(positions[..., 0] - x, positions[..., 1] - 48) <= 16
        return around & (positions[..., 2] >= low) & (positions[..., 2] < high)

    lower, upper = rod(40, 10, 30), rod(40 + shift, 30, 50)
    view = view_on(lower | upper, [lower | upper])
    here = sections(view, lower | upper)
    start = int(np.flatnonzero(sections(view, lower).any((1, 2)))[2])
    track = followed(view, lower | upper, start)
    above = [key for key in view.keys if sections(view, upper)[key].any()]
    assert above and here[start].any()
    assert any(track[key].mask.any() for key in above) == goes_on


def test_the_first_mask_is_kept_as_it_is():
    truth = ball(GEOMETRY, (48, 48, 30), 18)
    view = view_on(truth, [truth])
    start = view.keys[-4]
    first = slice_mask(sections(view, truth)[start])
    assert follow(view, start, first)[start] is first


def test_from_an_empty_mask_nothing_is_asked():
    truth = ball(GEOMETRY, (48, 48, 30), 18)
    network = OracleNetwork([truth])
    view = view_on(truth, [truth])
    view = View(view.stack, view.region, view.keys, network)
    track = follow(view, view.keys[3], nothing(view))
    assert not any(mask.mask.any() for mask in track.values())
    assert not network.asked


def test_a_section_that_grows_quickly_is_followed():
    truth = ellipsoid(GEOMETRY, (48, 48, 30), (36, 20, 14))
    view = view_on(truth, [truth])
    here = sections(view, truth)
    start = int(np.flatnonzero(here.any((1, 2)))[1])
    found = np.stack([mask.mask for _, mask in sorted(followed(view, truth, start).items())])
    assert dice(found, here) > 0.95
