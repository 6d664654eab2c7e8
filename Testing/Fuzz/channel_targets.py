"""What the two ends of the worker's channel make of bytes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import numpy as np

from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.worker.protocol.encoding import MessageCodec, MessageError
from SAMSegmentLib.worker.protocol.messages import PREDICTION_MESSAGES
from SAMSegmentLib.worker.protocol.model_messages import MODEL_MESSAGES
from TestSupport.messages import SUBSTITUTES, TO_CHILD, TO_CLIENT

from .json_mutations import change_json, some_value
from .raw_mutations import change_bytes
from .target import READ, REFUSED, Target

_KINDS = {
    **PREDICTION_MESSAGES.to_child,
    **PREDICTION_MESSAGES.to_client,
    **MODEL_MESSAGES.to_child,
    **MODEL_MESSAGES.to_client,
}
_CODEC = MessageCodec(_KINDS, SUBSTITUTES)
_PLAIN = {int, float, bool, str, bytes, tuple, type(None)}


# Their voxels do not cross.
_CROSSING = {Image: ("geometry", "modality"), Patch: ("start", "cut")}


def parts(value: object) -> Iterator[object]:
    """All that a message is made of, itself included."""
    yield value
    if dataclasses.is_dataclass(value):
        fields = (field.name for field in dataclasses.fields(value))
        for name in _CROSSING.get(type(value), fields):
            yield from parts(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from parts(item)


_KNOWN = {type(part) for message in (*TO_CHILD, *TO_CLIENT) for part in parts(message)} | _PLAIN


def judge_message(path: Path) -> tuple[str, str]:
    """Reads a message; what it is made of must be of the classes that messages are made of."""
    try:
        message = _CODEC.decode(path.read_bytes())
    except MessageError as error:
        assert "\n" not in str(error), f"the message {str(error)!a}"
        return REFUSED, str(error)
    assert type(message) in _KINDS.values(), f"a {type(message)}"
    for part in parts(message):
        assert type(part) in _KNOWN, f"a {type(part)}"
        if isinstance(part, np.ndarray):
            assert part.shape == (4, 4) and part.dtype == float, f"an array of {part.dtype}"
    _CODEC.encode(message)  # what was taken can be sent on
    return READ, ""


def _seeds(_: str) -> list[bytes]:
    return [_CODEC.encode(message) for message in (*TO_CHILD, *TO_CLIENT)]


def change_message(random: Random, data: bytes, others: Sequence[bytes], _: str = "") -> bytes:
    """A message with some changes, more often in its values than in its bytes."""
    if random.random() < 0.3:
        return change_bytes(random, data, others)
    return change_json(random, json.loads(data), some_value)


TARGETS = {"channel": Target("channel", "input.json", _seeds, change_message, judge_message)}
