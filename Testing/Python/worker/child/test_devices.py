"""Which devices there are, and which of them is taken."""

import pytest
import torch

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.worker.child.devices import find_device, list_devices, reason_of
from SAMSegmentLib.worker.protocol import memory
from SAMSegmentLib.worker.protocol.events import DeviceInfo
from TestSupport import fake_card

GIB = 2**30
PROCESSOR = DeviceInfo("cpu", "", memory.total_bytes())


@pytest.fixture
def cards(monkeypatch):
    """`cards("Small", "Large")`: as if this computer had these CUDA cards."""

    def plug_in(*titles, free=()):
        free_bytes = dict(enumerate(free))
        fake_card.plug_in(monkeypatch.setattr, titles, lambda number: free_bytes.get(number, GIB))

    return plug_in


@pytest.fixture
def apple(monkeypatch):
    """As if this computer had an Apple chip."""
    mps = torch.backends.mps
    monkeypatch.setattr(mps, "is_built", lambda: True)
    monkeypatch.setattr(mps, "is_available", lambda: True)
    monkeypatch.setattr(mps, "get_name", lambda: "Apple M4", raising=False)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 * GIB, raising=False)


def names(choice):
    return [info.name for info in choice.devices]


class TestWhatThereIs:
    def test_the_processor_is_there_and_can_always_be_used(self):
        assert list_devices()[-1] == PROCESSOR
        assert PROCESSOR.usable and PROCESSOR.memory_bytes > 2**28

    def test_this_computers_cards_are_those_that_pytorch_has(self):
        found = [info.name for info in list_devices() if info.usable]
        assert sum(name.startswith("cuda:") for name in found) == torch.cuda.device_count()
        assert ("mps" in found) == torch.backends.mps.is_available()

    def test_every_card_is_told_with_its_name_and_memory(self, cards):
        cards("Small", "Large")
        assert list_devices() == (
            DeviceInfo("cuda:0", "Small", GIB),
            DeviceInfo("cuda:1", "Large", 2 * GIB),
            PROCESSOR,
        )

    def test_a_card_that_does_not_even_tell_its_name_cannot_be_used(self, cards, monkeypatch):
        def refuse(number):
            raise RuntimeError("CUDA error: unknown error\nCUDA kernel errors ...")

        cards("Small")
        monkeypatch.setattr(torch.cuda, "get_device_properties", refuse)
        card, _ = list_devices()
        assert (card.name, card.usable) == ("cuda:0", False)
        assert card.reason == "PyTorch cannot compute on it: CUDA error: unknown error."
        assert find_device("auto").device == torch.device("cpu")

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (
                RuntimeError("The NVIDIA driver on your system is too old (found version 11040)."),
                "PyTorch cannot use it: The NVIDIA driver on your system is too old (found version"
                " 11040).",
            ),
            (RuntimeError("Found no NVIDIA driver on your system. Please check"), None),
            (RuntimeError("No CUDA GPUs are available"), None),
        ],
        ids=["old driver", "no driver", "no card"],
    )
    def test_a_driver_that_is_too_old_is_told_but_not_that_there_is_no_card(
        self, monkeypatch, error, reason
    ):
        def init():
            raise error

        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
        monkeypatch.setattr(torch.cuda, "init", init)
        told = [(info.usable, info.reason) for info in list_devices() if "cuda" in info.name]
        assert told == ([] if reason is None else [(False, reason)])

    def test_apples_chip_is_told(self, apple):
        assert list_devices() == (DeviceInfo("mps", "Apple M4", 12 * GIB), PROCESSOR)

    def test_apples_chip_is_told_by_older_versions_of_pytorch_too(self, apple, monkeypatch):
        monkeypatch.delattr(torch.backends.mps, "get_name")
        monkeypatch.delattr(torch.mps, "recommended_max_memory")
        assert list_devices()[0] == DeviceInfo("mps", "Apple graphics")

    def test_apples_chip_needs_a_macos_that_pytorch_knows(self, apple, monkeypatch):
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        assert list_devices()[0].reason == "PyTorch needs a newer macOS to use it."
        assert find_device("auto").automatic == "cpu"


class TestAutomatic:
    def test_is_the_card_with_the_most_free_memory(self, cards):
        cards("Small", "Large", "Other", free=(1, 3, 2))
        choice = find_device("auto")
        assert (str(choice.device), choice.automatic, choice.notice) == ("cuda:1", "cuda:1", "")
        assert names(choice) == ["cuda:0", "cuda:1", "cuda:2", "cpu"]

    def test_is_another_card_if_one_does_not_tell_its_free_memory(self, cards, monkeypatch):
        cards("Small", "Large")

        def free(device):
            if device.index == 0:
                raise RuntimeError("CUDA error: out of memory")
            return 1, GIB

        monkeypatch.setattr(torch.cuda, "mem_get_info", free)
        assert find_device("auto").automatic == "cuda:1"

    def test_is_the_next_card_if_one_has_failed_and_says_why(self, cards):
        cards("Small", "Large", free=(1, 3))
        choice = find_device("auto", {"cuda:1": "It is broken."})
        assert (str(choice.device), choice.automatic, choice.notice) == ("cuda:0", "cuda:0", "")
        assert (choice.devices[1].usable, choice.devices[1].reason) == (False, "It is broken.")

    def test_is_apples_chip_where_there_is_no_other(self, apple):
        assert find_device("auto").automatic == "mps"

    def test_is_the_processor_if_what_it_stood_for_has_failed_which_is_told(self, apple):
        choice = find_device("auto", {"mps": "It lacks an operator."})
        assert (str(choice.device), choice.automatic) == ("cpu", "cpu")
        assert choice.notice == (
            "Apple M4 is not used. It lacks an operator. The processor computes instead."
        )

    def test_is_the_processor_where_there_is_nothing_else(self):
        if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
            assert str(find_device("auto").device) == "cpu" and find_device("auto").notice == ""
        assert str(find_device("cpu").device) == "cpu"

    def test_is_told_if_the_processor_was_chosen(self, cards):
        cards("Small")
        assert find_device("cpu").automatic == "cuda:0"


class TestADeviceByName:
    @pytest.mark.parametrize("name", ["cuda", "cuda:0"])
    def test_is_taken(self, cards, name):
        cards("Small", "Large", free=(1, 3))
        choice = find_device(name)
        assert (str(choice.device), choice.notice) == ("cuda:0", "")

    def test_is_not_taken_if_it_has_failed_but_the_processor_is(self, cards):
        cards("Small", "Large")
        choice = find_device("cuda:1", {"cuda:1": "It is broken."})
        assert str(choice.device) == "cpu"
        assert choice.notice == "Large is not used. It is broken. The processor computes instead."
        assert choice.automatic == "cuda:0"

    @pytest.mark.parametrize("name", ["cuda:2", "cuda:x", "mps", "tpu", "gpu", "", "cpu:1"])
    def test_that_is_not_there_is_refused_with_what_there_is(self, cards, name):
        cards("Small", "Large")
        with pytest.raises(InputError, match="choose auto, cuda:0, cuda:1, cpu"):
            find_device(name)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried"), "too little free memory: close"),
        (RuntimeError("CUDA error: out of memory"), "too little free memory: close"),
        (
            RuntimeError("CUDA error: no kernel image is available for execution on the device"),
            "was not made for it: install another version",
        ),
        (
            AssertionError("Torch not compiled with CUDA enabled"),
            "PyTorch cannot compute on it: Torch not compiled with CUDA enabled.",
        ),
    ],
    ids=str,
)
def test_why_a_device_fails_is_told_in_words(error, told):
    reason = reason_of(error)
    assert told in reason and reason.endswith(".")
