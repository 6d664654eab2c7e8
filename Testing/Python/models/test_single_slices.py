"""An image of one slice, as an X-ray or an ultrasound picture, is segmented in its own plane."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.weights.catalogue import catalogue, model_entry
from SAMSegmentLib.worker.protocol.events import PredictionRequest
from TestSupport.phantoms import dice, voxel_positions

torch = pytest.importorskip("torch")

from SAMSegmentLib.models.slicewise.intensity import GreyLevels  # noqa: E402
from SAMSegmentLib.models.slicewise.slices import stacks_of  # noqa: E402
from TestSupport.bright_network import BrightModel, bright_engine  # noqa: E402
from TestSupport.true_network import TrueEngine, Truth  # noqa: E402

RADIUS = 14.0
OBLIQUE = Rotation.from_euler("xyz", (25, -40, 160), degrees=True).as_matrix()


def slice_of(axis: int, count: int = 1, spacing=(0.8, 0.9, 1.0), turn=OBLIQUE) -> Geometry:
    """`count` slices of 60 x 70 pixels across an array axis (0, 1, 2: k, j, i)."""
    shape = [60, 70]
    shape.insert(axis, count)
    matrix = np.eye(4)
    # `spacing` is that of rows, columns and slices.
    steps = [*spacing[:2]]
    steps.insert(axis, spacing[2])
    matrix[:3, :3] = turn @ np.diag(steps[::-1])
    matrix[:3, 3] = (100, -50, 30)
    return Geometry(matrix, tuple(shape))


def disc_in(geometry: Geometry, axis: int) -> tuple[Image, np.ndarray, np.ndarray]:
    """A bright disc (a rod, in several slices); image, truth, and its middle in RAS mm."""
    index = [29.0, 33.0]
    index.insert(axis, (geometry.shape[axis] - 1) / 2)
    middle = geometry.to_ras(np.array(index[::-1]))
    off = voxel_positions(geometry) - middle
    across = geometry.directions[:, 2 - axis]
    within = off - (off @ across)[..., None] * across
    truth = np.linalg.norm(within, axis=-1) <= RADIUS
    noise = np.random.default_rng(0).normal(0, 6, geometry.shape)
    return Image(np.where(truth, 180, 40) + noise, geometry, "US"), truth, middle


def true_samsegment3d(geometry: Geometry, axis: int, middle) -> TrueEngine:
    across = geometry.directions[:, 2 - axis]

    def inside(ras):
        off = ras - middle
        flat = off - (off @ across)[..., None] * across
        return np.linalg.norm(flat, axis=-1) <= RADIUS

    return TrueEngine(Truth(inside))


def engines_for(geometry, axis, middle):
    return bright_engine(), true_samsegment3d(geometry, axis, middle)


def roi_around(geometry: Geometry, axis: int, middle, thickness: float) -> Roi:
    size = [2.4 * RADIUS] * 3
    size[2 - axis] = thickness
    return Roi.from_box(middle, size, geometry.directions)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_disc_is_found_whichever_axis_is_across_the_slices(axis, count):
    geometry = slice_of(axis, count)
    image, truth, middle = disc_in(geometry, axis)
    for engine in engines_for(geometry, axis, middle):
        thin = roi_around(geometry, axis, middle, 0.2)
        # Of several slices, it means one; and the network that knows the truth wants more of it.
        is_enough = count == 1 and not isinstance(engine, TrueEngine)
        for prompts in (
            Prompts(thin if is_enough else roi_around(geometry, axis, middle, 50.0)),
            Prompts(points=(Point(middle),)),
        ):
            mask = engine.predict(image, prompts, Watch()).mask()
            assert mask.shape == geometry.shape and dice(mask, truth) > 0.9, (engine, prompts)


@pytest.mark.parametrize("thickness", [0.05, 1.0, 30.0])
def test_whatever_is_said_of_its_thickness_a_slice_is_a_slice(thickness):
    geometry = slice_of(0, spacing=(0.8, 0.9, thickness))
    image, truth, middle = disc_in(geometry, 0)
    for engine in engines_for(geometry, 0, middle):
        prompts = Prompts(points=(Point(middle),))
        assert dice(engine.predict(image, prompts, Watch()).mask(), truth) > 0.9


def test_a_point_off_the_plane_within_half_the_thickness_and_a_correction_count():
    geometry = slice_of(0, spacing=(0.8, 0.9, 4.0))
    image, truth, middle = disc_in(geometry, 0)
    off = 1.9 * geometry.directions[:, 2]
    aside = np.add(middle, 20 * geometry.directions[:, 0])
    for engine in engines_for(geometry, 0, middle):
        first = Prompts(points=(Point(middle + off),))
        PredictionRequest(model_entry("litemedsam"), image, first).check()
        assert dice(engine.predict(image, first, Watch()).mask(), truth) > 0.9
        more = Prompts(points=(Point(middle + off), Point(aside - off)))
        mask = engine.predict(image, more, Watch()).mask()
        assert mask[tuple(np.rint(geometry.to_ijk(aside)).astype(int)[::-1])]
        less = Prompts(points=(Point(middle), Point(middle + off / 2 + aside - middle, False)))
        assert dice(engine.predict(image, less, Watch()).mask(), truth) > 0.9


def test_a_measured_line_in_the_slice_is_enough():
    geometry = slice_of(0)
    image, truth, middle = disc_in(geometry, 0)
    along = RADIUS * geometry.directions[:, 1]
    prompts = Prompts(line=Line(tuple(middle - along), tuple(middle + along)))
    assert dice(bright_engine().predict(image, prompts, Watch()).mask(), truth) > 0.9


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_wise_model_sees_its_own_plane_and_no_other(axis):
    geometry = slice_of(axis, spacing=(1.0, 1.0, 1.0), turn=np.eye(3))
    image, _, _ = disc_in(geometry, axis)
    (stack,) = stacks_of(image, GreyLevels(0, 255), BrightModel())
    assert stack.geometry.shape[0] == 1 and min(stack.geometry.shape[1:]) == 60


@pytest.mark.parametrize("name", sorted(catalogue()))
def test_a_model_for_volumes_says_so_before_any_work(name):
    model, geometry = model_entry(name), slice_of(0)
    image, _, middle = disc_in(geometry, 0)
    prompts = Prompts(points=(Point(middle),))
    if model.single_slices:
        PredictionRequest(model, image, prompts).check()
        return
    with pytest.raises(InputError, match=r"is for volumes.*LiteMedSAM takes it"):
        PredictionRequest(model, image, prompts).check()
    volume, _, middle = disc_in(slice_of(0, 2), 0)
    PredictionRequest(model, volume, Prompts(points=(Point(middle),))).check()
