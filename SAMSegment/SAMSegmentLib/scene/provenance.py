"""How a segment was made, kept in its tags: saved with the segmentation, restored with it."""

from __future__ import annotations

import vtk

from ..core.errors import InputError
from ..core.prompts import Prompts

# No colon in a key: the segmentation file splits tags at the first one.
PROMPTS = "SAMSegment.Prompts"
MODEL = "SAMSegment.Model"
VERSION = "SAMSegment.Version"
WEIGHTS_SHA256 = "SAMSegment.WeightsSha256"
TAGS = (PROMPTS, MODEL, VERSION, WEIGHTS_SHA256)


def provenance_tags(
    prompts: Prompts, model: str, version: str, weights_sha256: str
) -> dict[str, str]:
    """The tags of a segment.

    Args:
        prompts: in world RAS, mm, at the time of writing.
        model: name in the catalogue of models.
        version: of SAMSegment.
        weights_sha256: of the weights file, in hexadecimal.
    """
    return {
        # The segmentation file joins tags with "|", and would cut the value there.
        PROMPTS: prompts.to_json().replace("|", "\\u007c"),
        MODEL: model.replace("|", "/"),
        VERSION: version.replace("|", "/"),
        WEIGHTS_SHA256: weights_sha256,
    }


def prompts_of(segment) -> Prompts | None:
    """The prompts that a vtkSegment was made with, in world RAS; None if it has none.

    Raises:
        InputError: if the tag is there but damaged.
    """
    text = tag_of(segment, PROMPTS)
    if text is None:
        return None
    try:
        return Prompts.from_json(text)
    except InputError as error:
        raise InputError(
            f'The prompts stored with the segment "{segment.GetName()}" cannot be read: {error} '
            "Place new ones."
        ) from error


def tag_of(segment, name: str) -> str | None:
    """The value of a segment's tag; None if it has no such tag."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else None
