"""Checks that NRRD and MetaImage files contain all of their voxels.

ITK reports missing raw voxels, but not damaged compressed ones.
"""

from __future__ import annotations

import glob
import gzip
import math
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from .errors import InputError
from .file_formats import incomplete

#: No header is longer than this.
LONGEST_HEADER = 1 << 24
CHUNK_BYTES = 1 << 20
DAMAGED = "the compressed data break off or are damaged"
#: Bytes per value by NRRD type. Source: NRRD's format definition.
NRRD_BYTES = {
    **dict.fromkeys(("char", "uchar", "int8", "uint8", "int8_t", "uint8_t"), 1),
    **dict.fromkeys(("short", "ushort", "int16", "uint16", "int16_t", "uint16_t"), 2),
    **dict.fromkeys(("int", "uint", "int32", "uint32", "int32_t", "uint32_t", "float"), 4),
    **dict.fromkeys(("longlong", "ulonglong", "int64", "uint64", "int64_t", "uint64_t"), 8),
    "double": 8,
}
#: Bytes per value by MetaImage type. Source: MetaIO's metaTypes.h.
META_BYTES = {
    **dict.fromkeys(("MET_CHAR", "MET_UCHAR"), 1),
    **dict.fromkeys(("MET_SHORT", "MET_USHORT"), 2),
    **dict.fromkeys(("MET_INT", "MET_UINT", "MET_FLOAT"), 4),
    **dict.fromkeys(("MET_LONG_LONG", "MET_ULONG_LONG", "MET_DOUBLE"), 8),
}


def check_nrrd(path: Path) -> None:
    """Checks that the voxels of a NRRD file, or of the data file it names, are complete.

    Voxels in several files or as text are left to ITK.

    Raises:
        InputError: if they are not.
    """
    text, start = _split(path, b"\n\n", b"\r\n\r\n")
    fields = dict(_fields(text, ":"))
    data = fields.get("data file", fields.get("datafile"))
    if data is not None:
        if data.startswith("LIST") or "%" in data:
            return
        start = 0
    elif not start:
        raise incomplete(path, "its header breaks off")
    file = _beside(path, data)
    size = _product(fields.get("sizes")) * _nrrd_bytes(fields.get("type", ""))
    encoding = fields.get("encoding", "")
    skips = any(name.replace(" ", "") in ("byteskip", "lineskip") for name in fields)
    if encoding in ("gzip", "gz"):
        _check_gzip(file, start, size, skips)
    elif encoding == "raw" and not skips:
        _check_raw(file, start, size)


def check_meta_image(path: Path) -> None:
    """Checks that the voxels of a MetaImage file, or of the data file it names, are complete.

    Voxels in several files or as text are left to ITK.

    Raises:
        InputError: if they are not.
    """
    text, start = _split(path, b"\n", after=b"ElementDataFile")
    fields = dict(_fields(text, "="))
    data = fields.get("elementdatafile", "")
    if not data:
        raise incomplete(path, "its header breaks off")
    if data.startswith("LIST") or "%" in data or not _is_true(fields, "binarydata", "True"):
        return
    local = data.upper() == "LOCAL"
    file, start = (path, start) if local else (_beside(path, data), 0)
    channels = _product(fields.get("elementnumberofchannels", "1"))
    size = _product(fields.get("dimsize")) * channels * META_BYTES.get(fields.get("elementtype"), 0)
    if _is_true(fields, "compresseddata", "False"):
        # MetaIO decompresses as many bytes as the header says, even if those are not all.
        packed = _product(fields.get("compresseddatasize"))
        _check_zlib(file, start, packed, size)
    elif fields.get("headersize", "0") in ("0", "-1"):
        _check_raw(file, start, size)


def named_files(path: Path) -> Iterator[Path]:
    """The existing files that a NRRD or MetaImage header names for its voxels."""
    with path.open("rb") as file:
        lines = file.read(LONGEST_HEADER).decode("latin-1").splitlines()
    for number, line in enumerate(lines):
        name, found, value = line.replace("=", ":", 1).partition(":")
        if not found or name.replace(" ", "").lower() not in ("datafile", "elementdatafile"):
            continue
        named = value.split()[:1] if "%" in value else [value.strip()]
        if value.split()[:1] == ["LIST"]:
            named = [each.strip() for each in lines[number + 1 :] if each.strip()]
        for each in named:
            # A printf pattern stands for one file per slice.
            pattern = re.sub(r"%[-+ #0-9.]*[a-z]", "*", "".join(glob.escape(c) for c in each))
            yield from (Path(file) for file in glob.glob(os.path.join(path.parent, pattern)))
        return


def _split(path: Path, *ends: bytes, after: bytes = b"") -> tuple[str, int]:
    """A file's header, and where its voxels begin: after the first of the ends; 0 without any."""
    with path.open("rb") as file:
        head = file.read(LONGEST_HEADER)
    searched = head.find(after)
    if searched < 0:
        return head.decode("latin-1"), 0
    found = [(at, at + len(end)) for end in ends if (at := head.find(end, searched)) >= 0]
    until, start = min(found, default=(len(head), 0))
    return head[:until].decode("latin-1"), start


def _fields(header: str, sign: str) -> Iterator[tuple[str, str]]:
    """Name (lower case) and value of each line of a header."""
    for line in header.splitlines():
        name, found, value = line.partition(sign)
        # Neither comments nor NRRD's "key:=value" are fields.
        if found and not line.startswith("#") and not value.startswith("="):
            yield name.strip().lower(), value.strip()


def _is_true(fields: dict[str, str], name: str, default: str) -> bool:
    return fields.get(name, default)[:1] in ("t", "T", "1")


def _product(sizes: str | None) -> int:
    """The product of the numbers in a line; 0 if they are invalid, which ITK reports."""
    try:
        return math.prod(int(size) for size in (sizes or "0").split())
    except ValueError:
        return 0


def _nrrd_bytes(kind: str) -> int:
    words = [word for word in kind.split() if word not in ("signed", "int")] or kind.split()[-1:]
    unsigned = "".join(words).replace("unsigned", "u")
    return NRRD_BYTES.get("uint" if unsigned == "u" else unsigned, 0)


def _beside(path: Path, data: str | None) -> Path:
    """The file with the voxels."""
    if data is None:
        return path
    file = path.parent / data
    if not file.is_file():
        raise InputError(f"{path} needs the file {data} with its voxels: put it beside it.")
    return file


def _check_raw(file: Path, start: int, size: int) -> None:
    there = file.stat().st_size - start
    if there < size:
        raise incomplete(file, f"it holds {there} of {size} bytes of voxels")


def _check_gzip(file: Path, start: int, size: int, skips: bool) -> None:
    try:
        with file.open("rb") as stream:
            stream.seek(start)
            with gzip.GzipFile(fileobj=stream) as unpacked:
                there = sum(len(chunk) for chunk in iter(lambda: unpacked.read(CHUNK_BYTES), b""))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise incomplete(file, DAMAGED) from error
    # More bytes mean wrong sizes in the header, or bytes that it says to skip.
    if there < size or (there > size and not skips):
        raise incomplete(file, f"it holds {there} of {size} bytes of voxels")


def _check_zlib(file: Path, start: int, packed: int, size: int) -> None:
    """Checks a zlib or gzip stream, both of which MetaIO reads, of `packed` bytes."""
    if file.stat().st_size - start < packed:
        raise incomplete(file, DAMAGED)
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    there = 0
    try:
        with file.open("rb") as stream:
            stream.seek(start)
            while not unpacker.eof and (chunk := stream.read(min(CHUNK_BYTES // 16, packed))):
                packed -= len(chunk)
                there += len(unpacker.decompress(chunk))
    except zlib.error as error:
        raise incomplete(file, DAMAGED) from error
    if not unpacker.eof:
        raise incomplete(file, DAMAGED)
    # Of more bytes, MetaIO reads a part and only prints a warning.
    if there != size:
        raise incomplete(file, f"it holds {there} of {size} bytes of voxels")
