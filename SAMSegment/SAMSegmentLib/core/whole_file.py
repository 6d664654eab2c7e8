"""Small files that are there as a whole, or as they were before: never a part of one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

# Eight random bytes are never twice the same by chance; somebody may do it on purpose.
_TRIES = 100


def write_whole(path: Path, text: str) -> None:
    """Writes a text file in one step, by way of a temporary one beside it (NAME.*.tmp).

    Raises:
        OSError: if it cannot be written; what was there before still is.
    """
    descriptor, temporary = new_file(path.parent, f"{path.name}.", ".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def new_file(folder: Path, prefix: str, suffix: str) -> tuple[int, str]:
    """A new, empty file with a name of its own: its descriptor, open for writing, and its path.

    As `tempfile.mkstemp`, but with the access rights that every new file of this process gets
    there. To give them afterwards, one would have to know the process's file mode mask, which can
    only be read by setting it, for all threads.

    Raises:
        OSError: if it cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    for _ in range(_TRIES):
        path = os.path.join(folder, f"{prefix}{secrets.token_hex(8)}{suffix}")
        with contextlib.suppress(FileExistsError):
            return os.open(path, flags, 0o666), path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))
