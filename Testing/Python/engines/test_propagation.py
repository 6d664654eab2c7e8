"""From the middle slice outward, inside the ROI, until the user says stop."""

import threading

import numpy as np
import pytest

from SAMSegmentLib.core.errors import Cancelled
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.prediction import BACKGROUND_LOGIT
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.engines.propagation import propagate
from SAMSegmentLib.engines.slices import PixelGrid, RoiInStack

GEOMETRY = Geometry(np.eye(4), (12, 64, 64))
GRID = PixelGrid((64, 64), (1, 1), 256)
ROI = RoiInStack(Roi.from_box((30, 30, 6), (20, 20, 8)), GEOMETRY)


class Recorder:
    """A stand-in for the network that marks a square on each slice and keeps what it was asked."""

    def __init__(self, squares):
        self.squares = squares
        self.asked = []

    def __call__(self, index, box):
        self.asked.append((index, box.tolist()))
        logits = np.full((64, 64), -5.0, np.float32)
        if (square := self.squares.get(index)) is not None:
            logits[square] = 5.0
        return logits


SQUARE = (slice(25, 36), slice(24, 33))


def test_it_starts_in_the_middle_and_goes_up_then_down():
    network = Recorder({})
    propagate(ROI, GRID, network, Watch())
    assert [index for index, _ in network.asked] == [6, 7, 8, 9, 10, 5, 4, 3, 2]


def test_the_next_box_is_the_neighbours_mask_and_three_pixels():
    network = Recorder(dict.fromkeys(range(12), SQUARE))
    propagate(ROI, GRID, network, Watch())
    boxes = [box for _, box in network.asked]
    assert boxes[0] == [80, 80, 160, 160]
    assert boxes[1:] == [[24 * 4 - 3, 25 * 4 - 3, 33 * 4 - 1 + 3, 36 * 4 - 1 + 3]] * 8


def test_below_the_middle_it_continues_from_the_middle():
    network = Recorder({6: SQUARE, 10: (slice(22, 24), slice(22, 24))})
    propagate(ROI, GRID, network, Watch())
    boxes = dict(network.asked)
    assert boxes[5] == boxes[7] != boxes[6]


def test_after_an_empty_mask_the_roi_is_the_box_again():
    network = Recorder({6: SQUARE})
    propagate(ROI, GRID, network, Watch())
    boxes = dict(network.asked)
    assert boxes[8] == boxes[6] == [80, 80, 160, 160]


def test_nothing_leaves_the_roi():
    everywhere = (slice(None), slice(None))
    logits = propagate(ROI, GRID, Recorder(dict.fromkeys(range(12), everywhere)), Watch())
    assert logits.shape == (9, 21, 21)
    assert (logits > 0).all()

    turn = np.array([[1, -1, 0], [1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
    oblique = RoiInStack(Roi.from_box((30, 30, 6), (20, 20, 8), turn), GEOMETRY)
    logits = propagate(oblique, GRID, Recorder(dict.fromkeys(range(12), everywhere)), Watch())
    assert np.array_equal(logits > 0, oblique.inside)
    assert (logits[~oblique.inside] == BACKGROUND_LOGIT).all()


def test_progress_is_told_for_each_slice_and_at_the_end():
    told = []
    propagate(ROI, GRID, Recorder({}), Watch(lambda *what: told.append(what)))
    assert [done for done, _, _ in told] == list(range(10))
    assert {total for _, total, _ in told} == {9}
    assert told[0][2] == "Slice 1 of 9" and told[-1][2] == "Done"


def test_cancel_stops_before_the_next_slice():
    cancel = threading.Event()
    network = Recorder({})

    def stop_after_two(done, total, message):
        if done == 2:
            cancel.set()

    with pytest.raises(Cancelled):
        propagate(ROI, GRID, network, Watch(stop_after_two, cancel))
    assert len(network.asked) == 3
