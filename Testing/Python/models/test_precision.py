"""A network computes in the numbers in which its device is fastest without harm."""

import warnings

import pytest

torch = pytest.importorskip("torch")

from SAMSegmentLib.models import precision  # noqa: E402
from SAMSegmentLib.models.precision import computing_in, encoder_type  # noqa: E402

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({}, torch.float32),
    ],
)
def test_a_cpu_computes_in_half_precision_only_if_it_reports_that_it_can(
    monkeypatch, told, expected
):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert encoder_type(CPU) == expected


def test_a_cpu_that_is_limited_to_avx2_computes_in_float32(monkeypatch):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    told = {"avx512_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert encoder_type(CPU) == torch.float32


def test_a_pytorch_that_does_not_tell_what_the_cpu_can_computes_in_float32(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert encoder_type(CPU) == torch.float32


@pytest.mark.parametrize(
    ("generation", "expected"),
    [
        ((6, 1), torch.float32),
        ((7, 0), torch.float16),
        ((7, 5), torch.float16),
        ((8, 6), torch.bfloat16),
        ((12, 0), torch.bfloat16),
    ],
)
def test_a_gpu_computes_in_the_half_precision_of_its_generation(monkeypatch, generation, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: generation)
    assert encoder_type(torch.device("cuda")) == expected


def test_apples_gpu_computes_in_float32():
    assert encoder_type(torch.device("mps")) == torch.float32


@pytest.mark.parametrize(
    ("numbers", "product"),
    [
        (torch.float32, torch.float32),
        (torch.bfloat16, torch.bfloat16),
        (torch.int8, torch.float32),
    ],
)
def test_products_are_computed_in_these_numbers_without_a_warning_and_only_within(numbers, product):
    x = torch.ones(4, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with computing_in(numbers, CPU):
            assert (x @ x).dtype == product
            assert torch.nn.functional.layer_norm(x, (4,)).dtype == torch.float32
    assert (x @ x).dtype == torch.float32


def test_what_this_cpu_is_given_it_can_compute():
    numbers = precision.encoder_type(CPU)
    assert numbers in (torch.float32, torch.bfloat16)
    x = torch.randn(16, 16, generator=torch.Generator().manual_seed(0))
    with computing_in(numbers, CPU):
        product = x @ x
    assert torch.allclose(product.float(), x @ x, atol=0.2)
