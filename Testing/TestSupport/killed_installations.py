"""Ends an installation, or a removal, before each of its operations on files, as a kill would.

As a program: prints as JSON, for each case and each operation before which it was ended, what was
there then, and after it was done again.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from SAMSegmentLib.core.errors import WeightsError
from SAMSegmentLib.weights import store as installing
from SAMSegmentLib.weights.weights_files import Receipt

from .small_model import CONTENT, sha256, small_model

ENTRY = small_model(file="small.pth")
CONVERTED = b"converted"
# What Python tells of files, see its "Audit events table".
OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.truncate", "shutil.rmtree"}
ENDED = 86


def _original(content: bytes = CONTENT) -> None:
    ENTRY.files.original.write_bytes(content)


def _conversion(content: bytes = CONVERTED) -> None:
    ENTRY.files.converted.write_bytes(content)
    ENTRY.files.write_receipt(Receipt(ENTRY.sha256, sha256(CONVERTED), len(CONVERTED)))


def _partial() -> None:
    ENTRY.files.partial.write_bytes(CONTENT[:99])


def _nothing() -> None: ...


def _damaged_conversion() -> None:
    _conversion(b"damaged")


def _both() -> None:
    _original()
    _conversion()


def _hidden() -> None:
    _original()
    _damaged_conversion()


BEFORE: dict[str, Callable[[], None]] = {
    "nothing": _nothing,
    "installed": _original,
    "damaged": lambda: _original(b"damaged"),
    "converted": _conversion,
    "damaged conversion": _damaged_conversion,
    "half a download": _partial,
    "both": _both,
    "right behind a damaged conversion": _hidden,
}


def _download(places, partial, size, sha, report) -> None:
    with partial.open("wb") as file:
        file.write(CONTENT)


def install_from_web(stick: Path) -> None:
    """An installation whose download is a moment's work."""
    installing.download = _download
    installing.install(ENTRY)


def install_from_stick(stick: Path) -> None:
    """An installation from a folder."""
    installing.install(ENTRY, stick)


def remove(stick: Path) -> None:
    """A removal."""
    installing.remove(ENTRY)


ACTIONS = {action.__name__: action for action in (install_from_web, install_from_stick, remove)}


def state() -> str:
    """ "good", "damaged", or "none"."""
    if not ENTRY.is_installed:
        return "none"
    try:
        installing.verify(ENTRY)
    except WeightsError:
        return "damaged"
    return "good"


def left_over(folder: Path) -> list[str]:
    """Files that should not be there in the end."""
    files = ENTRY.files
    known = (files.original, files.converted, files.receipt, files.lock)
    return sorted(set(os.listdir(folder)) - {path.name for path in known})


def _end_before(number: int, folder: str) -> None:
    count = 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal count
        if event in OPERATIONS and any(str(one).startswith(folder) for one in arguments):
            count += 1
            if count == number:
                os._exit(ENDED)

    sys.addaudithook(hook)


def _run(action: Callable[[Path], None], stick: Path, number: int, folder: Path) -> bool:
    """In a process of its own; whether it was ended on the way."""
    child = os.fork()
    if child == 0:
        try:
            _end_before(number, str(folder))
            action(stick)
        except BaseException:
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, ENDED), f"{action.__name__} failed: {code}"
    return code == ENDED


def main() -> None:
    """Tries everything."""
    told = []
    with tempfile.TemporaryDirectory() as place:
        folder, stick = Path(place, "models"), Path(place, "stick")
        stick.mkdir()
        (stick / ENTRY.file).write_bytes(CONTENT)
        os.environ["SAMSEGMENT_MODELS"] = str(folder)
        for action in ACTIONS.values():
            for before, make in BEFORE.items():
                number, was_ended = 0, True
                while was_ended:
                    number += 1
                    shutil.rmtree(folder, ignore_errors=True)
                    folder.mkdir()
                    make()
                    first = state()
                    was_ended = _run(action, stick, number, folder)
                    then = state()
                    action(stick)
                    told.append([action.__name__, before, number, first, then, state(),
                                 left_over(folder)])  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    main()
