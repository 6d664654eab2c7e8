"""Attention with collapsed padding is attention with padding."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from SAMSegmentLib.models.sammed3d.attention import CubeAttention
from TestSupport import sammed3d_padded
from TestSupport.properties import examples

TOLERANCE = 1e-5


def attention_of(heads, grid, window, seed, dtype=torch.float32):
    """An attention with random weights, tables and biases, and tokens for it."""
    generator = torch.Generator().manual_seed(seed)
    width = 8 * heads
    attention = CubeAttention(width, heads, grid, window).to(dtype)
    for parameter in attention.parameters():
        values = torch.randn(parameter.shape, generator=generator, dtype=dtype)
        parameter.data = values * (0.5 if parameter.ndim == 1 else 0.4)
    return attention, torch.randn(2, grid**3, width, generator=generator, dtype=dtype)


def padded(attention, tokens, **options):
    cube = tokens.view(len(tokens), *(attention.grid,) * 3, -1)
    weights = dict(attention.named_parameters())
    window, heads = attention.window, attention.heads
    return sammed3d_padded.attention(weights, cube, heads, window, **options).flatten(1, 3)


def relative_error(ours, expected):
    return ((ours - expected).norm() / expected.norm()).item()


sizes = st.tuples(st.integers(1, 4), st.integers(0, 3))


@settings(max_examples=examples(60))
@given(size=sizes, heads=st.integers(1, 3), seed=st.integers(0, 2**31), grad=st.booleans())
def test_collapsed_padding_equals_padding(size, heads, seed, grad):
    grid, more = size
    attention, tokens = attention_of(heads, grid, grid + more, seed)
    with torch.set_grad_enabled(grad):
        ours = attention(tokens)
    assert relative_error(ours, padded(attention, tokens)) < TOLERANCE


def test_large_scores_do_not_overflow():
    attention, tokens = attention_of(2, 3, 5, 0)
    attention.rel_pos_h.data *= 300
    with torch.no_grad():
        ours = attention(tokens)
    assert ours.isfinite().all()
    assert relative_error(ours, padded(attention, tokens)) < 1e-4


@pytest.mark.slow
def test_collapsed_padding_equals_padding_in_the_published_size():
    generator = torch.Generator().manual_seed(0)
    attention = CubeAttention(768, 12, 8, 14).requires_grad_(False)
    for parameter in attention.parameters():
        parameter.normal_(0, 0.2 if parameter.ndim == 1 else 0.05, generator=generator)
    attention.rel_pos_h.mul_(4)
    tokens = torch.randn(1, 512, 768, generator=generator)
    assert relative_error(attention(tokens), padded(attention, tokens)) < TOLERANCE


def test_gradients_are_those_with_padding():
    attention, tokens = attention_of(2, 2, 4, 5, torch.float64)
    parameters = list(attention.parameters())
    ours = torch.autograd.grad(attention(tokens).square().sum(), parameters)
    expected = torch.autograd.grad(padded(attention, tokens).square().sum(), parameters)
    for mine, theirs in zip(ours, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-8)


# What the weights were trained with, and what would be wrong though it looks right.


def test_the_formula_of_the_textbook_would_give_something_else():
    attention, tokens = attention_of(2, 3, 5, 1)
    with torch.no_grad():
        ours = attention(tokens)
    assert relative_error(padded(attention, tokens, textbook=True), ours) > 0.05


def test_without_the_pads_something_else_would_come_out():
    attention, tokens = attention_of(2, 3, 5, 2)
    with torch.no_grad():
        ours = attention(tokens)
        attention.window = attention.grid
        middle = slice(2, 7)  # the same distances in the smaller table
        for name in ("rel_pos_d", "rel_pos_h", "rel_pos_w"):
            setattr(attention, name, torch.nn.Parameter(getattr(attention, name)[middle]))
        assert relative_error(attention(tokens), ours) > 0.05
