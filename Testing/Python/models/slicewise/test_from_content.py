"""What a segment holds: kept as it is, or taken as a hint at the object that it means."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Line, Point, Roi
from SAMSegmentLib.models.local_correction import certain
from SAMSegmentLib.models.regions import voxel_of
from SAMSegmentLib.models.slicewise.from_content import (
    AROUND_CLICK_MM,
    refined,
    with_views,
)
from SAMSegmentLib.models.slicewise.from_line import LineFit
from SAMSegmentLib.models.slicewise.object_finder import FoundObject, ObjectFinder, corrected
from SAMSegmentLib.models.slicewise.slices import Limits, stacks_of
from TestSupport.geometries import geometries, rotations
from TestSupport.oracle_network import OracleNetwork
from TestSupport.phantoms import ball, dice, ellipsoid, grid, image_of, middle_of
from TestSupport.properties import examples
from TestSupport.sections import GREY, PICTURES, finder_of

GEOMETRY = grid((30, 44, 60), (2, 2, 2))
MIDDLE = (60.0, 44.0, 30.0)
BALL = ball(GEOMETRY, MIDDLE, 18)


def patch_of(mask):
    return Patch(mask, (0, 0, 0)).cropped()


def refine(content, objects, geometry=GEOMETRY, limits=None, fit=None):
    finder = finder_of(objects, geometry, limits=limits, fit=fit)
    found = refined(finder, patch_of(content))
    return Answer.of(found[0].mask, geometry).mask().astype(bool), found


@given(st.floats(0.001, 0.999), st.integers(0, 2**32 - 1))
def test_content_as_it_is_is_the_same_at_any_threshold(threshold, seed):
    mask = np.random.default_rng(seed).random((4, 5, 6)) < 0.5
    answer = certain(Patch(mask, (2, 3, 4)))
    geometry = grid((9, 9, 12))
    expected = Patch(mask, (2, 3, 4)).on_box((0, 0, 0), geometry.shape)
    assert np.array_equal(Answer.of(answer, geometry).mask(threshold), expected)


def coarse(mask):
    """As painted with a large brush."""
    blocks = ndimage.zoom(mask[::3, ::3, ::3].astype(float), 3, order=0)
    return blocks[: mask.shape[0], : mask.shape[1], : mask.shape[2]] > 0.5


ROUGH = {
    "too small": lambda mask: ndimage.binary_erosion(mask, iterations=2),
    "too large": lambda mask: ndimage.binary_dilation(mask, iterations=2),
    "beside it": lambda mask: np.roll(mask, (1, -2, 2), (0, 1, 2)),
    "coarse": coarse,
}


@pytest.mark.parametrize("how", ROUGH)
def test_rough_content_becomes_the_object_that_it_means(how):
    content = ROUGH[how](BALL)
    mask, _ = refine(content, [BALL])
    assert dice(content, BALL) < 0.9 < 0.95 < dice(mask, BALL)


@settings(max_examples=examples(10))
@given(
    geometries(st.just((26, 28, 30)), st.tuples(st.floats(1, 2), st.floats(1, 2), st.floats(1, 5))),
    rotations,
)
def test_in_any_volume_content_becomes_the_object(geometry, axes):
    extent = float((geometry.spacing * geometry.shape[::-1]).min())
    radii = np.array([0.33, 0.28, 0.25]) * extent
    truth = ellipsoid(geometry, middle_of(geometry), radii, axes)
    content = ellipsoid(geometry, middle_of(geometry) + 0.04 * extent, 0.85 * radii, axes)
    mask, _ = refine(content, [truth], geometry)
    assert dice(mask, truth) > 0.9 or dice(mask, truth) > dice(content, truth) + 0.05


def test_content_means_the_object_that_is_like_it_and_not_the_one_around_it():
    organ = ball(GEOMETRY, MIDDLE, 26)
    lesion = ball(GEOMETRY, (68, 44, 30), 9)
    for truth in (organ, lesion):
        content = ndimage.binary_erosion(truth)
        mask, _ = refine(content, [organ, lesion])
        assert dice(mask, truth) > 0.9


def test_what_is_far_from_the_content_is_not_added():
    other = ball(GEOMETRY, (100, 44, 30), 10)
    mask, answer = refine(ndimage.binary_erosion(BALL), [BALL, other])
    assert not (mask & other).any()
    low, high = np.argwhere(BALL).min(0), np.argwhere(BALL).max(0)
    start, stop = np.array(answer[0].mask.start), np.array(answer[0].mask.stop)
    assert (start >= low - 8).all() and (stop <= high + 9).all()


def test_an_roi_and_other_segments_limit_what_comes_out():
    roi = Roi.from_box((56, 44, 30), (32, 60, 60))
    taken = ball(GEOMETRY, (60, 28, 30), 10)
    mask, answer = refine(
        ndimage.binary_dilation(BALL), [BALL], limits=Limits(patch_of(taken), roi)
    )
    allowed = roi.contains_voxels(GEOMETRY) & ~taken
    for each in answer:
        assert not (Answer.of(each.mask, GEOMETRY).mask().astype(bool) & ~allowed).any()
    assert dice(mask, BALL & allowed) > 0.9


def test_a_line_tells_which_of_two_objects_the_content_means():
    small = ball(GEOMETRY, MIDDLE, 13)
    content = ball(GEOMETRY, MIDDLE, 15.5)
    for truth, radius in ((BALL, 18), (small, 13)):
        line = Line((60 - radius, 44, 30), (60 + radius, 44, 30))

        def fit(mask, start, line=line):
            return 4 * LineFit(line, GEOMETRY).of_mask(mask, start)

        mask, answer = refine(content, [BALL, small], fit=fit)
        masks = [Answer.of(each.mask, GEOMETRY).mask() for each in answer]
        assert dice(mask, truth) == max(dice(other, truth) for other in masks)


def viewed(ras, answer=None, content=BALL):
    content = patch_of(content)
    return with_views(
        finder_of([BALL], GEOMETRY),
        answer or FoundObject(certain(content)),
        content,
        voxel_of(GEOMETRY, np.array(ras)),
    )


def test_views_lie_around_a_click_on_the_content():
    answer = viewed((60, 44, 30))
    start = np.array(answer.views[0].native_start)
    stop = start + answer.views[0].native_inside.shape
    voxel = voxel_of(GEOMETRY, np.array((60, 44, 30)))
    assert (start <= voxel).all() and (voxel < stop).all()
    assert ((stop - start) * 2 <= 2 * AROUND_CLICK_MM + 2).all()


def test_views_serve_again_for_a_click_nearby():
    answer = viewed((60, 44, 30))
    assert viewed((64, 46, 30), answer).views is answer.views


def test_a_click_far_from_the_content_has_no_views():
    small = ball(GEOMETRY, (20, 44, 30), 6)
    assert not viewed((100, 44, 30), content=small).views


def test_a_click_corrects_content_with_what_the_network_sees_there():
    lump = ball(GEOMETRY, (84, 44, 30), 8)
    content = patch_of(BALL | lump)
    image = image_of(BALL | lump, GEOMETRY)
    both = ObjectFinder(stacks_of(image, GREY, PICTURES), OracleNetwork([BALL, lump]), Watch())
    ras = (84.0, 44.0, 30.0)
    voxel = voxel_of(GEOMETRY, np.array(ras))
    answer = with_views(both, FoundObject(certain(content)), content, voxel)
    after = corrected(image, answer, Point(ras, False), [], lambda ras: None, Watch())
    mask = Answer.of(after.mask, GEOMETRY).mask().astype(bool)
    assert dice(mask, BALL & ~lump) > 0.97
    assert not (mask & ~(BALL | lump)).any()
