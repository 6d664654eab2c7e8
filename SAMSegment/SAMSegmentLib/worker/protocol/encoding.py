"""Messages as JSON, and back: nothing is built but what an exact list of classes names.

A message is [name of its class, [value, value, ...]]. Which types the values have is not said by
the text, but by the annotations of the class; so a text can only choose a class from the list, and
give it numbers, strings, and what these make. Each class checks its own values in `__post_init__`.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import types
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np

from ...core.errors import InputError

# Larger ones do not fit where numpy, torch and Qt put them.
LARGEST_INT = 2**63 - 1


class MessageError(Exception):
    """Bytes that are no message."""


class MessageLists:
    """The exact lists of what may come over a channel.

    Args:
        to_child, to_client: classes of messages.

    Attributes:
        to_child, to_client: the same by their names.
    """

    def __init__(self, to_child: Iterable[type], to_client: Iterable[type]) -> None:
        self.to_child = {kind.__name__: kind for kind in to_child}
        self.to_client = {kind.__name__: kind for kind in to_client}


class _Codec(NamedTuple):
    """How values of one type become what JSON knows, and come back.

    Attributes:
        dump: raises InputError.
        load: may raise anything.
    """

    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]


def _cannot(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} does not cross in this direction.")


class Substitute(NamedTuple):
    """What crosses instead of an object with voxels, which travel in shared memory.

    Attributes:
        kind: a dataclass that names the voxels.
        dump: makes it of the object; raises InputError.
        load: makes the object again; may raise anything.
    """

    kind: type
    dump: Callable[[Any], Any] = _cannot
    load: Callable[[Any], Any] = _cannot


class MessageCodec:
    """Makes messages to bytes in ASCII, and bytes to messages.

    Args:
        kinds: the messages that may cross, by the names of their classes.
        substitutes: by the classes of objects with voxels.
    """

    def __init__(
        self,
        kinds: Mapping[str, type],
        substitutes: Mapping[type, Substitute] = MappingProxyType({}),
    ) -> None:
        self._kinds = kinds
        self._substitutes = substitutes
        self._codecs = dict(_PLAIN)

    def encode(self, message: object) -> bytes:
        """A message as bytes.

        Raises:
            InputError: if a value in it is not of the type that its class says.
            TypeError: if it is no message that may be sent.
        """
        name = type(message).__name__
        if self._kinds.get(name) is not type(message):
            raise TypeError(f"{name} is no message that can be sent here.")
        values = self._codec(type(message)).dump(message)
        return json.dumps([name, values], allow_nan=False, separators=(",", ":")).encode("ascii")

    def decode(self, data: bytes) -> object:
        """The message that `encode` has made these bytes of.

        Raises:
            MessageError: if it is none of them, or a value in it is not what it should be.
        """
        try:
            name, values = json.loads(data.decode("ascii"))
            return self._codec(self._kinds[name]).load(values)
        # Whatever is wrong with it, also what the classes themselves have against their values.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise MessageError(f"{type(error).__name__}: {reason}") from error

    def _codec(self, kind: Any) -> _Codec:
        """The codec of a type as annotations have it."""
        if kind not in self._codecs:
            # A class may hold others of its own kind: these are looked up when there are values.
            self._codecs[kind] = _Codec(
                lambda value: self._codecs[kind].dump(value),
                lambda value: self._codecs[kind].load(value),
            )
            try:
                self._codecs[kind] = self._new_codec(kind)
            except TypeError:
                del self._codecs[kind]
                raise
        return self._codecs[kind]

    def _new_codec(self, kind: Any) -> _Codec:
        if (substitute := self._substitutes.get(kind)) is not None:
            return self._substitute_codec(kind, substitute)
        if dataclasses.is_dataclass(kind):
            return self._dataclass_codec(kind)
        if isinstance(kind, types.UnionType):
            # Of unions, there is only `T | None`.
            (inner,) = (one for one in get_args(kind) if one is not types.NoneType)
            dump, load = self._codec(inner)
            return _Codec(
                lambda value: None if value is None else dump(value),
                lambda value: None if value is None else load(value),
            )
        if get_origin(kind) is tuple:
            return self._tuple_codec(kind)
        raise TypeError(f"{kind} cannot cross.")

    def _substitute_codec(self, kind: type, substitute: Substitute) -> _Codec:
        dump_substitute, load_substitute = self._codec(substitute.kind)

        def dump(value: Any) -> list:
            if not isinstance(value, kind):
                raise InputError(f"{type(value).__name__} is no {kind.__name__}.")
            return dump_substitute(substitute.dump(value))

        return _Codec(dump, lambda value: substitute.load(load_substitute(value)))

    def _dataclass_codec(self, kind: type) -> _Codec:
        hints = get_type_hints(kind)
        fields = [(each.name, *self._codec(hints[each.name])) for each in dataclasses.fields(kind)]

        def dump(value: Any) -> list:
            if not isinstance(value, kind):
                raise InputError(f"{value!r} is no {kind.__name__}.")
            values = []
            for name, dump_one, _ in fields:
                try:
                    values.append(dump_one(getattr(value, name)))
                except InputError as error:
                    raise InputError(f"{kind.__name__}, {name}: {error}") from error
            return values

        def load(value: Any) -> Any:
            if type(value) is not list or len(value) != len(fields):
                raise ValueError(f"this is no {kind.__name__}")
            loaded = (load_one(one) for one, (_, _, load_one) in zip(value, fields, strict=True))
            return kind(*loaded)

        return _Codec(dump, load)

    def _tuple_codec(self, kind: Any) -> _Codec:
        items = get_args(kind)
        if items[1:] == (Ellipsis,):
            count, codecs = None, [self._codec(items[0])]
        else:
            count, codecs = len(items), [self._codec(item) for item in items]

        def codecs_of(values: Any) -> list[_Codec]:
            return codecs * len(values) if count is None else codecs

        def dump(value: Any) -> list:
            is_sequence = isinstance(value, tuple | list | np.ndarray)
            if not is_sequence or len(value) != (count or len(value)):
                raise InputError(f"{value!r} is no {kind}.")
            return [codec.dump(item) for codec, item in zip(codecs_of(value), value, strict=True)]

        def load(value: Any) -> tuple:
            if type(value) is not list or len(value) != (count or len(value)):
                raise ValueError("this is no list, or one of another length")
            return tuple(
                codec.load(one) for codec, one in zip(codecs_of(value), value, strict=True)
            )

        return _Codec(dump, load)


def _exactly(kind: type) -> Callable[[Any], Any]:
    def load(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError(f"this is no {kind.__name__}")
        return value

    return load


def _dump_as(kind: type, accepted: Any) -> Callable[[Any], Any]:
    def dump(value: Any) -> Any:
        if not isinstance(value, accepted):
            raise InputError(f"{value!r} is no {kind.__name__}.")
        return kind(value)

    return dump


def _dump_int(value: Any) -> int:
    if not isinstance(value, Integral) or not -LARGEST_INT <= value <= LARGEST_INT:
        raise InputError(f"{value!r} is no whole number that can be used.")
    return int(value)


def _load_int(value: Any) -> int:
    if type(value) is not int or not -LARGEST_INT <= value <= LARGEST_INT:
        raise ValueError("this is no whole number")
    return value


def _dump_float(value: Any) -> float:
    if not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(f"{value!r} is no finite number.")
    return float(value)


def _load_float(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError("this is no finite number")
    return float(value)


def _dump_bytes(value: Any) -> str:
    return base64.b64encode(_dump_as(bytes, bytes)(value)).decode("ascii")


def _load_bytes(value: Any) -> bytes:
    return base64.b64decode(_exactly(str)(value), validate=True)


def _dump_matrix(value: Any) -> list[float]:
    if not isinstance(value, np.ndarray) or value.shape != (4, 4):
        raise InputError("this is no 4x4 matrix.")
    return [_dump_float(number) for number in value.ravel().tolist()]


def _load_matrix(value: Any) -> np.ndarray:
    if type(value) is not list or len(value) != 16:
        raise ValueError("this is no 4x4 matrix")
    return np.array([_load_float(number) for number in value]).reshape(4, 4)


def _dump_parameters(value: Any) -> dict:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise InputError(f"{value!r} is no dictionary of parameters.")
    return {name: _PLAIN[_kind_of_parameter(one)].dump(one) for name, one in value.items()}


def _load_parameters(value: Any) -> dict:
    return {
        name: _PLAIN[_kind_of_parameter(one)].load(one)
        for name, one in _exactly(dict)(value).items()
    }


def _kind_of_parameter(value: Any) -> type:
    if type(value) not in (str, int, float, bool):
        raise InputError(f"{value!r} is no parameter.")
    return type(value)


_PLAIN: dict[type, _Codec] = {
    int: _Codec(_dump_int, _load_int),
    float: _Codec(_dump_float, _load_float),
    bool: _Codec(_dump_as(bool, (bool, np.bool_)), _exactly(bool)),
    str: _Codec(_dump_as(str, str), _exactly(str)),
    bytes: _Codec(_dump_bytes, _load_bytes),
    # By name, what a model's engine is made with.
    dict: _Codec(_dump_parameters, _load_parameters),
    # All arrays in messages are matrices; voxels travel in shared memory.
    np.ndarray: _Codec(_dump_matrix, _load_matrix),
}
