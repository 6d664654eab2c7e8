"""Pictures of the effect's panel: each state, in the looks that users have."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from SlicerHost.application import Application
from SlicerHost.pythonqt import qt
from TestSupport.catalogue_models import catalogue_run_by

from . import themes
from .layout_check import defects
from .panel_states import STATES, make_user

GAP = 12
BEHIND = (128, 128, 128)
# How much longer than English other languages are.
LONGER = 1.4


@dataclass(frozen=True)
class Look:
    """How the panel is shown.

    Attributes:
        width: of the module panel; the Segment Editor takes more if it must.
        theme: "light" or "dark".
        long_texts: as in a language with longer words.
    """

    width: int = 430
    theme: str = "light"
    long_texts: bool = False


LOOKS = {
    "usual": Look(),
    "narrow": Look(width=320),
    "wide": Look(width=600),
    "long": Look(long_texts=True),
    "dark": Look(theme="dark"),
}


@contextmanager
def quick_worker(client=None):
    """Lets an engine without a network run the effect's model; in its client, if there is one."""
    from SAMSegmentLib.ui.common import worker_service
    from SAMSegmentLib.worker.client.process_client import WorkerClient

    def make_client(device):
        return client or WorkerClient("cpu")

    service = worker_service.WorkerService(make_client)
    before, worker_service._shared = worker_service._shared, service
    try:
        with catalogue_run_by("quick"):
            yield
    finally:
        service.close()
        worker_service._shared = before


def show_state(user, state: str, look: Look) -> None:
    """Brings the panel into a state (a key of STATES) and a look."""
    if look.long_texts:
        _use_long_texts(user.panel)
    STATES[state](user)
    user.resize(look.width)


def draw(folder: Path, suffix: str = "", looks=tuple(LOOKS)) -> tuple[list[Path], list[str]]:
    """Writes a sheet of all states for each look.

    Args:
        suffix: for the names of the files.
        looks: keys of LOOKS.

    Returns:
        The files, and what is wrong in them: texts that are cut, widgets that overlap.
    """
    files, wrong = [], []
    for name in looks:
        look, pictures = LOOKS[name], []
        for state in STATES:
            with Application() as application, quick_worker():
                themes.use(look.theme)
                user = make_user(application)
                show_state(user, state, look)
                found = defects(user.window)
                wrong += [f"{name}, {state}: {text}" for text in found]
                path = folder / f"panel-{name}-{state}{suffix}.png"
                application.picture(user.window, path)
                pictures.append(Image.open(path).convert("RGB"))
                path.unlink()
        files.append(folder / f"panel-{name}{suffix}.png")
        side_by_side(pictures).save(files[-1])
    return files, wrong


def side_by_side(pictures) -> Image.Image:
    """Pictures of any size in a row."""
    width = sum(picture.width + GAP for picture in pictures) + GAP
    sheet = Image.new("RGB", (width, max(p.height for p in pictures) + 2 * GAP), BEHIND)
    x = GAP
    for picture in pictures:
        sheet.paste(picture, (x, GAP))
        x += picture.width + GAP
    return sheet


def longer(text: str) -> str:
    """A text as long as a translation may be, with the same words and number of lines."""
    words = text.split(" ")
    return " ".join(w + "ë" * round((LONGER - 1) * len(w)) if w.isalpha() else w for w in words)


def lengthen(widget) -> None:
    """Makes longer what all labels, buttons and selectors in a widget say."""
    for kind in (qt.QLabel, qt.QAbstractButton):
        for child in widget.findChildren(kind):
            if not isinstance(child.parent(), qt.QAbstractSpinBox):
                child.setText(longer(child.text))
    for combo in widget.findChildren(qt.QComboBox):
        for index in range(combo.count):
            combo.setItemText(index, longer(combo.itemText(index)))


def _use_long_texts(panel) -> None:
    """Makes all that the panel says longer, now and later."""
    lengthen(panel.widget)
    show = panel.show

    def show_longer(state) -> None:
        rows = tuple(replace(row, text=longer(row.text)) for row in state.rows)
        show(replace(state, status=longer(state.status), note=longer(state.note), rows=rows))

    panel.show = show_longer
