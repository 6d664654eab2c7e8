"""Memory that two processes see, for voxels and masks.

It has no name that anybody could forget to remove: on Linux and macOS an open file descriptor that
travels with the message that names it, on Windows a mapping that ends with its last user. So
nothing stays behind, whichever process is killed when. It is mapped as long as an array looks at
it, and no longer: no array can show memory that is gone.

On Linux its size is sealed, and memory that is not sealed is not opened: if the other process could
shrink it, to read what was cut off would end this one. Windows cannot shrink a mapping that is in
use; macOS cannot change the size of such memory a second time.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import math
import mmap
import os
import re
import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .channel import ClosedError
from .memory import available_bytes

with contextlib.suppress(ImportError):  # Windows
    import fcntl

#: What is copied at once, at most: a tenth of a millisecond.
CHUNK_BYTES = 256 * 2**10
# As many voxels along each axis, of up to eight bytes.
CUBE = 32
# What is unmapped at once, at least.
UNMAPPED_BYTES = 4 * 2**20
# What must be left for others.
SPARE_BYTES = 64 * 2**20
_HAS_NAMES = sys.platform == "win32"
_HAS_SEALS = hasattr(os, "memfd_create")
_PREFIX = "SAMSegment-"
# What Linux must promise of the other process's memory; 0 where there are no such promises.
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL if _HAS_SEALS else 0
_NAME = re.compile(rf"{_PREFIX}[0-9a-f]{{32}}")


@dataclass(frozen=True)
class BlockHandle:
    """What another process needs to open shared memory.

    Attributes:
        nbytes: its size.
        name: on Windows; elsewhere a file descriptor goes beside the handle.
    """

    nbytes: int
    name: str | None

    def __post_init__(self) -> None:
        is_right = _NAME.fullmatch(self.name or "") if _HAS_NAMES else self.name is None
        if self.nbytes < 1 or not is_right:
            raise ValueError(f"this is no shared memory: {self}")


class SharedBlock:
    """A piece of shared memory; see `create` and `open_block`.

    Attributes:
        handle: for the other process.
        descriptor: goes beside the handle; None on Windows, and once it was handed over.
    """

    def __init__(self, memory: mmap.mmap, handle: BlockHandle, descriptor: int | None) -> None:
        self._memory = memory
        self.handle = handle
        self.descriptor = descriptor

    @classmethod
    def create(cls, nbytes: int) -> SharedBlock:
        """New shared memory of at least one byte.

        Raises:
            MemoryError: if there is not enough memory for it.
        """
        nbytes = max(nbytes, 1)
        available = available_bytes()
        if available is not None and nbytes > available - SPARE_BYTES:
            raise MemoryError(f"{nbytes} bytes of shared memory")
        if _HAS_NAMES:
            name = f"{_PREFIX}{secrets.token_hex(16)}"
            return cls(_named(name, nbytes), BlockHandle(nbytes, name), None)
        descriptor = _anonymous_file()
        try:
            _reserve(descriptor, nbytes)
            if _SEALS:
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
            return cls(mmap.mmap(descriptor, nbytes), BlockHandle(nbytes, None), descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def array(self, shape: tuple[int, ...], dtype: np.dtype | str) -> np.ndarray:
        """The memory's first bytes as an array, which keeps it mapped."""
        return np.ndarray(shape, dtype=dtype, buffer=self._memory)

    def handed_over(self) -> None:
        """The other process has opened it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def open_block(
    handle: BlockHandle, descriptor: int | None, shape: tuple[int, ...], dtype: np.dtype | str
) -> np.ndarray:
    """Shared memory of another process as an array; the descriptor is closed.

    Raises:
        OSError: if it is gone or too small, or the descriptor is missing.
        ClosedError: if the other process could still change its size.
    """
    try:
        if nbytes_of(shape, dtype) > handle.nbytes:
            raise OSError(errno.EINVAL, "Shared memory is smaller than what should lie in it")
        if handle.name is not None:
            memory = _named(handle.name, handle.nbytes)
        elif descriptor is None:
            raise OSError(errno.EBADF, "Shared memory came without its descriptor")
        else:
            _check_seals(descriptor)
            memory = mmap.mmap(descriptor, handle.nbytes)
        return np.ndarray(shape, dtype=dtype, buffer=memory)
    except (ValueError, OverflowError) as error:  # smaller than the handle says
        raise OSError(errno.EINVAL, str(error)) from error
    finally:
        if descriptor is not None:
            os.close(descriptor)


class ArrayCopy:
    """Copies an array into another in small steps.

    Attributes:
        copied: bytes so far.
    """

    def __init__(self, source: np.ndarray, target: np.ndarray) -> None:
        self._source = source
        self._target = target
        self._chunks = _chunks(source, target.itemsize)
        self._unmapped = 0
        self.copied = 0

    def step(self) -> bool:
        """Copies up to CHUNK_BYTES (but at least a row); False if nothing was left."""
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        part = self._target[chunk]
        np.copyto(part, self._source[chunk])
        self.copied += part.nbytes
        self._unmap(chunk[0].start * self._target.strides[0])
        return True

    def _unmap(self, end: int) -> None:
        """Unmaps what lies before byte `end`, here and not in the other process.

        To do so with a whole volume at once would take this process 10 ms.
        """
        memory = self._target.base
        end -= end % mmap.PAGESIZE
        if end - self._unmapped >= UNMAPPED_BYTES and hasattr(memory, "madvise"):
            memory.madvise(mmap.MADV_DONTNEED, self._unmapped, end - self._unmapped)
            self._unmapped = end


def nbytes_of(shape: tuple[int, ...], dtype: np.dtype | str) -> int:
    """Bytes of an array."""
    return math.prod(shape) * np.dtype(dtype).itemsize


def _chunks(source: np.ndarray, itemsize: int) -> Iterator[tuple[slice, ...]]:
    """Boxes of a source that are quick to read, for a target whose rows lie one after another."""
    strides = np.abs(source.strides)
    if strides[2] == strides.min():
        columns = source.shape[2]
        sides = (1, max(1, CHUNK_BYTES // max(columns * itemsize, 1)), max(columns, 1))
    else:
        # Its rows lie across: small cubes touch few pages of memory on either side.
        sides = (CUBE,) * 3
    starts = [range(0, n, side) for n, side in zip(source.shape, sides, strict=True)]
    for first in itertools.product(*starts):
        yield tuple(slice(a, a + side) for a, side in zip(first, sides, strict=True))


def _named(name: str, nbytes: int) -> mmap.mmap:
    return mmap.mmap(-1, nbytes, tagname=name)


def _check_seals(descriptor: int) -> None:
    """Raises ClosedError if memory is not sealed: whoever made it is not our child."""
    if not _SEALS:
        return
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:  # a file, a pipe
        seals = 0
    if seals & _SEALS != _SEALS:
        raise ClosedError("Shared memory came whose size could still be changed.")


def _anonymous_file() -> int:
    """The descriptor of memory without a name."""
    if _HAS_SEALS:
        return os.memfd_create("SAMSegment", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    return _unlinked_memory()


def _unlinked_memory() -> int:
    """As `_anonymous_file`, on macOS: has a name, and loses it at once."""
    # What multiprocessing.shared_memory stands on, which would keep the name.
    import _posixshmem

    name = f"/samsegment-{secrets.token_hex(8)}"
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR
    descriptor = _posixshmem.shm_open(name, flags, mode=0o600)
    _posixshmem.shm_unlink(name)
    return descriptor


def _reserve(descriptor: int, nbytes: int) -> None:
    """Gives an anonymous file its size, and its memory now: writing to it must never fail."""
    try:
        os.ftruncate(descriptor, nbytes)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, nbytes)
    except OSError as error:
        if error.errno in (errno.ENOMEM, errno.ENOSPC, errno.EFBIG):
            raise MemoryError(f"{nbytes} bytes of shared memory") from error
        if error.errno not in (errno.EOPNOTSUPP, errno.ENOSYS):
            raise
