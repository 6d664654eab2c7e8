"""Masks for which there is no room: told, and what was there before is still there."""

import os
import subprocess
import sys

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from SAMSegmentLib.core.errors import WriteError
from SAMSegmentLib.core.files import MASK_SUFFIXES, read_image, write_mask
from SAMSegmentLib.core.geometry import Geometry
from TestSupport.own_disks import command_with_own_disks

GRID = Geometry(np.diag([1.0, 2.0, 3.0, 1.0]), (6, 7, 8))
MASK = np.random.default_rng(0).integers(0, 2, GRID.shape).astype(np.uint8)

#: Fills a disk of 256 kB with masks of 1 Mbit, in each format; prints what is wrong.
FILL = """
import os, sys
import numpy as np
from SAMSegmentLib.core.errors import WriteError
from SAMSegmentLib.core.files import MASK_SUFFIXES, write_mask
from SAMSegmentLib.core.geometry import Geometry

def mask(n):
    voxels = np.random.default_rng(0).integers(0, 2, (n, n, n)).astype(np.uint8)
    return voxels, Geometry(np.eye(4), voxels.shape)

for suffix in MASK_SUFFIXES:
    path = sys.argv[1] + "/mask" + suffix
    write_mask(path, *mask(20), "Old")
    before = open(path, "rb").read()
    try:
        write_mask(path, *mask(130), "New")
        print(suffix, "was reported as written")
    except WriteError as error:
        if "mask" + suffix not in str(error):
            print(suffix, "is not named:", error)
    if open(path, "rb").read() != before or os.listdir(sys.argv[1]) != ["mask" + suffix]:
        print(suffix, "was not left as it was:", os.listdir(sys.argv[1]))
    os.remove(path)
print("tried")
"""


def test_a_full_disk_is_told_and_the_old_mask_is_still_there():
    command, why_not = command_with_own_disks()
    if not command:
        pytest.skip(why_not)
    mount = f"mount -t tmpfs -o size=256k tmpfs /mnt && exec '{sys.executable}' - /mnt"
    tried = subprocess.run(
        [*command, mount],
        input=FILL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert tried.stdout == "tried\n", tried.stdout + tried.stderr


@pytest.mark.parametrize("suffix", MASK_SUFFIXES)
@pytest.mark.parametrize("loss", ["half of it", "its voxels", "its place"])
def test_what_does_not_read_back_is_not_put_in_place_of_the_old_mask(
    tmp_path, monkeypatch, suffix, loss
):
    path = tmp_path / f"mask{suffix}"
    write_mask(path, MASK, GRID, "Old")
    before = path.read_bytes()

    def lose(write):
        def writing(*arguments, **options):
            write(*arguments, **options)
            (unfinished,) = (one for one in tmp_path.iterdir() if one != path)
            if loss == "half of it":
                unfinished.write_bytes(unfinished.read_bytes()[: unfinished.stat().st_size // 2])
            else:
                image = sitk.ReadImage(str(unfinished))
                image = image * 0 if loss == "its voxels" else image
                image.SetOrigin((9, 9, 9) if loss == "its place" else image.GetOrigin())
                original(image, str(unfinished))

        return writing

    original = sitk.WriteImage
    monkeypatch.setattr(sitk, "WriteImage", lose(sitk.WriteImage))
    to_filename = nibabel.Nifti1Image.to_filename
    monkeypatch.setattr(nibabel.Nifti1Image, "to_filename", lose(to_filename))
    with pytest.raises(WriteError, match=r"cannot be read back|reads back otherwise|the place of"):
        write_mask(path, MASK == 0, GRID, "New")
    assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]
    monkeypatch.undo()
    write_mask(path, MASK == 0, GRID, "New")
    assert np.array_equal(read_image(path).voxels, MASK == 0)
