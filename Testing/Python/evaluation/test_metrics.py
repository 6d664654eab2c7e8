"""Dice and surface Dice, against their definitions and against MONAI."""

import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.errors import InputError, MissingPackageError
from SAMSegmentLib.core.patch import bounding_box
from SAMSegmentLib.evaluation.metrics import check_packages, dsc, nsd
from TestSupport.geometries import geometries
from TestSupport.phantoms import ball, grid
from TestSupport.properties import examples

SPACING = np.array((0.7, 1.0, 3.0))
EMPTY = np.zeros((6, 8, 10), dtype=bool)


def blob(seed, shape=(10, 16, 14)):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 2)
    return noise > np.quantile(noise, 0.8)


def with_voxel():
    mask = EMPTY.copy()
    mask[2, 3, 4] = True
    return mask


seeds = st.integers(0, 2**16)


@given(seeds, seeds)
def test_dsc_is_the_same_both_ways_and_between_0_and_1(a, b):
    a, b = blob(a), blob(b)
    assert dsc(a, b) == dsc(b, a)
    assert 0 <= dsc(a, b) <= 1


@settings(max_examples=examples(20))
@given(seeds, seeds)
def test_nsd_is_the_same_both_ways_and_between_0_and_1(a, b):
    a, b = blob(a), blob(b)
    assert nsd(a, b, SPACING) == pytest.approx(nsd(b, a, SPACING))
    assert 0 <= nsd(a, b, SPACING) <= 1


@settings(max_examples=examples(20))
@given(seeds)
def test_equal_masks_agree_fully(seed):
    mask = blob(seed)
    assert dsc(mask, mask) == 1
    assert nsd(mask, mask.astype(np.uint8), SPACING) == 1


def test_dsc_of_half_an_overlap():
    a, b = EMPTY.copy(), EMPTY.copy()
    a[:, :, :4] = b[:, :, 2:6] = True
    assert dsc(a, b) == 0.5


@pytest.mark.parametrize("metric", [dsc, lambda a, b: nsd(a, b, SPACING)])
def test_two_empty_masks_agree_and_one_empty_mask_does_not(metric):
    assert metric(EMPTY, EMPTY) == 1
    assert metric(EMPTY, with_voxel()) == 0
    assert metric(with_voxel(), EMPTY) == 0


@pytest.mark.parametrize("metric", [dsc, lambda a, b: nsd(a, b, SPACING)])
def test_masks_of_different_shapes_are_refused(metric):
    with pytest.raises(InputError, match="same shape"):
        metric(EMPTY, EMPTY[1:])


@pytest.mark.parametrize(("axis", "shift_mm"), [(0, 3.0), (1, 1.0), (2, 0.7)])
def test_a_plate_that_is_moved_agrees_within_that_distance_only(axis, shift_mm):
    # Faces across the axis move by one voxel, so their surfaces lie its spacing apart; the rims,
    # up to half of the surface, agree in any case.
    plate = np.zeros((24, 24, 24), dtype=bool)
    plate[tuple(slice(10, 13) if n == axis else slice(None) for n in range(3))] = True
    moved = np.roll(plate, 1, axis)
    assert nsd(plate, moved, SPACING, shift_mm + 0.01) == 1
    assert nsd(plate, moved, SPACING, shift_mm - 0.01) < 0.6


def test_what_lies_around_the_masks_does_not_matter():
    a, b = blob(1), blob(2)
    padding = ((3, 0), (0, 5), (7, 2))
    around = nsd(np.pad(a, padding), np.pad(b, padding), SPACING)
    assert around == pytest.approx(nsd(a, b, SPACING))


# Both count surface elements between voxels with the same table, MONAI in single precision.
@settings(max_examples=examples(15))
# A distance that equals the tolerance may fall on either side: no spacing has these.
@given(geometries(shapes=st.just((8, 12, 10))), seeds, st.sampled_from((0.53, 1.07, 2.11, 4.3)))
def test_nsd_is_monais_also_in_oblique_and_anisotropic_grids(geometry, seed, tolerance):
    a = blob(seed, geometry.shape)
    noise = np.random.default_rng(seed).normal(size=a.shape)
    b = ndimage.gaussian_filter(a + 0.4 * noise, 1) > 0.5
    b[4, 6, 5] = True
    assert nsd(a, b, geometry.spacing, tolerance) == pytest.approx(
        by_monai(a, b, geometry.spacing, tolerance), abs=1e-4
    )


def by_monai(truth, mask, spacing, tolerance):
    torch = pytest.importorskip("torch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from monai.metrics import compute_surface_dice

        score = compute_surface_dice(
            torch.from_numpy(mask)[None, None].float(),
            torch.from_numpy(truth)[None, None].float(),
            [tolerance],
            include_background=True,
            spacing=tuple(spacing[::-1]),
            use_subvoxels=True,
        )
    return float(score)


def test_a_ball_and_a_larger_one_agree_from_their_distance_on():
    geometry = grid((24, 48, 48), (1.0, 1.0, 2.0))
    small, large = (ball(geometry, (24, 24, 24), radius) for radius in (12, 15))
    assert nsd(small, large, geometry.spacing, 5.0) == 1
    assert nsd(small, large, geometry.spacing, 1.5) < 0.1


def test_a_missing_package_is_named_with_what_to_do(monkeypatch):
    check_packages()
    monkeypatch.setitem(sys.modules, "surface_distance", None)
    with pytest.raises(MissingPackageError, match="pip install surface-distance"):
        nsd(with_voxel(), with_voxel(), SPACING)
    with pytest.raises(MissingPackageError, match="pip install surface-distance"):
        check_packages()


def test_the_bounding_box_holds_every_voxel_and_touches_them_on_all_sides():
    mask = EMPTY.copy()
    mask[1, 3, 9] = mask[4, 2, 0] = True
    assert bounding_box(mask) == (slice(1, 5), slice(2, 4), slice(0, 10))
    assert bounding_box(EMPTY) is None
