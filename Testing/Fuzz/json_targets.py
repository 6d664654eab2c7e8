"""The readers of the small files beside the weights: a model's entry, and the receipt."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from random import Random

from SAMSegmentLib.weights.catalogue import MODELS_FOLDER, OWN, catalogue, entry_of, model_entry
from SAMSegmentLib.weights.folder import VARIABLE, models_folder
from SAMSegmentLib.weights.model_json import parse
from SAMSegmentLib.weights.weights_files import Receipt
from SAMSegmentLib.worker.protocol.encoding import MessageCodec
from SAMSegmentLib.worker.protocol.messages import LoadModel

from .json_mutations import change_json, some_value
from .raw_mutations import change_bytes
from .target import READ, REFUSED, Target

CODEC = MessageCodec({"LoadModel": LoadModel})


def _judge_entry(path: Path) -> tuple[str, str]:
    """As one of the user's models folder."""
    try:
        values = parse(path.read_text(encoding="utf-8"))
    except ValueError as error:
        reason = str(error)
        assert "\n" not in reason, f"the message {reason!a}"
        reason.encode()  # it can be shown
        return REFUSED, reason
    try:
        entry, folder = entry_of(values, OWN, catalogue()), models_folder()
    except ValueError as error:
        return REFUSED, str(error)
    assert entry.weights_folder.parent == folder, f"{entry.weights_folder} is outside of {folder}"
    places = () if entry.parts else (entry.path, entry.files.original, entry.files.receipt)
    for place in places:
        assert place.parent == entry.weights_folder, f"{place} lies outside of its folder"
    for said in (entry.title, entry.restriction, entry.weights_licence, entry.citation):
        said.encode()  # it can be shown
    entry.is_installed  # noqa: B018 (it must not raise)
    assert CODEC.decode(CODEC.encode(LoadModel(entry))) == LoadModel(entry)
    return READ, ""


def _judge_receipt(path: Path) -> tuple[str, str]:
    os.environ[VARIABLE] = str(path.parent)
    # The receipt's name is made of the model's file.
    entry = dataclasses.replace(
        model_entry("sam-med3d-turbo"), file=path.name.removesuffix(".json"), sha256="a" * 64
    )
    receipt = entry.files.read_receipt()
    if receipt is None:
        return REFUSED, "no receipt"
    assert receipt.source_sha256 == entry.sha256, "the receipt of another model"
    assert len(receipt.sha256) == 64 and receipt.size > 0, "a receipt of nothing"
    return READ, ""


def _change_json_file(random: Random, data: bytes, others: Sequence[bytes], _: str) -> bytes:
    if random.random() < 0.2:
        return change_bytes(random, data, others)
    return change_json(random, json.loads(data), some_value)


def _entries(_: str) -> list[bytes]:
    """The models that come with SAMSegment, by other names: theirs are taken."""
    models = [json.loads(path.read_bytes()) for path in sorted(MODELS_FOLDER.glob("*/model.json"))]
    return [json.dumps({**model, "name": f"my-{model['name']}"}).encode() for model in models]


def _receipts(_: str) -> list[bytes]:
    receipt = Receipt("a" * 64, "b" * 64, 402)
    return [json.dumps(dataclasses.asdict(receipt)).encode()]


TARGETS = {
    "entry": Target("entry", "entry.json", _entries, _change_json_file, _judge_entry),
    "receipt": Target("receipt", "input.pth.json", _receipts, _change_json_file, _judge_receipt),
}
