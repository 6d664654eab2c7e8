"""The toy in the Segment Editor: check structures, see them, apply them, take them back."""

import shutil

import numpy as np
import pytest

from SlicerHost.scene_builder import GRIDS, PARENTS, segments_of
from TestSupport.effect_user import EffectUser, register_effect
from TestSupport.phantoms import dice
from TestSupport.scene_answers import segment_array

from .conftest import AIR, BODY, GEOMETRY, NAME, truth, voxels

pytestmark = pytest.mark.mrml


class User(EffectUser):
    """The effect with the toy beside the phantom.

    Attributes:
        preview: the node of the preview.
        rows: of the list of prompts.
    """

    timeout_s = 120.0

    @property
    def preview(self):
        return self.scene.GetFirstNodeByName("SAM Segment preview")

    @property
    def rows(self):
        prompts = self.ui.promptList
        return [prompts.item(row).text() for row in range(prompts.count)]


@pytest.fixture(scope="module")
def worker():
    """One process for all tests; it finds the package when the first of them starts it."""
    from TestSupport.shared_worker import shared_worker

    with shared_worker() as client:
        yield client


@pytest.fixture
def make_user(model, application, worker, monkeypatch):
    """Makes a user with the toy chosen in the effect: `make_user(matrix, parent)`."""
    from SAMSegmentLib.ui.common import worker_service
    from SAMSegmentLib.ui.models.model_store import close_shared_model_store
    from SlicerHost.scene_builder import SceneBuilder

    service = worker_service.WorkerService(lambda device: worker)
    monkeypatch.setattr(worker_service, "_shared", service)
    register_effect(application)

    def make(matrix=GEOMETRY.ijk_to_ras, parent=None):
        builder = SceneBuilder(application)
        volume = builder.volume(matrix, parent, voxels=voxels())
        segmentation = builder.segmentation(volume, parent)
        segmentation.GetSegmentation().AddEmptySegment("", "Lesion")
        user = User(application, volume, segmentation)
        user.choose_effect()
        selector = user.ui.modelSelector
        selector.setCurrentIndex(selector.findData(NAME))
        user.wait(lambda: worker.info is not None)
        return user

    yield make
    service.close()
    close_shared_model_store()
    assert application.errors == []


@pytest.fixture
def user(make_user):
    return make_user()


def propose(user):
    """Presses Propose and waits until all is drawn; the masks of the preview."""
    user.button("proposeButton")
    user.wait_for_proposal()
    return preview(user)


def preview(user):
    """What the preview shows on the volume's grid, boolean (k, j, i), in its order."""
    node = user.preview
    ids = node.GetSegmentation().GetSegmentIDs()
    masks = [segment_array(node, segment_id, user.volume) > 0 for segment_id in ids]
    return [mask for mask in masks if mask.any()]


def check(user, *names):
    """Checks these structures and no others."""
    box = user.ui.structureList
    import qt

    for row in range(box.count):
        item = box.item(row)
        item.setCheckState(qt.Qt.Checked if item.text() in names else qt.Qt.Unchecked)


def added(user):
    """Names and masks of the segments that were not there at first."""
    segmentation = user.segmentation.GetSegmentation()
    return {
        segmentation.GetSegment(one).GetName(): segment_array(user.segmentation, one, user.volume)
        for one in segmentation.GetSegmentIDs()
        if one not in user.segments
    }


def test_choosing_it_shows_its_structures_and_why_prompts_are_of_no_use(user):
    box = user.ui.structureList
    assert user.ui.structuresBox.visible
    assert [box.item(row).text() for row in range(box.count)] == [BODY, AIR]
    for name in ("positiveButton", "negativeButton", "roiButton"):
        button = getattr(user.ui, name)
        assert not button.isEnabled() and "finds its structures by itself" in button.toolTip
    assert "press Propose" in user.status and not user.is_busy
    assert not user.ui.applyButton.isEnabled() and user.ui.proposeButton.isEnabled()


def test_all_structures_are_seen_in_their_colours_before_anything_is_written(user):
    before = segments_of(user.segmentation)
    masks = propose(user)
    for mask, expected in zip(masks, truth().values(), strict=True):
        assert dice(mask, expected) > 0.99
    segmentation = user.preview.GetSegmentation()
    assert np.allclose(segmentation.GetNthSegment(0).GetColor(), (177 / 255, 122 / 255, 101 / 255))
    assert np.allclose(segmentation.GetNthSegment(1).GetColor(), (0, 151 / 255, 206 / 255))
    assert segments_of(user.segmentation) == before
    assert user.status == f"Apply adds a new segment for each of: {BODY}, {AIR}."


def test_apply_adds_them_and_one_undo_takes_all_back(user):
    before = segments_of(user.segmentation)
    masks = propose(user)
    user.apply()
    after = added(user)
    assert list(after) == [BODY, AIR]
    for written, shown in zip(after.values(), masks, strict=True):
        assert np.array_equal(written > 0, shown)
    assert preview(user) == [] and "Added 2 segments" in user.status
    everything = segments_of(user.segmentation)
    user.editor.undo()
    assert segments_of(user.segmentation) == before
    user.editor.redo()
    assert segments_of(user.segmentation) == everything


def test_one_structure_can_be_chosen_and_the_choice_is_kept_in_the_scene(user):
    check(user, AIR)
    (air,) = propose(user)
    assert dice(air, truth()[AIR]) > 0.99
    user.apply()
    assert list(added(user)) == [AIR]
    assert user.effect.scriptedEffect.parameter("Structures") == f'["{AIR}"]'


def test_without_a_checked_structure_there_is_nothing_to_propose(user):
    user.button("noStructureButton")
    assert not user.ui.proposeButton.isEnabled()
    user.button("allStructuresButton")
    assert len(propose(user)) == 2


def test_another_choice_drops_what_is_shown(user):
    propose(user)
    check(user, BODY)
    user.wait(lambda: preview(user) == [])
    assert not user.ui.applyButton.isEnabled() and not user.is_busy


def test_the_threshold_is_followed_and_written(user):
    before = propose(user)
    user.ui.thresholdSlider.value = 0.95
    user.wait(lambda: not user.session._steps.is_running("show"))
    after = preview(user)
    assert after[1].sum() <= before[1].sum() and not (after[1] & ~before[1]).any()
    user.apply()
    assert np.array_equal(added(user)[AIR] > 0, after[1])


def test_visible_segments_keep_their_voxels_unless_the_user_says_otherwise(user):
    check(user, AIR)
    propose(user)
    user.apply()
    user.button("allStructuresButton")
    (body,) = propose(user)
    assert not (body & truth()[AIR]).any()
    assert "Nothing was found of" not in user.status
    user.ui.keepOutBox.checked = False
    assert len(propose(user)) == 2


def test_what_is_not_found_is_told(user):
    noise = np.random.default_rng(0).integers(-1010, -990, GEOMETRY.shape).astype(np.int16)
    import slicer

    slicer.util.updateVolumeFromArray(user.volume, noise)
    user.application.process_events()
    assert propose(user) == []
    assert user.status == f"Nothing was found of: {BODY}, {AIR}."
    assert not user.ui.applyButton.isEnabled()


def test_cancel_drops_the_proposal(user):
    propose(user)
    user.button("cancelButton")
    assert preview(user) == [] and user.status == "Cancelled."


def test_a_volume_that_changes_is_not_segmented_as_it_was(user):
    import slicer

    propose(user)
    slicer.util.arrayFromVolume(user.volume)[:] += 1
    slicer.util.arrayFromVolumeModified(user.volume)
    user.wait(lambda: "press Propose to segment what it shows now" in user.status)
    assert preview(user) == [] and not user.ui.applyButton.isEnabled()


def test_prompts_come_back_with_a_model_that_takes_them(user):
    selector = user.ui.modelSelector
    selector.setCurrentIndex(selector.findData("litemedsam"))
    assert not user.ui.structuresBox.visible and user.ui.positiveButton.isEnabled()
    user.place((44.0, 36.0, 20.0))
    user.wait(lambda: user.is_busy)
    selector.setCurrentIndex(selector.findData(NAME))
    user.wait(lambda: not user.is_busy)
    assert len(user.rows) == 1 and not user.ui.promptList.isEnabled()
    user.session.undo()
    assert len(user.rows) == 1 and "finds its structures by itself" in user.status
    assert len(propose(user)) == 2
    selector.setCurrentIndex(selector.findData("litemedsam"))
    user.wait(lambda: user.is_busy)
    assert len(user.rows) == 1


@pytest.mark.parametrize("grid", ["oblique", "gantry tilt"])
def test_however_the_volume_lies_they_lie_where_they_are(make_user, grid):
    user = make_user(GRIDS[grid], PARENTS["sheared"])
    propose(user)
    user.apply()
    for name, mask in added(user).items():
        assert dice(mask > 0, truth()[name]) > 0.99


def test_when_its_folder_goes_another_segment_can_be_chosen_and_the_effect_left(user, model):
    propose(user)
    shutil.rmtree(model.weights_folder)
    other = user.segmentation.GetSegmentation().AddEmptySegment("", "Other")
    user.choose_segment(other)
    assert user.session._target.segment_id == other and preview(user) == []
    user.choose_effect("")
    assert not user.session.is_active


def test_when_its_folder_goes_meanwhile_that_is_told(user, model):
    user.button("proposeButton")
    shutil.rmtree(model.weights_folder)
    user.wait(lambda: not user.is_busy)
    assert "put the file thresholds.safetensors into" in user.status and preview(user) == []
    user.choose_effect("")
    assert not user.session.is_active
