"""SAMSegment 3D's engine with the real network, small and with random weights."""

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError, WeightsError
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from TestSupport.phantoms import ball, ct_with_ball, grid, middle_of

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from SAMSegmentLib.models.samsegment3d.engine import SAMSegment3DEngine  # noqa: E402
from SAMSegmentLib.models.samsegment3d.model import (  # noqa: E402
    SAMSegment3DModel,
    evened,
    load_network,
    sizes_of,
)
from SAMSegmentLib.models.samsegment3d.network import SAMSegment3D, unfolded  # noqa: E402
from SAMSegmentLib.models.samsegment3d.prompt_maps import PromptTensors  # noqa: E402
from SAMSegmentLib.models.samsegment3d.prompts import WindowPrompt, mask_map, roi_map, roi_ramp  # noqa: E402
from SAMSegmentLib.models.samsegment3d.windows import WindowFrame  # noqa: E402
from SAMSegmentLib.models.windowed.masks import WindowMask  # noqa: E402

CPU = torch.device("cpu")
SIZES = {"widths": (8, 8, 16, 16), "decoder_widths": (8, 8, 8, 8), "heads": (1, 1)}
GEOMETRY = grid((20, 40, 50), (1.5, 1.5, 3))
CLICK = Point(tuple(middle_of(GEOMETRY)))


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return SAMSegment3D(**SIZES)


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "samsegment3d.safetensors"
    save_file({name: tensor.half() for name, tensor in network.state_dict().items()}, path)
    return path


@pytest.fixture
def engine(weights):
    return SAMSegment3DEngine(weights, CPU, EmbeddingCache(2**28), torch.float32)


@pytest.fixture(scope="module")
def image():
    return ct_with_ball(GEOMETRY, CLICK.ras, 12)


def predict(engine, image, *points, roi=None, **more):
    return engine.predict(image, Prompts(roi, points), Watch(), **more)


def test_a_network_of_any_size_is_built_from_its_tensors(network, weights):
    assert sizes_of(network.state_dict()) == SIZES | {"edition": 1}
    loaded = load_network(weights, CPU, torch.float32)
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float())
    assert sizes_of({}) == {}


@pytest.mark.parametrize("edition", [1, 2])
def test_weights_say_of_which_edition_they_are(edition, image, tmp_path):
    path = tmp_path / "weights.safetensors"
    tensors = SAMSegment3D(**SIZES, edition=edition).state_dict()
    assert sizes_of(tensors) == SIZES | {"edition": edition}
    save_file({name: tensor.half() for name, tensor in tensors.items()}, path)
    engine = SAMSegment3DEngine(path, CPU, EmbeddingCache(2**28), torch.float32)
    assert engine.empty_network(tensors).state_dict().keys() == tensors.keys()
    assert predict(engine, image, CLICK).mask().any()


def test_the_weights_of_another_network_are_refused(network, tmp_path):
    tensors = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    more = {**tensors, "encoder.more": torch.zeros(3)}
    less = {name: tensor for name, tensor in tensors.items() if "quality" not in name}
    none = {"encoder.stem.weight": torch.zeros(3)}
    for number, wrong in enumerate((more, less, none)):
        path = tmp_path / f"{number}.safetensors"
        save_file(wrong, path)
        with pytest.raises(WeightsError, match="not the weights of SAMSegment 3D"):
            load_network(path, CPU, torch.float32)


def test_prompts_give_a_mask_in_which_each_click_holds(engine, image):
    clicks = CLICK, Point(tuple(np.add(CLICK.ras, (20, 0, 0))), False)
    for count in (1, 2):
        mask = predict(engine, image, *clicks[:count]).mask()
        for click in clicks[:count]:
            k, j, i = np.rint(GEOMETRY.to_ijk(np.array(click.ras))[::-1]).astype(int)
            assert bool(mask[k, j, i]) == click.positive
    roi = Roi.from_box(CLICK.ras, (24, 24, 24))
    assert not predict(engine, image, roi=roi).mask()[~roi.contains_voxels(GEOMETRY)].any()


@pytest.fixture
def window():
    return WindowFrame(GEOMETRY).around(np.array(CLICK.ras), 1.5)


@pytest.fixture
def model(weights):
    return SAMSegment3DModel(weights, CPU, torch.float32)


def encode(model, picture):
    return model.encode(picture, lambda: None)


def decode(model, features, window, *more):
    (mask,) = model.decode(features, window, WindowPrompt((CLICK,), *more), lambda: None)
    return mask


def test_the_best_mask_is_the_networks_own(model, weights, image, window):
    picture = model.picture(image, window, None)
    found = decode(model, encode(model, picture), window)
    assert found.shape == window.shape and found.dtype == np.float32
    loaded = load_network(weights, CPU, torch.float32)
    half = torch.zeros(1, 1, *(n // 2 for n in window.shape))
    clicks = torch.tensor(window.place(np.array(CLICK.ras)), dtype=torch.float32)[None, None]
    with torch.inference_mode():
        features = loaded.encode(torch.from_numpy(picture)[None])
        masks, quality = loaded.decode(
            features, PromptTensors(clicks, torch.ones(1, 1), half, half)
        )
    expected = evened(unfolded(masks[0, quality[0].argmax()]).numpy())
    assert np.abs(found - expected).max() < 1e-3


def test_what_alternates_from_voxel_to_voxel_is_taken_out_and_no_border_moves():
    n = np.arange(12, dtype=np.float32) - 4.5
    plane = np.broadcast_to(n[:, None, None], (12, 10, 8))
    pattern = 3 * (-1.0) ** np.indices(plane.shape).sum(0, dtype=np.float32)
    assert np.allclose(evened(plane + pattern)[2:-2, 2:-2, 2:-2], plane[2:-2, 2:-2, 2:-2])
    # A ball's border, too, stays where it is.
    distance = np.sqrt(sum(at**2 for at in np.mgrid[-8:9, -8:9, -8:9])) - 5.0
    moved = evened(distance.astype(np.float32)) - distance
    assert np.abs(moved[np.abs(distance) < 1]).max() < 0.02


def test_features_from_the_cache_give_the_same_as_fresh_ones_but_for_half_precision(
    model, image, window
):
    features = encode(model, model.picture(image, window, None))
    fresh = decode(model, features, window)
    encode(model, model.picture(image, window, (-100.0, 200.0)))
    kept = decode(model, features, window)
    assert not np.array_equal(kept, fresh)
    assert np.abs(kept - fresh).max() < 0.02 * np.abs(fresh).max()


def test_the_previous_mask_and_the_roi_reach_the_network(model, image, window):
    features = encode(model, model.picture(image, window, None))
    plain = decode(model, features, window)
    within = decode(model, features, window, roi_map(Roi.from_box(CLICK.ras, (20,) * 3), window))
    after = decode(model, features, window, None, mask_map(WindowMask(window, plain), window))
    assert not np.allclose(plain, within) and not np.allclose(plain, after)


def test_a_window_of_one_intensity_and_a_volume_with_holes_are_refused(engine):
    flat = np.full(GEOMETRY.shape, 7, np.int16)
    with pytest.raises(InputError, match="same intensity"):
        predict(engine, Image(flat, GEOMETRY), CLICK)
    holes = ball(GEOMETRY, CLICK.ras, 9).astype(np.float32)
    holes[3, 3, 3] = np.nan
    with pytest.raises(InputError, match="NaN or infinite"):
        predict(engine, Image(holes, GEOMETRY), CLICK)


def test_it_also_computes_in_bfloat16(weights, image):
    engine = SAMSegment3DEngine(weights, CPU, EmbeddingCache(2**28), torch.bfloat16)
    assert predict(engine, image, CLICK).mask().any()


@pytest.mark.parametrize("edition", [1, 2])
def test_a_network_that_knows_ramps_gets_the_roi_as_it_was_drawn(edition, tmp_path, image, window):
    torch.manual_seed(edition)
    path = tmp_path / "weights.safetensors"
    save_file(SAMSegment3D(**SIZES, edition=edition).state_dict(), path)
    model = SAMSegment3DModel(path, CPU, torch.float32)
    features = encode(model, model.picture(image, window, None))
    rois = [Roi.from_box(CLICK.ras, (side,) * 3) for side in (20, 26)]
    shrunken = roi_map(rois[0], window)
    masks = [
        model.decode(
            features,
            window,
            WindowPrompt(roi=shrunken, ramp=roi_ramp(roi, window)),
            lambda: None,
        )[0]
        for roi in rois
    ]
    assert np.array_equal(*masks) == (edition == 1)
