"""The plain network can be trained, and training and inference do not get in each other's way."""

import pytest
import torch

from SAMSegmentLib.models.litemedsam.network import LiteMedSAM
from SAMSegmentLib.models.litemedsam.tiny_vit import TinyViT


def test_a_gradient_reaches_the_first_layer_of_the_encoder():
    encoder = TinyViT().train()
    encoder(torch.rand(2, 3, 32, 32)).square().mean().backward()
    gradient = encoder.patch_embed.seq[0].c.weight.grad
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0


def test_a_gradient_reaches_the_embedding_and_every_kind_of_prompt():
    model = LiteMedSAM().train()
    embedding = torch.rand(1, 256, 64, 64, requires_grad=True)
    logits, iou = model.decode(
        embedding,
        boxes=torch.tensor([[10.0, 20.0, 200.0, 220.0]]),
        points=(torch.tensor([[[50.0, 60.0]]]), torch.tensor([[1]])),
        mask=torch.rand(1, 1, 256, 256),
        multimask=True,
    )
    (logits.square().mean() + iou.square().mean()).backward()
    prompts = model.prompt_encoder
    trained = [
        embedding,
        prompts.point_embeddings[1].weight,
        prompts.point_embeddings[2].weight,
        prompts.mask_downscaling[0].weight,
        model.mask_decoder.mask_tokens.weight,
        model.mask_decoder.output_upscaling[0].weight,
    ]
    assert all(tensor.grad.abs().sum() > 0 for tensor in trained)


@pytest.mark.slow
def test_training_ends_the_use_of_prepared_weights(random_encoder):
    model = LiteMedSAM()
    model.image_encoder.load_state_dict(random_encoder.state_dict())
    image = torch.rand(1, 1, 256, 256)
    before = model.prepare_inference().encode(image)
    model.train()
    with torch.no_grad():
        model.image_encoder.neck[2].weight.mul_(-1)
    after = model.eval().encode(image)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(model.prepare_inference().encode(image), after)


def test_loading_weights_ends_the_use_of_the_old_ones(random_encoder):
    model = LiteMedSAM().prepare_inference()
    image = torch.rand(1, 1, 256, 256)
    before = model.encode(image)
    model.image_encoder.load_state_dict(random_encoder.state_dict())
    model.load_state_dict(model.state_dict())
    assert not torch.allclose(before, model.encode(image))
