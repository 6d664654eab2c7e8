"""Layers in fewer bits give nearly what they gave, and only those that are large are changed."""

import copy
import warnings

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from SAMSegmentLib.models.shared_layers.low_precision import Int8Linear, compute_in  # noqa: E402


class Small(nn.Module):
    """A convolution, a norm, and linear layers at several depths."""

    def __init__(self):
        super().__init__()
        self.proj = nn.Conv3d(1, 16, 2, stride=2)
        self.norm = nn.LayerNorm(16)
        self.mlp = nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 16))
        self.head = nn.Linear(16, 8)

    def forward(self, volume):
        tokens = self.norm(self.proj(volume).flatten(2).transpose(1, 2))
        return self.head(tokens + self.mlp(tokens))


@pytest.fixture
def network():
    torch.manual_seed(0)
    return Small().eval().requires_grad_(False)


@pytest.fixture
def volume():
    return torch.randn(1, 1, 8, 8, 8, generator=torch.Generator().manual_seed(1))


def distance(one, other):
    return ((one.float() - other).norm() / other.norm()).item()


def test_in_float32_nothing_is_changed(network, volume):
    expected, before = network(volume), copy.deepcopy(network.state_dict())
    assert compute_in(network, torch.float32) is network
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(network(volume), expected)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_in_half_precision_large_layers_are_and_norms_stay(network, volume, dtype):
    expected = network(volume)
    compute_in(network, dtype)
    kept = {name: value.dtype for name, value in network.state_dict().items()}
    assert {kind for name, kind in kept.items() if "norm" not in name} == {dtype}
    assert kept["norm.weight"] == kept["norm.bias"] == torch.float32
    with torch.autocast("cpu", dtype):
        found = network(volume)
    assert 0 < distance(found, expected) < 0.02


def test_in_8_bits_all_linear_layers_are_and_the_answer_is_nearly_the_same(network, volume):
    expected = network(volume)
    compute_in(network, torch.int8)
    kinds = {name: type(module) for name, module in network.named_modules()}
    assert [name for name, kind in kinds.items() if kind is Int8Linear] == [
        "mlp.0",
        "mlp.2",
        "head",
    ]
    assert kinds["proj"] is nn.Conv3d and nn.Linear not in kinds.values()
    found = network(volume)
    assert found.dtype == torch.float32
    assert 1e-5 < distance(found, expected) < 0.05


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layers_error_is_that_of_rounding_to_8_bits(scale, bias):
    torch.manual_seed(0)
    linear = nn.Linear(256, 32, bias=bias).requires_grad_(False)
    # Channels of very different size have scales of their own.
    linear.weight *= scale * torch.logspace(-3, 3, 32)[:, None]
    x = torch.randn(50, 256)
    expected = linear(x)
    found = Int8Linear(linear)(x)
    steps = linear.weight.abs().amax(1) / 127, (x.amax() - x.amin()) / 127
    rounding = 256**0.5 * (steps[0] * x.std() + steps[1] * linear.weight.std(1))
    assert ((found - expected).abs() <= 3 * rounding + 1e-6).all()


def test_the_shape_of_a_batch_and_half_precision_before_it_do_not_matter():
    torch.manual_seed(0)
    linear = nn.Linear(16, 4).requires_grad_(False)
    layer = Int8Linear(linear)
    x = torch.randn(2, 3, 5, 16)
    found = layer(x)
    assert found.shape == (2, 3, 5, 4)
    assert torch.allclose(found.flatten(0, 2), layer(x.flatten(0, 2)), atol=1e-6)
    assert layer(x.bfloat16()).dtype == torch.float32
    assert Int8Linear(copy.deepcopy(linear).bfloat16())(x).dtype == torch.float32
    # Code that adds the bias by itself finds it.
    assert torch.equal(layer.bias, linear.bias)


def test_a_layer_of_zeros_gives_its_bias():
    linear = nn.Linear(16, 4).requires_grad_(False)
    linear.weight.zero_()
    assert torch.allclose(Int8Linear(linear)(torch.randn(3, 16)), linear.bias.expand(3, 4))


def test_an_extreme_input_does_not_overflow():
    # With products of full 8-bit range, pairs of them leave 16 bits on CPUs without VNNI.
    linear = nn.Linear(512, 4, bias=False).requires_grad_(False)
    linear.weight.fill_(1.0)
    x = torch.ones(1, 512)
    assert torch.allclose(Int8Linear(linear)(x), torch.full((1, 4), 512.0), rtol=0.02)


def test_turning_to_8_bits_warns_of_nothing(network):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compute_in(network, torch.int8)


def test_a_pytorch_that_cannot_says_so(network, monkeypatch):
    monkeypatch.delattr(torch, "quantize_per_channel")
    with pytest.raises(RuntimeError, match="8-bit"):
        compute_in(network, torch.int8)
