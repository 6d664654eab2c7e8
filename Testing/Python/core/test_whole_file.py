"""Files that are written whole have the access rights that every new file of the process has."""

import os
import sys

import numpy as np
import pytest

from SAMSegmentLib.core import whole_file
from SAMSegmentLib.core.files import write_mask
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.whole_file import new_file, write_whole


def write_text(path):
    write_whole(path, "text")


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
    monkeypatch.setattr(whole_file.secrets, "token_hex", lambda count: next(names))
    if sys.platform != "win32":
        (tmp_path / "a1b").symlink_to(tmp_path / "elsewhere")
        names = iter("00112")
    descriptor, path = new_file(tmp_path, "a", "b")
    os.close(descriptor)
    assert path == str(tmp_path / ("a1b" if sys.platform == "win32" else "a2b"))
    assert (tmp_path / "a0b").read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()
