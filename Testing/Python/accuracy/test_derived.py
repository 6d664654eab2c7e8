"""Derived cases: changed as described, in the same place in RAS, and always the same."""

import numpy as np
import pytest

from Accuracy.derived import Derivation
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.overlap import dice
from SAMSegmentLib.evaluation.cases import LabelledImage
from TestSupport.phantoms import ball, grid

# Along the slices in the middle of two, so that slices twice as thick are symmetric, too.
CENTER, RADIUS = np.array((24.0, 24.0, 28.5)), 12.0


def labelled(geometry, dtype=np.int16):
    """A bright ball of label 2 in dark surroundings, and a label 1 that is not scored."""
    inside = ball(geometry, CENTER, RADIUS)
    labels = np.where(inside, 2, 0).astype(np.uint8)
    labels[0, 0, 0] = 1
    voxels = np.where(inside, 200, -50).astype(dtype)
    return LabelledImage(Image(voxels, geometry, "CT"), labels, (2,))


@pytest.fixture
def source():
    return labelled(grid((20, 32, 32)))


def test_a_crop_keeps_voxels_where_they_are(source):
    derived = Derivation(crop=[[2, 12], [5, 30], [16, 32]]).of(source)
    assert np.array_equal(derived.image.voxels, source.image.voxels[2:12, 5:30, 16:32])
    assert np.array_equal(derived.labels, source.labels[2:12, 5:30, 16:32])
    assert np.allclose(
        derived.image.geometry.to_ras(np.array((0, 0, 0))),
        source.image.geometry.to_ras(np.array((16, 5, 2))),
    )


@pytest.mark.parametrize(
    "derivation",
    [
        Derivation(spacing=[0.8, 0.8, 0.8]),
        Derivation(spacing=[1.5, 1.5, 6.0]),
        Derivation(rotated=[15, -20, 10]),
        Derivation(rotated=[15, -20, 10], spacing=[1.0, 2.0, 5.0]),
    ],
    ids=str,
)
@pytest.mark.parametrize("flipped", [False, True])
def test_another_grid_shows_the_same_object_in_the_same_place(derivation, flipped):
    matrix = np.diag([1.5, 1.5, 3.0, 1.0])
    if flipped:
        matrix[:, 0] *= -1
        matrix[0, 3] = 1.5 * 31
    source = labelled(Geometry(matrix, (20, 32, 32)))
    derived = derivation.of(source)
    geometry = derived.image.geometry
    if derivation.spacing is not None:
        assert np.allclose(geometry.spacing, derivation.spacing)
    for found in (derived.mask(2), derived.image.voxels > 75):
        # The slices are up to half as thick as the ball's radius.
        assert dice(found, ball(geometry, CENTER, RADIUS)) > 0.87
        assert np.allclose(geometry.to_ras(np.argwhere(found).mean(0)[::-1]), CENTER, atol=0.3)
    assert derived.image.voxels.dtype == np.int16
    assert derived.image.voxels.min() >= -50 and derived.image.voxels.max() <= 200
    assert set(np.unique(derived.labels)) == {0, 2}


def test_the_middle_stays_where_it_is_on_a_tilted_grid():
    matrix = np.array([[1.5, 0, 0, 0], [0, 1.5, 0.4, 0], [0, 0, 3.0, 0], [0, 0, 0, 1]])
    source = labelled(Geometry(matrix, (20, 32, 32)))
    turned = Derivation(spacing=[2.0, 2.0, 2.0]).of(source).image.geometry
    middles = [
        each.to_ras((np.array(each.shape[::-1]) - 1) / 2)
        for each in (source.image.geometry, turned)
    ]
    assert np.allclose(*middles)


def test_a_thick_slice_is_the_mean_of_those_within():
    voxels = np.arange(4, dtype=np.float32).repeat(64).reshape(4, 8, 8)
    image = Image(voxels, grid((4, 8, 8), (1, 1, 2)))
    source = LabelledImage(image, (voxels > 2).astype(np.uint8), (1,))
    derived = Derivation(spacing=[1, 1, 4]).of(source)
    assert derived.image.geometry.shape == (2, 8, 8)
    # Not of its middle alone, where a spline would find 0.5 and 2.5, too, but of whole voxels.
    assert np.allclose(derived.image.voxels[:, 0, 0], (0.5, 2.5), atol=0.1)
    assert not derived.labels.any(), "a voxel half full is not of the label"


def test_contrast_is_turned_within_a_range(source):
    derived = Derivation(grey_range=[-50, 150], inverted=True).of(source)
    assert set(np.unique(derived.image.voxels)) == {0, 200}
    assert np.array_equal(derived.image.voxels == 0, source.mask(2))
    half = Derivation(grey_range=[-300, 200], gamma=2).of(source)
    assert np.allclose(np.unique(half.image.voxels), (0.25 * 500, 500))


@pytest.mark.parametrize("noise", [{"ct_noise": 20.0}, {"rician_noise": 0.1}], ids=str)
def test_noise_is_as_strong_as_asked_for_and_always_the_same(source, noise):
    derived, again = (Derivation(**noise).of(source) for _ in range(2))
    assert np.array_equal(derived.image.voxels, again.image.voxels)
    bright = derived.image.voxels[source.mask(2)]
    assert bright.std() == pytest.approx(20, rel=0.15)
    assert bright.mean() == pytest.approx(200, rel=0.02)
    assert np.array_equal(derived.labels, source.labels)


def test_a_source_is_not_changed(source):
    before = source.image.voxels.copy()
    Derivation(gamma=0.5, inverted=True, rotated=[5, 5, 5], ct_noise=9).of(source)
    assert np.array_equal(source.image.voxels, before)
