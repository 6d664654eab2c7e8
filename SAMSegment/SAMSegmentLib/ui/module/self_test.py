"""The module's self test: runs in a real Slicer, under CTest or by *Reload and Test*.

It uses nothing but what Slicer itself offers: nodes, the Segment Editor widget, and the widgets of
the effect as a user finds them.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import slicer
import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest
from vtk.util.numpy_support import vtk_to_numpy

from ...logic import SAMSegmentLogic
from .phantom import make_phantom
from .registration import register_effect

EFFECT = "SAM Segment"
# A cold start of PyTorch on a slow computer, and the model after it.
TIMEOUT_S = 180.0
LOG_TIMEOUT_S = 10.0
GOOD_DICE = 0.8


class SAMSegmentTest(ScriptedLoadableModuleTest):
    """Panel, switching effects, from a click to a segment, saving, and the same from a script."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def tearDown(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        for test in (
            self.test_panel_opens_and_is_left,
            self.test_switching_effects,
            self.test_point_proposal_apply_undo,
            self.test_scene_saved_with_preview_open,
            self.test_segment_sphere_from_roi,
        ):
            self.setUp()
            try:
                test()
            finally:
                self.tearDown()

    def test_panel_opens_and_is_left(self):
        """The module's panel is set up, entered and left without an error in Slicer's log."""
        log = Log()
        panel = slicer.util.getModule("SAMSegment").widgetRepresentation()
        for _ in range(2):
            panel.enter()
            panel.exit()
        self.assertNotEqual(slicer.util.findChild(panel, "torchLabel").text, "")
        self.assertEqual(log.errors(), [])

    def test_switching_effects(self):
        """From every other effect to this one, which is ready for a click then, and back."""
        log, user = Log(), User()
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        try:
            for other in [name for name in user.editor.availableEffectNames() if name != EFFECT]:
                for name, mode in (
                    (other, interaction.ViewTransform),
                    (EFFECT, interaction.Place),
                    (other, interaction.ViewTransform),
                ):
                    user.editor.setActiveEffectByName(name)
                    slicer.app.processEvents()
                    effect = user.editor.activeEffect()
                    self.assertIsNotNone(effect, f"{other}: no effect is active, instead of {name}")
                    self.assertEqual(effect.name, name)
                    self.assertEqual(interaction.GetCurrentInteractionMode(), mode, other)
        finally:
            user.close()
        self.assertEqual(log.errors(), [])

    def test_scene_saved_with_preview_open(self):
        """A scene that is saved in the middle of the work is loaded without any hidden node."""
        log, user = Log(), User()
        try:
            user.editor.setActiveEffectByName(EFFECT)
            slicer.app.processEvents()
            user.click(user.phantom.center)
            self._wait(lambda: user.child("applyButton").enabled, user)
            with TemporaryDirectory() as folder:
                path = f"{folder}/saved.mrb"
                self.assertTrue(slicer.mrmlScene.WriteToMRB(path, None))
                self.assertTrue(user.child("applyButton").enabled)
                user.close()
                self.assertTrue(slicer.mrmlScene.ReadFromMRB(path, True))
        finally:
            user.close()
        slicer.app.processEvents()
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        items = vtk.vtkIdList()
        hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
        names = [hierarchy.GetItemName(items.GetId(n)) for n in range(items.GetNumberOfIds())]
        self.assertEqual(sorted(names), ["Phantom", "Segmentation", "Sphere"])
        self.assertEqual(log.errors(), [])

    def test_point_proposal_apply_undo(self):
        """A click becomes a proposal, that a segment; undo takes it back; nothing is left over."""
        log, user = Log(), User()
        try:
            self._click_apply_undo(user)
        finally:
            user.close()
        self.assertEqual(log.errors(), [])

    def _click_apply_undo(self, user) -> None:
        phantom = user.phantom
        voxelsBefore = slicer.util.arrayFromVolume(user.volume).copy()
        nodesBefore = _nodeIds()

        user.editor.setActiveEffectByName(EFFECT)
        effect = user.editor.activeEffect()
        self.assertIsNotNone(effect, "the effect is not registered")
        self.assertEqual(effect.name, EFFECT)
        apply = user.child("applyButton")
        self.assertFalse(apply.enabled)

        self.delayDisplay("A positive point in the middle of the sphere")
        user.click(phantom.center)
        self._wait(lambda: apply.enabled, user)
        self.assertEqual(user.child("promptList").count, 1)

        preview = self._preview(nodesBefore)
        # It is drawn piece by piece.
        self._wait(lambda: phantom.dice(user.mask(preview)) > GOOD_DICE, user)
        self.assertFalse(user.mask(user.segmentation, user.segmentId).any())

        self.delayDisplay("A stricter threshold makes it smaller, without the model")
        slider = user.child("thresholdSlider")
        proposed = user.mask(preview)
        slider.setValue(0.9)
        self._wait(lambda: user.mask(preview).sum() < proposed.sum(), user)
        slider.setValue(0.5)
        self._wait(lambda: np.array_equal(user.mask(preview), proposed), user)

        self.delayDisplay("Apply, undo, redo")
        apply.click()
        self._wait(lambda: user.mask(user.segmentation, user.segmentId).any(), user)
        written = user.mask(user.segmentation, user.segmentId)
        self.assertTrue(np.array_equal(written, proposed))
        user.editor.undo()
        self.assertFalse(user.mask(user.segmentation, user.segmentId).any())
        user.editor.redo()
        self.assertTrue(np.array_equal(user.mask(user.segmentation, user.segmentId), written))

        self.delayDisplay("Leaving the effect leaves nothing behind")
        user.editor.setActiveEffect(None)
        slicer.app.processEvents()
        self.assertEqual(_nodeIds() - nodesBefore, set())
        self.assertTrue((slicer.util.arrayFromVolume(user.volume) == voxelsBefore).all())
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        self.assertEqual(interaction.GetCurrentInteractionMode(), interaction.ViewTransform)
        self.delayDisplay(f"Test passed, Dice {phantom.dice(written):.3f}")

    def test_segment_sphere_from_roi(self):
        """A bright sphere in soft tissue, an ROI around it: the segment is the sphere."""
        phantom = make_phantom()
        volumeNode = _addVolume(phantom)
        roiNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Around the sphere")
        roiNode.SetCenterWorld(phantom.center)
        roiNode.SetSizeWorld([2.2 * phantom.radius] * 3)
        segmentationNode = _addSegmentation(volumeNode)
        voxelsBefore = slicer.util.arrayFromVolume(volumeNode).copy()
        nodesBefore = _nodeIds()

        segmentId = SAMSegmentLogic().segment(volumeNode, segmentationNode, roi=roiNode)

        self.assertEqual(_nodeIds(), nodesBefore)
        mask = _mask(segmentationNode, segmentId, phantom)
        self.assertGreater(phantom.dice(mask), GOOD_DICE)
        self.assertEqual(segmentationNode.GetSegmentation().GetNumberOfSegments(), 1)
        self.assertTrue((slicer.util.arrayFromVolume(volumeNode) == voxelsBefore).all())
        for axis in range(3):
            self.assertAlmostEqual(roiNode.GetCenterWorld()[axis], phantom.center[axis])
        self.delayDisplay(f"Test passed, Dice {phantom.dice(mask):.3f}")

    def _preview(self, nodesBefore):
        """The segmentation node that was not there before."""
        new = [slicer.mrmlScene.GetNodeByID(nodeId) for nodeId in _nodeIds() - nodesBefore]
        previews = [node for node in new if node.IsA("vtkMRMLSegmentationNode")]
        self.assertEqual(len(previews), 1)
        self.assertTrue(previews[0].GetHideFromEditors())
        self.assertFalse(previews[0].GetSaveWithScene())
        return previews[0]

    def _wait(self, condition, user) -> None:
        """Lets Slicer work until a condition holds."""
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            if time.monotonic() > end:
                self.fail(f"Nothing came. The panel says: {user.child('statusLabel').text!r}")
            slicer.app.processEvents()
            time.sleep(0.01)  # the model's process needs the processor, too


class Log:
    """What Slicer writes into its log from now on.

    Read from the file: of the model's rows, Python sees those that the log window's filter leaves,
    and messages within a second share one (ctkErrorLogAbstractModel; setLogEntryGrouping in
    qSlicerApplication).
    """

    SERIOUS = re.compile(rb"\[(ERROR|CRITICAL|FATAL)\]")

    def __init__(self) -> None:
        self._path = Path(slicer.app.errorLogModel().filePath)
        self._begin = self._here()

    def errors(self) -> list[str]:
        """All errors and worse; of one that was printed, each line."""
        slicer.app.processEvents()
        time.sleep(0.1)  # what other processes print comes by way of a pipe and a thread
        end = self._here()
        lines = self._path.read_bytes()[self._begin : end].splitlines()
        return [line.decode(errors="replace") for line in lines if self.SERIOUS.match(line)]

    def _here(self) -> int:
        """Where the file ends when all that was logged until now is in it.

        Raises:
            RuntimeError: if nothing gets into it.
        """
        mark = f"SAMSegment self test, mark {uuid.uuid4()}"
        logging.info(mark)
        end = time.monotonic() + LOG_TIMEOUT_S
        while time.monotonic() < end:
            slicer.app.processEvents()  # the log is written by the event loop
            place = self._path.read_bytes().find(mark.encode())
            if place >= 0:
                return place
            time.sleep(0.01)
        raise RuntimeError(f"Slicer writes nothing into its log, {self._path}")


class User:
    """A volume, an empty segment, and a Segment Editor in which they are selected."""

    def __init__(self) -> None:
        register_effect()
        self.phantom = make_phantom()
        self.volume = _addVolume(self.phantom)
        self.segmentation = _addSegmentation(self.volume)
        self.segmentId = self.segmentation.GetSegmentation().AddEmptySegment("", "Sphere")
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMaximumNumberOfUndoStates(10)
        # Before the scene, as the widget's documentation asks for.
        self.editorNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        self.editor.setMRMLSegmentEditorNode(self.editorNode)
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.editor.setSegmentationNode(self.segmentation)
        self.editor.setSourceVolumeNode(self.volume)
        self.editor.setCurrentSegmentID(self.segmentId)
        self.editor.show()
        slicer.app.processEvents()

    def child(self, name: str):
        """A widget of the effect's panel."""
        return slicer.util.findChild(self.editor.activeEffect().optionsFrame(), name)

    def click(self, ras: Sequence[float]) -> None:
        """Places a control point (world, mm) in the list that the next click would go to."""
        selection = slicer.app.applicationLogic().GetSelectionNode()
        interaction = slicer.app.applicationLogic().GetInteractionNode()
        if interaction.GetCurrentInteractionMode() != interaction.Place:
            self.child("positiveButton").click()
        points = slicer.mrmlScene.GetNodeByID(selection.GetActivePlaceNodeID())
        points.AddControlPointWorld(vtk.vtkVector3d(*ras))

    def mask(self, segmentation: slicer.vtkMRMLSegmentationNode, segmentId: str | None = None):
        """A segment on the volume's grid, boolean (k, j, i); the first one, if not said."""
        if segmentId is None:
            segmentId = segmentation.GetSegmentation().GetNthSegmentID(0)
        return _mask(segmentation, segmentId, self.phantom)

    def close(self) -> None:
        if self.editor is None:
            return
        self.editor.setActiveEffect(None)
        # As the module Segment Editor does before a scene is closed.
        self.editor.setSegmentationNode(None)
        self.editor.removeViewObservations()
        self.editor.hide()
        self.editor.deleteLater()
        self.editor = None
        slicer.app.processEvents()


def begin_to_predict() -> None:
    """Returns while the model is at work, with the effect and its editor still open.

    Raises:
        RuntimeError: if the model does not begin.
    """
    user = User()
    user.editor.setActiveEffectByName(EFFECT)
    slicer.app.processEvents()
    user.click(user.phantom.center)
    end = time.monotonic() + TIMEOUT_S
    while not user.child("cancelButton").enabled:
        if time.monotonic() > end:
            raise RuntimeError(f"Nothing began: {user.child('statusLabel').text!r}")
        slicer.app.processEvents()
        time.sleep(0.01)


def _addVolume(phantom):
    return slicer.util.addVolumeFromArray(
        phantom.voxels, phantom.ijk_to_ras, "Phantom", "vtkMRMLScalarVolumeNode"
    )


def _addSegmentation(volumeNode):
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    node.CreateDefaultDisplayNodes()
    node.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
    return node


def _mask(segmentationNode, segmentId: str, phantom) -> np.ndarray:
    """A segment as a boolean array on the phantom's grid; unlike slicer.util's, without nodes."""
    mask = np.zeros(phantom.sphere.shape, dtype=bool)
    labelmap = slicer.vtkOrientedImageData()
    segmentationNode.GetBinaryLabelmapRepresentation(segmentId, labelmap)
    if labelmap.IsEmpty():
        return mask
    toWorld = vtk.vtkMatrix4x4()
    labelmap.GetImageToWorldMatrix(toWorld)
    if not np.allclose(slicer.util.arrayFromVTKMatrix(toWorld), phantom.ijk_to_ras):
        raise AssertionError("The segment is not on the grid of the volume.")
    extent = labelmap.GetExtent()
    box = tuple(slice(extent[2 * axis], extent[2 * axis + 1] + 1) for axis in (2, 1, 0))
    voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars())
    mask[box] = voxels.reshape(mask[box].shape) > 0
    return mask


def _nodeIds() -> set[str]:
    scene = slicer.mrmlScene
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}
