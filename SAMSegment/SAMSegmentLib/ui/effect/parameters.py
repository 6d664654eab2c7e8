"""The effect's parameters: kept in the Segment Editor's parameter node, saved with the scene."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.smoothing import MOST_MM, SMOOTHING_MM
from ...scene.masking import ANYWHERE, EditableArea, editable_area_of
from ...weights.catalogue import DEFAULT_MODEL, ModelEntry, catalogue

if TYPE_CHECKING:
    import slicer

#: Of the parameter "Structures", beside names as a JSON list.
ALL_STRUCTURES = "all"
#: Name -> default. What a scene or a script may hold instead is checked in `parameters_of`.
DEFAULTS = {
    "Model": DEFAULT_MODEL,
    "Threshold": 0.5,
    "PreviewOpacity": 0.25,
    "StartFrom": "prompts",
    "KeepOut": 1,
    "FillHoles": 1,
    "SmoothBorder": 1,
    "SmoothingMm": SMOOTHING_MM,
    # Slicer takes an empty value for a missing one.
    "Structures": ALL_STRUCTURES,
}
#: Names of node references.
ROI_NODE, LINE_NODE = "ROI", "Line"
#: What a proposal starts from: the prompts alone, the segment's content, or that refined.
FROM_PROMPTS, FROM_CONTENT, REFINE = STARTS = ("prompts", "content", "refine")
#: Of the spin box; less does nothing even to fine voxels.
LEAST_SMOOTHING_MM = 0.1
LEAST_THRESHOLD, MOST_THRESHOLD = 0.05, 0.95


@dataclass(frozen=True)
class Parameters:
    """The parameters as they are, usable whatever the node holds.

    Attributes:
        last_entry: of the model, as it was when the parameters were read.
        threshold: probability, LEAST_THRESHOLD to MOST_THRESHOLD.
        opacity: of the preview, 0 to 1.
        start_from: one of STARTS.
        keep_out: whether other visible segments keep their voxels.
        fill_holes: whether small holes are filled and crumbs removed, see core.small_parts.
        smooths_border: whether the border is smoothed.
        smoothing_mm: over how many mm it is then, LEAST_SMOOTHING_MM to MOST_MM.
        area: where the Segment Editor lets the user edit.
        structures: of an automatic model, names of those to find; None: all.
        roi, line: nodes of the user's that serve as prompts, or None.
    """

    last_entry: ModelEntry
    threshold: float
    opacity: float
    start_from: str
    keep_out: bool
    fill_holes: bool
    smooths_border: bool
    smoothing_mm: float
    area: EditableArea = ANYWHERE
    structures: tuple[str, ...] | None = None
    roi: object = None
    line: object = None

    @property
    def model(self) -> str:
        """The model's name in the catalogue."""
        return self.last_entry.name

    @property
    def entry(self) -> ModelEntry:
        """The model as it is now; as it was, if it is one of the user's own and has gone."""
        return catalogue().get(self.model, self.last_entry)

    @property
    def smoothing(self) -> float:
        """Over how many mm the border is smoothed; 0: not at all."""
        return self.smoothing_mm if self.smooths_border else 0.0

    @property
    def request_key(self) -> tuple:
        """What makes another proposal of the same prompts."""
        area = self.area if self.keep_out else None
        choices = self.start_from, self.keep_out, area, self.fill_holes, self.structures
        return self.model, *choices, self.smoothing


def set_defaults(scripted_effect: slicer.qSlicerSegmentEditorScriptedEffect) -> None:
    """Gives the parameters that the node does not have yet their defaults."""
    for name, value in DEFAULTS.items():
        scripted_effect.setParameterDefault(name, value)


def parameters_of(scripted_effect: slicer.qSlicerSegmentEditorScriptedEffect) -> Parameters:
    """The parameters in the effect's parameter node."""
    models = catalogue()
    start_from = scripted_effect.parameter("StartFrom")
    threshold = _number(scripted_effect, "Threshold")
    return Parameters(
        models.get(scripted_effect.parameter("Model")) or models[DEFAULT_MODEL],
        min(max(threshold, LEAST_THRESHOLD), MOST_THRESHOLD),
        min(max(_number(scripted_effect, "PreviewOpacity"), 0.0), 1.0),
        start_from if start_from in STARTS else FROM_PROMPTS,
        scripted_effect.parameter("KeepOut") != "0",
        scripted_effect.parameter("FillHoles") != "0",
        scripted_effect.parameter("SmoothBorder") != "0",
        min(max(_number(scripted_effect, "SmoothingMm"), LEAST_SMOOTHING_MM), MOST_MM),
        editable_area_of(scripted_effect.parameterSetNode()),
        _structures(scripted_effect.parameter("Structures")),
        scripted_effect.nodeReference(ROI_NODE),
        scripted_effect.nodeReference(LINE_NODE),
    )


def structures_text(names: Sequence[str] | None) -> str:
    """The parameter "Structures" for names of structures; None: all."""
    return ALL_STRUCTURES if names is None else json.dumps(list(names))


def _structures(text: str) -> tuple[str, ...] | None:
    try:
        names = json.loads(text)
    except (TypeError, ValueError):
        return None
    is_right = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if is_right else None


def _number(scripted_effect, name: str) -> float:
    try:
        value = float(scripted_effect.parameter(name))
    except (TypeError, ValueError):
        value = math.nan
    return value if math.isfinite(value) else float(DEFAULTS[name])
