"""Which time point of a sequence a volume shows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..core.prompts import DAMAGE

if TYPE_CHECKING:
    import slicer

BROWSER = "vtkMRMLSequenceBrowserNode"


@dataclass(frozen=True)
class TimePoint:
    """One item of a sequence.

    Attributes:
        sequence: name of the sequence.
        number: of the item, from 1.
        count: of items.
        value: index value as Slicer keeps it, such as "12.5".
        quantity: what the index is, such as "time"; may be empty.
        unit: of the index, such as "s"; may be empty.
    """

    sequence: str
    number: int
    count: int
    value: str
    quantity: str = ""
    unit: str = ""

    @property
    def text(self) -> str:
        """For the user, such as: 4 of 20 (time 12.5 s) of CT perfusion."""
        index = " ".join(part for part in (self.quantity, self.value, self.unit) if part)
        where = f" ({index})" if index else ""
        return f"{self.number} of {self.count}{where} of {self.sequence}"

    def to_tag(self) -> str:
        """One line of JSON, without "|", at which segmentation files cut tags."""
        return json.dumps(asdict(self), separators=(",", ":")).replace("|", "\\u007c")

    @classmethod
    def from_tag(cls, text: str) -> TimePoint:
        """The time point of `to_tag`'s text.

        Raises:
            InputError: if the text is none.
        """
        try:
            data = json.loads(text)
            texts = {name: str(data[name]) for name in ("sequence", "value", "quantity", "unit")}
            return cls(number=int(data["number"]), count=int(data["count"]), **texts)
        except DAMAGE as error:
            raise InputError(
                f"The stored time point cannot be read ({error}): place the prompts again."
            ) from error


def time_point_of(volume_node: slicer.vtkMRMLScalarVolumeNode) -> TimePoint | None:
    """The time point that a volume shows; None if it belongs to no sequence.

    Found by class name: the Sequences module may be missing.
    """
    scene = volume_node.GetScene()
    if scene is None:
        return None
    for number in range(scene.GetNumberOfNodesByClass(BROWSER)):
        browser = scene.GetNthNodeByClass(number, BROWSER)
        sequence = browser.GetSequenceNode(volume_node)
        # The browser counts the items of its first sequence; others follow by index value.
        first = browser.GetMasterSequenceNode()
        item = browser.GetSelectedItemNumber()
        if sequence is None or first is None:
            continue
        count = first.GetNumberOfDataNodes()
        if 0 <= item < count:
            return TimePoint(
                sequence.GetName() or "",
                item + 1,
                count,
                first.GetNthIndexValue(item),
                first.GetIndexName() or "",
                first.GetIndexUnit() or "",
            )
    return None
