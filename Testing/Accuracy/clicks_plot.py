"""A picture of Dice against clicks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from Accuracy.summary import ObjectScores, mean_of, objects_of
from SAMSegmentLib.evaluation.protocol import ROI_STEP

# Okabe and Ito's colours, which the colour-blind tell apart.
COLORS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
MARKERS = "Dosv^P"
SHAKEN = "shaken "


def save_clicks_plot(path: Path, rows: Iterable[dict]) -> None:
    """Writes a PNG: the mean Dice after each interaction, a line per model and protocol.

    One panel for each split, of the structures that the goals refer to and of the others.
    """
    objects = objects_of(rows)
    panels: dict[tuple, list[ObjectScores]] = {}
    for scored in objects:
        panels.setdefault((scored.about["split"], scored.about["goal"]), []).append(scored)
    styles = _styles(dict.fromkeys(_line_name(scored) for scored in objects))
    columns = min(2, len(panels))
    lines = -(-len(panels) // columns)
    figure, axes = plt.subplots(
        lines,
        columns,
        figsize=(5.6 * columns, 4.2 * lines + 1),
        sharex=True,
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for axis in axes.ravel()[len(panels) :]:
        axis.axis("off")
    for axis, key in zip(
        axes.ravel(), sorted(panels, key=lambda k: (k[0], not k[1])), strict=False
    ):
        _draw_panel(axis, panels[key], styles)
        kind = "goal structures" if key[1] else "other structures"
        number = len({scored.key[:2] for scored in panels[key]})
        axis.set_title(f"{key[0]} cases, {kind} ({number})", fontsize=11)
        axis.set_xlabel("interaction (number of the click)")
        axis.set_ylabel("mean Dice")
        axis.tick_params(labelbottom=True, labelleft=True)
    handles = [plt.Line2D([], [], label=name, **style) for name, style in styles.items()]
    figure.suptitle("Dice against interactions of a simulated user", fontsize=13)
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _draw_panel(axis, objects: list[ObjectScores], styles: dict) -> None:
    lines: dict[str, list[ObjectScores]] = {}
    for scored in objects:
        lines.setdefault(_line_name(scored), []).append(scored)
    last = 0
    for name, of_line in lines.items():
        steps = [row["step"] for row in max((o.rows for o in of_line), key=len)]
        positions = [0 if step == ROI_STEP else int(step.split()[-1]) for step in steps]
        means = [mean_of(o.at(step, "dsc") for o in of_line) for step in steps]
        axis.plot(positions, means, **styles[name])
        last = max(last, positions[-1])
    axis.set_ylim(0, 1.02)
    axis.set_xticks(range(last + 1), ["ROI", *map(str, range(1, last + 1))])
    axis.grid(alpha=0.3)


def _styles(names: Iterable[str]) -> dict[str, dict]:
    """How each line is drawn: a shaken one as its steady one, but dashed."""
    colors: dict[str, int] = {}
    styles = {}
    for name in names:
        n = colors.setdefault(name.replace(SHAKEN, ""), len(colors)) % len(COLORS)
        shaken = {"linestyle": "--", "markerfacecolor": "white"} if SHAKEN in name else {}
        styles[name] = {"color": COLORS[n], "marker": MARKERS[n], "markersize": 5, **shaken}
    return styles


def _line_name(scored: ObjectScores) -> str:
    return f"{scored.about['model']}, {scored.about['protocol'].replace('_', ' ')}"
