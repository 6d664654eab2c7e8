"""Pictures of the views while a scenario goes on, with the real model, and one beside the panel."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from SlicerHost.application import Application

from . import themes
from .scenarios import SCENARIOS, set_up

# With the panel and a line between them, 1400 pixels.
VIEW_SIZE, PANEL_WIDTH = (484, 372), 430
BETWEEN = (160, 160, 160)
# The step of a scenario that is shown beside the panel.
SHOWN_WITH_PANEL = "corrected"


def draw(folder: Path, scenario: str) -> list[Path]:
    """Writes a picture of each step of a scenario (a key of SCENARIOS), and one beside the panel.

    Raises:
        OSError: the scenario's data are not there.
        RuntimeError: Slicer's log holds errors.
    """
    case, steps = SCENARIOS[scenario]
    files = []
    with Application() as application:
        themes.use("light")
        try:
            user, views = set_up(application, case, VIEW_SIZE, PANEL_WIDTH)
            for step in steps(user, views):
                print(f"  {scenario}, {step}", flush=True)
                files.append(views.picture(folder / f"views-{scenario}-{step}.png"))
                if step == SHOWN_WITH_PANEL:
                    panel = folder / "panel.png"
                    user.resize(PANEL_WIDTH)
                    application.picture(user.window, panel)
                    files.append(folder / f"slicer-{scenario}.png")
                    beside(Image.open(panel), Image.open(files[-2])).save(files[-1])
                    panel.unlink()
            if application.errors:
                raise RuntimeError(f"Slicer's log: {application.errors}")
        finally:
            from SAMSegmentLib.ui.common.worker_service import close_shared_service

            close_shared_service()
    return files


def beside(panel: Image.Image, views: Image.Image) -> Image.Image:
    """The module panel at the left of the views, as in Slicer."""
    picture = Image.new("RGB", (panel.width + 1 + views.width, views.height), "white")
    # A panel that is higher has nothing but room at its lower end.
    picture.paste(panel.convert("RGB"), (0, 0))
    picture.paste(BETWEEN, (panel.width, 0, panel.width + 1, views.height))
    picture.paste(views, (panel.width + 1, 0))
    return picture
