"""How a download tells in a terminal, and in a log, how far it is."""

import io

import pytest

from SAMSegmentLib.transfer_line import TransferLine, duration, in_words, megabytes
from SAMSegmentLib.weights.transfer import Transfer


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("look", "text"),
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
def test_a_look_says_what_is_known_and_no_more(look, text):
    assert in_words(look) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1 s"), (0.4, "1 s"), (99, "99 s"), (100, "2 min"), (3500, "58 min"), (3700, "1 h 2 min")],
)
def test_a_duration_has_no_more_digits_than_it_deserves(seconds, text):
    assert duration(seconds) == text


def test_small_files_have_a_decimal():
    assert (megabytes(402_000_000), megabytes(19_868_176)) == ("402 MB", "19.9 MB")


def test_a_terminal_has_one_line_that_is_written_over_and_ended(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    with TransferLine(terminal, Clock()) as line:
        for done in range(3):
            line(Transfer("Downloading", done * 1_000_000, 2_000_000))
        line(Transfer("Waiting for a host with a name that no terminal can hold"))
    text = terminal.getvalue()
    assert text.count("\n") == 1 and text.endswith("\n") and text.count("\r") == 4
    lines = [part.removesuffix("\033[K") for part in text.strip().split("\r")]
    assert lines[2] == "Downloading: 2.0 of 2.0 MB"
    assert len(lines[3]) == 39


def test_a_terminal_on_which_nothing_was_printed_gets_no_empty_line():
    terminal = Terminal()
    with TransferLine(terminal):
        pass
    assert terminal.getvalue() == ""


def test_a_log_gets_a_line_now_and_then():
    log, clock = io.StringIO(), Clock()
    with TransferLine(log, clock) as line:
        for tenth in range(300):
            clock.now = 100 + tenth / 10
            line(Transfer("Downloading", tenth * 1_000_000, 402_000_000))
        for _ in range(50):
            clock.now += 0.01
            line(Transfer("Waiting for example.org"))
        clock.now += 1
        line(Transfer("Checking", 0, 402_000_000))
    assert log.getvalue().splitlines() == [
        "Downloading: 0 of 402 MB",
        "Downloading: 100 of 402 MB",
        "Downloading: 200 of 402 MB",
        "Waiting for example.org",
        "Checking: 0 of 402 MB",
    ]
