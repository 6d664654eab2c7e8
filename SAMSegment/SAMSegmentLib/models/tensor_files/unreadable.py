"""What the readers of weights files raise, before it becomes an error for a user."""

from __future__ import annotations


class UnreadableError(Exception):
    """A file is not a weights file that may be read; the text is the reason, such as "it is cut
    off", in one line of plain characters."""


def shown(value: object) -> str:
    """Something from a file, short and in plain characters, as a message may hold it."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
