"""Measures two networks side by side, and the machine.

Each side lives in its own process, and they take turns: reference, ours, matrix product, and again.
Taking turns lets both see the same load from other programs. Separate processes keep their memory
apart, because the C library's allocator adapts to what a process freed before: in one process each
side would run with what the other taught it. The allocator is left as it comes.

The rate of the machine is that of a product of two 2048 x 2048 matrices, 2 * 2048^3 operations.
An encoder's operations are counted by torch's FlopCounterMode: matrix products, convolutions and
attention, two per multiply-add; elementwise work does not count.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

MATRIX_SIZE = 2048
GEMM_OPERATIONS = 2 * MATRIX_SIZE**3
#: Environment of processes that are to compute as on a laptop without AVX-512.
AVX2 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
}

Tasks = Mapping[str, Callable]


class Side:
    """A process that runs tasks by name.

    Args:
        make_tasks: makes the tasks, in that process; a function of a module.
    """

    def __init__(self, make_tasks: Callable[[], Tasks]) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        arguments = (theirs, make_tasks, torch.get_num_threads())
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_) -> None:
        self._connection.close()
        self._process.join()

    def ask(self, task: str):
        """What a task returns."""
        self._connection.send(task)
        return self._connection.recv()


@contextmanager
def limited(limits: Mapping[str, str | None]) -> Iterator[None]:
    """Processes that start meanwhile have this in their environment; None: without the variable."""
    before = {name: os.environ.get(name) for name in limits}
    _set(limits)
    try:
        yield
    finally:
        _set(before)


def _set(environment: Mapping[str, str | None]) -> None:
    for name, value in environment.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


def medians(turns: Mapping[str, tuple[Side, str]], repetitions: int) -> dict[str, float]:
    """Median seconds of each task, given as (side, task), all taking turns after a warm-up."""
    times: dict[str, list[float]] = {name: [] for name in turns}
    for repetition in range(repetitions + 1):
        for name, (side, task) in turns.items():
            taken = side.ask(task)
            if repetition > 0:
                times[name].append(taken)
    return {name: statistics.median(values) for name, values in times.items()}


def seconds(task: Callable) -> float:
    """How long a task takes, once."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def gemm_task() -> Callable[[], float]:
    """Seconds of one matrix product."""
    matrix = torch.rand(MATRIX_SIZE, MATRIX_SIZE)
    product = torch.empty_like(matrix)
    return lambda: seconds(lambda: torch.mm(matrix, matrix, out=product))


def count_operations(task: Callable) -> int:
    """Operations of a task; attention counts as plain matrix products."""
    # The counter does not know the fused CPU kernel.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        task()
    return counter.get_total_flops()


def _serve(connection: Connection, make_tasks: Callable[[], Tasks], threads: int) -> None:
    torch.set_num_threads(threads)
    tasks = make_tasks()
    with torch.inference_mode():
        while True:
            try:
                task = connection.recv()
            except EOFError:
                return
            connection.send(tasks[task]())
