"""The training set: packed small, from what may be trained on, apart from what is validated on."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SAMSegmentLib.core.overlap import dice
from Training import pack, pseudo_labels
from Training.pack import Case, read_cases, read_pack, write_pack
from Training.stable_regions import stable_regions
from Training.watersheds import ct_tissues, watershed_regions

SHARED = Path(__file__).parents[4] / "shared"
BOTH = [SHARED / "training" / "MANIFEST.json", SHARED / "data" / "MANIFEST.json"]


def hashes(told):
    if isinstance(told, dict):
        own = {told["sha256"]} if isinstance(told.get("sha256"), str) else set()
        return own.union(*(hashes(value) for value in told.values()))
    return set().union(*(hashes(value) for value in told)) if isinstance(told, list) else set()


@pytest.mark.skipif(not all(map(Path.exists, BOTH)), reason="the data lie beside the project")
def test_nothing_is_both_trained_and_validated_on():
    training, validation = (hashes(json.loads(path.read_text())) for path in BOTH)
    assert len(training) > 50 and len(validation) > 20
    assert not training & validation


@pytest.mark.skipif(not all(map(Path.exists, BOTH)), reason="the data lie beside the project")
def test_the_files_themselves_differ_too():
    found = [
        {
            hashlib.sha256(path.read_bytes()).hexdigest()
            for path in manifest.parent.rglob("*")
            if path.is_file() and path.suffix in (".gz", ".nrrd", ".mha")
        }
        for manifest in BOTH
    ]
    assert len(found[0]) > 50 and len(found[1]) > 20
    assert not found[0] & found[1]


def folder_with(tmp_path, licence="MIT", spoil=False):
    name = "labels/knee_pymskt"
    (tmp_path / name).mkdir(parents=True)
    voxels = np.zeros((12, 20, 30), np.uint16)
    voxels[3:9, 5:15, 5:20] = 300
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.8, 0.8, 3.0))
    path = tmp_path / name / "knee.nrrd"
    sitk.WriteImage(image, str(path))
    digest = "0" * 64 if spoil else hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = {name: {"licence": licence, "files": {"knee.nrrd": {"sha256": digest}}}}
    (tmp_path / "MANIFEST.json").write_text(json.dumps(manifest))
    return tmp_path


def test_thick_slices_of_labels_become_even_voxels(tmp_path):
    (case,) = read_cases(folder_with(tmp_path))
    assert case.spacing == (0.7, 0.7, 0.7) and case.image is None
    assert set(np.unique(case.layers)) == {0, 1}
    ml = case.layers.sum() * 0.7**3 / 1000
    assert ml == pytest.approx(6 * 10 * 15 * 0.8 * 0.8 * 3 / 1000, rel=0.15)


def test_an_uncertain_licence_leaves_a_folder_out(tmp_path, capsys):
    assert not list(read_cases(folder_with(tmp_path, "CC BY 4.0 (from memory)")))
    assert "left out" in capsys.readouterr().out


def test_another_file_than_the_manifests_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="not the file of the manifest"):
        list(read_cases(folder_with(tmp_path, spoil=True)))


def test_a_pack_holds_what_was_put_in(tmp_path):
    random = np.random.default_rng(1)
    cases = [
        Case("a", random.integers(0, 4, (2, 5, 6, 7)).astype(np.uint8), None, (1.0, 2.0, 3.0)),
        Case(
            "b", np.ones((1, 4, 4, 4), np.uint8), np.full((4, 4, 4), 9, np.uint8), (1, 1, 1), True
        ),
    ]
    write_pack(tmp_path / "pack.npz", cases)
    for kept, case in zip(read_pack(tmp_path / "pack.npz"), cases, strict=True):
        assert (kept.name, kept.spacing, kept.ct) == (case.name, tuple(case.spacing), case.ct)
        assert np.array_equal(kept.layers, case.layers)
        assert (kept.image is None) == (case.image is None)
    assert [path.name for path in tmp_path.iterdir()] == ["pack.npz"]


def test_objects_that_overlap_lie_on_layers_of_their_own():
    one, other, third = (np.zeros((10, 10, 10), bool) for _ in range(3))
    one[:6], other[4:], third[0, 0, 0] = True, True, True
    layers = pack._layers([one, other, third], one.shape)
    assert len(layers) == 2
    assert np.array_equal(layers[0] == 1, one)
    assert np.array_equal(layers[1] == 2, other)


def test_ct_in_8_bits_keeps_the_order_of_intensities():
    hu = np.linspace(-1100, 1100, 400).astype(np.float32)
    packed = pack._bytes(hu, ct=True).astype(int)
    assert (np.diff(packed) >= 0).all()
    # Fine around soft tissue: 10 HU are more than a step.
    soft = pack._bytes(np.array([40.0, 50.0], np.float32), ct=True).astype(int)
    assert soft[1] - soft[0] >= 3


def test_pseudo_labels_are_read_as_written(tmp_path):
    masks = [np.random.default_rng(n).random((5, 7, 9)) > 0.5 for n in range(3)]
    pseudo_labels.save(tmp_path / "found.npz", masks)
    for kept, mask in zip(pseudo_labels.load(tmp_path / "found.npz"), masks, strict=True):
        assert np.array_equal(kept, mask)


def test_stable_regions_are_the_objects_of_an_image():
    random = np.random.default_rng(1)
    shape = (48, 48, 32)
    places = np.indices(shape)
    truth = [
        ((places - np.reshape(center, (3, 1, 1, 1))) ** 2).sum(0) < radius**2
        for center, radius in (((14, 14, 14), 9), ((33, 30, 16), 12))
    ]
    image = random.normal(0, 4, shape) + 100 + 60 * truth[0] + 120 * truth[1]
    for find in (stable_regions, watershed_regions):
        found = find(image.astype(np.float32), (2.0, 2.0, 2.0))
        for mask in truth:
            assert max(dice(mask, each.whole(shape)) for each in found) > 0.85


def test_nothing_is_found_where_there_is_nothing():
    for find in (stable_regions, watershed_regions, ct_tissues):
        assert not find(np.full((20, 20, 20), -1000, np.float32), (2.0, 2.0, 2.0))


def test_bone_gas_and_the_body_are_found_in_a_ct():
    x, y, z = np.indices((60, 60, 30))
    trunk = (x - 30) ** 2 + (y - 30) ** 2 < 26**2
    rod = (x - 20) ** 2 + (y - 30) ** 2 < 5**2
    bubble = (x - 42) ** 2 + (y - 30) ** 2 + (z - 15) ** 2 < 8**2
    image = np.where(trunk, 40.0, -1000.0)
    image[rod], image[bubble] = 700, -900
    found = [each.whole(image.shape) for each in ct_tissues(image, (2.0, 2.0, 2.0))]
    for mask in (trunk, rod, bubble):
        assert max(dice(mask, each) for each in found) > 0.85
