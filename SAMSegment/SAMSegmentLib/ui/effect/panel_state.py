"""What the effect's panel shows, as one value: the session makes it, the panel draws it."""

from __future__ import annotations

from dataclasses import dataclass

from ..common.status import HINT

#: Kinds of a prompt; also the names of their icons.
POSITIVE, NEGATIVE, ROI, LINE = "Positive", "Negative", "Roi", "Line"


@dataclass(frozen=True)
class PromptRow:
    """A prompt in the list.

    Attributes:
        kind: POSITIVE, NEGATIVE, ROI or LINE.
        text: in the list.
        key: by which the session knows the prompt: a point's ID, else its kind.
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
        note: the time point to which the prompts belong; "" if the volume has only one.
        status, status_kind: the status line and its kind, see common.status.
        progress: 0 to 1; -1 if it is not known; None if nothing runs.
        placing: POSITIVE, NEGATIVE, ROI, or None.
        no_prompts: why the model takes no prompts; "" if it does.
        can_propose: whether a proposal of an automatic model can be requested.
        no_other_mask: why no other mask of the prompts can be shown; "" if one can.
        damaged_model: name of the model whose weights could not be used; "" if they can.
    """

    rows: tuple[PromptRow, ...] = ()
    note: str = ""
    status: str = ""
    status_kind: str = HINT
    progress: float | None = None
    placing: str | None = None
    can_place: bool = False
    no_prompts: str = ""
    can_propose: bool = False
    can_undo: bool = False
    can_redo: bool = False
    can_apply: bool = False
    can_cancel: bool = False
    no_other_mask: str = ""
    damaged_model: str = ""
