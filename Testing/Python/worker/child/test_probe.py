"""A device is trusted with the networks only after each of their operators was tried on it."""

import copy
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from SAMSegmentLib.models.litemedsam.network import LiteMedSAM
from SAMSegmentLib.models.sammed3d.network import SAMMed3D
from SAMSegmentLib.models.samsegment3d import window_network
from SAMSegmentLib.models.samsegment3d.network import SAMSegment3D
from SAMSegmentLib.models.samsegment3d.window_network import WindowNetwork
from SAMSegmentLib.models.shared_layers.layers import fold_batch_norms
from SAMSegmentLib.models.shared_layers.low_precision import compute_in
from SAMSegmentLib.weights.catalogue import catalogue
from SAMSegmentLib.worker.child import probe as probing
from SAMSegmentLib.worker.child.probe import probe
from SAMSegmentLib.worker.child.probe_cases import CASES

CPU = torch.device("cpu")
#: Compares types, not tensors, and does not reach the device; and how all numbers get there.
EXEMPT = {"aten.promote_types.default", "aten.to.device"}
#: Give memory whose content means nothing yet, or is that of another tensor.
WITHOUT_CONTENT = {"aten.new_empty.default", "aten.detach.default"}


class Recorder(TorchDispatchMode):
    """Collects the names of the operators that are called within it."""

    def __init__(self) -> None:
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.add(str(function))
        return function(*args, **(kwargs or {}))


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


def somewhere(*shape):
    """A tensor that has a shape only: nothing is computed with it."""
    return torch.empty(shape, device="meta")


def calls_of_litemedsam() -> set[str]:
    network = LiteMedSAM().eval().requires_grad_(False)
    # What `prepare_inference` makes for anything but a CPU.
    encoder = fold_batch_norms(copy.deepcopy(network.image_encoder)).to("meta")
    network.to("meta")
    network._inference_encoder = encoder.forward
    picture, boxes, mask = somewhere(1, 1, 256, 256), somewhere(2, 4), somewhere(2, 1, 256, 256)
    points = somewhere(2, 3, 2), torch.ones(2, 3, dtype=torch.int64, device="meta")
    with torch.inference_mode(), Recorder() as recorder:
        embedding = network.encode(picture)
        network.decode(embedding, boxes=boxes)
        network.decode(embedding, boxes=boxes, multimask=True, part=(64, 64, 128))
        network.decode(embedding, points=points)
        network.decode(embedding, boxes=boxes, points=points, mask=mask)
        network.decode(embedding, mask=mask)
    return recorder.names


def calls_of_sammed3d() -> set[str]:
    network = SAMMed3D.empty({"prompt_encoder.point_embeddings.2.weight": None}).eval()
    picture, mask = somewhere(1, 1, 128, 128, 128), somewhere(2, 1, 32, 32, 32)
    boxes, points = somewhere(2, 6), (somewhere(2, 1, 3), somewhere(2, 1))
    with torch.inference_mode(), Recorder() as recorder:
        embedding = network.encode(picture)
        network.decode(embedding, mask, points)
        network.decode(embedding, mask, boxes=boxes)
        network.decode(embedding, mask, points, boxes)
    return recorder.names


def calls_of_sammed3d_in_half() -> set[str]:
    """Of its encoder; autocast does nothing for tensors without values."""
    with torch.device("meta"):
        encoder = SAMMed3D().image_encoder
    encoder.blocks = encoder.blocks[1:3]  # one of each kind
    encoder = compute_in(encoder.to_empty(device="cpu").eval(), torch.bfloat16)
    with torch.inference_mode():
        pictures = torch.zeros(1, 1, 128, 128, 128)
        with torch.autocast("cpu", torch.bfloat16), Recorder() as recorder:
            encoder(pictures).float()
    return recorder.names


def calls_of_samsegment3d(numbers=torch.float32) -> set[str]:
    """From arrays to arrays, by way of the engine's own code."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network = SAMSegment3D((16, 16, 16, 16), (8, 8, 8, 8), (1, 1)).eval().to(numbers)
    picture = np.zeros((2, 16, 16, 16), dtype=np.float32)
    clicks, signs = np.array([[3.0, 4, 5], [9, 8, 7]]), np.array([1, -1])
    before = np.zeros((8, 8, 8), dtype=np.float32)
    # Without oneDNN, as on anything but a CPU.
    with (
        torch.backends.mkldnn.flags(enabled=False),
        mock.patch.object(window_network, "load_network", lambda *_: network),
    ):
        on_device = WindowNetwork(Path(), CPU, numbers)
        with Recorder() as recorder:
            features = on_device.encode(picture)
            on_device.decode(features, clicks, signs, before, before, wanted=2)
            on_device.decode(features, clicks[:0], signs[:0], None, None, wanted=1)
    return recorder.names


def calls_of_samsegment3d_in_half() -> set[str]:
    return calls_of_samsegment3d(torch.bfloat16)


#: By the architecture that the table of engines has; in 32 bits, and where engines do so, in 16.
NETWORKS = {
    "litemedsam": [calls_of_litemedsam],
    "sammed3d": [calls_of_sammed3d, calls_of_sammed3d_in_half],
    "samsegment3d": [calls_of_samsegment3d, calls_of_samsegment3d_in_half],
}
ALL_CALLS = [calls for variants in NETWORKS.values() for calls in variants]
CALLED = sorted((calls_of_litemedsam() | calls_of_sammed3d() | calls_of_samsegment3d()) - EXEMPT)


@pytest.fixture
def other_device(monkeypatch):
    """Now the CPU is the device that is tried: what it should compute is known from before."""
    with torch.inference_mode():
        known = {case.name: probing.reference(case) for case in CASES}
    difference = probing._difference

    def compare(result, expected):
        with _disable_current_modes():  # this is no work of the device
            return difference(result, expected)

    monkeypatch.setattr(probing, "reference", lambda case: known[case.name])
    monkeypatch.setattr(probing, "_difference", compare)


def test_the_network_of_every_engine_is_looked_at_here():
    used = {entry.architecture for entry in catalogue().values()}
    assert used == set(NETWORKS)


@pytest.mark.parametrize("calls", ALL_CALLS, ids=lambda calls: calls.__name__)
def test_every_operator_that_a_network_calls_is_tried(calls):
    with Recorder() as tried:
        probe(CPU)
        probe(CPU, torch.bfloat16)
    called = calls()
    assert len(called) > 20
    assert called - EXEMPT - tried.names == set()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_device_that_computes_as_the_cpu_does_passes(dtype):
    assert probe(CPU, dtype) is None


def test_a_device_that_rounds_products_to_ten_bits_passes(other_device):
    # As NVIDIA's cards do in TF32: 1 in 2048 is the most that a product's factor is off.
    off = Replaced("aten.linear.default", lambda x: x * (1 + 1 / 1024))
    with off:
        assert probe(CPU) is None


@pytest.mark.parametrize("name", CALLED)
def test_an_operator_that_is_missing_is_named(other_device, name):
    def refuse(result):
        raise NotImplementedError(f"The operator {name!r} is not there.\nFile an issue.")

    with Replaced(name, refuse), pytest.raises(RuntimeError) as raised:
        probe(CPU)
    assert f"is missing (The operator {name!r} is not there.)" in str(raised.value)
    assert isinstance(raised.value.__cause__, NotImplementedError)


def wrong(result):
    """Something else of the same shape and kind."""
    if isinstance(result, list | tuple):
        return type(result)(wrong(each) for each in result)
    return ~result if result.dtype == torch.bool else result + 1


@pytest.mark.parametrize("name", sorted(set(CALLED) - WITHOUT_CONTENT))
def test_wrong_numbers_of_an_operator_are_noticed(other_device, name):
    with Replaced(name, wrong), pytest.raises(RuntimeError, match=r"wrong numbers|fails"):
        probe(CPU)


@pytest.mark.parametrize("spoil", [lambda x: x * 1.05, lambda x: x * torch.nan], ids=["5%", "nan"])
def test_also_if_they_are_off_by_little_or_are_no_numbers(other_device, spoil):
    with Replaced("aten.conv3d.default", spoil), pytest.raises(RuntimeError) as raised:
        probe(CPU)
    assert str(raised.value) == "conv3d gives wrong numbers"


def test_what_fails_in_16_bits_only_is_told_so(other_device):
    def in_half(result):
        return result * 1.5 if result.dtype == torch.bfloat16 else result

    with Replaced("aten.linear.default", in_half), pytest.raises(RuntimeError) as raised:
        probe(CPU, torch.bfloat16)
    assert str(raised.value) == "linear in bfloat16 gives wrong numbers"


def test_a_device_from_which_nothing_comes_back_does_not_pass():
    with pytest.raises(RuntimeError, match="conv2d is missing"):
        probe(torch.device("meta"))
