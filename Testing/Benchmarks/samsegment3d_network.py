#!/usr/bin/env python
"""Speed and memory of SAMSegment 3D's network, as on a laptop with AVX2 alone.

The weights do not matter for it and are random. oneDNN and PyTorch are told to use no more than
AVX2, which is what most laptops have. The reference is SAM-Med3D's encoder, ours as fast as it is,
on the same 128 x 128 x 128 voxels, under the same limits. See sides.py for how it is measured.

Run as a script to see a table: python Testing/Benchmarks/samsegment3d_network.py
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch

REPOSITORY = Path(__file__).resolve().parents[2]
for folder in ("SAMSegment", "Testing"):
    if str(REPOSITORY / folder) not in sys.path:
        sys.path.insert(0, str(REPOSITORY / folder))

from sides import (  # noqa: E402
    AVX2,
    GEMM_OPERATIONS,
    Side,
    count_operations,
    gemm_task,
    limited,
    medians,
    seconds,
)

from SAMSegmentLib.models.sammed3d.network import SAMMed3D  # noqa: E402
from SAMSegmentLib.models.samsegment3d.network import SAMSegment3D  # noqa: E402
from SAMSegmentLib.models.samsegment3d.prompt_maps import PromptTensors  # noqa: E402
from SAMSegmentLib.models.samsegment3d.windows import MOST  # noqa: E402
from TestSupport.measure import peak_memory_mb  # noqa: E402
from TestSupport.sammed3d_weights import random_picture, random_weights  # noqa: E402

REPETITIONS = 7
LARGE = 128


def rows() -> list[dict]:
    """Measure; returns dicts with name, value, unit and goal (None where there is none)."""
    with limited(AVX2), Side(_reference_tasks) as reference, Side(_our_tasks) as ours:
        taken = medians(
            {
                "reference": (reference, "encode"),
                "encode": (ours, "encode"),
                "decode": (ours, "decode"),
                "encode_used": (ours, "encode_used"),
                "decode_used": (ours, "decode_used"),
                "gemm": (ours, "gemm"),
            },
            REPETITIONS,
        )
        operations = ours.ask("count")
        peak = ours.ask("peak")
    rate = GEMM_OPERATIONS / taken["gemm"]
    speedup = taken["reference"] / taken["encode"]
    return [
        _row("encode_s", taken["encode"], "s, 128^3, AVX2", 1.0),
        _row("decode_ms", 1000 * taken["decode"], "ms, a click, 128^3, AVX2", 100),
        _row("used_encode_s", taken["encode_used"], f"s, the engine's window of {MOST}^3, AVX2"),
        _row("used_decode_ms", 1000 * taken["decode_used"], f"ms, a click, {MOST}^3, AVX2"),
        _row("encode_speedup", speedup, "x, SAM-Med3D's encoder, AVX2"),
        _row("encode_bound_ratio", taken["encode"] * rate / operations, "x its operations' time"),
        _row("encode_gflop", operations / 1e9, "GFLOP, 128^3"),
        _row("peak_memory_mb", peak, "MB, process with torch, weights and windows of both sizes"),
        _row("machine_gemm_gflops", rate / 1e9, "GFLOP/s, AVX2"),
    ]


def _row(name: str, value: float, unit: str, goal: float | None = None) -> dict:
    return {"name": f"samsegment3d.{name}", "value": value, "unit": unit, "goal": goal}


def _reference_tasks() -> dict[str, Callable]:
    network, picture = SAMMed3D.build(random_weights(1)), random_picture(1)
    return {"encode": lambda: seconds(lambda: network.encode(picture))}


def _our_tasks() -> dict[str, Callable]:
    torch.manual_seed(1)
    network = SAMSegment3D().eval().to(memory_format=torch.channels_last_3d)
    encode, decode = _passes(network, LARGE)
    encode_used, decode_used = _passes(network, MOST)
    return {
        "encode": lambda: seconds(encode),
        "decode": lambda: seconds(decode),
        "encode_used": lambda: seconds(encode_used),
        "decode_used": lambda: seconds(decode_used),
        "gemm": gemm_task(),
        "count": lambda: _count(encode),
        "peak": peak_memory_mb,
    }


def _count(encode: Callable) -> int:
    """Operations; the counter knows the convolutions that are used where something is learned."""
    with torch.inference_mode(False), torch.enable_grad():
        return count_operations(encode)


def _passes(network: SAMSegment3D, edge: int) -> tuple[Callable, Callable]:
    """Encoding a window, and decoding the fifth click in it."""
    picture = torch.rand(1, 2, edge, edge, edge) * 2 - 1
    nothing = torch.zeros(1, 1, *(edge // 2,) * 3)
    signs = torch.tensor([[1.0, 1, -1, 1, -1]])
    prompts = PromptTensors(torch.rand(1, 5, 3) * edge, signs, nothing, nothing + 0.1)
    with torch.inference_mode():
        features = network.encode(picture)
    return lambda: network.encode(picture), lambda: network.decode(features, prompts)


def main() -> int:
    for row in rows():
        goal = "" if row["goal"] is None else f"   goal {row['goal']:g}"
        print(f"{row['name']:<36}{row['value']:>12.4g} {row['unit']}{goal}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
