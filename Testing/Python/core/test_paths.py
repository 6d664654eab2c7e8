"""Paths as users have them."""

import os
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from SAMSegmentLib.core import paths
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.files import MASK_SUFFIXES, read_image, write_mask
from SAMSegmentLib.core.paths import absolute, existing_path, named_in_utf8
from TestSupport.cases import DATA
from TestSupport.phantoms import grid

VOXELS = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
# As an old archive has it, in Latin-1.
LATIN_1 = os.fsdecode("Sch\u00e4del".encode("latin-1"))
UNUSUAL = ["-rf", "two words", "line\nbreak", "Schädel", "头部", "100%s", "'\"", "a" * 200]

posix = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")


@pytest.fixture
def sample(tmp_path):
    def make(path):
        path.parent.mkdir(exist_ok=True)
        plain = tmp_path / f"plain{''.join(path.suffixes)}"
        sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(plain))
        os.rename(plain, path)
        return path

    return make


@posix
@pytest.mark.parametrize("place", [("", LATIN_1), (LATIN_1, "ct"), (LATIN_1, LATIN_1)])
@pytest.mark.parametrize("suffix", MASK_SUFFIXES)
def test_names_that_are_not_utf8_are_read_and_written(tmp_path, sample, place, suffix):
    folder, stem = place
    read = sample(tmp_path / folder / f"{stem}{suffix}")
    assert np.array_equal(read_image(read).voxels, VOXELS)
    written = read.with_name(f"{stem} mask{suffix}")
    write_mask(written, VOXELS % 2, grid(VOXELS.shape), "Skull")
    assert np.array_equal(read_image(written).voxels, VOXELS % 2)
    assert sorted(os.listdir(read.parent)) == sorted([read.name, written.name])


@posix
@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_names_are_names(tmp_path, sample, name):
    path = sample(tmp_path / f"{name}.nii.gz")
    assert np.array_equal(read_image(path).voxels, VOXELS)
    write_mask(tmp_path / f"{name}.seg.nrrd", VOXELS % 2, grid(VOXELS.shape), "Skull")
    assert np.array_equal(read_image(tmp_path / f"{name}.seg.nrrd").voxels, VOXELS % 2)


@posix
def test_a_header_in_a_folder_that_is_not_utf8_finds_its_data(tmp_path):
    folder = tmp_path / LATIN_1
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(tmp_path / "ct.nhdr"))
    folder.mkdir()
    for name in ("ct.nhdr", "ct.raw"):
        os.rename(tmp_path / name, folder / name)
    assert np.array_equal(read_image(folder / "ct.nhdr").voxels, VOXELS)


@posix
@pytest.mark.skipif(not DATA.is_dir(), reason=f"the folder with real cases is not there: {DATA}")
def test_dicom_slices_with_names_that_are_not_utf8_are_read(tmp_path):
    source = DATA / "ct_dicom_3slice" / "dicom"
    folder = tmp_path / LATIN_1
    folder.mkdir()
    for path in source.iterdir():
        (folder / f"{LATIN_1} {path.name}").symlink_to(path.resolve())
    assert np.array_equal(read_image(folder).voxels, read_image(source).voxels)


@posix
def test_without_a_link_the_user_is_told_to_rename_the_file(tmp_path, sample, monkeypatch):
    def refuse(*_, **__):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(paths.Path, "symlink_to", refuse)
    with pytest.raises(InputError, match="not UTF-8, and cannot be used here: rename"):
        read_image(sample(tmp_path / f"{LATIN_1}.nrrd"))


def test_a_usual_name_is_used_as_it_is(tmp_path):
    with named_in_utf8(tmp_path / "ct.nrrd") as readable:
        assert readable == tmp_path / "ct.nrrd"


@posix
def test_a_path_that_cannot_be_opened_is_told_in_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path, says in {
        "": "empty",
        tmp_path / "missing": "no file or folder",
        tmp_path / "file" / "below": "no file or folder",
        tmp_path / ("m" * 300): "File name too long",
        tmp_path / "loop": "symbolic links",
        f"{tmp_path}/with\0zero": "cannot be opened",
    }.items():
        with pytest.raises(InputError, match=says):
            existing_path(path)


@posix
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "ct.nii")
    with pytest.raises(InputError, match="pipe"):
        read_image(tmp_path / "ct.nii")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no folder that is in use")
class TestAWorkingFolderThatWasDeleted:
    @pytest.fixture(autouse=True)
    def gone(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "gone").mkdir()
        os.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()

    def test_makes_of_a_relative_path_one_sentence(self):
        with pytest.raises(InputError, match=r"^weights\.pth cannot be found.*whole path") as error:
            absolute("weights.pth")
        assert "\n" not in str(error.value)

    def test_does_not_matter_to_whole_paths(self, tmp_path):
        assert absolute(tmp_path / "a" / ".." / "b") == str(tmp_path / "b")
