"""How a download tells in a terminal, and in a log, how far it is."""

import io

import pytest

from SAMSegmentLib.cli.models import TransferLine
from SAMSegmentLib.weights.progress import Transfer, TransferTexts


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("transfer", "text"),
    [
        (
            Transfer("Downloading from example.org", 120_400_000, 402_000_000, 8.13e6, 34.7),
            "Downloading from example.org: 120 of 402 MB, 8.1 MB/s, 35 s left",
        ),
        (Transfer("Downloading", 1_250_000, 9_000_000), "Downloading: 1.2 of 9.0 MB"),
        (Transfer("Downloading", 3_000_000_000, 4_000_000_000), "Downloading: 3000 of 4000 MB"),
        (Transfer("Downloading", 30_000_000, 0, 1e6), "Downloading: 30 MB, 1.0 MB/s"),
        (Transfer("Waiting for example.org"), "Waiting for example.org"),
    ],
)
def test_a_transfer_is_told_as_far_as_it_is_known(transfer, text):
    assert TransferTexts().of(transfer) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (0.4, "1 s"), (99, "99 s"), (100, "2 min"), (3500, "58 min"), (3700, "1 h 2 min")],
)
def test_a_duration_has_no_more_digits_than_it_deserves(seconds, text):
    assert TransferTexts().duration_of(seconds) == text


def test_it_is_a_line_that_is_written_over(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("TERM", raising=False)
    terminal = Terminal()
    with TransferLine(terminal) as line:
        line(Transfer("Downloading", 2_000_000, 2_000_000))
        line(Transfer("Waiting for a host with a name that no terminal can hold"))
    lines = terminal.getvalue().split("\r")
    assert lines[1] == "Downloading: 2.0 of 2.0 MB"
    assert len(lines[2]) == 40 and lines[2].endswith("\n")


def test_a_log_gets_a_line_for_each_part_of_the_work():
    log, clock = io.StringIO(), Clock()
    with TransferLine(log, clock) as line:
        for message in ("Downloading", "Downloading", "Checking"):
            line(Transfer(message, 0, 402_000_000))
            clock.now += 1
    assert log.getvalue().splitlines() == ["Downloading: 0 of 402 MB", "Checking: 0 of 402 MB"]
