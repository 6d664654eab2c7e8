"""SAM-Med3D from prompts to a mask on the volume's grid, with a network that knows what is bright.

With the real network and random weights: test_engine_network.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.errors import Cancelled, InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from TestSupport.geometries import linear_transforms, reorientations
from TestSupport.phantoms import (
    ball,
    centroid,
    dice,
    ellipsoid,
    grid,
    middle_of,
    voxel_positions,
)
from TestSupport.properties import examples

torch = pytest.importorskip("torch")

from SAMSegmentLib.models.interactive import CUT_OFF  # noqa: E402
from SAMSegmentLib.models.sammed3d.engine import SAMMed3DEngine  # noqa: E402
from SAMSegmentLib.models.sammed3d.model import CubeFrame  # noqa: E402
from SAMSegmentLib.models.sammed3d.session import MOST_CUBES  # noqa: E402
from SAMSegmentLib.models.windowed.model import ImageWindow  # noqa: E402
from TestSupport.bright_network_3d import BrightNetwork3D, bright_engine  # noqa: E402

GEOMETRY = grid((40, 60, 60), (3, 3, 4))
CENTER = middle_of(GEOMETRY)
RADIUS = 25.0
BALL = ball(GEOMETRY, CENTER, RADIUS)
# A second ball, in front of it.
OTHER = ball(GEOMETRY, np.add(CENTER, (0, 60, 0)), 18)


def near_center(x, y=0.0, z=0.0, positive=True):
    return Point(tuple(np.add(CENTER, (x, y, z))), positive)


ON_BALL, ON_OTHER = near_center(5, -5, 4), near_center(0, 62, 0)


def ct_of(mask, geometry=GEOMETRY, **known):
    return Image(np.where(mask, 180, 20).astype(np.int16), geometry, "CT", **known)


def predict(engine, image, *points, roi=None, watch=None, voxels=None, **more):
    return engine.predict(image, Prompts(roi, points), watch or Watch(), voxels=voxels, **more)


def at(point, geometry=GEOMETRY):
    return tuple(np.rint(geometry.to_ijk(np.array(point.ras))[::-1]).astype(int))


@pytest.fixture
def network():
    return BrightNetwork3D()


@pytest.fixture
def engine(network):
    return bright_engine(network)


@pytest.fixture
def two_balls():
    return ct_of(BALL | OTHER)


# --- where the mask lies --------------------------------------------------------------------------


def wide_grid(spacing, turn, tilt, flips, extent=150.0):
    """An oblique, flipped, anisotropic, tilted grid of at least `extent` mm along each axis."""
    matrix, shear = np.eye(4), np.eye(3)
    shear[1, 2] = tilt
    matrix[:3, :3] = turn @ shear @ np.diag(spacing) @ np.diag(flips)
    matrix[:3, 3] = (40.0, -300.0, 700.0)
    return Geometry(matrix, tuple(int(np.ceil(extent / s)) for s in spacing[::-1]))


turns = st.tuples(*[st.floats(-180, 180)] * 3).map(
    lambda angles: Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
)


@settings(max_examples=examples(12))
@given(
    st.tuples(*[st.floats(1.5, 6)] * 3),
    turns,
    st.sampled_from((0.0, 0.3, -0.57)),
    st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3),
    st.tuples(*[st.floats(-20, 20)] * 3),
    st.data(),
)
def test_an_object_is_found_where_it_is_in_every_geometry(spacing, turn, tilt, flips, off, data):
    geometry = wide_grid(spacing, turn, tilt, flips)
    center = middle_of(geometry) + np.array(off)
    radii = np.array([24.0, 28.0, 36.0])
    truth = ellipsoid(geometry, center, radii, data.draw(turns))
    image = ct_of(truth, geometry)
    mask = predict(bright_engine(), image, Point(tuple(np.add(center, (4, -3, 5))))).mask()
    assert dice(mask, truth) > 0.9
    assert np.abs(centroid(mask, geometry) - centroid(truth, geometry)).max() < 1.5


@settings(max_examples=examples(8))
@given(reorientations(), st.floats(-30, 30), st.booleans())
def test_however_voxels_are_stored_the_mask_is_the_same(storage, angle, tilted):
    turn = Rotation.from_euler("zx", (angle, angle / 2), degrees=True).as_matrix()
    geometry = wide_grid((2.1, 2.3, 5.2), turn, 0.3 if tilted else 0.0, (1, 1, 1))
    truth = ellipsoid(geometry, np.add(middle_of(geometry), (9, -12, 5)), (20, 30, 38))
    image, click = ct_of(truth, geometry), Point(tuple(np.add(middle_of(geometry), (8, -10, 4))))
    plain = predict(bright_engine(), image, click)
    stored = Image(storage.apply(image.voxels), storage.apply_to_geometry(geometry), "CT")
    again = predict(bright_engine(), stored, click)
    doubtful = np.abs(plain.on_grid(geometry)) < 0.05
    wrong = storage.undo(again.mask()) != plain.mask()
    assert not (wrong & ~doubtful).any()


@settings(max_examples=examples(6))
@given(linear_transforms())
def test_in_a_transformed_volume_the_mask_moves_with_it(matrix):
    # As under a transform in Slicer: not rigid, so that the network sees another shape.
    geometry = grid((40, 40, 40), (4, 4, 4)).transformed(matrix)
    center = middle_of(geometry)
    truth = ball(geometry, center, 28)
    mask = predict(bright_engine(), ct_of(truth, geometry), Point(tuple(center))).mask()
    assert dice(mask, truth) > 0.9
    assert np.abs(centroid(mask, geometry) - center).max() < 1.5


def test_the_decoders_answer_is_resampled_once_to_the_volumes_own_grid(engine, two_balls):
    prediction = predict(engine, two_balls, ON_BALL)
    assert prediction.geometry == GEOMETRY and prediction.logits.dtype == np.float32
    assert dice(prediction.mask(), BALL) > 0.9
    # Values between, not steps of 6 mm.
    assert len(np.unique(prediction.logits)) > 1000


def test_a_tube_of_half_a_metre_is_found_whole(engine, network):
    geometry = grid((30, 30, 300), (2, 4, 4))
    truth = ellipsoid(geometry, middle_of(geometry), (250, 25, 25))
    image = ct_of(truth, geometry)
    prediction = predict(engine, image, Point(tuple(middle_of(geometry) - [130, 0, 0])))
    assert dice(prediction.mask(), truth) > 0.9
    assert 3 <= network.encoded <= 7 and prediction.warnings == ()
    assert prediction.cost.encoded == network.encoded


def test_what_is_larger_than_all_cubes_together_gives_a_warning(engine, network):
    # A plate so wide that it cannot be followed to its ends.
    geometry = grid((10, 100, 100), (9, 9, 9))
    truth = ball(geometry, middle_of(geometry), 10_000)
    truth[:3] = truth[-3:] = False
    prediction = predict(engine, ct_of(truth, geometry), Point(tuple(middle_of(geometry))))
    assert network.encoded == MOST_CUBES
    assert prediction.warnings == (CUT_OFF,)
    assert dice(prediction.mask() & truth, prediction.mask()) > 0.98


# --- clicks ---------------------------------------------------------------------------------------


def test_each_click_goes_in_alone_with_the_mask_before_and_encodes_nothing(
    engine, network, two_balls
):
    clicks = (ON_BALL, ON_OTHER, Point(ON_BALL.ras, False))
    masks = [predict(engine, two_balls, *clicks[:n]).mask() for n in (1, 2, 3)]
    assert [asked[0] for asked in network.asked] == [1.0, 1.0, 0.0]
    assert [asked[3] for asked in network.asked] == [False, True, True]
    assert network.encoded == 1
    for mask, truth in zip(masks, (BALL, BALL | OTHER, OTHER), strict=True):
        assert dice(mask, truth) > 0.87


def test_undo_gives_the_earlier_mask_bit_for_bit_and_asks_nothing(engine, network, two_balls):
    first = predict(engine, two_balls, ON_BALL)
    predict(engine, two_balls, ON_BALL, ON_OTHER)
    network.asked.clear()
    undone = predict(engine, two_balls, ON_BALL)
    assert undone.start == first.start and np.array_equal(undone.logits, first.logits)
    again = predict(engine, two_balls, ON_BALL, ON_OTHER)
    assert network.asked == [] and again.cost.encoded == 0


def test_dragging_the_last_point_asks_once_an_earlier_one_all_after_it(engine, network, two_balls):
    third = near_center(-8, 3, 0)
    predict(engine, two_balls, ON_BALL, ON_OTHER, third)
    network.asked.clear()
    predict(engine, two_balls, ON_BALL, ON_OTHER, near_center(-12, 3, 0))
    assert len(network.asked) == 1
    network.asked.clear()
    moved = near_center(2, 58, 0)
    predict(engine, two_balls, ON_BALL, moved, third)
    assert len(network.asked) == 2 and network.encoded == 1


def test_clicks_given_at_once_do_what_they_do_one_after_the_other(engine, two_balls):
    clicks = (ON_BALL, ON_OTHER, Point(ON_BALL.ras, False))
    for count in (1, 2, 3):
        one_by_one = predict(engine, two_balls, *clicks[:count])
    at_once = predict(bright_engine(), two_balls, *clicks)
    assert np.array_equal(at_once.logits, one_by_one.logits)


def test_the_hundredth_click_asks_the_network_as_often_as_the_second(engine, network, two_balls):
    clicks = [near_center(n % 5) for n in range(100)]
    for count in (1, 2, 99, 100):
        before = len(network.asked)
        predict(engine, two_balls, *clicks[:count])
        if count in (2, 100):
            assert len(network.asked) == before + 1
    assert len(network.asked) == 100 and network.encoded == 1


def test_more_clicks_than_answers_are_kept_give_the_same_mask(two_balls, monkeypatch):
    clicks = [near_center(n) for n in range(5)]
    expected = predict(bright_engine(), two_balls, *clicks)
    monkeypatch.setattr(SAMMed3DEngine, "KEPT_ANSWERS", 2)
    engine = bright_engine()
    for count in range(1, 6):
        last = predict(engine, two_balls, *clicks[:count])
    assert len(engine._answers) == 2
    assert np.array_equal(last.logits, expected.logits)
    undone = predict(engine, two_balls, *clicks[:2])
    assert np.array_equal(undone.mask(), predict(bright_engine(), two_balls, *clicks[:2]).mask())


def test_answers_that_fill_the_memory_are_forgotten_but_for_the_last_two(monkeypatch):
    monkeypatch.setattr(SAMMed3DEngine, "KEPT_BYTES", 20_000)
    engine = bright_engine()
    image, voxels = ct_of(BALL), VoxelPrompts(Patch(BALL, (0, 0, 0)))
    clicks = [near_center(30 + n) for n in range(4)]
    for count in range(5):
        last = predict(engine, image, *clicks[:count], voxels=voxels)
    assert last.logits.nbytes > 10_000 and len(engine._answers) == 2


def test_clicks_farther_apart_than_any_cube_are_both_answered(engine, network):
    geometry = grid((20, 20, 200), (3, 5, 5))
    truths = [ball(geometry, np.add(middle_of(geometry), (x, 0, 0)), 25) for x in (-250, 250)]
    clicks = [Point(tuple(np.add(middle_of(geometry), (x, 3, 4)))) for x in (-250, 250)]
    prediction = predict(engine, ct_of(truths[0] | truths[1], geometry), *clicks)
    assert dice(prediction.mask(), truths[0] | truths[1]) > 0.9
    assert network.encoded == 2
    # And one of them taken back is gone.
    assert not predict(engine, ct_of(truths[0], geometry), clicks[0]).mask()[truths[1]].any()


def test_a_negative_click_outside_all_cubes_changes_nothing(engine, network):
    geometry = grid((20, 20, 200), (3, 5, 5))
    truth = ball(geometry, middle_of(geometry), 25)
    image, click = ct_of(truth, geometry), Point(tuple(middle_of(geometry)))
    before = predict(engine, image, click)
    far = Point(tuple(np.add(middle_of(geometry), (250, 0, 0))), False)
    after = predict(engine, image, click, far)
    assert np.array_equal(after.logits, before.logits) and len(network.asked) == 1


def test_a_negative_point_before_the_first_positive_one_corrects_that(engine, two_balls):
    negative = Point(ON_OTHER.ras, False)
    one = predict(engine, two_balls, negative, ON_BALL)
    assert np.array_equal(one.logits, predict(engine, two_balls, ON_BALL, negative).logits)


@pytest.mark.parametrize("points", [(), (Point(ON_BALL.ras, False),)])
def test_without_anything_positive_the_error_names_what_to_add(engine, network, two_balls, points):
    with pytest.raises(InputError, match="needs a positive point on the object or an ROI"):
        predict(engine, two_balls, *points)
    assert network.encoded == 0


def test_clicks_on_the_faces_and_corners_of_a_volume_all_go_in(engine, network):
    geometry = grid((40, 70, 70), (4, 4, 4))  # larger than a cube but for one axis
    image = ct_of(ball(geometry, middle_of(geometry), 60), geometry)
    corners = [Point(tuple(corner)) for corner in geometry.corners()]
    again = Point(corners[0].ras)
    predict(engine, image, corners[0], again, *corners[1:])
    assert len(network.asked) >= 9


# --- ROI ------------------------------------------------------------------------------------------


def test_an_roi_is_a_click_in_its_middle_and_a_limit(engine, network):
    roi = Roi.from_box(np.add(CENTER, (10, 0, 0)), (36, 90, 90))
    prediction = predict(engine, ct_of(BALL), roi=roi)
    within = roi.contains_voxels(GEOMETRY)
    assert not prediction.mask()[~within].any()
    assert dice(prediction.mask(), BALL & within) > 0.85
    ((label, position, box, _),) = network.asked
    assert label == 1.0 and box is None
    cube = engine._latest[1].own[0].window
    assert tuple(position) == tuple(cube.voxels(roi.center))


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, -30, 40)])
def test_an_roi_is_a_limit_to_the_voxel(engine, angles):
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    roi = Roi.from_box(CENTER, (21, 27, 24), turn)
    mask = predict(engine, ct_of(BALL), roi=roi).mask().astype(bool)
    within = roi.contains_voxels(GEOMETRY)
    free = predict(engine, ct_of(BALL), Point(tuple(CENTER))).mask().astype(bool)
    assert np.array_equal(mask, free & within)
    assert np.count_nonzero(mask) > 0.95 * np.count_nonzero(within)


def test_a_positive_point_outside_the_roi_lifts_the_limit_and_taken_back_restores_it(engine):
    roi, image = Roi.from_box(CENTER, (30, 30, 30)), ct_of(BALL)
    inside, outside = (
        near_center(3, 3, 3),
        near_center(20, 0, 0),
    )
    within = roi.contains_voxels(GEOMETRY)
    before = predict(engine, image, inside, roi=roi)
    assert not before.mask()[~within].any()
    lifted = predict(engine, image, inside, outside, roi=roi)
    assert dice(lifted.mask(), BALL) > 0.9
    assert np.array_equal(predict(engine, image, inside, roi=roi).logits, before.logits)
    negative = predict(engine, image, inside, near_center(0, 40, positive=False), roi=roi)
    assert negative.mask().any() and not negative.mask()[~within].any()


def test_a_point_on_the_slice_of_a_flat_roi_does_not_lift_the_limit(engine):
    flat = Roi.from_box(CENTER, (30, 30, 0.01))
    mask = predict(engine, ct_of(BALL), near_center(3, 3, 0.3), roi=flat).mask()
    assert 1 <= mask.any(axis=(1, 2)).sum() <= 2


def test_weights_that_take_boxes_get_the_roi_as_one_too():
    network = BrightNetwork3D(takes_boxes=True)
    roi = Roi.from_box(CENTER, (60, 50, 40))
    engine = bright_engine(network)
    predict(engine, ct_of(BALL), roi=roi)
    box = np.array(network.asked[0][2]).reshape(2, 3)
    assert np.allclose((box[1] - box[0]) * 1.5, (60, 50, 40))
    cube = engine._latest[1].own[0].window
    assert np.allclose(cube.geometry.to_ras(box.mean(0)[::-1]), CENTER)
    # Further clicks are given without it, as in training.
    predict(engine, ct_of(BALL), ON_BALL, roi=roi)
    assert network.asked[-1][2] is None


def test_an_roi_whose_middle_lies_outside_means_the_part_within(engine):
    truth = ball(GEOMETRY, [10, CENTER[1], CENTER[2]], 30)
    roi = Roi.from_box((-30, CENTER[1], CENTER[2]), (140, 90, 90))
    mask = predict(engine, ct_of(truth), roi=roi).mask()
    assert dice(mask, truth & roi.contains_voxels(GEOMETRY)) > 0.85


def test_an_roi_beside_the_volume_is_refused(engine):
    with pytest.raises(InputError, match="ROI lies outside"):
        predict(engine, ct_of(BALL), roi=Roi.from_box((-500, 0, 0), (50, 50, 50)))


def test_an_object_larger_than_a_cube_is_followed_within_its_roi_only(engine, network):
    geometry = grid((20, 20, 200), (4, 5, 5))
    truth = ellipsoid(geometry, middle_of(geometry), (350, 25, 25))
    roi = Roi.from_box(middle_of(geometry), (300, 90, 90))
    mask = predict(engine, ct_of(truth, geometry), roi=roi).mask()
    assert dice(mask, truth & roi.contains_voxels(geometry)) > 0.9
    assert network.encoded == 3
    predict(engine, ct_of(truth, geometry), Point(tuple(middle_of(geometry))), roi=roi)
    assert network.encoded == 6  # of another image


# --- voxels that are there already ----------------------------------------------------------------


def test_content_is_corrected_near_clicks_only(engine, network, two_balls):
    content = ball(GEOMETRY, CENTER - [50, 0, 0], 20)
    voxels = VoxelPrompts(Patch(content, (0, 0, 0)))
    alone = predict(engine, two_balls, voxels=voxels)
    assert np.array_equal(alone.mask(), content) and network.encoded == 0
    click = Point(tuple(CENTER - [60, 0, 0]), False)
    after = predict(engine, two_balls, click, voxels=voxels).mask()
    changed = after != content
    distance = np.linalg.norm(voxel_positions(GEOMETRY) - np.array(click.ras), axis=-1)
    assert not after[at(click)]
    assert changed.any() and not (changed & ~content).any()
    # Twice as far as to the content's border, 10 mm and a voxel away.
    assert distance[changed].max() <= 2 * (10 + 4)
    # The network was asked what it makes of the content.
    ((label, _, _, had_mask),) = network.asked
    assert label == 0.0 and had_mask


def test_a_negative_click_on_content_takes_away_what_the_network_leaves_out(engine, two_balls):
    leak = ball(GEOMETRY, np.add(CENTER, (32, 0, 0)), 15) & ~BALL
    voxels = VoxelPrompts(Patch(BALL | leak, (0, 0, 0)))
    click = near_center(36, positive=False)
    after = predict(engine, two_balls, click, voxels=voxels).mask().astype(bool)
    assert not after[at(click)] and not (after & ~BALL & ~leak).any()
    assert (after & leak).sum() < 0.2 * leak.sum()
    assert (after & BALL).sum() > 0.95 * BALL.sum()


def test_a_click_that_adds_to_content_adds_what_the_network_sees_there(engine, two_balls):
    half = BALL & (voxel_positions(GEOMETRY)[..., 0] < CENTER[0])
    voxels = VoxelPrompts(Patch(half, (0, 0, 0)))
    click = near_center(15, 0, 0)
    after = predict(engine, two_balls, click, voxels=voxels).mask()
    assert after[at(click)] and after[half].all()
    assert dice(after, BALL) > 0.9 > dice(half, BALL)
    assert not after[OTHER].any()
    undone = predict(engine, two_balls, voxels=voxels)
    assert np.array_equal(undone.mask(), half)


def test_a_second_click_on_content_is_asked_with_the_first_ones_change(two_balls):
    voxels = VoxelPrompts(Patch(ball(GEOMETRY, CENTER - [50, 0, 0], 20), (0, 0, 0)))
    known = []

    class Noting(BrightNetwork3D):
        def decode(self, embedding, mask, *prompts):
            known.append(int((mask > 0).sum()))
            return super().decode(embedding, mask, *prompts)

    predict(bright_engine(Noting()), two_balls, ON_BALL, ON_OTHER, voxels=voxels)
    assert len(known) == 2 and known[1] > known[0] + 100


def test_content_that_is_refined_becomes_the_object_that_it_means(engine, network, two_balls):
    rough = ball(GEOMETRY, np.add(CENTER, (6, 4, 0)), 17)
    voxels = VoxelPrompts(Patch(rough, (0, 0, 0)), refine=True)
    refined = predict(engine, two_balls, voxels=voxels)
    assert dice(refined.mask(), BALL) > 0.9
    ((label, position, _, had_mask),) = network.asked
    assert label is None and position is None and had_mask
    more = predict(engine, two_balls, ON_OTHER, voxels=voxels)
    assert dice(more.mask(), BALL | OTHER) > 0.9


def test_refining_content_in_pieces_far_apart_loses_none(engine):
    geometry = grid((20, 20, 200), (3, 5, 5))
    middle = middle_of(geometry)
    truths = [ball(geometry, np.add(middle, (x, 0, 0)), 25) for x in (-250, 0, 250)]
    rough = np.any([ball(geometry, np.add(middle, (x, 4, 0)), 20) for x in (-250, 250)], 0)
    voxels = VoxelPrompts(Patch(rough, (0, 0, 0)), refine=True)
    mask = predict(engine, ct_of(np.any(truths, 0), geometry), voxels=voxels).mask()
    assert dice(mask, truths[0] | truths[2]) > 0.9


def test_voxels_of_other_segments_are_left_out(engine, two_balls):
    occupied = voxel_positions(GEOMETRY)[..., 0] > CENTER[0]
    voxels = VoxelPrompts(occupied=Patch(occupied, (0, 0, 0)))
    prediction = predict(engine, two_balls, Point(tuple(CENTER - [5, 0, 0])), voxels=voxels)
    assert not prediction.mask()[occupied].any()
    assert dice(prediction.mask(), BALL & ~occupied) > 0.9
    assert prediction.warnings == ()
    given = predict(engine, two_balls, near_center(5, 0, 0), voxels=voxels)
    assert any("another segment" in warning for warning in given.warnings)


# --- while it works -------------------------------------------------------------------------------


class After:
    """A flag that is set when it was looked at a number of times."""

    def __init__(self, looks):
        self.left = looks
        self.looks = 0

    def is_set(self):
        self.left -= 1
        self.looks += 1
        return self.left < 0


LONG = grid((20, 20, 200), (3, 5, 5))
TUBE = ellipsoid(LONG, middle_of(LONG), (250, 25, 25))
ON_TUBE = Point(tuple(middle_of(LONG)))


def test_cancelled_anywhere_the_next_answer_is_the_right_one(network):
    image, counting = ct_of(TUBE, LONG), After(10**9)
    expected = predict(bright_engine(), image, ON_TUBE, watch=Watch(cancel=counting))
    engine, kept = bright_engine(network), []
    for looks in (0, 1, 8, counting.looks // 2, counting.looks - 2):
        with pytest.raises(Cancelled):
            predict(engine, image, ON_TUBE, watch=Watch(cancel=After(looks)))
        assert not engine._answers and engine._latest is None
        # Whole cubes are kept, no other.
        kept.append(len(engine._cache._embeddings._kept))
        assert network.encoded == sum(kept)
        engine._cache.clear()
    assert kept[0] == 0 < kept[-2] < kept[-1]
    again = predict(engine, image, ON_TUBE)
    assert np.array_equal(again.logits, expected.logits)


def test_a_click_that_is_cancelled_leaves_the_earlier_answers(engine, two_balls):
    before = predict(engine, two_balls, ON_BALL)
    with pytest.raises(Cancelled):
        predict(engine, two_balls, ON_BALL, ON_OTHER, watch=Watch(cancel=After(0)))
    assert np.array_equal(predict(engine, two_balls, ON_BALL).logits, before.logits)
    assert dice(predict(engine, two_balls, ON_BALL, ON_OTHER).mask(), BALL | OTHER) > 0.9


def test_an_answer_outlives_the_flag_of_the_request_for_which_it_was_made(engine, two_balls):
    flag = After(10**9)
    predict(engine, two_balls, ON_BALL, watch=Watch(cancel=flag))
    flag.left = 0
    cube = CubeFrame(GEOMETRY).around(CENTER)
    window = ImageWindow(engine._model, two_balls, cube, (0.0, 100.0))
    assert engine.embedding(two_balls, window).nbytes > 0
    assert predict(engine, two_balls, ON_BALL, ON_OTHER).mask()[at(ON_OTHER)]


def test_progress_is_reported_in_steps_that_never_exceed_their_number(engine):
    steps = []
    watch = Watch(progress=lambda *what: steps.append(what))
    predict(engine, ct_of(TUBE, LONG), ON_TUBE, watch=watch)
    assert len(steps) > 30 and all(0 <= done <= total for done, total, _ in steps)
    assert steps[-1] == (1, 1, "Done")
    messages = list(dict.fromkeys(message for *_, message in steps))
    parts = [f"Following the object, part {n}" for n in range(2, len(messages))]
    assert parts and messages == ["Looking at the volume", *parts, "Done"]


def test_the_first_cube_is_shown_before_the_object_is_followed_out_of_it(engine, network):
    seen = []

    def look(make):
        seen.append((network.encoded, make().mask()))

    answer = predict(engine, ct_of(TUBE, LONG), ON_TUBE, watch=Watch(preview=look))
    assert seen[0][0] == 1
    sizes = [np.count_nonzero(mask) for _, mask in seen]
    assert 0 < sizes[0] < sizes[-1] < np.count_nonzero(answer.mask())
    assert dice(seen[0][1] & TUBE, seen[0][1]) > 0.9
    plain = predict(bright_engine(), ct_of(TUBE, LONG), ON_TUBE)
    assert np.array_equal(plain.logits, answer.logits)


def test_previews_keep_within_the_roi_and_out_of_other_segments(engine):
    roi = Roi.from_box(middle_of(LONG), (400, 30, 30))
    occupied = voxel_positions(LONG)[..., 2] > middle_of(LONG)[2] + 6
    seen = []
    predict(
        engine,
        ct_of(TUBE, LONG),
        roi=roi,
        voxels=VoxelPrompts(occupied=Patch(occupied, (0, 0, 0))),
        watch=Watch(preview=lambda make: seen.append(make().mask())),
    )
    free = roi.contains_voxels(LONG) & ~occupied
    assert seen and all(mask.any() and not mask[~free].any() for mask in seen)


def test_a_click_finds_ready_what_was_prepared(engine, network, two_balls):
    engine.prepare(two_balls, np.array(ON_BALL.ras), Watch())
    assert network.encoded == 1 and network.asked == []
    prediction = predict(engine, two_balls, ON_BALL)
    assert network.encoded == 1 and prediction.cost.encoded == 0
    assert len(prediction.cost.pictures) == 1


def test_nothing_is_prepared_beside_the_volume_nor_in_the_answers_windows(engine, network):
    longer = grid((20, 20, 300), (3, 5, 5))
    middle = middle_of(longer)
    tube = ellipsoid(longer, middle, (300, 25, 25))
    image = ct_of(tube, longer)
    engine.prepare(image, np.add(middle, (5000, 0, 0)), Watch())
    assert network.encoded == 0
    predict(engine, image, Point(tuple(middle)))
    encoded = network.encoded
    for x in (-240, -100, 0, 60, 240):
        engine.prepare(image, np.add(middle, (x, 0, 0)), Watch())
    assert network.encoded == encoded
    engine.prepare(image, np.add(middle, (440, 0, 0)), Watch())
    assert network.encoded == encoded + 1
    # Another volume's answer says nothing.
    engine.prepare(ct_of(tube, longer), middle, Watch())
    assert network.encoded == encoded + 2


def test_preparing_can_be_stopped_and_goes_on_unharmed(engine, network, two_balls):
    for looks in (0, 5):
        with pytest.raises(Cancelled):
            engine.prepare(two_balls, CENTER, Watch(cancel=After(looks)))
    assert network.encoded == 0
    assert dice(predict(engine, two_balls, ON_BALL).mask(), BALL) > 0.9


def test_when_answers_are_forgotten_so_are_the_images_but_not_the_embeddings(
    engine, network, two_balls
):
    first = predict(engine, two_balls, ON_BALL, roi=Roi.from_box(CENTER, (80, 80, 80)))
    engine.forget_answers()
    assert not engine._answers and not engine._region and not engine._latest
    again = predict(engine, two_balls, ON_BALL, roi=Roi.from_box(CENTER, (80, 80, 80)))
    assert np.array_equal(again.logits, first.logits) and network.encoded == 1


def test_the_users_intensity_range_is_what_the_network_sees_and_has_its_own_answer(engine, network):
    # Inside the bright ball is a still brighter one.
    core = ball(GEOMETRY, CENTER, 14)
    image = Image(np.where(core, 900, np.where(BALL, 180, 20)).astype(np.int16), GEOMETRY, "CT")
    click = Point(tuple(CENTER))
    assert dice(predict(engine, image, click).mask(), core) > 0.85
    narrow = predict(engine, image, click, intensity_range=(20, 180))
    assert dice(narrow.mask(), BALL) > 0.9
    assert network.encoded == 2
    assert dice(predict(engine, image, click).mask(), core) > 0.85


@pytest.mark.parametrize("shape", [(5, 5, 5), (2, 5, 5), (5, 2, 3)])
def test_a_volume_of_few_voxels_gives_an_answer(engine, shape):
    geometry = grid(shape, (4, 4, 5))
    truth = np.zeros(shape, bool)
    truth[shape[0] // 2 :] = True
    click = Point(tuple(geometry.to_ras((shape[2] // 2, shape[1] // 2, shape[0] - 1))))
    mask = predict(engine, ct_of(truth, geometry), click).mask()
    assert mask.shape == shape and mask[at(click, geometry)]


def test_a_cube_of_one_intensity_is_refused_and_the_rest_of_the_volume_goes_on(engine):
    voxels = np.zeros(LONG.shape, np.int16)
    voxels[:, :, 150:] = np.where(TUBE, 180, 20)[:, :, 150:]
    image = Image(voxels, LONG, "CT")
    with pytest.raises(InputError, match="same intensity"):
        predict(engine, image, Point(tuple(LONG.to_ras((10, 10, 10)))))
    there = Point(tuple(LONG.to_ras((170, 10, 10))))
    assert predict(engine, image, there).mask()[at(there, LONG)]
