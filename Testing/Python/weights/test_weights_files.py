"""What lies in the models folder: names, and receipts of conversions."""

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import WeightsError
from SAMSegmentLib.weights.catalogue import catalogue
from SAMSegmentLib.weights.weights_files import Receipt
from TestSupport.small_model import CONTENT, sha256, small_model

ENTRY = small_model(file="small.pth")
CONVERTED = b"converted"
RECEIPT = Receipt(ENTRY.sha256, sha256(CONVERTED), len(CONVERTED))
PATHS = ("original", "converted", "receipt", "partial", "copy", "lock")


@pytest.fixture(autouse=True)
def made(folder):
    folder.mkdir()
    return folder


@pytest.mark.parametrize("entry", [one for one in catalogue().values() if not one.embedded])
def test_all_names_lie_in_the_folder_and_differ(entry, folder):
    paths = [getattr(entry.files, name) for name in PATHS]
    assert len(set(paths)) == len(paths)
    assert {path.parent for path in paths} == {folder}


def test_half_a_download_of_another_version_is_not_carried_on():
    other = small_model(b"other", file=ENTRY.file)
    assert other.files.partial != ENTRY.files.partial


def convert(folder):
    ENTRY.files.converted.write_bytes(CONVERTED)
    ENTRY.files.write_receipt(RECEIPT)


def test_a_converted_file_with_its_receipt_is_used_and_verified(folder):
    convert(folder)
    assert ENTRY.path == ENTRY.files.converted and ENTRY.is_installed
    assert ENTRY.verified_path() == ENTRY.path
    ENTRY.files.converted.write_bytes(b"Converted")
    with pytest.raises(WeightsError, match="damaged"):
        ENTRY.verified_path()


def test_without_a_receipt_the_converted_file_does_not_count(folder):
    convert(folder)
    ENTRY.files.receipt.unlink()
    assert ENTRY.path == ENTRY.files.original and not ENTRY.is_installed


def test_without_the_converted_file_the_receipt_does_not_count(folder):
    convert(folder)
    ENTRY.files.converted.unlink()
    ENTRY.files.original.write_bytes(CONTENT)
    assert ENTRY.verified_path() == ENTRY.files.original


def test_a_conversion_of_an_earlier_version_does_not_count(folder):
    convert(folder)
    newer = small_model(b"newer", file=ENTRY.file)
    assert newer.files.read_receipt() is None and not newer.is_installed


def test_a_receipt_is_written_in_one_step(folder, monkeypatch):
    ENTRY.files.write_receipt(RECEIPT)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "full")))
    with pytest.raises(OSError, match="full"):
        ENTRY.files.write_receipt(Receipt(ENTRY.sha256, "0" * 64, 1))
    assert ENTRY.files.read_receipt() == RECEIPT
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
    ENTRY.files.receipt.write_text(text)
    assert ENTRY.files.read_receipt() is None


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_lies_there_reading_a_receipt_never_fails(content):
    ENTRY.files.receipt.write_bytes(content)
    assert ENTRY.files.read_receipt() is None


def test_a_folder_in_its_place_is_no_receipt():
    ENTRY.files.receipt.mkdir()
    assert ENTRY.files.read_receipt() is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_what_never_comes_to_an_end_is_not_read():
    os.mkfifo(ENTRY.files.receipt)
    assert ENTRY.files.read_receipt() is None


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
def test_who_may_read_the_weights_may_read_their_receipt():
    ENTRY.files.write_receipt(RECEIPT)
    ENTRY.files.converted.write_bytes(CONVERTED)
    assert ENTRY.files.receipt.stat().st_mode == ENTRY.files.converted.stat().st_mode


def test_a_file_that_another_process_converts_between_two_looks_is_found(folder, monkeypatch):
    ENTRY.files.original.write_bytes(CONTENT)

    def convert_first(path):
        convert(folder)
        ENTRY.files.original.unlink()
        another.undo()
        raise FileNotFoundError(2, "No such file", str(path))

    with monkeypatch.context() as another:
        another.setattr("SAMSegmentLib.weights.entry.file_sha256", convert_first)
        assert ENTRY.verified_path() == ENTRY.files.converted
