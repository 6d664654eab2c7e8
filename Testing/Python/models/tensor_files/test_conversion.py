"""Weights become safetensors once; at every moment, one of the two files is good."""

import dataclasses
import hashlib
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from SAMSegmentLib.core.errors import WeightsError
from SAMSegmentLib.models.tensor_files import conversion
from SAMSegmentLib.models.tensor_files.checkpoints import load_tensors
from SAMSegmentLib.models.tensor_files.conversion import prepared
from SAMSegmentLib.models.tensor_files.safetensors_files import write_safetensors
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.weights.files import file_sha256
from SAMSegmentLib.weights.weights_files import Receipt

BASE = torch.arange(12.0)
TENSORS = {
    "weight": torch.linspace(-1, 1, 7),
    "odd numbers": torch.tensor([math.nan, -0.0, math.inf, 1e-40]),
    "half": torch.ones(3).half(),
    "bfloat16": torch.full((2, 2), 0.1).bfloat16(),
    "scale": torch.tensor(0.25),
    "empty": torch.empty(0, 3),
    "count": torch.arange(4),
    "mask": torch.tensor([True, False]),
    "all": BASE,
    "part": BASE[3:7],
    "turned": BASE.reshape(3, 4).T,
}


def bits(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist())


def same(found, expected=TENSORS) -> bool:
    return found.keys() == expected.keys() and all(
        found[name].dtype == value.dtype
        and found[name].shape == value.shape
        and bits(found[name]) == bits(value)
        for name, value in expected.items()
    )


@pytest.fixture
def folder(monkeypatch, tmp_path) -> Path:
    path = tmp_path / "models"
    path.mkdir()
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(path))
    return path


@pytest.fixture
def installed(folder):
    """Puts a file into the folder of models; its entry."""

    def install(content=None, data: bytes | None = None):
        entry = model_entry("sam-med3d-turbo")
        path = entry.files.original
        if data is not None:
            path.write_bytes(data)
        else:
            torch.save({"model_state_dict": TENSORS} if content is None else content, path)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return dataclasses.replace(entry, sha256=sha256)

    return install


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def is_converted(entry) -> bool:
    """Whether the converted file is what is used, good, and alone."""
    path = entry.files.converted
    return (
        files(path.parent) == [entry.files.receipt.name, path.name]
        and entry.verified_path() == path
        and same(load_tensors(path))
    )


def is_as_published(entry, data: bytes) -> bool:
    path = entry.files.original
    return (
        files(path.parent) == [path.name]
        and entry.verified_path() == path
        and path.read_bytes() == data
    )


# What is converted


def test_a_checkpoint_becomes_safetensors_bit_by_bit_and_is_removed(installed):
    entry = installed()
    assert prepared(entry) == entry.files.converted
    assert is_converted(entry)
    found = load_file(entry.files.converted)
    assert same(found)


def test_the_receipt_tells_what_was_made_of_what(installed):
    entry = installed()
    path = prepared(entry)
    assert entry.files.read_receipt() == Receipt(
        entry.sha256, file_sha256(path), path.stat().st_size
    )


def test_what_is_converted_is_not_touched_again(installed):
    entry = installed()
    path = prepared(entry)
    before = path.stat()
    assert prepared(entry) == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns and path.stat().st_ino == before.st_ino


def test_two_models_that_share_a_file_share_the_converted_one(installed):
    entry = installed()
    other = dataclasses.replace(entry, name="sam-med3d-turbo-int8")
    assert prepared(entry) == prepared(other)
    assert is_converted(other)


def test_weights_that_are_published_as_safetensors_stay_as_they_are(installed, folder, tmp_path):
    save_file({"w": torch.ones(3)}, tmp_path / "published")
    data = (tmp_path / "published").read_bytes()
    entry = installed(data=data)
    assert prepared(entry) == entry.files.original
    assert is_as_published(entry, data)
    assert not entry.files.lock.exists()


def test_embedded_weights_stay_where_they_are(folder):
    entry = model_entry("litemedsam")
    assert prepared(entry) == entry.path and files(folder) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_whoever_may_read_new_files_may_read_the_converted_one(installed):
    before = os.umask(0o022)
    try:
        path = prepared(installed())
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def test_the_library_for_safetensors_reads_what_is_written(tmp_path):
    path = tmp_path / "written"
    with path.open("wb") as file:
        write_safetensors({**TENSORS, 'é \\ "': torch.ones(1)}, file.write)
    found = load_file(path)
    assert same(found, {**TENSORS, 'é \\ "': torch.ones(1)})
    with safe_open(path, "pt") as opened:
        assert opened.metadata() == {"format": "pt"}
    # Packed as the library packs them: numbers lie where processors want them.
    assert all(value.data_ptr() % value.element_size() == 0 for value in found.values())


# What is not good


def test_a_missing_file_is_told_as_ever(folder):
    with pytest.raises(WeightsError, match="not installed"):
        prepared(model_entry("sam-med3d-turbo"))


def test_another_file_than_the_catalogues_is_refused_and_stays(installed):
    entry = dataclasses.replace(installed(), sha256="0" * 64)
    with pytest.raises(WeightsError, match="SHA-256"):
        prepared(entry)
    assert files(entry.files.original.parent) == [entry.files.original.name]


class RunsACommand:
    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_checkpoint_with_code_is_refused_stays_and_is_not_run(installed, tmp_path):
    trace = tmp_path / "ran"
    entry = installed({"model_state_dict": TENSORS, "args": RunsACommand(trace)})
    data = entry.files.original.read_bytes()
    with pytest.raises(WeightsError, match="not run"):
        prepared(entry)
    assert is_as_published(entry, data) and not trace.exists()


# What keeps it from being converted


def test_while_another_program_works_on_the_file_it_is_used_as_it_is(installed):
    entry = installed()
    data = entry.files.original.read_bytes()
    with FileLock(entry.files.lock):
        assert prepared(entry) == entry.files.original
        assert is_as_published(entry, data)
    assert prepared(entry) == entry.files.converted


def fails(error: Exception):
    def call(*_, **__):
        raise error

    return call


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(28, "No space left on device"), RuntimeError("mmap: 12")]
)
def test_what_fails_while_it_is_written_leaves_the_published_file(installed, monkeypatch, error):
    entry = installed()
    data = entry.files.original.read_bytes()
    monkeypatch.setattr(conversion, "write_safetensors", fails(error))
    assert prepared(entry) == entry.files.original
    assert is_as_published(entry, data)


def test_without_room_for_a_second_copy_nothing_is_written(installed, monkeypatch):
    entry = installed()
    data = entry.files.original.read_bytes()
    usage = conversion.shutil.disk_usage(entry.files.original.parent)._replace(free=1000)
    monkeypatch.setattr(conversion.shutil, "disk_usage", lambda _: usage)
    monkeypatch.setattr(conversion, "write_safetensors", fails(AssertionError("written")))
    assert prepared(entry) == entry.files.original
    assert is_as_published(entry, data)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such limit")
def test_a_disk_that_takes_no_more_bytes_leaves_the_published_file(installed):
    """The system itself refuses the write, as on a full disk."""
    import resource

    entry = installed({"w": torch.ones(5000)})
    data = entry.files.original.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, before[1]))
    try:
        assert prepared(entry) == entry.files.original
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert is_as_published(entry, data)


def test_a_name_in_the_way_leaves_the_published_file(installed):
    entry = installed()
    blocked = entry.files.converted
    blocked.mkdir()
    assert prepared(entry) == entry.files.original
    assert entry.verified_path() == entry.files.original


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0,
    reason="needs a user who must not write everywhere",
)
def test_a_folder_that_must_not_be_written_to_leaves_the_published_file(installed, folder):
    entry = installed()
    folder.chmod(0o500)
    try:
        assert prepared(entry) == entry.files.original
    finally:
        folder.chmod(0o700)


def test_bits_that_turn_on_the_way_to_the_disk_are_noticed(installed, monkeypatch):
    entry = installed()
    data = entry.files.original.read_bytes()

    def damaged(tensors, write):
        pieces = []
        write_safetensors(tensors, lambda piece: pieces.append(bytes(piece)))
        written = bytearray(b"".join(pieces))
        written[-1] ^= 1
        write(bytes(written))

    monkeypatch.setattr(conversion, "write_safetensors", damaged)
    assert prepared(entry) == entry.files.original
    assert is_as_published(entry, data)


def test_a_try_that_failed_is_not_made_again_for_the_next_click(installed, monkeypatch):
    entry = installed()
    tries = []

    def full(*_):
        tries.append(1)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(conversion, "write_safetensors", full)
    assert prepared(entry) == prepared(entry) == entry.files.original
    assert len(tries) == 1
    # Another process tries again.
    monkeypatch.setattr(conversion, "_given_up", set())
    prepared(entry)
    assert len(tries) == 2


def test_a_published_file_in_use_is_removed_by_the_next_call(installed, monkeypatch):
    """Windows removes no file that another program has mapped."""
    entry = installed()
    unlink = Path.unlink

    def busy(path, missing_ok=False):
        if path == entry.files.original:
            raise PermissionError(13, "in use")
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", busy)
        assert prepared(entry) == entry.files.converted
        assert prepared(entry) == entry.files.converted
    assert entry.files.original.exists() and entry.verified_path() == entry.files.converted
    prepared(entry)
    assert is_converted(entry)


# What lies there already


def test_what_an_earlier_try_left_is_replaced(installed):
    entry = installed()
    entry.files.converted.with_name(entry.files.converted.name + ".tmp").write_bytes(b"half")
    entry.files.converted.write_bytes(b"another half")
    entry.files.write_receipt(Receipt("1" * 64, "2" * 64, 12))
    assert prepared(entry) == entry.files.converted
    assert is_converted(entry)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_nothing_is_written_through_a_link(installed, tmp_path):
    entry = installed()
    mine = tmp_path / "mine"
    mine.write_bytes(b"mine")
    for path in (entry.files.converted, Path(f"{entry.files.converted}.tmp"), entry.files.receipt):
        path.symlink_to(mine)
    assert prepared(entry) == entry.files.converted
    assert mine.read_bytes() == b"mine"
    assert is_converted(entry) and not entry.files.converted.is_symlink()


# Killed, and two at once

KILLER = """
import dataclasses, hashlib, json, os, resource, signal, sys
from pathlib import Path
import torch
from SAMSegmentLib.models.tensor_files.checkpoints import load_tensors
from SAMSegmentLib.models.tensor_files.conversion import prepared
from SAMSegmentLib.weights.catalogue import model_entry

FOLDER, TENSORS = Path(sys.argv[1]), {"w": torch.arange(100.0), "v": torch.tensor([float("nan")])}


def fresh(name):
    (FOLDER / name).mkdir()
    os.environ["SAMSEGMENT_MODELS"] = str(FOLDER / name)
    entry = model_entry("sam-med3d-turbo")
    torch.save(TENSORS, entry.files.original)
    data = entry.files.original.read_bytes()
    return dataclasses.replace(entry, sha256=hashlib.sha256(data).hexdigest())


def fork(work):
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def killed_at(step, entry):
    here, seen = os.environ["SAMSEGMENT_MODELS"], 0

    def hook(event, values):
        nonlocal seen
        # Python tells of each before it does it.
        about = event in ("open", "os.rename", "os.remove", "os.mkdir") and str(values[0])
        if about and about.startswith(here) or event == "os.truncate":
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
            seen += 1

    sys.addaudithook(hook)
    prepared(entry)


def killed_after(size, entry):
    # The system ends a process that writes more into a file than this.
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    prepared(entry)


def is_good(entry):
    found = load_tensors(entry.verified_path())
    return list(found) and found.keys() == TENSORS.keys() and all(
        torch.equal(found[name].view(torch.int32), TENSORS[name].view(torch.int32))
        for name in TENSORS
    )


prepared(fresh("warm"))
steps, codes = [], []
kills = [(killed_after, size) for size in (20, 200, 500)]
kills += [(killed_at, step) for step in range(100)]
for number, (kill, at) in enumerate(kills):
    entry = fresh(f"kill{number}")
    code = os.waitstatus_to_exitcode(os.waitpid(fork(lambda: kill(at, entry)), 0)[1])
    codes.append(code)
    good = bool(is_good(entry))
    used = entry.verified_path().name
    prepared(entry)
    left = sorted(path.name for path in entry.path.parent.iterdir() if path.suffix != ".lock")
    steps.append([good, used, left, bool(is_good(entry))])
    if code == 0:
        break
entry = fresh("together")
children = [fork(lambda: prepared(entry)) for _ in range(6)]
together = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
print(json.dumps([steps, codes, together, entry.path.name, bool(is_good(entry))]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_killed_at_any_step_one_of_the_files_is_good_and_many_at_once_do_no_harm(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    steps, codes, together, name, is_good = json.loads(done.stdout)
    # Killed within what is written, at every step, and not at all after the last.
    assert codes[:3] == [-signal.SIGXFSZ] * 3
    assert codes[3:] == [-signal.SIGKILL] * (len(steps) - 4) + [0] and len(steps) > 11
    published, converted = "sam_med3d_turbo.pth", "sam_med3d_turbo.pth.safetensors"
    assert all(good for good, *_ in steps)
    used = [used for _, used, *_ in steps]
    assert used[:3] == [published] * 3
    assert used == sorted(used) and set(used) == {published, converted}
    # What the next call then leaves, whatever the kill had left, but for half a receipt.
    for _, _, left, good in steps:
        kept = [one for one in left if not one.startswith(f"{published}.json") or one.endswith("n")]
        assert kept == [f"{published}.json", converted] and good
    assert together == [0] * 6 and name == converted and is_good
