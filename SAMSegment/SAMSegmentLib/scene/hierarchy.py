"""What of ours is in the subject hierarchy: items of hidden segmentations, which no tree shows."""

from __future__ import annotations

import slicer
import vtk

#: Names our items, also in saved scenes.
MARK = "SAMSegment"
_EXCLUDE = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyExcludeFromTreeAttributeName()


def add_hidden_item(segmentation_node) -> None:
    """Gives a hidden segmentation in a scene an item; to be called before anything in it changes.

    Slicer makes none for hidden nodes (qSlicerSubjectHierarchyPluginLogic::onNodeAdded), but looks
    for one at each change of any segmentation, and logs a critical error if it is not there
    (qSlicerSubjectHierarchySegmentationsPlugin). The item goes with its node.
    """
    hierarchy = _hierarchy_of(segmentation_node.GetScene())
    segmentation_node.SetAttribute(_EXCLUDE, "1")
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), segmentation_node)
    hierarchy.SetItemAttribute(item, MARK, "1")


def remove_orphans(scene) -> None:
    """Removes items of ours whose node is gone: scenes and scene views keep them without it."""
    if scene.IsBatchProcessing():
        return
    hierarchy, items = _hierarchy_of(scene), vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items)
    for item in [items.GetId(index) for index in range(items.GetNumberOfIds())]:
        if hierarchy.HasItemAttribute(item, MARK) and hierarchy.GetItemDataNode(item) is None:
            hierarchy.RemoveItem(item, False, True)


def _hierarchy_of(scene):
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
