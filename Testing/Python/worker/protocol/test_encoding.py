"""What comes over the channel is data: of an exact list of classes, whose values are checked."""

import dataclasses
import json
import os
import pickle
import sys

import numpy as np
import pytest

from Fuzz.channel_targets import parts
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.worker.protocol.encoding import LARGEST_INT, MessageError
from SAMSegmentLib.worker.protocol.messages import (
    PREDICTION_MESSAGES,
    AllocateArray,
    Cancel,
    LoadModel,
    PrepareClick,
    Stopped,
)
from SAMSegmentLib.worker.protocol.model_messages import MODEL_MESSAGES
from TestSupport import messages
from TestSupport.messages import GRID, IMAGE, MODEL, decode, encode

TO_CHILD = {**PREDICTION_MESSAGES.to_child, **MODEL_MESSAGES.to_child}
TO_CLIENT = {**PREDICTION_MESSAGES.to_client, **MODEL_MESSAGES.to_client}
WAYS = {
    "to the child": (TO_CHILD, messages.TO_CHILD),
    "to the client": (TO_CLIENT, messages.TO_CLIENT),
}
BOTH_WAYS = pytest.mark.parametrize("way", WAYS)


def plain(value):
    """A message as tuples that can be compared, with all bits of its arrays."""
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return type(value), tuple(plain(getattr(value, field.name)) for field in fields)
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    return (value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value


@BOTH_WAYS
class TestMessages:
    def test_arrive_as_they_were_to_the_last_bit(self, way):
        kinds, sent = WAYS[way]
        for message in sent:
            assert plain(decode(encode(message, kinds), kinds)) == plain(message)

    def test_of_every_class_on_the_list_are_tried_here(self, way):
        kinds, sent = WAYS[way]
        assert {type(message) for message in sent} == set(kinds.values())

    def test_are_made_of_an_exact_list_of_classes(self, way):
        _, sent = WAYS[way]
        made = {type(part) for message in sent for part in parts(message)}
        of_ours = {kind for kind in made if dataclasses.is_dataclass(kind)}
        assert made - of_ours <= {
            *(int, float, bool, str, bytes, tuple, dict, np.ndarray, type(None))
        }
        assert all(kind.__module__.startswith("SAMSegmentLib.") for kind in of_ours)


class TestAMessageThatIsNone:
    def refused(self, data, kinds=TO_CLIENT):
        with pytest.raises(MessageError) as caught:
            decode(data if isinstance(data, bytes) else json.dumps(data).encode(), kinds)
        return str(caught.value)

    def test_cannot_run_code_as_a_pickle_can(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "made"),)

        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            self.refused(pickle.dumps(Evil(), protocol))
        assert not (tmp_path / "made").exists()

    @pytest.mark.parametrize(
        "name",
        ["os.system", "Stopped.__init__", "numpy.testing", "ModelEntry", "__class__", "Predict"],
    )
    def test_because_its_class_is_not_on_the_list(self, name):
        self.refused([name, [1]])

    @pytest.mark.parametrize(
        "said",
        [None, 1, [], ["Stopped"], {"Stopped": [1]}, [["Stopped"], [1]], ["Stopped", [1], 2]],
    )
    def test_because_of_its_form(self, said):
        self.refused(said)

    @pytest.mark.parametrize(
        "number", [None, True, 1.0, "1", [1], {}, 2**63, -(2**70), float("nan"), float("inf")]
    )
    def test_because_a_number_is_something_else(self, number):
        self.refused(["Stopped", [number]])

    @pytest.mark.parametrize("value", [None, [], {"a": None}, {"a": [1]}, {"a": {}}, {"a": 2**70}])
    def test_because_there_is_something_else_where_parameters_should_be(self, value):
        sent = LoadModel(model_entry("sam-med3d-turbo-int8"))
        good = json.loads(encode(sent, TO_CHILD))
        place = good[1][0].index({"numbers": "int8"})
        assert decode(json.dumps(good).encode(), TO_CHILD) == sent
        good[1][0][place] = value
        self.refused(good, TO_CHILD)

    @pytest.mark.parametrize("matrix", ["text", None, [], [0.0] * 15, [0.0] * 16, [["a"] * 4] * 4])
    def test_because_there_is_something_else_where_an_array_should_be(self, matrix):
        good = json.loads(encode(messages.TO_CLIENT[9], TO_CLIENT))
        assert isinstance(good[1][5][0], list) and len(good[1][5][0]) == 16
        good[1][5][0] = matrix
        self.refused(good)

    @pytest.mark.parametrize("dtype", ["O", "|O", "<U4", "|V8", "i4,f4", "<M8[ns]", "<c16", ""])
    def test_because_voxels_are_no_numbers(self, dtype):
        self.refused(["AllocateArray", [1, [2, 2, 2], dtype]], TO_CHILD)

    @pytest.mark.parametrize(
        "change",
        [
            {"levels": b"1234567"},
            {"levels": None},
            {"handle": messages.HANDLE},
            {"proposals": ()},
            {"start": (2, 3, 5)},
            {"start": (-1, 0, 0)},
            {"candidates": 0},
        ],
    )
    def test_because_a_proposal_does_not_fit_its_grid_or_its_bytes(self, change):
        good = messages.TO_CLIENT[9]
        with pytest.raises(ValueError):
            if change.keys() <= {"start", "candidates"}:
                change = {"proposals": (dataclasses.replace(good.proposals[0], **change),)}
            dataclasses.replace(good, **change)

    @pytest.mark.parametrize("place", [(1, 1, 1), (1, 1, 4, 0)], ids=["volume", "mask"])
    def test_because_its_voxels_are_no_array_that_is_there(self, place):
        said = good = json.loads(encode(messages.TO_CHILD[3], TO_CHILD))
        for index in place:
            said = said[index]
        assert said[0] in (1, 2)
        said[0] = 3
        self.refused(good, TO_CHILD)

    def test_because_memory_has_the_name_of_something_else(self):
        name = "Global\\Secret" if sys.platform == "win32" else "anything"
        self.refused(["ArrayAllocated", [1, 1, [10, name]]])

    def test_because_it_has_no_end_to_its_brackets(self):
        self.refused(b"[" * 100_000)
        self.refused(b'["Stopped",[' + b"9" * 100_000 + b"]]")


class TestSending:
    def test_takes_the_numbers_of_numpy_too(self):
        shape = tuple(np.array((1, 2, 3)))
        message = AllocateArray(np.int64(1), shape, "<i2")
        assert plain(decode(encode(message, TO_CHILD), TO_CHILD)) == (
            plain(AllocateArray(1, (1, 2, 3), "<i2"))
        )

    @pytest.mark.parametrize(
        "message",
        [
            Cancel("1"),
            Cancel(0.5),
            Cancel(LARGEST_INT + 1),
            PrepareClick(MODEL, IMAGE, (0.0, 0.0, float("nan"))),
            PrepareClick(MODEL, IMAGE, (0.0, 0.0)),
            PrepareClick(MODEL, IMAGE, "abc"),
            PrepareClick(MODEL, GRID, (0, 0, 0)),
            PrepareClick("litemedsam", IMAGE, (0, 0, 0)),
        ],
        ids=str,
    )
    def test_refuses_in_one_line_what_would_be_refused_on_the_other_side(self, message):
        with pytest.raises(InputError) as caught:
            encode(message, TO_CHILD)
        assert "\n" not in str(caught.value)

    def test_refuses_what_is_no_message(self):
        for thing in (GRID, (1, 2), os.system, Stopped, None):
            with pytest.raises(TypeError):
                encode(thing, TO_CLIENT)

    def test_a_class_of_the_same_name_is_not_the_class(self):
        @dataclasses.dataclass
        class Stopped:
            number: int

        with pytest.raises(TypeError):
            encode(Stopped(1), TO_CLIENT)


def test_grids_are_checked_as_everywhere_when_they_arrive():
    kinds = TO_CHILD
    said = json.loads(encode(messages.TO_CHILD[3], kinds))
    flat = Geometry(np.diag([1, 1, 1, 1]), (1, 1, 1)).ijk_to_ras.ravel().tolist()
    said[1][1][3][0] = [0.0 if index == 0 else value for index, value in enumerate(flat)]
    with pytest.raises(MessageError, match="spacing"):
        decode(json.dumps(said).encode(), kinds)
