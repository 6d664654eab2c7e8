"""Draws the effect for looking at it: its panel in all states, and the views of real images.

    python Testing/Pictures/render.py            everything
    python Testing/Pictures/render.py panel      only the panels: 4 minutes
    python Testing/Pictures/render.py views      only the views, with the real model: 3 minutes

All goes to out/pictures/. The exit status is 1 if a text in the panel is cut or widgets overlap.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from Pictures import model_pictures, panel_pictures, view_pictures
from Pictures.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
OUTPUT = ROOT / "out" / "pictures"
# Of a screen with small pixels; Qt reads it once, when it starts.
SCALE_VARIABLE, SCALE = "QT_SCALE_FACTOR", "2"


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=["panel", "views"])
    chosen = parser.parse_args(arguments)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    status = 0
    if chosen.what != "views":
        status = draw_panel()
    if chosen.what != "panel":
        draw_views()
    print(f"The pictures are in {OUTPUT}")
    return status


def draw_panel() -> int:
    """The panels in all states and looks; 1 if something is cut or overlaps."""
    if SCALE_VARIABLE in os.environ:
        suffix = f"-{os.environ[SCALE_VARIABLE]}x"
        _, wrong = panel_pictures.draw(OUTPUT, suffix, ["usual"])
        wrong += model_pictures.draw(OUTPUT, suffix, ["usual"])[1]
        status = 0
    else:
        print("The panel ...", flush=True)
        _, wrong = panel_pictures.draw(OUTPUT)
        print("The models ...", flush=True)
        wrong += model_pictures.draw(OUTPUT)[1]
        command = [sys.executable, __file__, "panel"]
        environment = {**os.environ, SCALE_VARIABLE: SCALE}
        status = subprocess.run(command, env=environment).returncode
    for text in wrong:
        print(f"  {text}")
    return 1 if wrong or status else 0


def draw_views() -> None:
    for scenario, (case, _) in SCENARIOS.items():
        if not case.file.is_file():
            print(f"{scenario}: left out, {case.file.name} is not there.")
            continue
        print(f"The views, {scenario} ...", flush=True)
        view_pictures.draw(OUTPUT, scenario)


if __name__ == "__main__":
    sys.exit(main())
