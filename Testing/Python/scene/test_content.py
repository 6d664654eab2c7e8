"""What segments hold, on the grid of a volume, in pieces."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.geometry import Geometry, apply_matrix
from SAMSegmentLib.core.proposal import HIGHEST_THRESHOLD, LOWEST_THRESHOLD
from SAMSegmentLib.scene import layers
from SAMSegmentLib.scene import steps as steps_module
from SAMSegmentLib.scene.content import content_steps
from SAMSegmentLib.scene.proposal_limits import (
    occupied_steps,
    visible_others,
    without_segments_steps,
)
from SAMSegmentLib.scene.steps import finish
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene import HeadlessScene
from SlicerHost.scene_builder import GRIDS, PARENTS, SHAPE, SceneBuilder, affine, snapshot, world_of
from TestSupport.properties import examples
from TestSupport.scene_answers import (
    ball,
    geometry_of,
    proposal_of,
    segment_array,
    segment_mask,
    write_answer,
)

pytestmark = pytest.mark.mrml


def without(proposal, segmentation, segment_ids, to_world):
    return finish(without_segments_steps(proposal, segmentation, segment_ids, to_world))


FINER = (30, 40, 36)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    """Pieces of a few slices, as in a large volume."""
    monkeypatch.setattr(layers, "RESAMPLED_PER_STEP", 2000)
    monkeypatch.setattr(steps_module.slabs, "__defaults__", (300,))


def content(segmentation, segment_id, volume):
    return finish(content_steps(segmentation, segment_id, geometry_of(volume), world_of(volume)))


def full(patch, shape=SHAPE):
    return np.zeros(shape, dtype=bool) if patch is None else patch.on_box((0, 0, 0), shape)


class Case:
    """Segments "one" and "two", next to each other, and "far", in a corner."""

    def __init__(self, builder, grid="oblique", volume="none", segmentation="none", shared=True):
        self.builder = builder
        self.volume = builder.volume(GRIDS[grid], PARENTS[volume])
        self.segmentation = builder.segmentation(self.volume, PARENTS[segmentation])
        self.writer = SegmentationWriter(open_editors=list)
        self.ids = {}
        places = {"one": (0.4, 0.4, 0.4), "two": (0.6, 0.6, 0.6), "far": (0.95, 0.1, 0.05)}
        for name, place in places.items():
            self.ids[name] = write_answer(
                self.writer, self.segmentation, ball(self.volume, place, 5), self.volume, name=name
            ).segment_id
        if shared:
            self.segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)

    def other_volume(self, grid, parent):
        """A volume with other voxels, around the same place."""
        own = geometry_of(self.volume).transformed(world_of(self.volume))
        middle = own.to_ras((np.array(SHAPE[::-1]) - 1) / 2)
        matrix, parent = GRIDS[grid].copy(), PARENTS[parent]
        to_volume = np.eye(4) if parent is None else np.linalg.inv(parent)
        offset = matrix[:3, :3] @ ((np.array(FINER[::-1]) - 1) / 2)
        matrix[:3, 3] = apply_matrix(to_volume, middle) - offset
        return self.builder.volume(matrix, parent, FINER, name="Other")

    def mask(self, name):
        return segment_array(self.segmentation, self.ids[name], self.volume).astype(bool)


@pytest.fixture(params=[True, False], ids=["shared layers", "own layers"])
def case(request, builder):
    return Case(builder, shared=request.param)


class TestContent:
    @pytest.mark.parametrize("grid", GRIDS)
    @pytest.mark.parametrize("parents", [("none", "none"), ("rotated", "rotated")])
    def test_on_its_own_voxels_it_is_copied(self, builder, grid, parents):
        case = Case(builder, grid, *parents)
        for name in ("one", "far"):
            patch = content(case.segmentation, case.ids[name], case.volume)
            np.testing.assert_array_equal(full(patch), case.mask(name))
            assert patch.values.any(axis=(1, 2)).all()
            assert patch.cut == 0

    @pytest.mark.parametrize("target", GRIDS)
    @pytest.mark.parametrize("parents", [("none", "none"), ("sheared", "rotated")])
    def test_on_other_voxels_it_is_what_the_slow_way_gives(self, builder, target, parents):
        case = Case(builder, "anisotropic", "none", parents[1])
        volume = case.other_volume(target, parents[0])
        for name in ("one", "two"):
            expected = segment_mask(
                case.segmentation, case.ids[name], geometry_of(volume), world_of(volume)
            )
            patch = content(case.segmentation, case.ids[name], volume)
            np.testing.assert_array_equal(full(patch, FINER), expected)
            assert expected.sum() > 50

    def test_what_lies_outside_is_cut_and_counted(self, builder):
        case = Case(builder, "axis-aligned")
        half = builder.volume(GRIDS["axis-aligned"], shape=(9, 30, 26), name="Half")
        patch = content(case.segmentation, case.ids["one"], half)
        expected = case.mask("one")
        np.testing.assert_array_equal(full(patch, (9, 30, 26)), expected[:9])
        share = expected[9:].sum() / expected.sum()
        assert patch.cut == pytest.approx(share, abs=0.02)
        assert content(case.segmentation, case.ids["far"], half) is None

    def test_an_empty_segment_has_none(self, case):
        case.segmentation.GetSegmentation().AddEmptySegment("empty")
        assert content(case.segmentation, "empty", case.volume) is None

    def test_a_segment_that_is_not_there_is_named(self, case):
        with pytest.raises(InputError, match="no segment"):
            content(case.segmentation, "nobody", case.volume)

    def test_nothing_is_changed(self, case):
        before = snapshot(case.builder.scene)
        content(case.segmentation, case.ids["one"], case.volume)
        occupied(case)
        assert snapshot(case.builder.scene) == before

    def test_it_takes_many_steps(self, case):
        steps = content_steps(
            case.segmentation, case.ids["one"], geometry_of(case.volume), np.eye(4)
        )
        assert sum(1 for _ in steps) >= 3


def occupied(case, ids=None, box=None, volume=None):
    volume = volume or case.volume
    ids = list(case.ids.values()) if ids is None else ids
    steps = occupied_steps(case.segmentation, ids, geometry_of(volume), world_of(volume), box)
    return finish(steps)


class TestVisibleOthers:
    def test_all_but_the_one(self, case):
        assert visible_others(case.segmentation, case.ids["one"]) == [
            case.ids["two"],
            case.ids["far"],
        ]

    def test_without_a_segment_all(self, case):
        assert visible_others(case.segmentation, None) == list(case.ids.values())

    def test_hidden_ones_do_not_count(self, case):
        case.segmentation.GetDisplayNode().SetSegmentVisibility(case.ids["two"], False)
        assert visible_others(case.segmentation, case.ids["one"]) == [case.ids["far"]]

    def test_without_a_display_none_is_visible(self, case):
        case.builder.scene.RemoveNode(case.segmentation.GetDisplayNode())
        assert visible_others(case.segmentation, None) == []


class TestOccupied:
    @pytest.mark.parametrize("grid", GRIDS)
    def test_it_is_the_union(self, builder, grid):
        case = Case(builder, grid, "rotated", "rotated")
        expected = case.mask("one") | case.mask("two") | case.mask("far")
        np.testing.assert_array_equal(full(occupied(case)), expected)

    def test_some_segments_of_a_layer(self, case):
        expected = case.mask("one") | case.mask("far")
        found = occupied(case, [case.ids["one"], case.ids["far"]])
        np.testing.assert_array_equal(full(found), expected)

    def test_on_a_box_only(self, case):
        found = occupied(case, None, np.s_[5:13, 6:16, 7:16])
        box = np.s_[5:13, 6:16, 7:16]
        expected = np.zeros(SHAPE, dtype=bool)
        expected[box] = (case.mask("one") | case.mask("two") | case.mask("far"))[box]
        np.testing.assert_array_equal(full(found), expected)
        assert all(a >= b for a, b in zip(found.start, (5, 6, 7), strict=True))

    def test_an_empty_box_has_none(self, case):
        assert occupied(case, [case.ids["far"]], np.s_[0:4, 20:24, 15:19]) is None
        assert occupied(case, []) is None
        assert occupied(case, ["nobody"]) is None

    @pytest.mark.parametrize("target", GRIDS)
    @pytest.mark.parametrize("parents", [("none", "none"), ("sheared", "rotated")])
    def test_on_other_voxels_it_is_what_their_centres_lie_in(self, builder, target, parents):
        case = Case(builder, "anisotropic", parents[1], parents[1])
        volume = case.other_volume(target, parents[0])
        source = geometry_of(case.volume).transformed(world_of(case.segmentation))
        grid = geometry_of(volume).transformed(world_of(volume))
        indices = np.stack(np.meshgrid(*[np.arange(n) for n in FINER], indexing="ij"), -1)
        exact = source.to_ijk(grid.to_ras(indices[..., ::-1]))[..., ::-1]
        nearest = np.rint(exact).astype(int)
        inside = ((nearest >= 0) & (nearest < SHAPE)).all(axis=-1)
        union = case.mask("one") | case.mask("two") | case.mask("far")
        expected = np.zeros(FINER, dtype=bool)
        expected[inside] = union[tuple(nearest[inside].T)]
        # Centres on a border between voxels may go either way.
        clear = (np.abs(exact - np.floor(exact) - 0.5) > 1e-6).all(axis=-1)
        found = full(occupied(case, volume=volume), FINER)
        np.testing.assert_array_equal(found[clear], expected[clear])
        assert expected[clear].sum() > 100

    def test_a_layer_on_another_grid_counts(self, builder):
        case = Case(builder, "axis-aligned")
        mask = np.ones((4, 5, 6), dtype=bool)
        grid = affine(np.eye(3) * 2, (-5, 10, 25))
        builder.fill(case.segmentation, "coarse", mask, grid, first=(3, 0, 0))
        found = full(occupied(case, ["coarse"]))
        assert np.count_nonzero(found) == pytest.approx(mask.sum() * 8, rel=0.2)

    def test_a_segment_without_a_labelmap_says_what_to_do(self, case):
        segmentation = case.segmentation.GetSegmentation()
        segmentation.CreateRepresentation("Closed surface")
        segmentation.SetSourceRepresentationName("Closed surface")
        segmentation.RemoveRepresentation("Binary labelmap")
        with pytest.raises(InputError, match="Segmentations module"):
            occupied(case)


class TestWithout:
    @pytest.mark.parametrize("parents", [("none", "none"), ("rotated", "translated")])
    @pytest.mark.parametrize("threshold", [LOWEST_THRESHOLD, 0.5, HIGHEST_THRESHOLD])
    def test_no_threshold_reaches_into_other_segments(self, builder, parents, threshold):
        case = Case(builder, "oblique", *parents)
        proposal = proposal_of(
            ball(case.volume, (0.5, 0.5, 0.5), 8), case.volume, case.segmentation
        )
        others = visible_others(case.segmentation, case.ids["one"])
        limited = without(proposal, case.segmentation, others, world_of(case.volume))
        shape = target_shape(proposal)
        before = full(proposal.patch(threshold), shape)
        after = full(limited.patch(threshold), shape)
        occupied_there = occupied_on_reference(case, others, proposal)
        assert (before & occupied_there).any()
        np.testing.assert_array_equal(after, before & ~occupied_there)

    def test_the_proposal_itself_stays(self, case):
        proposal = proposal_of(ball(case.volume), case.volume, case.segmentation)
        levels = proposal.levels.values.copy()
        ids = list(case.ids.values())
        limited = without(proposal, case.segmentation, ids, world_of(case.volume))
        np.testing.assert_array_equal(proposal.levels.values, levels)
        assert limited.levels.start == proposal.levels.start
        assert limited.warnings == proposal.warnings

    def test_without_other_segments_it_is_the_same(self, case):
        proposal = proposal_of(ball(case.volume), case.volume, case.segmentation)
        assert without(proposal, case.segmentation, [], world_of(case.volume)) is proposal

    def test_written_it_leaves_them_as_they_were(self, case):
        proposal = proposal_of(ball(case.volume, radius_mm=9), case.volume, case.segmentation)
        before = case.mask("two")
        others = visible_others(case.segmentation, case.ids["one"])
        limited = without(proposal, case.segmentation, others, world_of(case.volume))
        node = case.builder.editor_node(case.segmentation, case.volume)
        node.SetOverwriteMode(node.OverwriteAllSegments)
        case.writer.write(
            case.segmentation,
            limited,
            world_of(case.volume),
            case.ids["one"],
            segmentEditorNode=node,
        )
        np.testing.assert_array_equal(case.mask("two"), before)
        assert not (case.mask("one") & before).any()

    def test_a_changed_geometry_is_refused(self, case):
        proposal = proposal_of(ball(case.volume), case.volume, case.segmentation)
        case.builder.under(case.segmentation, PARENTS["translated"])
        with pytest.raises(InputError, match="try again"):
            without(proposal, case.segmentation, list(case.ids.values()), np.eye(4))


def target_shape(proposal):
    return proposal.geometry.shape


def occupied_on_reference(case, ids, proposal):
    geometry: Geometry = proposal.geometry
    steps = occupied_steps(case.segmentation, ids, geometry, world_of(case.volume))
    return full(finish(steps), geometry.shape)


@pytest.fixture(scope="module")
def shared():
    pytest.importorskip("slicer")
    host = HeadlessScene()
    yield host
    host.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(40))
@given(
    st.tuples(*[st.integers(1, 12)] * 3),
    st.tuples(*[st.integers(-6, 26)] * 3),
    st.integers(0, 2**31),
)
def test_any_box_of_voxels_comes_back(shared, shape, first, seed):
    builder = SceneBuilder(shared)
    volume = builder.volume(GRIDS["oblique"])
    segmentation = builder.segmentation(volume)
    try:
        mask = np.random.default_rng(seed).random(shape) > 0.6
        builder.fill(segmentation, "any", mask, GRIDS["oblique"], first)
        expected = np.zeros(SHAPE, dtype=bool)
        for k, j, i in np.argwhere(mask) + first:
            if min(k, j, i) >= 0 and k < SHAPE[0] and j < SHAPE[1] and i < SHAPE[2]:
                expected[k, j, i] = True
        np.testing.assert_array_equal(full(content(segmentation, "any", volume)), expected)
        geometry = geometry_of(volume)
        union = finish(occupied_steps(segmentation, ["any"], geometry, np.eye(4)))
        np.testing.assert_array_equal(full(union), expected)
    finally:
        for node in (segmentation, volume):
            builder.scene.RemoveNode(node)
