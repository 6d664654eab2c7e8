"""The effect with the model that ships, in its own process."""

import pytest

from SAMSegmentLib import SAMSegmentLogic
from SlicerHost.scene_builder import SceneBuilder
from TestSupport.phantoms import ct_with_ball, dice, grid
from TestSupport.scene_answers import segment_array

from ..conftest import EFFECT, NAME

pytestmark = pytest.mark.mrml

BALL, RADIUS = (48.0, 48.0, 10.0), 18.0
IMAGE = ct_with_ball(grid((8, 64, 64)), BALL, RADIUS)
# Two slices high, to be quick.
SIZE = (44, 44, 5)
PATIENCE_S = 120.0


@pytest.fixture
def logic():
    from SAMSegmentLib.ui.common import worker_service

    logic = SAMSegmentLogic(device="cpu", openEditors=list)
    yield logic
    logic.close()
    worker_service.close_shared_service()


def test_the_panel_proposes_what_the_console_writes(application, logic):
    assert application.register_effect(EFFECT)
    builder = SceneBuilder(application)
    volume = builder.volume(IMAGE.geometry.ijk_to_ras, voxels=IMAGE.voxels)
    segmentation = builder.segmentation(volume)
    segment_id = segmentation.GetSegmentation().AddEmptySegment("", "Ball")
    roi = builder.roi(BALL, SIZE)
    editor = application.open_segment_editor(segmentation, volume)
    editor.setCurrentSegmentID(segment_id)
    editor.setActiveEffectByName(NAME)
    effect = editor.effectByName(NAME).self()
    effect._panel.ui.roiSelector.setCurrentNode(roi)
    assert application.wait(effect._panel.ui.applyButton.isEnabled, PATIENCE_S)
    effect._panel.ui.applyButton.click()
    applied = segment_array(segmentation, segment_id, volume) > 0
    truth = IMAGE.voxels > 120
    assert dice(applied[3:5], truth[3:5]) > 0.9

    other = builder.segmentation(volume, name="By the console")
    written = logic.segment(volume, other, roi=roi)
    assert (segment_array(other, written, volume) > 0).tolist() == applied.tolist()
    assert application.errors == []
