"""How far two masks agree."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.overlap import dice

masks = st.lists(st.booleans(), min_size=12, max_size=12).map(np.array)


@given(masks, masks)
def test_dice_is_symmetric_and_that_of_nothing_is_zero(one, other):
    value = dice(one, other)
    assert 0 <= value <= 1 and value == dice(other, one)
    assert dice(one, one) == float(one.any())


def test_half_of_two_masks_of_one_size_is_a_dice_of_one_half():
    assert dice(np.array([1, 1, 0], bool), np.array([0, 1, 1], bool)) == 0.5
