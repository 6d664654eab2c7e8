"""The network and the published weight file fit each other."""

import copy

import pytest
import torch

from SAMSegmentLib.models.litemedsam.network import LiteMedSAM


def test_the_published_file_has_exactly_our_keys_and_shapes(published):
    ours = {name: tensor.shape for name, tensor in LiteMedSAM().state_dict().items()}
    theirs = {name: tensor.shape for name, tensor in published.items()}
    assert len(theirs) == 435
    assert ours == theirs


def test_preparation_for_inference_leaves_the_keys_alone(fast, published):
    assert fast.state_dict().keys() == published.keys()


def test_a_missing_tensor_is_an_error(published):
    incomplete = dict(list(published.items())[1:])
    with pytest.raises(RuntimeError, match="Missing key"):
        LiteMedSAM.build(incomplete)


def test_half_precision_weights_make_a_single_precision_model(published):
    half = {name: t.half() if t.is_floating_point() else t for name, t in published.items()}
    model = LiteMedSAM.build(half, fast=False)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_model_built_for_inference_has_no_gradients(fast):
    assert not fast.training
    assert not any(parameter.requires_grad for parameter in fast.parameters())


def test_a_prepared_model_can_be_copied(fast):
    copied = copy.deepcopy(fast)
    assert torch.equal(copied.mask_decoder.iou_token.weight, fast.mask_decoder.iou_token.weight)


@pytest.mark.parametrize("shape", [(1, 256, 256), (1, 2, 256, 256), (1, 3, 256, 512)])
def test_an_image_of_another_shape_is_refused(fast, shape):
    with pytest.raises(ValueError, match="images must have shape"):
        fast.encode(torch.zeros(shape))
