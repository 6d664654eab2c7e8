"""Walks through a checkpoint's pickle and finds out what torch would do, without doing it.

torch.load(weights_only=True) runs no code that a file names, but it believes the numbers in it: a
tensor may say that it is larger than any memory, or lie beside its bytes, and containers can be
nested until the process dies. Here, every step is taken on stand-ins first. Only what checkpoints
of networks are made of may happen: plain containers and values, dense tensors that lie within
their record, and notes of training scripts, which are never used.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Mapping

from .limits import UnreadableError, are_numbers, count_numbers, reach_of, shown
from .pickle_names import ITEM_BYTES, NOTES, full_name, is_value, why_not

LARGEST_PICKLE = 16 * 2**20
# Of a checkpoint with ten thousand tensors, a fourth of these.
MOST_STEPS = 1_000_000
# An empty container takes hundreds of bytes of memory for one byte of the pickle.
MOST_CONTAINERS = 250_000
# All tensors together may be so many times as large as the file: some share their numbers.
MOST_SHARING = 2

_DAMAGED = "it is damaged: its pickle cannot be followed"
_BEYOND = "a tensor in it reaches beyond its numbers"
_TOO_LARGE = "its pickle is larger than that of any network"
_PLAIN = (str, bytes, int, float, complex, bool, type(None))
_NEVER = object()


class _Global:
    """A class or function by name."""

    def __init__(self, name: str) -> None:
        self.name = name


class _Made:
    """Something that is made of values and of no further interest here."""


class _Note(_Made):
    """An object of one of the classes in NOTES."""


class _Ordered(dict):
    """An OrderedDict."""


class _Counter(dict):
    """A Counter."""


class _Storage:
    """The numbers of one record."""

    def __init__(self, item_bytes: int, count: int) -> None:
        self.item_bytes, self.count = item_bytes, count


class _Tensor:
    """A dense tensor within its storage."""


def check_pickle(data: bytes, records: Mapping[str, int], file_size: int) -> None:
    """Finds out whether torch.load may be let loose on it.

    Args:
        data: the pickle of a checkpoint.
        records: bytes of each tensor's record, by its key.
        file_size: bytes of the checkpoint.

    Raises:
        UnreadableError: if not.
    """
    if len(data) > LARGEST_PICKLE:
        raise UnreadableError(_TOO_LARGE)
    try:
        _Walk(records, MOST_SHARING * file_size).run(data)
    # pickletools raises ValueError on what is no pickle; a stack or memo without the value wanted.
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise UnreadableError(_DAMAGED) from error


class _Walk:
    """The machine that a pickle is a program for, working on stand-ins."""

    def __init__(self, records: Mapping[str, int], most_bytes: int) -> None:
        self._records = records
        self._bytes_left = most_bytes
        self._stack: list = []
        self._below: list[list] = []
        self._memo: dict[int, object] = {}
        self._storages: dict[str, tuple[str, int]] = {}
        self._hooks: list[dict] = []
        self._containers = 0

    def run(self, data: bytes) -> None:
        for count, (step, value, _) in enumerate(pickletools.genops(io.BytesIO(data))):
            if count == MOST_STEPS:
                raise UnreadableError(_TOO_LARGE)
            self._take(step.name, value)
        # Filled after a tensor was made with it.
        if any(self._hooks):
            raise UnreadableError("it holds a tensor with hooks, which is code")

    def _take(self, step: str, value: object) -> None:
        if step in _VALUES:
            found = _VALUES[step]
            self._push(value if found is _NEVER else found)
        elif step in _CONTAINERS:
            self._push_container(_CONTAINERS[step]())
        elif method := _STEPS.get(step):
            method(self, value)
        else:
            raise UnreadableError(
                f"its pickle takes a step ({step}) that PyTorch never writes; it was not run"
            )

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _push_container(self, value: object) -> None:
        self._containers += 1
        if self._containers > MOST_CONTAINERS:
            raise UnreadableError(_TOO_LARGE)
        self._stack.append(value)

    def _pop(self, count: int) -> list:
        if len(self._stack) < count:
            raise IndexError
        values = self._stack[-count:]
        del self._stack[-count:]
        return values

    def _since_mark(self) -> list:
        values, self._stack = self._stack, self._below.pop()
        return values

    def _mark(self, _: object) -> None:
        self._below.append(self._stack)
        self._stack = []

    def _begin(self, protocol: object) -> None:
        if protocol != 2:
            raise UnreadableError("its pickle is of a kind that PyTorch does not write")

    def _end(self, _: object) -> None:
        self._pop(1)

    def _remember(self, key: int) -> None:
        self._memo[key] = self._stack[-1]

    def _recall(self, key: int) -> None:
        self._push(self._memo[key])

    def _tuple(self, _: object) -> None:
        self._push_container(tuple(self._since_mark()))

    def _tuple_of(self, count: int) -> None:
        self._push_container(tuple(self._pop(count)))

    def _append(self, _: object) -> None:
        self._extend(self._pop(1))

    def _appends(self, _: object) -> None:
        self._extend(self._since_mark())

    def _extend(self, values: list) -> None:
        if type(self._stack[-1]) is not list:
            raise UnreadableError(_DAMAGED)
        self._stack[-1].extend(values)

    def _set_item(self, _: object) -> None:
        self._set(self._pop(2))

    def _set_items(self, _: object) -> None:
        self._set(self._since_mark())

    def _set(self, values: list) -> None:
        if not isinstance(self._stack[-1], dict) or len(values) % 2:
            raise UnreadableError(_DAMAGED)
        for key, value in zip(values[::2], values[1::2], strict=True):
            self._stack[-1][_plain(key)] = value

    def _global(self, value: object) -> None:
        # pickletools joins module and name by a space.
        module, _, name = str(value).partition(" ")
        full = full_name(module, name)
        if full not in _CALLS and full not in NOTES and not is_value(full):
            raise UnreadableError(why_not(full))
        self._push(_Global(full))

    def _new(self, _: object) -> None:
        made, values = self._pop(2)
        if not _is_note(made) or type(values) is not tuple:
            raise UnreadableError(_DAMAGED)
        self._push_container(_Note())

    def _build(self, _: object) -> None:
        (state,) = self._pop(1)
        target = self._stack[-1]
        # A state_dict carries the versions of its modules so. Nothing else may be set: it could
        # take the place of a method.
        has_versions = type(state) is dict and set(state) <= {"_metadata"}
        if type(target) is not _Note and not (type(target) is _Ordered and has_versions):
            raise UnreadableError("it sets inner values of an object, which was not done")

    def _call(self, _: object) -> None:
        called, values = self._pop(2)
        if type(called) is not _Global or type(values) is not tuple:
            raise UnreadableError(_DAMAGED)
        if _is_note(called):
            self._push_container(_Note())
            return
        if called.name not in _CALLS:
            raise UnreadableError(why_not(called.name))
        method, least, most = _CALLS[called.name]
        if not least <= len(values) <= most:
            raise UnreadableError(_DAMAGED)
        self._push_container(method(self, *values))

    # What may be called

    def _ordered(self) -> _Ordered:
        return _Ordered()

    def _counter(self, counts: object = None) -> _Counter:
        if counts is not None and type(counts) is not dict:
            raise UnreadableError(_DAMAGED)
        return _Counter(counts or {})

    def _set_of(self, values: object = ()) -> _Made:
        if type(values) not in (list, tuple):
            raise UnreadableError(_DAMAGED)
        for value in values:
            _plain(value)
        self._containers += len(values)
        return _Made()

    def _bytes(self, text: object, coding: object) -> _Made:
        if type(text) is not str or coding not in ("latin1", "latin-1"):
            raise UnreadableError(_DAMAGED)
        return _Made()

    def _of_plain(self, *values: object) -> _Made:
        if any(type(value) not in (str, int, float) for value in values):
            raise UnreadableError(_DAMAGED)
        return _Made()

    def _size(self, sides: object) -> tuple:
        return _numbers(sides)

    def _parameter(self, tensor: object, needs_gradient: object, hooks: object) -> _Tensor:
        if type(tensor) is not _Tensor or type(needs_gradient) is not bool:
            raise UnreadableError(_DAMAGED)
        self._check_hooks(hooks)
        return tensor

    def _tensor(
        self,
        storage: object,
        offset: object,
        sides: object,
        steps: object,
        needs_gradient: object,
        hooks: object,
        more: object = None,
    ) -> _Tensor:
        if type(storage) is not _Storage or type(needs_gradient) is not bool or more:
            raise UnreadableError("it holds a tensor that is not plain")
        self._check_hooks(hooks)
        (offset,), sides, steps = _numbers((offset,)), _numbers(sides), _numbers(steps)
        if len(sides) != len(steps):
            raise UnreadableError(_DAMAGED)
        count, reach = count_numbers(sides), reach_of(sides, steps)
        if offset > storage.count or (count and offset + reach >= storage.count):
            raise UnreadableError(_BEYOND)
        self._bytes_left -= count * storage.item_bytes
        if self._bytes_left < 0:
            raise UnreadableError("its tensors are together much larger than the file")
        return _Tensor()

    def _check_hooks(self, hooks: object) -> None:
        if hooks is None:
            return
        if type(hooks) is not _Ordered:
            raise UnreadableError(_DAMAGED)
        self._hooks.append(hooks)

    def _storage(self, _: object) -> None:
        (reference,) = self._pop(1)
        if type(reference) is not tuple or len(reference) != 5 or reference[0] != "storage":
            raise UnreadableError(_DAMAGED)
        _, kind, key, device, count = reference
        if type(kind) is not _Global or type(key) is not str or type(device) is not str:
            raise UnreadableError(_DAMAGED)
        item_bytes = ITEM_BYTES.get(kind.name)
        if item_bytes is None:
            raise UnreadableError(f"its numbers are of a kind not known here ({shown(kind.name)})")
        if key not in self._records:
            raise UnreadableError("the numbers of a tensor are missing in it")
        (count,) = _numbers((count,))
        # torch reads a record as what it was first called.
        if self._storages.setdefault(key, (kind.name, count)) != (kind.name, count):
            raise UnreadableError("it calls the same numbers by two kinds")
        if count * item_bytes > self._records[key]:
            raise UnreadableError(_BEYOND)
        self._push(_Storage(item_bytes, count))


_VALUES = {
    "NONE": None,
    "NEWFALSE": False,
    "NEWTRUE": True,
    **dict.fromkeys(
        ("BININT", "BININT1", "BININT2", "BINFLOAT", "BINUNICODE", "SHORT_BINSTRING", "LONG1"),
        _NEVER,
    ),
}
_CONTAINERS = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": _Made}
# The steps that torch's own reader knows (torch/_weights_only_unpickler.py).
_STEPS = {
    "PROTO": _Walk._begin,
    "STOP": _Walk._end,
    "MARK": _Walk._mark,
    "BINPUT": _Walk._remember,
    "LONG_BINPUT": _Walk._remember,
    "BINGET": _Walk._recall,
    "LONG_BINGET": _Walk._recall,
    "TUPLE": _Walk._tuple,
    "TUPLE1": lambda walk, _: walk._tuple_of(1),
    "TUPLE2": lambda walk, _: walk._tuple_of(2),
    "TUPLE3": lambda walk, _: walk._tuple_of(3),
    "APPEND": _Walk._append,
    "APPENDS": _Walk._appends,
    "SETITEM": _Walk._set_item,
    "SETITEMS": _Walk._set_items,
    "GLOBAL": _Walk._global,
    "NEWOBJ": _Walk._new,
    "BUILD": _Walk._build,
    "REDUCE": _Walk._call,
    "BINPERSID": _Walk._storage,
}
# With the least and the largest number of arguments.
_CALLS = {
    "collections.OrderedDict": (_Walk._ordered, 0, 0),
    "collections.Counter": (_Walk._counter, 0, 1),
    "builtins.set": (_Walk._set_of, 0, 1),
    "builtins.complex": (_Walk._of_plain, 1, 2),
    "torch.device": (_Walk._of_plain, 1, 2),
    "torch.Size": (_Walk._size, 1, 1),
    "_codecs.encode": (_Walk._bytes, 2, 2),
    "torch._utils._rebuild_tensor_v2": (_Walk._tensor, 6, 7),
    "torch._utils._rebuild_parameter": (_Walk._parameter, 3, 3),
}


def _is_note(value: object) -> bool:
    return type(value) is _Global and value.name in NOTES


def _plain(value: object) -> object:
    """A value that can be a key: hashing nested tuples can take for ever, or end the process."""
    if type(value) not in _PLAIN:
        raise UnreadableError(_DAMAGED)
    return value


def _numbers(values: object) -> tuple[int, ...]:
    if type(values) is not tuple:
        raise UnreadableError(_DAMAGED)
    if not are_numbers(values):
        raise UnreadableError("the shape of a tensor in it makes no sense")
    return values
