"""The child's side of a job on weights, without its process."""

import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest

from SAMSegmentLib.core.errors import InputError, OutOfMemoryError, WeightsError
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.weights.progress import Transfer
from SAMSegmentLib.worker.child import model_jobs
from SAMSegmentLib.worker.child.model_jobs import REPORT_EVERY_S, ModelJobRunner
from SAMSegmentLib.worker.protocol.channel import ClosedError
from SAMSegmentLib.worker.protocol.error_messages import error_of
from SAMSegmentLib.worker.protocol.model_messages import (
    InstallModel,
    ModelDone,
    ModelFailed,
    VerifyModel,
)

MODEL = model_entry("sam-med3d-turbo")


@pytest.fixture
def original(tmp_path) -> Path:
    """A torch checkpoint, as far as its first bytes tell."""
    (tmp_path / "weights.pth").write_bytes(b"PK\x03\x04 and so on")
    return tmp_path / "weights.pth"


@pytest.fixture
def converted(tmp_path) -> Path:
    (tmp_path / "weights.pth.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    return tmp_path / "weights.pth.safetensors"


class Channel:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[object] = []

    def send(self, message: object) -> None:
        self.sent.append(message)


@pytest.fixture
def carry_out(monkeypatch):
    """Carries out an order with other functions than the library's; all that it sends."""

    def carry_out(order, install=None, verify=None, prepared=None) -> list[object]:
        monkeypatch.setattr(model_jobs, "install", install)
        monkeypatch.setattr(model_jobs, "verify", verify)
        conversion = types.ModuleType("conversion")
        conversion.prepared = prepared
        name = "SAMSegmentLib.models.tensor_files.conversion"
        monkeypatch.setitem(sys.modules, name, conversion)
        channel = Channel()
        runner = ModelJobRunner(socket.socket())
        runner.channel = channel
        runner.take(order)
        runner.run()
        return channel.sent

    return carry_out


def raising(error):
    def fail(*_):
        raise error

    return fail


def test_looks_are_sent_some_times_a_second_and_each_new_part_at_once(
    carry_out, monkeypatch, original
):
    clock = types.SimpleNamespace(now=100.0)
    monkeypatch.setattr(model_jobs.time, "monotonic", lambda: clock.now)

    def verify(_entry, report):
        for step in range(1000):
            clock.now += 0.001
            report(Transfer("Checking", step, 1000))
        report(Transfer("Waiting"))
        return original

    *looks, waiting, done = carry_out(VerifyModel(MODEL), verify=verify)
    assert len(looks) in (10, 11) and looks[0].done == 0 and looks[1].done == 1000 * REPORT_EVERY_S
    assert waiting == Transfer("Waiting") and done == ModelDone(str(original))


def test_a_source_is_handed_over_as_a_path(carry_out, converted):
    given = []

    def install(entry, source, report):
        given.append((entry, source))
        return converted

    for source in (None, "stick"):
        assert carry_out(InstallModel(MODEL, source), install) == [ModelDone(str(converted))]
    assert given == [(MODEL, None), (MODEL, Path("stick"))]


def test_what_is_safetensors_already_is_not_converted(carry_out, converted):
    sent = carry_out(InstallModel(MODEL), lambda *_: converted, prepared=raising(AssertionError))
    assert sent == [ModelDone(str(converted))]


def test_what_was_installed_is_converted_and_the_user_sees_that(carry_out, original, converted):
    sent = carry_out(InstallModel(MODEL), lambda *_: original, prepared=lambda _: converted)
    assert sent == [Transfer(model_jobs.CONVERTING), ModelDone(str(converted))]


@pytest.mark.parametrize(
    ("prepared", "reason"),
    [
        (raising(ModuleNotFoundError("No module named 'torch'", name="torch")), "PyTorch"),
        (raising(ModuleNotFoundError("No module named 'x'", name="x")), "'x'"),
        (raising(OutOfMemoryError("Not enough memory.")), "Not enough memory"),
        (raising(OSError(28, "No space left")), "No space left"),
        (None, "no room"),
    ],
)
def test_what_cannot_be_converted_yet_is_installed_with_a_note(
    carry_out, prepared, reason, original
):
    order, left_as_it_was = InstallModel(MODEL), lambda _: original
    *_, done = carry_out(order, lambda *_: original, prepared=prepared or left_as_it_was)
    (note,) = done.notes
    assert done.path == str(original) and reason in note and "\n" not in note


def test_bad_weights_that_the_conversion_finds_are_an_error(carry_out, original):
    problem = WeightsError("It carries code.")
    *_, failed = carry_out(InstallModel(MODEL), lambda *_: original, prepared=raising(problem))
    assert isinstance(error_of(failed.error), WeightsError)
    assert failed.error.message == "It carries code."


def test_an_error_comes_back_as_it_was_raised_with_its_trace(carry_out):
    (failed,) = carry_out(InstallModel(MODEL), raising(InputError("This is a folder.")))
    assert isinstance(failed, ModelFailed) and "Traceback" in failed.error.details
    error = error_of(failed.error)
    assert type(error) is InputError and str(error) == "This is a folder."


def test_what_nobody_has_thought_of_says_in_one_line_what_it_was_and_what_to_do(carry_out):
    (failed,) = carry_out(InstallModel(MODEL), raising(ZeroDivisionError("by\nzero.")))
    error = error_of(failed.error)
    assert type(error).__name__ == "InstallError"
    assert "(ZeroDivisionError: by zero)" in str(error) and "Try again" in str(error)


def test_a_client_that_has_left_is_told_nothing_more(carry_out):
    with pytest.raises(ClosedError):
        carry_out(InstallModel(MODEL), raising(ClosedError()))


def test_nothing_heavy_is_imported_for_it():
    heavy = {"torch", "scipy", "SimpleITK", "safetensors", "requests", "vtk", "slicer"}
    code = f"import sys, SAMSegmentLib.worker.child.model_jobs; print({heavy!r} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
