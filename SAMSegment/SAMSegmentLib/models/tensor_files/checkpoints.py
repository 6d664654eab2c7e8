"""Reads weights files into torch tensors, without ever running what a file may carry."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from ...core.errors import MissingPackageError, OutOfMemoryError, WeightsError
from .limits import UnreadableError
from .pickle_check import LARGEST_PICKLE, check_pickle
from .pickle_names import NOTES
from .safetensors_files import check_name, check_safetensors
from .zip_records import Record, read_records

# Under this name, training scripts keep the tensors beside their own notes.
_WEIGHTS_KEY = "model_state_dict"
# What DistributedDataParallel puts before each name.
_PARALLEL_PREFIX = "module."
_REFUSED = (
    "{path} is not a weights file that can be read: {reason}. Get the file from its source again."
)
_HEAD_BYTES = 512
_ZIP = b"PK\x03\x04"
_PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))
# What else people may take for weights, by where in the file it says so.
_KINDS = (
    (0, b"\x1f\x8b", "it is compressed with gzip: unpack it first"),
    (0, b"BZh", "it is compressed with bzip2: unpack it first"),
    (0, b"\xfd7zXZ", "it is compressed with xz: unpack it first"),
    (0, b"7z\xbc\xaf", "it is a 7-Zip archive: unpack it first"),
    (257, b"ustar", "it is a tar archive, as the first PyTorch versions wrote, and was not opened"),
    (0, b"\x89HDF\r\n", "it is an HDF5 file, as Keras writes"),
    (0, b"\x93NUMPY", "it is an array of NumPy"),
    (0, b"GGUF", "it is a GGUF file"),
    # ONNX: the version of the format, up to 31, and then the name of the program that wrote it.
    *((0, bytes((8, version, 0x12)), "it is an ONNX model") for version in range(1, 32)),
    (0, b"version https://git-lfs", "it only says where Git keeps the file"),
)
# The same in zip files, by the ends of the names in them.
_KINDS_OF_ZIP = (
    ("constants.pkl", "it is a TorchScript program, which carries code, and was not opened"),
    (".npy", "it is a file of NumPy arrays"),
    ("model.weights.h5", "it is a Keras model"),
)
# A checkpoint's own records, other than the pickle and the tensors, are numbers and words.
_LARGEST_WORD = 4096
# Of the differences of each kind, so many are named.
_NAMED = 3


class _Note:
    """Stands for a value of a training script's notes, which is never used."""

    def __new__(cls, *_: object) -> _Note:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, state: object) -> None: ...


# Options, and numbers and arrays of losses, as training scripts note them. Reading them needs none
# of these: each is read as a _Note, so that no code of theirs runs on what a file says.
_NOTES = [
    type(name.rpartition(".")[2], (_Note,), {"__module__": name.rpartition(".")[0]})
    for name in NOTES
]


def load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name, on the CPU, as they are stored.

    Raises:
        MissingPackageError: without the safetensors package.
        WeightsError: if the file is not a safetensors file, or one of other than plain tensors.
        OutOfMemoryError: if there is no room for it; the file may be good.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingPackageError(
            "The Python package safetensors is not installed. In Slicer's Python console: "
            "slicer.packaging.pip_install('safetensors'); elsewhere: pip install safetensors."
        ) from error
    try:
        check_safetensors(path)
        return {name: _aligned(value) for name, value in load_file(path).items()}
    # A MemoryError, too: `_why_unread` tells running out of memory from a damaged file.
    except (
        UnreadableError,
        SafetensorError,
        OSError,
        KeyError,
        ValueError,
        MemoryError,
        RuntimeError,
    ) as error:
        raise _why_unread(path, error) from error


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """A network's tensors by name, from a safetensors file or a torch checkpoint.

    What the file is, its content tells, not its name. A checkpoint may hold the tensors alone, or
    under "model_state_dict" beside a training script's notes; a prefix "module." is taken off all
    names. The numbers are as they are stored, and stay in the file until they are looked at.

    Raises:
        MissingPackageError: as `load_safetensors`.
        WeightsError: if the file is neither, is damaged, or carries anything but plain data: code
            is never run.
        OutOfMemoryError: if there is no room for it; the file may be good.
    """
    content = _content(path)
    if isinstance(content, Mapping) and isinstance(content.get(_WEIGHTS_KEY), Mapping):
        content = content[_WEIGHTS_KEY]
    if not isinstance(content, Mapping):
        content = {}
    tensors = {
        name: value.detach()
        for name, value in content.items()
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }
    if not tensors:
        raise _refused(path, "it holds no named tensors")
    try:
        for name in tensors:
            check_name(name)
    except UnreadableError as error:
        raise _refused(path, str(error)) from error
    if odd := [name for name, value in tensors.items() if not _is_plain(value)]:
        raise _refused(path, f"{odd[0]} is not a plain tensor")
    tensors = {name: _aligned(value) for name, value in tensors.items()}
    if all(name.startswith(_PARALLEL_PREFIX) for name in tensors):
        return {name.removeprefix(_PARALLEL_PREFIX): value for name, value in tensors.items()}
    return tensors


def check_network(
    tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Size], title: str
) -> None:
    """Finds out whether tensors are those of a network, by name and shape.

    Raises:
        WeightsError: if not; it names the first differences of each kind.
    """
    known = {name: value for name, value in tensors.items() if name in expected}
    differences = [
        _listed("missing", [name for name in expected if name not in tensors]),
        _listed("not known", [name for name in tensors if name not in expected]),
        _listed(
            "of another shape",
            [
                f"{name}: {_sides(value.shape)} instead of {_sides(expected[name])}"
                for name, value in known.items()
                if value.shape != expected[name]
            ],
        ),
        _listed(
            "of whole numbers",
            [name for name, value in known.items() if not value.is_floating_point()],
        ),
    ]
    if any(differences):
        raise WeightsError(
            f"These are not the weights of {title}, but of another network: "
            f"{'; '.join(filter(None, differences))}. Get the file that the catalogue names."
        )


def check_fits(tensors: Mapping[str, torch.Tensor], network: torch.nn.Module, title: str) -> None:
    """As `check_network`, for a network; its counters of batches are left out.

    Raises:
        WeightsError: if these are not its tensors.
    """
    # Only training reads the counters, and they are whole numbers.
    expected = network.state_dict()
    counters = {name for name, value in expected.items() if not value.is_floating_point()}
    found = {name: value for name, value in tensors.items() if name not in counters}
    wanted = {name: value.shape for name, value in expected.items() if name not in counters}
    check_network(found, wanted, title)


def is_checkpoint(path: Path) -> bool:
    """Whether a file may be a torch checkpoint, by its first bytes.

    Raises:
        WeightsError: if it cannot be read.
    """
    return _head(path).startswith(_ZIP)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise WeightsError(
            f"The weights file {path} cannot be read: {error.strerror}. Check its place and its "
            "access rights."
        ) from error


def _content(path: Path) -> object:
    """What a file holds, as it was saved."""
    head = _head(path)
    if head.startswith(_ZIP):
        return _torch_content(path)
    # A safetensors file begins with the length of its header, and that is JSON.
    if head[8:9] == b"{":
        return load_safetensors(path)
    raise _refused(path, _what_else(head))


def _torch_content(path: Path) -> object:
    """What torch.save has written into a file.

    The tensors are mapped, not read: there is but one copy of them, which two processes share, and
    a length that the file does not have cannot lead outside of it. In return, as long as they are
    in use, Windows neither removes nor replaces the file: whoever wants to must end the worker
    first.
    """
    try:
        _check_checkpoint(path)
        with _notes_allowed():
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        reason = "it is damaged, or carries more than plain data, which was not run"
        raise _refused(path, reason) from error
    except Exception as error:  # whatever torch meets in a damaged file
        raise _why_unread(path, error) from error


def _check_checkpoint(path: Path) -> None:
    """Finds out whether a zip file is one of torch's whose tensors can be mapped.

    Raises:
        UnreadableError: if not.
    """
    records = read_records(path)
    for ending, reason in _KINDS_OF_ZIP:
        if any(record.name.endswith(ending) for record in records):
            raise UnreadableError(reason)
    # torch goes by the folder of the first record.
    folder = records[0].name.partition("/")[0] if records else ""
    inside = {record.name.removeprefix(f"{folder}/"): record for record in records}
    is_in_folder = all(record.name.startswith(f"{folder}/") for record in records)
    if "data.pkl" not in inside or not is_in_folder:
        raise UnreadableError("it is a zip file, but not a PyTorch checkpoint")
    if path.suffix == ".safetensors":  # torch.load goes by this name
        raise UnreadableError(
            "it is a PyTorch checkpoint by another name: let its name end in .pth"
        )
    pickled = inside.pop("data.pkl")
    numbers = {}
    for name, record in inside.items():
        if name.startswith("data/"):
            numbers[name.removeprefix("data/")] = record.size
        elif record.size > _LARGEST_WORD:
            raise UnreadableError("it holds records that PyTorch does not write")
    check_pickle(_bytes_of(path, pickled), numbers, path.stat().st_size)


def _bytes_of(path: Path, record: Record) -> bytes:
    if record.size > LARGEST_PICKLE:
        raise UnreadableError("its pickle is larger than that of any network")
    with path.open("rb") as file:
        file.seek(record.start)
        return file.read(record.size)


def _notes_allowed() -> AbstractContextManager[None]:
    # Before torch 2.5, only files without such notes can be read.
    safe_globals = getattr(torch.serialization, "safe_globals", None)
    return nullcontext() if safe_globals is None else safe_globals(_NOTES)


def _what_else(head: bytes) -> str:
    """What a file is that holds no tensors, by its first bytes."""
    if not head:
        return "it is empty"
    if head.startswith(_PICKLES):
        return "it is a pickle, which may carry code, and was not opened"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "it is a web page"
    for place, sign, reason in _KINDS:
        if head.startswith(sign, place):
            return reason
    return "it is neither a safetensors file nor a PyTorch checkpoint"


def _is_plain(tensor: torch.Tensor) -> bool:
    return (
        tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    )


def _aligned(tensor: torch.Tensor) -> torch.Tensor:
    """The same, where a processor may read it as a whole: other programs may have packed it."""
    return tensor.clone() if tensor.data_ptr() % tensor.element_size() else tensor


def _why_unread(path: Path, error: Exception) -> Exception:
    """What to raise for an error that a reader met."""
    # Torch, and safetensors through it, say in a RuntimeError that a file cannot be mapped.
    if isinstance(error, MemoryError) or "allocate memory" in str(error):
        return OutOfMemoryError(
            f"There is not enough memory to read {path}. Close other programs or volumes."
        )
    return _refused(path, _first_line(error))


def _refused(path: Path, reason: str) -> WeightsError:
    return WeightsError(_REFUSED.format(path=path, reason=reason))


def _listed(what: str, names: list[str]) -> str:
    """Such as: 2 tensors are missing (a, b). Empty if there are none."""
    if not names:
        return ""
    count = "1 tensor is" if len(names) == 1 else f"{len(names)} tensors are"
    more = ", ..." if len(names) > _NAMED else ""
    return f"{count} {what} ({', '.join(names[:_NAMED])}{more})"


def _sides(shape: torch.Size) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
