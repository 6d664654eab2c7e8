"""LiteMedSAM from an ROI to a 3D mask, on real images with the weights that ship."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from SAMSegmentLib.core.errors import Cancelled, InputError, WeightsError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.orientation import Reorientation
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.models.slicewise.intensity import GreyLevels
from SAMSegmentLib.models.slicewise.slices import SliceStack, SliceWindow
from SAMSegmentLib.weights.catalogue import model_entry
from TestSupport.cases import chest_ct, shared_case
from TestSupport.phantoms import ball, ct_with_ball, dice, grid

torch = pytest.importorskip("torch")

GALLBLADDER, LEFT_KIDNEY = 4, 3
RIGHT_LUNG = 5


@pytest.fixture(scope="module")
def engine():
    from SAMSegmentLib.models.litemedsam.engine import LiteMedSAMEngine

    weights = model_entry("litemedsam").verified_path()
    return LiteMedSAMEngine(weights, torch.device("cpu"), EmbeddingCache(2**29))


def slab(case, label, slices, margin=5.0) -> Roi:
    """The box around a structure, but only a few slices high, to be quick."""
    roi = case.roi(label, margin)
    size = roi.size.copy()
    size[2] = slices * case.image.geometry.spacing[2] - 0.1
    return Roi.from_box(roi.center, size, roi.axes)


def predict(engine, image, roi, **options):
    return engine.predict(image, Prompts(roi=roi), Watch(), **options)


def in_roi(case, label, roi):
    return (case.labels == label) & roi.contains_voxels(case.image.geometry)


def test_a_lung_is_found_in_the_chest_ct(engine):
    case = chest_ct()
    roi = slab(case, RIGHT_LUNG, 3)
    mask = predict(engine, case.image, roi).mask()
    assert dice(mask, in_roi(case, RIGHT_LUNG, roi)) > 0.9


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("mr_abdomen_3mm", LEFT_KIDNEY),
        pytest.param("ct_abdomen_3mm", GALLBLADDER, marks=pytest.mark.slow),
    ],
)
def test_organs_are_found_in_ct_and_mr(engine, name, label):
    case = shared_case(name)
    mask = predict(engine, case.image, case.roi(label)).mask()
    assert dice(mask, case.labels == label) > 0.85


STORAGES = [
    Reorientation((0, 1, 2), (True, False, False)),
    Reorientation((0, 1, 2), (False, True, True)),
    Reorientation((2, 0, 1), (False, False, False)),
    Reorientation((1, 2, 0), (True, False, True)),
]


@pytest.mark.parametrize("storage", STORAGES, ids=str)
def test_stored_flipped_or_permuted_the_mask_is_the_same(engine, storage):
    case = chest_ct()
    roi = slab(case, RIGHT_LUNG, 2)
    mask = predict(engine, case.image, roi).mask()
    stored = Image(storage.apply(case.image.voxels), storage.apply_to_geometry(case.image.geometry))
    stored_mask = predict(engine, stored, roi).mask()
    assert mask.sum() > 1000
    assert dice(storage.undo(stored_mask), mask) >= 0.99


def test_an_oblique_volume_gives_the_mask_of_the_straight_one(engine):
    # The same voxels, turned together with the ROI by 30 degrees about two axes.
    case = chest_ct()
    turn = np.eye(4)
    turn[:3, :3] = _rotation(30, 20)
    turn[:3, 3] = (12, -30, 7)
    roi = slab(case, RIGHT_LUNG, 2)
    straight = predict(engine, case.image, roi).mask()
    turned = Image(case.image.voxels, case.image.geometry.transformed(turn))
    assert dice(predict(engine, turned, roi.transformed(turn)).mask(), straight) >= 0.99


def _rotation(about_s, about_r):
    s, r = np.radians((about_s, about_r))
    about = np.array([[np.cos(s), -np.sin(s), 0], [np.sin(s), np.cos(s), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(r), -np.sin(r)], [0, np.sin(r), np.cos(r)]])
    return about @ tilt


def test_a_gantry_tilted_volume_is_segmented_where_its_voxels_are(engine):
    tilted = np.diag([1.5, 1.5, 4, 1.0])
    tilted[1, 2] = 4 * np.tan(np.radians(20))
    geometry = Geometry(tilted, (12, 80, 80))
    center = geometry.to_ras([40, 40, 6])
    image = ct_with_ball(geometry, center, 20)
    mask = predict(engine, image, Roi.from_box(center, (50, 50, 18))).mask()
    truth = np.asarray(image.voxels > 120) & Roi.from_box(center, (50, 50, 18)).contains_voxels(
        geometry
    )
    assert dice(mask, truth) > 0.9


def test_a_box_that_follows_the_roi_keeps_the_mask_inside_an_oblique_roi(engine):
    case = chest_ct()
    axes = _rotation(35, 0)
    roi = slab(case, RIGHT_LUNG, 2)
    oblique = Roi.from_box(roi.center, roi.size * (0.7, 0.7, 1), axes)
    mask = predict(engine, case.image, oblique).mask()
    assert mask.any()
    assert not (mask.astype(bool) & ~oblique.contains_voxels(case.image.geometry)).any()


def test_the_second_time_nothing_is_encoded_again(engine):
    case = chest_ct()
    roi = slab(case, RIGHT_LUNG, 2)
    first = predict(engine, case.image, roi)
    second = predict(engine, case.image, roi)
    assert second.cost.encoded == 0
    assert np.array_equal(first.logits, second.logits)


def test_the_same_roi_on_another_image_is_encoded_anew(engine):
    case = chest_ct()
    roi = slab(case, RIGHT_LUNG, 1)
    predict(engine, case.image, roi)
    again = predict(engine, Image(case.image.voxels, case.image.geometry), roi)
    assert again.cost.encoded > 0


def test_the_intensity_range_can_be_given(engine):
    image = ct_with_ball(grid((8, 64, 64)), (48, 48, 10), 18)
    roi = Roi.from_box((48, 48, 10), (44, 44, 5))
    shown = predict(engine, image, roi, intensity_range=(-200, 300)).mask()
    hidden = predict(engine, image, roi, intensity_range=(1000, 2000)).mask()
    truth = (image.voxels > 120) & roi.contains_voxels(image.geometry)
    assert dice(shown, truth) > 0.9
    assert dice(hidden, truth) < 0.9


@pytest.mark.parametrize("intensity_range", [(1, 1), (2, 1), (np.nan, 1), (0, np.inf)])
def test_an_intensity_range_without_extent_is_refused(engine, intensity_range):
    image = ct_with_ball(grid((8, 64, 64)), (48, 48, 10), 18)
    with pytest.raises(InputError, match="intensity range"):
        predict(
            engine,
            image,
            Roi.from_box((48, 48, 10), (44, 44, 5)),
            intensity_range=intensity_range,
        )


def test_an_intensity_range_may_be_a_list_as_the_command_line_gives_it(engine):
    image = ct_with_ball(grid((8, 64, 64)), (48, 48, 10), 18)
    roi = Roi.from_box((48, 48, 10), (44, 44, 2))
    listed = predict(engine, image, roi, intensity_range=[-200.0, 300.0])
    assert np.array_equal(
        listed.logits, predict(engine, image, roi, intensity_range=(-200.0, 300.0)).logits
    )


def test_another_intensity_range_gives_another_answer(engine):
    image = ct_with_ball(grid((8, 64, 64)), (48, 48, 10), 18)
    roi = Roi.from_box((48, 48, 10), (44, 44, 2))
    one, other = (
        predict(engine, image, roi, intensity_range=ends) for ends in ((-200, 300), (1000, 2000))
    )
    assert not np.array_equal(one.logits, other.logits)


def test_cancel_leaves_the_engine_usable(engine):
    image = ct_with_ball(grid((8, 64, 64)), (48, 48, 10), 18)
    roi = Roi.from_box((48, 48, 10), (44, 44, 5))

    class Now:
        def is_set(self):
            return True

    with pytest.raises(Cancelled):
        engine.predict(image, Prompts(roi=roi), Watch(cancel=Now()))
    assert predict(engine, image, roi).mask().any()


def test_a_weights_file_that_is_none_is_refused(tmp_path):
    from SAMSegmentLib.models.litemedsam.engine import LiteMedSAMEngine

    (tmp_path / "weights.safetensors").write_bytes(b"not weights")
    with pytest.raises(WeightsError, match="not a weights file"):
        LiteMedSAMEngine(tmp_path / "weights.safetensors", torch.device("cpu"), EmbeddingCache(1))


def test_other_weights_never_get_the_embeddings_of_these(engine, tmp_path):
    from safetensors.torch import load_file, save_file

    from SAMSegmentLib.models.litemedsam.engine import LiteMedSAMEngine

    tensors = load_file(model_entry("litemedsam").path)
    tensors["image_encoder.neck.0.weight"] = tensors["image_encoder.neck.0.weight"] * 0.5
    save_file(tensors, tmp_path / "tuned.safetensors")
    tuned = LiteMedSAMEngine(tmp_path / "tuned.safetensors", torch.device("cpu"), engine._cache)
    case = chest_ct()
    window = SliceWindow(SliceStack(case.image, GreyLevels(-1000, 400), engine._model), 20)
    shipped, other = (e.embedding(case.image, window) for e in (engine, tuned))
    assert not torch.equal(shipped, other)


BALL_GRID = grid((12, 48, 48))
BALL_CENTER = (36.0, 36.0, 16.5)
BALL = ball(BALL_GRID, BALL_CENTER, 12.0)


def tissue_with_ball() -> Image:
    """A CT within the body: nothing but tissue, and the ball in it."""
    noise = np.random.default_rng(0).normal(0, 8, BALL_GRID.shape)
    return Image((np.where(BALL, 180, 20) + noise).astype(np.int16), BALL_GRID, modality="CT")


@pytest.mark.parametrize(
    "prompts",
    [
        # The accuracy gate has points and ROIs like these.
        pytest.param(
            Prompts(points=(Point((38, 34, 17.5)),)), id="a point", marks=pytest.mark.slow
        ),
        pytest.param(
            Prompts(Roi.from_box(BALL_CENTER, (30, 30, 30))), id="an ROI", marks=pytest.mark.slow
        ),
        pytest.param(Prompts(line=Line((24, 36, 16.5), (48, 36, 16.5))), id="a line"),
    ],
)
def test_any_prompt_finds_a_ball_and_further_clicks_hold(engine, prompts):
    image = tissue_with_ball()
    before = engine.predict(image, prompts, Watch()).mask()
    assert dice(before, BALL) > 0.85
    clicks = (Point((36, 50, 16.5)), Point((36, 28, 16.5), False))
    further = replace(prompts, points=(*prompts.points, *clicks))
    after = engine.predict(image, further, Watch()).mask()
    for click in clicks:
        voxel = tuple(np.rint(BALL_GRID.to_ijk(np.array(click.ras))[::-1]).astype(int))
        assert after[voxel] == click.positive


def test_content_is_refined_to_the_object_that_it_means(engine):
    small = ndimage.binary_erosion(BALL)
    voxels = VoxelPrompts(Patch(small, (0, 0, 0)), refine=True)
    mask = engine.predict(tissue_with_ball(), Prompts(), Watch(), voxels=voxels).mask()
    assert dice(mask, BALL) > max(dice(small, BALL), 0.85)


class After:
    """A flag that is set when it was looked at a number of times."""

    def __init__(self, looks: int) -> None:
        self.looks, self.at = 0, looks

    def is_set(self) -> bool:
        self.looks += 1
        return self.looks > self.at


def test_a_picture_can_be_given_up_while_the_network_encodes_it(engine):
    image, never = tissue_with_ball(), After(10**9)
    window = SliceWindow(SliceStack(image, GreyLevels(-160, 240), engine._model), 5)
    engine._cache.clear()
    with engine.watched(Watch(cancel=never)):
        whole = engine.embedding(image, window)
    assert never.looks > 10
    engine._cache.clear()
    with engine.watched(Watch(cancel=After(never.looks // 2))), pytest.raises(Cancelled):
        engine.embedding(image, window)
    assert engine._cache.nbytes == 0
    assert torch.equal(engine.embedding(image, window), whole)
