"""Runs all benchmarks: prints a table, and writes the rows to out/bench.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import effect_start
import effect_ui
import first_mask
import litemedsam_network
import litemedsam_oblique
import litemedsam_roi
import sammed3d_clicks
import sammed3d_network
import samsegment3d_network

BENCHMARKS = (
    first_mask,
    litemedsam_network,
    litemedsam_roi,
    litemedsam_oblique,
    sammed3d_network,
    sammed3d_clicks,
    samsegment3d_network,
    effect_start,
    effect_ui,
)
OUTPUT = Path(__file__).parents[2] / "out" / "bench.json"


def main() -> int:
    rows = []
    for benchmark in BENCHMARKS:
        print(f"{benchmark.__name__} ...", flush=True)
        rows += benchmark.rows()
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        goal = "" if row["goal"] is None else f"goal {row['goal']:g}"
        print(f"{row['name']:{width}} {row['value']:10.3f}  {goal:10}  {row['unit']}")
    print(f"\nWritten: {OUTPUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
