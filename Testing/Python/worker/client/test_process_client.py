"""Asking a child process: what comes back, and what does not."""

import dataclasses
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError, OutOfMemoryError, SAMSegmentError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.core.proposal import propose
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from SAMSegmentLib.worker.protocol.events import (
    Failed,
    PredictionRequest,
    Preview,
    Progress,
    Proposed,
    Ready,
    WorkerState,
)
from TestSupport.catalogue_models import catalogue_run_by
from TestSupport.recording_engine import bright

from ..conftest import MODEL

NOWHERE = Prompts(points=(Point((48, 48, 900)),))
CLICK = Prompts(points=(Point((48, 48, 10)),))


def oblique(geometry):
    """Another grid: coarser along one axis, turned, and shifted by half a voxel."""
    angle = np.deg2rad(20)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix = turn @ geometry.ijk_to_ras @ np.diag([1, 1, 0.5, 1])
    matrix[:3, 3] += (8, -9, 0.75)
    return Geometry(matrix, (14, 60, 66))


def prediction_of(image):
    return bright(image, 120)


class TestAnAnswer:
    def test_is_the_one_that_would_be_given_in_this_process(self, shared_pump):
        image = shared_pump.image()
        proposal = shared_pump.answer(image)
        (expected,) = propose(prediction_of(image), image.geometry)
        np.testing.assert_array_equal(proposal.levels.values, expected.levels.values)
        assert proposal.levels.start == expected.levels.start
        assert proposal.geometry == image.geometry
        assert (proposal.cut, proposal.candidates) == (expected.cut, 2)

    def test_lies_on_the_grid_that_was_asked_for(self, shared_pump):
        image = shared_pump.image()
        target = oblique(image.geometry)
        proposal = shared_pump.answer(image, target=target)
        (expected,) = propose(prediction_of(image), target)
        np.testing.assert_array_equal(proposal.levels.values, expected.levels.values)
        assert (proposal.levels.start, proposal.geometry) == (expected.levels.start, target)
        assert proposal.cut == expected.cut

    def test_may_be_empty(self, shared_pump):
        image = shared_pump.image()
        far = Geometry(np.diag([1.0, 1, 1, 1]) + np.eye(4, k=3) * 1e4, (4, 4, 4))
        proposal = shared_pump.answer(image, target=far)
        assert proposal.levels.values.shape == (0, 0, 0)
        assert proposal.patch() is None
        assert proposal.cut == 1

    def test_stays_what_it_was_when_the_worker_is_gone(self, pump):
        voxels = np.tile(pump.image().voxels, (1, 1, 1))
        proposal = pump.answer(pump.image(voxels=voxels))
        before = proposal.levels.values.copy()
        part = proposal.levels.values[2:, 3:]
        pump.client.close()
        np.testing.assert_array_equal(proposal.levels.values, before)
        proposal.levels.values[0] = 7
        del proposal
        np.testing.assert_array_equal(part, before[2:, 3:])

    def test_of_an_alternative_can_be_asked_for(self, shared_pump):
        image = shared_pump.image()
        (expected,) = propose(prediction_of(image).alternatives[0], image.geometry)
        proposal = shared_pump.answer(image, alternative=1)
        np.testing.assert_array_equal(proposal.levels.values, expected.levels.values)
        assert proposal.box_mask().sum() < shared_pump.answer(image).box_mask().sum()
        number = shared_pump.ask(alternative=2)
        failed = shared_pump.until(Failed, number)
        assert isinstance(failed.error, InputError)
        assert "no alternative 2" in str(failed.error)

    def test_rests_on_all_that_was_asked(self, shared_pump):
        content = Patch(np.random.default_rng(0).random((2, 3, 4)) > 0.5, (1, 2, 3), 0.25)
        occupied = Patch(np.ones((3, 4, 4), dtype=bool)[:, ::2], (5, 60, 60))
        told = shared_pump.told(
            voxels=VoxelPrompts(content, True, occupied), intensity_range=(-100.0, 200.0)
        )
        assert told["content"] == [[1, 2, 3], 0.25, np.argwhere(content.values).tolist()]
        assert told["occupied"] == [[5, 60, 60], 0.0, np.argwhere(occupied.values).tolist()]
        assert told["refine"] is True
        assert told["intensity_range"] == [-100.0, 200.0]
        told = shared_pump.told(voxels=VoxelPrompts(None, False, occupied))
        assert (told["content"], told["refine"]) == (None, False)
        assert "content" not in shared_pump.told()

    def test_comes_with_progress_and_looks_at_what_is_there_so_far(self, shared_pump):
        number = shared_pump.ask("previewing")
        shared_pump.until(Proposed, number)
        progress = [e for e in shared_pump.seen if isinstance(e, Progress)]
        assert {e.number for e in progress} == {number}
        assert all(0 <= e.done <= e.total for e in progress)
        assert all(e.seconds_left is None or e.seconds_left >= 0 for e in progress)
        previews = [e for e in shared_pump.seen if isinstance(e, Preview)]
        assert previews and len(previews) < 30
        assert previews[0].number == number
        assert 0 < np.count_nonzero(previews[0].proposals[0].box_mask()) < 8 * 64 * 64

    def test_of_another_alternative_has_no_previews(self, shared_pump):
        shared_pump.until(Proposed, shared_pump.ask("previewing", alternative=1))
        assert not any(isinstance(e, Preview) for e in shared_pump.seen)


class TestStarting:
    def test_does_not_wait_for_the_process(self, pump):
        assert pump.client.state is WorkerState.OFF
        pump.client.start()
        assert pump.client.state is WorkerState.STARTING
        assert pump.client.info is None
        pump.until(Ready)
        assert pump.client.state is WorkerState.READY

    def test_tells_what_was_started(self, shared_pump):
        info = shared_pump.client.info
        assert info.python.split(".")[0] == "3"
        assert info.torch.split(".")[0].isdigit()
        assert type(info.torch) is str
        assert (info.device, info.device_name) == ("cpu", "")
        assert 0 < info.cache_bytes <= 512 * 2**20
        assert info.threads >= 1

    def test_again_changes_nothing(self, shared_pump):
        pid = shared_pump.client.info.pid
        shared_pump.client.start()
        assert shared_pump.client.info.pid == pid
        assert shared_pump.told()["pid"] == pid

    def test_a_request_starts_what_is_off_and_is_answered_when_it_is_ready(self, pump):
        number = pump.ask()
        assert pump.client.state is WorkerState.STARTING
        pump.until(Proposed, number)
        assert pump.seen[0] == Progress(number, 0, 100, "Starting the model")
        assert any(isinstance(event, Ready) for event in pump.seen)

    def test_a_client_can_be_closed_twice_and_started_again(self, pump):
        first = pump.told()["pid"]
        pump.client.close()
        pump.client.close()
        assert pump.client.state is WorkerState.OFF and pump.client.info is None
        assert pump.client.poll() == []
        assert pump.told()["pid"] != first

    def test_a_device_that_is_not_there_is_refused_in_words(self, new_pump):
        pump = new_pump()
        pump.client._link._settings["device"] = "tpu"
        failed = pump.until(Failed, pump.ask())
        assert isinstance(failed.error, InputError)
        assert "no device 'tpu'" in str(failed.error)
        assert pump.client.state is WorkerState.FAILED
        later = pump.until(Failed, pump.ask())
        assert str(later.error) == str(failed.error)

    def test_neither_the_client_nor_its_answers_import_torch(self):
        code = """
            import os, sys, time
            from conftest import Pump
            pump = Pump()
            pump.answer("previewing")
            assert pump.client.info.torch
            pump.client.close()
            never = ("torch", "slicer", "vtk", "vtkmodules", "PySide6", "qt")
            print([name for name in never if name in sys.modules])
        """
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert result.stdout.strip() == "[]", result.stderr


class TestTheNewestRequestWins:
    def test_and_the_one_before_it_is_never_heard_of_again(self, shared_pump):
        shared_pump.begun(shared_pump.ask("slow"))
        pid = shared_pump.client.info.pid
        second = shared_pump.ask()
        shared_pump.until(Proposed, second)
        assert {e.number for e in shared_pump.seen} == {second}
        assert shared_pump.client.info.pid == pid

    def test_also_of_many_at_once(self, shared_pump):
        numbers = [shared_pump.ask(kind) for kind in ("slow", None, "failing", "slow", None)]
        assert numbers == sorted(set(numbers))
        shared_pump.until(Proposed, numbers[-1])
        assert {e.number for e in shared_pump.seen} == {numbers[-1]}

    def test_events_that_nobody_fetched_are_forgotten(self, new_pump):
        pump = new_pump(python=["/nowhere/python"])
        pump.ask()
        number = pump.ask()
        assert [e.number for e in pump.client.poll() if isinstance(e, Failed)] == [number]


class TestCancelling:
    def test_ends_the_request_and_nothing_more_is_heard_of_it(self, shared_pump):
        pid = shared_pump.client.info.pid
        shared_pump.begun(shared_pump.ask("slow"))
        assert shared_pump.client.state is WorkerState.BUSY
        shared_pump.client.cancel()
        assert shared_pump.client.state is WorkerState.READY
        assert shared_pump.stopped() == []
        assert shared_pump.told()["pid"] == pid

    def test_while_nothing_is_asked_does_nothing(self, shared_pump):
        shared_pump.client.cancel()
        assert shared_pump.client.poll() == []

    def test_before_the_process_is_there_leaves_it_alone(self, pump):
        pump.ask("deaf")
        pump.client.cancel()
        pump.later = 10
        assert not any(hasattr(e, "number") for e in pump.wait(lambda: pump.client.info))
        assert pump.told()["asked"] == 1

    def test_ends_the_process_of_an_engine_that_does_not_listen(self, pump, comes_to_an_end):
        pump.ready()
        pid = pump.client.info.pid
        pump.begun(pump.ask("deaf"))
        pump.client.cancel()
        pump.later = 0.45
        pump.client.poll()
        assert pump.client.info.pid == pid
        pump.later = 0.55
        assert pump.client.poll() == []
        assert pump.client.state is WorkerState.STARTING
        assert comes_to_an_end(pid)
        events = pump.wait(lambda: pump.client.info)
        assert [type(event) for event in events] == [Ready]
        assert pump.told()["pid"] == pump.client.info.pid != pid

    def test_a_new_process_gets_the_volume_before_anybody_asks(self, pump):
        image = pump.image("deaf")
        pump.begun(pump.ask(image))
        copied = pump.client._uploads.copied
        assert copied == image.voxels.nbytes
        pump.client.cancel()
        pump.later = 1
        pump.client.poll()
        pump.wait(lambda: pump.client._uploads is not None)
        pump.wait(lambda: pump.client._uploads.copied == copied)

    def test_a_request_that_waits_for_a_deaf_one_is_answered_by_a_new_process(self, pump):
        pump.ready()
        pid = pump.client.info.pid
        pump.begun(pump.ask("deaf"))
        number = pump.ask()
        pump.later = 1
        pump.client.poll()
        assert pump.client.info.pid == pid
        pump.later = 6
        pump.until(Proposed, number)
        assert pump.client.info.pid != pid


class TestErrors:
    @pytest.mark.parametrize(
        "prompts",
        [Prompts(), NOWHERE, Prompts(roi=Roi.from_box((900, 48, 10), (44, 44, 4)))],
    )
    def test_prompts_that_do_not_fit_are_refused_at_once(self, shared_pump, prompts):
        image = shared_pump.image()
        with pytest.raises(InputError):
            shared_pump.client.ask(PredictionRequest(MODEL, image, prompts, image.geometry))

    def test_a_model_that_takes_no_points_is_not_asked(self, shared_pump):
        image = shared_pump.image()
        boxes_only = dataclasses.replace(MODEL, prompts=("roi",))
        with pytest.raises(InputError, match="draw an ROI"):
            shared_pump.client.ask(PredictionRequest(boxes_only, image, CLICK, image.geometry))

    @pytest.mark.parametrize("start", [(-1, 0, 0), (7, 0, 0), (0, 0, 62)])
    def test_masks_beside_the_volume_are_refused_at_once(self, shared_pump, start):
        mask = Patch(np.ones((2, 3, 3), dtype=bool), start)
        with pytest.raises(InputError, match="grid"):
            shared_pump.ask(voxels=VoxelPrompts(mask))

    def test_a_refused_request_leaves_the_one_before_alone(self, shared_pump):
        image = shared_pump.image("previewing")
        number = shared_pump.ask(image)
        with pytest.raises(InputError):
            shared_pump.client.ask(PredictionRequest(MODEL, image, NOWHERE, image.geometry))
        shared_pump.until(Proposed, number)

    @pytest.mark.parametrize("value", [np.nan, 5.0])
    def test_voxels_without_content_are_found_by_the_process(self, shared_pump, value):
        image = Image(np.full((8, 64, 64), value), shared_pump.image().geometry)
        failed = shared_pump.until(Failed, shared_pump.ask(image))
        assert isinstance(failed.error, InputError)
        assert "value_range" not in vars(image)

    def test_a_lack_of_memory_is_told_and_survived_by_a_fresh_process(self, shared_pump):
        pid = shared_pump.client.info.pid
        failed = shared_pump.until(Failed, shared_pump.ask("without memory"))
        assert isinstance(failed.error, OutOfMemoryError)
        assert "make the ROI smaller" in str(failed.error)
        # What libraries had no memory for, some never try again.
        assert shared_pump.told()["pid"] != pid

    def test_an_unknown_error_is_one_line_and_its_details_are_kept(self, shared_pump):
        failed = shared_pump.until(Failed, shared_pump.ask("failing"))
        assert type(failed.error) is SAMSegmentError
        assert "ZeroDivisionError: one line and another" in str(failed.error)
        assert "\n" not in str(failed.error)
        assert "Traceback" in shared_pump.client.last_error
        assert "recording_engine.py" in shared_pump.client.last_error
        shared_pump.answer()

    def test_a_volume_for_which_there_is_no_memory_is_refused(self, shared_pump):
        # 35 TB that are one voxel.
        shape = (2**14, 2**14, 2**14)
        voxels = np.broadcast_to(np.float64(3), shape)
        image = Image(voxels, Geometry(np.diag([1.5, 1.5, 3, 1]), shape))
        number = shared_pump.client.ask(PredictionRequest(MODEL, image, CLICK, image.geometry))
        failed = shared_pump.until(Failed, number)
        assert isinstance(failed.error, OutOfMemoryError)
        assert "crop the volume" in str(failed.error)
        shared_pump.answer()


class TestLookingAhead:
    def test_is_done_while_nothing_else_is(self, shared_pump):
        image = shared_pump.image()
        before = shared_pump.told(image)["prepared"]
        shared_pump.client.prepare_click(image, np.array([10.0, 20.0, 5.0]))
        shared_pump.wait(lambda: shared_pump.client._expected is None)
        # No event tells of it: the next look comes when this one is over.
        time.sleep(0.2)
        after = shared_pump.told(image)["prepared"]
        assert after == [*before, [10.0, 20.0, 5.0]]

    def test_is_given_up_for_a_request(self, shared_pump):
        image = shared_pump.image("slow to prepare")
        before = shared_pump.told(image)
        shared_pump.client.prepare_click(image, (10.0, 20.0, 5.0))
        shared_pump.wait(lambda: shared_pump.client._expected is None)
        time.sleep(0.05)
        after = shared_pump.told(image)
        assert after["given_up"] == before["given_up"] + 1
        assert after["prepared"] == before["prepared"]

    def test_may_come_before_any_request(self, pump):
        with catalogue_run_by("recording"):
            pump.client.prepare_click(pump.image(), (10.0, 20.0, 5.0))
            pump.ready()
            pump.wait(lambda: pump.client._expected is None)
        time.sleep(1.5)  # the model is loaded before
        assert pump.told()["prepared"] == [[10.0, 20.0, 5.0]]
