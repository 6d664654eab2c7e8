"""Our SAM-Med3D says what the authors' says with the same random weights, to all kinds of prompt.

What theirs said is recorded, see TestSupport/record_sammed3d.py.
"""

import json
from pathlib import Path

import pytest
import torch

from SAMSegmentLib.models.sammed3d.network import SAMMed3D
from TestSupport import record_sammed3d, sammed3d_padded
from TestSupport.sammed3d_cases import CASES, MASKS, PICTURE_SEED, WEIGHTS_SEED
from TestSupport.sammed3d_weights import random_picture, random_weights

RECORDED = json.loads(Path(record_sammed3d.OUTPUT).read_text(encoding="utf-8"))
# Of an output's deviation. Sums of thousands of products in another order differ by 1e-6 of it; all
# that could be wrong (a sign, an axis, a missing term) by a thousand times as much.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def networks():
    """Without and with boxes."""
    return {
        boxes: SAMMed3D.build(random_weights(WEIGHTS_SEED, boxes=boxes)) for boxes in (False, True)
    }


@pytest.fixture(scope="module")
def embedding(networks):
    with torch.inference_mode():
        return networks[False].encode(random_picture(PICTURE_SEED))


def differs(output, name):
    """How far an output is from what is recorded, in its own deviations."""
    expected = RECORDED[name]
    assert list(output.shape) == expected["shape"]
    flat = output.flatten()
    values = flat[record_sammed3d.places(len(flat))].double()
    distances = (values - torch.tensor(expected["values"], dtype=torch.float64)).abs().max().item()
    moved = abs(flat.double().mean().item() - expected["mean"])
    spread = abs(flat.double().std().item() - expected["deviation"])
    return max(distances, moved, spread) / expected["deviation"]


def as_recorded(tokens):
    """(N, 8^3, C) as the authors have it, (N, C, 8, 8, 8)."""
    return tokens.transpose(1, 2).unflatten(2, (8, 8, 8))


def test_the_encoder(embedding):
    assert differs(embedding, "embedding") < TOLERANCE


def test_the_positions_of_the_embedding(networks):
    positions = networks[False].prompt_encoder.grid_positions()[None]
    assert differs(as_recorded(positions), "grid positions") < TOLERANCE


@pytest.mark.parametrize("which", MASKS)
@pytest.mark.parametrize("name", CASES)
def test_prompts(networks, name, which):
    points, box = CASES[name]
    with torch.inference_mode():
        encoder = networks[box is not None].prompt_encoder
        sparse, dense = encoder(box, points, MASKS[which])
    if sparse.numel():
        assert differs(sparse, f"{name}, {which}: sparse") < TOLERANCE
    assert differs(as_recorded(dense), f"{name}, {which}: dense") < TOLERANCE


@pytest.mark.parametrize("which", MASKS)
@pytest.mark.parametrize("name", CASES)
def test_masks(networks, embedding, name, which):
    points, box = CASES[name]
    with torch.inference_mode():
        logits = networks[box is not None].decode(embedding, MASKS[which], points, box)
    assert differs(logits, f"{name}, {which}: logits") < TOLERANCE


def test_what_is_recorded_tells_prompts_apart(networks, embedding):
    points, _ = CASES["one positive point"]
    with torch.inference_mode():
        logits = networks[False].decode(embedding, MASKS["no mask"], points)
    for other in ("one negative point", "three points", "no point"):
        assert differs(logits, f"{other}, no mask: logits") > 100 * TOLERANCE
    assert differs(logits, "one positive point, a mask: logits") > 100 * TOLERANCE


def test_points_and_the_embedding_do_not_share_the_order_of_their_axes(networks):
    encoder = networks[False].prompt_encoder
    grid = encoder.grid_positions().view(8, 8, 8, -1)
    middles = torch.tensor([[1.0, 4, 6], [4.0, 1, 6]]) * 16 + 7.5
    of_point, swapped = encoder.pe_layer((middles + 0.5) / 128)
    torch.testing.assert_close(grid[1, 4, 6], swapped, rtol=0, atol=1e-4)
    assert (grid[1, 4, 6] - of_point).abs().max() > 0.1


@pytest.mark.slow
def test_the_encoder_equals_the_padded_one(embedding):
    with torch.inference_mode():
        expected = sammed3d_padded.encode(
            random_weights(WEIGHTS_SEED), random_picture(PICTURE_SEED)
        )
    assert ((embedding - expected).norm() / expected.norm()).item() < 1e-5
