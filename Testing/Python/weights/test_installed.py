"""What lies in the models folder: names, and receipts of conversions."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import WeightsError
from SAMSegmentLib.weights import installed
from SAMSegmentLib.weights.catalogue import catalogue
from SAMSegmentLib.weights.installed import Receipt, read_receipt, write_receipt
from TestSupport.small_model import CONTENT, sha256, small_model

ENTRY = small_model(file="small.pth")
CONVERTED = b"converted"
RECEIPT = Receipt(ENTRY.sha256, sha256(CONVERTED), len(CONVERTED))
PATHS = (
    installed.original_path,
    installed.converted_path,
    installed.receipt_path,
    installed.partial_path,
    installed.copy_path,
    installed.lock_path,
)


@pytest.fixture(autouse=True)
def made(folder):
    folder.mkdir()
    return folder


@pytest.mark.parametrize("entry", [one for one in catalogue().values() if not one.embedded])
def test_all_names_lie_in_the_folder_and_differ(entry, folder):
    paths = [path(entry) for path in PATHS]
    assert len(set(paths)) == len(paths)
    assert {path.parent for path in paths} == {folder}


def test_half_a_download_of_another_version_is_not_carried_on():
    other = small_model(b"other", file=ENTRY.file)
    assert installed.partial_path(other) != installed.partial_path(ENTRY)


def convert(folder):
    installed.converted_path(ENTRY).write_bytes(CONVERTED)
    write_receipt(ENTRY, RECEIPT)


def test_a_converted_file_with_its_receipt_is_used_and_verified(folder):
    convert(folder)
    assert ENTRY.path == installed.converted_path(ENTRY) and ENTRY.is_installed
    assert ENTRY.verified_path() == ENTRY.path
    installed.converted_path(ENTRY).write_bytes(b"Converted")
    with pytest.raises(WeightsError, match="damaged"):
        ENTRY.verified_path()


def test_without_a_receipt_the_converted_file_does_not_count(folder):
    convert(folder)
    installed.receipt_path(ENTRY).unlink()
    assert ENTRY.path == installed.original_path(ENTRY) and not ENTRY.is_installed


def test_without_the_converted_file_the_receipt_does_not_count(folder):
    convert(folder)
    installed.converted_path(ENTRY).unlink()
    installed.original_path(ENTRY).write_bytes(CONTENT)
    assert ENTRY.verified_path() == installed.original_path(ENTRY)


def test_a_conversion_of_an_earlier_version_does_not_count(folder):
    convert(folder)
    newer = small_model(b"newer", file=ENTRY.file)
    assert read_receipt(newer) is None and not newer.is_installed


def test_a_receipt_is_written_in_one_step(folder, monkeypatch):
    write_receipt(ENTRY, RECEIPT)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        write_receipt(ENTRY, Receipt(ENTRY.sha256, "0" * 64, 1))
    assert read_receipt(ENTRY) == RECEIPT
    assert os.listdir(folder) == ["small.pth.json"]


GOOD = {"source_sha256": ENTRY.sha256, "sha256": "a" * 64, "size": 5}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '"text"',
        "[" * 4000,
        json.dumps(GOOD)[:-1],
        json.dumps({**GOOD, "size": 0}),
        json.dumps({**GOOD, "size": True}),
        json.dumps({**GOOD, "size": 5.0}),
        json.dumps({**GOOD, "sha256": "A" * 64}),
        json.dumps({**GOOD, "sha256": "a" * 64 + "\n"}),
        json.dumps({**GOOD, "sha256": None}),
        json.dumps({**GOOD, "more": 1}),
        json.dumps({"sha256": "a" * 64}),
        json.dumps(GOOD) + " " * 5000,
    ],
)
def test_a_receipt_that_makes_no_sense_is_as_good_as_none(text):
    installed.receipt_path(ENTRY).write_text(text)
    assert read_receipt(ENTRY) is None


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_lies_there_reading_a_receipt_never_fails(content):
    installed.receipt_path(ENTRY).write_bytes(content)
    assert read_receipt(ENTRY) is None


def test_a_folder_in_its_place_is_no_receipt():
    installed.receipt_path(ENTRY).mkdir()
    assert read_receipt(ENTRY) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_what_never_comes_to_an_end_is_not_read():
    os.mkfifo(installed.receipt_path(ENTRY))
    assert read_receipt(ENTRY) is None


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
def test_who_may_read_the_weights_may_read_their_receipt():
    write_receipt(ENTRY, RECEIPT)
    installed.converted_path(ENTRY).write_bytes(CONVERTED)
    modes = {
        path(ENTRY).stat().st_mode for path in (installed.receipt_path, installed.converted_path)
    }
    assert len(modes) == 1


def test_a_file_that_another_process_converts_between_two_looks_is_found(folder, monkeypatch):
    installed.original_path(ENTRY).write_bytes(CONTENT)

    def convert_first(path):
        convert(folder)
        installed.original_path(ENTRY).unlink()
        another.undo()
        raise FileNotFoundError(2, "No such file", str(path))

    with monkeypatch.context() as another:
        another.setattr("SAMSegmentLib.weights.entry.file_sha256", convert_first)
        assert ENTRY.verified_path() == installed.converted_path(ENTRY)
