"""Recorded masks: whether a change of the code left every model's answers as they were.

recorded_masks.json holds prompts for each model on small parts of volumes, and digests of what the
models made of them. `compare` asks again and tells each difference; `record` writes new digests:
only after a change that was meant to change masks. The digests hold for one kind of processor,
since others round differently: record on the commit before a change, compare after it, on one
computer.

    make recorded-masks
    python Scripts/develop.py recorded-masks -- compare --quick --only "mr brain" --keep FOLDER
    python Scripts/develop.py recorded-masks -- record

Entries on volumes from the package slicerio and on made-up ones are the quick ones. The others need
the folder of real cases beside the project.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the order of sums is then fixed

import numpy as np
import torch

from SAMSegmentLib.core.files import read_image
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.prompts import Prompts
from TestSupport.cases import DATA

if TYPE_CHECKING:
    from SAMSegmentLib.models.base import Engine

RECORDED = Path(__file__).with_name("recorded_masks.json")
SEED = 5  # of SAM-Med3D's weights, which are not included


# `load_engine` and `ask` are all that knows where the engines live and how they are asked.


def load_engine(model: str, folder: Path, numbers: torch.dtype | None = None) -> Engine:
    """A model's engine on the CPU; SAM-Med3D gets random weights, written into `folder`.

    Args:
        numbers: in which the 3D networks compute; None: as for users.
    """
    from safetensors.torch import save_file

    from SAMSegmentLib.models.embedding_cache import EmbeddingCache
    from SAMSegmentLib.models.litemedsam.engine import LiteMedSAMEngine
    from SAMSegmentLib.models.sammed3d.engine import SAMMed3DEngine
    from SAMSegmentLib.models.samsegment3d.engine import SAMSegment3DEngine
    from SAMSegmentLib.weights.catalogue import model_entry
    from TestSupport.sammed3d_weights import random_weights

    if model == "sam-med3d":
        weights = folder / "sam-med3d.safetensors"
        save_file(random_weights(SEED), weights)
    else:
        weights = model_entry(model).verified_path()
    engines = {
        "litemedsam": LiteMedSAMEngine,
        "samsegment3d": partial(SAMSegment3DEngine, numbers=numbers),
        "sam-med3d": partial(SAMMed3DEngine, numbers=numbers),
    }
    return engines[model](weights, torch.device("cpu"), EmbeddingCache(2**29))


def ask(engine: Engine, image: Image, prompts: Prompts, entry: dict) -> list[Answered]:
    """The engine's mask, then the alternatives."""
    from SAMSegmentLib.core.patch import Patch
    from SAMSegmentLib.core.progress import Watch
    from SAMSegmentLib.core.voxel_prompts import VoxelPrompts

    content, occupied = (
        None if mask is None else Patch(mask, (0, 0, 0))
        for mask in (shape_mask(entry.get(name), image) for name in ("content", "occupied"))
    )
    voxels = VoxelPrompts(content, entry.get("refine", False), occupied)
    prediction = engine.predict(image, prompts, Watch(), entry.get("intensity_range"), voxels)
    return [
        Answered(tuple(each.start), each.logits, each.warnings)
        for each in (prediction, *prediction.alternatives)
    ]


@dataclass(frozen=True, eq=False)
class Answered:
    """Logits on a box of a volume that starts at a voxel (k, j, i), and what the user is told."""

    start: tuple[int, int, int]
    logits: np.ndarray
    warnings: tuple[str, ...]

    def whole(self, shape: Sequence[int]) -> np.ndarray:
        """The logits on the whole volume; -30 where the model did not look."""
        logits = np.full(shape, -30, dtype=np.float32)
        box = tuple(slice(a, a + n) for a, n in zip(self.start, self.logits.shape, strict=True))
        logits[box] = self.logits
        return logits


def described(answer: Answered, shape: Sequence[int]) -> dict:
    """What is recorded of a mask: digests of it and of the probability in 256 levels."""
    logits = answer.whole(shape)
    mask = logits > 0
    where = np.argwhere(mask)
    levels = np.rint(255 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.uint8)
    return {
        "mask": _digest(np.packbits(mask)),
        "levels": _digest(levels),
        "voxels": int(mask.sum()),
        "box": [where.min(0).tolist(), where.max(0).tolist()] if len(where) else None,
        "warnings": list(answer.warnings),
    }


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


@cache
def volume(name: str) -> Image:
    """A volume of recorded_masks.json: read or made, cut to a box, some axes flipped."""
    about = _content()["volumes"][name]
    if "phantom" in about:
        return _phantom(about["phantom"])
    source = read_image(_file(about)) if "file" in about else None
    return _cut(source, about)


def _file(about: dict) -> Path:
    if about["folder"] == "slicerio":
        # Found, not imported: importing slicerio loads its network client.
        return Path(find_spec("slicerio").origin).parent / "data" / about["file"]
    return DATA / about["folder"] / about["file"]


def _cut(source: Image, about: dict) -> Image:
    start, stop = about.get("box", ([0, 0, 0], source.geometry.shape))
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    voxels = source.voxels[box]
    matrix = source.geometry.crop(tuple(start), voxels.shape).ijk_to_ras.copy()
    for axis in about.get("flipped", ()):
        column = 2 - axis
        matrix[:3, 3] += matrix[:3, column] * (voxels.shape[axis] - 1)
        matrix[:3, column] *= -1
        voxels = np.flip(voxels, axis)
    geometry = Geometry(matrix, voxels.shape)
    return Image(np.ascontiguousarray(voxels), geometry, about.get("modality"))


def _phantom(about: dict) -> Image:
    """Ellipsoids in textured tissue, on any grid."""
    geometry = Geometry(about["ijk_to_ras"], about["shape"])
    ras = _positions(geometry)
    voxels = 60 + 12 * np.sin(ras[..., 0] / 3) * np.cos(ras[..., 1] / 4) * np.sin(ras[..., 2] / 5)
    for body in about["ellipsoids"]:
        inside = _ellipsoid(ras, body)
        voxels = np.where(inside, voxels + body["brighter"], voxels)
    return Image(np.rint(voxels).astype(np.int16), geometry, about.get("modality"))


def _positions(geometry: Geometry) -> np.ndarray:
    k, j, i = np.indices(geometry.shape)
    return geometry.to_ras(np.stack([i, j, k], axis=-1))


def _ellipsoid(ras: np.ndarray, about: dict) -> np.ndarray:
    return (((ras - about["center"]) / about["radii"]) ** 2).sum(-1) <= 1


def shape_mask(about: dict | None, image: Image) -> np.ndarray | None:
    """A mask on the image's grid: ellipsoids along R, A and S."""
    if about is None:
        return None
    ras = _positions(image.geometry)
    return np.any([_ellipsoid(ras, body) for body in about], axis=0)


def _content() -> dict:
    return json.loads(RECORDED.read_text(encoding="utf-8"))


def _write(content: dict) -> None:
    """Writes recorded_masks.json, an entry a line."""
    volumes = [f"{json.dumps(name)}: {json.dumps(v)}" for name, v in content["volumes"].items()]
    entries = [json.dumps(entry) for entry in content["entries"]]
    parts = [f'"volumes": {{\n{_lines(volumes)}\n}}', f'"entries": [\n{_lines(entries)}\n]']
    RECORDED.write_text("{" + ",\n".join(parts) + "}\n", encoding="utf-8")


def _lines(texts: Sequence[str]) -> str:
    return ",\n".join(texts)


def is_quick(entry: dict) -> bool:
    """Whether its volume is always there."""
    return _content()["volumes"][entry["volume"]].get("folder", "slicerio") == "slicerio"


def answers(entries: Sequence[dict], keep: Path | None) -> Iterator[tuple[dict, list[dict], float]]:
    """Each entry, what its masks are now, and the seconds that it took."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for model in dict.fromkeys(entry["model"] for entry in entries):
            engine = load_engine(model, Path(folder))
            for entry in (each for each in entries if each["model"] == model):
                started = time.perf_counter()
                image = volume(entry["volume"])
                prompts = Prompts.from_json(json.dumps(entry["prompts"]))
                masks = ask(engine, image, prompts, entry)
                shape = image.geometry.shape
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    logits = [mask.whole(shape).astype(np.float16) for mask in masks]
                    np.savez_compressed(keep / f"{entry['name']}.npz", *logits)
                found = [described(mask, shape) for mask in masks]
                yield entry, found, time.perf_counter() - started


def differences(before: list[dict], now: list[dict]) -> list[str]:
    """What changed, one line each; none if the answers are identical."""
    lines = []
    if len(before) != len(now):
        lines.append(f"{len(before)} masks -> {len(now)}")
    for number, (old, new) in enumerate(zip(before, now, strict=False)):
        if old["mask"] != new["mask"]:
            lines.append(
                f"mask {number}: {old['voxels']} voxels in {old['box']} -> "
                f"{new['voxels']} in {new['box']}"
            )
        elif old["levels"] != new["levels"]:
            lines.append(f"mask {number}: the same, but probabilities differ")
        if old["warnings"] != new["warnings"]:
            lines.append(f"mask {number}: warnings {old['warnings']} -> {new['warnings']}")
    return lines


def main() -> int:
    """Records or compares; 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["record", "compare"])
    parser.add_argument("--quick", action="store_true", help="only on volumes always there")
    parser.add_argument("--only", default="", help="entries whose name holds this text")
    parser.add_argument("--keep", type=Path, help="folder for all logits, to look at")
    arguments = parser.parse_args()
    content = _content()
    wanted = [
        entry
        for entry in content["entries"]
        if arguments.only in entry["name"] and (is_quick(entry) or not arguments.quick)
    ]
    changed, total = 0, 0.0
    for entry, found, seconds in answers(wanted, arguments.keep):
        total += seconds
        if arguments.what == "record":
            lines = [f"{mask['voxels']} voxels {mask['box']}" for mask in found]
            entry["masks"] = found
        else:
            lines = differences(entry["masks"], found)
            changed += bool(lines)
        print(f"{entry['name']}: {seconds:.1f} s", *lines, sep="\n    ", flush=True)
    if arguments.what == "record":
        merged = {entry["name"]: entry for entry in wanted}
        content["entries"] = [merged.get(each["name"], each) for each in content["entries"]]
        _write(content)
    masks = sum(len(entry["masks"]) for entry in wanted)
    print(f"{len(wanted)} entries, {masks} masks, {changed} changed, {total:.0f} s")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
