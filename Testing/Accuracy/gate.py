"""A small gate for the tuned constants: six structures, exact prompts, and the Dice kept of each.

No unit test says that one margin or weight finds an object better than another: these scores do.
The prompts are written down, so that no change of one mask changes what is asked next. Every mask
that an answer offers is scored. All volumes are there after installation: the chest CT of the
package slicerio, also resampled, so that the other two axes are looked along, and a made-up MR.

    python Scripts/develop.py accuracy-gate            compares with gate.json, as the tests do
    python Scripts/develop.py accuracy-gate -- --keep  writes the scores of now: read the difference
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation

from Accuracy.recorded_masks import ask, load_engine
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.core.resample import resample_linear
from SAMSegmentLib.evaluation.metrics import dsc
from TestSupport.cases import chest_ct
from TestSupport.phantoms import voxel_positions

KEPT = Path(__file__).with_name("gate.json")
#: Dice by which a score may differ from the kept one.
TOLERANCE = 0.01
MODELS = ("litemedsam", "samsegment3d")
LABELS = {"right lung": 5, "left lung": 6, "thoracic spine": 3}


@dataclass(frozen=True, eq=False)
class Scene:
    """A volume and the true masks in it, boolean, (k, j, i), by name."""

    image: Image
    truths: dict[str, np.ndarray]


def chest() -> Scene:
    """The chest CT: slices of 10 mm, so only these are looked at."""
    whole, start, stop = chest_ct(), (14, 20, 8), (26, 110, 118)
    box = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    voxels = np.ascontiguousarray(whole.image.voxels[box])
    image = Image(voxels, whole.image.geometry.crop(start, voxels.shape), "CT")
    return Scene(image, {name: whole.labels[box] == label for name, label in LABELS.items()})


def resampled_chest(
    start: tuple[int, int, int], spacing: Sequence[float], shape: tuple[int, int, int]
) -> Scene:
    """A part of it, from a voxel (k, j, i) on, in thinner slices: the other axes count, too."""
    whole = chest_ct()
    source = whole.image.geometry
    matrix = source.crop(start, (1, 1, 1)).ijk_to_ras.copy()
    matrix[:3, :3] = source.directions * spacing
    grid = Geometry(matrix, shape)
    voxels = resample_linear(whole.image.voxels.astype(np.float32), source, grid, -1000.0)
    truths = {
        name: resample_linear((whole.labels == label).astype(np.float32), source, grid, 0.0) > 0.5
        for name, label in LABELS.items()
    }
    return Scene(Image(np.rint(voxels).astype(np.int16), grid, "CT"), truths)


def phantom(spacing: Sequence[float], shape: tuple[int, int, int]) -> Scene:
    """An oblique MR around RAS 0: an organ with a lesion, a bent vessel, a cyst, shading, noise."""
    matrix = np.eye(4)
    rotation = Rotation.from_euler("xyz", (12, -8, 15), degrees=True).as_matrix()
    matrix[:3, :3] = rotation @ np.diag([-1.0, 1.0, 1.0]) @ np.diag(spacing)
    matrix[:3, 3] = -matrix[:3, :3] @ ((np.array(shape[::-1]) - 1) / 2)
    geometry = Geometry(matrix, shape)
    ras = voxel_positions(geometry)

    def ellipsoid(center: Sequence[float], radii: Sequence[float]) -> np.ndarray:
        return (((ras - center) / radii) ** 2).sum(-1) <= 1

    body = ellipsoid((0, 0, 0), (62, 58, 80))
    organ = ellipsoid((-20, 4, 2), (32, 27, 30)) & ~ellipsoid((8, 10, 10), (14, 18, 18))
    lesion = ellipsoid((-27, 0, 6), (11, 9, 10))
    bends = [(26 + 7 * np.sin(z / 18), -14 + 5 * np.cos(z / 15), z) for z in range(-60, 61, 6)]
    vessel = np.min([np.linalg.norm(ras - bend, axis=-1) for bend in bends], axis=0) <= 6.5
    cyst = ellipsoid((26, 24, -6), (12, 10, 14))
    voxels = np.zeros(shape)
    tissues = (body, 110), (organ, 180), (lesion, 130), (vessel, 235), (cyst, 55)
    for mask, value in tissues:
        voxels[mask] = value
    voxels *= 1 + 0.12 * np.sin(ras[..., 0] / 50) + 0.1 * np.cos(ras[..., 2] / 60)
    voxels = ndimage.gaussian_filter(voxels, (0.3, 0.6, 0.6))
    # RandomState: its numbers never change.
    voxels += np.random.RandomState(0).normal(0, 9, shape) * (voxels > 20)
    image = Image(np.clip(np.rint(voxels), 0, None).astype(np.int16), geometry, "MR")
    return Scene(image, {"organ": organ, "lesion": lesion, "vessel": vessel, "cyst": cyst})


SCENES: dict[str, Callable[[], Scene]] = {
    "chest": chest,
    "spine": partial(resampled_chest, (11, 20, 34), (4.0, 4.0, 5.0), (18, 40, 44)),
    "phantom": partial(phantom, (2.0, 2.0, 3.6), (28, 64, 64)),
    "fine phantom": partial(phantom, (0.9, 0.9, 1.2), (84, 132, 132)),
}


@cache
def scene(name: str) -> Scene:
    """A scene by its name in gate.json; made once."""
    return SCENES[name]()


def kept_entries() -> list[dict]:
    """What gate.json asks for: model, scene, structure, prompts; and the scores kept."""
    return json.loads(KEPT.read_text(encoding="utf-8"))


class Gate:
    """Both models, each loaded when it is first asked."""

    def __init__(self, folder: Path) -> None:
        torch.set_num_threads(1)
        # In float32 on every processor, so that all give nearly the same scores.
        self._engine = cache(lambda model: load_engine(model, folder, torch.float32))

    def scores(self, entry: dict) -> list[float]:
        """Dice of the answer's mask, then of the alternatives, rounded to 4 digits."""
        here = scene(entry["scene"])
        prompts = Prompts.from_json(json.dumps(entry["prompts"]))
        answers = ask(self._engine(entry["model"]), here.image, prompts, entry)
        truth = here.truths[entry["structure"]]
        return [round(float(dsc(truth, each.whole(truth.shape) > 0)), 4) for each in answers]


def is_within(kept: Sequence[float], now: Sequence[float]) -> bool:
    """Whether there are as many masks as before, and each is as good, and no better, as it was."""
    return len(kept) == len(now) and all(
        abs(old - new) <= TOLERANCE for old, new in zip(kept, now, strict=True)
    )


def main() -> int:
    """Compares or keeps; 1 if a score is not the kept one."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--keep", action="store_true", help="write the scores of now")
    parser.add_argument("--only", default="", help="entries whose name holds this text")
    arguments = parser.parse_args()
    entries, failures = kept_entries(), 0
    with tempfile.TemporaryDirectory() as folder:
        gate = Gate(Path(folder))
        for entry in (each for each in entries if arguments.only in each["name"]):
            started = time.process_time()
            now = gate.scores(entry)
            kept = entry.get("scores", [])
            is_right = is_within(kept, now)
            failures += not is_right
            mark = "" if is_right else "  <- not within the tolerance"
            seconds = time.process_time() - started
            print(f"{entry['name']}: {kept} -> {now} ({seconds:.1f} s of CPU){mark}", flush=True)
            entry["scores"] = now
    if arguments.keep:
        lines = ",\n".join(json.dumps(entry) for entry in entries)
        KEPT.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
        return 0
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
