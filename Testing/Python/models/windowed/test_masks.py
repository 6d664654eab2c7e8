"""A mask comes to the volume's grid where it is; its box, extent and faces are its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.answer import logit
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT
from SAMSegmentLib.core.proposal import LOWEST_THRESHOLD
from TestSupport.properties import examples

pytest.importorskip("torch")

from SAMSegmentLib.models.samsegment3d.windows import MOST, WindowFrame
from SAMSegmentLib.models.windowed.masks import WindowMask, on_volume
from TestSupport.geometries import geometries
from TestSupport.phantoms import grid, middle_of, voxel_positions

any_volume = geometries(st.tuples(*[st.integers(2, 24)] * 3), st.tuples(*[st.floats(1, 12)] * 3))
LARGE = grid((60, 80, 80), (2, 2, 3))
MIDDLE = middle_of(LARGE)
NO_CLICKS = np.empty((0, 3))


def window_in(geometry, spacing=2.0, ras=None):
    return WindowFrame(geometry).around(middle_of(geometry) if ras is None else ras, spacing)


def balls(window, *centers, radius=10.0):
    """A mask of balls, its logits the mm to their surface."""
    places = voxel_positions(window.geometry)
    away = np.min([np.linalg.norm(places - center, axis=-1) for center in centers], axis=0)
    return WindowMask(window, (radius - away).astype(np.float32))


@settings(max_examples=examples(30))
@given(any_volume, st.sampled_from((1.0, 2.0, 4.0)))
def test_a_mask_is_interpolated_where_it_is_in_any_geometry(geometry, spacing):
    window = window_in(geometry, spacing)
    rng = np.random.default_rng(0)
    values = ndimage.gaussian_filter(rng.normal(size=window.shape), 4.0)
    mask = WindowMask(window, (6 * values / values.std() - 2).astype(np.float32))
    place = window.place(voxel_positions(geometry))
    expected = ndimage.map_coordinates(
        mask.logits.astype(float), np.moveaxis(place, -1, 0), order=1, mode="nearest"
    )
    inside = ((place > -0.499) & (place < np.array(window.shape) - 0.501)).all(-1)
    found = on_volume([mask], geometry).on_box((0, 0, 0), geometry.shape)
    shown = inside & (found > BACKGROUND_LOGIT)
    assert np.abs(found - expected)[shown].max(initial=0) < 0.5
    assert (expected[inside & ~shown] <= logit(LOWEST_THRESHOLD) + 1e-4).all()


def test_where_no_threshold_shows_anything_there_is_background():
    window = window_in(LARGE)
    nothing = WindowMask(window, np.full(window.shape, -9, np.float32))
    field = on_volume([nothing], LARGE)
    assert field.values.size == 1 and nothing.box is None and nothing.faces == ()


def test_a_face_is_reached_with_a_section_not_with_a_leak_nor_where_the_volume_ends():
    wide = grid((60, 80, 300), (2, 2, 3))
    window = window_in(wide, 1.0)
    end = window.start + window.side
    face = window.frame.axes @ np.array([end[0], *(window.start + window.side / 2)[1:]])
    assert balls(window, face, radius=20.0).faces == ((0, 1),)
    assert balls(window, face - window.frame.axes[:, 0] * 30, radius=20.0).faces == ()
    leak = balls(window, face - window.frame.axes[:, 0] * 30, radius=20.0).logits
    middle = slice(MOST // 2, MOST // 2 + 2)
    leak[MOST - 28 :, middle, middle] = 3
    leak = WindowMask(window, leak)
    assert leak.box[0].stop == MOST and leak.faces == ()
    small = window_in(grid((20, 20, 20), (2, 2, 2)))
    assert WindowMask(small, np.ones(small.shape, np.float32)).faces == ()


def test_extent_and_ends_are_those_of_the_mask():
    mask = balls(window_in(LARGE, 1.0), MIDDLE, radius=15.0)
    assert np.abs(mask.extent - 30).max() <= 1
    ends = mask.ends()
    assert np.allclose(ends.mean(0), MIDDLE, atol=0.6)
    assert np.allclose(np.abs(np.subtract(*ends)), 30, atol=1.01)
