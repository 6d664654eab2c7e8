"""How long it still takes: said only if known, never negative, and not jumping."""

import pytest

from SAMSegmentLib.worker.time_left import TimeLeft


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


def test_before_anything_is_done_nothing_is_known(clock):
    left = TimeLeft(clock)
    left.start("kind")
    assert left.step(0, 10, "Slice 1 of 10") is None
    clock.now += 0.1
    assert left.step(1, 10, "Slice 2 of 10") is None


def test_steady_steps_are_foretold(clock):
    told = run(TimeLeft(clock), clock, [("Slice", 10)])
    assert told[1:] == pytest.approx([9, 8, 7, 6, 5, 4, 3, 2, 1])


def test_the_parts_to_come_are_known_from_last_time(clock):
    left = TimeLeft(clock)
    first = run(left, clock, [("Slice", 4), ("Join", 3)])
    assert first[1] == pytest.approx(3)
    second = run(left, clock, [("Slice", 4), ("Join", 3)])
    assert second == pytest.approx([7, 6, 5, 4, 3, 2, 1])


def test_work_of_another_kind_tells_nothing(clock):
    left = TimeLeft(clock)
    run(left, clock, [("Slice", 4), ("Join", 3)])
    assert run(left, clock, [("Slice", 4)], kind="other")[0] is None


def test_work_that_was_given_up_tells_nothing(clock):
    left = TimeLeft(clock)
    left.start("kind")
    left.step(0, 3, "Slice 1 of 3")
    clock.now += 1
    assert run(left, clock, [("Slice", 3)])[0] is None


def test_of_a_part_that_takes_longer_than_last_time_nothing_is_known(clock):
    left = TimeLeft(clock)
    run(left, clock, [("Wait", 1), ("Join", 1)])
    left.start("kind")
    assert left.step(0, 1, "Wait 1 of 1") == pytest.approx(2)
    clock.now += 50
    assert left.step(0, 1, "Wait 1 of 1") is None


def test_it_never_says_less_than_nothing(clock):
    left = TimeLeft(clock)
    run(left, clock, [("Slice", 5)])
    left.start("kind")
    told = []
    for number in range(50):
        told.append(left.step(min(number, 4), 5, "Slice"))
        clock.now += 0.5 + number % 3
    assert all(seconds is None or seconds >= 0 for seconds in told)


def test_a_step_that_takes_long_does_not_make_it_jump(clock):
    left = TimeLeft(clock)
    left.start("kind")
    told = []
    for number in range(20):
        told.append(left.step(number, 20, "Slice"))
        clock.now += 5 if number == 9 else 1
    # What the plain rule would add at once, from 10 s to 14 s, comes step by step.
    assert told[9] == pytest.approx(11)
    assert told[10] < 10
