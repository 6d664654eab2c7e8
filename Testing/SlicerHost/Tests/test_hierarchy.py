"""Which nodes get an item in the subject hierarchy, and what Slicer logs of those without one."""

import pytest
import slicer
import vtk

from SlicerHost.scene_builder import items_of

pytestmark = pytest.mark.mrml


def hidden_segmentation(application):
    node = slicer.vtkMRMLSegmentationNode()
    node.SetHideFromEditors(True)
    node.SetName("Hidden")
    return application.scene.AddNode(node)


def test_nodes_get_an_item_when_they_are_added_and_lose_it_when_they_go(application):
    node = application.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Shown")
    node.GetSegmentation().AddEmptySegment("", "First")
    assert [name for _, _, name in items_of(application.hierarchy)] == ["Shown", "First"]
    application.scene.RemoveNode(node)
    assert items_of(application.hierarchy) == []
    assert application.errors == []


def test_a_hidden_segmentation_gets_none_and_each_change_of_it_is_a_critical_error(application):
    node = hidden_segmentation(application)
    assert items_of(application.hierarchy) == []
    assert application.errors == []
    node.GetSegmentation().AddEmptySegment("", "First")
    node.CreateDefaultDisplayNodes()
    texts = [problem.text for problem in application.errors]
    assert any("onSegmentAdded: Failed to access" in text for text in texts)
    assert any("updateAllSegmentsFromMRML: Unable to find" in text for text in texts)


def test_removing_the_item_of_a_segment_removes_the_segment(application):
    node = application.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Shown")
    node.GetSegmentation().AddEmptySegment("", "First")
    hierarchy, children = application.hierarchy, vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetItemByDataNode(node), children)
    hierarchy.RemoveItem(children.GetId(0), False, True)
    assert node.GetSegmentation().GetNumberOfSegments() == 0


def test_renaming_an_item_renames_the_segment(application):
    node = application.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Shown")
    segment_id = node.GetSegmentation().AddEmptySegment("", "First")
    hierarchy, children = application.hierarchy, vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetItemByDataNode(node), children)
    hierarchy.SetItemName(children.GetId(0), "Second")
    assert node.GetSegmentation().GetSegment(segment_id).GetName() == "Second"


def test_a_loaded_scene_has_one_item_for_each_node(application, tmp_path):
    application.add("vtkMRMLScalarVolumeNode", "Volume")
    (tmp_path / "scene").mkdir()
    (tmp_path / "cache").mkdir()
    application.save_mrb(tmp_path / "scene" / "scene.mrb")
    application.load_mrb(tmp_path / "scene" / "scene.mrb", tmp_path / "cache")
    assert [name for _, _, name in items_of(application.hierarchy)] == ["Volume"]
