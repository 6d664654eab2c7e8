"""A locale with a decimal comma, as a German user's applications have."""

from __future__ import annotations

import locale
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

#: Where the C library keeps a locale with a point, whose category of numbers is a small file.
WITH_POINT = Path("/usr/lib/locale/C.utf8/LC_NUMERIC")
INSTALLED = ("de_DE.UTF-8", "de_DE", "fr_FR.UTF-8", "German_Germany.1252")


@contextmanager
def decimal_comma(folder: Path, monkeypatch) -> Iterator[None]:
    """The process's numbers have a comma; the test is skipped where there is no way to do that."""
    before = locale.setlocale(locale.LC_NUMERIC)
    _set_comma(folder, monkeypatch)
    try:
        assert locale.localeconv()["decimal_point"] == ","
        yield
    finally:
        locale.setlocale(locale.LC_NUMERIC, before)


def _set_comma(folder: Path, monkeypatch) -> None:
    for name in INSTALLED:
        with suppress(locale.Error):
            locale.setlocale(locale.LC_NUMERIC, name)
            return
    if not WITH_POINT.is_file():
        pytest.skip("no locale with a decimal comma is installed, and none can be made")
    made = folder / "comma" / "LC_NUMERIC"
    made.parent.mkdir()
    made.write_bytes(WITH_POINT.read_bytes().replace(b".", b","))
    monkeypatch.setenv("LOCPATH", str(folder))
    try:
        locale.setlocale(locale.LC_NUMERIC, "comma")
    except locale.Error:
        pytest.skip("no locale with a decimal comma is installed, and the C library takes no other")
