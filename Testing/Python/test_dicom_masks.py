"""Masks of DICOM series lie where the object lies, and are as large."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from SAMSegmentLib import Segmenter
from SAMSegmentLib.__main__ import main
from SAMSegmentLib.core.files import read_image
from TestSupport.dicom_files import slice_of, write

RADIUS, STEP = 14.0, 2.0
SLICES, SIZE = 36, 44


@pytest.fixture
def ball(tmp_path):
    """Writes a CT of a ball of 11.5 ml around its middle; returns the folder and the middle, RAS.

    The ball is one in the patient whatever the tilt, mm in y for each slice.
    """

    def make(tilt=0.0, missing=()):
        k, j, i = np.meshgrid(np.arange(SLICES), *[np.arange(SIZE)] * 2, indexing="ij")
        lps = np.stack([i, j + tilt * k, STEP * k], -1).astype(float)
        middle = lps[SLICES // 2, SIZE // 2, SIZE // 2]
        inside = np.linalg.norm(lps - middle, axis=-1) <= RADIUS
        noise = np.random.default_rng(0).normal(0, 8, inside.shape)
        voxels = (np.where(inside, 180, 40) + noise).astype(np.int16)
        slices = [
            slice_of(voxels[n], lps[n, 0, 0], PixelSpacing=[1, 1])
            for n in range(SLICES)
            if n not in missing
        ]
        return write(tmp_path / "ct", slices), middle * (-1, -1, 1)

    return make


def check(mask: sitk.Image, geometry, middle) -> None:
    voxels = sitk.GetArrayFromImage(mask)
    ras = geometry.to_ras(np.argwhere(voxels)[:, ::-1])
    assert np.linalg.norm(ras.mean(0) - middle) < 0.5
    assert voxels.sum() * geometry.voxel_volume / 1000 == pytest.approx(11.5, rel=0.06)


def test_a_mask_under_a_tilted_gantry_lies_where_the_object_lies(ball):
    folder, middle = ball(tilt=0.7)
    with Segmenter(folder, model="samsegment3d") as segmenter:
        segmenter.add_point(middle)
        mask = segmenter.mask()
        assert segmenter.prediction().warnings == ()
    geometry = read_image(folder).geometry
    check(mask, geometry, middle)
    last = mask.TransformIndexToPhysicalPoint((0, 0, SLICES - 1))
    np.testing.assert_allclose(last, (0, 0.7 * (SLICES - 1), STEP * (SLICES - 1)))


def test_the_shell_tells_of_missing_slices_and_keeps_the_object_in_its_place(
    ball, tmp_path, capsys
):
    folder, middle = ball(missing=(21, 22, 23))
    output = tmp_path / "ball.seg.nrrd"
    options = ["--model", "samsegment3d", "--output", str(output), "--quiet"]
    assert main(["segment", str(folder), "--point", *map(str, middle), *options]) == 0
    assert "3 slices are missing between 0020.dcm and 0021.dcm (8 mm)" in capsys.readouterr().err
    check(sitk.ReadImage(str(output)), read_image(output).geometry, middle)
