"""SAMSegment 3D's network: what is folded comes back, prompts lie where they belong, and answer."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.models.samsegment3d.network import (
    HEAD,
    MASKS,
    PROMPT_MAPS,
    Conv1,
    Conv3,
    PromptTensors,
    SAMSegment3D,
    folded,
    likeness_to_clicks,
    prompt_maps,
    unfolded,
    unit_vectors,
)

SMALL = {"widths": (8, 8, 16, 16), "decoder_widths": (8, 8, 8, 8), "heads": (1, 2)}
POSITIVE, WIDE_POSITIVE, NEGATIVE, WIDE_NEGATIVE, NEWEST, ROI, BEFORE, PRESENT = range(PROMPT_MAPS)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return SAMSegment3D(**SMALL).eval()


def prompts_of(clicks, signs, shape=(16, 16, 16), roi=0.0, before=0.0):
    half = (len(clicks), 1, *(n // 2 for n in shape))
    return PromptTensors(
        torch.tensor(clicks, dtype=torch.float32),
        torch.tensor(signs, dtype=torch.float32),
        torch.full(half, roi),
        torch.full(half, before),
    )


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


def test_a_click_is_highest_where_it_is():
    maps = prompt_maps(prompts_of([[(5, 12, 3), (14, 2, 9)]], [[1, -1]]))[0]
    for number, click in ((POSITIVE, (5, 12, 3)), (NEGATIVE, (14, 2, 9))):
        for wider in (0, 1):
            peak = torch.unravel_index(maps[number + wider].argmax(), (8, 8, 8))
            assert [int(n) for n in peak] == [n // 2 for n in click]
    assert maps[WIDE_POSITIVE].sum() > 5 * maps[POSITIVE].sum()
    # The newest one, with its sign.
    assert torch.allclose(maps[NEWEST], -maps[NEGATIVE])


def test_no_click_no_roi_and_no_mask_differ_from_theirs():
    nothing = prompt_maps(prompts_of([[(5, 5, 5)]], [[0]]))
    assert not nothing.any()
    something = prompt_maps(prompts_of([[(5, 5, 5)]], [[0]], roi=-1.0, before=-0.5))[0]
    assert (something[ROI] == -1).all() and (something[BEFORE] == -0.5).all()
    assert (something[PRESENT] == 1).all()


def test_places_like_the_one_clicked_on_are_marked():
    vectors = unit_vectors(torch.randn(1, 2 * HEAD, 4, 4, 4))
    alike = likeness_to_clicks(vectors, prompts_of([[(5, 2, 7), (1, 1, 1)]], [[1, -1]]), 4)
    assert alike.shape == (1, 4, 4, 4, 4)
    # Heads of the positive click, then of the negative one.
    assert torch.allclose(alike[0, :2, 1, 0, 1], torch.ones(2), atol=1e-3)
    assert torch.allclose(alike[0, 2:, 0, 0, 0], torch.ones(2), atol=1e-3)
    assert alike.abs().max() <= 1 + 1e-3


def test_of_several_clicks_the_most_alike_counts():
    vectors = unit_vectors(torch.randn(1, HEAD, 4, 4, 4))
    clicks = [(1, 1, 1), (13, 13, 13)]
    both = likeness_to_clicks(vectors, prompts_of([clicks], [[1, 1]]), 4)
    each = [likeness_to_clicks(vectors, prompts_of([[click]], [[1]]), 4) for click in clicks]
    assert torch.allclose(both[:, :1], torch.maximum(each[0], each[1])[:, :1])
    assert (both[:, 1:] == -1).all()


def test_a_click_on_the_edge_is_within():
    vectors = unit_vectors(torch.randn(1, HEAD, 4, 4, 4))
    alike = likeness_to_clicks(vectors, prompts_of([[(15.9, -0.4, 15)]], [[1]]), 4)
    assert alike[0, 0, 3, 0, 3] == pytest.approx(1, abs=1e-3)


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
    half = SAMSegment3D(**SMALL)
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
