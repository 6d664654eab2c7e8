"""What lies on a disk for a model's weights, and under which names.

For weights published as FILE there are, at most, in one folder:

- FILE: as published, its SHA-256 that of the model's entry; users may have put it there by hand.
- FILE.safetensors: the same tensors, converted once from a torch checkpoint, and FILE.json, the
  receipt of that: what it was converted from, and what it must be.
- FILE.<start of its SHA-256>.part: what has been downloaded so far; it never counts as installed.
- FILE.copy: a copy from another place that is not complete.
- FILE.lock: held while anybody works on any of these: two Slicers may run, or Slicer and the shell.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from ..core.errors import InputError, InstallError, MissingPackageError
from ..core.outputs import write_atomically
from .files import kind_of
from .progress import Report, Transfer, no_report

PAUSE_S = 0.2
WAITING = "Another program is working on these weights"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A receipt is a hundred and some bytes; whatever is larger is none.
_LARGEST_RECEIPT = 4096


@dataclass(frozen=True)
class Receipt:
    """What a converted file is.

    Attributes:
        source_sha256: of the published file that it was converted from.
        sha256: of the converted file.
        size: its bytes.
    """

    source_sha256: str
    sha256: str
    size: int


@dataclass(frozen=True)
class WeightsFiles:
    """The files of one model's weights.

    Args:
        folder: in which they lie.
        file: name of the weights as published.
        sha256: of that file.
        converted_sha256: of the converted file; "" if it is not known beforehand.
        may_be_converted: whether a conversion counts; nothing is made of what is the user's own.

    Raises:
        InputError: if `file` is more than a name, and would lead out of the folder.
    """

    folder: Path
    file: str
    sha256: str
    converted_sha256: str = ""
    may_be_converted: bool = True

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.file):
            raise InputError(f"{self.file!r} is no name of a weights file. Nothing was done.")

    @property
    def original(self) -> Path:
        """Path of the weights as published."""
        return self.folder / self.file

    @property
    def converted(self) -> Path:
        """Path of the weights once converted to safetensors."""
        return self._beside("safetensors")

    @property
    def receipt(self) -> Path:
        """Path of the receipt of the conversion."""
        return self._beside("json")

    @property
    def partial(self) -> Path:
        """Path of an incomplete download; another version of the file has another name."""
        return self._beside(f"{self.sha256[:8]}.part")

    @property
    def copy(self) -> Path:
        """Path of a copy that is being made from another place."""
        return self._beside("copy")

    @property
    def lock(self) -> Path:
        """Path of the lock that is held while anybody works on these files."""
        return self._beside("lock")

    def _beside(self, suffix: str) -> Path:
        return self.folder / f"{self.file}.{suffix}"

    @property
    def current(self) -> Path:
        """Path of the weights to be used: converted, if they are and that counts, or as published.

        There need be no file yet.
        """
        if self.may_be_converted:
            for _ in range(2):  # another process may convert it between the two checks
                if is_plain_file(self.converted) and self.read_receipt() is not None:
                    return self.converted
                if is_plain_file(self.original):
                    break
        return self.original

    def expected_sha256(self, path: Path) -> str | None:
        """What the SHA-256 of the weights at `path` must be; None if that is not known."""
        if path == self.original:
            return self.sha256
        receipt = self.read_receipt()
        return receipt and receipt.sha256

    def is_published_hash(self, path: Path) -> bool:
        """Whether `expected_sha256` stands in the model's entry for the weights at `path`.

        If not, it was noted when they were converted: it then proves that they have not changed
        since, and that they were made of the published file is only what the receipt says.
        """
        return path != self.converted or bool(self.converted_sha256)

    @property
    def partial_bytes(self) -> int:
        """How much of the file an unfinished download has left; 0 if there is none."""
        try:
            return os.lstat(self.partial).st_size
        except OSError:
            return 0

    @property
    def left_over(self) -> list[Path]:
        """Files of processes that were killed, and of earlier versions of the weights."""
        patterns = ("*.part", "safetensors*.tmp", "json*.tmp")
        return [path for one in patterns for path in self.folder.glob(f"{self.file}.{one}")]

    def read_receipt(self) -> Receipt | None:
        """The receipt of a conversion of this file; None if there is none that can be used.

        Anybody who may write into the folder can write one: it proves nothing by itself. Where the
        entry knows what the converted file must be, a receipt that says otherwise is none.
        """
        try:
            if not os.path.isfile(self.receipt):
                return None  # what is no file might never come to an end
            with self.receipt.open(encoding="utf-8") as file:
                text = file.read(_LARGEST_RECEIPT + 1)
            # Recursion: nested brackets can be deep within few bytes.
            data = json.loads(text) if len(text) <= _LARGEST_RECEIPT else None
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(data, dict) or set(data) != {"source_sha256", "sha256", "size"}:
            return None
        sums = data["source_sha256"], data["sha256"]
        if not all(isinstance(one, str) and _SHA256.fullmatch(one) for one in sums):
            return None
        if type(data["size"]) is not int or data["size"] <= 0:
            return None
        receipt = Receipt(**data)
        is_known = self.converted_sha256 in ("", receipt.sha256)
        return receipt if is_known and receipt.source_sha256 == self.sha256 else None

    def write_receipt(self, receipt: Receipt) -> None:
        """Writes a receipt in one step: there is the old one or the new one, never a part of one.

        Raises:
            OSError: if it cannot be written.
        """
        write_atomically(self.receipt, json.dumps(asdict(receipt)))

    @contextmanager
    def locked(self, title: str, report: Report = no_report, wait: bool = True) -> Iterator[None]:
        """Holds the lock of these files; makes their folder, if it is not there.

        The system releases it when a program ends, however it does.

        Args:
            title: of the model, for messages.
            report: called while another program holds the lock; may raise Cancelled.
            wait: for the other program; else it is an error.

        Raises:
            InstallError: if the folder cannot be made or written to, or another program works
                there.
            MissingPackageError: without the package filelock.
        """
        # Some versions of filelock would empty what a link leads to.
        if os.path.lexists(self.lock) and not is_plain_file(self.lock):
            raise InstallError(f"{self.lock} is no plain file: remove it. Nothing was done.")
        lock = _lock(self.lock)
        while not self._acquire(lock):
            if not wait:
                raise InstallError(
                    f"{WAITING} of {title}. Try again when it has finished, or end it."
                )
            report(Transfer(WAITING))
            time.sleep(PAUSE_S)
        try:
            yield
        finally:
            lock.release()

    def _acquire(self, lock) -> bool:
        from filelock import Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            return False
        # Some file systems know no locks.
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise InstallError(
                f"Weights cannot be kept in the folder {self.folder}: {reason}. Check its access "
                "rights, or choose another folder in the module SAM Segment."
            ) from error
        return True


def is_plain_file(path: Path) -> bool:
    """Whether there is a file, and no link to one."""
    try:
        return not kind_of(path)
    except (OSError, ValueError):
        return False


def _lock(path: Path):
    try:
        from filelock import FileLock
    except ImportError as error:
        raise MissingPackageError(
            "The Python package filelock is not installed. In Slicer, press 'Install what is "
            "missing' in the module SAM Segment; elsewhere: pip install filelock."
        ) from error
    # A file that only says "locked" would outlive a program that is killed.
    return FileLock(str(path), fallback_to_soft=False)
