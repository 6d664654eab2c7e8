"""A radiologist at the Segment Editor with the effect: real widgets, markups and worker process."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from TestSupport.effect_user import EffectUser, register_effect
from TestSupport.fake_worker_service import NARROW
from TestSupport.phantoms import ball, grid

GRID = grid((12, 40, 44), (1.5, 1.5, 3.0))
#: The object: centre (R, A, S) and radius in mm.
BALL, RADIUS = (33.0, 30.0, 18.0), 12.0
#: A second, smaller one beside it.
SMALL, SMALL_RADIUS = (54.0, 45.0, 15.0), 6.0
# Far more than anything here takes: a test that waits so long has failed.
TIMEOUT_S = 120.0


def voxels() -> np.ndarray:
    """Two bright balls in grey tissue."""
    grey = np.full(GRID.shape, 40, dtype=np.int16)
    grey[ball(GRID, BALL, RADIUS)] = 200
    grey[ball(GRID, SMALL, SMALL_RADIUS)] = 160
    return grey


class User(EffectUser):
    """The effect beside a small volume with two bright balls.

    Attributes:
        first, second: IDs of two empty segments; the first is selected.
    """

    timeout_s = TIMEOUT_S

    def __init__(self, application, builder, matrix=None, parent=None, modality=None) -> None:
        self.builder = builder
        volume = builder.volume(
            GRID.ijk_to_ras if matrix is None else matrix, parent, voxels=voxels()
        )
        segmentation = builder.segmentation(volume, parent)
        segments = segmentation.GetSegmentation()
        # Slicer's own colours are random: some are hardly seen on grey.
        for name, color in (("Lesion", (0.9, 0.2, 0.1)), ("Other", (0.1, 0.4, 0.9))):
            segments.GetSegment(segments.AddEmptySegment("", name)).SetColor(color)
        super().__init__(application, volume, segmentation)
        self.first, self.second = self.segments
        self.set_modality(modality)
        self.nodes_before = self.nodes()

    def propose(self, ras=BALL, positive: bool = True):
        """Places a point and waits for the answer; the mask of the preview."""
        self.place(ras, positive)
        return self.proposal()

    def proposal(self):
        """Waits until the worker has answered; the mask of the preview."""
        self.wait_for_proposal()
        return self.preview_mask()

    def choose_no_node(self, selector) -> None:
        """The user chooses "None", the first row."""
        selector._combo.setCurrentIndex(0)
        selector._combo.activated.emit(0)

    @property
    def rows(self) -> list[str]:
        prompts = self.ui.promptList
        return [prompts.item(row).text() for row in range(prompts.count)]

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
    from TestSupport.shared_worker import shared_worker

    with shared_worker() as client:
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
    """Makes a User: `make_user(matrix=..., parent=..., modality=...)`."""
    from SlicerHost import own_effects
    from SlicerHost.scene_builder import SceneBuilder

    own_effects.register()
    register_effect(application)

    def make(**options) -> User:
        user = User(application, SceneBuilder(application), **options)
        # Most users come from another effect, which is the editor's active one a moment longer.
        user.choose_effect("Paint")
        user.choose_effect()
        return user

    yield make
    assert application.errors == []


@pytest.fixture
def user(make_user):
    """A User with the effect chosen; afterwards, Slicer's log must hold no error."""
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
