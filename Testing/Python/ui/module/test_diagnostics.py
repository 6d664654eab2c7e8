"""Diagnostics tell of the computer, and nothing of the patient, the user or their files."""

import platform
import traceback
from pathlib import Path

import numpy as np
import pytest

import SAMSegmentLib
from SAMSegmentLib.core.errors import (
    InputError,
    MissingPackageError,
    OutOfMemoryError,
    WeightsError,
)

pytestmark = pytest.mark.mrml

PATIENT = "Doe^Jane"
POSITION = "-123.4567"


@pytest.fixture
def diagnostics(application):
    from SAMSegmentLib.ui.module.diagnostics import diagnostics

    return diagnostics


@pytest.fixture
def reported(application):
    """The part of an error's text that is reported."""
    from SAMSegmentLib.ui.module.error_report import without_patient_data

    return without_patient_data


class Client:
    """What diagnostics read of a WorkerClient."""

    def __init__(self, state, info=None, last_error=None) -> None:
        self.state, self.info, self.last_error = state, info, last_error


def worker_client(last_error=None):
    from SAMSegmentLib.worker.protocol.events import WorkerInfo, WorkerState

    info = WorkerInfo(4711, "3.12.10", "2.9.1+cu128", "cuda", "NVIDIA A2", 6, 2 << 30)
    return Client(WorkerState.READY, info, last_error)


def traceback_of(error: Exception) -> str:
    """The text of a traceback with two frames, as the worker keeps it."""

    def segment_patient():
        raise error

    try:
        segment_patient()
    except Exception as raised:
        return "".join(traceback.format_exception(raised))


def test_versions_device_and_weights_are_reported(diagnostics):
    import slicer

    text = diagnostics()
    for fact in (
        f"SAM Segment: {SAMSegmentLib.__version__}",
        f"Slicer: {slicer.app.applicationVersion}",
        f"Python: {platform.python_version()}",
        f"numpy: {np.__version__}",
        "Device setting: auto",
        "Worker: not started",
        "Model litemedsam: right, SHA-256 7362845798",
        "Last error: none",
    ):
        assert fact in text
    assert all(line.partition(": ")[2] for line in text.splitlines()[1:])


def test_what_the_worker_reports_is_reported(diagnostics):
    text = diagnostics(worker_client())
    assert (
        "Worker: ready, device cuda (NVIDIA A2), torch 2.9.1+cu128, Python 3.12.10, 6 threads,"
        " cache 2.0 GiB"
    ) in text


def test_a_worker_without_info_tells_its_state(diagnostics):
    from SAMSegmentLib.worker.protocol.events import WorkerState

    assert "Worker: failed" in diagnostics(Client(WorkerState.FAILED))


def test_the_chosen_device_is_reported(diagnostics):
    from SAMSegmentLib.ui.common import device_settings

    device_settings.set_device("cpu")
    assert "Device setting: cpu" in diagnostics()


@pytest.mark.parametrize(("content", "verdict"), [(None, "missing"), (b"wrong", "damaged")])
def test_weights_that_are_not_right_are_reported(
    diagnostics, tmp_path, monkeypatch, content, verdict
):
    from SAMSegmentLib.weights.catalogue import model_entry

    entry = model_entry("litemedsam")
    monkeypatch.setattr("SAMSegmentLib.weights.entry.MODELS_FOLDER", tmp_path)
    if content is not None:
        (tmp_path / entry.name).mkdir()
        (tmp_path / entry.name / entry.file).write_bytes(content)
    assert f"Model litemedsam: {verdict}" in diagnostics()


def test_weights_that_the_user_gets_are_reported_as_they_are_but_not_read(
    diagnostics, tmp_path, monkeypatch
):
    from SAMSegmentLib.weights.catalogue import model_entry

    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path / "models"))
    entry = model_entry("sam-med3d-turbo")
    assert f"Model sam-med3d-turbo: not installed, SHA-256 {entry.sha256}" in diagnostics()
    assert not entry.path.parent.exists()
    entry.path.parent.mkdir()
    entry.path.write_bytes(b"anything")
    assert (
        f"Model sam-med3d-turbo: installed, not verified, SHA-256 {entry.sha256}" in diagnostics()
    )


def test_what_is_in_the_scene_is_not_reported(application, diagnostics):
    from SlicerHost.scene_builder import SceneBuilder

    builder = SceneBuilder(application)
    volume = builder.volume()
    volume.SetName(PATIENT)
    storage = application.add("vtkMRMLVolumeArchetypeStorageNode", PATIENT)
    storage.SetFileName(f"/data/{PATIENT}/{PATIENT}.nrrd")
    segmentation = builder.segmentation(volume)
    segmentation.SetName(f"{PATIENT} lesion")
    application.scene.SetURL(f"/data/{PATIENT}.mrml")
    assert PATIENT not in diagnostics(worker_client())


def test_the_home_folder_and_with_it_the_users_name_is_not_reported(
    diagnostics, monkeypatch, tmp_path
):
    home = tmp_path / "drsmith"
    home.mkdir()
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setattr("SAMSegmentLib.weights.entry.MODELS_FOLDER", home / "models")
    error = traceback_of(FileNotFoundError(f"{home}/scans/{PATIENT}.nrrd"))
    text = diagnostics(worker_client(error), None)
    assert "drsmith" not in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"{PATIENT} has no voxels at ({POSITION}, 2, 3)"),
        RuntimeError(f"could not read /data/{PATIENT}/ct.nrrd: {POSITION}"),
        KeyError(PATIENT),
        OSError(2, "No such file", f"C:\\scans\\{PATIENT}\\ct.nrrd"),
        InputError(f"{PATIENT}: the point {POSITION} lies outside."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_errors_text_is_left_out_but_not_its_type_and_place(diagnostics, error):
    text = diagnostics(worker_client(traceback_of(error)))
    assert PATIENT not in text and "Doe" not in text
    assert POSITION not in text
    assert type(error).__name__ in text
    assert "in segment_patient" in text
    assert "raise error" not in text  # no contents of files, not even of code


def test_an_error_of_several_lines_leaks_none_of_them(reported):
    text = reported(traceback_of(ValueError(f"first\n{PATIENT}\n  {POSITION}\nError: {PATIENT}")))
    assert PATIENT not in text and POSITION not in text


def test_errors_about_the_computer_keep_their_text(reported):
    for error in (
        MissingPackageError("torch is not installed"),
        OutOfMemoryError("the image needs 9 GB"),
        ModuleNotFoundError("No module named 'safetensors'"),
        RuntimeError("CUDA error: no kernel image is available for execution on the device"),
    ):
        assert str(error) in reported(traceback_of(error))


def test_paths_are_taken_out_of_them_all_the_same(reported):
    for path in (f"/mnt/{PATIENT}/weights.safetensors", f"D:\\{PATIENT}\\weights.safetensors"):
        text = reported(traceback_of(WeightsError(f"The weights ({path}) are damaged.")))
        assert "The weights ((path)) are damaged." in text
        assert PATIENT not in text


@pytest.mark.parametrize("place", ["home", "chosen folder"])
def test_names_with_blanks_in_the_users_folders_are_taken_out(
    reported, monkeypatch, tmp_path, place
):
    from SAMSegmentLib.weights.catalogue import model_entry

    user = tmp_path / "Doe Jane MD"
    if place == "home":
        monkeypatch.delenv("SAMSEGMENT_MODELS", raising=False)
        monkeypatch.setattr(Path, "home", lambda: user)
        error = WeightsError(f"{user}/Library/Application Support/SAMSegment/models/a.pth is cut.")
    else:
        monkeypatch.setenv("SAMSEGMENT_MODELS", str(user / "large files"))
        model_entry("sam-med3d-turbo").path.parent.mkdir(parents=True)
        model_entry("sam-med3d-turbo").path.write_bytes(b"damaged")
        with pytest.raises(WeightsError) as raised:
            model_entry("sam-med3d-turbo").verified_path()
        error = raised.value
        assert str(user) in str(error)
    text = reported(traceback_of(error))
    for name in ("Doe", "Jane", "MD"):
        assert name not in text
    assert "(path)" in text and "WeightsError" in text


def test_places_in_code_are_reported_from_the_package_on(application):
    from SAMSegmentLib.ui.module.error_report import short_code_path

    for path, short in (
        ("/opt/drsmith/lib/SAMSegmentLib/core/image.py", "SAMSegmentLib/core/image.py"),
        ("D:\\Homes\\drsmith\\SAMSegmentLib\\ui\\a.py", "SAMSegmentLib/ui/a.py"),
        ("/a/lib/python3.12/site-packages/torch/nn/x.py", "site-packages/torch/nn/x.py"),
        ("/a/drsmith/lib/Python/lib/python3.12/json/decoder.py", "python/json/decoder.py"),
        ("C:\\drsmith\\Slicer\\lib\\Python\\Lib\\json\\a.py", "python/json/a.py"),
        (f"/data/lib/{PATIENT}/script.py", "(other code)"),
        (f"/data/{PATIENT}/script.py", "(other code)"),
        ("<string>", "(other code)"),
    ):
        assert short_code_path(path) == short


def test_a_crash_report_keeps_what_python_says_of_the_crash(reported):
    report = (
        "Exit status -11.\n"
        f"loading {PATIENT}\n"
        "Fatal Python error: Segmentation fault\n\n"
        "Current thread 0x00007f0a (most recent call first):\n"
        '  File "/x/SAMSegmentLib/engines/encoder.py", line 12 in encode\n'
    )
    assert reported(report).splitlines() == [
        "Exit status -11.",
        "Fatal Python error: Segmentation fault",
        "Current thread 0x00007f0a (most recent call first):",
        "  SAMSegmentLib/engines/encoder.py, line 12, in encode",
    ]


def test_a_sentence_of_the_worker_is_kept(reported):
    sentence = "A request that was given up did not stop: the process was ended."
    assert reported(sentence) == sentence


def test_text_of_which_nothing_may_be_reported_says_so(reported):
    assert reported(f"{PATIENT}\n{POSITION}") == "(text left out)"


def test_memory_and_processor_are_reported_by_this_computer(diagnostics):
    text = diagnostics()
    memory = next(line for line in text.splitlines() if line.startswith("Memory: "))
    assert "GiB" in memory
    processor = next(line for line in text.splitlines() if line.startswith("Processor: "))
    assert "logical cores" in processor


def test_that_a_message_was_none_is_reported_but_not_what_was_in_it(reported):
    report = "What came over the channel is no message.\nInputError: Smith, 12 mm\nExit status -9."
    assert reported(report) == (
        "What came over the channel is no message.\nInputError: (text left out)\nExit status -9."
    )
