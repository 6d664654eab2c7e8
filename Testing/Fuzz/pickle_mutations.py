"""Changes to a pickle, step by step: other steps, numbers, names, and code that leaves a trace."""

from __future__ import annotations

import contextlib
import io
import pickletools
import struct
from collections.abc import Callable
from random import Random

from .raw_mutations import NUMBERS

_NAMES = (
    *("os system", "os mkdir", "posix system", "nt system", "builtins eval", "builtins exec"),
    *("__builtin__ eval", "__builtin__ set", "builtins bytearray", "__builtin__ bytearray"),
    *("builtins getattr", "builtins open", "subprocess Popen", "importlib import_module"),
    *("torch load", "torch FloatTensor", "torch Tensor", "torch FloatStorage", "torch Size"),
    *("torch device", "torch LongStorage", "torch.storage UntypedStorage", "torch float32"),
    *("torch.nn.parameter Parameter", "torch.hub load", "torch.jit load", "torch uint3"),
    *("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2"),
    *("torch._utils _rebuild_tensor_v3", "torch._utils _rebuild_parameter"),
    *("torch._utils _rebuild_parameter_with_state", "torch._utils _rebuild_sparse_tensor"),
    *("torch._utils _rebuild_qtensor", "torch._utils _rebuild_meta_tensor_no_storage"),
    *("torch._utils _rebuild_nested_tensor", "torch._utils _rebuild_wrapper_subclass"),
    *("torch._utils _rebuild_device_tensor_from_cpu_tensor", "torch.serialization _get_layout"),
    *("torch._tensor _rebuild_from_type_v2", "collections OrderedDict", "collections Counter"),
    *("_codecs encode", "argparse Namespace", "numpy ndarray", "numpy dtype", "numpy load"),
    *("numpy._core.multiarray _reconstruct", "numpy.core.multiarray scalar"),
    *("builtins complex", "builtins set", "copyreg _reconstructor", "torch", "a\x85b c"),
)


def change_pickle(random: Random, data: bytes, trace: str) -> bytes:
    """A changed pickle.

    Args:
        trace: a folder that code in the pickle would make.
    """
    steps = _steps(data)
    if not steps:
        return data
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        place = random.randrange(len(steps))
        change = random.random()
        if change < 0.35:
            steps[place] = _other(random, steps[place])
        elif change < 0.45:
            del steps[place]
        elif change < 0.55:
            steps.insert(place, random.choice(steps))
        elif change < 0.6:
            other = random.randrange(len(steps))
            steps[place], steps[other] = steps[other], steps[place]
        else:
            steps.insert(place, random.choice(_PIECES)(random, trace))
        if not steps:
            break
    return b"".join(steps)


def _steps(data: bytes) -> list[bytes]:
    """The bytes of each step; of a damaged pickle, those before the damage."""
    places: list[int] = []
    with contextlib.suppress(ValueError):
        places.extend(place for _, _, place in pickletools.genops(io.BytesIO(data)))
    return [data[a:b] for a, b in zip(places, [*places[1:], len(data)], strict=True)]


def number(random: Random) -> bytes:
    """A step that puts a number onto the stack."""
    value = random.choice((*NUMBERS, -1, -(2**31), 2**70, 2**2000))
    if 0 <= value < 256 and random.random() < 0.7:
        return b"K" + bytes((value,))
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes((len(raw),)) + raw


def _text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogatepass")
    return b"X" + struct.pack("<I", len(raw)) + raw


def _name(random: Random) -> bytes:
    module, _, name = random.choice(_NAMES).partition(" ")
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def _other(random: Random, step: bytes) -> bytes:
    """A step of the same kind with another value."""
    kind = step[:1]
    if kind in b"KMJ\x8a":
        return number(random)
    if kind == b"c":
        return _name(random)
    if kind == b"X":
        words = (
            "",
            "storage",
            "0",
            "1",
            "99",
            "../0",
            "cpu",
            "cuda:0",
            "model_state_dict",
            "\ud800",
        )
        return _text(random.choice((*words, "__metadata__", "module.w", "a\nb", "x" * 500)))
    if kind in b"qhrj":
        return kind + bytes(random.choice((0, 1, 5, 200, 255)) for _ in step[1:])
    if kind == b"\x80":
        return b"\x80" + bytes((random.choice((0, 1, 2, 3, 4, 5, 255)),))
    return random.choice(
        (b"}", b"]", b")", b"t", b"R", b"b", b"\x81", b"Q", b"u", b"s", b"a", b".")
    )


def _any_step(random: Random, _: str) -> bytes:
    return bytes((random.randrange(256),))


def _code(random: Random, trace: str) -> bytes:
    return b"cos\nmkdir\n" + _text(trace) + b"\x85" + random.choice((b"R", b"\x81", b"R0", b"b"))


def _call(random: Random, _: str) -> bytes:
    """A call of anything with some values."""
    values = [
        random.choice(
            (number(random), _text("x"), b"]", b"}", b")", b"N", b"\x88", _name(random), b"h\0")
        )
        for _ in range(random.choice((0, 1, 1, 2, 3, 4, 7)))
    ]
    return _name(random) + b"(" + b"".join(values) + b"t" + random.choice((b"R", b"R", b"\x81"))


def _number_step(random: Random, _: str) -> bytes:
    return number(random)


def _deep(random: Random, _: str) -> bytes:
    """Nesting that a recursion does not survive, as a key or as it is."""
    depth = random.choice((100, 100, 100, 2000, 60_000))
    return b"}N" + b"\x85" * depth + random.choice((b"Ns", b"a", b"0", b""))


def _doubled(random: Random, _: str) -> bytes:
    """A tuple of two tuples of two tuples: its hash takes for ever."""
    return b"})" + b"q\xf0h\xf0\x86" * random.choice((20, 60, 200)) + b"Ns"


def _many(random: Random, _: str) -> bytes:
    """Containers, hundreds of bytes of memory each."""
    return random.choice((b"}", b"]", b"\x8f", b"))\x86")) * random.choice(
        (1000, 1000, 1000, 1000, 300_000)
    )


def _long(random: Random, _: str) -> bytes:
    """Values that say they are longer than they are."""
    length = struct.pack("<I", random.choice(NUMBERS) % 2**32)
    return random.choice((b"X", b"T", b"B", b"r", b"j", b"\x8b")) + length


def _tensor(random: Random, _: str) -> bytes:
    """A tensor of the first record, with some shape."""
    steps = [b"K\x01", b"K\x02", b"K\x06", number(random)]
    sides = (
        b"(" + b"".join(random.choice(steps) for _ in range(random.choice((0, 1, 2, 3, 30)))) + b"t"
    )
    strides = b"(" + b"".join(random.choice(steps) for _ in range(random.choice((0, 1, 2)))) + b"t"
    storage = b"(" + _text("storage") + b"ctorch\nFloatStorage\n" + _text("0") + _text("cpu")
    storage += random.choice(steps) + b"tQ"
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    hooks = random.choice((b"ccollections\nOrderedDict\n)R", b"N", b"}"))
    offset = random.choice((b"K\0", number(random)))
    return (
        _text("t") + rebuild + b"(" + storage + offset + sides + strides + b"\x89" + hooks + b"tR"
    )


_PIECES: tuple[Callable[[Random, str], bytes], ...] = (
    *(_any_step, _code, _call, _call, _call, _number_step, _number_step),
    *(_deep, _doubled, _many, _long, _tensor, _tensor),
)
