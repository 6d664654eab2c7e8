"""Files that lie about how much they hold: refused with the reason, in a process of little memory.

A reader that believes them would run out of memory, recurse until it dies, or take for ever.
"""

import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch

from SAMSegmentLib.models.tensor_files.checkpoints import load_tensors

MARGIN_BYTES = 300 * 2**20
LIMIT_S = 60


# Safetensors files


def with_header(header: bytes, data: bytes = b"\0" * 8, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def tensor(shape: str = "[2]", offsets: str = "[0,8]", kind: str = "F32") -> bytes:
    return f'{{"w":{{"dtype":"{kind}","shape":{shape},"data_offsets":{offsets}}}}}'.encode()


def many_empty(count: int) -> bytes:
    one = '"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    return ("{" + ",".join(one % number for number in range(count)) + "}").encode()


SAFETENSORS = {
    "a length beyond the file": (with_header(b"{}", length=2**63 - 1), "longer than the file"),
    "a length of 64 bits": (with_header(b"{}", length=2**64 - 1), "longer than the file"),
    "a header of 20 MB": (with_header(b"{" + b" " * 20_000_000), "larger than that of any"),
    "a hundred thousand tensors": (
        with_header(many_empty(100_000), b""),
        "larger than that of any",
    ),
    "a million lists": (with_header(b'{"w":' + b"[]," * 1_000_000), "larger than that of any"),
    "nested lists": (with_header(b'{"w":' + b"[" * 30_000), "damaged"),
    "nested objects": (with_header(b'{"w":' * 30_000), "damaged"),
    "a number of a million digits": (with_header(tensor(f"[{'9' * 1_000_000}]")), "damaged"),
    "many sides": (with_header(tensor(f"[2{',1' * 100_000}]")), "makes no sense"),
    "a large side": (with_header(tensor("[1099511627776]")), "than its shape needs"),
    "a side of 64 bits": (with_header(tensor("[18446744073709551615]")), "makes no sense"),
    "sides that turn over": (with_header(tensor("[4294967296,4294967296]")), "makes no sense"),
    "nothing, but large": (with_header(tensor("[0,281474976710655]", "[0,0]")), "more or fewer"),
    "nothing, but larger": (with_header(tensor("[0,99999999,99999999]", "[0,0]")), "no sense"),
    "a negative side": (with_header(tensor("[-2]")), "makes no sense"),
    "a side that is no number": (with_header(tensor('["2"]')), "makes no sense"),
    "a side that is true": (with_header(tensor("[true,2]")), "makes no sense"),
    "a broken number": (with_header(tensor("[2.0]")), "makes no sense"),
    "NaN": (with_header(tensor("[NaN]")), "damaged"),
    "places beyond the file": (with_header(tensor("[200]", "[0,800]")), "more or fewer bytes"),
    "places that do not begin": (with_header(tensor("[1]", "[4,8]")), "over each other, or apart"),
    "bytes of nobody": (with_header(tensor("[1]", "[0,4]")), "more or fewer bytes"),
    "an unknown kind": (with_header(tensor(kind="F4")), "of a kind not known"),
    "a name twice": (with_header(tensor()[:-1] + b"," + tensor()[1:]), "damaged"),
    "a name of two lines": (with_header(tensor().replace(b'"w"', b'"w\\n"')), "has the name"),
    "half a character": (with_header(tensor().replace(b'"w"', b'"\\ud800"')), "has the name"),
    "a long name": (with_header(tensor().replace(b'"w"', b'"%s"' % (b"w" * 999))), "has the name"),
    "no text": (with_header(tensor().replace(b'"w"', b'"\xff"')), "damaged"),
    "notes that are no text": (with_header(b'{"__metadata__":{"a":1}}', b""), "damaged"),
}

# Checkpoints


def saved(content: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def with_pickle(steps: bytes, numbers: bytes = b"\0" * 64, **more: bytes) -> bytes:
    """A checkpoint with this pickle and one record of numbers."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in {"data.pkl": steps, "version": b"3\n", "data/0": numbers, **more}.items():
            archive.writestr(f"net/{name}", data)
    return file.getvalue()


def number(value: int) -> bytes:
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes((len(raw),)) + raw


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def made(sides=(4,), steps=(1,), offset=0, count=16, kind="FloatStorage", key="0") -> bytes:
    """The steps that make a tensor, as torch.save writes them."""
    storage = b"(" + text("storage") + f"ctorch\n{kind}\n".encode() + text(key) + text("cpu")
    storage += number(count) + b"tQ"
    shape = b"(" + b"".join(map(number, sides)) + b"t(" + b"".join(map(number, steps)) + b"t"
    hooks = b"ccollections\nOrderedDict\n)R"
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n("
    return rebuild + storage + number(offset) + shape + b"\x89" + hooks + b"tR"


def named(steps: bytes) -> bytes:
    """A pickle of a dictionary with one value."""
    return b"\x80\x02}" + text("w") + steps + b"s."


def called(name: str, *values: bytes) -> bytes:
    module, _, function = name.rpartition(".")
    return f"c{module}\n{function}\n(".encode() + b"".join(values) + b"tR"


TERA = number(2**40)
BLOWN_UP = b"ctorch._utils\n_rebuild_device_tensor_from_cpu_tensor\n("
CHECKPOINTS = {
    "one number, spread to a tera": (saved({"w": torch.ones(1).expand(2**40)}), "over each other"),
    "numbers used many times": (
        saved({"w": torch.ones(19).as_strided((10, 10), (1, 1))}),
        "over each other",
    ),
    "a large side": (with_pickle(named(made((2**40,)))), "beyond its numbers"),
    "a side of 64 bits": (with_pickle(named(made((2**63,)))), "makes no sense"),
    "sides that turn over": (with_pickle(named(made((2**32, 2**32), (2**32, 1)))), "no sense"),
    "many sides": (with_pickle(named(made((1,) * 1000, (1,) * 1000))), "makes no sense"),
    "nothing, but large": (with_pickle(named(made((0, 2**40, 2**40), (1, 1, 1)))), "no sense"),
    "a negative side": (with_pickle(named(made((-4,)))), "makes no sense"),
    "a negative step": (with_pickle(named(made((4,), (-1,)))), "makes no sense"),
    "a step beyond": (with_pickle(named(made((4,), (8,)))), "beyond its numbers"),
    "a place beyond": (with_pickle(named(made(offset=13))), "beyond its numbers"),
    "a place before": (with_pickle(named(made(offset=-1))), "makes no sense"),
    "fewer steps than sides": (with_pickle(named(made((2, 2), (1,)))), "damaged"),
    "more numbers than bytes": (with_pickle(named(made(count=17))), "beyond its numbers"),
    "a tera of numbers": (with_pickle(named(made((2**40,), count=2**40))), "beyond its numbers"),
    "larger numbers than stored": (
        with_pickle(named(made(kind="DoubleStorage"))),
        "beyond its numbers",
    ),
    "complex numbers": (with_pickle(named(made(kind="ComplexFloatStorage"))), "kind not known"),
    "numbers that are not there": (with_pickle(named(made(key="1"))), "are missing"),
    "a record elsewhere": (with_pickle(named(made(key="../version"))), "are missing"),
    "numbers of two kinds": (
        with_pickle(named(b"(" + made() + made(kind="IntStorage") + b"t")),
        "by two kinds",
    ),
    "the same megabyte a thousand times": (
        with_pickle(
            b"\x80\x02}("
            + b"".join(text(f"w{n}") + made((2**18,), count=2**18) for n in range(1000))
            + b"u.",
            b"\0" * 2**20,
        ),
        "larger than the file",
    ),
    "a tensor with hooks": (
        with_pickle(named(made().replace(b")R\x74R", b")R" + text("a") + b"Ns\x74R"))),
        "hooks",
    ),
    "a sparse tensor": (saved({"w": torch.eye(3).to_sparse()}), "not plain"),
    "a tensor without numbers": (saved({"w": torch.empty(2**40, device="meta")}), "not plain"),
    "bytes by the tera": (with_pickle(named(called("__builtin__.bytearray", TERA))), "not run"),
    "an old tensor": (with_pickle(named(called("torch.FloatTensor", TERA))), "not run"),
    "a storage made": (
        with_pickle(named(called("torch.storage.UntypedStorage", TERA))),
        "not run",
    ),
    "a spread tensor, copied": (
        with_pickle(
            named(BLOWN_UP + made((2**36,), (0,)) + b"ctorch\nfloat32\n" + text("cpu") + b"\x89tR")
        ),
        "not plain",
    ),
    "a set of nested tuples": (
        with_pickle(named(called("__builtin__.set", b"]N" + b"\x85" * 200_000 + b"a"))),
        "damaged",
    ),
    "a key of nested tuples": (with_pickle(b"\x80\x02}N" + b"\x85" * 200_000 + b"Ns."), "damaged"),
    "a key of doubled tuples": (
        with_pickle(b"\x80\x02})" + b"q\x01h\x01\x86" * 200 + b"Ns."),
        "damaged",
    ),
    "nested lists": (with_pickle(named(b"]" * 200_000 + b"a" * 199_999)), "no named tensors"),
    "a million dictionaries": (with_pickle(named(b"}" * 1_000_000)), "larger than that of any"),
    "a million steps": (with_pickle(named(b"N" * 2_000_000)), "larger than that of any"),
    "a pickle of 20 MB": (with_pickle(b"\x80\x02" + b"N" * 20_000_000), "larger than that of any"),
    "a text that is not there": (with_pickle(b"\x80\x02X\xff\xff\xff\x7f"), "damaged"),
    "a number of 2000 bits": (with_pickle(named(made((2**2000,)))), "makes no sense"),
    "a stack that is empty": (with_pickle(b"\x80\x02s."), "damaged"),
    "a memory that is empty": (with_pickle(b"\x80\x02h\x07."), "damaged"),
    "no end": (with_pickle(b"\x80\x02}"), "damaged"),
    "inner values of a dictionary": (
        with_pickle(named(b"ccollections\nOrderedDict\n)R}" + text("items") + text("x") + b"sb")),
        "inner values",
    ),
    "a step of other programs": (with_pickle(b"\x80\x02N0."), "never writes"),
    "another protocol": (with_pickle(b"\x80\x04}."), "does not write"),
    "a large word": (with_pickle(named(made()), byteorder=b"l" * 10_000), "does not write"),
    "a record elsewhere in the file": (
        saved({"w": torch.ones(4)}).replace(b"/version", b"/../../x"),
        "with the name",
    ),
}
ALL = {**{f"safetensors: {k}": v for k, v in SAFETENSORS.items()}, **CHECKPOINTS}

READER = """
import json, os, resource, sys, time
from pathlib import Path
from SAMSegmentLib.models.tensor_files.checkpoints import load_tensors

good, *paths = sys.argv[2:]
load_tensors(Path(good))
load_tensors(Path(good).with_suffix(".safetensors"))
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * os.sysconf("SC_PAGE_SIZE") + int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_AS, (most, most))
for path in paths:
    began = time.monotonic()
    try:
        load_tensors(Path(path))
        said = "read"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    print(json.dumps(said), flush=True)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What reading each file has said, in a process with no memory to spare."""
    if sys.platform != "linux":
        pytest.skip("the memory of a process cannot be limited here")
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("dangerous")
    good = folder / "good.pth"
    torch.save({"w": torch.ones(4)}, good)
    save_file({"w": torch.ones(4)}, good.with_suffix(".safetensors"))
    paths = []
    for index, (data, _) in enumerate(ALL.values()):
        paths.append(folder / f"{index}.pth")
        paths[-1].write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", READER, str(MARGIN_BYTES), *map(str, (good, *paths))],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    died = f"the process ended with {done.returncode}: {done.stderr[-500:]}"
    return dict(zip(ALL, said + [died] * (len(ALL) - len(said)), strict=True))


@pytest.mark.parametrize("case", ALL)
def test_a_file_that_lies_is_refused_with_the_reason(answers, case):
    assert answers[case].startswith("WeightsError: ")
    assert ALL[case][1] in answers[case]
    assert "\n" not in answers[case] and answers[case].isprintable()


def test_the_files_of_the_tests_are_read_when_they_do_not_lie(tmp_path):
    (tmp_path / "a.pth").write_bytes(with_pickle(named(made())))
    assert torch.equal(load_tensors(tmp_path / "a.pth")["w"], torch.zeros(4))
    (tmp_path / "b.pth").write_bytes(with_pickle(named(made((2, 2), (1, 8), 3))))
    assert load_tensors(tmp_path / "b.pth")["w"].shape == (2, 2)
    (tmp_path / "c.safetensors").write_bytes(with_header(tensor()))
    assert torch.equal(load_tensors(tmp_path / "c.safetensors")["w"], torch.zeros(2))


def test_torch_alone_would_believe_what_they_say(tmp_path: Path):
    """Why what is read by weights_only is looked at before."""
    path = tmp_path / "net.pth"
    path.write_bytes(CHECKPOINTS["one number, spread to a tera"][0])
    assert torch.load(path, weights_only=True, mmap=True)["w"].numel() == 2**40
    path.write_bytes(with_pickle(named(called("__builtin__.bytearray", number(2**20)))))
    assert len(torch.load(path, weights_only=True, mmap=True)["w"]) == 2**20
