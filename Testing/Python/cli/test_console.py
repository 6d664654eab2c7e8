"""Output channels: what is printed, and that none of them decides over the work."""

import io
import os
import sys

import pytest

from SAMSegmentLib.cli.console import (
    OutputClosedError,
    StatusLine,
    print_note,
    print_result,
    print_to_stderr,
    stderr_silenced,
)
from SAMSegmentLib.core.errors import WriteError


class Broken(io.StringIO):
    """A stream on which nothing can be written."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text):
        raise self.error


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


FULL = OSError(28, "No space left on device")
CLOSED = ValueError("I/O operation on closed file.")


@pytest.mark.parametrize("stream", [None, Broken(FULL), Broken(BrokenPipeError()), Broken(CLOSED)])
def test_remarks_mentions_and_progress_may_get_lost(monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", stream)
    print_to_stderr("The mask is small.")
    print_note("mask.nrrd: Liver, 1200 ml")
    with StatusLine(stream) as line:
        line.show("Looking", "Looking")
        line.show("Looking", "Looking")


def test_results_that_cannot_be_printed_are_a_failure(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Broken(FULL))
    with pytest.raises(WriteError, match="No space left"):
        print_result("litemedsam")
    monkeypatch.setattr(sys, "stdout", Broken(BrokenPipeError()))
    with pytest.raises(OutputClosedError):
        print_result("litemedsam")


def test_what_the_terminal_cannot_show_is_escaped(monkeypatch):
    printed = io.TextIOWrapper(io.BytesIO(), "ascii")
    monkeypatch.setattr(sys, "stdout", printed)
    print_note("Läsion \udce4: 12 ml")
    assert printed.buffer.getvalue().decode("ascii").strip() == r"L\xe4sion \udce4: 12 ml"


def test_a_remark_is_one_line(capsys):
    print_to_stderr("There is\nno room.")
    assert capsys.readouterr().err == "samsegment: There is no room.\n"


def test_what_libraries_print_does_not_reach_standard_error(capfd):
    with stderr_silenced():
        os.write(2, b"WARNING: In itkNiftiImageIO.cxx, line 2126\n")
    print_to_stderr("The file is short.")
    assert capfd.readouterr().err == "samsegment: The file is short.\n"


def test_a_closed_standard_error_stays_closed(monkeypatch):
    def closed(_):
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr("SAMSegmentLib.cli.console.os.dup", closed)
    with stderr_silenced():
        pass


def test_a_terminals_line_is_written_over_without_escape_codes(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.delenv("TERM", raising=False)
    terminal = Terminal()
    with StatusLine(terminal) as line:
        line.show("a", "a long text about the work")
        line.show("b", "short")
        line.show("c", "x" * 100)
    assert "\033" not in terminal.getvalue()
    assert terminal.getvalue().split("\r") == [
        "",
        "a long text about the work",
        "short" + " " * 21,
        "x" * 39 + "\n",
    ]


def test_a_terminal_on_which_nothing_was_printed_gets_no_empty_line():
    terminal = Terminal()
    with StatusLine(terminal):
        pass
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("columns", ["0", "1", "nonsense"])
def test_a_terminal_of_no_width_still_gets_a_line(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    terminal = Terminal()
    with StatusLine(terminal) as line:
        line.show("Looking", "Looking")
    assert terminal.getvalue().startswith("\rL")


def test_a_log_gets_a_plain_line_now_and_then():
    log, clock = io.StringIO(), Clock()
    with StatusLine(log, clock) as line:
        for tenth in range(300):
            clock.now = 100 + tenth / 10
            line.show(f"Slice {tenth}", f"Slice {tenth} of 300")
        clock.now += 1
        line.show("Done", "Done")
    assert log.getvalue().splitlines() == [
        "Slice 0 of 300",
        "Slice 100 of 300",
        "Slice 200 of 300",
        "Done",
    ]


def test_a_dumb_terminal_is_treated_as_a_log(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    with StatusLine(terminal) as line:
        line.show("Looking", "Looking")
    assert terminal.getvalue() == "Looking\n"
