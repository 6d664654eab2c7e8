"""The fast CPU forward pass of the encoder equals the plain module."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from SAMSegmentLib.models.litemedsam.inference_ops import Workspace
from SAMSegmentLib.models.litemedsam.tiny_vit import TinyViT, WindowAttention
from SAMSegmentLib.models.litemedsam.tiny_vit_inference import FastAttention, TinyViTInference
from SAMSegmentLib.models.litemedsam.window_bands import cut_into_bands
from SAMSegmentLib.models.shared_layers.layers import fold_batch_norms
from TestSupport.properties import examples

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def fast_encoder(random_encoder):
    return TinyViTInference(random_encoder)


@settings(max_examples=examples(3))
@given(
    seed=st.integers(0, 2**31),
    levels=st.sampled_from([1, 2, 100, 256, 257, 2**20]),
    channels=st.sampled_from([1, 3]),
)
def test_fast_equals_plain(random_encoder, fast_encoder, seed, levels, channels):
    image = _image(seed, levels, channels)
    expected = random_encoder(image.expand(-1, 3, -1, -1))
    torch.testing.assert_close(fast_encoder(image), expected, rtol=0, atol=_bound(expected))


@settings(max_examples=examples(40))
@given(size=st.integers(3, 20), window=st.integers(2, 8), seed=st.integers(0, 2**31))
def test_attention_with_collapsed_padding_equals_padded_attention(size, window, seed):
    generator = torch.Generator().manual_seed(seed)
    attention = WindowAttention(channels=8, heads=2, window=window).requires_grad_(False)
    for parameter in attention.parameters():
        parameter.normal_(generator=generator)
    grid = torch.randn(size, size, 8, generator=generator)
    expected = grid + attention(grid[None])[0]
    FastAttention(attention, size, Workspace())(grid)
    torch.testing.assert_close(grid, expected, rtol=1e-4, atol=1e-4)


@given(size=st.integers(1, 40), window=st.integers(1, 14))
def test_the_windows_of_all_bands_cover_each_token_once(size, window):
    visits = torch.zeros(size, size, 1)
    for band in cut_into_bands(size, window):
        for group in band.groups:
            group.in_grid(visits, band.row).add_(1)
    assert (visits == 1).all()


def test_between_blocks_a_pass_can_be_ended_and_the_next_one_is_right(fast_encoder):
    image, calls = _image(3, 256), []
    expected = fast_encoder(image, lambda: calls.append(None))
    assert len(calls) > 8

    class Enough(Exception):
        pass

    left = iter(range(len(calls) // 2))

    def stop():
        if next(left, None) is None:
            raise Enough

    with pytest.raises(Enough):
        fast_encoder(_image(4, 256), stop)
    assert torch.equal(fast_encoder(image), expected)


def test_the_same_image_gives_the_same_result_again(fast_encoder):
    first, other = _image(1, 256), _image(2, 2**20)
    before = fast_encoder(first)
    kept = before.clone()
    fast_encoder(other)
    assert torch.equal(before, kept)
    assert torch.equal(fast_encoder(first), kept)


def test_a_batch_gives_what_its_images_give(fast_encoder):
    images = torch.cat([_image(seed, 200) for seed in range(3)])
    together = fast_encoder(images)
    assert together.shape == (3, 256, 64, 64)
    for image, embedding in zip(images, together, strict=True):
        assert torch.equal(fast_encoder(image[None])[0], embedding)


def test_one_channel_stands_for_three_equal_ones(fast_encoder):
    image = _image(3, 256)
    expected = fast_encoder(image.expand(-1, 3, -1, -1))
    torch.testing.assert_close(fast_encoder(image), expected, rtol=0, atol=_bound(expected))


def test_inference_mode_may_come_and_go(random_encoder):
    encoder, image = TinyViTInference(random_encoder), _image(4, 256)
    with torch.inference_mode():
        inside = encoder(image).clone()
    assert torch.equal(encoder(image), inside)


def test_threads_take_turns(fast_encoder):
    images = [_image(seed, 256) for seed in range(4)]
    expected = [fast_encoder(image) for image in images]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(fast_encoder, images))
    assert all(torch.equal(*pair) for pair in zip(results, expected, strict=True))


def test_folding_the_batch_norms_changes_nothing_but_the_keys(random_encoder):
    folded = TinyViT().eval().requires_grad_(False)
    folded.load_state_dict(random_encoder.state_dict())
    fold_batch_norms(folded)
    assert not any("running" in name for name in folded.state_dict())
    image = _image(5, 256, channels=3)
    expected = random_encoder(image)
    torch.testing.assert_close(folded(image), expected, rtol=0, atol=_bound(expected))


def _image(seed: int, levels: int, channels: int = 1) -> torch.Tensor:
    """Noise with at most that many values."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(0, levels, (1, channels, 256, 256), generator=generator)
    return values / max(levels - 1, 1)


def _bound(expected: torch.Tensor) -> float:
    return 10 * TOLERANCE * expected.square().mean().sqrt().item()
