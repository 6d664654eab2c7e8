"""Any series that the standard allows is read exactly, and no damage is more than one sentence."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.files import read_image
from TestSupport.dicom_files import (
    VOXELS,
    I,
    J,
    K,
    decimal,
    enhanced,
    position,
    series,
    slice_of,
    write,
)
from TestSupport.properties import examples

RIGHT_TO_LEFT = np.array([-1, -1, 1])


def random_stack(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Axes (2, 3), pixel spacing (rows, columns), step and origin of an oblique, tilted stack."""
    rng = np.random.default_rng(seed)
    axes = Rotation.random(random_state=rng).as_matrix()[:2]
    spacing = 10 ** rng.uniform(-1, 0.7, 2)
    along = np.cross(*axes) * 10 ** rng.uniform(-0.5, 0.9)
    step = along + np.linalg.norm(along) * rng.uniform(-0.5, 0.5, 2) @ axes
    return axes, spacing, step, rng.uniform(-500, 500, 3)


@settings(max_examples=examples(20))
@given(st.integers(0, 2**32 - 1), st.permutations(range(K)), st.booleans())
def test_any_oblique_tilted_stack_in_any_order_is_read_exactly(seed, order, in_one_file):
    axes, spacing, step, origin = random_stack(seed)
    places = [origin + number * step for number in range(K)]
    with tempfile.TemporaryDirectory() as folder:
        if in_one_file:
            frames = enhanced(
                VOXELS[order],
                [places[n] for n in order],
                [axes.ravel()] * K,
            )
            measures = frames.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
            measures.PixelSpacing = decimal(spacing)
            write(Path(folder), [frames])
        else:
            elements = {
                "ImageOrientationPatient": decimal(axes.ravel()),
                "PixelSpacing": decimal(spacing),
            }
            slices = [slice_of(VOXELS[n], places[n], **elements) for n in range(K)]
            write(Path(folder), slices, [f"{n}.dcm" for n in order])
        image = read_image(folder)
    expected = VOXELS * 2.0 - 1000 if in_one_file else VOXELS
    assert np.array_equal(image.voxels, expected)
    for k in range(K):
        for j, i in ((0, 0), (J - 1, 0), (0, I - 1)):
            place = places[k] + j * spacing[0] * axes[1] + i * spacing[1] * axes[0]
            found = image.geometry.to_ras((i, j, k)) * RIGHT_TO_LEFT
            np.testing.assert_allclose(found, place, atol=1e-6)


@settings(max_examples=examples(30))
@given(st.lists(st.integers(1, 4), min_size=1, max_size=7), st.integers(0, 2**32 - 1))
@example([1, 1, 4, 1], 0)
@example([2, 1, 2, 1], 0)
def test_slices_with_gaps_keep_their_places_or_are_refused(gaps, seed):
    axes, spacing, step, origin = random_stack(seed)
    step *= 2 / abs(step @ np.cross(*axes))
    gaps = [1, *gaps]
    numbers = np.concatenate([[0], np.cumsum(gaps)])
    elements = {
        "ImageOrientationPatient": decimal(axes.ravel()),
        "PixelSpacing": decimal(spacing),
    }
    with tempfile.TemporaryDirectory() as folder:
        slices = [
            slice_of(VOXELS[n % K], origin + number * step, **elements)
            for n, number in enumerate(numbers)
        ]
        write(Path(folder), slices)
        try:
            image = read_image(folder)
        except InputError as error:
            assert "Every other slice is of another volume" in str(error)
            return
    assert bool(image.warnings) == (len(set(gaps)) > 1)
    for n, number in enumerate(numbers):
        ijk = image.geometry.to_ijk((origin + number * step) * RIGHT_TO_LEFT)
        np.testing.assert_allclose(ijk, (0, 0, round(ijk[2])), atol=1e-5)
        assert np.array_equal(image.voxels[round(ijk[2])], VOXELS[n % K])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Whole files: a folder with a series, and an enhanced file."""
    folder = write(tmp_path_factory.mktemp("whole") / "series", series(3))
    frames = enhanced(VOXELS, [position(n) for n in range(K)])
    frames.save_as(folder.parent / "frames.dcm", enforce_file_format=True)
    packed = slice_of(VOXELS[0], position(0))
    packed.compress("1.2.840.10008.1.2.5")
    packed.save_as(folder.parent / "packed.dcm", enforce_file_format=True)
    return folder.parent


@settings(max_examples=examples(150))
@given(
    st.sampled_from(["series/0001.dcm", "frames.dcm", "packed.dcm"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=6),
    st.floats(0, 1.2),
)
def test_damaged_bytes_are_read_or_refused_in_one_sentence(whole, name, changes, share):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "copy")
        shutil.copytree(whole, copy)
        path = copy / name
        content = bytearray(path.read_bytes())
        for place, value in changes:
            content[min(int(place * len(content)), len(content) - 1)] = value
        path.write_bytes(content)
        if share < 1:
            os.truncate(path, int(share * len(content)))
        try:
            image = read_image(path.parent if name.startswith("series") else path)
        except InputError as error:
            assert str(error).endswith(".")
        else:
            assert image.voxels.size < 10**6
