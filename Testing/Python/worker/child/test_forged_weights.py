"""What "verified" means: as published, or as converted here and of the right network."""

import dataclasses
import hashlib
import io
import socket

import pytest
import torch
from safetensors.torch import load_file, save_file

from SAMSegmentLib.core.errors import WeightsError
from SAMSegmentLib.models.registry import engine_of
from SAMSegmentLib.models.samsegment3d.network import SAMSegment3D
from SAMSegmentLib.models.structure_check import check_structure
from SAMSegmentLib.weights.catalogue import catalogue, model_entry
from SAMSegmentLib.weights.files import file_sha256
from SAMSegmentLib.weights.weights_files import Receipt
from SAMSegmentLib.worker.child.model_jobs import ModelJobRunner
from SAMSegmentLib.worker.protocol.model_messages import (
    InstallModel,
    ModelDone,
    ModelFailed,
    VerifyModel,
)


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()


@pytest.fixture(scope="module")
def published():
    """A torch checkpoint of a small network, as its authors publish it."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        network = SAMSegment3D((8, 8, 8, 8), (8, 8, 8, 8), (1, 1))
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    return file.getvalue()


@pytest.fixture
def entry(published):
    return dataclasses.replace(
        model_entry("sam-med3d-turbo"),
        architecture="samsegment3d",
        file="small.pth",
        size=len(published),
        sha256=hashlib.sha256(published).hexdigest(),
    )


@pytest.fixture
def source(published, tmp_path):
    """The published file, on a stick."""
    (tmp_path / "stick.pth").write_bytes(published)
    return str(tmp_path / "stick.pth")


def outcome(order):
    """The last that is said of an order, which is carried out in this process."""

    class Channel:
        def send(self, message):
            self.last = message

    channel = Channel()
    runner = ModelJobRunner(socket.socket())
    runner.channel = channel
    runner.take(order)
    runner.run()
    return channel.last


def forge(entry, tensors):
    """Weights of one's own, and a receipt that calls them converted from the published file."""
    path = entry.files.converted
    save_file(tensors, path)
    data = path.read_bytes()
    entry.files.write_receipt(Receipt(entry.sha256, hashlib.sha256(data).hexdigest(), len(data)))


THREE_NUMBERS = {"numbers": torch.tensor([1.0, 2.0, 3.0])}


class TestThreeNumbersWithAReceiptMadeByHand:
    def test_do_not_verify(self, entry):
        forge(entry, THREE_NUMBERS)
        failed = outcome(VerifyModel(entry))
        assert isinstance(failed, ModelFailed) and failed.error.kind == "WeightsError"
        assert "of another network" in failed.error.message

    def test_are_replaced_when_the_model_is_installed(self, entry, source):
        forge(entry, THREE_NUMBERS)
        done = outcome(InstallModel(entry, source))
        assert isinstance(done, ModelDone)
        assert "numbers" not in load_file(done.path)

    def test_count_for_nothing_where_the_catalogue_knows_the_converted_file(self, entry):
        forge(entry, THREE_NUMBERS)
        entry = dataclasses.replace(entry, converted_sha256="a" * 64)
        assert not entry.is_installed
        failed = outcome(VerifyModel(entry))
        assert isinstance(failed, ModelFailed) and "not installed" in failed.error.message


class TestWeightsThatWereConverted:
    def test_are_said_to_be_unchanged_since_and_not_to_be_as_published(self, entry, source):
        installed = outcome(InstallModel(entry, source))
        assert installed.path == str(entry.files.converted) and not entry.files.original.exists()
        verified = outcome(VerifyModel(entry))
        assert not verified.as_published and verified.notes == ()
        assert verified.sha256 == file_sha256(entry.files.converted)

    def test_are_as_published_where_the_catalogue_knows_the_converted_file(self, entry, source):
        outcome(InstallModel(entry, source))
        told = outcome(VerifyModel(entry)).sha256
        entry = dataclasses.replace(entry, converted_sha256=told)
        verified = outcome(VerifyModel(entry))
        assert verified.as_published and verified.sha256 == told

    def test_are_kept_as_published_if_conversion_makes_something_else(self, entry, source):
        entry = dataclasses.replace(entry, converted_sha256="a" * 64)
        done = outcome(InstallModel(entry, source))
        assert done.path == str(entry.files.original)
        assert not entry.files.converted.exists() and not entry.files.receipt.exists()

    def test_are_the_same_file_whenever_and_wherever_it_is_made(self, entry, source, tmp_path):
        outcome(InstallModel(entry, source))
        first = file_sha256(entry.files.converted)
        shuffled = dict(reversed(torch.load(source, weights_only=True).items()))
        torch.save(shuffled, tmp_path / "other.pth")
        data = (tmp_path / "other.pth").read_bytes()
        other = dataclasses.replace(
            entry, file="other.pth", size=len(data), sha256=hashlib.sha256(data).hexdigest()
        )
        outcome(InstallModel(other, str(tmp_path / "other.pth")))
        assert file_sha256(other.files.converted) == first != other.sha256

    def test_that_have_changed_since_are_damaged(self, entry, source):
        outcome(InstallModel(entry, source))
        with entry.files.converted.open("r+b") as file:
            file.seek(-1, 2)
            file.write(b"x")
        failed = outcome(VerifyModel(entry))
        assert "noted when they were converted" in failed.error.message


class TestTheStructure:
    @pytest.mark.parametrize("name", [e.name for e in catalogue().values() if not e.parts])
    def test_is_known_of_every_engines_network(self, name):
        engine, _ = engine_of(model_entry(name))
        assert engine.empty_network({}).state_dict()

    @pytest.mark.parametrize(
        "name", [e.name for e in catalogue().values() if e.embedded and not e.parts]
    )
    def test_of_the_included_weights_is_right(self, name):
        check_structure(model_entry(name), model_entry(name).path)

    def test_of_another_model_is_wrong(self):
        lite, ours = model_entry("litemedsam"), model_entry("samsegment3d")
        for entry, other in ((lite, ours), (ours, lite), (model_entry("sam-med3d-turbo"), ours)):
            with pytest.raises(WeightsError, match="of another network"):
                check_structure(entry, other.path)


def test_included_weights_are_as_published():
    done = outcome(VerifyModel(model_entry("litemedsam")))
    assert done.as_published and done.sha256 == model_entry("litemedsam").sha256
