"""Installing over a bad network, on a bad disk, in bad company: all or nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from SAMSegmentLib.core.errors import Cancelled, InstallError, WeightsError
from SAMSegmentLib.weights.store import install, remove, verify
from SAMSegmentLib.weights.weights_files import WAITING
from TestSupport.downloading import CONTENT, plain_network
from TestSupport.installing import entry_of, with_little_patience
from TestSupport.own_disks import command_with_own_disks
from TestSupport.weights_server import (
    WeightsServer,
    cut_after,
    endless,
    flipped,
    login_page,
    reset_at_once,
    stall_after,
    status,
)

SIZE = len(CONTENT)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    plain_network(monkeypatch)
    with_little_patience(monkeypatch.setattr)
    path = tmp_path / "models"
    path.mkdir()
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(path))
    return path


def child(server, entry=None) -> list[str]:
    """The command that installs in a process of its own; prints how it ended."""
    entry = entry or entry_of(CONTENT, server.url)
    arguments = [server.url, entry.file, str(entry.size), entry.sha256]
    return [sys.executable, "-m", "TestSupport.installing", *arguments]


def start(command: list[str], stderr: Path | None = None) -> subprocess.Popen:
    """Starts a program; what it reports on its way goes to a file."""
    with open(stderr or os.devnull, "wb") as file:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True)


def ending(program: subprocess.Popen) -> dict:
    printed, _ = program.communicate(timeout=60)
    assert program.returncode == 0
    return json.loads(printed)


def wait_for(condition) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "it never came to that"
        time.sleep(0.01)


def files(folder) -> set[str]:
    """What lies in a folder, but for locks."""
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_what_was_downloaded_is_installed_and_nothing_else_is_left(folder):
    with WeightsServer(CONTENT, [reset_at_once, cut_after(5000), status(503)]) as server:
        entry = entry_of(CONTENT, server.url)
        path = install(entry)
    assert path.read_bytes() == CONTENT
    assert files(folder) == {"weights.pth"}
    assert verify(entry) == path
    assert server.offsets == [None, None, 5000, 5000]


BAD = {
    "not there": status(404),
    "busy": status(503),
    "breaking": cut_after(200_000),
    "wrong": flipped(SIZE // 2),
    "endless": endless,
    "a web page": login_page,
}


@pytest.mark.parametrize("fault", BAD)
def test_what_failed_does_not_count_as_installed_and_can_be_repeated(fault):
    with WeightsServer(CONTENT, [BAD[fault]], otherwise=status(404)) as bad:
        entry = entry_of(CONTENT, bad.url)
        with pytest.raises(InstallError, match=r"could not be downloaded\."):
            install(entry)
    assert not entry.is_installed
    with pytest.raises(WeightsError, match="is not installed"):
        verify(entry)
    kept = entry.files.partial_bytes
    assert kept == (200_000 if fault == "breaking" else 0)
    with WeightsServer(CONTENT) as good:
        install(entry_of(CONTENT, good.url))
    assert verify(entry).read_bytes() == CONTENT
    assert good.offsets == [kept or None]


def test_a_new_version_that_cannot_be_had_leaves_the_old_one(folder):
    with WeightsServer(CONTENT) as server:
        old = entry_of(CONTENT, server.url)
        install(old)
    with WeightsServer(bytes(SIZE), otherwise=flipped(5)) as server, pytest.raises(InstallError):
        install(entry_of(bytes(SIZE), server.url))
    assert verify(old).read_bytes() == CONTENT
    assert files(folder) == {"weights.pth"}


def test_a_cancelled_installation_carries_on(folder):
    def cancel_at_half(transfer):
        if transfer.done > SIZE // 2:
            raise Cancelled("Cancelled.")

    with WeightsServer(CONTENT, [cut_after(200_000)]) as server:
        entry = entry_of(CONTENT, server.url)
        with pytest.raises(Cancelled):
            install(entry, report=cancel_at_half)
        assert not entry.is_installed
        kept = entry.files.partial_bytes
        assert kept == len(entry.files.partial.read_bytes()) > 0
        install(entry)
    assert server.offsets == [None, kept]
    assert verify(entry).read_bytes() == CONTENT


def test_removing_takes_an_unfinished_download_along(folder):
    with WeightsServer(CONTENT, [cut_after(9000)], otherwise=status(404)) as server:
        entry = entry_of(CONTENT, server.url)
        with pytest.raises(InstallError):
            install(entry)
    assert files(folder) == {entry.files.partial.name}
    remove(entry)
    assert files(folder) == set()


def test_a_disk_without_room_is_told_before_anything_is_asked(folder):
    with WeightsServer(CONTENT) as server:
        entry = entry_of(CONTENT, server.url, size=1 << 60)
        with pytest.raises(InstallError, match="There is too little room"):
            install(entry)
    assert server.requests == []
    assert files(folder) == set()


def test_a_link_where_the_download_would_go_is_refused(folder, tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_bytes(b"precious")
    with WeightsServer(CONTENT) as server:
        entry = entry_of(CONTENT, server.url)
        try:
            entry.files.partial.symlink_to(precious)
        except OSError:
            pytest.skip("this user may not make symbolic links")
        with pytest.raises(InstallError, match="link"):
            install(entry)
    assert server.requests == []
    assert precious.read_bytes() == b"precious"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
class TestAKilledProgram:
    def test_leaves_no_lock_and_what_it_fetched(self, folder):
        with WeightsServer(CONTENT, [stall_after(100_000)]) as server:
            entry = entry_of(CONTENT, server.url)
            program = start(child(server))
            wait_for(lambda: entry.files.partial_bytes == 100_000)
            program.send_signal(signal.SIGKILL)
            program.communicate(timeout=10)
            assert not entry.is_installed
            install(entry)
        assert server.offsets == [None, 100_000]
        assert files(folder) == {"weights.pth"}
        assert verify(entry).read_bytes() == CONTENT

    def test_lets_the_one_that_waits_carry_on(self, folder):
        with WeightsServer(CONTENT, [stall_after(100_000)]) as server:
            entry = entry_of(CONTENT, server.url)
            first = start(child(server))
            wait_for(lambda: entry.files.partial_bytes == 100_000)
            reported = []

            def kill_the_first(transfer):
                reported.append(transfer.message)
                if first.poll() is None:
                    first.send_signal(signal.SIGKILL)
                    first.communicate(timeout=10)

            install(entry, report=kill_the_first)
        assert reported[0] == WAITING
        assert server.offsets == [None, 100_000]
        assert verify(entry).read_bytes() == CONTENT


class TestTwoPrograms:
    def test_download_once_and_both_end_well(self, folder, tmp_path):
        logs = [tmp_path / "first", tmp_path / "second"]

        def once_the_other_waits(exchange):
            wait_for(lambda: any(WAITING in log.read_text() for log in logs if log.exists()))
            exchange.file_head()
            exchange.body(exchange.rest)

        with WeightsServer(CONTENT, otherwise=once_the_other_waits) as server:
            programs = [start(child(server), log) for log in logs]
            endings = [ending(program) for program in programs]
            entry = entry_of(CONTENT, server.url)
        assert [one["error"] for one in endings] == ["", ""]
        assert [one["is_installed"] for one in endings] == [True, True]
        assert server.offsets == [None]
        assert files(folder) == {"weights.pth"}
        assert verify(entry).read_bytes() == CONTENT

    def test_do_not_wait_for_each_other_with_different_models(self, folder):
        with WeightsServer(CONTENT, [stall_after(5000)]) as server:
            first = start(child(server))
            entry = entry_of(CONTENT, server.url, file="other.pth")
            try:
                wait_for(lambda: entry_of(CONTENT, server.url).files.partial_bytes == 5000)
                install(entry)
            finally:
                first.kill()
                first.communicate(timeout=10)
        assert verify(entry).read_bytes() == CONTENT


@pytest.fixture
def own_disks():
    command, reason = command_with_own_disks()
    if not command:
        pytest.skip(reason)
    return command


class TestADisk:
    def test_that_fills_up_on_the_way_keeps_what_fits(self, folder, own_disks):
        content = CONTENT * 6
        # There seems to be enough room: the size that the source states is too small by a fifth.
        entry = entry_of(content, size=int(0.82 * len(content)), file="weights.safetensors")
        room = 1_712_128
        assert 1.05 * entry.size < room < len(content)
        script = (
            'folder="$1"; shift; mount -t tmpfs -o size="$1" tmpfs "$folder"; shift; "$@"; '
            'mount -o remount,size=8m "$folder"; "$@"'
        )
        with WeightsServer(content) as server:
            command = [*own_disks, script, "sh", str(folder), str(room), *child(server, entry)]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ended.returncode == 0, ended.stderr
        full, roomy = map(json.loads, ended.stdout.splitlines())
        assert "The disk is full" in full["error"]
        assert not full["is_installed"]
        assert full["kept"] > 1_500_000
        assert (roomy["error"], roomy["is_installed"], roomy["kept"]) == ("", True, 0)
        assert server.offsets == [None, full["kept"]]

    def test_that_is_read_only_is_told(self, folder, own_disks):
        script = 'folder="$1"; shift; mount -t tmpfs -o ro tmpfs "$folder"; "$@"'
        with WeightsServer(CONTENT) as server:
            command = [*own_disks, script, "sh", str(folder), *child(server)]
            ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        reported = json.loads(ended.stdout)
        assert "Read-only file system" in reported["error"]
        assert str(folder) in reported["error"]
        assert not reported["is_installed"]
        assert server.requests == []
