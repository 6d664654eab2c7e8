"""How long it still takes: said only if known, never negative, and not jumping."""

import pytest

from SAMSegmentLib.worker.child.time_left import TimeLeft


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def run(left, clock, parts, kind="kind"):
    """Steps of a second through parts of the work (name, count); what was told at each."""
    left.start(kind)
    told = []
    for name, count in parts:
        for number in range(count):
            told.append(left.step(number, count, f"{name} {number + 1} of {count}"))
            clock.now += 1
    left.finish()
    return told


def known(clock, parts, kind="kind"):
    """A TimeLeft that has seen such work once."""
    left = TimeLeft(clock)
    run(left, clock, parts, kind)
    return left


def test_of_work_never_done_before_nothing_is_said(clock):
    told = run(TimeLeft(clock), clock, [("Slice", 58), ("Follow", 8), ("Compare", 2)])
    assert set(told) == {None}


def test_before_enough_is_done_nothing_is_said(clock):
    left = known(clock, [("Slice", 58), ("Follow", 20)])
    told = run(left, clock, [("Slice", 58), ("Follow", 20)])
    assert set(told[:6]) == {None} and told[6] == pytest.approx(72)


def test_steady_work_is_foretold_over_all_its_parts(clock):
    parts = [("Slice", 10), ("Follow", 6), ("Compare", 2)]
    told = run(known(clock, parts), clock, parts)
    assert told[2:] == pytest.approx(list(range(16, 0, -1)))


def test_a_larger_roi_takes_longer_in_all_its_parts(clock):
    left = known(clock, [("Slice", 10), ("Follow", 5)])
    told = run(left, clock, [("Slice", 40), ("Follow", 20)])
    # As it was: 15 s less what had passed, and 41 s of 156 in the case that was seen.
    assert told[4] == pytest.approx(56)
    assert all(abs(seconds - (60 - n)) < 0.2 * (60 - n) for n, seconds in enumerate(told) if n > 4)


def test_a_busy_computer_takes_longer_in_all_its_parts(clock):
    left = known(clock, [("Slice", 10), ("Follow", 10)])
    left.start("kind")
    told = []
    for name in ("Slice", "Follow"):
        for number in range(10):
            told.append(left.step(number, 10, f"{name} 1 of 10"))
            clock.now += 3
    assert told[1] == pytest.approx(57) and told[15] == pytest.approx(15)


def test_where_the_parts_do_not_go_alike_nothing_is_said_but_of_the_last(clock):
    left = known(clock, [("Slice", 20), ("Follow", 20), ("Compare", 20)])
    left.start("kind")
    told = []
    # What was looked at before need not be looked at again, the rest is as slow as ever.
    for name, seconds in (("Slice", 0.15), ("Follow", 1), ("Compare", 1)):
        for number in range(20):
            told.append(left.step(number, 20, f"{name} 1 of 20"))
            clock.now += seconds
    assert set(told[25:40]) == {None}
    assert told[50] == pytest.approx(10)


def test_work_of_another_kind_or_with_other_parts_tells_nothing(clock):
    left = known(clock, [("Slice", 10), ("Join", 3)])
    assert set(run(left, clock, [("Slice", 10)], kind="other")) == {None}
    assert set(run(left, clock, [("Box", 10), ("Join", 3)])) == {None}


def test_work_that_was_given_up_tells_nothing(clock):
    left = TimeLeft(clock)
    left.start("kind")
    left.step(0, 3, "Slice 1 of 3")
    clock.now += 1
    assert set(run(left, clock, [("Slice", 30)])) == {None}


def test_it_never_says_less_than_nothing(clock):
    left = known(clock, [("Slice", 5)])
    left.start("kind")
    told = []
    for number in range(50):
        told.append(left.step(min(number, 4), 5, "Slice 1 of 5"))
        clock.now += 0.5 + number % 3
    assert all(seconds is None or seconds >= 0 for seconds in told)
    assert any(seconds is not None for seconds in told)


def test_a_step_that_takes_long_does_not_make_it_jump(clock):
    left = known(clock, [("Slice", 20)])
    left.start("kind")
    told = []
    for number in range(20):
        told.append(left.step(number, 20, "Slice 1 of 20"))
        clock.now += 5 if number == 9 else 1
    # What the plain rule would add at once, from 10 s to 14 s, comes step by step.
    assert told[9] == pytest.approx(11)
    assert told[10] < 10


def test_parts_that_took_no_time_are_no_reason_to_fail(clock):
    left = TimeLeft(clock)
    for _ in range(3):
        left.start("kind")
        for name, seconds in (("At once", 0), ("Slice", 1), ("At once again", 0)):
            for number in range(20):
                left.step(number, 20, name)
                left.step(number, 0, name)
                clock.now += seconds
        left.finish()
