"""Fuzzes the readers of weights files and messages: none may run code, crash, hang, or take memory.

Each target reads changed files in a process of its own with little memory. Whatever is neither
read nor refused with a reason is a finding: its file is kept in out/fuzz/, beside what happened.
The same seed makes the same files.

Exit status: 0 nothing found, 1 something was, 2 bad arguments.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "out" / "fuzz"
MODULES = {
    **dict.fromkeys(("safetensors", "checkpoint", "conversion"), "Fuzz.tensor_targets"),
    **dict.fromkeys(("entry", "receipt"), "Fuzz.json_targets"),
    "channel": "Fuzz.channel_targets",
}
NAMES = tuple(MODULES)
# Beyond what the process takes when it has read all good files. The changed ones are of some
# kilobytes, rarely of one megabyte, for which a reader may take its bounded share.
MARGIN_BYTES = 512 * 2**20
LIMIT_S = 20.0
# A process that cannot even start is started again so many times.
TRIES = 3
# Then a target is given up: more of them say the same.
MOST_FINDINGS = 20


@dataclass
class Result:
    """What came out for one target.

    Attributes:
        executions: files that were read or refused, or found something.
        outcomes: how many of each.
        reasons: number of different ones for refusing a file.
        findings: file and what happened, for each.
    """

    name: str
    executions: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: int = 0
    findings: list[tuple[str, str]] = field(default_factory=list)


def fuzz(
    name: str,
    seed: int,
    output: Path,
    seconds: float = 1e9,
    executions: int = 2**62,
    module: str | None = None,
    limit_s: float = LIMIT_S,
    margin_bytes: int = MARGIN_BYTES,
) -> Result:
    """Fuzzes one target until the time is up or so many files were made.

    Args:
        output: where files that found something are put.
        module: whose TARGETS has it, if it is none of NAMES.
        limit_s: for each file, seconds.
        margin_bytes: that the process may take beyond what good files need.
    """
    result = Result(name)
    end = time.monotonic() + seconds
    first = failed = 0
    while first < executions and failed < TRIES and len(result.findings) < MOST_FINDINGS:
        if (left := end - time.monotonic()) <= 0:
            break
        with tempfile.TemporaryDirectory() as folder:
            order = {
                "target": f"{module or MODULES[name]}:{name}",
                "folder": folder,
                "seed": seed,
                "first": first,
                "last": executions,
                "seconds": left,
                "limit_s": limit_s,
                "margin_bytes": margin_bytes,
            }
            code, said = _run_child(order)
            status = _status(Path(folder))
            next_one = status["next"] if status else first
            failed = 0 if next_one > first else failed + 1
            _take(result, status, output)
            result.executions += next_one - first
            first = next_one
            if code:
                result.executions += 1
                first += 1
                _take_death(
                    result, Path(folder), seed, next_one, f"{_end_of(code)}\n{said}", output
                )
    return result


def _run_child(order: dict[str, object]) -> tuple[int, str]:
    """Its exit status, and the end of what it said."""
    paths = (str(ROOT / "SAMSegment"), str(ROOT / "Testing"), os.environ.get("PYTHONPATH", ""))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        # Threads take memory of their own.
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "Fuzz.child", json.dumps(order)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        check=False,
    )
    return done.returncode, done.stderr.decode(errors="replace")[-3000:]


def _status(folder: Path) -> dict | None:
    try:
        return json.loads((folder / "status.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _take(result: Result, status: dict | None, output: Path) -> None:
    if status is None:
        return
    result.outcomes.update(status["outcomes"])
    result.reasons = max(result.reasons, status["reasons"])
    for finding in status["findings"]:
        result.findings.append((_kept(Path(finding["file"]), output), finding["reason"]))


def _take_death(
    result: Result, folder: Path, seed: int, number: int, reason: str, output: Path
) -> None:
    """The process ended while it read a file."""
    result.outcomes["finding"] += 1
    inputs = [path for path in folder.glob("*") if path.stem in ("input", "entry", "input.pth")]
    kept = "no file"
    if inputs:
        named = folder / f"{result.name}-{seed}-{number}{inputs[0].suffix}"
        shutil.copyfile(inputs[0], named)
        kept = _kept(named, output)
    result.findings.append((kept, reason))


def _kept(path: Path, output: Path) -> str:
    output.mkdir(parents=True, exist_ok=True)
    return shutil.copy(path, output)


def _end_of(code: int) -> str:
    return f"the process ended with {'signal' if code < 0 else 'status'} {abs(code)}"


def show(result: Result, seconds: float) -> None:
    """Prints a result on one line, and each finding on some more."""
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(result.outcomes.items()))
    print(
        f"{result.name:12} {result.executions:8} files in {seconds:4.0f} s: {outcomes}; "
        f"{result.reasons} reasons",
        flush=True,
    )
    for file, reason in result.findings:
        print(f"  {file}\n    " + reason.strip().replace("\n", "\n    "), flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Runs it from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60, help="for all together (default 60)")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="default: the time")
    parser.add_argument("--targets", nargs="+", choices=NAMES, default=NAMES)
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    if sys.platform != "linux":
        print("Memory is not limited on this system: a blow-up would not be found.", flush=True)
    found = 0
    for name in options.targets:
        began = time.monotonic()
        result = fuzz(name, options.seed, OUTPUT, options.seconds / len(options.targets))
        show(result, time.monotonic() - began)
        found += len(result.findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
