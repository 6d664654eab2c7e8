"""Feeds changed files to a target, in a process of little memory; see run.py, which starts it.

Prints nothing of its own. What happened so far stands in status.json of its folder at any time, so
that the parent knows it when this process dies.
"""

from __future__ import annotations

import codecs
import faulthandler
import importlib
import json
import os
import random
import shutil
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from Fuzz.target import Target

# What a reader of data has no business to do.
_NEVER = (
    *(
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
    ),
    *("subprocess.", "socket.", "pickle.find_class", "ctypes.", "exec", "compile", "import"),
    *("os.symlink", "os.link", "code.", "webbrowser."),
)
_WRITING = ("os.mkdir", "os.chmod", "os.remove", "os.rename", "os.rmdir", "os.truncate", "shutil.")
# Python imports an encoding when it first meets it; these are those of pickles and JSON.
_CODINGS = ("ascii", "latin-1", "raw_unicode_escape", "unicode_escape", "utf-16", "utf-32")
# More of them say the same.
MOST_FINDINGS = 20


class Guard:
    """Notes what Python's audit events tell of a reader that does more than read."""

    def __init__(self, may_write: bool) -> None:
        self._never = _NEVER if may_write else _NEVER + _WRITING
        self._may_write = may_write
        self.is_armed = False
        self.noted: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, values: tuple) -> None:
        if not self.is_armed:
            return
        wrote = event == "open" and not self._may_write and _is_writing(values)
        if wrote or event.startswith(self._never):
            self.noted.append(f"{event} {values!a}"[:300])


def _is_writing(values: tuple) -> bool:
    _, mode, flags = values
    if isinstance(mode, str):
        return bool(set(mode) & set("wax+"))
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


class Feeder:
    """Makes files, has them read, and keeps what should not have happened.

    Args:
        folder: of this process alone.
        seed: with the number of a file, it makes the same file again.
        limit_s: for each file, seconds; then the process ends.
    """

    def __init__(self, target: Target, folder: Path, seed: int, limit_s: float) -> None:
        self._target, self._folder, self._seed, self._limit_s = target, folder, seed, limit_s
        self._path = folder / target.file
        self._trace = folder / "trace"
        self._seeds = target.make_seeds(str(self._trace))
        self._outcomes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._findings: list[dict[str, object]] = []
        self._guard = Guard(target.may_write)

    def warm_up(self) -> None:
        """Reads the good files, so that all is imported before memory is counted."""
        for coding in _CODINGS:
            codecs.lookup(coding)
        for data in self._seeds:
            self._path.write_bytes(data)
            try:
                self._target.judge(self._path)
            except Exception:
                self._note(-1, traceback.format_exc())

    @property
    def is_full(self) -> bool:
        """Whether enough was found."""
        return len(self._findings) >= MOST_FINDINGS

    def feed(self, number: int) -> None:
        """Makes and reads the file of that number."""
        chance = random.Random(f"{self._seed} {self._target.name} {number}")
        data = self._target.change(
            chance, chance.choice(self._seeds), self._seeds, str(self._trace)
        )
        self._path.write_bytes(data)
        self.tell(number)
        faulthandler.dump_traceback_later(self._limit_s, exit=True)
        self._guard.noted.clear()
        self._guard.is_armed = True
        try:
            outcome, reason = self._target.judge(self._path)
        except Exception as error:
            self._guard.is_armed = False  # to show a traceback, Python reads the program
            outcome, reason = "finding", "".join(traceback.format_exception(error))
        self._guard.is_armed = False
        faulthandler.cancel_dump_traceback_later()
        if self._trace.exists():
            self._trace.rmdir()
            outcome, reason = "finding", "code in the file was run"
        elif self._guard.noted and outcome != "finding":
            outcome, reason = "finding", f"the reader did more than read: {self._guard.noted[0]}"
        if outcome == "finding":
            self._note(number, reason)
        else:
            self._reasons[reason[:60]] += 1
        self._outcomes[outcome] += 1

    def tell(self, number: int) -> None:
        """Writes down how far the work is; `number` is the file that comes next."""
        status = {"next": number, "outcomes": self._outcomes, "findings": self._findings}
        status["reasons"] = len(self._reasons)
        # In one call, and shorter than a page: a process that dies leaves a whole one.
        (self._folder / "status.json").write_text(json.dumps(status), encoding="utf-8")

    def _note(self, number: int, reason: str) -> None:
        kept = self._folder / f"{self._target.name}-{self._seed}-{number}{self._path.suffix}"
        shutil.copyfile(self._path, kept)
        text = reason[-1500:].encode("ascii", "backslashreplace").decode()
        self._findings.append({"number": number, "file": str(kept), "reason": text})


def limit_memory(margin_bytes: int) -> None:
    """From now on, this process gets so much more memory, and no more; Linux only."""
    import resource

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + margin_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def main(arguments: list[str]) -> None:
    said = json.loads(arguments[0])
    module, _, name = said["target"].partition(":")
    target = importlib.import_module(module).TARGETS[name]
    feeder = Feeder(target, Path(said["folder"]), said["seed"], said["limit_s"])
    feeder.warm_up()
    if sys.platform == "linux":
        limit_memory(said["margin_bytes"])
    number, end = said["first"], time.monotonic() + said["seconds"]
    while number < said["last"] and time.monotonic() < end and not feeder.is_full:
        feeder.feed(number)
        number += 1
    feeder.tell(number)


if __name__ == "__main__":
    faulthandler.enable()
    main(sys.argv[1:])
