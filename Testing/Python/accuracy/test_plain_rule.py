"""The baseline: the network under its authors' rule, whatever becomes of the engine."""

import pytest
import torch

from Accuracy.plain_rule import PlainRule
from SAMSegmentLib.core.errors import Cancelled, InputError
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.engines.cache import EmbeddingCache
from SAMSegmentLib.weights.catalogue import model_entry
from TestSupport.phantoms import ball, ct_with_ball, dice, grid

GEOMETRY = grid((6, 48, 48))
CENTER, RADIUS = (36.0, 36.0, 7.0), 14.0
IMAGE = ct_with_ball(GEOMETRY, CENTER, RADIUS)
PROMPTS = Prompts(roi=Roi.from_box(CENTER, (36, 36, 8)))


@pytest.fixture(scope="module")
def plain():
    path = model_entry("litemedsam").verified_path()
    return PlainRule(path, torch.device("cpu"), EmbeddingCache(2**30))


def test_a_ball_is_found_in_its_roi_and_costs_a_pass_per_slice(plain):
    prediction = plain.predict(IMAGE, PROMPTS, Watch())
    inside = PROMPTS.roi.contains_voxels(GEOMETRY)
    assert dice(prediction.mask(), ball(GEOMETRY, CENTER, RADIUS) & inside) > 0.9
    assert not prediction.mask()[~inside].any()
    slices = inside.any(axis=(1, 2)).sum()
    assert len(prediction.cost.pictures) == prediction.cost.encoded == slices
    again = plain.predict(IMAGE, PROMPTS, Watch())
    assert again.cost.encoded == 0 and again.cost.pictures == prediction.cost.pictures


@pytest.mark.parametrize(
    "prompts", [Prompts(), Prompts(points=(Point(CENTER),)), Prompts(PROMPTS.roi, (Point(CENTER),))]
)
def test_it_takes_an_roi_and_nothing_else(plain, prompts):
    with pytest.raises(InputError, match="ROI"):
        plain.predict(IMAGE, prompts, Watch())


def test_it_can_be_cancelled(plain):
    class Flag:
        def is_set(self):
            return True

    with pytest.raises(Cancelled):
        plain.predict(IMAGE, PROMPTS, Watch(cancel=Flag()))
