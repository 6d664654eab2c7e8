"""SAMSegment 3D's windows lie where the prompts are, and the volume is, in every geometry."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.prompts import Roi

pytest.importorskip("torch")

from SAMSegmentLib.models.samsegment3d.network import MULTIPLE
from SAMSegmentLib.models.samsegment3d.windows import (
    LEAST,
    MOST,
    ROOM,
    START_STEP,
    WindowFrame,
    allowed_spacing,
)
from TestSupport.geometries import any_spacing, geometries, reorientations
from TestSupport.phantoms import grid

any_volume = geometries(st.tuples(*[st.integers(2, 300)] * 3), any_spacing)
shares = st.tuples(*[st.floats(0, 1)] * 3)
spacings = st.sampled_from((0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0))


def within(geometry, share):
    """RAS at a share of a volume's voxels, from face to face."""
    return geometry.to_ras(np.array(share) * geometry.shape[::-1] - 0.5)


def ends_of(window):
    return np.array(window.start), window.start + window.side


@given(st.floats(1e-4, 1e3))
def test_allowed_spacings_continue_in_both_directions_in_steps_of_four_thirds_and_three_halves(mm):
    found = allowed_spacing(mm)
    assert mm <= found * (1 + 1e-5) and found < 1.5001 * mm
    assert found / 2 ** np.floor(np.log2(found)) in (1.0, 1.5)
    assert allowed_spacing(found) == found


def test_the_allowed_spacings_between_half_a_millimetre_and_four():
    steps = [allowed_spacing(mm) for mm in np.linspace(0.5, 4, 500)]
    assert sorted(set(steps)) == [0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0]


@given(any_volume, shares, spacings)
def test_a_window_stays_in_a_larger_volume_and_holds_a_smaller_one(geometry, share, spacing):
    frame = WindowFrame(geometry)
    window = frame.around(within(geometry, share), spacing)
    start, end = ends_of(window)
    slack = 1e-3 * spacing
    larger = frame.high - frame.low > window.side
    assert (start[larger] >= frame.low[larger] - slack).all()
    assert (end[larger] <= frame.high[larger] + slack).all()
    assert (start[~larger] <= frame.low[~larger] + slack).all()
    assert (end[~larger] >= frame.high[~larger] - slack).all()


@given(any_volume, shares, spacings)
def test_its_sides_are_multiples_of_what_the_network_takes_no_more_than_the_volume_needs(
    geometry, share, spacing
):
    frame = WindowFrame(geometry)
    window = frame.around(within(geometry, share), spacing)
    needed = (frame.high - frame.low) / spacing
    for sides, voxels in zip(window.shape, needed, strict=True):
        assert sides % MULTIPLE == 0 and LEAST <= sides <= MOST
        assert sides == LEAST or sides - MULTIPLE < voxels + 1e-3
        assert sides == MOST or sides > voxels - 1e-3
    assert window.geometry.shape == window.shape
    assert np.allclose(window.geometry.spacing, spacing)
    assert np.allclose(window.coarser(2).spacing, 2 * spacing)
    for own in (window.geometry, window.coarser(2)):
        assert np.allclose(own.directions.T @ own.directions, np.eye(3))
        ends = own.corners() @ frame.axes
        assert np.allclose([ends.min(0), ends.max(0)], ends_of(window))
    assert np.allclose(window.geometry.directions[:, ::-1], frame.axes)


@given(any_volume, shares, spacings)
def test_a_window_holds_its_click_near_its_middle_where_the_volume_allows(geometry, share, spacing):
    frame, ras = WindowFrame(geometry), within(geometry, share)
    window = frame.around(ras, spacing)
    assert window.holds(ras)
    place = np.clip(
        ras @ frame.axes,
        *np.sort([frame.low + window.side / 2, frame.high - window.side / 2], axis=0),
    )
    middle = window.start + window.side / 2
    larger = frame.high - frame.low > window.side
    off = np.abs(middle - place)[larger]
    assert off.max(initial=0) <= (START_STEP / 2 + 0.01) * spacing


@given(any_volume, shares, shares, spacings)
def test_a_position_and_its_place_in_the_window_are_one(geometry, share, other, spacing):
    window = WindowFrame(geometry).around(within(geometry, share), spacing)
    ras = within(geometry, other)
    assert np.allclose(window.geometry.to_ras(window.place(ras)[::-1]), ras, atol=1e-6)
    if window.holds(ras):
        back = window.geometry.to_ras(window.voxels(ras)[::-1])
        assert np.abs((back - ras) @ window.frame.axes).max() <= 0.52 * spacing


@given(any_volume, shares, shares, spacings)
def test_near_clicks_share_a_window(geometry, share, toward, spacing):
    frame, ras = WindowFrame(geometry), within(geometry, share)
    near = ras + spacing * (np.array(toward) - 0.5)
    starts = [frame.around(place, spacing).start for place in (ras, near)]
    steps = np.abs(np.subtract(*starts)) / spacing
    # The same, or the next step.
    assert (steps < START_STEP + 0.01).all()


@given(st.floats(-30, 30), shares, reorientations(), spacings)
def test_however_voxels_are_stored_the_window_is_the_same(degrees, share, storage, spacing):
    angle = np.radians(degrees)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    geometry = grid((90, 300, 200), (0.9, 1.1, 2.7), (-100, 20, 800)).transformed(turn)
    ras = within(geometry, share)
    window = WindowFrame(geometry).around(ras, spacing)
    again = WindowFrame(storage.apply_to_geometry(geometry)).around(ras, spacing)
    assert window.geometry.is_close(again.geometry, 2e-3 * spacing)


@pytest.mark.parametrize(
    ("voxel", "extent", "first", "finest"),
    [
        (0.7, 350, 1.0, 0.375),  # a CT
        (1.0, 180, 1.0, 0.5),  # a head
        (0.6, 90, 1.0, 0.375),  # a knee: all of it fits
        (1.2, 60, 1.0, 0.75),  # hardly finer than it was measured, though all of it would fit
        (0.05, 20, 0.25, 0.03125),  # a small animal
        (4.0, 700, 3.0, 2.0),  # a PET
        (40.0, 4000, 32.0, 24.0),  # not the unit that was meant
    ],
)
def test_the_first_window_has_a_millimetre_or_as_fine_as_the_volume_is_and_fits(
    voxel, extent, first, finest
):
    frame = WindowFrame(grid((int(extent / voxel),) * 3, (voxel,) * 3))
    assert frame.first == first and frame.finest == finest


@given(any_volume)
def test_there_is_always_a_finer_window_than_the_first_and_none_finer_than_half_a_voxel(geometry):
    frame = WindowFrame(geometry)
    assert geometry.spacing.min() / 2 <= frame.finest * (1 + 1e-5)
    assert frame.finest < frame.first <= frame.coarsest


def test_a_volume_of_a_few_thin_slices_lies_in_the_middle_of_voxels():
    flat = grid((2, 200, 200), (1, 1, 0.3))
    window = WindowFrame(flat).around((100, 100, 0.1), 1.5)
    assert window.shape == (MOST, MOST, LEAST)
    middle = np.full(LEAST, MOST // 2)
    centers = window.geometry.to_ras(np.stack([np.arange(LEAST), middle, middle], axis=-1))
    assert flat.contains(centers).sum() == 1


def test_a_window_is_as_fine_as_an_roi_allows():
    frame = WindowFrame(grid((400, 400, 400), (0.5, 0.5, 0.5)))
    for fine, coarse in pairwise((0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0)):
        largest = fine * MOST / ROOM
        for size, spacing in ((0.98 * largest, fine), (1.02 * largest, coarse)):
            roi = Roi.from_box((100, 100, 100), (size, size / 2, size / 4))
            window = frame.around_roi(roi)
            assert window.spacing == spacing
            assert all(window.holds(corner) for corner in roi.corners())
    assert frame.around_roi(Roi.from_box((100, 100, 100), (2, 2, 2))).spacing == frame.finest


def test_faces_at_which_the_volume_ends_need_no_margin():
    geometry = Geometry(np.diag([2.0, 2.0, 2.0, 1.0]), (300, 300, 300))
    window = WindowFrame(geometry).around((0, 300, 300), 1.5)
    assert window.holds((-1, 300, 300), 4) and not window.continues(0, -1)
    end = window.start[0] + window.side[0]
    assert window.holds((end - 7, 300, 300), 4) and not window.holds((end - 5, 300, 300), 4)
    assert window.holds((end - 5, 300, 300)) and window.continues(0, 1)


def test_windows_differ_by_their_corner_their_spacing_and_their_shape():
    frame = WindowFrame(grid((64, 64, 64), (8, 8, 8), (0.0, 0.0, 0.0)))
    window = frame.around((250, 250, 250), 1.5)
    assert window == frame.around((250.1, 250, 250), 1.5)
    assert hash(window) == hash(frame.around((250.1, 250, 250), 1.5))
    for other in (
        replace(window, start=(0.0, 1.0, 2.0)),
        replace(window, spacing=2.0),
        replace(window, shape=(MOST, MOST, MOST - MULTIPLE)),
    ):
        assert window != other and window.key != other.key
