"""The Slicer module: what Slicer shows in its module list, and the self test it runs.

The work is done in SAMSegmentLib. Nothing heavy is imported here, because Slicer loads this file
every time it starts.
"""

from __future__ import annotations

import importlib.util

import qt
import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

import SAMSegmentLib

HOMEPAGE = "https://github.com/SAMSegment/SlicerSAMSegment"

CONSOLE_EXAMPLE = """\
from SAMSegment import SAMSegmentLogic

logic = SAMSegmentLogic()
segmentId = logic.segment(
    getNode("CTChest"), getNode("Segmentation"), roi=getNode("R")
)
"""


def __getattr__(name: str):
    """`SAMSegmentLogic`, loaded when it is first asked for."""
    if name == "SAMSegmentLogic":
        globals()[name] = SAMSegmentLib.SAMSegmentLogic
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class SAMSegment(ScriptedLoadableModule):
    """What Slicer knows of the module before anybody opens it."""

    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("SAM Segment")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Segmentations"]
        parent.contributors = ["SAMSegment contributors"]
        parent.helpText = _(
            "Draw a region of interest, and a segmentation model proposes the 3D mask. The model"
            " runs on this computer; no image leaves it."
            "<p><b>Research software. Not a medical device.</b> Check every result.</p>"
            '<p>See the <a href="{homepage}">documentation</a>.</p>'
        ).format(homepage=HOMEPAGE)
        parent.acknowledgementText = _(
            "The embedded weights are LiteMedSAM (Ma et al., bowang-lab, Apache-2.0). The networks"
            " follow the papers on SAM, TinyViT, MobileSAM and MedSAM; see the file NOTICE."
        )


class SAMSegmentWidget(ScriptedLoadableModuleWidget):
    """The module panel: what this is, which versions are at work, how to call it."""

    def setup(self):
        super().setup()
        self.layout.addWidget(self._text(_introduction()))
        self.layout.addWidget(self._text(_versions()))
        example = qt.QPlainTextEdit()
        example.setObjectName("consoleExample")
        example.setReadOnly(True)
        example.setLineWrapMode(qt.QPlainTextEdit.NoWrap)
        example.setPlainText(CONSOLE_EXAMPLE)
        self.layout.addWidget(example)
        self.layout.addStretch(1)

    @property
    def logic(self):
        """For `slicer.util.getModuleLogic("SAMSegment")`."""
        if not hasattr(self, "_logic"):
            self._logic = SAMSegmentLib.SAMSegmentLogic()
        return self._logic

    @staticmethod
    def _text(html: str):
        label = qt.QLabel(html)
        label.setWordWrap(True)
        label.setTextInteractionFlags(qt.Qt.TextBrowserInteraction)
        label.setOpenExternalLinks(True)
        return label


def _introduction() -> str:
    return _(
        "<p>SAM Segment makes a 3D segment from a region of interest.</p>"
        "<p>The effect in the Segment Editor is not there yet. Until then, call it from the Python"
        " console: load a volume, place an ROI around the structure, create a segmentation, and"
        " run the lines below with the names of your nodes.</p>"
        "<p><b>Research software. Not a medical device.</b></p>"
    )


def _versions() -> str:
    # Looked for, not imported: Slicer's own process stays without torch until it is needed.
    hasTorch = importlib.util.find_spec("torch") is not None
    torchText = _("installed") if hasTorch else _("not installed: use the PyTorch extension")
    return _("<p>SAM Segment {version}, Slicer {slicerVersion}, PyTorch: {torch}</p>").format(
        version=SAMSegmentLib.__version__,
        slicerVersion=slicer.app.applicationVersion,
        torch=torchText,
    )


class SAMSegmentTest(ScriptedLoadableModuleTest):
    """Runs in a real Slicer, under CTest or from the module panel in developer mode."""

    def setUp(self):
        slicer.mrmlScene.Clear()

    def tearDown(self):
        slicer.mrmlScene.Clear()

    def runTest(self):
        self.setUp()
        self.test_segment_sphere_from_roi()
        self.tearDown()

    def test_segment_sphere_from_roi(self):
        """A bright sphere in soft tissue, an ROI around it: the segment is the sphere."""
        volumeNode, sphere, center, radius = _addPhantom()
        roiNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "Around the sphere")
        roiNode.SetCenterWorld(center)
        roiNode.SetSizeWorld([2.2 * radius] * 3)
        segmentationNode = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        segmentationNode.CreateDefaultDisplayNodes()
        segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        voxelsBefore = slicer.util.arrayFromVolume(volumeNode).copy()
        nodesBefore = _nodeIds()

        segmentId = SAMSegmentLib.SAMSegmentLogic().segment(
            volumeNode, segmentationNode, roi=roiNode
        )

        # Looked at first: reading the segment as an array makes nodes of its own.
        self.assertEqual(_nodeIds(), nodesBefore)
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentationNode, segmentId, volumeNode)
        mask = mask > 0
        dice = 2 * (mask & sphere).sum() / (mask.sum() + sphere.sum())
        self.assertGreater(dice, 0.8)
        self.assertEqual(segmentationNode.GetSegmentation().GetNumberOfSegments(), 1)
        self.assertTrue((slicer.util.arrayFromVolume(volumeNode) == voxelsBefore).all())
        for axis in range(3):
            self.assertAlmostEqual(roiNode.GetCenterWorld()[axis], center[axis])
        self.delayDisplay(f"Test passed, Dice {dice:.3f}")


def _addPhantom():
    """A CT-like volume node: a sphere of 200 HU in soft tissue of 40 HU, with noise.

    Returns the node, the sphere as a boolean array (k, j, i), and its center (RAS, mm) and radius
    (mm).
    """
    import numpy as np

    spacing = np.array([2.0, 2.0, 3.0])  # mm along i, j, k
    shape = (32, 64, 64)  # k, j, i
    origin = np.array([-64.0, -64.0, -48.0])
    center = np.array([6.0, -10.0, 3.0])
    radius = 22.0

    index = np.moveaxis(np.indices(shape), 0, -1)[..., ::-1]
    position = index * spacing + origin
    sphere = np.linalg.norm(position - center, axis=-1) <= radius
    body = np.linalg.norm(position[..., :2] / [58.0, 46.0], axis=-1) <= 1.0
    voxels = np.where(sphere, 200.0, np.where(body, 40.0, -1000.0))
    voxels += np.random.default_rng(0).normal(scale=10.0, size=shape)

    ijkToRas = np.diag([*spacing, 1.0])
    ijkToRas[:3, 3] = origin
    volumeNode = slicer.util.addVolumeFromArray(
        voxels.astype(np.int16), ijkToRas, "Phantom", "vtkMRMLScalarVolumeNode"
    )
    return volumeNode, sphere, center.tolist(), radius


def _nodeIds() -> set[str]:
    scene = slicer.mrmlScene
    return {scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())}
