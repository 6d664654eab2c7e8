"""Arguments of public functions: what is meant, or one sentence that names the argument."""

import threading
from pathlib import Path

import numpy as np
import pytest

from SAMSegmentLib.core import arguments
from SAMSegmentLib.core.errors import InputError

# What people pass by mistake, and generators of code too.
NOTHING = [None, "abc", "1", b"1", [], {}, object(), 1j, np.array(["1"]), True, np.True_, len]
NAN = float("nan")
INF = float("inf")

GOOD = {
    arguments.whole_number: [(0, 0), (3, 3), (np.int64(2), 2), (np.uint8(1), 1)],
    arguments.position: [
        ((1, 2, 3), (1.0, 2.0, 3.0)),
        (np.array([1, 2, 3], np.int8), (1.0, 2.0, 3.0)),
        ([np.float32(1), 2, 3.5], (1.0, 2.0, 3.5)),
        (iter([1, 2, 3]), (1.0, 2.0, 3.0)),
    ],
    arguments.intensity_range: [
        (None, None),
        ((0, 1), (0.0, 1.0)),
        (np.array([-5, 5]), (-5.0, 5.0)),
    ],
    arguments.probability: [(0.5, 0.5), (np.float32(0.25), 0.25)],
    arguments.truth: [(True, True), (np.False_, False)],
    arguments.text: [("", ""), ("Läsion 头", "Läsion 头")],
    arguments.optional_text: [(None, None), ("Liver", "Liver")],
    arguments.path: [("ct.nii", "ct.nii"), (Path("ct.nii"), Path("ct.nii"))],
    arguments.callback: [(None, None), (print, print)],
}
BAD = {
    arguments.whole_number: [*NOTHING, 0.5, 1.0, -1, NAN, (1,), np.array([1, 2])],
    arguments.position: [
        *NOTHING,
        *[
            5,
            (1, 2),
            (1, 2, 3, 4),
            ("1", "2", "3"),
            (1, 2, None),
            (1, 2, NAN),
            (1, 2, INF),
            (1, 2, 1e300),
        ],
        *[np.zeros((1, 3)), [[1], [2], [3]], [[1, 2], [3]], (1, 2, "3"), (True, False, True)],
    ],
    arguments.intensity_range: [
        *[value for value in NOTHING if value is not None],
        *[5, (5, 5), (7, 5), (NAN, 5), (0, INF), (1, 2, 3), ("0", "1")],
    ],
    arguments.probability: [*NOTHING, 0, 1, -0.1, 1.1, NAN, INF, (0.5,)],
    arguments.truth: [None, 0, 1, "yes", [], np.array([True, False])],
    arguments.text: [None, 5, b"Liver", ["Liver"], "two\nlines", "a\0b", "\x1b[31m", "\udce4"],
    arguments.optional_text: [5, ["Segment_1"], "two\nlines"],
    arguments.path: [None, 5, b"ct.nii", ["ct.nii"], np.zeros((2, 2, 2))],
    arguments.callback: [5, "print", []],
    arguments.cancel_flag: [5, True, print, object()],
}


@pytest.mark.parametrize("check", GOOD, ids=lambda check: check.__name__)
def test_what_is_meant_is_taken(check):
    for value, meant in GOOD[check]:
        found = check(value, "argument")
        assert found == meant and type(found) is type(meant)


def test_an_event_is_a_cancel_flag():
    event = threading.Event()
    assert arguments.cancel_flag(event, "cancel") is event
    assert arguments.cancel_flag(None, "cancel") is None


@pytest.mark.parametrize("check", BAD, ids=lambda check: check.__name__)
def test_anything_else_is_refused_in_one_short_line_that_names_the_argument(check):
    for value in BAD[check]:
        with pytest.raises(InputError, match=r"^argument: ") as error:
            check(value, "argument")
        message = str(error.value)
        assert "\n" not in message and len(message) < 200, value
        assert message.isprintable(), value


def test_an_array_has_the_shape_that_is_needed():
    assert np.array_equal(arguments.array(np.eye(3).tolist(), (3, 3), "axes"), np.eye(3))
    with pytest.raises(InputError, match="axes: 3 x 3 finite numbers are needed, not"):
        arguments.array(np.eye(4), (3, 3), "axes")
