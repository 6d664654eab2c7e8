"""What the effect leaves in Slicer's scene, its hierarchy, its files and its log."""

import pytest
import vtk

from SlicerHost.scene_builder import items_of

from ..conftest import BALL

pytestmark = pytest.mark.mrml

OURS = "SAM Segment"


def names(user) -> list[str]:
    """Names of all items of the subject hierarchy."""
    return [name for _, _, name in items_of(user.application.hierarchy)]


def orphans(user) -> list[int]:
    """Items of ours without a node."""
    hierarchy = user.application.hierarchy
    return [
        item
        for item, parent, name in items_of(hierarchy)
        if name.startswith(OURS)
        and parent == hierarchy.GetSceneItemID()
        and hierarchy.GetItemDataNode(item) is None
    ]


def save_and_load(user, folder) -> None:
    (folder / "scene").mkdir(parents=True)
    (folder / "cache").mkdir()
    user.application.save_mrb(folder / "scene" / "scene.mrb")
    user.application.load_mrb(folder / "scene" / "scene.mrb", folder / "cache")


def choose_again(user) -> None:
    """Segmentation and effect: reading a scene has taken the editor's segmentation away."""
    segmentation = user.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert user.editor.segmentationNode() is None
    user.editor.setSegmentationNode(segmentation)
    user.choose_effect()


def test_leaving_the_effect_leaves_nothing_in_the_hierarchy(user):
    before = [name for name in names(user) if not name.startswith(OURS)]
    user.propose(BALL)
    user.apply()
    user.choose_effect("")
    assert names(user) == before


def test_a_scene_saved_with_a_preview_open_is_clean_when_it_is_loaded(user, tmp_path):
    from SAMSegmentLib.ui.module import registration

    user.propose(BALL)
    save_and_load(user, tmp_path)
    # Nobody has cleaned up yet.
    assert len(orphans(user)) == 1
    registration.clean_loaded_scenes()
    choose_again(user)
    user.propose(BALL)
    save_and_load(user, tmp_path / "again")
    user.application.process_events()
    assert orphans(user) == []
    assert {"CT", "Segmentation", "Lesion", "Other"} <= set(names(user))


def test_choosing_the_effect_cleans_a_scene_that_was_loaded_before(user, tmp_path):
    user.propose(BALL)
    save_and_load(user, tmp_path)
    assert len(orphans(user)) == 1
    choose_again(user)
    assert orphans(user) == []


def test_a_hierarchy_that_somebody_empties_costs_no_more_than_a_new_preview(user):
    mask = user.propose(BALL)
    hierarchy = user.application.hierarchy
    item = hierarchy.GetItemByDataNode(user.preview)
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, children)
    # Slicer's plugin takes the segment along with its item.
    hierarchy.RemoveItem(children.GetId(0))
    assert user.preview_mask() is None
    assert user.propose((33, 30, 20)).sum() == pytest.approx(mask.sum(), rel=0.2)


def test_nothing_can_be_applied_before_it_is_drawn(user, monkeypatch):
    from SAMSegmentLib.scene.preview import Preview

    show_steps, released = Preview.show_steps, []

    def slow(*arguments):
        while not released:
            yield
        yield from show_steps(*arguments)

    user.propose(BALL)
    assert user.ui.applyButton.enabled
    monkeypatch.setattr(Preview, "show_steps", slow)
    user.place((33, 30, 27), positive=False)
    user.wait(lambda: user.is_busy)
    user.wait(lambda: not user.is_busy)
    user.application.wait(seconds=0.05)
    assert not user.ui.applyButton.enabled
    user.session.apply()  # as by Ctrl+Return
    assert not user.mask().any()
    released.append(True)
    user.wait(lambda: user.ui.applyButton.enabled)
    seen = user.preview_mask()
    user.apply()
    assert (user.mask() == seen).all()


def test_a_preview_that_was_deleted_is_drawn_again_before_it_is_applied(user):
    mask = user.propose(BALL)
    user.scene.RemoveNode(user.preview)
    user.session.apply()
    assert not user.mask().any()
    user.wait(lambda: user.preview_mask() is not None)
    assert (user.preview_mask() == mask).all()
    user.apply()
    assert (user.mask() == mask).all()
