"""Readers with known faults, by which the fuzzer itself is tested: it must find every one."""

from __future__ import annotations

import ctypes
import pickle
import time
from pathlib import Path

from .raw_mutations import change_bytes
from .target import READ, REFUSED, Target

GOOD = b"good: " + b"a" * 20


def _runs_code(path: Path) -> tuple[str, str]:
    try:
        pickle.loads(path.read_bytes())
    except Exception as error:
        return REFUSED, type(error).__name__
    return READ, ""


def _code(trace: str) -> list[bytes]:
    return [
        b"\x80\x02cos\nmkdir\nX" + len(trace).to_bytes(4, "little") + trace.encode() + b"\x85R."
    ]


def _crashes(path: Path) -> tuple[str, str]:
    if not path.read_bytes().startswith(b"good"):
        ctypes.string_at(0)
    return READ, ""


def _hangs(path: Path) -> tuple[str, str]:
    while not path.read_bytes().startswith(b"good"):
        time.sleep(0.01)
    return READ, ""


def _blows_up(path: Path) -> tuple[str, str]:
    if not path.read_bytes().startswith(b"good"):
        bytearray(2**32)
    return READ, ""


def _raises(path: Path) -> tuple[str, str]:
    {b"good": 1}[path.read_bytes()[:4]]
    return READ, ""


def _writes(path: Path) -> tuple[str, str]:
    if not path.read_bytes().startswith(b"good"):
        path.with_name("written").write_bytes(b"")
    return READ, ""


def _loses(path: Path) -> tuple[str, str]:
    assert path.read_bytes().startswith(b"good"), "the file is no longer good"
    return READ, ""


def _target(name: str, judge) -> Target:
    return Target(
        name,
        "input.bin",
        lambda _: [GOOD],
        lambda random, data, others, _: change_bytes(random, data, others),
        judge,
    )


TARGETS = {
    "runs code": Target("runs-code", "input.bin", _code, lambda _, data, *__: data, _runs_code),
    **{
        name: _target(name.replace(" ", "-"), judge)
        for name, judge in {
            "crashes": _crashes,
            "hangs": _hangs,
            "blows up": _blows_up,
            "raises": _raises,
            "writes": _writes,
            "loses": _loses,
        }.items()
    },
}
