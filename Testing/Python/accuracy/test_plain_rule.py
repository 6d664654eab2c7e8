"""The baseline: the network under its authors' rule, whatever becomes of the engine."""

import threading

import numpy as np
import pytest
import torch

from Accuracy.plain_rule import PlainRule
from SAMSegmentLib.core.errors import Cancelled, InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.weights.catalogue import model_entry
from TestSupport.bright_network import BrightModel
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


# Rows and columns lie as the rule sees them, so that its boxes can be told in voxels.
PLAIN = Geometry(np.diag([-1.0, -1.0, 1.0, 1.0]), (12, 64, 64))
MR = Image(np.random.default_rng(0).integers(1, 99, PLAIN.shape), PLAIN, modality="MR")
CUBE = Roi.from_box((-30, -30, 6), (20, 20, 8))
SQUARE = (slice(25, 36), slice(24, 33))
WHOLE_ROI = [80, 80, 160, 160]
EVERYWHERE = (slice(None), slice(None))


class Recorder(PlainRule):
    """The rule with a network that marks a square on each slice and keeps what it was asked."""

    def __init__(self, squares):
        self._cache, self._model = EmbeddingCache(1), BrightModel()
        self.squares = squares
        self.asked = []

    def _segmented(self, stack, index, box):
        self.asked.append((index, box.tolist()))
        logits = np.full(stack.grid.shape, -5.0, np.float32)
        if (square := self.squares.get(index)) is not None:
            logits[square] = 5.0
        return logits, 0.9

    def run(self, roi=CUBE, watch=None):
        return self.predict(MR, Prompts(roi=roi), watch or Watch())


def test_it_starts_in_the_middle_and_goes_up_then_down():
    network = Recorder({})
    network.run()
    assert [index for index, _ in network.asked] == [6, 7, 8, 9, 10, 5, 4, 3, 2]


def test_the_next_box_is_the_neighbours_mask_and_three_pixels():
    network = Recorder(dict.fromkeys(range(12), SQUARE))
    network.run()
    boxes = [box for _, box in network.asked]
    assert boxes[0] == WHOLE_ROI
    assert boxes[1:] == [[24 * 4 - 3, 25 * 4 - 3, 33 * 4 - 1 + 3, 36 * 4 - 1 + 3]] * 8


def test_below_the_middle_it_continues_from_the_middle():
    network = Recorder({6: SQUARE, 10: (slice(22, 24), slice(22, 24))})
    network.run()
    boxes = dict(network.asked)
    assert boxes[5] == boxes[7] != boxes[6]


def test_after_an_empty_mask_the_roi_is_the_box_again():
    network = Recorder({6: SQUARE})
    network.run()
    boxes = dict(network.asked)
    assert boxes[8] == boxes[6] == WHOLE_ROI


def test_nothing_leaves_an_roi_that_is_turned():
    turn = np.array([[1, -1, 0], [1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
    oblique = Roi.from_box((-30, -30, 6), (20, 20, 8), turn)
    prediction = Recorder(dict.fromkeys(range(12), EVERYWHERE)).run(oblique)
    assert np.array_equal(prediction.mask() > 0, oblique.contains_voxels(PLAIN))


def test_cancelled_it_asks_for_no_further_slice():
    cancel = threading.Event()
    network = Recorder({})

    def stop_after_two(done, total, message):
        assert total == 9
        if done == 2:
            cancel.set()

    with pytest.raises(Cancelled):
        network.run(watch=Watch(stop_after_two, cancel))
    assert len(network.asked) == 3
