"""A fast model and one that draws borders, made into one answer."""

from functools import partial

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.errors import Cancelled, InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from TestSupport.phantoms import ball, dice, grid, image_of, middle_of, voxel_positions
from TestSupport.quick_engine import QuickEngine

torch = pytest.importorskip("torch")

from SAMSegmentLib.models.cascade.engine import CascadeEngine  # noqa: E402
from SAMSegmentLib.models.cascade.rule import is_surer  # noqa: E402
from SAMSegmentLib.models.embedding_cache import EmbeddingCache  # noqa: E402
from SAMSegmentLib.models.slicewise.object_finder import FoundObject  # noqa: E402
from SAMSegmentLib.models.slicewise.outlining import MOST_SLICES, Outline  # noqa: E402
from TestSupport.bright_network import bright_engine  # noqa: E402
from TestSupport.true_network import TrueEngine, Truth, ball_at  # noqa: E402

GEOMETRY = grid((24, 64, 64), (1.5, 1.5, 3.0))
CENTER, RADIUS = middle_of(GEOMETRY), 24.0
BALL = ball(GEOMETRY, CENTER, RADIUS)
IMAGE = image_of(BALL, GEOMETRY)
CLICK = Point(tuple(CENTER))
ROI = Roi.from_box(CENTER, [2 * RADIUS + 10] * 3)


class Pair:
    """A cascade of two toy models, of which the fast one takes the object for a ball.

    Attributes:
        loaded: which parts were loaded, in their order.
    """

    def __init__(self, radius: float = 0.85 * RADIUS, center=CENTER, **truth) -> None:
        self.fast = TrueEngine(Truth(ball_at(center, radius), **truth))
        self.borders = bright_engine()
        self.loaded: list[str] = []
        parts = {name: partial(self._load, name) for name in ("fast", "borders")}
        cpu = torch.device("cpu")
        self.engine = CascadeEngine(parts, cpu, EmbeddingCache(2**20))

    def _load(self, name: str):
        self.loaded.append(name)
        return getattr(self, name)

    def predict(self, *points, roi=None, line=None, image=IMAGE, watch=None, voxels=None, **more):
        prompts = Prompts(roi, points, line, **more)
        return self.engine.predict(image, prompts, watch or Watch(), voxels=voxels)


def at(point: Point) -> tuple[int, int, int]:
    """The voxel (k, j, i) of a point."""
    return tuple(np.rint(GEOMETRY.to_ijk(np.array(point.ras))[::-1]).astype(int))


def an_outline(quality: float, likeness: float) -> Outline:
    return Outline(
        FoundObject(Patch(np.zeros((1, 1, 1), np.float32), (0, 0, 0))), quality, likeness
    )


@pytest.mark.parametrize(
    ("quality", "likeness", "taken"),
    [(0.85, 0.5, True), (0.98, 0.9, True), (0.84, 0.9, False), (0.98, 0.49, False)],
)
def test_a_border_is_taken_from_who_is_sure_of_the_same_object(quality, likeness, taken):
    assert is_surer(an_outline(quality, likeness)) == taken


@pytest.mark.parametrize("prompts", [{"roi": ROI}, {"points": (CLICK,)}], ids=["roi", "click"])
def test_the_border_of_the_slice_wise_model_replaces_a_mask_that_is_nearly_right(prompts):
    pair = Pair()
    answer = pair.predict(*prompts.get("points", ()), roi=prompts.get("roi"))
    alone = pair.fast.predict(
        IMAGE, Prompts(prompts.get("roi"), prompts.get("points", ())), Watch()
    )
    # But for the slices at its ends, beyond what the fast one has found.
    assert dice(alone.mask(), BALL) < 0.8 and dice(answer.mask(), BALL) > 0.93
    assert answer.geometry is GEOMETRY and answer.logits.dtype == np.float32


def test_another_object_is_not_taken_for_a_better_border():
    pair = Pair(radius=0.3 * RADIUS)
    alone = pair.fast.predict(IMAGE, Prompts(points=(CLICK,)), Watch())
    assert np.array_equal(pair.predict(CLICK).logits, alone.logits)


def test_no_more_slices_are_looked_at_than_it_takes_to_know_that_it_is_not_surer():
    # Its boxes lie across the ball's border, and the network expects little of them.
    pair = Pair(radius=RADIUS, center=np.add(CENTER, (0.8 * RADIUS, 0, 0)))
    messages = []
    click = Point(tuple(np.add(CENTER, (0.7 * RADIUS, 0, 0))))
    answer = pair.predict(click, watch=Watch(lambda done, total, text: messages.append(text)))
    alone = pair.fast.predict(IMAGE, Prompts(points=(click,)), Watch())
    assert np.array_equal(answer.logits, alone.logits)
    looked_at = [text for text in messages if text.startswith("Border on slice")]
    total = int(looked_at[0].rpartition(" ")[2])
    assert 1 < len(looked_at) < total


def test_a_mask_without_the_click_is_not_taken():
    hollow = BALL & ~ball(GEOMETRY, CENTER, 4.0)
    pair = Pair()
    answer = pair.predict(CLICK, image=image_of(hollow, GEOMETRY))
    assert answer.mask()[at(CLICK)]


@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_volumes_may_be_oblique_flipped_anisotropic_and_sheared(tilt):
    turn = Rotation.from_euler("xyz", (25, -10, 160), degrees=True).as_matrix()
    matrix, shear = np.eye(4), np.eye(3)
    shear[1, 2] = tilt
    matrix[:3, :3] = turn @ shear @ np.diag((-1.5, 1.5, -4.0))
    geometry = Geometry(matrix, (24, 70, 60))
    center = middle_of(geometry)
    there = ball(geometry, center, RADIUS)
    pair = Pair(center=center)
    answer = pair.predict(Point(tuple(center)), image=image_of(there, geometry))
    assert dice(answer.mask(), there) > 0.9


def test_a_single_slice_is_answered_too():
    geometry = grid((1, 64, 64), (1.5, 1.5, 5.0))
    disc = ball(geometry, middle_of(geometry), RADIUS)
    pair = Pair(center=middle_of(geometry))
    answer = pair.predict(Point(tuple(middle_of(geometry))), image=image_of(disc, geometry))
    assert dice(answer.mask(), disc) > 0.95


def test_an_image_smaller_than_the_networks_inputs_is_answered_too():
    geometry = grid((5, 9, 8), (1.5, 1.5, 3.0))
    there = ball(geometry, middle_of(geometry), 4.5)
    pair = Pair(center=middle_of(geometry), radius=4.0)
    answer = pair.predict(Point(tuple(middle_of(geometry))), image=image_of(there, geometry))
    assert dice(answer.mask(), there) > 0.7


# --- one answer that gets better ------------------------------------------------------------------


def test_the_fast_answer_is_shown_once_before_the_second_model_is_loaded():
    pair, shown = Pair(), []

    def preview(make):
        shown.append((make().mask(), tuple(pair.loaded)))

    answer = pair.predict(CLICK, watch=Watch(preview=preview))
    alone = pair.fast.predict(IMAGE, Prompts(points=(CLICK,)), Watch())
    mask, loaded = shown[-1]
    assert np.array_equal(mask, alone.mask()) and loaded == ("fast",)
    assert sum(np.array_equal(one, mask) for one, _ in shown) == 1
    assert pair.loaded == ["fast", "borders"]
    assert not np.array_equal(answer.mask(), mask)


def test_a_preview_that_was_dropped_is_shown_while_the_border_is_drawn():
    pair, offered = Pair(), []

    def preview(make):
        offered.append(make if len(offered) < 3 else make().mask())

    pair.predict(roi=ROI, watch=Watch(preview=preview))
    alone = pair.fast.predict(IMAGE, Prompts(ROI), Watch())
    assert len(offered) == 4 and np.array_equal(offered[3], alone.mask())


def test_an_roi_that_ends_it_limits_the_mask_and_the_preview():
    half = Roi.from_box(np.subtract(CENTER, (10, 0, 0)), (50, 60, 60))
    shown = []
    answer = Pair().predict(roi=half, watch=Watch(preview=lambda make: shown.append(make().mask())))
    outside = ~half.contains_voxels(GEOMETRY)
    assert answer.mask().any() and not answer.mask()[outside].any()
    assert shown and not any(mask[outside].any() for mask in shown)


def test_other_segments_are_left_alone():
    taken = np.zeros_like(BALL)
    taken[:, :, :28] = True
    voxels = VoxelPrompts(occupied=Patch(taken, (0, 0, 0)))
    answer = Pair().predict(Point(tuple(np.add(CENTER, (10, 0, 0)))), voxels=voxels)
    assert answer.mask().any() and not answer.mask()[taken].any()


def test_it_can_be_stopped_between_slices_and_asked_again():
    class Flag:
        is_border = False

        def is_set(self):
            return self.is_border

    flag, pair, messages = Flag(), Pair(), []

    def progress(done, total, message):
        messages.append(message)
        flag.is_border = message == "Border on slice 2 of 14"

    with pytest.raises(Cancelled):
        pair.predict(CLICK, watch=Watch(progress, flag))
    assert messages[-1] == "Border on slice 2 of 14"
    encoded = pair.borders._model.encoded
    again = pair.predict(CLICK)
    assert dice(again.mask(), BALL) > 0.93
    assert pair.borders._model.encoded < 2 * max(encoded, 4)


def test_a_long_object_costs_no_more_slices_than_it_may():
    geometry = grid((120, 40, 40), (2.0, 2.0, 3.0))
    center = middle_of(geometry)
    across = np.linalg.norm((voxel_positions(geometry) - center)[..., :2], axis=-1)
    tube = image_of(across < 20, geometry)
    pair = Pair(center=center, radius=1.0)
    pair.fast.truth.objects = (lambda ras: np.linalg.norm((ras - center)[..., :2], axis=-1) < 19,)
    roi = Roi.from_box(center, (60, 60, 340))
    answer = pair.predict(roi=roi, image=tube)
    assert pair.borders._model.encoded == -(-MOST_SLICES // 4)
    inside = roi.contains_voxels(geometry)
    assert dice(answer.mask()[inside], across[inside] < 20) > 0.9


# --- corrections and the rest ---------------------------------------------------------------------


def test_a_click_corrects_the_border_without_asking_for_it_again():
    pair = Pair()
    pair.predict(CLICK)
    encoded = pair.borders._model.encoded
    beside = Point(tuple(np.add(CENTER, (0, RADIUS - 3, 0))), positive=False)
    answer = pair.predict(CLICK, beside)
    assert not answer.mask()[at(beside)]
    assert pair.borders._model.encoded == encoded
    # What the click did not touch stays as the border was drawn.
    away = voxel_positions(GEOMETRY)[..., 1] < CENTER[1]
    assert dice(answer.mask()[away], BALL[away]) > 0.9


def test_candidates_are_those_of_the_fast_model_the_answer_first():
    pair = Pair(candidates=True)
    answer = pair.predict(CLICK)
    alone = pair.fast.predict(IMAGE, Prompts(points=(CLICK,)), Watch())
    assert len(answer.masks) == len(alone.masks) > 1
    other = pair.predict(CLICK, candidate=1)
    expected = pair.fast.predict(IMAGE, Prompts(points=(CLICK,), candidate=1), Watch())
    assert np.array_equal(other.mask(), expected.mask())


def test_a_line_is_answered_by_the_slice_wise_model_alone():
    pair = Pair()
    ends = (np.subtract(CENTER, (RADIUS, 0, 0)), np.add(CENTER, (RADIUS, 0, 0)))
    line = Line(*(tuple(end) for end in ends))
    answer = pair.predict(line=line)
    alone = bright_engine().predict(IMAGE, Prompts(line=line), Watch())
    assert np.array_equal(answer.logits, alone.logits)
    assert pair.fast.truth.asked == []
    corner = Point(tuple(np.add(CENTER, (0, RADIUS - 2, 0))), positive=False)
    corrected = pair.predict(corner, line=line)
    assert not corrected.mask()[at(corner)]


@pytest.mark.parametrize("refine", [False, True])
def test_what_a_segment_holds_is_the_fast_models(refine):
    pair = Pair()
    voxels = VoxelPrompts(Patch(ball(GEOMETRY, CENTER, 20), (0, 0, 0)), refine)
    answer = pair.predict(CLICK, voxels=voxels)
    alone = pair.fast.predict(IMAGE, Prompts(points=(CLICK,)), Watch(), voxels=voxels)
    assert np.array_equal(answer.logits, alone.logits)
    assert pair.loaded == ["fast"]


def test_looking_ahead_encodes_what_the_fast_model_needs():
    pair = Pair()
    pair.engine.prepare(IMAGE, CENTER, Watch())
    encoded = len(pair.fast.encoded_windows)
    assert encoded == 1
    pair.fast.predict(IMAGE, Prompts(points=(CLICK,)), Watch())
    pair.engine.prepare(IMAGE, CENTER, Watch())
    assert pair.loaded == ["fast"]


def test_forgetting_answers_reaches_all_parts():
    pair = Pair()
    pair.predict(CLICK)
    pair.engine.forget_answers()
    assert not pair.engine._answers and pair.engine._latest is None
    assert pair.borders._region is None


def test_parts_of_the_wrong_kind_are_refused():
    quick = QuickEngine(None, None, None)
    with pytest.raises(InputError, match="QuickEngine cannot be the part 'fast'"):
        CascadeEngine({"fast": lambda: quick, "borders": lambda: quick}, None, EmbeddingCache(1))
