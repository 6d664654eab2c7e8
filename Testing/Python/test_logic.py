"""SAMSegmentLogic: from nodes to a segment, with real MRML and the weights that ship."""

import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import slicer

from SAMSegmentLib import SAMSegmentLogic, __version__
from SAMSegmentLib.core.errors import Cancelled, InputError
from SAMSegmentLib.scene.prompt_store import restore
from SAMSegmentLib.scene.provenance import MODEL, PROMPTS, VERSION, WEIGHTS_SHA256
from SAMSegmentLib.scene.tags import tag_of
from SAMSegmentLib.scene.volumes import image_from_volume
from SlicerHost.scene import EditorWidget
from SlicerHost.scene_builder import PARENTS, affine, rotation, segments_of, snapshot, vtk_matrix
from TestSupport.cases import chest_ct
from TestSupport.phantoms import ct_with_ball, dice, grid
from TestSupport.scene_answers import segment_mask

pytestmark = pytest.mark.mrml

BALL, RADIUS = (48.0, 48.0, 10.0), 18.0
IMAGE = ct_with_ball(grid((8, 64, 64)), BALL, RADIUS)
# Two slices high, to be quick.
SIZE = (44, 44, 5)


@pytest.fixture(scope="module")
def logic():
    return SAMSegmentLogic(device="cpu", openEditors=list)


class Room:
    """A CT with a ball, a segmentation and an ROI around the ball, all under one transform."""

    def __init__(self, builder, parent=None, grid_matrix=None):
        matrix = IMAGE.geometry.ijk_to_ras if grid_matrix is None else grid_matrix
        self.builder = builder
        self.volume = builder.volume(matrix, parent, voxels=IMAGE.voxels)
        self.segmentation = builder.segmentation(self.volume, parent)
        self.roi = builder.roi(BALL, SIZE, parent=parent)
        self.image, self.to_world = image_from_volume(self.volume)

    @property
    def truth(self):
        z = IMAGE.geometry.to_ras(np.array([[0, 0, k] for k in range(8)]))[:, 2]
        return (IMAGE.voxels > 120) & (np.abs(z - BALL[2]) <= SIZE[2] / 2)[:, None, None]

    def mask(self, segment_id):
        return segment_mask(self.segmentation, segment_id, self.image.geometry, self.to_world)


@pytest.fixture
def room(builder):
    return Room(builder)


def test_an_roi_becomes_a_segment(logic, room):
    told = []
    segment_id = logic.segment(
        room.volume, room.segmentation, roi=room.roi, progress=lambda *what: told.append(what)
    )
    assert dice(room.mask(segment_id), room.truth) > 0.9
    assert told[0][0] == 0 and all(0 <= done <= total for done, total, _ in told)
    assert told[-1][0] == told[-1][1]


@pytest.mark.parametrize(
    "given",
    [
        {"segmentId": ["Segment_1"]},
        {"segmentId": 1},
        {"alternative": 0.5},
        {"alternative": "1"},
        {"alternative": -1},
        {"intensityRange": "abc"},
        {"intensityRange": (0, np.nan)},
        {"name": 7},
        {"name": "two\nlines"},
        {"terminology": {}},
        {"model": 3},
        {"progress": "print"},
        {"cancel": True},
    ],
)
def test_an_argument_of_the_wrong_type_is_named_and_changes_nothing(logic, room, given):
    (argument,) = given
    before = snapshot(room.builder.scene)
    with pytest.raises(InputError, match=f"^{argument}: "):
        logic.segment(room.volume, room.segmentation, **{"roi": room.roi} | given)
    assert snapshot(room.builder.scene) == before


@pytest.mark.parametrize(
    "given",
    [
        {"volumeNode": "CTChest"},
        {"segmentationNode": 5},
        {"roi": "R"},
        {"roi": (0, 0, 0, 1, 1, 1)},
        {"positivePoints": BALL},
        {"positivePoints": [("48", "48", "10")]},
        {"positivePoints": 3},
        {"negativePoints": [(48, 48)]},
        {"segmentEditorNode": "SegmentEditor"},
    ],
)
def test_what_is_no_node_and_no_position_is_refused_and_changes_nothing(logic, room, given):
    before = snapshot(room.builder.scene)
    nodes = {"volumeNode": room.volume, "segmentationNode": room.segmentation, "roi": room.roi}
    with pytest.raises(InputError):
        logic.segment(**nodes | given)
    assert snapshot(room.builder.scene) == before


def test_the_other_calls_refuse_wrong_types_too(logic):
    for call in (
        lambda: SAMSegmentLogic(device=0),
        lambda: logic.undo("segmentation"),
        lambda: logic.redo(5),
        lambda: logic.installModel(3),
        lambda: logic.installModel("sam-med3d-turbo", source=3),
        lambda: logic.installModel("sam-med3d-turbo", progress="print"),
        lambda: logic.verifyModel("litemedsam", cancel=True),
        lambda: logic.verifyModel(["litemedsam"]),
        lambda: logic.removeModel(None),
    ):
        with pytest.raises(InputError):
            call()


@pytest.mark.parametrize("parent", ["translated", "rotated"])
def test_under_a_rigid_transform_the_mask_is_the_same(logic, room, builder, parent):
    straight = room.mask(logic.segment(room.volume, room.segmentation, roi=room.roi))
    moved = Room(builder, PARENTS[parent])
    mask = moved.mask(logic.segment(moved.volume, moved.segmentation, roi=moved.roi))
    assert dice(mask, straight) >= 0.99


def test_under_a_rigid_transform_a_real_lung_is_the_same(logic, builder):
    case = chest_ct()
    lung = case.roi(5)
    # Two slices high, to be quick.
    size = (*lung.size[:2], 1.9 * case.image.geometry.spacing[2])
    masks = []
    for parent in (None, PARENTS["rotated"]):
        volume = builder.volume(case.image.geometry.ijk_to_ras, parent, voxels=case.image.voxels)
        segmentation = builder.segmentation(volume, parent)
        roi = builder.roi(lung.center, size, lung.axes, parent=parent)
        segment_id = logic.segment(volume, segmentation, roi=roi)
        image, to_world = image_from_volume(volume)
        masks.append(segment_mask(segmentation, segment_id, image.geometry, to_world))
    assert masks[0].sum() > 1000
    assert dice(*masks) >= 0.99


def test_a_volume_moved_away_from_its_segmentation_is_segmented_where_it_is_now(logic, builder):
    moved = Room(builder)
    builder.under(moved.volume, affine(rotation(0, 0, 25), (30, -20, 5)))
    builder.under(moved.roi, affine(rotation(0, 0, 25), (30, -20, 5)))
    moved.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(moved.volume)
    image, to_world = image_from_volume(moved.volume)
    segment_id = logic.segment(moved.volume, moved.segmentation, roi=moved.roi)
    mask = segment_mask(moved.segmentation, segment_id, image.geometry, to_world)
    assert dice(mask, moved.truth) > 0.9


def test_a_new_segment_knows_its_name_terminology_and_how_it_was_made(logic, room):
    entry = (
        "Segmentation category and type - 3D Slicer General Anatomy list"
        "~SCT^49755003^Morphologically Altered Structure~SCT^4147007^Mass~^^"
        "~Anatomic codes - DICOM master list~^^~^^"
    )
    segment_id = logic.segment(
        room.volume, room.segmentation, roi=room.roi, name="Mass 1", terminology=entry
    )
    segment = room.segmentation.GetSegmentation().GetSegment(segment_id)
    assert segment.GetName() == "Mass 1"
    assert segment.GetTerminology() == entry
    assert tag_of(segment, MODEL) == "litemedsam"
    assert tag_of(segment, VERSION) == __version__
    assert tag_of(segment, WEIGHTS_SHA256) == logic.models()[0].sha256
    assert "|" not in tag_of(segment, PROMPTS)
    roi = restore(room.segmentation, segment_id, room.volume).prompts.roi
    assert np.allclose(roi.center, BALL) and np.allclose(roi.size, SIZE)


def test_nothing_but_the_segmentation_changes(logic, room):
    before = snapshot(room.builder.scene)
    logic.segment(room.volume, room.segmentation, roi=room.roi)
    after = snapshot(room.builder.scene)
    segmentation = room.segmentation.GetID()
    assert before.keys() == after.keys()
    changed = {key for key in before if before[key] != after[key]}
    # The subject hierarchy has an item for the new segment.
    followers = {room.segmentation.GetDisplayNodeID(), room.builder.host.hierarchy.GetID()}
    assert {key for key in changed if segmentation not in str(key)} <= followers


def test_the_segments_voxels_are_replaced_and_undo_gives_them_back(logic, room):
    first = logic.segment(room.volume, room.segmentation, roi=room.roi)
    before = segments_of(room.segmentation)
    smaller = room.builder.roi(BALL, (30, 30, 5))
    assert logic.segment(room.volume, room.segmentation, segmentId=first, roi=smaller) == first
    assert segments_of(room.segmentation) != before
    assert logic.undo() == first
    assert segments_of(room.segmentation) == before
    assert logic.redo() == first
    assert logic.undo(room.segmentation) == first
    assert logic.undo() == first
    assert segments_of(room.segmentation) == {}


class DrawnByHand:
    """A room in whose open Segment Editor the user has made a segment; and our logic beside it."""

    def __init__(self, room):
        node = room.builder.editor_node(room.segmentation, room.volume)
        self.editor = EditorWidget(room.builder.scene, node)
        self.logic = SAMSegmentLogic(device="cpu", openEditors=lambda: [self.editor])
        self.editor.saveStateForUndo()
        room.segmentation.GetSegmentation().AddEmptySegment("drawn", "Drawn by hand")
        self.by_hand = segments_of(room.segmentation)
        self.written = self.logic.segment(room.volume, room.segmentation, roi=room.roi)


def test_editor_write_and_console_write_are_each_undone_and_nothing_is_lost(room):
    drawn = DrawnByHand(room)
    with_console = segments_of(room.segmentation)
    drawn.editor.undo()
    assert segments_of(room.segmentation) == drawn.by_hand
    drawn.editor.redo()
    assert segments_of(room.segmentation) == with_console
    drawn.editor.undo()
    drawn.editor.undo()
    assert segments_of(room.segmentation) == {}


def test_the_consoles_undo_leaves_what_the_editor_did_before(room):
    drawn = DrawnByHand(room)
    assert drawn.logic.undo() == drawn.written
    assert segments_of(room.segmentation) == drawn.by_hand
    drawn.editor.undo()
    assert segments_of(room.segmentation) == {}


def test_a_neighbour_is_not_overwritten_unless_the_editor_says_so(logic, room):
    first = logic.segment(room.volume, room.segmentation, roi=room.roi)
    before = room.mask(first)
    logic.segment(room.volume, room.segmentation, roi=room.roi)
    assert np.array_equal(room.mask(first), before)

    node = room.builder.editor_node(room.segmentation, room.volume)
    assert node.GetOverwriteMode() == node.OverwriteAllSegments
    third = logic.segment(room.volume, room.segmentation, roi=room.roi, segmentEditorNode=node)
    assert not room.mask(first).any()
    assert np.array_equal(room.mask(third), before)


def test_the_editable_intensity_range_is_honoured(logic, room):
    node = room.builder.editor_node(room.segmentation, room.volume)
    node.SetSourceVolumeIntensityMask(True)
    node.SetSourceVolumeIntensityMaskRange(180, 5000)
    segment_id = logic.segment(room.volume, room.segmentation, roi=room.roi, segmentEditorNode=node)
    mask = room.mask(segment_id)
    assert mask.any()
    assert IMAGE.voxels[mask].min() >= 180


def test_cancel_changes_nothing(logic, room):
    cancel = threading.Event()
    before = snapshot(room.builder.scene)
    with pytest.raises(Cancelled):
        logic.segment(
            room.volume,
            room.segmentation,
            roi=room.roi,
            progress=lambda *_: cancel.set(),
            cancel=cancel,
        )
    assert snapshot(room.builder.scene) == before


def bend_volume(room):
    room.volume.SetAndObserveTransformNodeID(room.builder.bend().GetID())


def forget_geometry(room):
    room.segmentation = room.builder.segmentation(name="Without geometry")


@pytest.mark.parametrize("whole_grid", [True, False])
def test_a_slice_of_its_own_is_segmented_in_its_plane(logic, builder, whole_grid):
    volume = builder.volume(IMAGE.geometry.ijk_to_ras, PARENTS["rotated"], voxels=IMAGE.voxels)
    geometry = IMAGE.geometry.crop((3, 0, 0), (1, 64, 64))
    one = builder.volume(geometry.ijk_to_ras, PARENTS["rotated"], voxels=IMAGE.voxels[3:4].copy())
    segmentation = builder.segmentation(volume if whole_grid else one, PARENTS["rotated"])
    roi = builder.roi((*BALL[:2], 9.0), (*SIZE[:2], 40), parent=PARENTS["rotated"])
    segment_id = logic.segment(one, segmentation, roi=roi)
    image, to_world = image_from_volume(volume)
    mask = segment_mask(segmentation, segment_id, image.geometry, to_world)
    truth = IMAGE.voxels > 120
    assert dice(mask[3], truth[3]) > 0.9 and not np.delete(mask, 3, axis=0).any()


def voxels(change):
    def apply(room):
        array = slicer.util.arrayFromVolume(room.volume)
        if change == "nan":
            slicer.util.updateVolumeFromArray(room.volume, np.full(array.shape, np.nan))
        elif change == "constant":
            array[:] = 7
            slicer.util.arrayFromVolumeModified(room.volume)
        elif change == "one row":
            slicer.util.updateVolumeFromArray(room.volume, array[:1, :1].copy())
        elif change == "none":
            room.volume.SetAndObserveImageData(None)

    return apply


def flat_matrix(room):
    room.volume.SetIJKToRASMatrix(vtk_matrix(np.diag([1, 1, 0, 1.0])))


@pytest.mark.parametrize(
    ("break_it", "arguments", "says"),
    [
        (None, {"roi": None}, "needs an ROI"),
        (None, {"roi": None, "negativePoints": [BALL]}, "a positive point"),
        (None, {"positivePoints": [BALL], "negativePoints": [BALL]}, "same voxel"),
        (None, {"model": "nonsense"}, "litemedsam"),
        (None, {"segmentId": "nonsense"}, "nonsense"),
        (None, {"roi": "ROI"}, "ROI"),
        (lambda room: room.roi.SetCenter(900, 0, 0), {}, "outside the volume"),
        (lambda room: room.roi.SetSize(0, 10, 10), {}, "no size"),
        (forget_geometry, {}, "SetReferenceImageGeometryParameterFromVolumeNode"),
        (bend_volume, {}, "non-linear"),
        (voxels("nan"), {}, "NaN"),
        (voxels("constant"), {}, "Every voxel"),
        (voxels("one row"), {}, "single row"),
        (voxels("none"), {}, "no image data"),
        (flat_matrix, {}, "IJK-to-RAS matrix"),
    ],
)
def test_bad_input_says_why_and_changes_nothing(logic, room, break_it, arguments, says):
    if break_it is not None:
        break_it(room)
    before = snapshot(room.builder.scene)
    with pytest.raises(InputError, match=says):
        logic.segment(room.volume, room.segmentation, **{"roi": room.roi, **arguments})
    assert snapshot(room.builder.scene) == before


def test_no_volume_and_no_segmentation_are_refused(logic, room):
    with pytest.raises(InputError, match="volume"):
        logic.segment(None, room.segmentation, roi=room.roi)
    with pytest.raises(InputError, match="segmentation"):
        logic.segment(room.volume, None, roi=room.roi)


def test_a_script_that_segmented_ends_without_a_crash():
    # A scene that dies with Python still sends events; listening to them once crashed here.
    code = """
        from SAMSegmentLib import SAMSegmentLogic
        from SlicerHost.scene import HeadlessScene
        from SlicerHost.scene_builder import SceneBuilder
        from TestSupport.phantoms import ct_with_ball, grid

        def main():
            builder = SceneBuilder(HeadlessScene())
            image = ct_with_ball(grid((8, 64, 64)), (48, 48, 10), 18)
            volume = builder.volume(image.geometry.ijk_to_ras, voxels=image.voxels)
            segmentation = builder.segmentation(volume)
            roi = builder.roi((48, 48, 10), (44, 44, 2))
            SAMSegmentLogic().segment(volume, segmentation, roi=roi)

        main()
        print("the end")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "the end" in result.stdout


@pytest.mark.parametrize("change", ["moved", "other voxels", "removed"])
def test_a_volume_that_is_another_by_then_is_not_segmented(logic, builder, change):
    room = Room(builder)
    nodes = room.volume, room.segmentation, room.roi

    def alter(*_):
        if change == "moved":
            parent = builder.transform(PARENTS["rotated"])
            for node in nodes:  # all together, so that the prompts' place in the world is another
                node.SetAndObserveTransformNodeID(parent.GetID())
        elif change == "removed":
            builder.scene.RemoveNode(room.volume)
        else:
            slicer.util.updateVolumeFromArray(room.volume, IMAGE.voxels + 1)

    with pytest.raises(InputError, match=r"while the model was at work.*Nothing was changed"):
        logic.segment(room.volume, room.segmentation, roi=room.roi, progress=alter)
    assert segments_of(room.segmentation) == {}
