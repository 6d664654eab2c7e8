"""The readers of the small files beside the weights: the catalogue, and the receipt."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from random import Random

from SAMSegmentLib.core.errors import WeightsError
from SAMSegmentLib.weights.catalogue import MODELS_FOLDER, model_entry, read_catalogue
from SAMSegmentLib.weights.folder import VARIABLE, models_folder
from SAMSegmentLib.weights.installed import Receipt, original_path, read_receipt, receipt_path

from .json_mutations import change_json, some_value
from .raw_mutations import change_bytes
from .target import READ, REFUSED, Target, reason_of


def _judge_catalogue(path: Path) -> tuple[str, str]:
    try:
        entries = read_catalogue(path)
    except WeightsError as error:
        return REFUSED, reason_of(error, path)
    for entry in entries.values():
        folder = models_folder()
        if not entry.embedded:
            for place in (entry.path, original_path(entry), receipt_path(entry)):
                assert place.parent == folder, f"{place} lies outside of {folder}"
        for said in (entry.title, entry.restriction, entry.weights_licence, entry.citation):
            said.encode()  # it can be shown
        entry.is_installed  # noqa: B018 (it must not raise)
    return READ, ""


def _judge_receipt(path: Path) -> tuple[str, str]:
    os.environ[VARIABLE] = str(path.parent)
    # The receipt's name is made of the model's file.
    entry = dataclasses.replace(
        model_entry("sam-med3d-turbo"), file=path.name.removesuffix(".json"), sha256="a" * 64
    )
    receipt = read_receipt(entry)
    if receipt is None:
        return REFUSED, "no receipt"
    assert receipt.source_sha256 == entry.sha256, "the receipt of another model"
    assert len(receipt.sha256) == 64 and receipt.size > 0, "a receipt of nothing"
    return READ, ""


def _change_json_file(random: Random, data: bytes, others: Sequence[bytes], _: str) -> bytes:
    if random.random() < 0.2:
        return change_bytes(random, data, others)
    return change_json(random, json.loads(data), some_value)


def _catalogues(_: str) -> list[bytes]:
    return [(MODELS_FOLDER / "catalogue.json").read_bytes()]


def _receipts(_: str) -> list[bytes]:
    receipt = Receipt("a" * 64, "b" * 64, 402)
    return [json.dumps(dataclasses.asdict(receipt)).encode()]


TARGETS = {
    "catalogue": Target(
        "catalogue", "catalogue.json", _catalogues, _change_json_file, _judge_catalogue
    ),
    "receipt": Target("receipt", "input.pth.json", _receipts, _change_json_file, _judge_receipt),
}
