"""Numbers in files, in an application whose user's numbers have a comma."""

import locale

import numpy as np
import pytest
import SimpleITK as sitk

from SAMSegmentLib.core.files import MASK_SUFFIXES, read_image, write_mask
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import sitk_from_array
from SAMSegmentLib.core.process_state import decimal_point
from TestSupport.decimal_comma import decimal_comma

MATRIX = np.diag([-1.5, -1.5, 2.5, 1.0])
MATRIX[:3, 3] = (-1.25, 3.75, 100.125)
GEOMETRY = Geometry(MATRIX, (4, 5, 6))
VOXELS = np.random.default_rng(0).integers(0, 2, GEOMETRY.shape).astype(np.uint8)


@pytest.fixture
def comma(tmp_path_factory, monkeypatch):
    with decimal_comma(tmp_path_factory.mktemp("locale"), monkeypatch):
        yield


@pytest.mark.parametrize("suffix", [*MASK_SUFFIXES, ".nhdr", ".mhd"])
def test_spacing_and_origin_are_read_to_the_last_digit(tmp_path, suffix, request):
    path = tmp_path / f"ct{suffix}"
    sitk.WriteImage(sitk_from_array(VOXELS, GEOMETRY), str(path))
    request.getfixturevalue("comma")
    image = read_image(path)
    assert image.geometry.is_close(GEOMETRY, tolerance_mm=1e-5)
    assert np.array_equal(image.voxels, VOXELS)
    assert locale.localeconv()["decimal_point"] == ","


@pytest.mark.parametrize("suffix", MASK_SUFFIXES)
def test_masks_are_written_so_that_others_can_read_them(tmp_path, suffix, comma):
    path = tmp_path / f"mask{suffix}"
    write_mask(path, VOXELS, GEOMETRY, "Liver")
    assert locale.localeconv()["decimal_point"] == ","
    with decimal_point():
        image = sitk.ReadImage(str(path))
    assert image.GetSpacing() == pytest.approx((1.5, 1.5, 2.5))
    assert image.GetOrigin() == pytest.approx((1.25, -3.75, 100.125))


def test_the_users_locale_comes_back_after_an_error(tmp_path, comma):
    with pytest.raises(RuntimeError), decimal_point():
        assert locale.localeconv()["decimal_point"] == "."
        raise RuntimeError
    assert locale.localeconv()["decimal_point"] == ","
