"""Clicks of the training's user lie in what they are about, or next to it."""

import torch
import torch.nn.functional as F
from hypothesis import given, settings

from TestSupport.objects import N, box, boxes, seeded, seeds
from TestSupport.properties import examples
from Training.clicks import BESIDE, click_beside, click_in, grown, halved, shaken, values_at


@settings(max_examples=examples(40))
@given(boxes(), boxes(), seeds)
def test_a_click_lies_in_its_region_however_small(one, other, seed):
    regions = torch.cat([one, other, one ^ other | one])
    click = click_in(regions, seeded(seed))
    assert click.shape == (3, 3) and values_at(regions, click).all()


def test_most_clicks_fall_deep_into_the_largest_region():
    large, small = box((1, 1, 1), (10, 10, 10)), box((13, 13, 13), (15, 15, 15))
    clicks = click_in((large | small).expand(60, -1, -1, -1), seeded(1))
    deep = ((clicks >= 3) & (clicks < 8)).all(1)
    assert 0.4 < deep.float().mean() < 1  # the rest falls anywhere
    assert (clicks < 12).all(1).float().mean() > 0.9


@settings(max_examples=examples(40))
@given(boxes(), seeds)
def test_a_click_beside_is_outside_of_the_object_and_near_it(mask, seed):
    click = click_beside(mask, seeded(seed))
    if mask.all():
        return
    assert not values_at(mask, click)
    near = grown(mask, BESIDE[1]) & ~grown(mask, BESIDE[0] - 1)
    if (grown(mask, BESIDE[0]) & ~grown(mask, BESIDE[0] - 1)).any():
        assert values_at(near, click)


@settings(max_examples=examples(30))
@given(boxes())
def test_what_grows_does_so_by_as_many_voxels_along_each_axis(mask):
    for voxels in (0, 1, 2, 5, 16, 20):
        expected = F.max_pool3d(mask[:, None].float(), 2 * voxels + 1, 1, voxels)[:, 0] > 0
        assert torch.equal(grown(mask, voxels), expected)


def test_half_the_resolution_has_the_means_of_eight_voxels():
    values, mask = torch.rand(2, 8, 6, 4), torch.rand(2, 8, 6, 4) > 0.5
    for each in (values, mask):
        expected = F.avg_pool3d(each[:, None].float(), 2)
        assert torch.allclose(halved(each), expected) and halved(each).dtype == torch.float32


def test_some_clicks_of_an_unsteady_hand_are_off_but_never_beyond_the_window():
    clicks = torch.tensor([[0.0, 8.0, N - 1.0]]).expand(300, -1)
    found = shaken(clicks, (N, N, N), seeded(2))
    off = (found != clicks).any(1)
    assert 0.1 < off.float().mean() < 0.4
    assert (found >= 0).all() and (found <= N - 1).all()
    assert (found - clicks).abs().max() < 8
