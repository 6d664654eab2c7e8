"""What SAM-Med3D sees of a cube is what its training showed it, whatever the volume's geometry."""

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.models.sammed3d import picture as sammed3d_picture
from SAMSegmentLib.models.sammed3d.model import CubeFrame
from SAMSegmentLib.models.sammed3d.picture import CT_RANGE, clip_of, normalised, picture_in
from SAMSegmentLib.models.windowed.model import ImageWindow
from TestSupport.geometries import geometries, reorientations
from TestSupport.phantoms import grid, middle_of, voxel_positions
from TestSupport.properties import examples

some_volumes = geometries(
    st.tuples(*[st.integers(3, 24)] * 3), st.tuples(*[st.floats(0.8, 25)] * 3)
)
shares = st.tuples(*[st.floats(0, 1)] * 3)
# Whole pictures are compared: to look for a simpler failure would take minutes and gigabytes.
SMALL_FAILURES = (Phase.explicit, Phase.generate)


def texture(geometry, lowest=-1500.0, highest=2500.0):
    """Values that change smoothly from voxel to voxel, and no two axes alike."""
    rng = np.random.default_rng(0)
    values = ndimage.gaussian_filter(rng.normal(size=geometry.shape), 1.0, mode="nearest")
    low, high = values.min(), values.max()
    return (lowest + (highest - lowest) * (values - low) / (high - low)).astype(np.float32)


class PictureOnly:
    """The part of the model that needs no network."""

    picture = staticmethod(picture_in)


def window_at(image, ras=None, intensity_range=None):
    ras = middle_of(image.geometry) if ras is None else ras
    cube = CubeFrame(image.geometry).around(ras)
    return ImageWindow(PictureOnly, image, cube, clip_of(image, intensity_range))


def slowly(window, part):
    """Some voxels of the picture before it is normalised: place by place, and which are doubtful.

    Args:
        part: (n, 3) indices x, y, z.
    """
    geometry = window.image.geometry
    cube = window.window
    # From the cube's lowest corner along its axes: nothing of its own grids is used.
    ras = (np.array(cube.start) + (part + 0.5) * 1.5) @ cube.frame.axes.T
    ijk = geometry.to_ijk(ras)
    values = ndimage.map_coordinates(
        window.image.voxels.astype(float), ijk[:, ::-1].T, order=1, mode="nearest"
    )
    values = np.clip(values, *window.clip)
    within = np.minimum(ijk + 0.5, np.array(geometry.shape[::-1]) - 0.5 - ijk).min(-1)
    return np.where(within >= 0, values, 0.0), np.abs(within) < 1e-3


@settings(max_examples=examples(10), phases=SMALL_FAILURES)
@given(some_volumes, shares, st.sampled_from(("CT", "MR")))
def test_a_picture_is_what_training_would_have_made_of_the_volume(geometry, share, modality):
    image = Image(texture(geometry), geometry, modality)
    ras = geometry.to_ras(np.array(share) * geometry.shape[::-1] - 0.5)
    window = window_at(image, ras)
    part = np.indices((128,) * 3).reshape(3, -1).T
    values, doubtful = slowly(window, part)
    positive = values[values > 0]
    if len(positive) < 100:
        return  # a share of doubtful voxels would matter
    expected = (values - positive.mean()) / positive.std(ddof=1)
    found = window.picture()
    assert found.dtype == np.float32 and found.shape == (128,) * 3
    difference = np.abs(found.ravel() - expected)[~doubtful]
    assert difference.max() < 0.02


@settings(max_examples=examples(6), phases=SMALL_FAILURES)
@given(reorientations(), st.sampled_from((-25.0, 0.0, 20.0)), st.booleans())
def test_however_voxels_are_stored_the_picture_is_the_same(storage, angle, tilted):
    turn = np.eye(4)
    angle = np.radians(angle)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turn[1, 2] = 0.4 if tilted else 0.0
    geometry = grid((20, 30, 25), (3.1, 2.3, 7.7), (5, -40, 100)).transformed(turn)
    voxels = texture(geometry)
    ras = geometry.to_ras((11, 17, 9))
    plain = window_at(Image(voxels, geometry, "CT"), ras)
    stored = Image(storage.apply(voxels), storage.apply_to_geometry(geometry), "CT")
    again = window_at(stored, ras)
    _, doubtful = slowly(plain, np.indices((128,) * 3).reshape(3, -1).T)
    difference = np.abs(again.picture() - plain.picture()).ravel()[~doubtful]
    assert difference.max() < 0.01


def test_axes_of_the_picture_run_to_the_right_the_front_and_the_head():
    # A volume as scanners store it: towards the left and the back.
    geometry = Geometry(np.diag([-2.0, -2.0, 3.0, 1.0]), (40, 60, 60))
    r, a, s = np.moveaxis(voxel_positions(geometry) - middle_of(geometry), -1, 0)
    for axis, values in enumerate((r, a, s)):
        image = Image((values + 200).astype(np.float32), geometry, "MR")
        picture = window_at(image, intensity_range=(-1000, 1000)).picture()
        inner = picture[40:88, 40:88, 40:88]
        steps = [np.diff(inner, axis=n).mean() for n in range(3)]
        assert steps[axis] > 1e-3
        assert np.allclose(np.delete(steps, axis), 0, atol=1e-6)


def test_whole_numbers_stay_whole_as_in_training():
    geometry = grid((40, 40, 40), (3, 3, 3))
    voxels = np.zeros(geometry.shape, np.int16)
    voxels[10:30, 10:30, 10:30] = np.arange(20)[:, None, None] + 1
    whole = window_at(Image(voxels, geometry, "CT")).picture()
    assert len(np.unique(whole)) <= 21  # 0 to 20
    between = window_at(Image(voxels.astype(np.float32), geometry, "CT")).picture()
    assert len(np.unique(between)) > 21
    # Below 1, nothing is left that would count.
    assert np.isclose(whole, whole.min()).sum() > np.isclose(between, between.min()).sum()


def test_ct_is_clipped_as_in_training_and_other_modalities_at_their_percentiles():
    geometry = grid((20, 20, 20), (4, 4, 4))
    voxels = texture(geometry)
    assert clip_of(Image(voxels, geometry, "CT"), None) == CT_RANGE == (-1000.0, 1000.0)
    lower, upper = clip_of(Image(voxels, geometry, "MR"), None)
    assert (lower, upper) == pytest.approx(np.percentile(voxels, (0.5, 99.5)))
    # Without a word on the modality, air around a body tells CT.
    assert clip_of(Image(voxels, geometry), None) == CT_RANGE
    assert clip_of(Image(voxels + 1500, geometry), None) != CT_RANGE


def test_the_users_range_comes_before_all_others():
    geometry = grid((20, 20, 20), (10, 10, 10))
    voxels = texture(geometry)
    for modality in ("CT", "MR"):
        image = Image(voxels, geometry, modality)
        assert clip_of(image, (100.0, 300.0)) == (100.0, 300.0)
        picture = window_at(image, intensity_range=(100.0, 300.0)).picture()
        clipped = np.clip(voxels, 100, 300)
        assert picture.min() < 0 < picture.max()
        assert len(np.unique(picture)) > 10
        # All of the volume beyond the range is of one brightness at either end.
        assert np.isclose(picture, picture.max()).mean() > 0.9 * (clipped == 300).mean()


def test_a_large_volumes_percentiles_are_taken_from_a_part_of_it(monkeypatch):
    geometry = grid((60, 60, 60), (4, 4, 4))
    image = Image(texture(geometry, 0, 1000), geometry, "MR")
    exact = clip_of(image, None)
    monkeypatch.setattr(sammed3d_picture, "MOST_SAMPLES", 20_000)
    assert clip_of(image, None) == pytest.approx(exact, abs=60)


def test_where_almost_all_is_background_the_whole_range_is_shown():
    geometry = grid((20, 20, 20), (4, 4, 4))
    voxels = np.zeros(geometry.shape, np.int16)
    voxels[10, 10, 9:12] = 50, 70, 60
    assert clip_of(Image(voxels, geometry, "MR"), None) == (0.0, 70.0)


def test_a_cubes_window_has_a_name_of_its_own():
    geometry = grid((100, 100, 100), (4, 4, 4))
    image = Image(texture(geometry), geometry, "CT")
    here, there = (100, 100, 100), (100, 100, 130)
    names = {
        window_at(image, here).key,
        window_at(image, there).key,
        window_at(image, here, (0.0, 100.0)).key,
    }
    assert len(names) == 3
    assert window_at(image, here).key == window_at(image, here).key


# --- guards ---------------------------------------------------------------------------------------


def picture_of(voxels, spacing=(4, 4, 4), modality="CT", ras=None):
    geometry = grid(voxels.shape, spacing)
    return window_at(Image(voxels.astype(np.int16), geometry, modality), ras).picture()


@pytest.mark.parametrize("value", [0, -1000, 300, 4000])
def test_a_cube_of_one_intensity_is_refused_with_what_to_do(value):
    voxels = np.full((100, 40, 40), value)
    voxels[95] = -500  # far away, there is something
    with pytest.raises(InputError, match=r"same intensity.*wider intensity range"):
        picture_of(voxels, ras=(80, 80, 0))
    assert np.isfinite(picture_of(voxels, ras=(80, 80, 390))).all()


@pytest.mark.parametrize(("low", "high"), [(-900, -300), (-300, 0)])
def test_a_cube_without_positive_voxels_is_shown_by_all_of_its_voxels(low, high):
    rng = np.random.default_rng(0)
    picture = picture_of(rng.integers(low, high, (70, 70, 70)))  # larger than the cube
    assert abs(picture.mean()) < 1e-3 and picture.std() == pytest.approx(1, abs=1e-3)


def test_voxels_of_the_padding_do_not_count():
    rng = np.random.default_rng(0)
    picture = picture_of(rng.integers(-900, -300, (10, 10, 10)))  # 40 mm of the cube's 192
    shown = picture[picture != np.median(picture)]
    assert abs(shown.mean()) < 0.05 and shown.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_one_bright_voxel_is_seen(modality):
    voxels = np.full((30, 30, 30), -100)
    voxels[15, 14, 13] = 900
    picture = picture_of(voxels, modality=modality)
    assert np.isfinite(picture).all()
    x, y, z = np.unravel_index(picture.argmax(), picture.shape)
    # Padding on both sides alike: the volume of 120 mm lies around the middle of 192.
    expected = (np.array([13.5, 14.5, 15.5]) * 4 - 60 + 96) / 1.5 - 0.5
    assert np.abs(np.array([x, y, z]) - expected).max() <= 5


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.7, 0.7, 3), (5, 5, 5), (40, 40, 40)])
def test_a_volume_of_five_voxels_gives_a_picture(spacing):
    rng = np.random.default_rng(0)
    for shape in ((5, 5, 5), (2, 5, 5)):
        picture = picture_of(rng.integers(1, 900, shape), spacing)
        assert np.isfinite(picture).all() and picture.std() > 0


def test_a_volume_smaller_than_any_voxel_that_the_network_gets_is_refused_for_that():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"smaller than the voxels of 1.5 mm.*another model"):
        picture_of(rng.integers(1, 900, (5, 5, 5)), (0.01, 0.01, 0.01))


def test_normalising_counts_positive_voxels_with_the_unbiased_deviation():
    values = np.array([-50.0, 0.0, 1.0, 2.0, 6.0, 99.0], np.float32)
    outside = np.array([False, False, False, False, False, True])
    found = normalised(values.copy(), outside)
    counted = np.array([1.0, 2.0, 6.0])
    expected = (np.array([-50.0, 0, 1, 2, 6, 0]) - counted.mean()) / counted.std(ddof=1)
    assert np.allclose(found, expected)
