#!/usr/bin/env python
"""Speed, memory and exactness of the SAM-Med3D network against the authors', random weights.

The reference is the authors' own network where SAM_MED3D_AUTHORS names a checkout of it, else a
twin of its encoder that pads the windows as it does (TestSupport/sammed3d_padded.py). Both sides
compute in float32 with the same number of threads; see sides.py for how it is measured. The
operations are those that our pass runs.

Run as a script to see a table: python Testing/Benchmarks/sammed3d_network.py
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import torch

REPOSITORY = Path(__file__).resolve().parents[2]
for folder in ("SAMSegment", "Testing"):
    if str(REPOSITORY / folder) not in sys.path:
        sys.path.insert(0, str(REPOSITORY / folder))

from sides import GEMM_OPERATIONS, Side, count_operations, gemm_task, medians, seconds  # noqa: E402

from SAMSegmentLib.models.precision import computing_in, encoder_type  # noqa: E402
from SAMSegmentLib.models.sammed3d.network import SAMMed3D  # noqa: E402
from SAMSegmentLib.models.shared_layers.low_precision import compute_in  # noqa: E402
from TestSupport import record_sammed3d, sammed3d_padded  # noqa: E402
from TestSupport.measure import peak_memory_mb  # noqa: E402
from TestSupport.sammed3d_weights import random_picture, random_weights  # noqa: E402

REPETITIONS = 5
SEED = 1
AUTHORS = os.environ.get("SAM_MED3D_AUTHORS")
REFERENCE = "the authors' network" if AUTHORS else "a padded twin of the authors' encoder"
CPU = torch.device("cpu")
POINT = torch.tensor([[[64.0, 30, 101]]]), torch.tensor([[1]])
NOTHING = torch.zeros(1, 1, 32, 32, 32)


def rows() -> list[dict]:
    """Measure; returns dicts with name, value, unit and goal (None where there is none)."""
    with Side(_reference_tasks) as reference, Side(_our_tasks) as ours:
        taken = medians(
            {
                "reference": (reference, "encode"),
                "ours": (ours, "encode"),
                "decode": (ours, "decode"),
                "gemm": (ours, "gemm"),
            },
            REPETITIONS,
        )
        operations = ours.ask("count")
        expected, found = (torch.from_numpy(side.ask("embedding")) for side in (reference, ours))
    rate = GEMM_OPERATIONS / taken["gemm"]
    bound = operations / rate
    return [
        _row("encoder.speedup", taken["reference"] / taken["ours"], f"x, {REFERENCE}", 10),
        _row("encoder.bound_ratio", taken["ours"] / bound, "x the time of its operations", 1.4),
        _row("encoder.seconds", taken["ours"], "s"),
        _row("encoder.reference_seconds", taken["reference"], f"s, {REFERENCE}"),
        _row("encoder.gflop", operations / 1e9, "GFLOP"),
        _row("encoder.error", _error(found, expected), "L2/L2", 1e-5),
        _row("decoder.ms", 1000 * taken["decode"], "ms, one point"),
        *_lower_precision(),
        *_memory(),
        _row("machine.gemm_gflops", rate / 1e9, "GFLOP/s"),
    ]


def _row(name: str, value: float, unit: str, goal: float | None = None) -> dict:
    return {"name": f"sam-med3d.{name}", "value": value, "unit": unit, "goal": goal}


def _error(found: torch.Tensor, expected: torch.Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


def _lower_precision() -> list[dict]:
    """What fewer bits gain and cost, against our own float32."""
    with Side(_our_tasks) as exact, Side(_int8_tasks) as int8, Side(_half_tasks) as half:
        sides = {"float32": exact, "int8": int8}
        if encoder_type(CPU) != torch.float32:
            sides["bfloat16"] = half
        taken = medians({name: (side, "encode") for name, side in sides.items()}, REPETITIONS)
        logits = {name: torch.from_numpy(side.ask("logits")) for name, side in sides.items()}
        embeddings = {name: torch.from_numpy(s.ask("embedding")) for name, s in sides.items()}
    result = []
    for name in list(sides)[1:]:
        error = _error(embeddings[name], embeddings["float32"])
        masks = logits[name] > 0, logits["float32"] > 0
        dice = 2 * (masks[0] & masks[1]).sum() / (masks[0].sum() + masks[1].sum())
        result += [
            _row(f"encoder.{name}_speedup", taken["float32"] / taken[name], "x, our float32"),
            _row(f"encoder.{name}_error", error, "L2/L2, embedding"),
            _row(f"masks.{name}_dice", dice.item(), "Dice with the mask in float32"),
        ]
    return result


def _memory() -> list[dict]:
    """Peaks of fresh processes that load the weights, encode and decode once."""
    peaks = []
    for make_tasks in (_reference_tasks, _our_tasks):
        with Side(make_tasks) as side:
            side.ask("encode")
            peaks.append(side.ask("peak"))
    return [
        _row("peak_memory_ratio", peaks[1] / peaks[0], f"of {REFERENCE}'s", 0.5),
        _row("peak_memory_mb", peaks[1], "MB, process with torch, weights and one pass"),
        _row("reference_peak_memory_mb", peaks[0], f"MB, {REFERENCE}"),
    ]


def _reference_tasks() -> dict[str, Callable]:
    weights, picture = random_weights(SEED), random_picture(SEED)
    if AUTHORS is None:
        return _tasks(lambda: sammed3d_padded.encode(weights, picture))
    network = record_sammed3d.authors_network(Path(AUTHORS))
    network.load_state_dict(weights, assign=True)
    return _tasks(lambda: network.image_encoder(picture))


def _our_tasks(numbers: torch.dtype = torch.float32) -> dict[str, Callable]:
    network, picture = SAMMed3D.build(random_weights(SEED)), random_picture(SEED)
    compute_in(network.image_encoder, numbers)

    def encode() -> torch.Tensor:
        with computing_in(numbers, CPU):
            return network.encode(picture).float()

    embedding = encode().clone()

    def decode() -> torch.Tensor:
        return network.decode(embedding, NOTHING, POINT)

    return {
        **_tasks(encode),
        "decode": lambda: seconds(decode),
        "logits": lambda: decode().numpy(),
        "gemm": gemm_task(),
        "count": lambda: count_operations(encode),
    }


def _int8_tasks() -> dict[str, Callable]:
    return _our_tasks(torch.int8)


def _half_tasks() -> dict[str, Callable]:
    return _our_tasks(encoder_type(CPU))


def _tasks(encode: Callable[[], torch.Tensor]) -> dict[str, Callable]:
    return {
        "encode": lambda: seconds(encode),
        "embedding": lambda: encode().numpy(),
        "peak": peak_memory_mb,
    }


def main() -> int:
    for row in rows():
        goal = "" if row["goal"] is None else f"   goal {row['goal']:g}"
        print(f"{row['name']:<36}{row['value']:>12.4g} {row['unit']}{goal}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
