"""A radiologist at the Segment Editor with the effect: real widgets, markups and worker process."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from TestSupport.idle_service import NARROW
from TestSupport.phantoms import ball, grid

EFFECT = Path(__file__).parents[3] / "SAMSegment" / "SAMSegmentLib" / "SegmentEditorEffect.py"
NAME = "SAM Segment"
GRID = grid((12, 40, 44), (1.5, 1.5, 3.0))
#: The object: centre (R, A, S) and radius in mm.
BALL, RADIUS = (33.0, 30.0, 18.0), 12.0
#: A second, smaller one beside it.
SMALL, SMALL_RADIUS = (54.0, 45.0, 15.0), 6.0
# Far more than anything here takes: a test that waits so long has failed.
PATIENCE_S = 120.0


def voxels() -> np.ndarray:
    """Two bright balls in grey tissue."""
    grey = np.full(GRID.shape, 40, dtype=np.int16)
    grey[ball(GRID, BALL, RADIUS)] = 200
    grey[ball(GRID, SMALL, SMALL_RADIUS)] = 160
    return grey


class EffectUser:
    """An open Segment Editor in which the effect was chosen, and what a user does with it.

    Attributes:
        volume, segmentation: nodes.
        first, second: IDs of two empty segments; the first is selected.
        editor: the qMRMLSegmentEditorWidget.
    """

    def __init__(self, application, builder, matrix=None, parent=None, modality=None) -> None:
        self.application, self.builder, self.scene = application, builder, application.scene
        self.volume = builder.volume(
            GRID.ijk_to_ras if matrix is None else matrix, parent, voxels=voxels()
        )
        self.set_modality(modality)
        self.segmentation = builder.segmentation(self.volume, parent)
        segments = self.segmentation.GetSegmentation()
        self.first = segments.AddEmptySegment("", "Lesion")
        self.second = segments.AddEmptySegment("", "Other")
        # Slicer's own colours are random: some are hardly seen on grey.
        segments.GetSegment(self.first).SetColor(0.9, 0.2, 0.1)
        segments.GetSegment(self.second).SetColor(0.1, 0.4, 0.9)
        self.editor = application.open_segment_editor(self.segmentation, self.volume)
        self.editor.setCurrentSegmentID(self.first)
        self.nodes_before = self.nodes()

    # What the user does

    def choose_effect(self, name: str = NAME) -> None:
        self.editor.setActiveEffectByName(name)
        self.application.process_events()

    def place(self, ras, positive: bool = True) -> None:
        """A click in a view, without the view."""
        self.button("positiveButton" if positive else "negativeButton", True)
        self.list(positive).AddControlPointWorld(*ras)

    def propose(self, ras=BALL, positive: bool = True):
        """Places a point and waits for the answer; the mask of the preview."""
        self.place(ras, positive)
        return self.proposal()

    def proposal(self):
        """Waits until the worker has answered; the mask of the preview."""
        self.wait(lambda: self.is_busy)
        self.wait(lambda: not self.is_busy)
        self.wait(lambda: not self.session._steps.is_running("show"))
        return self.preview_mask()

    def button(self, name: str, checked: bool | None = None) -> None:
        widget = getattr(self.ui, name)
        assert widget.isEnabled(), f"{name} cannot be pressed"
        if checked is None or widget.isChecked() != checked:
            widget.click()

    def choose_no_node(self, selector) -> None:
        """The user chooses "None", the first row."""
        selector._combo.setCurrentIndex(0)
        selector._combo.activated.emit(0)

    def apply(self) -> None:
        self.wait(self.ui.applyButton.isEnabled)  # once the proposal is drawn
        self.button("applyButton")
        self.application.process_events()

    def wait(self, condition) -> None:
        assert self.application.wait(condition, PATIENCE_S), self.status

    # What there is

    @property
    def effect(self):
        return self.editor.effectByName(NAME).self()

    @property
    def session(self):
        return self.effect._session

    @property
    def ui(self):
        return self.effect._panel.ui

    @property
    def is_busy(self) -> bool:
        return self.session._requester.is_busy

    @property
    def status(self) -> str:
        return self.ui.statusLabel.text

    @property
    def rows(self) -> list[str]:
        prompts = self.ui.promptList
        return [prompts.item(row).text() for row in range(prompts.count)]

    def list(self, positive: bool):
        return self.scene.GetFirstNodeByName(f"SAM Segment {'+' if positive else '-'}")

    @property
    def preview(self):
        return self.scene.GetFirstNodeByName("SAM Segment preview")

    def preview_mask(self):
        """The preview on the volume's grid: boolean (k, j, i); None if nothing is shown."""
        from TestSupport.scene_answers import segment_array

        node = self.preview
        if node is None or node.GetSegmentation().GetNumberOfSegments() == 0:
            return None
        mask = segment_array(node, node.GetSegmentation().GetNthSegmentID(0), self.volume) > 0
        return mask if mask.any() else None

    def mask(self, segment_id=None):
        """A segment on the volume's grid: boolean (k, j, i)."""
        from TestSupport.scene_answers import segment_array

        return segment_array(self.segmentation, segment_id or self.first, self.volume) > 0

    def mask_is_there(self, segment_id=None) -> bool:
        """Whether a segment has voxels, on whatever grid."""
        from SlicerHost.scene_builder import world_positions

        return len(world_positions(self.segmentation, segment_id or self.first)) > 0

    def nodes(self) -> set[str]:
        scene = self.scene
        return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}

    def set_modality(self, modality: str | None) -> None:
        """What the quick engine is told to do, see TestSupport.quick_engine."""
        hierarchy = self.application.hierarchy
        item = hierarchy.GetItemByDataNode(self.volume)
        hierarchy.SetItemAttribute(item, "DICOM.Modality", modality or "CT")


@pytest.fixture(autouse=True)
def own_model_store():
    """Slicer's store of models is another in each test; it is made when it is first asked for."""
    yield
    # Not imported before: there is no Qt without a test's application.
    module = sys.modules.get("SAMSegmentLib.ui.models.model_store")
    if module is not None:
        module.close_shared_model_store()


@pytest.fixture(scope="session")
def quick_worker():
    """One worker process for all tests."""
    from TestSupport.kept_worker import kept_worker

    with kept_worker() as client:
        yield client


@pytest.fixture
def service(application, quick_worker, monkeypatch):
    """The shared worker service of the effect; its process outlives the test.

    The quick engine runs the model that is chosen at first.
    """
    from SAMSegmentLib.ui.common import worker_service
    from TestSupport.catalogue_models import catalogue_run_by

    service = worker_service.WorkerService(lambda device: quick_worker)
    monkeypatch.setattr(worker_service, "_shared", service)
    with catalogue_run_by("quick"):
        yield service
    service.close()


@pytest.fixture
def make_user(application, service):
    """Makes an EffectUser: `make_user(matrix=..., parent=..., modality=...)`."""
    from SlicerHost import own_effects
    from SlicerHost.scene_builder import SceneBuilder

    own_effects.register()
    assert application.register_effect(EFFECT)

    def make(**options) -> EffectUser:
        user = EffectUser(application, SceneBuilder(application), **options)
        # Most users come from another effect, which is the editor's active one a moment longer.
        user.choose_effect("Paint")
        user.choose_effect()
        return user

    yield make
    assert application.errors == []


@pytest.fixture
def user(make_user):
    """An EffectUser with the effect chosen; afterwards, Slicer's log must hold no error."""
    return make_user()


@pytest.fixture
def make_panel(application):
    """Opens a ModulePanel on a service, at a width; afterwards Slicer's log must hold no error."""
    import qt

    from SAMSegmentLib.ui.module.module_panel import ModulePanel

    panels, areas = [], []

    def make(service, width=NARROW):
        panel = ModulePanel(service)
        # As in Slicer: in a scroll area, which scrolls up and down only.
        area = qt.QScrollArea()
        area.setWidgetResizable(True)
        area.setFrameShape(qt.QFrame.NoFrame)
        area.setWidget(panel.widget)
        area.resize(width, 900)
        area.show()
        panel.enter()
        panel.ui.helpSection.collapsed = False
        application.wait(seconds=0.05)
        panels.append(panel)
        areas.append(area)
        return panel

    yield make
    for panel in panels:
        panel.exit()
        panel.release()
    for area in areas:
        area.close()
        area.deleteLater()
    assert application.errors == []
