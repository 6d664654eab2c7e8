"""The format of a file by its first bytes, whatever its name says."""

from __future__ import annotations

import gzip
import zlib
from enum import Enum, auto
from pathlib import Path

from .errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
#: Source: DICOM PS3.10, 7.1.
DICOM_MARK_AT = 128
#: Enough for NIfTI-2's header, a DICOM preamble, and the first lines of a text header.
HEAD_BYTES = 1024
#: Endings of the file of a pair that has no header.
VOXELS_ALONE = (".img", ".img.gz", ".raw", ".raw.gz", ".zraw")
READABLE = "Give a NRRD, NIfTI, MetaImage or DICOM file, or a folder with a DICOM series."


class Kind(Enum):
    """A file format of volumes; OTHER may be a picture, or unreadable."""

    NIFTI = auto()
    NRRD = auto()
    META_IMAGE = auto()
    OTHER = auto()


def kind_of(path: Path) -> Kind:
    """The format of an image file.

    Raises:
        InputError: if the file cannot be read, or is of a kind that is known not to be a volume.
    """
    head, packed = _first_bytes(path)
    if _is_nifti(head):
        return Kind.NIFTI
    _refuse_other_files(path, head)
    kind = Kind.OTHER
    if head.startswith(b"NRRD"):
        kind = Kind.NRRD
    elif head.lstrip().startswith((b"ObjectType", b"NDims", b"Comment")) and b"NDims" in head:
        kind = Kind.META_IMAGE
    is_dicom = head[DICOM_MARK_AT:].startswith(b"DICM")
    if packed and (is_dicom or kind is not Kind.OTHER):
        raise InputError(f"{path} is packed with gzip: unpack it (gunzip) and give what comes out.")
    return kind


def _first_bytes(path: Path) -> tuple[bytes, bool]:
    """The beginning of a file, unpacked if it is gzip, and whether it is.

    Raises:
        InputError: if the file cannot be read or is empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        packed = head.startswith(GZIP_MAGIC)
        if packed:
            with gzip.open(path) as stream:
                head = stream.read(HEAD_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise incomplete(path, "the compressed data break off or are damaged") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    if not head:
        raise InputError(f"{path} is empty: copy, download or export the file again.")
    return head, packed


def _is_nifti(head: bytes) -> bool:
    """Whether these are the first bytes of NIfTI-1, NIfTI-2, or the header of a pair."""
    return head[344:348] in (b"n+1\0", b"ni1\0") or head[4:8] in (b"n+2\0", b"ni2\0")


def incomplete(path: Path, why: str) -> InputError:
    """The error for a file that is partly missing or damaged."""
    return InputError(f"{path} is incomplete or damaged: {why}. Copy, download or export it again.")


def _refuse_other_files(path: Path, head: bytes) -> None:
    """Refuses files that are often given in place of an image, and says how to get the image."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"version https://git-lfs"):
        problem = "is a Git LFS pointer, not the image itself: run `git lfs pull` beside it"
    elif text.startswith((b"<!doctype html", b"<html")):
        problem = (
            "is a web page, such as a sign-in or error page that was saved in place of the image: "
            "download the image again"
        )
    elif head[:4] == b"PK\x03\x04":
        problem = "is a ZIP archive: unpack it, and give the image or the folder in it"
    elif _is_analyze(head):
        problem = (
            "is an Analyze 7.5 file, which does not say which side is left: save it as NIfTI or "
            "NRRD from a program where you can check that"
        )
    elif path.name.lower().endswith(VOXELS_ALONE):
        problem = "holds voxels alone: give the header beside it (.hdr, .nhdr or .mhd)"
    elif not head.strip(b"\0"):
        problem = "begins with nothing but zeros: copy, download or export it again"
    else:
        return
    raise InputError(f"{path} {problem}.")


def _is_analyze(head: bytes) -> bool:
    sizes = (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big"))
    return len(head) >= 348 and 348 in sizes
