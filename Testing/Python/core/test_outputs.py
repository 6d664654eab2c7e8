"""Files are written whole, and never over what was read or what somebody else wrote meanwhile."""

import os
import sys

import numpy as np
import pytest

from SAMSegmentLib.core import outputs
from SAMSegmentLib.core.errors import InputError, WriteError
from SAMSegmentLib.core.files import write_mask
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.outputs import atomic_output, check_new_file, new_file, write_atomically

links = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")


@pytest.fixture
def ct(tmp_path):
    path = tmp_path / "ct.nii.gz"
    path.write_text("the only copy")
    return path


def other_names(path):
    """Everything by which a file can be reached."""
    folder = path.parent
    (folder / "sub").mkdir()
    (folder / "soft.nii.gz").symlink_to(path)
    (folder / "linked").symlink_to(folder, target_is_directory=True)
    os.link(path, folder / "hard.nii.gz")
    return {
        "itself": path,
        "by way of another folder": folder / "sub" / ".." / path.name,
        "relative": os.path.relpath(path),
        "a symbolic link": folder / "soft.nii.gz",
        "a linked folder": folder / "linked" / path.name,
        "a hard link": folder / "hard.nii.gz",
    }


@links
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_is_read_is_never_replaced_under_any_name(ct, overwrite):
    for how, name in other_names(ct).items():
        with pytest.raises(InputError, match="would be lost"):
            check_new_file(name, overwrite, [ct])
        with (
            pytest.raises(InputError, match="would be lost"),
            atomic_output(name, overwrite, [ct]) as unfinished,
        ):
            unfinished.write_text("a mask")
        assert ct.read_text() == "the only copy", how


def test_where_names_ignore_case_another_case_is_the_same_file(ct):
    # As a file system of Windows or macOS answers.
    other = ct.with_name("CT.NII.GZ")
    os.link(ct, other)
    with pytest.raises(InputError, match="would be lost"):
        check_new_file(other, True, [ct])


def test_a_slice_of_the_dicom_folder_is_never_replaced_but_a_mask_beside_it_is(tmp_path):
    series = tmp_path / "series"
    series.mkdir()
    (series / "1.dcm").write_bytes(bytes(128) + b"DICM" + bytes(100))
    os.link(series / "1.dcm", tmp_path / "mask.nrrd")
    (series / "mask.nrrd").write_text("NRRD0004")
    with pytest.raises(InputError, match="would be lost"):
        check_new_file(tmp_path / "mask.nrrd", True, [series])
    check_new_file(series / "mask.nrrd", True, [series])
    with pytest.raises(InputError, match="--overwrite"):
        check_new_file(series / "mask.nrrd", False, [series])


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("ct.nhdr", "NRRD0004\ndimension: 3\ndata file: voxels.nrrd\n"),
        ("ct.nhdr", "NRRD0004\ndatafile: ./voxels.nrrd\n"),
        ("ct.nhdr", "NRRD0004\ndata file: LIST\nother.raw\nvoxels.nrrd\n"),
        ("ct.nhdr", "NRRD0004\ndata file: vox%3ls.nrrd 1 9 1\n"),
        ("ct.mhd", "ObjectType = Image\nNDims = 3\nElementDataFile = voxels.nrrd\n"),
        ("ct.mhd", "ObjectType = Image\nNDims = 3\nElementDataFile = LIST\nvoxels.nrrd\n"),
    ],
)
def test_the_file_that_a_header_names_for_its_voxels_is_never_replaced(tmp_path, header, text):
    (tmp_path / header).write_text(text)
    (tmp_path / "voxels.nrrd").write_text("the only copy")
    (tmp_path / "mask.nrrd").write_text("NRRD0004")
    with pytest.raises(InputError, match="would be lost"):
        check_new_file(tmp_path / "voxels.nrrd", True, [tmp_path / header])
    check_new_file(tmp_path / "mask.nrrd", True, [tmp_path / header])


def test_neither_file_of_a_nifti_pair_is_replaced(tmp_path):
    for name in ("ct.hdr", "ct.img"):
        (tmp_path / name).write_bytes(bytes(348))
    with pytest.raises(InputError, match="would be lost"):
        check_new_file(tmp_path / "ct.img", True, [tmp_path / "ct.hdr"])


def test_what_exists_is_replaced_only_if_that_was_asked_for(tmp_path):
    path = tmp_path / "mask.nrrd"
    path.write_text("corrected by hand")
    with pytest.raises(InputError, match="exists already: give another name, or --overwrite"):
        check_new_file(path, overwrite=False)
    with atomic_output(path, overwrite=True) as unfinished:
        unfinished.write_text("new")
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["mask.nrrd"]


@links
def test_a_link_that_leads_nowhere_exists_too(tmp_path):
    (tmp_path / "mask.nrrd").symlink_to(tmp_path / "unplugged" / "mask.nrrd")
    with pytest.raises(InputError, match="exists already"):
        check_new_file(tmp_path / "mask.nrrd", overwrite=False)


@pytest.mark.parametrize("hard_links", [True, False])
def test_what_came_while_the_model_worked_stays(tmp_path, monkeypatch, hard_links):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    if not hard_links:
        monkeypatch.setattr(outputs.os, "link", no_links)
    path = tmp_path / "mask.nrrd"
    check_new_file(path, overwrite=False)
    with (
        pytest.raises(InputError, match="exists already"),
        atomic_output(path, overwrite=False) as unfinished,
    ):
        unfinished.write_text("ours")
        path.write_text("a colleague's")
    assert path.read_text() == "a colleague's"
    assert os.listdir(tmp_path) == ["mask.nrrd"]


def test_what_came_in_the_very_last_moment_stays_too(tmp_path, monkeypatch):
    path = tmp_path / "mask.nrrd"
    monkeypatch.setattr(outputs, "_check_replaceable", lambda *_: path.write_text("a colleague's"))
    with (
        pytest.raises(InputError, match="exists already"),
        atomic_output(path, overwrite=False) as unfinished,
    ):
        unfinished.write_text("ours")
    assert path.read_text() == "a colleague's"


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_new_file_gets_its_name_with_or_without_hard_links(tmp_path, monkeypatch, hard_links):
    def no_links(*_):
        raise PermissionError(1, "Operation not permitted")

    if not hard_links:
        monkeypatch.setattr(outputs.os, "link", no_links)
    with atomic_output(tmp_path / "mask.nrrd", overwrite=False) as unfinished:
        unfinished.write_text("ours")
    assert (tmp_path / "mask.nrrd").read_text() == "ours"
    assert os.listdir(tmp_path) == ["mask.nrrd"]


def test_a_write_protected_file_stays_whoever_asks(tmp_path):
    path = tmp_path / "mask.nrrd"
    path.write_text("approved")
    path.chmod(0o444)
    with pytest.raises(InputError, match="write-protected"):
        check_new_file(path, overwrite=True)


def test_a_name_that_is_too_long_is_told_before_the_work(tmp_path):
    with pytest.raises(InputError, match="File name too long"):
        check_new_file(tmp_path / f"{'m' * 300}.nrrd")


def test_a_failure_on_the_way_leaves_nothing_behind(tmp_path):
    with (
        pytest.raises(WriteError, match="No space"),
        atomic_output(tmp_path / "mask.nrrd") as unfinished,
    ):
        unfinished.write_text("half")
        raise OSError(28, "No space left on device")
    assert os.listdir(tmp_path) == []


def write_text(path):
    write_atomically(path, "text")


def write_image(path):
    write_mask(path, np.ones((2, 2, 2)), Geometry(np.eye(4), (2, 2, 2)), "Liver")


WRITERS = pytest.mark.parametrize(
    ("write", "name"), [(write_text, "text.json"), (write_image, "mask.seg.nrrd")]
)


@pytest.fixture
def mask_of_the_process():
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
@WRITERS
def test_a_written_file_is_as_private_as_the_users_own_files(
    tmp_path, write, name, mask_of_the_process
):
    write(tmp_path / name)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o640


@WRITERS
def test_the_file_mode_mask_which_all_threads_share_is_not_touched(
    tmp_path, write, name, monkeypatch
):
    def refuse(mask):
        raise AssertionError("the mask of the whole process was set")

    monkeypatch.setattr(os, "umask", refuse)
    write(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_new_file_is_never_one_that_was_there_nor_what_a_link_leads_to(tmp_path, monkeypatch):
    (tmp_path / "a0b").write_text("precious")
    names = iter("0011")
    monkeypatch.setattr(outputs.secrets, "token_hex", lambda count: next(names))
    if sys.platform != "win32":
        (tmp_path / "a1b").symlink_to(tmp_path / "elsewhere")
        names = iter("00112")
    descriptor, path = new_file(tmp_path, "a", "b")
    os.close(descriptor)
    assert path == str(tmp_path / ("a1b" if sys.platform == "win32" else "a2b"))
    assert (tmp_path / "a0b").read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()
