"""Masks of slices along several axes, made into one 3D mask, and made to agree with it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .tracking import nothing
from .views import SURE_LOGIT, SliceMask, View

#: The mask taken on each key slice of a view.
Slices = dict[int, SliceMask]
#: The same per view.
Selection = list[Slices]
#: Per view, the masks to choose from on each of its key slices.
Choices = list[dict[int, list[SliceMask]]]

# A slice's weight falls off with its distance (mm), and with a poor expected IoU.
REACH_MM = 8.0
TRUSTED_QUALITY, QUALITY_STEP = 0.80, 0.03
# Around the 3D mask's section, for the box with which a slice is asked again; a share of the
# picture's side.
SECTION_MARGIN = 1 / 64
# How much agreement with the 3D mask counts, against the quality that the network expects.
AGREEMENT = 0.5
# That of an empty slice where the 3D mask has none: the network has no answer for "nothing here".
EMPTY_QUALITY = 0.8


def fuse(views: Sequence[View], selection: Selection, inside: np.ndarray) -> np.ndarray:
    """The 3D logits on which the views agree, -SURE_LOGIT..SURE_LOGIT, float32, native order.

    Args:
        inside: native boolean, which voxels may belong to the object.
    """
    total = np.zeros(inside.shape, dtype=np.float32)
    weight = np.zeros(inside.shape, dtype=np.float32)
    for view, masks in zip(views, selection, strict=True):
        trust = {key: np.float32(_trust(mask.quality)) for key, mask in masks.items()}
        weighted = {key: bounded(mask.logits) * trust[key] for key, mask in masks.items()}
        fading = np.exp(-view.distance_to_key() / REACH_MM).astype(np.float32)[:, None, None]
        total += view.native(view.between(weighted) * fading)
        trusted = view.between(trust)[:, None, None] * fading
        weight += view.native(np.broadcast_to(trusted, view.shape))
    fused = total / weight
    fused[~inside] = -SURE_LOGIT
    return fused


def agree(views: Sequence[View], choices: Choices, fused: np.ndarray) -> Selection:
    """Asks every slice again for the section of the 3D mask, and takes what agrees best with it."""
    selection = []
    for view, of_view in zip(views, choices, strict=True):
        own = view.own(fused)
        selection.append({key: _best(view, key, masks, own[key]) for key, masks in of_view.items()})
    return selection


def similarity(logits: np.ndarray, other: np.ndarray) -> float:
    """Dice of two fields of probabilities, given as logits."""
    one, two = _probability(logits), _probability(other)
    return float(2 * np.minimum(one, two).sum() / max(one.sum() + two.sum(), 1e-6))


def _best(view: View, key: int, masks: list[SliceMask], section: np.ndarray) -> SliceMask:
    box = view.box_of(section > 0, SECTION_MARGIN, key)
    asked = nothing(view, EMPTY_QUALITY) if box is None else view.ask_again(key, box, section)
    return max(
        [*masks, asked],
        key=lambda mask: mask.quality + AGREEMENT * similarity(mask.logits, section),
    )


def _trust(quality: float) -> float:
    return 1 / (1 + np.exp(-(quality - TRUSTED_QUALITY) / QUALITY_STEP)) + 1e-3


def bounded(logits: np.ndarray) -> np.ndarray:
    """Logits limited to what counts as sure."""
    return np.clip(logits, -SURE_LOGIT, SURE_LOGIT)


def _probability(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -6, 6)))
