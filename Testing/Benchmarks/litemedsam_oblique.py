"""How well the model segments organs of one patient in a straight and in an oblique CT.

The oblique CT is the straight one, resampled 30 degrees turned and with thicker slices. The two
scores are reported, not compared: field of view and slices differ.
"""

from __future__ import annotations

import torch

from SAMSegmentLib.core.errors import SAMSegmentError
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.models.litemedsam.engine import LiteMedSAMEngine
from SAMSegmentLib.weights.catalogue import model_entry
from TestSupport.cases import DATA, shared_case
from TestSupport.phantoms import dice

CASES = ("ct_abdomen_3mm", "ct_oblique_derived")
STRUCTURES = {
    1: "spleen",
    2: "right kidney",
    3: "left kidney",
    5: "liver",
    6: "stomach",
    21: "urinary bladder",
    52: "aorta",
    63: "inferior vena cava",
    29: "vertebra L3",
    80: "left gluteus maximus",
    89: "right iliopsoas",
}
SMALLEST = 500
# All slices of one volume stay encoded for the next structure.
CACHE_BYTES = 2**30


def rows() -> list[dict]:
    """Mean Dice of each volume over the structures that both show; none without the data."""
    if not DATA.is_dir():
        print(f"left out: the folder with real cases is not there ({DATA})")
        return []
    scores = {name: _scores(name) for name in CASES}
    both = [label for label in STRUCTURES if all(label in score for score in scores.values())]
    for label in both:
        values = "  ".join(f"{scores[name][label]:.3f}" for name in CASES)
        print(f"  {STRUCTURES[label]:22} {values}")
    return [
        {
            "name": f"litemedsam.{name}.dice",
            "value": round(sum(scores[name][label] for label in both) / len(both), 3),
            "unit": f"mean Dice, {len(both)} structures, ROI alone (box + 5 mm)",
            "goal": None,
        }
        for name in CASES
    ]


def _scores(name: str) -> dict[int, float]:
    case = shared_case(name)
    weights = model_entry("litemedsam").verified_path()
    engine = LiteMedSAMEngine(weights, torch.device("cpu"), EmbeddingCache(CACHE_BYTES))
    scores = {}
    for label in STRUCTURES:
        truth = case.labels == label
        if truth.sum() <= SMALLEST:
            continue
        try:
            prediction = engine.predict(case.image, Prompts(roi=case.roi(label)), Watch())
        except SAMSegmentError as error:
            print(f"  {name}, {STRUCTURES[label]}: {error}")
            continue
        scores[label] = dice(prediction.mask(), truth)
    return scores


if __name__ == "__main__":
    for row in rows():
        print(row["name"], row["value"], row["unit"])
