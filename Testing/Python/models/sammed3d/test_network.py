"""SAM-Med3D takes the published tensors, and what it is asked; it can be stopped, and trained."""

import pytest
import torch

from SAMSegmentLib.models.sammed3d.image_encoder import SAMMed3DEncoder
from SAMSegmentLib.models.sammed3d.network import SAMMed3D
from TestSupport.sammed3d_weights import BOX_SHAPES, SHAPES, random_picture, random_weights

NOTHING = torch.zeros(1, 1, 32, 32, 32)
POINT = torch.tensor([[[64.0, 30, 101]]]), torch.tensor([[1]])
#: In the files, but never trained; a key's bias shifts all scores of a query alike.
UNTRAINED = (
    "k_proj.bias",
    "no_mask_embed",
    "iou_prediction_head",
    *(f"output_hypernetworks_mlps.{n}" for n in (1, 2, 3)),
)


@pytest.fixture(scope="module")
def network():
    return SAMMed3D.build(random_weights(1))


@pytest.mark.parametrize("boxes", [False, True])
def test_names_and_shapes_are_those_of_the_published_files(boxes):
    shapes = {**SHAPES, **(BOX_SHAPES if boxes else {})}
    assert len(shapes) == 324 + 2 * boxes
    with torch.device("meta"):
        state = SAMMed3D(takes_boxes=boxes).state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == shapes


def test_weights_tell_whether_they_know_boxes():
    for boxes in (False, True):
        weights = {name: torch.empty(0) for name in {**SHAPES, **(BOX_SHAPES if boxes else {})}}
        assert SAMMed3D.empty(weights).takes_boxes is boxes


def test_float32_weights_are_used_without_a_copy():
    weights = random_weights(1)
    network = SAMMed3D.build(weights)
    name = "image_encoder.blocks.3.mlp.lin1.weight"
    assert network.state_dict()[name].data_ptr() == weights[name].data_ptr()
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.training


def test_half_precision_weights_are_made_float32():
    weights = {name: value.half() for name, value in random_weights(1).items()}
    assert {p.dtype for p in SAMMed3D.build(weights).parameters()} == {torch.float32}


@pytest.mark.parametrize("change", ["missing", "unknown", "shape"])
def test_weights_of_another_network_are_refused(change):
    weights = random_weights(1)
    if change == "missing":
        del weights["mask_decoder.iou_token.weight"]
    elif change == "unknown":
        weights["mask_decoder.other"] = torch.zeros(1)
    else:
        weights["mask_decoder.iou_token.weight"] = torch.zeros(1, 256)
    with pytest.raises(RuntimeError):
        SAMMed3D.build(weights)


@pytest.mark.parametrize("shape", [(1, 128, 128, 128), (1, 3, 128, 128, 128), (1, 1, 128, 128, 64)])
def test_a_picture_of_another_size_is_refused(network, shape):
    with pytest.raises(ValueError, match="128"):
        network.encode(torch.zeros(shape))


def test_a_box_is_refused_by_weights_that_know_none(network):
    box = torch.tensor([[0.0, 0, 0, 9, 9, 9]])
    with pytest.raises(ValueError, match="box"):
        network.decode(torch.zeros(1, 384, 8, 8, 8), NOTHING, boxes=box)


def test_several_prompts_on_one_volume_are_as_one_at_a_time(network):
    generator = torch.Generator().manual_seed(0)
    embedding = torch.randn(1, 384, 8, 8, 8, generator=generator)
    masks = torch.randn(3, 1, 32, 32, 32, generator=generator)
    points = torch.rand(3, 2, 3, generator=generator) * 127, torch.tensor([[1, 0]] * 3)
    together = network.decode(embedding, masks, points)
    for n in range(3):
        one = slice(n, n + 1)
        alone = network.decode(embedding, masks[one], (points[0][one], points[1][one]))
        torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-4)


def test_encoding_can_be_ended_between_blocks(network, monkeypatch):
    calls = []

    def stop():
        calls.append(None)
        if len(calls) == 3:
            raise InterruptedError

    monkeypatch.setattr(network.image_encoder.blocks[2], "forward", pytest.fail)
    with pytest.raises(InterruptedError):
        network.encode(random_picture(0), stop)
    assert len(calls) == 3


def test_decoding_can_be_ended():
    network = SAMMed3D()

    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        network.decode(torch.zeros(1, 384, 8, 8, 8), NOTHING, POINT, between_blocks=stop)


def test_all_that_was_trained_can_be_trained_again():
    torch.manual_seed(0)
    network = SAMMed3D()
    # Two blocks, one with a window and one without, do for all twelve.
    network.image_encoder = SAMMed3DEncoder(depth=2, global_blocks=(1,))
    network.train()
    embedding = network.encode(random_picture(0))
    first = network.decode(embedding, NOTHING, POINT)
    negative = POINT[0] - 9, torch.tensor([[0]])
    network.decode(embedding, first, negative).square().sum().backward()
    without = {
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    }
    assert not {name for name in without if not any(part in name for part in UNTRAINED)}
    assert isinstance(network.image_encoder, SAMMed3DEncoder)
