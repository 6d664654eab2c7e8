"""The set-up script: it repeats no work, leaves no false mark, and says plainly what is missing."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest

import develop
import system_libraries

NO_GL = "ImportError: libGL.so.1: cannot open shared object file: No such file or directory"


@pytest.fixture
def sandbox(tmp_path, monkeypatch):
    """A repository in which `set_up` installs nothing but notes that it would."""
    (tmp_path / "requirements.lock").write_text("slicer-core==1.0\n")
    monkeypatch.setattr(develop, "ROOT", tmp_path)
    monkeypatch.setattr(develop, "VENV", tmp_path / ".venv")
    installed = []

    def make_venv():
        develop.venv_python().parent.mkdir(parents=True, exist_ok=True)
        develop.venv_python().touch()

    monkeypatch.setattr(develop, "make_venv", make_venv)
    monkeypatch.setattr(develop, "install_packages", lambda: installed.append("packages"))
    monkeypatch.setattr(develop, "check_imports", lambda: None)
    return installed


def test_set_up_is_done_once(sandbox):
    develop.set_up()
    develop.set_up()
    assert sandbox == ["packages"]


def test_set_up_is_repeated_when_the_pins_change(sandbox):
    develop.set_up()
    (develop.ROOT / "requirements.lock").write_text("slicer-core==1.1\n")
    assert not develop.is_set_up()
    develop.set_up()
    assert sandbox == ["packages", "packages"]


@pytest.mark.parametrize("step", ["make_venv", "install_packages", "check_imports"])
def test_interrupted_set_up_leaves_no_mark(sandbox, monkeypatch, step, capsys):
    develop.set_up()
    (develop.ROOT / "requirements.lock").write_text("slicer-core==1.1\n")

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(develop, step, interrupted)
    assert develop.main(["setup"]) == 130
    assert not develop.is_set_up()
    # Nor is the old state believed in when the old pins come back.
    (develop.ROOT / "requirements.lock").write_text("slicer-core==1.0\n")
    assert not develop.is_set_up()


def test_missing_library_is_one_message_and_no_traceback(sandbox, monkeypatch, capsys):
    monkeypatch.undo()  # the real check_imports, on a Python that cannot load VTK
    monkeypatch.setattr(develop, "is_set_up", lambda: False)
    monkeypatch.setattr(develop, "make_venv", lambda: None)
    monkeypatch.setattr(develop, "install_packages", lambda: None)
    monkeypatch.setattr(develop, "VENV", Path("does-not-exist"))
    broken = subprocess.CompletedProcess([], 1, stdout="", stderr=f"Traceback ...\n{NO_GL}\n")
    monkeypatch.setattr(develop.subprocess, "run", lambda *_, **__: broken)

    assert develop.main(["setup"]) == 1

    said = capsys.readouterr().err
    assert "libGL.so.1" in said
    assert "libgl1" in said
    assert "mesa-libGL" in said
    assert "Traceback" not in said


def test_unknown_library_and_other_errors_are_named():
    assert "libfoo.so.7" in system_libraries.explain(NO_GL.replace("libGL.so.1", "libfoo.so.7"))
    other = system_libraries.explain(
        "Traceback ...\nImportError: DLL load failed while importing x"
    )
    assert "DLL load failed while importing x" in other
    assert "Visual C++" in other
    assert "no reason given" in system_libraries.explain("")


@pytest.mark.parametrize(
    ("version", "implementation"), [((3, 10), "cpython"), ((3, 13), "cpython"), ((3, 11), "pypy")]
)
def test_other_pythons_are_turned_away(version, implementation):
    with pytest.raises(develop.Problem, match=r"3\.11 or 3\.12 is needed"):
        develop.check_python(version, implementation)


@pytest.mark.parametrize("version", [(3, 11), (3, 12)])
def test_supported_pythons_are_welcome(version):
    develop.check_python(version, "cpython")


def test_wrong_python_is_one_message_and_no_traceback(sandbox, monkeypatch, capsys):
    def wrong():
        raise develop.Problem("CPython 3.11 or 3.12 is needed")

    monkeypatch.setattr(develop, "check_python", wrong)
    assert develop.main(["setup"]) == 1
    assert capsys.readouterr().err == "CPython 3.11 or 3.12 is needed\n"
    assert sandbox == []


def test_failed_part_fails_the_whole_and_the_others_still_run(capsys):
    assert develop.run_parts([("one", lambda: 3), ("two", lambda: 0)]) == 1
    said = capsys.readouterr().out
    assert "FAILED (exit status 3)" in said
    assert "two" in said.splitlines()[-1]
    assert develop.run_parts([("two", lambda: 0)]) == 0


def test_layer_check_notices_a_forbidden_import(tmp_path):
    package = tmp_path / "layered"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "low.py").write_text("import layered.high\n")
    (package / "high.py").touch()
    config = tmp_path / "config.toml"
    config.write_text(
        '[tool.importlinter]\nroot_package = "layered"\n'
        '[[tool.importlinter.contracts]]\nname = "one way"\ntype = "layers"\n'
        'layers = ["layered.high", "layered.low"]\n'
    )
    command = [sys.executable, *develop.LAYERS, "--config", config, "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert "one way BROKEN" in result.stdout


@pytest.mark.mrml
def test_tests_run_on_the_line_of_slicer_core_that_was_asked_for():
    import slicer_core

    asked_for = os.environ.get("SAMSEGMENT_SLICER_CORE")
    if not asked_for:
        pytest.skip("started without Scripts/develop.py")
    assert importlib.metadata.version("slicer-core") == asked_for
    in_overlay = develop.PREVIEW in Path(slicer_core.__file__).parents
    assert in_overlay == (asked_for in develop.PREVIEW_PACKAGES[0])
