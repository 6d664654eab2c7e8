"""A device is trusted only if a small network of each architecture computes there as on the CPU."""

import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from SAMSegmentLib.models import self_check
from SAMSegmentLib.models.registry import engine_of
from SAMSegmentLib.models.self_check import check_device, reference
from SAMSegmentLib.weights.catalogue import catalogue

CPU = torch.device("cpu")
# What is made of others has no network of its own.
OWN = [entry for entry in catalogue().values() if not entry.parts]
ENGINES = sorted({engine_of(entry)[0] for entry in OWN}, key=lambda e: e.__name__)
#: Operators without which a network computes something else.
OPERATORS = {
    "LiteMedSAMEngine": "conv2d layer_norm linear scaled_dot_product_attention baddbmm gelu softmax"
    ".int index.Tensor",
    "SAMMed3DEngine": "conv3d linear scaled_dot_product_attention einsum logsumexp logaddexp"
    " add.out where.self",
    "SAMSegment3DEngine": "linear bmm avg_pool3d exp rsqrt amax argsort addcmul sum.dim_IntList"
    " upsample_nearest3d.vec",
}


class Replaced(TorchDispatchMode):
    """Within it, an operator is another one."""

    def __init__(self, name, other) -> None:
        super().__init__()
        self._name, self._other = name, other

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if str(function) != self._name:
            return result
        other = self._other(result)
        if any(result is each for each in (*args, *(kwargs or {}).values())):
            return result.copy_(other)  # it writes into what it is given
        return other


@pytest.fixture(scope="module", params=ENGINES, ids=lambda engine: engine.__name__)
def engine(request):
    return request.param


@pytest.fixture(scope="module")
def expected(engine):
    return reference(engine)


@pytest.fixture
def numbers(monkeypatch):
    """Chooses the numbers in which large networks compute."""

    def choose(dtype):
        monkeypatch.setattr(self_check, "encoder_type", lambda device: dtype)

    choose(torch.float32)
    return choose


@pytest.fixture
def only_the_network(engine, monkeypatch):
    """What is replaced is replaced where the network computes, not where its weights are made."""
    module = sys.modules[engine.self_check.__module__]
    for name in ("made_of_seed", "numbers"):
        monkeypatch.setattr(module, name, _disable_current_modes()(getattr(self_check, name)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_device_that_computes_as_the_cpu_does_passes(engine, expected, numbers, dtype):
    if dtype == torch.float16 and engine.__name__ == "SAMMed3DEngine":
        pytest.skip("convolutions in float16 take a CPU without such instructions ten seconds")
    numbers(dtype)
    assert check_device(engine, CPU, expected) is None


def test_it_always_computes_the_same(engine, expected):
    assert all(torch.equal(*pair) for pair in zip(reference(engine), expected, strict=True))


def test_a_device_that_rounds_products_to_ten_bits_passes(engine, expected, numbers):
    # As NVIDIA's cards do in TF32: 1 in 2048 is the most that a product's factor is off.
    off = [
        Replaced(f"aten.{name}.default", lambda x: x * (1 + 1 / 1024))
        for name in ("linear", "addmm", "mm", "bmm", "convolution", "conv2d", "conv3d")
    ]
    with off[0], off[1], off[2], off[3], off[4], off[5], off[6]:
        assert check_device(engine, CPU, expected) is None


def wrong(result):
    """Something else of the same shape and kind."""
    if isinstance(result, list | tuple):
        return type(result)(wrong(each) for each in result)
    return ~result if result.dtype == torch.bool else 1 - 2 * result


def test_wrong_numbers_of_an_operator_are_noticed(engine, expected, only_the_network):
    unnoticed = []
    for name in OPERATORS[engine.__name__].split():
        full = f"aten.{name}" if "." in name else f"aten.{name}.default"
        try:
            with torch.inference_mode(), Replaced(full, wrong):
                found = engine.self_check(CPU, torch.float32)
        except IndexError:
            continue  # a wrong index
        if all(self_check._are_alike(*pair, 0.01) for pair in zip(found, expected, strict=True)):
            unnoticed.append(name)
    assert unnoticed == []


@pytest.mark.parametrize("spoil", [lambda x: x * 1.1, lambda x: x * torch.nan], ids=["10%", "nan"])
def test_also_if_they_are_off_by_little_or_are_no_numbers(engine, expected, numbers, spoil):
    found = tuple(spoil(output) for output in expected)
    engine = type("Engine", (), {"self_check": staticmethod(lambda device, dtype: found)})
    with pytest.raises(RuntimeError, match="a network gives wrong numbers there"):
        check_device(engine, CPU, expected)


def test_a_device_from_which_nothing_comes_back_does_not_pass(engine, expected, numbers):
    with pytest.raises((RuntimeError, NotImplementedError)):
        check_device(engine, torch.device("meta"), expected)
