"""What a radiologist does with the effect on real images, step by step, for pictures.

Each scenario is a generator: it yields the name of a picture when there is something to see.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer

from SlicerHost.scene_builder import SceneBuilder
from TestSupport.cases import DATA, chest_ct_files

from .four_views import FourViews
from .user import User


@dataclass(frozen=True)
class Case:
    """A volume as a radiologist shows it.

    Attributes:
        name: of the volume.
        window, level: in HU.
        segments: name -> colour, the first is segmented first.
    """

    name: str
    file: Path
    window: float
    level: float
    segments: dict[str, tuple[float, float, float]]


CHEST = Case(
    "CTChest",
    chest_ct_files()[0],
    1500,
    -500,
    {"Right lung": (0.24, 0.71, 0.93), "Left lung": (0.98, 0.62, 0.27)},
)
ABDOMEN = Case(
    "CT abdomen",
    DATA / "ct_abdomen_3mm" / "image.nii.gz",
    400,
    40,
    {"Spleen": (0.62, 0.36, 0.48), "Left kidney": (0.86, 0.52, 0.19)},
)


def set_up(application, case: Case, view_size, width: int = 430) -> tuple[User, FourViews]:
    """Loads a case into a Slicer with four views and the effect chosen."""
    builder = SceneBuilder(application)
    volume = application.add("vtkMRMLScalarVolumeNode", case.name)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(case.file))
    if not storage.ReadData(volume):
        raise OSError(f"{case.file} cannot be read.")
    segmentation = builder.segmentation(volume)
    for name, color in case.segments.items():
        segments = segmentation.GetSegmentation()
        segments.GetSegment(segments.AddEmptySegment("", name)).SetColor(color)
    views = FourViews(application, volume, view_size, case.window, case.level)
    return User(application, volume, segmentation, width), views


def chest(user: User, views: FourViews) -> Iterator[str]:
    """The right lung from an ROI, applied; the left one from an ROI, corrected with points."""
    right, left = (61.0, -18.0, -146.0), (-79.0, -25.0, -157.0)
    views.look_at(right)
    user.draw_roi((61, -14, -140), (181, 211, 280))
    user.wait_for_proposal()
    views.look_from("Anterior")
    yield "roi"
    user.apply()
    _show_in_3d(user)
    user.choose_segment(user.segments[1])
    views.look_at(left)
    user.draw_roi((-73, -21, -145), (175, 208, 290))
    user.wait_for_proposal()
    views.look_from("Anterior")
    yield "proposal"
    # Air in the left main bronchus is no lung; the recess beside the diaphragm is.
    _click(user, views, (-25.0, -25.0, -133.0), positive=False)
    _click(user, views, (-143.0, -25.0, -260.0))
    views.look_at((-79.0, -25.0, -133.0))
    yield "corrected"
    user.apply()
    _show_in_3d(user)
    yield "applied"


def abdomen(user: User, views: FourViews) -> Iterator[str]:
    """The spleen from an ROI, applied; the left kidney from a click, corrected."""
    spleen, kidney = (-113.0, 123.0, 395.0), (-95.0, 122.0, 357.0)
    views.look_at(spleen)
    user.draw_roi((-113, 125, 392), (70, 90, 90))
    user.wait_for_proposal()
    views.look_from("Anterior")
    yield "roi"
    user.apply()
    _show_in_3d(user)
    user.choose_segment(user.segments[1])
    _click(user, views, kidney)
    views.look_from("Anterior")
    yield "proposal"
    _click(user, views, tuple(np.add(kidney, (10, 30, 0))), positive=False)
    yield "corrected"
    user.apply()
    _show_in_3d(user)
    yield "applied"


def _click(user: User, views: FourViews, ras, positive: bool = True) -> None:
    """Clicks in the axial view, and shows what it gave."""
    views.look_at(ras)
    button = user.panel.ui.positiveButton if positive else user.panel.ui.negativeButton
    if not button.isChecked():
        button.click()
    views.red.click(ras)
    user.wait_for_proposal()


def _show_in_3d(user: User) -> None:
    """The button "Show 3D" of the Segment Editor."""
    user.segmentation.CreateClosedSurfaceRepresentation()


SCENARIOS = {"chest": (CHEST, chest), "abdomen": (ABDOMEN, abdomen)}
