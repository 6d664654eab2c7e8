"""Weights files are read by what they hold; what is no weights file is refused, and never run."""

import argparse
import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import tarfile
import zipfile
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from SAMSegmentLib.core.errors import OutOfMemoryError, WeightsError
from SAMSegmentLib.models.tensor_files.checkpoints import (
    check_network,
    load_safetensors,
    load_tensors,
)
from TestSupport.properties import examples

TENSORS = OrderedDict(
    [
        ("image_encoder.pos", torch.arange(6.0).reshape(1, 2, 3)),
        ("image_encoder.neck.weight", torch.linspace(-1, 1, 5)),
        ("mask_decoder.scale", torch.tensor(0.25)),
    ]
)


class RunsACommand:
    """A pickle of it makes a folder when it is read by a reader that runs what files say."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def same(found, expected=TENSORS) -> bool:
    return list(found) == list(expected) and all(
        type(found[name]) is torch.Tensor
        and found[name].dtype == expected[name].dtype
        and torch.equal(found[name], expected[name])
        for name in expected
    )


@pytest.fixture
def saved(tmp_path):
    """Saves something as torch does; its path."""

    def save(content, name="weights.pth", **options) -> Path:
        torch.save(content, tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.fixture
def written(tmp_path):
    """Writes bytes; the file's path."""

    def write(data: bytes, name="weights.pth") -> Path:
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return write


def refused(path) -> str:
    """The message with which a file is refused."""
    with pytest.raises(WeightsError) as raised:
        load_tensors(path)
    message = str(raised.value)
    assert str(path) in message and "\n" not in message
    return message


def with_pickle_changed(path: Path, change) -> Path:
    """The same checkpoint with another pickle in it."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            archive.writestr(name, change(data) if name.endswith("data.pkl") else data)
    return path


# What is read


def test_tensors_alone(saved):
    assert same(load_tensors(saved(TENSORS)))
    assert same(load_tensors(saved(dict(TENSORS))))


def test_the_published_container(saved):
    assert same(load_tensors(saved({"model_state_dict": TENSORS})))


def test_a_modules_own_state_and_parameters(saved):
    module = torch.nn.Linear(3, 2)
    state = {name: value.detach() for name, value in module.state_dict().items()}
    assert same(load_tensors(saved(module.state_dict())), state)
    found = load_tensors(saved(dict(module.named_parameters())))
    assert same(found, state) and not any(value.requires_grad for value in found.values())


def training_checkpoint() -> dict:
    """All that the authors' training script keeps."""
    module = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(module.parameters())
    module(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [120, 180])
    options = argparse.Namespace(lr=8e-4, gpu_ids=[0, 1], multi_gpu=True, device="cuda")
    options.device_in_use = torch.device("cuda:0")
    return {
        "epoch": 7,
        "model_state_dict": TENSORS,
        "optimizer_state_dict": optimizer.state_dict(),
        "lr_scheduler_state_dict": scheduler.state_dict(),
        "losses": [np.float64(0.5), np.float32(0.25), 0.125, np.inf],
        "dices": np.linspace(0, 1, 5),
        "best_loss": np.float64(0.125),
        "best_dice": np.bool_(True),
        "milestones": Counter([120, 180]),
        "args": options,
        "used_datas": ["data/train/ct_liver"],
    }


def test_a_training_checkpoint_with_options_and_numpys_numbers(saved):
    assert same(load_tensors(saved(training_checkpoint())))


def test_one_that_was_saved_with_numpy_1(saved):
    path = saved(training_checkpoint())
    with_pickle_changed(path, lambda data: data.replace(b"numpy._core.", b"numpy.core."))
    assert same(load_tensors(path))


def test_names_as_parallel_training_writes_them(saved):
    parallel = {f"module.{name}": value for name, value in TENSORS.items()}
    assert same(load_tensors(saved({"model_state_dict": parallel})))
    assert same(load_tensors(saved(parallel)))


def test_a_prefix_that_not_all_names_have_is_theirs(saved):
    mixed = {"module.weight": torch.ones(2), "weight": torch.zeros(2)}
    assert same(load_tensors(saved(mixed)), mixed)


def test_what_is_no_tensor_is_left_out(saved):
    path = saved({**TENSORS, "epoch": 3, "names": ["a"], 5: torch.ones(1)})
    assert same(load_tensors(path))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_numbers_are_as_they_are_stored(saved, kind):
    other = {name: value.to(kind) for name, value in TENSORS.items()}
    assert same(load_tensors(saved(other)), other)


def test_a_safetensors_file_whatever_its_name(tmp_path):
    for name in ("weights.safetensors", "weights.pth", "weights"):
        save_file(TENSORS, tmp_path / name)
        found = load_tensors(tmp_path / name)
        assert same({key: found[key] for key in TENSORS}) and len(found) == len(TENSORS)


def test_a_checkpoint_whatever_its_name(saved):
    for name in ("weights.pth", "weights.pt", "weights", "weights.zip"):
        assert same(load_tensors(saved(TENSORS, name)))


def test_a_checkpoint_that_is_called_safetensors_is_told_its_name(saved):
    assert "let its name end in .pth" in refused(saved(TENSORS, "weights.safetensors"))


def test_tensors_are_mapped_and_changing_them_leaves_the_file_alone(saved):
    path = saved(TENSORS)
    before = path.read_bytes()
    load_tensors(path)["image_encoder.pos"].fill_(9)
    assert path.read_bytes() == before
    assert same(load_tensors(path))


def test_views_of_larger_tensors_are_read(saved):
    base = torch.arange(24.0)
    views = {"part": base[4:10], "turned": base.reshape(4, 6).T, "every": base[::5], "all": base}
    assert same(load_tensors(saved(views)), views)


def test_numbers_that_lie_at_odd_places_are_copied_to_even_ones(saved):
    """As another program than torch packs them: nothing says that processors can read them so."""
    path = saved(TENSORS)
    with_pickle_changed(path, lambda data: data)
    found = load_tensors(path)
    assert same(found)
    assert all(value.data_ptr() % value.element_size() == 0 for value in found.values())


@pytest.mark.parametrize("name", ["two\nlines", "half a \ud800", "w" * 301, "__metadata__"])
def test_names_that_nobody_can_be_shown_or_that_mean_something_else_are_refused(saved, name):
    assert "has the name" in refused(saved({name: torch.ones(1)}))


# What is refused


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><title>Sign in</title></html>", "web page"),
        (b"\xef\xbb\xbf\r\n <html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "where Git keeps"),
        (b"Access to this model is restricted.", "neither"),
        (b"\x00" * 64, "neither"),
        (b"PK", "neither"),
        (b"PK\x03\x04", "cut off"),
        (b"\x08\0\0\0\0\0\0\0{]      ", "header"),
        (gzip.compress(b"weights", mtime=0), "gzip"),
        (bz2.compress(b"weights"), "bzip2"),
        (lzma.compress(b"weights"), "compressed with xz"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "7-Zip"),
        (b"\x89HDF\r\n\x1a\n", "Keras"),
        (b"GGUF\3\0\0\0", "GGUF"),
        (b"\x08\x07\x12\x07pytorch", "ONNX"),
    ],
)
def test_what_is_no_weights_file_is_refused_with_the_reason(written, data, says):
    assert says in refused(written(data))


def test_files_of_other_programs_are_refused_by_name(tmp_path, written):
    array = io.BytesIO()
    np.save(array, np.ones(3))
    assert "array of NumPy" in refused(written(array.getvalue()))
    np.savez(tmp_path / "w.npz", w=np.ones(3))
    assert "file of NumPy arrays" in refused(tmp_path / "w.npz")
    with tarfile.open(tmp_path / "w.tar", "w") as archive:
        archive.add(tmp_path / "w.npz", "tensors")
    assert "tar archive" in refused(tmp_path / "w.tar")
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, b"{}")
    assert "Keras model" in refused(tmp_path / "w.keras")


def test_a_missing_file_and_a_folder_cannot_be_read(tmp_path):
    for path in (tmp_path / "missing.pth", tmp_path):
        assert "cannot be read" in refused(path)


def test_a_zip_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "weights are elsewhere")
    assert "not a PyTorch checkpoint" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", "no pickle")
    refused(path)


def test_a_compressed_checkpoint_is_refused_since_it_cannot_be_mapped(saved):
    path = saved(TENSORS)
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    assert "compressed" in refused(path)


def test_a_torchscript_program_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/__torch__.py"):
            archive.writestr(f"archive/{name}", b"")
    assert "TorchScript" in refused(path)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"model_state_dict": {}},
        {"epoch": 3, "losses": [0.5]},
        {"state": {"w": torch.ones(1)}},
        [torch.ones(2)],
        torch.ones(2),
        "weights",
        argparse.Namespace(weight=torch.ones(1)),
    ],
    ids=lambda content: str(content)[:30],
)
def test_a_checkpoint_without_named_tensors_is_refused(saved, content):
    assert "no named tensors" in refused(saved(content))


@pytest.mark.filterwarnings("ignore")  # that torch will give some of these kinds up
@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.eye(3).to_sparse(),
        lambda: torch.empty(2, 2, device="meta"),
        lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
        lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    ],
    ids=["sparse", "meta", "quantised", "nested"],
)
def test_tensors_that_no_network_is_made_of_are_refused(saved, make):
    assert "a tensor that is not plain" in refused(saved({**TENSORS, "odd": make()}))


def headers(header: bytes, data: bytes = b"\0" * 8, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


@pytest.mark.parametrize(
    "data",
    [
        headers(b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,800]}}'),
        headers(b'{"w":{"dtype":"F32","shape":[2000],"data_offsets":[0,8]}}'),
        headers(b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}'),
        headers(b'{"w":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}'),
        headers(b'{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}'),
        headers(b'{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}'),
        headers(b'{"w":3}'),
        headers(b"{}", b""),
        headers(b'{"w":', length=2**63),
        headers(b"{\xff\xfe}"),
    ],
)
def test_a_safetensors_header_that_lies_is_refused(written, data):
    refused(written(data, "weights.safetensors"))


def test_load_safetensors_refuses_what_it_cannot_read(written, tmp_path):
    for path in (written(b"text"), written(b""), tmp_path / "missing"):
        with pytest.raises(WeightsError):
            load_safetensors(path)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("unable to mmap 402149421 bytes from file <w>: Cannot allocate memory (12)"),
    ],
)
def test_a_file_for_which_there_is_no_room_is_not_called_damaged(saved, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(OutOfMemoryError, match="not enough memory to read"):
        load_tensors(saved(TENSORS))


# Code is never run


def carriers(folder: Path) -> dict[str, object]:
    """What a file with code may look like."""
    code = RunsACommand(folder)
    return {
        "alone": code,
        "beside": {"model_state_dict": TENSORS, "args": code},
        "among": {**TENSORS, "image_encoder.pos": code},
        "in options": {"model_state_dict": TENSORS, "args": argparse.Namespace(run=code)},
        "in an array": {"model_state_dict": TENSORS, "dices": np.array([code], dtype=object)},
    }


@pytest.mark.parametrize("case", carriers(Path()))
@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
def test_a_checkpoint_with_code_is_refused_and_nothing_is_run(tmp_path, saved, case, is_zip):
    trace = tmp_path / "ran"
    path = saved(carriers(trace)[case], _use_new_zipfile_serialization=is_zip)
    assert "not run" in refused(path) if is_zip else "not opened" in refused(path)
    assert not trace.exists()
    # It would have: the file is what it is meant to be.
    torch.load(path, weights_only=False)
    assert trace.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_plain_pickle_is_refused_and_nothing_is_run(tmp_path, written, protocol):
    trace = tmp_path / "ran"
    path = written(pickle.dumps(RunsACommand(trace), protocol))
    refused(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists()


@pytest.mark.parametrize(
    "code",
    [
        b"cbuiltins\neval\n(S'1/0'\ntR.",
        b"cnumpy\nload\n(S'x'\ntR.",
        b"cargparse\nArgumentParser\n)R.",
        b"cnumpy._core.multiarray\nfromfile\n(S'x'\ntR.",
        b"ctorch\nload\n(S'x'\ntR.",
        b"ctorch.serialization\nload\n(S'x'\ntR.",
    ],
)
def test_only_what_notes_are_made_of_may_be_named(saved, code):
    path = with_pickle_changed(saved(TENSORS), lambda data: b"\x80\x02" + code)
    assert "not run" in refused(path)


def test_a_note_that_only_looks_like_an_option_makes_nothing(saved):
    """A BUILD on a note must not reach the class behind the name."""
    code = b"cargparse\nNamespace\n)\x81}(U\x09__class__U\x01xU\x04__dictU\x01yub."
    path = with_pickle_changed(saved(TENSORS), lambda data: b"\x80\x02" + code)
    refused(path)
    assert argparse.Namespace(a=1).a == 1


# Damage


def test_a_file_cut_off_anywhere_is_refused(saved, tmp_path, written):
    save_file(TENSORS, tmp_path / "whole.safetensors")
    for whole in (saved({"model_state_dict": TENSORS}), tmp_path / "whole.safetensors"):
        data = whole.read_bytes()
        for length in range(len(data)):
            refused(written(data[:length], "cut.pth"))


@pytest.mark.parametrize(
    "count", [b"K\xff", b"J\xff\xff\xff\x7f", b"\x8a\x08" + b"\xff" * 7 + b"\x3f"]
)
def test_a_tensor_that_would_reach_beyond_the_file_is_refused(saved, count):
    path = saved({"w": torch.ones(6)})
    # Six numbers, says the pickle twice: of what is stored, and of the tensor.
    with_pickle_changed(path, lambda data: data.replace(b"K\x06", count))
    refused(path)


class Sample(bytes):
    """A file's content, of which a failing test does not show all."""

    def __repr__(self) -> str:
        return f"a file of {len(self)} bytes"


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Small files of all kinds, and where code in them would leave a trace."""
    folder = tmp_path_factory.mktemp("samples")
    trace = folder / "ran"
    torch.save({"model_state_dict": TENSORS, "epoch": 3}, folder / "a")
    torch.save(training_checkpoint(), folder / "b")
    torch.save(carriers(trace)["beside"], folder / "c")
    torch.save(TENSORS, folder / "d", _use_new_zipfile_serialization=False)
    save_file(TENSORS, folder / "e")
    return folder, [Sample((folder / name).read_bytes()) for name in "abcde"], trace


@pytest.mark.filterwarnings("ignore:Detected pickle protocol", "ignore::DeprecationWarning")
@settings(max_examples=examples(400))
@given(st.data())
def test_whatever_bytes_are_changed_the_answer_is_tensors_or_an_error(samples, data):
    folder, files, trace = samples
    changed = bytearray(data.draw(st.sampled_from(files)))
    last = len(changed) - 1
    # Most of a small checkpoint is padding; what decides lies in its ends.
    places = st.one_of(
        st.integers(0, last),
        st.integers(0, min(1500, last)),
        st.integers(max(0, last - 900), last),
    )
    for place in data.draw(st.lists(places, min_size=1, max_size=6)):
        changed[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.one_of(st.none(), st.integers(0, last)))
    path = folder / "changed"
    path.write_bytes(changed[:cut])
    try:
        found = load_tensors(path)
    except WeightsError as error:
        assert str(path) in str(error)
    else:
        assert found and all(type(value) is torch.Tensor for value in found.values())
        for value in found.values():
            value.clone()  # all of it can be read
    assert not trace.exists()


# Whose tensors they are

EXPECTED = {name: value.shape for name, value in TENSORS.items()}


def other_network(tensors, expected=EXPECTED) -> str:
    with pytest.raises(WeightsError, match=r"not the weights of Net, but of another") as raised:
        check_network(tensors, expected, "Net")
    return str(raised.value)


def test_the_right_tensors_pass_in_any_order_and_precision():
    check_network(TENSORS, EXPECTED, "Net")
    turned = {name: TENSORS[name].half() for name in reversed(TENSORS)}
    check_network(turned, EXPECTED, "Net")


def test_another_networks_tensors_are_told_apart_in_short():
    other = {f"layer{number}.weight": torch.ones(2) for number in range(50)}
    message = other_network(other)
    assert "3 tensors are missing (image_encoder.pos, image_encoder.neck.weight, " in message
    assert "50 tensors are not known (layer0.weight, layer1.weight, layer2.weight, ...)" in message
    assert len(message) < 400


def test_missing_additional_and_misshapen_tensors_are_named():
    less = {name: TENSORS[name] for name in list(TENSORS)[1:]}
    assert "1 tensor is missing (image_encoder.pos)." in other_network(less)
    assert "1 tensor is not known (extra)." in other_network({**TENSORS, "extra": torch.ones(1)})
    message = other_network({**TENSORS, "image_encoder.pos": torch.ones(3, 2)})
    assert "of another shape (image_encoder.pos: 3 x 2 instead of 1 x 2 x 3)." in message
    message = other_network({**TENSORS, "mask_decoder.scale": torch.ones(1)})
    assert "mask_decoder.scale: 1 instead of a single number" in message
    whole = {name: value.int() for name, value in TENSORS.items()}
    assert "3 tensors are of whole numbers" in other_network(whole)


def test_no_tensors_at_all_are_those_of_no_network():
    assert "3 tensors are missing" in other_network({})


def test_headers_of_the_tests_are_what_safetensors_reads(written):
    header = json.dumps({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    assert torch.equal(load_tensors(written(headers(header)))["w"], torch.zeros(2))
