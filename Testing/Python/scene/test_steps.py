"""Long work in short pieces."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.scene.steps import finish, slabs

pytestmark = pytest.mark.mrml


def counting(upto, log):
    for n in range(upto):
        log.append(n)
        yield
    return "result"


def test_finish_does_all_of_it():
    log = []
    assert finish(counting(3, log)) == "result"
    assert log == [0, 1, 2]


@given(st.tuples(*[st.integers(0, 30)] * 3), st.integers(1, 2000))
def test_slabs_cover_a_box_once(shape, voxels):
    seen = np.zeros(shape, dtype=int)
    for part in slabs(shape, voxels):
        seen[part] += 1
        assert seen[part].size <= max(voxels, shape[1] * shape[2])
    assert (seen == 1).all()
