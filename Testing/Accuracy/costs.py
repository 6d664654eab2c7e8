"""Clicks that cost: after which a mask is worse than before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from Accuracy.summary import ObjectScores, objects_of
from SAMSegmentLib.evaluation.report import markdown_table, number

#: A loss of Dice by more than this is a cost; the goal is less than one in a hundred clicks.
COSTLY = 0.05
SIGNS = ("positive", "negative")
#: How many are named.
NAMED = 12


@dataclass(frozen=True)
class Click:
    """A click on a mask that was there, and the Dice before and after it.

    Attributes:
        sign: one of SIGNS; "unknown" in kept results, which do not tell it.
    """

    scored: ObjectScores
    step: str
    sign: str
    before: float
    after: float

    @property
    def loss(self) -> float:
        """Negative where it helped; to as many digits as rows have."""
        return round(self.before - self.after, 5)


def clicks_of(objects: Iterable[ObjectScores]) -> list[Click]:
    """All clicks but those that begin an object, and those after a mask was perfect."""
    return [
        Click(scored, row["step"], sign, before["dsc"], row["dsc"])
        for scored in objects
        for before, row in pairwise(scored.rows)
        if (sign := row.get("click", "unknown")) and before["dsc"] < 1
    ]


def costs(rows: Iterable[dict]) -> str:
    """Markdown: how many of 100 clicks cost, per model and protocol; and the worst by name."""
    clicks = clicks_of(objects_of(rows))
    if not clicks:
        return ""
    sections: dict[tuple[str, str], list[Click]] = {}
    for click in clicks:
        about = click.scored.about
        sections.setdefault((about["model"], about["protocol"]), []).append(click)
    lines = [[f"{model}, {name}", *_cells(part)] for (model, name), part in sections.items()]
    if len(lines) > 1:
        lines.append(["all", *_cells(clicks)])
    header = ["clicks", "number", f"cost > {COSTLY:g}, per 100"]
    header += [f"{sign}, per 100" for sign in SIGNS]
    worst = sorted((c for c in clicks if c.loss > COSTLY), key=lambda c: -c.loss)[:NAMED]
    named = [f"- {_told(click)}" for click in worst]
    return "\n".join(
        ["## Clicks that cost", "", markdown_table(header, lines), "", *named]
    ).rstrip()


def _cells(clicks: list[Click]) -> list[str]:
    parts = [clicks, *([c for c in clicks if c.sign == sign] for sign in SIGNS)]
    return [str(len(clicks)), *(_share(part) for part in parts)]


def _share(clicks: list[Click]) -> str:
    costly = sum(click.loss > COSTLY for click in clicks)
    if not clicks:
        return number(None)
    return f"{number(100 * costly / len(clicks), 1)} ({costly} of {len(clicks)})"


def _told(click: Click) -> str:
    case, structure, protocol = click.scored.key
    return (
        f"{click.before:.3f} -> {click.after:.3f}: {case}, {structure}, {protocol}, "
        f"{click.step} ({click.sign})"
    )
