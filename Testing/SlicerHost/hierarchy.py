"""The subject hierarchy as Slicer keeps it: who gets an item, and what its plugins complain of.

Qt classes in Slicer: qSlicerSubjectHierarchyPluginLogic, qSlicerSubjectHierarchyPluginHandler and
qSlicerSubjectHierarchySegmentationsPlugin.
"""

from __future__ import annotations

import weakref

import slicer
import vtk

from . import errors

_NODE, _CONSTANTS = slicer.vtkMRMLSubjectHierarchyNode, slicer.vtkMRMLSubjectHierarchyConstants
NO_ITEM = _NODE.GetInvalidItemID()
VIRTUAL = _CONSTANTS.GetSubjectHierarchyVirtualBranchAttributeName()
SEGMENT_ID = slicer.vtkMRMLSegmentationNode.GetSegmentIDAttributeName()
SEGMENTATIONS, SEGMENTS = "qSlicerSubjectHierarchySegmentationsPlugin", "Segments"
# By class, the first that fits: the plugin that is the most confident.
PLUGINS = (
    ("vtkMRMLSegmentationNode", "Segmentations"),
    ("vtkMRMLLabelMapVolumeNode", "LabelMaps"),
    ("vtkMRMLScalarVolumeNode", "Volumes"),
    ("vtkMRMLMarkupsNode", "Markups"),
    ("vtkMRMLModelNode", "Models"),
    ("vtkMRMLTransformNode", "Transforms"),
    ("vtkMRMLTableNode", "Tables"),
    ("vtkMRMLTextNode", "Texts"),
)


class Hierarchy:
    """Keeps a scene's subject hierarchy, as long as somebody keeps this."""

    def __init__(self, scene) -> None:
        self._scene = scene
        self._observers: dict[object, list[int]] = {}
        self._removing_segment = False
        events = slicer.vtkMRMLScene
        self._listen(scene, events.NodeAddedEvent, "_on_added", vtk.VTK_OBJECT)
        self._listen(scene, events.NodeAboutToBeRemovedEvent, "_on_going", vtk.VTK_OBJECT)
        self._listen(scene, events.NodeRemovedEvent, "_on_removed", vtk.VTK_OBJECT)
        self._listen(scene, events.EndImportEvent, "_on_imported", priority=10.0)
        self._listen(scene, events.EndCloseEvent, "_on_closed")
        self._listen(scene, events.EndRestoreEvent, "_on_restored")
        self._listen(scene, events.EndBatchProcessEvent, "_on_batch_done", priority=10.0)
        self._observe_hierarchy()

    def __del__(self) -> None:
        # VTK must not hand over what is just being destroyed.
        for subject in list(self._observers):
            self._leave(subject)

    @property
    def node(self):
        return self._scene.GetSubjectHierarchyNode()

    # qSlicerSubjectHierarchyPluginLogic

    def _on_added(self, node) -> None:
        if node.IsA("vtkMRMLSubjectHierarchyNode"):
            _NODE.ResolveSubjectHierarchy(self._scene)
            self._observe_hierarchy(node)
            return
        if not (self._scene.IsImporting() or node.GetHideFromEditors()):
            self._add(node)
        if node.IsA("vtkMRMLSegmentationNode"):
            # qSlicerSegmentationsModule::onNodeAdded: of all, hidden or not.
            self._listen_to_segmentation(node)

    def _on_going(self, node) -> None:
        if self._scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        item = self.node.GetItemByDataNode(node)
        if item:
            self.node.RemoveItem(item, False, False)

    def _on_removed(self, node) -> None:
        self._leave(node)
        if not self._scene.IsClosing() and node.IsA("vtkMRMLSubjectHierarchyNode"):
            _NODE.ResolveSubjectHierarchy(self._scene)
            self._add_all()

    def _on_imported(self) -> None:
        # Inside a batch nothing is resolved yet, and nodes would get a second item.
        if not self._scene.IsBatchProcessing():
            _NODE.ResolveSubjectHierarchy(self._scene)
            self._add_all()

    def _on_closed(self) -> None:
        self._observe_hierarchy(_NODE.ResolveSubjectHierarchy(self._scene))

    def _on_restored(self) -> None:
        _NODE.ResolveSubjectHierarchy(self._scene)

    def _on_batch_done(self) -> None:
        _NODE.ResolveSubjectHierarchy(self._scene)
        node = self.node
        items = vtk.vtkIdList()
        node.GetItemChildren(node.GetSceneItemID(), items, True)
        for item in [items.GetId(index) for index in range(items.GetNumberOfIds())]:
            kept = (
                node.GetItemLevel(item)
                or node.GetItemOwnerPluginName(item) == SEGMENTS
                or node.HasItemAttribute(item, VIRTUAL)
            )
            if not kept and node.GetItemDataNode(item) is None:
                node.RemoveItem(item, False, False)
        self._add_all()

    def _add_all(self) -> None:
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            if not node.GetHideFromEditors() and not self.node.GetItemByDataNode(node):
                self._add(node)

    def _add(self, node) -> None:
        plugin = next((plugin for kind, plugin in PLUGINS if node.IsA(kind)), None)
        if plugin is None:
            return
        self.node.CreateItem(self.node.GetSceneItemID(), node, plugin)
        if plugin == "Segmentations":
            self._update_segments(node)

    # qSlicerSubjectHierarchyPluginHandler

    def _observe_hierarchy(self, node=None) -> None:
        node = node or self.node
        if node in self._observers:
            return
        for event in ("ItemAdded", "ItemOwnerPluginSearchRequested"):
            event = getattr(_NODE, f"SubjectHierarchy{event}Event", None) or getattr(
                _NODE, f"SubjectHierarchy{event}"
            )
            self._listen(node, event, "_find_owner", vtk.VTK_LONG)
        event = _NODE.SubjectHierarchyItemAboutToBeRemovedEvent
        self._listen(node, event, "_on_item_going", vtk.VTK_LONG)
        event = _NODE.SubjectHierarchyItemModifiedEvent
        self._listen(node, event, "_on_item_modified", vtk.VTK_LONG)

    def _find_owner(self, item: int) -> None:
        if self._scene.IsImporting() or item == NO_ITEM:
            return
        node, data = self.node, self.node.GetItemDataNode(item)
        if node.GetItemAttribute(item, SEGMENT_ID):
            owner = SEGMENTS
        elif node.GetItemLevel(item) == "Folder":
            owner = "Folder"
        else:
            fits = (plugin for kind, plugin in PLUGINS if data is not None and data.IsA(kind))
            owner = next(fits, "Default")
        if owner == "Segmentations":
            # qSlicerSubjectHierarchySegmentationsPlugin::canOwnSubjectHierarchyItem
            node.SetItemAttribute(item, VIRTUAL, "1")
        node.SetItemOwnerPluginName(item, owner)

    # qSlicerSubjectHierarchySegmentationsPlugin

    def _listen_to_segmentation(self, node) -> None:
        segmentation, name = slicer.vtkSegmentation, vtk.VTK_STRING
        self._listen(node, segmentation.SegmentAdded, "_on_segment_added", name, with_caller=True)
        removed = segmentation.SegmentRemoved
        self._listen(node, removed, "_on_segment_removed", name, with_caller=True)
        modified = segmentation.SegmentModified
        self._listen(node, modified, "_on_segment_modified", name, with_caller=True)
        display = slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent
        self._listen(node, display, "_update_segments", with_caller=True)

    def _on_segment_added(self, node, segment_id=None) -> None:
        if _is_importing(node):
            return
        item = self.node.GetItemByDataNode(node)
        if item == NO_ITEM:
            self._complain("onSegmentAdded", "Failed to access subject hierarchy item", node)
        elif segment_id is None:
            self._update_segments(node)
        elif self._segment_item(item, segment_id) is None:
            segmentation = node.GetSegmentation()
            segment = segmentation.GetSegment(segment_id)
            place = segmentation.GetSegmentIndex(segment_id)
            new = self.node.CreateHierarchyItem(item, segment.GetName() or "", VIRTUAL, place)
            self.node.SetItemAttribute(new, SEGMENT_ID, segment_id)
            self._find_owner(new)

    def _on_segment_removed(self, node, segment_id=None) -> None:
        if self._removing_segment:
            return
        item = self.node.GetItemByDataNode(node)
        if item == NO_ITEM:
            self._complain("onSegmentRemoved", "Subject hierarchy item cannot be found", node)
        elif segment_id is None:
            self._update_segments(node)
        elif (child := self._segment_item(item, segment_id)) is not None:
            self.node.RemoveItem(child)

    def _on_segment_modified(self, node, segment_id=None) -> None:
        if _is_importing(node):
            return
        item = self.node.GetItemByDataNode(node)
        if item == NO_ITEM:
            self._complain("onSegmentModified", "Unable to find subject hierarchy item", node)
        elif segment_id is None:
            self._update_segments(node)
        elif node.GetSegmentation().GetSegment(segment_id) is None:
            errors.critical(f"{SEGMENTATIONS}: Failed to get added segment with ID '{segment_id}'")
        elif (child := self._segment_item(item, segment_id)) is not None:
            name = node.GetSegmentation().GetSegment(segment_id).GetName() or ""
            if self.node.GetItemName(child) != name:
                self.node.SetItemName(child, name)

    def _update_segments(self, node) -> None:
        if _is_importing(node):
            return
        item = self.node.GetItemByDataNode(node)
        if item == NO_ITEM:
            what = "updateAllSegmentsFromMRML"
            self._complain(what, "Unable to find subject hierarchy item", node)
            return
        missing = list(node.GetSegmentation().GetSegmentIDs())
        for child in self._children(item):
            segment_id = self.node.GetItemAttribute(child, SEGMENT_ID)
            if segment_id not in missing:
                self._on_segment_removed(node, segment_id)
            else:
                self._on_segment_modified(node, segment_id)
                missing.remove(segment_id)
        for segment_id in missing:
            self._on_segment_added(node, segment_id)

    def _on_item_modified(self, item: int) -> None:
        segment, name = self._segment_of(item), self.node.GetItemName(item)
        if segment is not None and segment.GetName() != name:
            segment.SetName(name)

    def _on_item_going(self, item: int) -> None:
        if self._scene.IsClosing():
            return
        if self._segment_of(item) is None:
            return
        node = self.node.GetItemDataNode(self.node.GetItemParent(item))
        self._removing_segment = True
        node.GetSegmentation().RemoveSegment(self.node.GetItemAttribute(item, SEGMENT_ID))
        self._removing_segment = False

    def _segment_of(self, item: int):
        if item == NO_ITEM or not self.node.HasItemAttribute(item, SEGMENT_ID):
            return None
        parent = self.node.GetItemParent(item)
        node = self.node.GetItemDataNode(parent) if parent != NO_ITEM else None
        if node is None or not node.IsA("vtkMRMLSegmentationNode"):
            return None
        return node.GetSegmentation().GetSegment(self.node.GetItemAttribute(item, SEGMENT_ID))

    def _segment_item(self, item: int, segment_id: str) -> int | None:
        children = self._children(item)
        wanted = (c for c in children if self.node.GetItemAttribute(c, SEGMENT_ID) == segment_id)
        return next(wanted, None)

    def _children(self, item: int) -> list[int]:
        children = vtk.vtkIdList()
        self.node.GetItemChildren(item, children)
        return [children.GetId(index) for index in range(children.GetNumberOfIds())]

    def _complain(self, method: str, what: str, node) -> None:
        name = f"{SEGMENTATIONS}::{method}"
        errors.critical(f"{name}: {what} for segmentation node {node.GetName()}")

    # Listening

    def _listen(
        self, subject, event, method: str, data=None, priority=0.0, with_caller=False
    ) -> None:
        weak = weakref.ref(self)

        def hear(caller, name, *call_data) -> None:
            alive = weak()
            if alive is not None:
                getattr(alive, method)(*([caller] if with_caller else []), *call_data)

        if data is not None:
            hear = vtk.calldata_type(data)(hear)
        self._observers.setdefault(subject, []).append(subject.AddObserver(event, hear, priority))

    def _leave(self, subject) -> None:
        for tag in self._observers.pop(subject, ()):
            subject.RemoveObserver(tag)


def _is_importing(node) -> bool:
    return node.GetScene() is not None and node.GetScene().IsImporting()
