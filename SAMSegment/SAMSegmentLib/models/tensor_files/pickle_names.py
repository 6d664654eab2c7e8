"""What a checkpoint's pickle may name, and why it is refused if it names something else."""

from __future__ import annotations

import _compat_pickle

from .limits import shown

#: Bytes of a number, by the class of what holds them.
ITEM_BYTES = {
    "torch.DoubleStorage": 8,
    "torch.FloatStorage": 4,
    "torch.HalfStorage": 2,
    "torch.BFloat16Storage": 2,
    "torch.LongStorage": 8,
    "torch.IntStorage": 4,
    "torch.ShortStorage": 2,
    "torch.CharStorage": 1,
    "torch.ByteStorage": 1,
    "torch.BoolStorage": 1,
}
#: Classes of training scripts' notes, whose content is never used.
NOTES = (
    "argparse.Namespace",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.multiarray._reconstruct",
)
_ODD_TENSORS = ("torch._utils.", "torch._tensor.", "torch.nested.", "torch.distributed.")
_TYPES = tuple(
    f"torch.{name}"
    for name in (
        *("float64", "float32", "float16", "bfloat16"),
        *("int64", "int32", "int16", "int8", "uint8", "bool"),
    )
)


def full_name(module: str, name: str) -> str:
    """As torch reads it: torch.save writes names as Python 2 knew them."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        module, name = _compat_pickle.NAME_MAPPING[module, name]
    elif module in _compat_pickle.IMPORT_MAPPING:
        module = _compat_pickle.IMPORT_MAPPING[module]
    return f"{module}.{name}"


def is_value(name: str) -> bool:
    """Whether it may be named, but not called."""
    module, _, last = name.rpartition(".")
    return name in _TYPES or (module in ("torch", "torch.storage") and last.endswith("Storage"))


def why_not(name: str) -> str:
    """The reason to refuse a file that names it or wants to call it."""
    if name.startswith(_ODD_TENSORS):
        return f"it holds a tensor that is not plain ({shown(name)})"
    return f"it carries more than plain data ({shown(name)}), which was not run"
