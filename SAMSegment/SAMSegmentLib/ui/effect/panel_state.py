"""What the effect's panel shows, as one value: the session makes it, the panel draws it."""

from __future__ import annotations

from dataclasses import dataclass

#: How a status line is meant.
HINT, BUSY, GOOD, WARNING, ERROR = "hint", "busy", "good", "warning", "error"
#: Kinds of a prompt; also the names of their icons.
POSITIVE, NEGATIVE, ROI, LINE = "Positive", "Negative", "Roi", "Line"


@dataclass(frozen=True)
class PromptRow:
    """A prompt in the list.

    Attributes:
        kind: POSITIVE, NEGATIVE, ROI or LINE.
        text: what the list says.
        key: names the prompt towards the session; a point's id, else its kind.
        ras: where it is, world RAS in mm.
    """

    kind: str
    text: str
    key: str
    ras: tuple[float, float, float]

    @property
    def is_point(self) -> bool:
        return self.kind in (POSITIVE, NEGATIVE)


@dataclass(frozen=True)
class PanelState:
    """All that the panel shows beside the parameters in the parameter node.

    Attributes:
        note: what the prompts belong to, if that is not plain: a time point.
        status, status_kind: the status line and how it is meant.
        progress: 0 to 1; -1 if it is not known; None if nothing runs.
        placing: POSITIVE, NEGATIVE, ROI, or None.
        no_other_mask: why no other mask of the prompts can be shown; "" if one can.
        refused: name of the model whose weights could not be used; "" if they can.
    """

    rows: tuple[PromptRow, ...] = ()
    note: str = ""
    status: str = ""
    status_kind: str = HINT
    progress: float | None = None
    placing: str | None = None
    can_place: bool = False
    can_undo: bool = False
    can_redo: bool = False
    can_apply: bool = False
    can_cancel: bool = False
    no_other_mask: str = ""
    refused: str = ""
