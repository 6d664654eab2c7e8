"""Lines, content and other segments as prompts of the engine."""

import numpy as np
import pytest
from scipy import ndimage

from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from SAMSegmentLib.models.interactive import IN_OCCUPIED
from TestSupport.bright_network import bright_engine
from TestSupport.phantoms import ball, dice, grid

GEOMETRY = grid((12, 48, 48))
CENTER, RADIUS = (30.0, 36.0, 16.5), 11.0
BALL = ball(GEOMETRY, CENTER, RADIUS)
OTHER = ball(GEOMETRY, (54.0, 36.0, 16.5), 9.0)
LINE = Line((30 - RADIUS, 36, 16.5), (30 + RADIUS, 36, 16.5))
ROI = Roi.from_box((40, 36, 16.5), (54, 34, 30))
ON_BALL, ON_OTHER = Point((30, 36, 16.5)), Point((54, 36, 16.5))


def tissue_with_balls() -> Image:
    noise = np.random.default_rng(0).normal(0, 8, GEOMETRY.shape)
    return Image((np.where(BALL | OTHER, 180, 20) + noise).astype(np.int16), GEOMETRY, "CT")


IMAGE = tissue_with_balls()


@pytest.fixture(scope="module")
def engine():
    return bright_engine()


def whole(mask):
    return Patch(mask, (0, 0, 0))


def predict(engine, *points, roi=None, line=None, **voxels):
    prompts = VoxelPrompts(**voxels) if voxels else None
    return engine.predict(IMAGE, Prompts(roi, tuple(points), line), Watch(), voxels=prompts)


def masks_of(prediction):
    return [each.mask().astype(bool) for each in (prediction, *prediction.alternatives)]


def at(point):
    return tuple(np.rint(GEOMETRY.to_ijk(np.array(point.ras))[::-1]).astype(int))


def test_a_line_across_a_ball_is_enough(engine):
    assert dice(predict(engine, line=LINE).mask(), BALL) > 0.85


def test_with_an_roi_a_line_gives_nothing_beyond_it(engine):
    half = Roi.from_box((24, 36, 16.5), (20, 40, 40))
    inside = half.contains_voxels(GEOMETRY)
    for mask in masks_of(predict(engine, roi=half, line=LINE)):
        assert not (mask & ~inside).any()
    assert dice(predict(engine, roi=half, line=LINE).mask(), BALL & inside) > 0.75


def test_a_click_corrects_what_a_line_gave(engine):
    before = predict(engine, line=LINE).mask()
    after = predict(engine, ON_OTHER, line=LINE).mask()
    assert after[at(ON_OTHER)] and not (before & ~after.astype(bool)).any()


def test_what_others_hold_is_in_no_answer(engine):
    taken = BALL.copy()
    taken[:, :, :20] = False
    for prediction in (
        predict(engine, roi=ROI, occupied=whole(taken)),
        predict(engine, ON_BALL, occupied=whole(taken)),
        predict(engine, line=LINE, occupied=whole(taken)),
        predict(engine, ON_OTHER, Point((24, 36, 16.5)), occupied=whole(taken)),
        predict(engine, content=whole(BALL | OTHER), occupied=whole(taken)),
        predict(engine, content=whole(BALL), refine=True, occupied=whole(taken)),
    ):
        assert prediction.mask().any()
        assert not any((mask & taken).any() for mask in masks_of(prediction))


def test_an_object_is_found_beside_the_one_that_is_taken(engine):
    mask = predict(engine, roi=ROI, occupied=whole(BALL)).mask()
    assert dice(mask, OTHER) > 0.8


def test_a_positive_point_in_another_segment_is_told_and_changes_nothing_there(engine):
    prediction = predict(engine, ON_OTHER, ON_BALL, occupied=whole(BALL))
    assert prediction.warnings == (IN_OCCUPIED,)
    assert not prediction.mask()[at(ON_BALL)]
    assert predict(engine, ON_OTHER, occupied=whole(BALL)).warnings == ()


def test_content_without_points_stays_as_it_is_at_any_threshold(engine):
    odd = BALL.copy()
    odd[5:7, 3:9, 4:40] = True
    for prediction in (predict(engine, content=whole(odd)), predict(engine, content=whole(odd))):
        for threshold in (0.01, 0.5, 0.99):
            assert np.array_equal(prediction.mask(threshold), odd)
        assert prediction.cost.encoded == 0


def test_clicks_change_content_near_them_only(engine):
    content = BALL | OTHER
    fewer = predict(engine, Point(ON_OTHER.ras, False), content=whole(content)).mask()
    assert dice(fewer, BALL) > 0.9 and not (fewer.astype(bool) & ~content).any()
    more = predict(engine, ON_OTHER, content=whole(BALL)).mask()
    assert dice(more, content) > 0.85 and more[BALL].all()
    back = predict(engine, content=whole(content)).mask()
    assert np.array_equal(back, content)


def test_negative_points_alone_correct_content(engine):
    mask = predict(engine, Point(ON_BALL.ras, False), content=whole(BALL)).mask()
    assert not mask[at(ON_BALL)]


def test_content_is_refined_to_the_object_that_it_means(engine):
    small = ndimage.binary_erosion(BALL)
    mask = predict(engine, content=whole(small), refine=True).mask()
    assert dice(mask, BALL) > max(dice(small, BALL), 0.85)
    assert not (mask.astype(bool) & OTHER).any()


def test_empty_content_is_as_none(engine):
    nothing = whole(np.zeros_like(BALL))
    for refine in (False, True):
        prediction = predict(engine, ON_BALL, content=nothing, refine=refine)
        assert np.array_equal(prediction.logits, predict(engine, ON_BALL).logits)


def test_other_voxels_are_another_question(engine):
    one = predict(engine, roi=ROI).mask()
    other = predict(engine, roi=ROI, occupied=whole(BALL)).mask()
    assert not np.array_equal(one, other)
    assert np.array_equal(predict(engine, roi=ROI).mask(), one)
    again = predict(engine, roi=ROI, occupied=whole(BALL.copy()))
    assert again.cost.encoded == 0 and np.array_equal(again.mask(), other)
