"""Our network computes what the published network computes, run side by side."""

import pytest
import torch
from litemedsam_reference import (
    SHARED_DATA,
    chest_ct_slice,
    labelled_slices,
    reference_decode,
    relative_error,
)

TOLERANCE = 1e-5  # relative L2
UNDECIDED = 1e-4  # a logit this close to zero may fall on either side of it


def _noise(seed: int = 0, channels: int = 1) -> torch.Tensor:
    return torch.rand(1, channels, 256, 256, generator=torch.Generator().manual_seed(seed))


IMAGES = {
    "a chest CT slice": chest_ct_slice,
    "zeros": lambda: torch.zeros(1, 1, 256, 256),
    "a constant": lambda: torch.full((1, 1, 256, 256), 0.37),
    "noise": _noise,
    "noise that differs between the channels": lambda: _noise(channels=3),
    "two values": lambda: (_noise() > 0.5).float(),
    "a smooth ramp": lambda: torch.linspace(0, 1, 256 * 256).view(1, 1, 256, 256),
    "a bright corner": lambda: torch.zeros(1, 1, 256, 256).index_fill_(3, torch.tensor([255]), 1),
}


# The others in `make parity`.
ALWAYS = {"a chest CT slice", "noise that differs between the channels", "zeros"}


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(image, id=name, marks=() if name in ALWAYS else pytest.mark.slow)
        for name, image in IMAGES.items()
    ],
)
def test_the_embedding_is_the_published_one_for(image, reference, plain, fast):
    image = image()
    expected = reference.image_encoder(image.expand(-1, 3, -1, -1))
    assert relative_error(plain.encode(image), expected) <= TOLERANCE
    assert relative_error(fast.encode(image), expected) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared test data is not there")
def test_embedding_and_mask_are_the_published_ones_on_ct_and_mr(reference, fast):
    for item in list(labelled_slices(per_case=1))[::3]:
        _assert_same_result(reference, fast, item)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the shared test data is not there")
def test_embedding_and_mask_are_the_published_ones_on_every_case(reference, fast):
    for item in labelled_slices(per_case=3):
        _assert_same_result(reference, fast, item)


def test_box_masks_are_the_published_ones_to_the_pixel(reference, fast, chest_embedding):
    boxes = _random_boxes(24)
    expected, _ = reference_decode(reference, chest_embedding, boxes=boxes)
    logits, _ = fast.decode(fast.encode(chest_ct_slice()), boxes=boxes)
    _assert_same_pixels(logits, expected)


PROMPTS = {
    "a box": {"boxes": torch.tensor([[60.0, 50.0, 180.0, 200.0]])},
    "an integer box": {"boxes": torch.tensor([[60, 50, 180, 200]])},
    "several boxes": {
        "boxes": torch.tensor([[60.0, 50, 180, 200], [0, 0, 255, 255], [9, 9, 9, 9]])
    },
    "a point": {"points": (torch.tensor([[[100.0, 120.0]]]), torch.tensor([[1]]))},
    "points of all labels": {
        "points": (
            torch.tensor([[[100.0, 120.0], [30.5, 200.25], [0, 0]], [[5, 5], [250, 9], [128, 1]]]),
            torch.tensor([[1, 0, -1], [0, 1, 1]]),
        )
    },
    "points and a box": {
        "boxes": torch.tensor([[60.0, 50.0, 180.0, 200.0]]),
        "points": (torch.tensor([[[100.0, 120.0], [70.0, 60.0]]]), torch.tensor([[1, 0]])),
    },
    "forty points": {
        "points": (
            256 * torch.rand(1, 40, 2, generator=torch.Generator().manual_seed(3)),
            torch.arange(40)[None] % 2,
        )
    },
    "a mask": {"mask": 8 * (_noise(1) - 0.5)},
    "a mask and a box": {
        "boxes": torch.tensor([[60.0, 50.0, 180.0, 200.0]]),
        "mask": 8 * (_noise(2) - 0.5),
    },
    "nothing": {},
}


@pytest.mark.parametrize("multimask", [False, True], ids=["one mask", "three masks"])
@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS.keys())
def test_the_decoder_agrees_for(prompt, multimask, reference, plain, fast, chest_embedding):
    expected, expected_iou = reference_decode(
        reference, chest_embedding, **prompt, multimask=multimask
    )
    for model in (plain, fast):
        logits, iou = model.decode(chest_embedding, **prompt, multimask=multimask)
        assert logits.shape == expected.shape
        assert iou.shape == expected_iou.shape
        assert relative_error(logits, expected) <= TOLERANCE
        assert relative_error(iou, expected_iou) <= TOLERANCE


def test_prompts_decoded_together_and_alone_agree(fast, chest_embedding):
    boxes = _random_boxes(5)
    together, _ = fast.decode(chest_embedding, boxes=boxes)
    for box, logits in zip(boxes, together, strict=True):
        alone, _ = fast.decode(chest_embedding, boxes=box[None])
        assert relative_error(alone[0], logits) <= TOLERANCE


def _assert_same_result(reference, model, item):
    expected_embedding = reference.image_encoder(item.image.expand(-1, 3, -1, -1))
    expected, _ = reference_decode(reference, expected_embedding, boxes=item.box)
    embedding = model.encode(item.image)
    assert relative_error(embedding, expected_embedding) <= TOLERANCE, item.name
    _assert_same_pixels(model.decode(embedding, boxes=item.box)[0], expected)


def _assert_same_pixels(logits, expected):
    differing = (logits > 0) != (expected > 0)
    assert not (differing & (expected.abs() > UNDECIDED)).any()
    assert differing.sum() <= 1e-6 * differing.numel()


def _random_boxes(count: int) -> torch.Tensor:
    corners = 256 * torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(11))
    return torch.cat([corners.amin(1), corners.amax(1)], dim=1).trunc()
