"""What the effect leaves in Slicer's scene, its hierarchy, its files and its log."""

import pytest
import vtk

from SlicerHost.studio import items_of

from .conftest import BALL

pytestmark = pytest.mark.mrml

OURS = "SAM Segment"


def names(desk) -> list[str]:
    """Names of all items of the subject hierarchy."""
    return [name for _, _, name in items_of(desk.application.hierarchy)]


def orphans(desk) -> list[int]:
    """Items of ours without a node."""
    hierarchy = desk.application.hierarchy
    return [
        item
        for item, parent, name in items_of(hierarchy)
        if name.startswith(OURS)
        and parent == hierarchy.GetSceneItemID()
        and hierarchy.GetItemDataNode(item) is None
    ]


def save_and_load(desk, folder) -> None:
    (folder / "scene").mkdir(parents=True)
    (folder / "cache").mkdir()
    desk.application.save_mrb(folder / "scene" / "scene.mrb")
    desk.application.load_mrb(folder / "scene" / "scene.mrb", folder / "cache")


def choose_again(desk) -> None:
    """Segmentation and effect: reading a scene has taken the editor's segmentation away."""
    segmentation = desk.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    assert desk.editor.segmentationNode() is None
    desk.editor.setSegmentationNode(segmentation)
    desk.choose_effect()


def test_leaving_the_effect_leaves_nothing_in_the_hierarchy(desk):
    before = [name for name in names(desk) if not name.startswith(OURS)]
    desk.propose(BALL)
    desk.apply()
    desk.choose_effect("")
    assert names(desk) == before


def test_a_scene_saved_with_a_preview_open_is_clean_when_it_is_loaded(desk, tmp_path):
    from SAMSegmentLib.ui import registration

    desk.propose(BALL)
    save_and_load(desk, tmp_path)
    # Nobody has cleaned up yet.
    assert len(orphans(desk)) == 1
    registration.clean_loaded_scenes()
    choose_again(desk)
    desk.propose(BALL)
    save_and_load(desk, tmp_path / "again")
    desk.application.process_events()
    assert orphans(desk) == []
    assert {"CT", "Segmentation", "Lesion", "Other"} <= set(names(desk))


def test_choosing_the_effect_cleans_a_scene_that_was_loaded_before(desk, tmp_path):
    desk.propose(BALL)
    save_and_load(desk, tmp_path)
    assert len(orphans(desk)) == 1
    choose_again(desk)
    assert orphans(desk) == []


def test_a_hierarchy_that_somebody_empties_costs_no_more_than_a_new_preview(desk):
    mask = desk.propose(BALL)
    hierarchy = desk.application.hierarchy
    item = hierarchy.GetItemByDataNode(desk.preview)
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, children)
    # Slicer's plugin takes the segment along with its item.
    hierarchy.RemoveItem(children.GetId(0))
    assert desk.preview_mask() is None
    assert desk.propose((33, 30, 20)).sum() == pytest.approx(mask.sum(), rel=0.2)


def test_nothing_can_be_applied_before_it_is_drawn(desk, monkeypatch):
    from SAMSegmentLib.scene.preview import Preview

    showing, free = Preview.showing, []

    def slow(*arguments):
        while not free:
            yield
        yield from showing(*arguments)

    desk.propose(BALL)
    assert desk.ui.applyButton.enabled
    monkeypatch.setattr(Preview, "showing", slow)
    desk.place((33, 30, 27), positive=False)
    desk.wait(lambda: desk.is_asking)
    desk.wait(lambda: not desk.is_asking)
    desk.application.wait(seconds=0.05)
    assert not desk.ui.applyButton.enabled
    desk.session.apply()  # as by Ctrl+Return
    assert not desk.mask().any()
    free.append(True)
    desk.wait(lambda: desk.ui.applyButton.enabled)
    seen = desk.preview_mask()
    desk.apply()
    assert (desk.mask() == seen).all()


def test_a_preview_that_was_deleted_is_drawn_again_before_it_is_applied(desk):
    mask = desk.propose(BALL)
    desk.scene.RemoveNode(desk.preview)
    desk.session.apply()
    assert not desk.mask().any()
    desk.wait(lambda: desk.preview_mask() is not None)
    assert (desk.preview_mask() == mask).all()
    desk.apply()
    assert (desk.mask() == mask).all()
