"""Shown a part of the picture, the decoder says of it what it says of the whole."""

import pytest
import torch

BOX = torch.tensor([[84.0, 88, 120, 116]])


@pytest.mark.parametrize("boxes", [BOX, torch.tensor([[60.0, 50, 180, 200], [0, 0, 255, 255]])])
def test_the_whole_picture_as_a_part_changes_nothing(plain, fast, chest_embedding, boxes):
    for model in (plain, fast):
        logits, quality = model.decode(chest_embedding, boxes=boxes)
        part_logits, part_quality = model.decode(chest_embedding, boxes=boxes, part=(0, 0, 256))
        assert torch.equal(part_logits, logits)
        assert torch.equal(part_quality, quality)


@pytest.mark.parametrize("part", [(0, 0, 128), (128, 64, 96), (252, 252, 4), (60, 0, 196)])
def test_logits_of_a_part_have_its_side(fast, chest_embedding, part):
    boxes = BOX.repeat(3, 1)
    logits, quality = fast.decode(chest_embedding, boxes=boxes, part=part)
    assert logits.shape == (3, 1, part[2], part[2])
    assert quality.shape == (3, 1)
    assert torch.isfinite(logits).all()


def test_an_object_well_within_a_part_is_nearly_that_of_the_whole(fast, chest_embedding):
    whole = fast.decode(chest_embedding, boxes=BOX)[0][0, 0] > 0
    assert whole.sum() > 200
    row, column, side = 40, 40, 128
    seen = fast.decode(chest_embedding, boxes=BOX, part=(row, column, side))[0][0, 0] > 0
    back = torch.zeros_like(whole)
    back[row : row + side, column : column + side] = seen
    assert 2 * (back & whole).sum() / (back.sum() + whole.sum()) > 0.9


def test_prompts_are_told_in_pixels_of_the_whole_picture(fast, chest_embedding):
    # The same part with a box that lies elsewhere must give another mask.
    here, _ = fast.decode(chest_embedding, boxes=BOX, part=(40, 40, 128))
    there, _ = fast.decode(chest_embedding, boxes=BOX - 40, part=(40, 40, 128))
    assert not torch.equal(here > 0, there > 0)


def test_prepared_or_not_a_part_is_decoded_the_same(plain, fast, chest_embedding):
    one, other = (
        model.decode(chest_embedding, boxes=BOX, part=(64, 32, 128))[0] for model in (plain, fast)
    )
    assert torch.allclose(one, other, atol=1e-4)
