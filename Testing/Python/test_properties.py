"""Properties are tried on the same examples in `make test`, and on many new ones on demand."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import develop

TESTS = Path(__file__).parents[1]
PROPERTY = """
from hypothesis import given, settings, strategies as st
from TestSupport.properties import examples

@settings(max_examples=examples(12))
@given(st.integers())
def test_a_property(number):
    print("drawn", number)

def test_no_property():
    pass
"""


@pytest.fixture
def drawn(tmp_path):
    """Runs a property in a process of its own, as one target does; the numbers it was tried on."""
    (tmp_path / "conftest.py").write_text((TESTS / "conftest.py").read_text("utf-8"))
    (tmp_path / "test_it.py").write_text(PROPERTY)

    def run(*options: str) -> list[str]:
        environment = {**os.environ, "SAMSEGMENT_EXAMPLES": "40"}
        result = subprocess.run(
            [sys.executable, "-m", "pytest", "-s", *options, "test_it.py"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return re.findall(r"\bdrawn (\S+)", result.stdout)

    return run


def test_make_test_draws_the_same_examples_each_time_and_leaves_nothing_behind(drawn, tmp_path):
    first = drawn()
    assert first == drawn() and len(first) == 12
    assert not (tmp_path / ".hypothesis" / "examples").exists()


def test_make_properties_draws_new_ones_and_as_many_for_each_property(drawn, monkeypatch):
    asked = []
    monkeypatch.setattr(develop, "run_python", lambda *command, **_: asked.append(command) or 0)
    assert develop.main(["properties"]) == 0
    options = asked[0][asked[0].index("auto") + 1 :]
    first, second = drawn(*options), drawn(*options)
    assert len(first) == len(second) == 40
    assert first != second


def test_no_property_has_a_number_of_examples_that_make_properties_cannot_raise():
    bare = re.compile(r"max_examples=\d|derandomize=|database=")
    found = [
        f"{path.relative_to(TESTS)}: {line.strip()}"
        for path in TESTS.rglob("test_*.py")
        for line in path.read_text("utf-8").splitlines()
        if bare.search(line) and path.name != Path(__file__).name
    ]
    assert found == []
