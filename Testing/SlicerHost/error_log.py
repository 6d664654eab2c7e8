"""Slicer's log: the file, and what Python can ask of its model."""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import logging
import time
from pathlib import Path

from . import errors
from .cpp import Property, cpp_class, keep
from .pythonqt import qt

LEVELS = {
    logging.DEBUG: "Debug",
    logging.INFO: "Info",
    logging.WARNING: "Warning",
    logging.ERROR: "Error",
}


@cpp_class
class ctkErrorLogModel(qt.QObject):
    """Its rows: messages of the same level and origin within a second share one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        keep(self, _path=path, _rows=[], _last=())

    filePath = Property(str, lambda self: str(self._path))

    def logEntryCount(self) -> int:
        return len(self._rows)

    def logEntryDescription(self, row: int) -> str:
        return self._rows[row] if 0 <= row < len(self._rows) else ""

    def _add(self, level: str, origin: str, text: str) -> None:
        # What is printed, such as a traceback, is logged line by line.
        for part in text.splitlines() if origin == "Stream" else [text]:
            self._put(level, origin, part)

    def _put(self, level: str, origin: str, text: str) -> None:
        now = time.time()
        last = self._last
        keep(self, _last=(level, origin, now))
        if last and last[:2] == (level, origin) and now - last[2] <= 1:
            self._rows[-1] += f"\n{text}"
        else:
            self._rows.append(text)
        stamp = time.strftime("%d.%m.%Y %H:%M:%S", time.localtime(now))
        with self._path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"[{level.upper()}][{origin}] {stamp} [] (unknown:0) - {text}\n")


class _Handler(logging.Handler):
    """slicerqt.SlicerApplicationLogHandler: what Python logs goes into the log, from DEBUG on."""

    def __init__(self, model) -> None:
        super().__init__(logging.DEBUG)
        self._model = model

    def emit(self, record) -> None:
        try:
            self._model._add(LEVELS[record.levelno], "Python", self.format(record))
        except Exception:
            self.handleError(record)


class ErrorLog:
    """Fills a model's file from all that Slicer would log, until it is closed."""

    def __init__(self, folder: Path) -> None:
        path = folder / "Slicer.log"
        path.touch()
        self.model = ctkErrorLogModel(path)
        self._handler = _Handler(self.model)
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self._handler)
        errors.listeners.append(self.model._add)

    def close(self) -> None:
        errors.listeners.clear()
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)
