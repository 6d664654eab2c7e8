"""Logits on a box of a volume: moved to other boxes, nothing is lost and nothing invented."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT, Patch

WHOLE = (9, 10, 11)


@st.composite
def fields(draw):
    low, high = draw(ends())
    shape = tuple(high - low)
    values = np.random.default_rng(draw(st.integers(0, 99))).normal(size=shape)
    return Patch(values.astype(np.float32), tuple(int(n) for n in low))


@st.composite
def ends(draw):
    pairs = [sorted(draw(st.tuples(*[st.integers(0, n)] * 2))) for n in WHOLE]
    low = np.array([min(a, n - 1) for (a, _), n in zip(pairs, WHOLE, strict=True)])
    return low, np.maximum([b for _, b in pairs], low + 1)


def whole(field: Patch) -> np.ndarray:
    """The field on the whole volume, put there voxel by voxel."""
    everything = np.full(WHOLE, BACKGROUND_LOGIT, np.float32)
    for index in np.ndindex(*field.values.shape):
        everything[tuple(np.add(index, field.start))] = field.values[index]
    return everything


@given(fields(), ends())
def test_on_another_box_a_field_has_its_values_and_background_beyond_them(field, box):
    low, high = box
    expected = whole(field)[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    there = field.on_box(low, high - low)
    assert there.dtype == np.float32
    assert np.array_equal(there, expected)


@given(fields(), ends())
def test_enlarged_a_field_holds_both_boxes_and_says_the_same(field, box):
    low, high = box
    larger = field.enlarged(low, high)
    assert (larger.start <= low).all() and (larger.stop >= high).all()
    assert (np.array(larger.start) <= field.start).all() and (
        np.array(larger.stop) >= field.stop
    ).all()
    assert np.array_equal(whole(larger), whole(field))


@given(fields())
def test_a_copy_is_a_copy(field):
    before = field.values.copy()
    for copied in (
        field.on_box(field.start, field.values.shape),
        field.enlarged(field.start, field.stop).values,
    ):
        copied += 1
        assert np.array_equal(field.values, before)


@given(fields())
def test_as_a_prediction_it_lies_where_it_lies(field):
    prediction = Answer.of(field, Geometry(np.eye(4), WHOLE))
    assert np.array_equal(prediction.mask() > 0, whole(field) > 0)
