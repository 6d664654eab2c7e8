"""Long work in short pieces."""

import time

import pytest

pytestmark = pytest.mark.mrml


@pytest.fixture
def errors():
    return []


@pytest.fixture
def steps(application, errors):
    from SAMSegmentLib.ui.common.steps import Steps

    steps = Steps(errors.append)
    yield steps
    steps.release()


def pieces(count: int, done: list, seconds: float = 0.002):
    for number in range(count):
        time.sleep(seconds)
        done.append(number)
        yield
    return sum(done)


def test_short_work_is_done_at_once(steps, monkeypatch):
    # On a busy computer, nothing is short.
    monkeypatch.setattr("SAMSegmentLib.ui.common.steps.BUDGET_S", 10.0)
    results = []
    steps.run("sum", pieces(3, [], 0), results.append)
    assert results == [3]


def test_long_work_lets_the_window_live(application, steps):
    results, done = [], []
    steps.run("sum", pieces(30, done), results.append)
    assert 0 < len(done) < 30 and results == []
    assert application.wait(lambda: results)
    assert results == [sum(range(30))]
    assert not steps.is_running("sum")


def test_new_work_of_the_same_name_replaces_the_old(application, steps):
    results, first, second = [], [], []
    steps.run("sum", pieces(30, first), results.append)
    steps.run("sum", pieces(20, second), results.append)
    assert application.wait(lambda: results)
    assert results == [sum(range(20))] and len(first) < 30


def test_stopped_work_is_never_finished(application, steps):
    results, done = [], []
    steps.run("sum", pieces(30, done), results.append)
    steps.stop("sum")
    so_far = len(done)
    application.wait(seconds=0.1)
    assert results == [] and len(done) == so_far


def test_work_may_begin_other_work(application, steps):
    results = []
    steps.run("first", pieces(3, []), lambda _: steps.run("second", pieces(30, []), results.append))
    assert application.wait(lambda: results)


def test_an_error_is_reported_and_the_others_go_on(application, steps, errors):
    def broken():
        yield
        raise ValueError("broken")

    results = []
    steps.run("long", pieces(20, []), results.append)
    steps.run("broken", broken(), results.append)
    assert application.wait(lambda: results)
    assert [str(error) for error in errors] == ["broken"] and len(results) == 1


def test_an_error_of_the_callback_is_reported(steps, errors):
    steps.run("sum", pieces(1, [], 0), lambda _: 1 / 0)
    assert isinstance(errors[0], ZeroDivisionError)
