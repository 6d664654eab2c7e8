"""Keeps the table of models in docs/models.md as their entries are."""

from __future__ import annotations

import json
import re
from pathlib import Path

PAGE, FOLDER = "docs/models.md", "SAMSegment/Resources/Models"
BEGIN, END = "<!-- models: begin -->", "<!-- models: end -->"
HEADS = ("name", "prompts", "images", "size", "licence of the weights", "measured", "about")
PROMPTS = {"roi": "ROI", "points": "points", "line": "measured line"}


def models_in(root: Path) -> list[dict]:
    """What the model.json of each model that comes with SAMSegment says, in their order."""
    paths = (root / FOLDER).glob("*/model.json")
    models = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return sorted(models, key=lambda model: (model["order"], model["name"]))


def table(models: list[dict]) -> str:
    """The table in Markdown.

    Args:
        models: see `models_in`.
    """
    rows = [HEADS, ("---",) * len(HEADS), *map(_row, models)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _row(model: dict) -> tuple[str, ...]:
    limit = f": **{model['restriction']}**" if model.get("restriction") else ""
    return (
        f"`{model['name']}`",
        ", ".join(PROMPTS[kind] for kind in model.get("prompts", ())) or "none",
        ", ".join(model["modalities"]) + ("; single slices" if model["single_slices"] else ""),
        _size(model),
        model["weights_licence"] + limit,
        "; ".join(_timing(timing) for timing in model.get("timings", ())) or "-",
        _about(model),
    )


def _size(model: dict) -> str:
    if parts := model.get("parts"):
        return f"those of {' and '.join(f'`{name}`' for name in parts.values())}"
    size = f"{model['size'] / 1e6:.0f} MB"
    return size if model.get("downloads") else f"{size}, included"


def _timing(timing: dict) -> str:
    return f"{timing['what']} {timing['seconds']:g} s"


def _about(model: dict) -> str:
    card = f"[card](../{FOLDER}/{model['name']}/card.md)"
    has_page = model["source"].startswith("https://")
    return f"{card}, [weights]({model['source']})" if has_page else card


def updated(page: str, new_table: str) -> str:
    """The page with the table between the marks replaced."""
    pattern = rf"{re.escape(BEGIN)}\n(?:.*\n)*?{re.escape(END)}"
    text, count = re.subn(pattern, lambda _: f"{BEGIN}\n{new_table}\n{END}", page)
    if count != 1:
        raise ValueError(f"{PAGE} needs one pair of marks ({BEGIN}, {END}), has {count}")
    return text


def write(root: Path) -> int:
    """Rewrite the table; returns 0."""
    page = root / PAGE
    old = page.read_text(encoding="utf-8")
    new = updated(old, table(models_in(root)))
    if new != old:
        # Bytes, so that Windows keeps LF.
        page.write_bytes(new.encode())
    print(f"{PAGE} {'was brought up to date' if new != old else 'is right'}")
    return 0
