"""The log of a training as a table and as a plot."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt


def write_log(path: Path, rows: list[dict]) -> None:
    """Writes a CSV file with one line per step."""
    if not rows:
        return
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def draw_curves(path: Path, rows: list[dict]) -> None:
    """Plots loss and Dice over time, smoothed."""
    if len(rows) < 2:
        return
    minutes = np.array([row["minutes"] for row in rows])
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    left.plot(minutes, _smooth(rows, "loss"), color="#1f4e79")
    left.set(xlabel="minutes", ylabel="loss (Dice + cross-entropy)", title="Training loss")
    for name, label, color in (
        ("first", "after the first prompt", "#c55a11"),
        ("last", "after the last click", "#2e7d32"),
    ):
        right.plot(minutes, _smooth(rows, name), label=label, color=color)
    right.set(xlabel="minutes", ylabel="Dice", ylim=(0, 1), title="Dice on training windows")
    right.legend(frameon=False)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        for now, then in pairwise(rows):
            if now["edge"] != then["edge"]:
                axes.axvline(then["minutes"], color="grey", linewidth=1, linestyle=":")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _smooth(rows: list[dict], name: str) -> np.ndarray:
    values = np.array([row[name] for row in rows])
    width = max(1, len(rows) // 100)
    padded = np.pad(values, (width // 2, width - width // 2 - 1), mode="edge")
    return np.convolve(padded, np.ones(width) / width, "valid")
