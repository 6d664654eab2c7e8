"""SAM-Med3D's engine with the real network, random weights, and real CT."""

import numpy as np
import pytest

from SAMSegmentLib.core.errors import WeightsError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from TestSupport.cases import chest_ct
from TestSupport.phantoms import dice

torch = pytest.importorskip("torch")
from torch.nn import functional as F  # noqa: E402

from SAMSegmentLib.models.sammed3d.engine import SAMMed3DEngine  # noqa: E402
from SAMSegmentLib.models.sammed3d.network import SAMMed3D  # noqa: E402
from TestSupport.bright_network_3d import bright_engine  # noqa: E402
from TestSupport.sammed3d_weights import random_weights  # noqa: E402

CPU, SEED = torch.device("cpu"), 5
RIGHT_LUNG = 5


def engine_from(path, numbers=torch.float32):
    return SAMMed3DEngine(path, CPU, EmbeddingCache(2**28), numbers)


def predict(engine, image, *points, roi=None, watch=None):
    return engine.predict(image, Prompts(roi, points), watch or Watch())


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A checkpoint as training scripts write it."""
    path = tmp_path_factory.mktemp("weights") / "sam_med3d.pth"
    tensors = {f"module.{name}": value for name, value in random_weights(SEED).items()}
    torch.save({"model_state_dict": tensors, "epoch": 3, "losses": [0.5]}, path)
    return path


@pytest.fixture(scope="module")
def engine(weights):
    return engine_from(weights)


@pytest.fixture(scope="module")
def scan():
    """As scanners store it, towards the left and the back, and just as large as a cube."""
    matrix = np.diag([-1.5, -1.5, 1.5, 1.0])
    matrix[:3, 3] = (90.0, 70.0, -800.0)
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.normal(0, 400, (1, 1, 16, 16, 16)))
    smooth = F.interpolate(coarse, size=(128,) * 3, mode="trilinear")[0, 0].numpy()
    return Image(smooth.astype(np.int16), Geometry(matrix, (128,) * 3), "CT")


@pytest.mark.slow
def test_the_mask_is_that_of_the_whole_pipeline_written_out(engine, scan):
    # x, y, z towards the right, the front and the head; clipped; normalised over what is positive.
    values = np.clip(scan.voxels[:, ::-1, ::-1].transpose(2, 1, 0).astype(float), -1000, 1000)
    positive = values[values > 0]
    picture = (values - positive.mean()) / positive.std(ddof=1)
    network = SAMMed3D.build(random_weights(SEED))
    first, second = (40, 90, 20), (100, 30, 77)  # of the picture
    clicks = [
        Point(tuple(scan.geometry.to_ras((127 - x, 127 - y, z))), positive)
        for (x, y, z), positive in ((first, True), (second, False))
    ]
    with torch.inference_mode():
        embedding = network.encode(torch.from_numpy(picture).float()[None, None])
        logits = torch.zeros(1, 1, 32, 32, 32)
        for count, (voxel, label) in enumerate(((first, 1.0), (second, 0.0)), 1):
            points = torch.tensor([[voxel]]).float(), torch.tensor([[label]])
            logits = network.decode(embedding, logits, points)
            fine = F.interpolate(logits, size=(128,) * 3, mode="trilinear", align_corners=False)
            expected = fine[0, 0].numpy().transpose(2, 1, 0)[:, ::-1, ::-1]
            found = predict(engine, scan, *clicks[:count])
            there = found.logits > -30
            assert there.mean() > 0.3 and (expected > 0).any() and (expected < 0).any()
            assert np.abs(found.logits - expected[found.box])[there].max() < 2e-3
            unsure = np.abs(expected) < 2e-3
            assert np.array_equal(found.mask()[~unsure], (expected > 0)[~unsure])


@pytest.mark.slow
@pytest.mark.parametrize(("numbers", "most"), [(torch.int8, 0.08), (torch.bfloat16, 0.08)])
def test_in_fewer_bits_the_answer_is_nearly_the_same(weights, engine, scan, numbers, most):
    click = Point(tuple(scan.geometry.to_ras((60, 50, 40))))
    predict(engine, scan, click)
    fewer = engine_from(weights, numbers)
    predict(fewer, scan, click)
    assert not set(fewer._cache._embeddings._kept) & set(engine._cache._embeddings._kept)
    ((one, _),), ((other, _),) = (
        each._cache._embeddings._kept.values() for each in (fewer, engine)
    )
    assert one.dtype == torch.float32
    error = (one - other).norm() / other.norm()
    assert 1e-6 < error < most


@pytest.mark.slow
def test_a_real_ct_is_encoded_once_and_clicks_can_be_taken_back(engine):
    case = chest_ct()
    roi = case.roi(RIGHT_LUNG)
    first = predict(engine, case.image, roi=roi)
    inside = Point(tuple(roi.center + roi.axes @ (roi.size * (0.1, -0.2, 0.2))))
    second = predict(engine, case.image, inside, roi=roi)
    assert np.isfinite(first.logits).all() and np.isfinite(second.logits).all()
    assert not np.array_equal(first.mask(), second.mask())
    assert np.array_equal(predict(engine, case.image, roi=roi).logits, first.logits)
    assert not second.mask()[~roi.contains_voxels(case.image.geometry)].any()


@pytest.mark.slow
def test_weights_that_know_boxes_take_the_roi_as_one(tmp_path, scan):
    from safetensors.torch import save_file

    from SAMSegmentLib.core.prompts import Roi

    path = tmp_path / "boxes.safetensors"
    save_file(random_weights(SEED, boxes=True), path)
    engine = engine_from(path)
    center = scan.geometry.to_ras((64, 64, 64))
    masks = [
        predict(engine, scan, roi=Roi.from_box(center, (size,) * 3)).on_grid(scan.geometry)
        for size in (60, 90)
    ]
    # One centre, two boxes: only the box can make the difference.
    middle = (slice(60, 68),) * 3
    assert np.abs(masks[0][middle] - masks[1][middle]).max() > 1e-3


def test_weights_of_another_network_are_refused_at_once(tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"image_encoder.pos_embed": torch.zeros(3)}, path)
    with pytest.raises(WeightsError, match="not the weights of SAM-Med3D"):
        engine_from(path)


def test_the_lung_of_a_real_ct_is_found_where_it_is():
    # The network of this test knows what is bright only: so the lung is made bright.
    case = chest_ct()
    lung = case.labels == RIGHT_LUNG
    image = Image(np.where(lung, 500, case.image.voxels // 8), case.image.geometry, "CT")
    middle = case.image.geometry.to_ras(np.argwhere(lung).mean(0)[::-1])
    inside = np.argwhere(lung)
    nearest = inside[np.abs(inside - case.image.geometry.to_ijk(middle)[::-1]).sum(1).argmin()]
    click = Point(tuple(case.image.geometry.to_ras(nearest[::-1])))
    mask = predict(bright_engine(), image, click).mask()
    assert dice(mask, lung) > 0.9
