"""Keeps the table of models in docs/models.md as the catalogue is."""

from __future__ import annotations

import json
import re
from pathlib import Path

PAGE = "docs/models.md"
BEGIN, END = "<!-- models: begin -->", "<!-- models: end -->"
HEADS = ("name", "prompts", "images", "size", "licence of the weights", "measured", "about")
PROMPTS = {"roi": "ROI", "points": "points", "line": "measured line"}


def table(models: list[dict], cards: set[str]) -> str:
    """The table in Markdown.

    Args:
        models: of the catalogue.
        cards: names of the files with a model's card, without suffix.
    """
    rows = [HEADS, ("---",) * len(HEADS), *(_row(model, cards) for model in models)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def _row(model: dict, cards: set[str]) -> tuple[str, ...]:
    size = f"{model['size'] / 1e6:.0f} MB"
    limit = f": **{model['restriction']}**" if model["restriction"] else ""
    return (
        f"`{model['name']}`",
        ", ".join(PROMPTS[kind] for kind in model["prompts"]),
        ", ".join(model["modalities"]) + ("; single slices" if model["single_slices"] else ""),
        f"{size}, included" if model["embedded"] else size,
        model["weights_licence"] + limit,
        "; ".join(_timing(timing) for timing in model["timings"]) or "-",
        _about(model, cards),
    )


def _timing(timing: dict) -> str:
    return f"{timing['what']} {timing['seconds']:g} s"


def _about(model: dict, cards: set[str]) -> str:
    links = []
    if model["name"] in cards:
        links.append(f"[card](../SAMSegment/Resources/Models/{model['name']}.md)")
    if model["source"].startswith("https://"):
        links.append(f"[weights]({model['source']})")
    return ", ".join(links) or model["source"]


def updated(page: str, new_table: str) -> str:
    """The page with the table between the marks replaced."""
    pattern = rf"{re.escape(BEGIN)}\n(?:.*\n)*?{re.escape(END)}"
    text, count = re.subn(pattern, lambda _: f"{BEGIN}\n{new_table}\n{END}", page)
    if count != 1:
        raise ValueError(f"{PAGE} needs one pair of marks ({BEGIN}, {END}), has {count}")
    return text


def write(root: Path) -> int:
    """Rewrite the table; returns 0."""
    folder, page = root / "SAMSegment" / "Resources" / "Models", root / PAGE
    models = json.loads((folder / "catalogue.json").read_text(encoding="utf-8"))["models"]
    old = page.read_text(encoding="utf-8")
    new = updated(old, table(models, {path.stem for path in folder.glob("*.md")}))
    if new != old:
        # Bytes, so that Windows keeps LF.
        page.write_bytes(new.encode())
    print(f"{PAGE} {'was brought up to date' if new != old else 'is right'}")
    return 0
