"""The table of a checkpoint's zip file means one thing only, or the file is refused."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from SAMSegmentLib.models.tensor_files.limits import UnreadableError
from SAMSegmentLib.models.tensor_files.zip_records import MOST_RECORDS, Record, read_records
from TestSupport.properties import examples

TENSORS = {"a": torch.arange(6.0), "b": torch.empty(0), "c": torch.ones(3, 3)}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("zip") / "net.pth"
    torch.save(TENSORS, path)
    return path


def zipped(*members: tuple[str, bytes], **options) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


PLAIN = zipped(("net/data.pkl", b"pickle"), ("net/data/0", b"numbers"))


@pytest.fixture
def refused(tmp_path):
    def refuse(data: bytes) -> str:
        (tmp_path / "file").write_bytes(data)
        with pytest.raises(UnreadableError) as raised:
            read_records(tmp_path / "file")
        return str(raised.value)

    return refuse


def test_records_lie_where_torchs_reader_finds_them(checkpoint):
    reader = torch._C.PyTorchFileReader(str(checkpoint))
    records = read_records(checkpoint)
    assert [record.name for record in records] == [
        f"net/{name}" for name in reader.get_all_records()
    ]
    for record in records:
        name = record.name.removeprefix("net/")
        assert record.start == reader.get_record_offset(name)
        assert record.size == len(reader.get_record(name))


def test_what_zipfile_has_written_is_read_too(tmp_path):
    (tmp_path / "file").write_bytes(PLAIN)
    records = read_records(tmp_path / "file")
    assert [(record.name, record.size) for record in records] == [
        ("net/data.pkl", 6),
        ("net/data/0", 7),
    ]
    assert [PLAIN[one.start : one.start + one.size] for one in records] == [b"pickle", b"numbers"]


@pytest.mark.parametrize(
    "name", ["../x", "a/../x", "/x", "C:x", "a\\b", "a//b", "a/./b", "a/", "a\nb", "a\x7fb"]
)
def test_names_that_lead_elsewhere_are_refused(refused, name):
    data = zipped(("N" * len(name), b"x")).replace(b"N" * len(name), name.encode())
    assert "with the name" in refused(data)


def test_two_records_of_one_name_are_refused(refused):
    assert "two records" in refused(zipped(("n/a", b"1"), ("n/A", b"2")))
    data = zipped(("n/a", b"1"), ("n/b", b"2")).replace(b"n/b", b"n/a")
    assert "two records" in refused(data)


def test_something_before_after_or_between_is_refused(refused):
    assert "damaged" in refused(b"PK\3\4" + PLAIN)
    assert "cut off" in refused(PLAIN + b"x")
    # A comment may hold a second table, which another reader takes.
    file = io.BytesIO(PLAIN)
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = PLAIN
    assert "damaged" in refused(file.getvalue())
    assert "cut off" in refused(PLAIN[:-2] + b"\1\0x")
    table = PLAIN.index(b"PK\1\2")
    assert "damaged" in refused(PLAIN[:table] + b"x" + PLAIN[table:])


def at(data: bytes, sign: bytes, offset: int, form: str, value: int) -> bytes:
    """The file with one number behind the last such sign changed."""
    place = data.rindex(sign) + offset
    new = struct.pack(form, value)
    return data[:place] + new + data[place + len(new) :]


@pytest.mark.parametrize(
    ("sign", "offset", "form", "value"),
    [
        (b"PK\1\2", 24, "<L", 2**31),  # size
        (b"PK\1\2", 20, "<L", 3),  # packed size
        (b"PK\1\2", 42, "<L", 0),  # place: that of the record before
        (b"PK\1\2", 42, "<L", 2**32 - 1),  # 64 bits, without such a field
        (b"PK\1\2", 10, "<H", 8),  # compressed
        (b"PK\1\2", 8, "<H", 1),  # encrypted
        (b"PK\1\2", 28, "<H", 65535),  # length of the name
        (b"PK\1\2", 34, "<H", 1),  # on another disk
        (b"PK\3\4", 6, "<H", 1),  # encrypted, says the record itself
        (b"PK\3\4", 8, "<H", 8),
        (b"PK\3\4", 26, "<H", 3),
        (b"PK\3\4", 28, "<H", 60),  # its bytes would begin within the table
        (b"PK\5\6", 10, "<H", 1),  # number of records
        (b"PK\5\6", 8, "<H", 1),
        (b"PK\5\6", 12, "<L", 50),
        (b"PK\5\6", 16, "<L", 0),
        (b"PK\5\6", 16, "<L", 2**32 - 1),
        (b"PK\5\6", 4, "<H", 1),
        (b"PK\5\6", 20, "<H", 1),
    ],
)
def test_a_table_that_lies_is_refused(refused, sign, offset, form, value):
    refused(at(PLAIN, sign, offset, form, value))


@pytest.mark.parametrize(
    ("sign", "offset", "value"),
    [
        (b"PK\6\6", 4, 2**63),
        (b"PK\6\6", 24, 2**40),
        (b"PK\6\6", 32, 2**40),
        (b"PK\6\6", 40, 2**40),
        (b"PK\6\6", 48, 0),
        (b"PK\6\7", 8, 0),
        (b"PK\6\7", 8, 2**63),
    ],
)
def test_64_bit_numbers_that_lie_are_refused(checkpoint, refused, sign, offset, value):
    refused(at(checkpoint.read_bytes(), sign, offset, "<Q", value))


def test_narrow_and_wide_numbers_must_agree(checkpoint, refused):
    """Other readers take the ones, or the others."""
    data = checkpoint.read_bytes()
    for offset in (8, 10):
        data = at(data, b"PK\5\6", offset, "<H", 1)
    assert "damaged" in refused(data)


def test_more_records_than_any_network_has_are_refused_unread(refused):
    entry = b"PK\1\2" + b"\0" * 42
    table = entry * (MOST_RECORDS + 1)
    wide = struct.pack(
        "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, *[MOST_RECORDS + 1] * 2, len(table), 0
    )
    wide += struct.pack("<4sLQL", b"PK\6\7", 0, len(table), 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, 2**32 - 1, 2**32 - 1, 0)
    assert "more records" in refused(table + wide + end)


@settings(max_examples=examples(300))
@given(st.data())
def test_a_changed_byte_leaves_the_same_records_or_none(tmp_path_factory, checkpoint, data):
    whole = bytearray(checkpoint.read_bytes())
    first = whole.index(b"PK\1\2")
    place = data.draw(st.integers(first, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.getbasetemp() / "changed"
    path.write_bytes(whole)
    known = read_records(checkpoint)
    try:
        found = read_records(path)
    except UnreadableError:
        return
    # Dates, versions and checksums are nobody's business here.
    assert [(one.start, one.size) for one in found] == [(one.start, one.size) for one in known]
    assert all(isinstance(one, Record) for one in found)
