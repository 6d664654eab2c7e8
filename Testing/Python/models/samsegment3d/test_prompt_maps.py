"""Prompts lie in their maps where they belong, and what is like them is marked."""

from dataclasses import replace

import pytest
import torch

from SAMSegmentLib.models.samsegment3d.prompt_maps import (
    DRAWN_MAPS,
    HEAD,
    PROMPT_MAPS,
    likeness_to_clicks,
    prompt_maps,
    unit_vectors,
)
from TestSupport.prompt_tensors import prompts_of

POSITIVE, WIDE_POSITIVE, NEGATIVE, WIDE_NEGATIVE, NEWEST, ROI, BEFORE, PRESENT = range(
    PROMPT_MAPS[1]
)
RAMP, *DRAWN = range(PROMPT_MAPS[1], PROMPT_MAPS[2])


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


def test_maps_of_the_second_edition_follow_those_of_the_first():
    half = (1, 1, 8, 8, 8)
    ramp, drawn = torch.full(half, 0.25), torch.rand(1, DRAWN_MAPS, *half[2:])
    prompts = replace(prompts_of([[(5, 12, 3)]], [[1]], roi=1.0), ramp=ramp, drawn=drawn)
    first, second = (prompt_maps(prompts, edition) for edition in PROMPT_MAPS)
    assert torch.equal(second[:, :RAMP], first) and torch.equal(second[:, RAMP], ramp[:, 0])
    assert torch.equal(second[:, DRAWN], drawn)


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
