"""Items of hidden segmentations in the subject hierarchy, which no tree shows."""

from __future__ import annotations

import slicer
import vtk

#: The attribute of these items, also in saved scenes.
MARK = "SAMSegment"
_EXCLUDE = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyExcludeFromTreeAttributeName()


def add_hidden_item(segmentation_node: slicer.vtkMRMLSegmentationNode) -> None:
    """Gives a hidden segmentation in a scene an item; to be called before anything in it changes.

    Slicer makes none for hidden nodes (qSlicerSubjectHierarchyPluginLogic::onNodeAdded), but looks
    for one at each change of any segmentation, and logs a critical error if it is not there
    (qSlicerSubjectHierarchySegmentationsPlugin). The item goes with its node.
    """
    hierarchy = _hierarchy_of(segmentation_node.GetScene())
    segmentation_node.SetAttribute(_EXCLUDE, "1")
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), segmentation_node)
    hierarchy.SetItemAttribute(item, MARK, "1")


def remove_hidden_item(segmentation_node: slicer.vtkMRMLSegmentationNode) -> None:
    """Removes the item and leaves the segments; nothing in them may change without it.

    Slicer's plugin would remove each segment with its item: it finds it by the item's attribute
    (qSlicerSubjectHierarchySegmentationsPlugin::onSubjectHierarchyItemAboutToBeRemoved).
    """
    hierarchy = _hierarchy_of(segmentation_node.GetScene())
    item = hierarchy.GetItemByDataNode(segmentation_node)
    if item == hierarchy.GetInvalidItemID():
        return
    for child in _children(hierarchy, item):
        hierarchy.RemoveItemAttribute(child, segmentation_node.GetSegmentIDAttributeName())
    hierarchy.RemoveItem(item, False, False)


def remove_orphans(scene: slicer.vtkMRMLScene) -> None:
    """Removes hidden items whose node is gone: scenes and scene views keep them without it."""
    if scene.IsBatchProcessing():
        return
    hierarchy = _hierarchy_of(scene)
    for item in _children(hierarchy, hierarchy.GetSceneItemID()):
        if hierarchy.HasItemAttribute(item, MARK) and hierarchy.GetItemDataNode(item) is None:
            hierarchy.RemoveItem(item, False, True)


def _children(hierarchy, parent: int) -> list[int]:
    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(parent, items)
    return [items.GetId(index) for index in range(items.GetNumberOfIds())]


def _hierarchy_of(scene):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
