"""The part of an error that may be reported: where it came from, and nothing of the patient.

An error's text may quote a node, a file or a position. So the text is kept only of errors about
packages, memory or hardware; of all others the type and the lines of code are kept.
"""

from __future__ import annotations

import re
from pathlib import Path

from ...weights.folder import models_folder

#: Errors whose text is about the computer. Paths in it are removed all the same.
SAFE_ERRORS = frozenset(
    (
        "MissingPackageError",
        "OutOfMemoryError",
        "WeightsError",
        "ImportError",
        "ModuleNotFoundError",
    )
)
_HARDWARE = re.compile(r"(CUDA|cuDNN|CUBLAS|MPS|HIP)\b", re.IGNORECASE)
_FRAME = re.compile(r'^\s+File "(?P<path>.+?)", line (?P<line>\d+),? in (?P<function>\S+)$')
_ERROR = re.compile(
    r"^(?P<kind>[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Cancelled|Exit))(?::|$)"
)
_HEADINGS = (
    re.compile(r"^Traceback \(most recent call last\):$"),
    re.compile(r"^(During handling of|The above exception was the direct cause of) [\w ,]+:$"),
    re.compile(r"^Exit status -?\w+\.$"),
    re.compile(r"^What came over the channel is no message\.$"),
    re.compile(r"^Fatal Python error: [A-Za-z ]+$"),
    re.compile(r"^(Current thread|Thread) 0x[0-9a-f]+ .*\(most recent call first\):$"),
)
_PATH = re.compile(r"""(?:[A-Za-z]:)?[\\/][^\s:"'<>|,;()]*""")
LEFT_OUT = "(text left out)"
# Paths of code begin at its package; folders above it may hold anybody's name.
_CODE_ROOTS = ("SAMSegmentLib", "site-packages")
_STANDARD_LIBRARY = re.compile(r"/(?:lib/python3\.\d+|Python/Lib)/(?P<rest>.+)$")


def without_patient_data(error: str) -> str:
    """The part of a traceback, or of a report on a process, that may be reported.

    Args:
        error: a traceback as Python prints it, what a process wrote when it ended, or one sentence
            of SAMSegment.
    """
    lines = error.strip().splitlines()
    if len(lines) == 1 and not _ERROR.match(lines[0]):
        return _without_paths(lines[0])
    kept = [safe for line in lines if (safe := _safe_line(line)) is not None]
    return "\n".join(kept) if kept else LEFT_OUT


def _safe_line(line: str) -> str | None:
    frame = _FRAME.match(line)
    if frame:
        path = short_code_path(frame["path"])
        return f"  {path}, line {frame['line']}, in {frame['function']}"
    if any(heading.match(line) for heading in _HEADINGS):
        return line
    found = _ERROR.match(line)
    if found is None:
        return None
    kind = found["kind"]
    text = line[found.end() :].strip()
    if kind.rsplit(".", 1)[-1] in SAFE_ERRORS or _HARDWARE.match(text):
        return _without_paths(line)
    return f"{kind}: {LEFT_OUT}" if text else kind


def short_code_path(path: str) -> str:
    """Where code lies within its package, without the folders above it."""
    parts = path.replace("\\", "/").split("/")
    for root in _CODE_ROOTS:
        if root in parts:
            return "/".join(parts[len(parts) - parts[::-1].index(root) - 1 :])
    library = _STANDARD_LIBRARY.search("/".join(parts))
    return f"python/{library['rest']}" if library else "(other code)"


def _without_paths(text: str) -> str:
    # The user's own first: a blank in their names would end the path for the pattern.
    for folder in (models_folder(), Path.home()):
        for form in {str(folder), folder.as_posix()}:
            if len(form) > 1:
                text = re.sub(re.escape(form), "/x", text, flags=re.IGNORECASE)
    return _PATH.sub("(path)", text)
