"""Weights come onto this computer, are checked, and leave it: all or nothing, at any moment."""

import dataclasses
import os
import signal
import subprocess
import sys

import pytest

from SAMSegmentLib.core.errors import Cancelled, InputError, InstallError, WeightsError
from SAMSegmentLib.weights import store as installing
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.weights.store import install, remove, verify
from SAMSegmentLib.weights.weights_files import Receipt, WeightsFiles
from TestSupport.small_model import CONTENT, sha256, small_model

ENTRY = small_model()


@pytest.fixture
def stick(tmp_path):
    """A USB stick."""
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


@pytest.fixture
def fetched(monkeypatch):
    """A network that gives everything at once; what was asked of it."""
    asked = []

    def download(places, partial, size, sha, report):
        asked.append((places, partial, size, sha))
        partial.write_bytes(CONTENT)

    monkeypatch.setattr(installing, "download", download)
    return asked


def names(folder):
    """Files that count: the lock stays, it is empty."""
    return sorted(name for name in os.listdir(folder) if not name.endswith(".lock"))


# From the catalogue's places


def test_a_model_is_fetched_into_the_users_folder(folder, fetched):
    assert install(ENTRY) == folder / ENTRY.file == ENTRY.verified_path()
    partial = ENTRY.files.partial
    assert fetched == [(ENTRY.downloads, partial, ENTRY.size, ENTRY.sha256)]
    assert names(folder) == [ENTRY.file]


def test_what_is_there_and_right_is_not_fetched_again(folder, fetched):
    install(ENTRY)
    assert install(ENTRY) == folder / ENTRY.file
    assert len(fetched) == 1


def test_what_is_damaged_is_replaced_only_by_what_is_whole(folder, fetched, monkeypatch):
    folder.mkdir()
    (folder / ENTRY.file).write_bytes(b"damaged")
    with monkeypatch.context() as broken:
        broken.setattr(
            installing, "download", lambda *_: (_ for _ in ()).throw(InstallError("no network"))
        )
        with pytest.raises(InstallError, match="no network"):
            install(ENTRY)
    assert (folder / ENTRY.file).read_bytes() == b"damaged"
    install(ENTRY)
    assert ENTRY.verified_path().read_bytes() == CONTENT


def test_a_conversion_that_is_damaged_gives_way_to_the_new_file(folder, fetched):
    folder.mkdir()
    ENTRY.files.converted.write_bytes(b"damaged")
    ENTRY.files.write_receipt(Receipt(ENTRY.sha256, sha256(b"converted"), 9))
    assert install(ENTRY) == folder / ENTRY.file
    assert names(folder) == [ENTRY.file]


def test_a_conversion_that_is_right_is_all_that_is_needed(folder, fetched):
    folder.mkdir()
    ENTRY.files.converted.write_bytes(b"converted")
    ENTRY.files.write_receipt(Receipt(ENTRY.sha256, sha256(b"converted"), 9))
    assert install(ENTRY) == ENTRY.files.converted
    assert fetched == []


@pytest.mark.parametrize("from_stick", [False, True])
def test_without_room_on_the_disk_nothing_is_begun(folder, stick, fetched, monkeypatch, from_stick):
    (stick / ENTRY.file).write_bytes(CONTENT)
    usage = type(installing.shutil.disk_usage("."))
    monkeypatch.setattr(
        installing.shutil, "disk_usage", lambda path: usage(10**6, 10**6, ENTRY.size)
    )
    with pytest.raises(InstallError, match=r"too little room .* are needed .* are free"):
        install(ENTRY, stick if from_stick else None)
    assert fetched == [] and names(folder) == []


def test_a_checkpoint_needs_room_for_its_conversion_and_half_a_download_less(
    folder, fetched, monkeypatch
):
    free = [0]
    usage = type(installing.shutil.disk_usage("."))
    monkeypatch.setattr(installing.shutil, "disk_usage", lambda path: usage(0, 0, free[0]))
    checkpoint = small_model(file="small.pth")
    free[0] = int(2.04 * ENTRY.size)
    with pytest.raises(InstallError, match="room"):
        install(checkpoint)
    checkpoint.files.partial.write_bytes(CONTENT[: ENTRY.size // 2])
    install(checkpoint)


def test_cancelling_leaves_what_was_there(folder, monkeypatch):
    def download(places, partial, size, sha, report):
        partial.write_bytes(CONTENT[:100])
        raise Cancelled("Cancelled.")

    monkeypatch.setattr(installing, "download", download)
    with pytest.raises(Cancelled):
        install(ENTRY)
    assert not ENTRY.is_installed and ENTRY.files.partial_bytes == 100


def test_a_right_file_behind_a_damaged_conversion_is_not_fetched_again(folder, fetched):
    install(ENTRY)
    ENTRY.files.converted.write_bytes(b"damaged")
    ENTRY.files.write_receipt(Receipt(ENTRY.sha256, sha256(b"converted"), 9))
    assert install(ENTRY) == folder / ENTRY.file and len(fetched) == 1
    assert names(folder) == [ENTRY.file]


def test_what_earlier_tries_have_left_goes_with_a_good_installation(folder, fetched):
    folder.mkdir()
    for suffix in ("12345678.part", "safetensors.tmp", "safetensors123.tmp", "json1.tmp", "copy"):
        (folder / f"{ENTRY.file}.{suffix}").write_bytes(b"left over")
    install(ENTRY)
    assert names(folder) == [ENTRY.file]


@pytest.mark.parametrize("file", ["../precious", "/precious", "a/b", "..", ".hidden", "a\\b", ""])
def test_a_name_that_leads_out_of_the_folder_is_refused_whatever_made_it(folder, fetched, file):
    entry = small_model(file=file)
    (folder.parent / "precious").write_bytes(b"precious")
    for action in (install, verify, remove):
        with pytest.raises(InputError, match="no name of a weights file"):
            action(entry)
    assert (folder.parent / "precious").exists() and fetched == []


# From a file or a folder


def test_a_file_is_copied_checked_and_left_where_it_was(folder, stick):
    source = stick / "renamed by somebody.pth"
    source.write_bytes(CONTENT)
    reported = []
    assert install(ENTRY, source, reported.append) == folder / ENTRY.file
    assert ENTRY.verified_path().read_bytes() == source.read_bytes() == CONTENT
    assert names(folder) == [ENTRY.file]
    assert {"Checking", "Copying"} <= {look.message for look in reported}


def test_a_folder_is_searched_for_the_file_under_any_name(folder, stick):
    (stick / "a" / "b").mkdir(parents=True)
    (stick / ENTRY.file).write_bytes(CONTENT[::-1])  # of the same size, but another
    (stick / "a" / "b" / "weights.pt").write_bytes(CONTENT)
    install(ENTRY, stick)
    assert ENTRY.verified_path().read_bytes() == CONTENT


def test_a_folder_is_not_searched_without_end(folder, stick):
    (stick / "a" / "b" / "c").mkdir(parents=True)
    (stick / "a" / "b" / "c" / ENTRY.file).write_bytes(CONTENT)
    with pytest.raises(WeightsError, match=f"{ENTRY.file}.* is not in .*stick"):
        install(ENTRY, stick)


def test_the_file_of_another_model_is_refused_by_name(folder, stick, monkeypatch):
    other = dataclasses.replace(model_entry("sam-med3d-turbo"), sha256=sha256(b"other"))
    monkeypatch.setattr("SAMSegmentLib.weights.store.catalogue", lambda: {"other": other})
    (stick / ENTRY.file).write_bytes(b"other")
    with pytest.raises(WeightsError, match="it is that of SAM-Med3D turbo"):
        install(ENTRY, stick / ENTRY.file)
    (stick / ENTRY.file).write_bytes(b"unknown")
    with pytest.raises(WeightsError, match="damaged, or another one"):
        install(ENTRY, stick / ENTRY.file)
    assert not ENTRY.is_installed and names(folder) == []


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
@pytest.mark.parametrize("kind", ["file", "loop", "nothing"])
def test_a_link_where_the_file_should_be_is_refused(folder, stick, tmp_path, kind):
    (tmp_path / "file").write_bytes(CONTENT)
    link = stick / "weights.pth"
    link.symlink_to(link if kind == "loop" else tmp_path / kind)
    with pytest.raises(InstallError, match="symbolic link"):
        install(ENTRY, link)
    if kind == "file":
        with pytest.raises(WeightsError, match="is not in"):
            install(ENTRY, stick)
    assert not ENTRY.is_installed


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_folder_may_be_named_through_a_link(folder, stick, tmp_path):
    (stick / ENTRY.file).write_bytes(CONTENT)
    (tmp_path / "link").symlink_to(stick)
    install(ENTRY, tmp_path / "link")
    assert ENTRY.is_installed


def test_what_is_in_the_folder_under_the_right_name_but_cut_is_told(folder, stick):
    (stick / ENTRY.file).write_bytes(CONTENT[:100])
    with pytest.raises(WeightsError, match=rf"{ENTRY.file} has only 0\.0001 MB"):
        install(ENTRY, stick)


def test_a_file_that_cannot_be_read_does_not_end_the_search(folder, stick, monkeypatch):
    for name in (ENTRY.file, "z.pth"):
        (stick / name).write_bytes(CONTENT)
    hash_of = installing.hash_of

    def hash_some(path, report):
        if path == stick / ENTRY.file:
            raise OSError(5, "Input/output error")
        return hash_of(path, report)

    monkeypatch.setattr("SAMSegmentLib.weights.store.hash_of", hash_some)
    install(ENTRY, stick)
    assert ENTRY.is_installed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_what_is_no_plain_file_is_refused_without_reading_it(folder, stick):
    os.mkfifo(stick / "weights.pth")
    with pytest.raises(InstallError, match="no plain file"):
        install(ENTRY, stick / "weights.pth")
    with pytest.raises(WeightsError, match="is not in"):
        install(ENTRY, stick)


def test_a_file_that_is_not_there_is_told(folder, stick):
    with pytest.raises(InstallError, match="There is no file"):
        install(ENTRY, stick / "weights.pth")


def test_a_file_that_changes_while_it_is_copied_is_not_installed(folder, stick, monkeypatch):
    source = stick / ENTRY.file
    source.write_bytes(CONTENT)
    copy = installing.copy

    def copy_another(found, target, report):
        source.write_bytes(CONTENT[::-1])
        return copy(found, target, report)

    monkeypatch.setattr(installing, "copy", copy_another)
    with pytest.raises(WeightsError, match="changed while it was copied"):
        install(ENTRY, source)
    assert names(folder) == []


def test_half_a_download_survives_a_copy_that_fails_and_goes_after_one_that_works(folder, stick):
    folder.mkdir()
    ENTRY.files.partial.write_bytes(CONTENT[:99])
    (stick / "wrong.pth").write_bytes(b"wrong")
    with pytest.raises(WeightsError):
        install(ENTRY, stick / "wrong.pth")
    assert ENTRY.files.partial_bytes == 99
    (stick / "right.pth").write_bytes(CONTENT)
    install(ENTRY, stick / "right.pth")
    assert ENTRY.files.partial_bytes == 0 and names(folder) == [ENTRY.file]


# Where it goes


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
@pytest.mark.parametrize("name", ["original", "partial", "copy"])
def test_nothing_is_written_through_a_link(folder, stick, fetched, tmp_path, name):
    folder.mkdir()
    (stick / ENTRY.file).write_bytes(CONTENT)
    (tmp_path / "precious").write_bytes(b"precious")
    getattr(ENTRY.files, name).symlink_to(tmp_path / "precious")
    for source in (None, stick):
        with pytest.raises(InstallError, match="symbolic link"):
            install(ENTRY, source)
    assert (tmp_path / "precious").read_bytes() == b"precious" and fetched == []


def test_a_folder_in_the_files_place_is_told(folder, fetched):
    (folder / ENTRY.file).mkdir(parents=True)
    with pytest.raises(InstallError, match="is a folder where a file should be"):
        install(ENTRY)


def test_embedded_models_are_neither_installed_nor_removed(folder):
    entry = model_entry("litemedsam")
    for action in (install, remove):
        with pytest.raises(InputError, match="come with SAMSegment"):
            action(entry)
    assert entry.is_installed and not folder.exists()


# Verifying and removing


def test_verifying_reads_all_and_tells_what_is_wrong(folder, fetched):
    with pytest.raises(WeightsError, match="not installed"):
        verify(ENTRY)
    install(ENTRY)
    reported = []
    assert verify(ENTRY, reported.append) == ENTRY.path and reported
    ENTRY.path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(WeightsError, match="damaged"):
        verify(ENTRY)
    assert ENTRY.path.exists()


def test_verifying_is_not_taken_in_by_a_file_of_the_same_size_and_time(folder, fetched):
    install(ENTRY)
    ENTRY.verified_path()
    before = ENTRY.path.stat()
    ENTRY.path.write_bytes(CONTENT[:-1] + b"x")
    os.utime(ENTRY.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(WeightsError, match="damaged"):
        verify(ENTRY)


def test_removing_takes_everything_of_the_model_and_nothing_else(folder, fetched):
    install(ENTRY)
    for path in (ENTRY.files.converted, ENTRY.files.partial, ENTRY.files.copy):
        path.write_bytes(b"left over")
    ENTRY.files.write_receipt(Receipt(ENTRY.sha256, sha256(b"left over"), 9))
    (folder / f"{ENTRY.file}.json123.tmp").write_bytes(b"")
    (folder / "other.safetensors").write_bytes(b"other")
    remove(ENTRY)
    assert names(folder) == ["other.safetensors"]
    remove(ENTRY)  # nothing to do


def test_removing_what_was_never_there_makes_no_folder(folder):
    remove(ENTRY)
    assert not folder.exists()


def test_a_conversion_in_use_stays_installed_when_it_cannot_be_removed(
    folder, fetched, monkeypatch
):
    folder.mkdir()
    ENTRY.files.converted.write_bytes(b"converted")
    ENTRY.files.write_receipt(Receipt(ENTRY.sha256, sha256(b"converted"), 9))
    unlink = type(folder).unlink

    def refuse(self, missing_ok=False):
        if self == ENTRY.files.converted:
            raise PermissionError(13, "in use")
        unlink(self, missing_ok)

    monkeypatch.setattr(type(folder), "unlink", refuse)
    with pytest.raises(InstallError, match="could not be removed"):
        remove(ENTRY)
    assert ENTRY.verified_path() == ENTRY.files.converted


def test_verifying_what_was_never_there_makes_no_folder(folder):
    with pytest.raises(WeightsError):
        verify(ENTRY)
    assert not folder.exists()


def test_verifying_needs_no_right_to_write(folder, fetched, monkeypatch):
    install(ENTRY)

    def refuse(*_, **__):
        raise InstallError("The folder is only for reading.")

    monkeypatch.setattr(WeightsFiles, "locked", refuse)
    assert verify(ENTRY) == ENTRY.path


def test_a_file_that_cannot_be_removed_is_told(folder, fetched, monkeypatch):
    install(ENTRY)

    def refuse(self, missing_ok=False):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(InstallError, match=r"could not be removed. Permission denied"):
        remove(ENTRY)
    assert ENTRY.is_installed


# Killed at any moment

COPY = """
import sys, time
from pathlib import Path
from SAMSegmentLib.weights.store import install
from TestSupport.small_model import CONTENT, small_model

def report(look):
    print(look.message, flush=True)
    time.sleep({pause})
install(small_model(CONTENT * 1000), Path(sys.argv[1]), report)
"""
LARGE = small_model(CONTENT * 1000)


@pytest.mark.skipif(os.name != "posix", reason="needs a signal")
@pytest.mark.parametrize("word", ["Checking", "Copying"])
def test_a_copy_that_is_killed_leaves_nothing_that_counts_and_the_next_one_works(
    folder, stick, word
):
    (stick / LARGE.file).write_bytes(CONTENT * 1000)
    command = [sys.executable, "-c", COPY.format(pause=0.2), str(stick)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert any(line.strip() == word for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    assert not LARGE.is_installed
    install(LARGE, stick)
    assert LARGE.verified_path() and names(folder) == [LARGE.file]


def test_two_programs_at_once_end_well(folder, stick):
    (stick / LARGE.file).write_bytes(CONTENT * 1000)
    command = [sys.executable, "-c", COPY.format(pause=0.01), str(stick)]
    programs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    reported = [program.communicate(timeout=60)[0] for program in programs]
    assert [program.returncode for program in programs] == [0, 0]
    assert LARGE.verified_path() and names(folder) == [LARGE.file]
    # The second found the work done.
    assert sum("Copying" in words for words in reported) == 1
