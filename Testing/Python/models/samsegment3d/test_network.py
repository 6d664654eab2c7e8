"""SAMSegment 3D's network: what is folded comes back, and prompts are answered."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.models.samsegment3d.network import (
    MASKS,
    Border,
    Conv1,
    Conv3,
    Judge,
    SAMSegment3D,
    folded,
    unfolded,
)
from SAMSegmentLib.models.samsegment3d.prompt_maps import DRAWN_MAPS, PROMPT_MAPS
from TestSupport.prompt_tensors import prompts_of

SMALL = {"widths": (8, 8, 16, 16), "decoder_widths": (8, 8, 8, 8), "heads": (1, 2)}


def small(edition):
    torch.manual_seed(edition)
    return SAMSegment3D(**SMALL, edition=edition).eval()


@pytest.fixture(scope="module", params=PROMPT_MAPS)
def network(request):
    return small(request.param)


@pytest.fixture(scope="module")
def second():
    return small(2)


@given(*[st.sampled_from([2, 4, 6])] * 3, st.integers(0, 2**31))
def test_unfolding_undoes_folding(d, h, w, seed):
    mask = torch.rand(2, 1, d, h, w, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(unfolded(folded(mask)), mask[:, 0])
    assert torch.equal(unfolded(folded(mask)[:, None]), mask)


@pytest.mark.parametrize("shape", [(32, 48, 64), (16, 16, 16)])
def test_masks_are_as_large_as_the_window(network, shape):
    picture = torch.rand(1, 2, *shape) * 2 - 1
    masks, quality = network.decode(
        network.encode(picture), prompts_of([[(3, 9, 7)]], [[1]], shape)
    )
    assert unfolded(masks).shape == (1, MASKS, *shape)
    assert quality.shape == (1, MASKS)
    assert masks.dtype == quality.dtype == torch.float32


def test_the_encoder_sees_no_prompts_and_is_asked_once(network):
    picture = torch.rand(1, 2, 32, 32, 32) * 2 - 1
    features = network.encode(picture)
    one, _ = network.decode(features, prompts_of([[(3, 9, 7)]], [[1]], (32,) * 3))
    other, _ = network.decode(features, prompts_of([[(20, 9, 7)]], [[1]], (32,) * 3))
    assert not torch.allclose(one, other)


def test_windows_in_one_batch_do_not_know_of_each_other(network):
    pictures = torch.rand(2, 2, 32, 32, 32) * 2 - 1
    clicks, signs = [[(3, 9, 7), (30, 1, 5)], [(11, 12, 13), (0, 0, 0)]], [[1, -1], [1, 0]]
    both, _ = network.decode(network.encode(pictures), prompts_of(clicks, signs, (32,) * 3))
    for n in range(2):
        features = network.encode(pictures[n : n + 1])
        alone, _ = network.decode(
            features, prompts_of(clicks[n : n + 1], signs[n : n + 1], (32,) * 3)
        )
        assert torch.allclose(alone[0], both[n], atol=1e-4)


# --- the second edition ---------------------------------------------------------------------------


def decoded(network, picture, **more):
    prompts = prompts_of([[(3, 9, 7)]], [[1]], (32,) * 3)
    with torch.no_grad():
        return network.decode(network.encode(picture), replace(prompts, **more))


PICTURE = 2 * torch.rand(1, 2, 32, 32, 32, generator=torch.Generator().manual_seed(0)) - 1
NOTHING_DRAWN = torch.zeros(1, DRAWN_MAPS, 16, 16, 16)


def test_the_ramp_and_each_map_of_what_is_drawn_change_the_masks(second):
    masks, quality = decoded(second, PICTURE)
    told = [{"ramp": torch.full((1, 1, 16, 16, 16), -0.5)}]
    for number in range(DRAWN_MAPS):
        drawn = NOTHING_DRAWN.clone()
        drawn[0, number, 8, 8, 4:12] = 1
        told.append({"drawn": drawn})
    for more in told:
        other, other_quality = decoded(second, PICTURE, **more)
        assert not torch.allclose(other, masks, atol=1e-4)
        assert not torch.equal(other_quality, quality)


def test_nothing_drawn_is_the_same_as_maps_without_anything(second):
    expected = decoded(second, PICTURE)
    found = decoded(second, PICTURE, ramp=torch.zeros(1, 1, 16, 16, 16), drawn=NOTHING_DRAWN)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_the_first_edition_is_not_told_of_ramps_and_of_what_is_drawn():
    first = small(1)
    expected = decoded(first, PICTURE)
    more = {"ramp": torch.ones(1, 1, 16, 16, 16), "drawn": torch.ones_like(NOTHING_DRAWN)}
    found = decoded(first, PICTURE, **more)
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_the_border_sees_the_neighbours_of_each_block():
    border, x = Border(8), torch.rand(1, 8, 6, 6, 6)
    with torch.no_grad():
        before = border(x.clone())
        x[0, :, 3, 3, 3] += 1
        changed = (border(x.clone()) != before).any(1)[0]
    assert before.shape == (1, 8 * MASKS, 6, 6, 6)
    # Two convolutions reach two blocks.
    assert changed[1:6, 1:6, 1:6].all() and not changed[0].any() and not changed[..., 0].any()


def test_a_masks_quality_comes_from_what_is_seen_inside_of_it():
    torch.manual_seed(4)
    judge = Judge(8, 16)
    masks = torch.full((1, MASKS, 8, 8, 8, 8), -40.0)
    masks[:, 0, :, :4] = masks[:, 1, :, 4:] = masks[:, 2, :, :4] = 40
    seen, whole = torch.zeros(1, 8, 4, 4, 4), torch.zeros(1, 32)
    seen[:, :, :1] = 1
    with torch.no_grad():
        quality = judge(masks, seen, whole)
        seen[:, :, :1] = 2
        other = judge(masks, seen, whole)
    assert quality.shape == (1, MASKS) and torch.isfinite(quality).all()
    assert torch.allclose(quality[:, 0], quality[:, 2])
    assert not torch.allclose(quality[:, 0], quality[:, 1], atol=1e-4)
    changed = (other - quality)[0].abs()
    assert changed[0] > 1e-4 > changed[1]


def test_masks_of_nothing_and_of_everything_have_a_quality():
    judge = Judge(8, 16)
    for logit in (-40.0, 40.0):
        masks = torch.full((1, MASKS, 8, 8, 8, 8), logit)
        assert torch.isfinite(judge(masks, torch.rand(1, 8, 4, 4, 4), torch.rand(1, 32))).all()


# --- layers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [4, 8])
def test_both_paths_of_a_convolution_agree(stride, size):
    conv, x = Conv3(16, 24, stride), torch.randn(1, 16, size, size, size)
    x = x.contiguous(memory_format=torch.channels_last_3d)
    with torch.no_grad():
        fast = conv(x)
    assert torch.allclose(conv(x), fast, atol=1e-5)


def test_a_convolution_over_single_voxels_is_one():
    conv, x = Conv1(5, 7), torch.randn(2, 5, 3, 4, 6)
    expected = torch.nn.functional.conv3d(x, conv.weight[:, :, None, None, None], conv.bias)
    assert torch.allclose(conv(x), expected, atol=1e-5)


def test_half_precision_weights_give_the_same_masks(network):
    picture = torch.rand(1, 2, 32, 32, 32) * 2 - 1
    half = SAMSegment3D(**SMALL, edition=2 if network.decoder.judge else 1)
    half.load_state_dict({name: value.half() for name, value in network.state_dict().items()})
    prompts = prompts_of([[(3, 9, 7)]], [[1]], (32,) * 3)
    with torch.no_grad():
        one, _ = network.decode(network.encode(picture), prompts)
        other, _ = half.decode(half.encode(picture), prompts)
    assert (one - other).abs().max() < 0.01 * one.abs().max()


def test_it_can_be_trained(network):
    picture = torch.rand(1, 2, 32, 32, 32) * 2 - 1
    prompts = prompts_of([[(3, 9, 7), (20, 20, 20)]], [[1, -1]], (32,) * 3)
    masks, quality = network.decode(network.encode(picture), prompts)
    (masks.square().mean() + quality.square().mean()).backward()
    missing = [name for name, p in network.named_parameters() if p.grad is None]
    assert not missing
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())
