"""A full disk, a folder that cannot be written to, a link in the file's place, a killed program."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from SAMSegmentLib.core.errors import InstallError
from SAMSegmentLib.weights import files as files_module
from TestSupport.downloading import Fetch, plain_network, sha256_of
from TestSupport.own_disks import command_with_own_disks
from TestSupport.weights_server import WeightsServer, stall_after

#: More than the disks of these tests hold.
CONTENT = bytes(range(256)) * 8192
DISK_BYTES = 1 << 20


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    plain_network(monkeypatch)
    return Fetch(tmp_path, CONTENT)


def child(fetch, server, *limit: object) -> list[str]:
    """The command that downloads in a process of its own; prints how it ended."""
    size, sha256 = str(len(fetch.content)), sha256_of(fetch.content)
    reported = [server.url, str(fetch.partial), size, sha256, *map(str, limit)]
    return [sys.executable, "-m", "TestSupport.downloading", *reported]


def endings(command: list[str]) -> list[dict]:
    """How the downloads of a command ended, one a line."""
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.fixture
def own_disks():
    command, reason = command_with_own_disks()
    if not command:
        pytest.skip(reason)
    return command


class TestAFullDisk:
    def test_keeps_what_fits_and_carries_on_once_there_is_room(self, fetch, own_disks):
        folder = str(fetch.partial.parent)
        script = (
            'folder="$1"; shift; mount -t tmpfs -o size=1m tmpfs "$folder"; "$@"; '
            'mount -o remount,size=4m "$folder"; "$@"'
        )
        with WeightsServer(CONTENT) as server:
            command = [*own_disks, script, "sh", folder, *child(fetch, server)]
            full, roomy = endings(command)
        assert f"The disk is full ({folder}): make room there" in full["error"]
        assert full["kept"] == DISK_BYTES
        assert full["sha256"] == sha256_of(CONTENT[:DISK_BYTES])
        assert roomy == {"error": "", "kept": len(CONTENT), "sha256": sha256_of(CONTENT)}
        assert server.offsets == [None, DISK_BYTES]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
    def test_a_limit_on_files_is_told_and_what_fits_is_kept(self, fetch):
        limit = 700_001
        with WeightsServer(CONTENT) as server:
            (ending,) = endings(child(fetch, server, limit))
            assert "is larger than a file may be in" in ending["error"]
            assert fetch.kept == CONTENT[:limit]
            fetch.run(server.url)
        assert server.offsets == [None, limit]

    def test_that_only_tells_when_it_is_asked_to_keep_all_is_told(self, fetch, monkeypatch):
        def full(descriptor):
            raise OSError(errno.ENOSPC, "No space left on device")

        with WeightsServer(CONTENT) as server:
            with monkeypatch.context() as patch, pytest.raises(InstallError, match="disk is full"):
                patch.setattr(files_module.os, "fsync", full)
                fetch.run(server.url)
            assert fetch.kept == CONTENT
            fetch.run(server.url)


class TestAFolder:
    def test_on_a_disk_that_is_read_only_is_told(self, fetch, own_disks):
        folder = str(fetch.partial.parent)
        script = 'folder="$1"; shift; mount -t tmpfs -o ro tmpfs "$folder"; "$@"'
        with WeightsServer(CONTENT) as server:
            (ending,) = endings([*own_disks, script, "sh", folder, *child(fetch, server)])
        assert f"{folder} cannot be written to (Read-only file system)" in ending["error"]

    @pytest.mark.skipif(
        sys.platform == "win32" or os.geteuid() == 0, reason="access rights do not bind this user"
    )
    def test_without_the_right_to_write_is_told(self, fetch):
        fetch.partial.parent.chmod(0o555)
        try:
            with (
                WeightsServer(CONTENT) as server,
                pytest.raises(InstallError, match=r"cannot be written to \(Permission denied\)"),
            ):
                fetch.run(server.url)
        finally:
            fetch.partial.parent.chmod(0o755)

    @pytest.mark.skipif(
        sys.platform == "win32" or os.geteuid() != 0, reason="only root may become another user"
    )
    def test_of_another_user_is_told(self, monkeypatch):
        plain_network(monkeypatch)
        # The first download imports all, which the other user might not be allowed to read.
        code = (
            "import os, sys\n"
            "from TestSupport import downloading\n"
            "url, partial, *rest = sys.argv[1:]\n"
            "downloading.main([url, partial + '.first', *rest])\n"
            "os.setuid(65534)\n"
            "downloading.main([url, partial, *rest])"
        )
        with tempfile.TemporaryDirectory() as folder, WeightsServer(CONTENT) as server:
            os.chmod(folder, 0o755)
            fetch = Fetch(Path(folder), CONTENT)
            command = child(fetch, server)
            allowed, forbidden = endings([command[0], "-c", code, *command[3:]])
            assert not fetch.partial.exists()
        assert allowed["error"] == ""
        assert "cannot be written to (Permission denied)" in forbidden["error"]

    def test_that_is_not_there_is_told(self, tmp_path, monkeypatch):
        plain_network(monkeypatch)
        fetch = Fetch(tmp_path / "none", CONTENT)
        with (
            WeightsServer(CONTENT) as server,
            pytest.raises(InstallError, match="cannot be written"),
        ):
            fetch.run(server.url)


class TestWhatLiesInTheFilesPlace:
    @pytest.fixture
    def target(self, tmp_path):
        path = tmp_path / "precious.txt"
        path.write_bytes(CONTENT[:100])
        return path

    def test_nothing_is_written_through_a_link(self, fetch, target):
        try:
            fetch.partial.symlink_to(target)
        except OSError:
            pytest.skip("this user may not make symbolic links")
        with (
            WeightsServer(CONTENT) as server,
            pytest.raises(InstallError, match=r"is a link: nothing was written there\. Remove"),
        ):
            fetch.run(server.url)
        assert target.read_bytes() == CONTENT[:100]
        assert fetch.partial.is_symlink()
        assert server.requests == []

    @pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="this system always follows links")
    def test_not_even_through_one_that_appears_at_the_last_moment(self, fetch, target, monkeypatch):
        really_open = os.open

        def link_and_open(path, *arguments):
            if path == fetch.partial:
                fetch.partial.symlink_to(target)
            return really_open(path, *arguments)

        monkeypatch.setattr(files_module.os, "open", link_and_open)
        with WeightsServer(CONTENT) as server, pytest.raises(InstallError, match="cannot be wri"):
            fetch.run(server.url)
        assert target.read_bytes() == CONTENT[:100]

    def test_a_link_to_nothing_makes_no_file(self, fetch, tmp_path):
        try:
            fetch.partial.symlink_to(tmp_path / "new")
        except OSError:
            pytest.skip("this user may not make symbolic links")
        with WeightsServer(CONTENT) as server, pytest.raises(InstallError, match="is a link"):
            fetch.run(server.url)
        assert not (tmp_path / "new").exists()

    def test_a_folder_is_refused(self, fetch):
        fetch.partial.mkdir()
        with WeightsServer(CONTENT) as server, pytest.raises(InstallError, match="is no file"):
            fetch.run(server.url)
        assert fetch.partial.is_dir()

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_a_pipe_is_refused_without_waiting_for_its_other_end(self, fetch):
        os.mkfifo(fetch.partial)
        with WeightsServer(CONTENT) as server, pytest.raises(InstallError, match="is no file"):
            fetch.run(server.url)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_download_is_gone_on_with(fetch):
    with WeightsServer(CONTENT, [stall_after(100_001)]) as server:
        program = subprocess.Popen(child(fetch, server), stdout=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 30
            while len(fetch.kept) < 100_001 and time.monotonic() < until:
                time.sleep(0.01)
        finally:
            program.send_signal(signal.SIGKILL)
            assert program.wait(10) == -signal.SIGKILL
        assert fetch.kept == CONTENT[:100_001]
        fetch.run(server.url)
    assert server.offsets == [None, 100_001]
