"""A short piece of fuzzing files and messages, always the same; and it finds what it must."""

import sys

import pytest

from Fuzz.run import NAMES, fuzz, main

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the memory of a process cannot be limited here"
)
FILES = {
    "safetensors": 300,
    "checkpoint": 300,
    "conversion": 80,
    "entry": 800,
    "receipt": 1500,
    "channel": 500,
}


@pytest.mark.parametrize("name", NAMES)
def test_changed_files_are_read_or_refused_and_nothing_else(name, tmp_path):
    result = fuzz(name, seed=7, output=tmp_path, executions=FILES[name])
    assert result.findings == []
    assert result.executions == FILES[name]
    # Neither all too broken to be looked into, nor hardly changed.
    assert result.outcomes["read"] > FILES[name] * 0.02
    assert result.outcomes["refused"] > FILES[name] * 0.5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("runs code", "code in the file was run"),
        ("crashes", "signal 11"),
        pytest.param("hangs", "Timeout", marks=pytest.mark.slow),
        ("blows up", "MemoryError"),
        pytest.param("raises", "KeyError", marks=pytest.mark.slow),
        pytest.param("writes", "more than read", marks=pytest.mark.slow),
        pytest.param("loses", "no longer good", marks=pytest.mark.slow),
    ],
)
def test_a_faulty_reader_is_found_and_its_file_kept(fault, says, tmp_path):
    result = fuzz(
        fault,
        seed=3,
        output=tmp_path / "kept",
        executions=12,
        module="Fuzz.weak_targets",
        limit_s=1.0,
    )
    assert result.findings and result.outcomes["finding"] == len(result.findings)
    assert result.executions == 12 or fault in ("crashes", "hangs")
    for file, reason in result.findings:
        assert says in reason
        with open(file, "rb") as kept:
            assert (fault == "runs code") or not kept.read().startswith(b"good")


def test_the_same_seed_makes_the_same_files(tmp_path):
    def outcomes(seed: int):
        result = fuzz("receipt", seed, tmp_path, executions=300)
        return result.outcomes, result.reasons

    assert outcomes(1) == outcomes(1)
    assert outcomes(1) != outcomes(2)


def test_the_command_line_tells_what_came_out(capsys):
    assert main(["--seconds", "1", "--seed", "1", "--targets", "receipt"]) == 0
    assert "refused" in capsys.readouterr().out
