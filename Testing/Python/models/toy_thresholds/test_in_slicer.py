"""The toy in Slicer's console: new segments with names and terminology, in one undo step."""

import hashlib
import json
import threading

import numpy as np
import pytest
from safetensors.numpy import save_file

from SAMSegmentLib import SAMSegmentLogic
from SAMSegmentLib.core.errors import Cancelled, InputError, WriteError
from SAMSegmentLib.scene import provenance
from SAMSegmentLib.scene.tags import tag_of
from SAMSegmentLib.scene.volumes import image_from_volume
from SlicerHost.scene_builder import GRIDS, PARENTS, affine, segments_of, snapshot
from TestSupport.phantoms import dice
from TestSupport.scene_answers import segment_mask

from .conftest import AIR, BODY, GEOMETRY, NAME, truth, voxels

pytestmark = pytest.mark.mrml


@pytest.fixture(scope="module")
def worker():
    logic = SAMSegmentLogic(device="cpu", openEditors=list)
    yield logic
    logic.close()


@pytest.fixture
def logic(model, worker):
    return worker


class Patient:
    """The phantom as a volume, and a segmentation in which something was drawn."""

    def __init__(self, builder, grid=None, parent=None, own_grid=None):
        self.builder = builder
        matrix = GEOMETRY.ijk_to_ras if grid is None else grid
        self.volume = builder.volume(matrix, parent, voxels=voxels())
        self.segmentation = builder.segmentation(self.volume, PARENTS["translated"])
        if own_grid is not None:
            builder.on_grid(self.segmentation, *own_grid)
        self.image, self.to_world = image_from_volume(self.volume)

    def mask(self, segment_id):
        return segment_mask(self.segmentation, segment_id, self.image.geometry, self.to_world)

    def segment(self, segment_id):
        return self.segmentation.GetSegmentation().GetSegment(segment_id)


@pytest.fixture
def patient(builder):
    return Patient(builder)


def test_each_structure_becomes_a_segment_that_knows_what_it_is(logic, patient, model):
    ids = logic.segmentAll(patient.volume, patient.segmentation, NAME)
    for segment_id, label in zip(ids, model.labels(), strict=True):
        segment = patient.segment(segment_id)
        assert segment.GetName() == label.name
        assert segment.GetTerminology() == label.terminology != ""
        assert np.allclose(segment.GetColor(), label.color, atol=1e-6)
        assert tag_of(segment, provenance.MODEL) == NAME
        assert tag_of(segment, provenance.STRUCTURE) == label.name
        assert tag_of(segment, provenance.WEIGHTS_SHA256) == model.sha256
        assert dice(patient.mask(segment_id), truth()[label.name]) > 0.99


@pytest.mark.parametrize("grid", ["oblique", "left-handed", "gantry tilt"])
@pytest.mark.parametrize("parent", ["none", "sheared"])
def test_they_lie_where_they_are_however_the_volume_lies(logic, builder, grid, parent):
    patient = Patient(builder, GRIDS[grid], PARENTS[parent])
    for segment_id, name in zip(
        logic.segmentAll(patient.volume, patient.segmentation, NAME), (BODY, AIR), strict=True
    ):
        assert dice(patient.mask(segment_id), truth()[name]) > 0.99


def test_they_lie_where_they_are_on_a_segmentations_own_grid(logic, builder):
    grid = GRIDS["oblique"]
    turned = affine(np.diag([0.5, 0.5, 0.5]), (-0.25, -0.25, -0.25))
    shape = tuple(2 * n for n in GEOMETRY.shape)
    patient = Patient(
        builder, grid, None, (np.linalg.inv(PARENTS["translated"]) @ grid @ turned, shape)
    )
    for segment_id, name in zip(
        logic.segmentAll(patient.volume, patient.segmentation, NAME), (BODY, AIR), strict=True
    ):
        assert dice(patient.mask(segment_id), truth()[name]) > 0.93


def test_all_of_them_are_one_undo_step(logic, patient):
    drawn = patient.segmentation.GetSegmentation().AddEmptySegment("drawn", "Drawn by hand")
    before = segments_of(patient.segmentation)
    ids = logic.segmentAll(patient.volume, patient.segmentation, NAME)
    after = segments_of(patient.segmentation)
    assert set(after) == {drawn, *ids} and after[drawn] == before[drawn]
    assert logic.undo(patient.segmentation) == ids[0]
    assert segments_of(patient.segmentation) == before
    assert logic.redo(patient.segmentation) == ids[0]
    assert segments_of(patient.segmentation) == after


def test_some_of_them_can_be_chosen_and_small_holes_filled(logic, patient):
    (air,) = logic.segmentAll(
        patient.volume, patient.segmentation, NAME, [AIR], fillSmallHoles=True
    )
    assert patient.segment(air).GetName() == AIR
    assert dice(patient.mask(air), truth()[AIR]) > 0.99


def test_a_neighbour_loses_voxels_only_if_the_editor_says_so(logic, patient):
    (body,) = logic.segmentAll(patient.volume, patient.segmentation, NAME, [BODY])
    before = patient.mask(body)
    (air,) = logic.segmentAll(patient.volume, patient.segmentation, NAME, [AIR])
    assert np.array_equal(patient.mask(body), before)
    node = patient.builder.editor_node(patient.segmentation, patient.volume)
    assert node.GetOverwriteMode() == node.OverwriteAllSegments
    logic.segmentAll(patient.volume, patient.segmentation, NAME, [AIR], segmentEditorNode=node)
    assert np.array_equal(patient.mask(body), before & ~truth()[AIR])
    assert not patient.mask(air).any()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda logic, v, s: logic.segment(v, s, model=NAME), "call segmentAll"),
        (
            lambda logic, v, s: logic.segment(v, s, positivePoints=[(44, 36, 20)], model=NAME),
            "by itself",
        ),
        (lambda logic, v, s: logic.segmentAll(v, s, "litemedsam"), "needs prompts: call segment"),
        (lambda logic, v, s: logic.segmentAll(v, s, NAME, ["Liver"]), "no structure 'Liver'"),
        (lambda logic, v, s: logic.segmentAll(v, s, NAME, AIR), "structures: a list"),
        (lambda logic, v, s: logic.segmentAll(v, s, "toy"), "There is no model 'toy'"),
        (lambda logic, v, s: logic.segmentAll(None, s, NAME), "volume"),
        (lambda logic, v, s: logic.segmentAll(v, None, NAME), "segmentation"),
    ],
)
def test_what_cannot_be_done_says_what_can_and_changes_nothing(logic, patient, call, says):
    before = snapshot(patient.builder.scene)
    with pytest.raises(InputError, match=says):
        call(logic, patient.volume, patient.segmentation)
    assert snapshot(patient.builder.scene) == before


def test_cancel_changes_nothing(logic, patient):
    cancel = threading.Event()
    before = snapshot(patient.builder.scene)
    with pytest.raises(Cancelled):
        logic.segmentAll(
            patient.volume,
            patient.segmentation,
            NAME,
            progress=lambda *_: cancel.set(),
            cancel=cancel,
        )
    assert snapshot(patient.builder.scene) == before


def test_a_volume_that_is_moved_meanwhile_is_not_segmented_where_it_was(logic, patient):
    transform = patient.builder.transform(PARENTS["sheared"])

    def move(*_):
        patient.volume.SetAndObserveTransformNodeID(transform.GetID())

    with pytest.raises(InputError, match=r"moved.*Nothing was changed"):
        logic.segmentAll(patient.volume, patient.segmentation, NAME, progress=move)
    assert segments_of(patient.segmentation) == {}


def test_where_nothing_is_found_nothing_is_written(logic, builder):
    patient = Patient(builder)
    noise = np.random.default_rng(0).integers(-1010, -990, GEOMETRY.shape).astype(np.int16)
    patient.volume = builder.volume(GEOMETRY.ijk_to_ras, voxels=noise)
    with pytest.raises(WriteError, match="none of these structures"):
        logic.segmentAll(patient.volume, patient.segmentation, NAME)
    assert segments_of(patient.segmentation) == {}


def test_weights_that_were_put_in_place_of_others_are_the_ones_that_segment(patient, model):
    # The process that other tests share knows the folder of the first of them.
    logic = SAMSegmentLogic(device="cpu", openEditors=list, inProcess=True)
    logic.segmentAll(patient.volume, patient.segmentation, NAME)
    save_file({"body": np.array(100, np.float32), "air": np.array(-600, np.float32)}, model.path)
    data = model.path.read_bytes()
    path = model.weights_folder / "model.json"
    entry = json.loads(path.read_text())
    entry["sha256"] = hashlib.sha256(data).hexdigest()
    path.write_text(json.dumps(entry))
    (table,) = logic.segmentAll(patient.volume, patient.segmentation, NAME, [BODY])
    assert np.array_equal(patient.mask(table), voxels() > 100)
