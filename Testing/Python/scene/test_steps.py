"""Long work in short pieces."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.scene.steps import Job, finish, slabs

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


def test_a_job_does_at_least_one_step_a_turn():
    log = []
    job = Job(counting(3, log))
    turns = list(itertools.takewhile(lambda _: not job.advance(0), itertools.count()))
    assert (len(turns), log, job.result) == (3, [0, 1, 2], "result")


def test_a_job_that_is_done_stays_so():
    job = Job(counting(1, []))
    assert job.advance(10)
    assert job.advance(10)
    assert job.result == "result"


def test_a_job_that_was_given_up_does_no_more():
    log = []
    job = Job(counting(3, log))
    job.advance(0)
    job.give_up()
    assert job.advance(10)
    assert (log, job.result) == ([0], None)


def test_an_error_ends_the_job():
    def failing():
        yield
        raise ValueError("no")

    job = Job(failing())
    job.advance(0)
    with pytest.raises(ValueError, match="no"):
        job.advance(0)
    assert job.done


@given(st.tuples(*[st.integers(0, 30)] * 3), st.integers(1, 2000))
def test_slabs_cover_a_box_once(shape, voxels):
    seen = np.zeros(shape, dtype=int)
    for part in slabs(shape, voxels):
        seen[part] += 1
        assert seen[part].size <= max(voxels, shape[1] * shape[2])
    assert (seen == 1).all()
