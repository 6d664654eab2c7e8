"""The self test that a real Slicer runs under CTest passes in the host, too."""

from pathlib import Path

import pytest

MODULE = Path(__file__).parents[3] / "SAMSegment" / "SAMSegment.py"

pytestmark = pytest.mark.mrml


@pytest.fixture
def self_test(application):
    """A SAMSegmentTest in a Slicer that has started; its log must hold no error."""
    application.load_module(MODULE)
    application.start()
    import SAMSegment

    yield SAMSegment.SAMSegmentTest()
    assert application.errors == []


@pytest.fixture
def impatient(monkeypatch):
    """`impatient(seconds)`: how long the self test waits for something; 30 s until then."""

    def set_patience(seconds: float) -> None:
        monkeypatch.setattr("SAMSegmentLib.ui.self_test.PATIENCE_S", seconds)

    set_patience(30.0)
    return set_patience


def test_the_way_through_the_effect_passes_with_a_quick_engine(self_test, service, impatient):
    self_test.setUp()
    self_test.test_point_proposal_apply_undo()
    self_test.tearDown()


def test_the_way_through_the_effect_fails_if_the_proposal_is_wrong(
    self_test, service, monkeypatch, impatient
):
    impatient(5.0)
    monkeypatch.setattr("SAMSegmentLib.ui.self_test.GOOD_DICE", 1.01)
    self_test.setUp()
    with pytest.raises(AssertionError):
        self_test.test_point_proposal_apply_undo()
    self_test.tearDown()


def test_a_proposal_that_never_comes_is_told_with_what_the_panel_says(
    self_test, monkeypatch, impatient
):
    from SAMSegmentLib.ui import worker_service
    from SAMSegmentLib.worker.process_client import WorkerClient

    service = worker_service.WorkerService(lambda device: WorkerClient(device, ["no-such-python"]))
    monkeypatch.setattr(worker_service, "_shared", service)
    impatient(2.0)
    self_test.setUp()
    with pytest.raises(AssertionError, match="could not be started"):
        self_test.test_point_proposal_apply_undo()
    self_test.tearDown()
    service.close()


@pytest.mark.slow
def test_all_of_it_passes_with_the_embedded_model(self_test):
    self_test.runTest()
