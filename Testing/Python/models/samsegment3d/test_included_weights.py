"""The weights of SAMSegment 3D that ship: small, sound, and of use on a real CT."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from SAMSegmentLib.core.image import Image  # noqa: E402
from SAMSegmentLib.core.orientation import Reorientation  # noqa: E402
from SAMSegmentLib.core.progress import Watch  # noqa: E402
from SAMSegmentLib.core.prompts import Prompts  # noqa: E402
from SAMSegmentLib.evaluation.simulated_user import next_click  # noqa: E402
from SAMSegmentLib.models.embedding_cache import EmbeddingCache  # noqa: E402
from SAMSegmentLib.models.samsegment3d.engine import SAMSegment3DEngine  # noqa: E402
from SAMSegmentLib.models.tensor_files.checkpoints import load_tensors  # noqa: E402
from SAMSegmentLib.weights.catalogue import model_entry  # noqa: E402
from TestSupport.cases import chest_ct  # noqa: E402
from TestSupport.phantoms import dice  # noqa: E402

MOST_BYTES = 25_000_000
LUNGS = {"right": 5, "left": 6}
#: In single precision, so that machines agree.
NUMBERS = torch.float32


@pytest.fixture(scope="module")
def engine():
    weights = model_entry("samsegment3d").verified_path()
    return SAMSegment3DEngine(weights, torch.device("cpu"), EmbeddingCache(2**28), NUMBERS)


def after_clicks(engine, image, truth, number):
    """The mask after clicks of the simulated user, and these."""
    prompts, mask = Prompts(), np.zeros(truth.shape, bool)
    for _ in range(number):
        click = next_click(truth, mask, image.geometry)
        prompts = Prompts(points=(*prompts.points, click))
        mask = engine.predict(image, prompts, Watch()).mask() > 0
    return mask, prompts


def test_they_are_small_finite_and_in_half_precision():
    entry = model_entry("samsegment3d")
    assert entry.embedded and entry.size <= MOST_BYTES
    tensors = load_tensors(entry.path)
    assert sum(value.numel() for value in tensors.values()) == entry.parameter_count
    assert all(torch.isfinite(value).all() for value in tensors.values())
    assert {value.dtype for value in tensors.values()} == {torch.float16}


@pytest.mark.parametrize("side", LUNGS)
def test_a_lung_is_found_with_some_clicks(engine, side):
    case = chest_ct()
    truth = case.labels == LUNGS[side]
    mask, _ = after_clicks(engine, case.image, truth, 5)
    assert dice(mask, truth) > 0.7


def test_however_the_volume_is_stored_the_mask_is_the_same(engine):
    case = chest_ct()
    truth = case.labels == LUNGS["right"]
    mask, prompts = after_clicks(engine, case.image, truth, 2)
    storage = Reorientation((2, 0, 1), (True, False, True))
    geometry = storage.apply_to_geometry(case.image.geometry)
    stored = Image(np.ascontiguousarray(storage.apply(case.image.voxels)), geometry)
    again = engine.predict(stored, prompts, Watch()).mask() > 0
    assert dice(again, storage.apply(mask)) > 0.99
