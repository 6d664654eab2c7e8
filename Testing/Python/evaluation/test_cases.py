"""A volume and its label map: put on one grid, or refused with a reason."""

import time

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.files import write_mask
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import sitk_from_array
from SAMSegmentLib.evaluation.cases import load_case
from TestSupport.cases import DATA
from TestSupport.geometries import reorientations
from TestSupport.phantoms import ball, centroid, dice, grid
from TestSupport.properties import examples

GEOMETRY = grid((12, 20, 24), (2.0, 2.0, 3.0), (-10.0, 5.0, 40.0))
CENTER = GEOMETRY.to_ras(np.array((12.0, 9.0, 6.0)))
LABELS = ball(GEOMETRY, CENTER, 9).astype(np.uint8) * 3
LABELS[2, 2, 2:6] = 7


def write(path, voxels, geometry=GEOMETRY):
    sitk.WriteImage(sitk_from_array(voxels, geometry), str(path))
    return path


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    noise = np.random.default_rng(0).normal(size=GEOMETRY.shape).astype(np.float32)
    return write(tmp_path_factory.mktemp("image") / "image.nrrd", noise)


@pytest.fixture
def label(tmp_path):
    def make(voxels, geometry=GEOMETRY, name="label.nrrd"):
        return write(tmp_path / name, voxels, geometry)

    return make


def test_labels_on_the_volumes_grid_are_taken_as_they_are(image, label):
    case = load_case(image, label(LABELS))
    assert case.values == (3, 7) and case.warnings == ()
    assert case.image.geometry.is_close(GEOMETRY)
    assert np.array_equal(case.mask(3), LABELS == 3) and case.mask(3).dtype == bool
    assert np.array_equal(case.mask(7), LABELS == 7)


def test_wanted_labels_are_the_only_ones(image, label):
    assert load_case(image, label(LABELS), [7]).values == (7,)


def test_whole_numbers_may_be_stored_as_floats(image, label):
    case = load_case(image, label(LABELS.astype(np.float32)))
    assert np.array_equal(case.mask(7), LABELS == 7)


@settings(max_examples=examples(12))
@given(reorientation=reorientations())
def test_a_label_map_stored_the_other_way_round_means_the_same(
    image, tmp_path_factory, reorientation
):
    path = tmp_path_factory.mktemp("label") / "label.nrrd"
    write(path, reorientation.apply(LABELS), reorientation.apply_to_geometry(GEOMETRY))
    case = load_case(image, path)
    assert np.array_equal(case.labels, LABELS)
    same = reorientation.apply_to_geometry(GEOMETRY).is_close(GEOMETRY)
    assert len(case.warnings) == (0 if same else 1)


@settings(max_examples=examples(8))
@given(angles=st.tuples(*[st.floats(-60, 60).map(lambda x: round(x, 6))] * 3))
def test_a_label_map_on_an_oblique_grid_is_resampled_with_a_warning(
    image, tmp_path_factory, angles
):
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("xyz", (*angles[:2], 5), degrees=True).as_matrix()
    fine = grid((70, 70, 70), (1, 1, 1), (-35, -35, -35)).transformed(turned)
    moved = np.eye(4)
    moved[:3, 3] = CENTER
    fine = fine.transformed(moved)
    path = write(
        tmp_path_factory.mktemp("label") / "label.nrrd",
        ball(fine, CENTER, 9).astype(np.int16) * 5,
        fine,
    )
    case = load_case(image, path)
    assert "another grid" in case.warnings[0]
    assert dice(case.mask(5), LABELS == 3) > 0.9
    assert np.linalg.norm(centroid(case.mask(5), GEOMETRY) - CENTER) < 0.6


def test_what_lies_outside_the_label_map_is_background(image, label):
    part = label(LABELS[:, :9].copy(), GEOMETRY.crop((0, 0, 0), (12, 9, 24)))
    case = load_case(image, part, [3])
    assert np.array_equal(case.mask(3)[:, :9], (LABELS == 3)[:, :9])
    assert not case.labels[:, 9:].any()


def test_a_difference_far_below_a_voxel_is_no_other_grid(image, label):
    matrix = GEOMETRY.ijk_to_ras.copy()
    matrix[:3, 3] += 0.01
    assert load_case(image, label(LABELS, Geometry(matrix, GEOMETRY.shape))).warnings == ()


def test_a_seg_nrrd_with_one_layer_is_a_label_map(image, tmp_path):
    path = tmp_path / "label.seg.nrrd"
    write_mask(path, LABELS == 3, GEOMETRY, "Ball")
    assert np.array_equal(load_case(image, path).mask(1), LABELS == 3)


def test_a_seg_nrrd_with_several_layers_is_refused(image, tmp_path):
    path = tmp_path / "layers.seg.nrrd"
    layers = sitk.GetImageFromArray(np.stack([LABELS, LABELS], axis=-1), isVector=True)
    sitk.WriteImage(layers, str(path))
    with pytest.raises(InputError, match="several layers"):
        load_case(image, path)


def test_slicers_own_overlapping_segments_are_refused():
    folder = DATA / "ct_chest_segnrrd"
    if not folder.is_dir():
        pytest.skip(f"the folder with real cases is not there: {DATA}")
    with pytest.raises(InputError, match="several layers"):
        load_case(folder / "CTChest4.nrrd", folder / "SegmentationOverlapping.seg.nrrd")


def test_tilted_slices_are_warned_of(tmp_path):
    matrix = GEOMETRY.ijk_to_ras.copy()
    matrix[:3, 2] += 0.3 * matrix[:3, 1]
    tilted = Geometry(matrix, GEOMETRY.shape)
    image = write(tmp_path / "image.nrrd", np.arange(LABELS.size).reshape(LABELS.shape), tilted)
    case = load_case(image, write(tmp_path / "label.nrrd", LABELS, tilted))
    assert len(case.warnings) == 1 and "tilt" in case.warnings[0]


def far_away():
    matrix = GEOMETRY.ijk_to_ras.copy()
    matrix[:3, 3] += 1000
    return Geometry(matrix, GEOMETRY.shape)


@pytest.mark.parametrize(
    ("voxels", "geometry", "says"),
    [
        (LABELS * 0, GEOMETRY, "is empty"),
        (LABELS * 0 + 2, GEOMETRY, "fills the whole volume"),
        (LABELS + 0.5, GEOMETRY, "not whole numbers"),
        (np.where(LABELS, np.nan, 0), GEOMETRY, "not whole numbers"),
        (np.where(LABELS, np.inf, 0), GEOMETRY, "not whole numbers"),
        (LABELS.astype(np.int16) - 1, GEOMETRY, "it is an image"),
        (np.arange(LABELS.size).reshape(LABELS.shape), GEOMETRY, "it is an image"),
        (LABELS, far_away(), "do not overlap"),
        (LABELS[:1], GEOMETRY.crop((0, 0, 0), (1, 20, 24)), "single slice"),
    ],
)
def test_label_maps_that_cannot_be_used_are_refused(image, label, voxels, geometry, says):
    with pytest.raises(InputError, match=says):
        load_case(image, label(voxels, geometry))


def test_an_absent_label_is_told_with_those_that_are_there(image, label):
    with pytest.raises(InputError, match=r"does not hold labels 4, 5: it holds labels 3, 7"):
        load_case(image, label(LABELS), [5, 4, 3])


def test_a_label_beside_the_volume_is_refused_although_the_grids_overlap(image, label):
    larger = grid((12, 20, 48), (2.0, 2.0, 3.0), (-10.0, 5.0, 40.0))
    voxels = np.zeros(larger.shape, dtype=np.uint8)
    voxels[:, :, :24] = LABELS
    voxels[3:6, 3:6, 40:44] = 9
    path = label(voxels, larger)
    assert load_case(image, path, [3]).mask(3).any()
    with pytest.raises(InputError, match=r"Label 9 .* outside the volume"):
        load_case(image, path)


@pytest.mark.parametrize("name", ["missing.nrrd", "text.nrrd"])
def test_files_that_are_no_images_are_refused(image, tmp_path, name):
    (tmp_path / "text.nrrd").write_text("not an image")
    with pytest.raises(InputError):
        load_case(image, tmp_path / name)
    with pytest.raises(InputError):
        load_case(tmp_path / name, image)


def test_a_label_in_thousands_of_pieces_works_quickly_with_a_warning(tmp_path):
    geometry = grid((60, 120, 120), (1, 1, 1))
    dust = np.zeros(geometry.shape, dtype=np.uint8)
    dust[::3, ::3, ::3] = 1
    noise = np.random.default_rng(0).integers(0, 100, geometry.shape).astype(np.int16)
    image = write(tmp_path / "image.nrrd", noise, geometry)
    label = write(tmp_path / "label.nrrd", dust, geometry)
    started = time.perf_counter()
    case = load_case(image, label)
    assert time.perf_counter() - started < 10
    assert len(case.warnings) == 1 and "32000 pieces" in case.warnings[0]
    assert case.mask(1).sum() == 32000


def noise(shape=(8, 40, 40)):
    """An MR without negative intensities, and with few: it could be mistaken for labels."""
    return np.random.default_rng(0).integers(0, 500, shape).astype(np.int16)


def test_an_image_and_a_label_map_in_the_wrong_order_are_told_before_any_work(tmp_path):
    labels = np.zeros((8, 40, 40), np.uint8)
    labels[2:6, 10:30, 10:30] = 1
    geometry = grid(labels.shape)
    image = write(tmp_path / "mr.nrrd", noise(), geometry)
    path = write(tmp_path / "labels.nrrd", labels, geometry)
    with pytest.raises(InputError, match="give the image first, then the label map"):
        load_case(path, image)
    assert load_case(image, path).values == (1,)


def test_one_file_is_not_both(tmp_path):
    image = write(tmp_path / "mr.nrrd", noise(), grid((8, 40, 40)))
    (tmp_path / "link.nrrd").symlink_to(image)
    for other in (image, tmp_path / "link.nrrd"):
        with pytest.raises(InputError, match="both image and label map"):
            load_case(image, other)


def test_many_labels_are_no_image(tmp_path):
    # 400 cells of 4 x 4 voxels in each slice.
    rows = np.arange(80) // 4
    cells = np.broadcast_to(1 + rows[:, None] + 20 * rows[None, :], (3, 80, 80)).astype(np.int16)
    image = write(tmp_path / "mr.nrrd", noise(cells.shape), grid(cells.shape))
    path = write(tmp_path / "cells.nrrd", cells, grid(cells.shape))
    assert len(load_case(image, path, [1, 400]).values) == 2
    with pytest.raises(InputError, match=r"does not hold label 999: it holds labels 1, 2.* more\."):
        load_case(image, path, [999])


def test_a_label_that_lies_partly_beside_the_volume_is_told(tmp_path):
    labels = np.zeros((8, 40, 40), np.uint8)
    labels[2:6, 10:30, 10:30] = 3
    whole = grid(labels.shape)
    path = write(tmp_path / "labels.nrrd", labels, whole)
    image = write(tmp_path / "mr.nrrd", noise((8, 40, 20)), whole.crop((0, 0, 0), (8, 40, 20)))
    _, warning = load_case(image, path).warnings
    assert warning == "Only 50% of label 3 is on the volume's grid."
