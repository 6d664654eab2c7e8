"""The architectures: which engine runs a model, imported only when it is used.

An architecture is a package beside this file whose engine.py has one class of Engine. Another
Python package brings one with an entry point of the group "samsegment.architectures", such as
`my_net = "my_package.engine:MyEngine"`. A model's entry may come from the user's own folder and is
data: the architecture that it names is compared with these lists before anything is imported.
"""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from ..core.errors import InputError, SAMSegmentError
from ..weights.catalogue import ARCHITECTURES, ModelEntry
from .base import Engine


def architectures() -> tuple[str, ...]:
    """The names of all architectures, in alphabetical order."""
    return tuple(sorted({*_own(), *_of_other_packages()}))


def engine_of(model: ModelEntry) -> tuple[type[Engine], dict[str, Any]]:
    """The engine that runs a model, and the arguments that the model's entry chooses for it.

    The first call for an architecture imports its network.

    Raises:
        InputError: if there is no such architecture, or it cannot do what the entry says.
        SAMSegmentError: if another package brings it, and it cannot be loaded.
    """
    engine = _engine_class(model.architecture, model.title)
    _check(model, engine)
    choices = engine.capabilities.parameters
    arguments = {name: choices[name][value] for name, value in model.parameters.items()}
    if model.is_automatic:
        arguments["structures"] = model.labels()
    return engine, arguments


def _own() -> dict[str, str]:
    """The modules of the architectures that lie here, by name."""
    folders = (path.parent.name for path in Path(__file__).parent.glob("*/engine.py"))
    return {name: f"{__package__}.{name}.engine" for name in folders}


def _of_other_packages() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ARCHITECTURES)}


def _engine_class(architecture: str, title: str) -> type[Engine]:
    # An architecture that comes with SAMSegment is never replaced by another package's.
    if (module := _own().get(architecture)) is not None:
        return _only_engine(module)
    if (point := _of_other_packages().get(architecture)) is not None:
        return _loaded(point)
    raise InputError(
        f"{title} needs the architecture {architecture!r}, which is not known here: update "
        f"SAMSegment, or install the Python package that brings it. There are "
        f"{', '.join(architectures())}."
    )


def _only_engine(module: str) -> type[Engine]:
    (engine,) = (
        value
        for value in vars(importlib.import_module(module)).values()
        if inspect.isclass(value) and issubclass(value, Engine) and value.__module__ == module
    )
    return engine


def _loaded(point: EntryPoint) -> type[Engine]:
    try:
        engine = point.load()
    except Exception as error:  # whatever another package does when it is imported
        raise SAMSegmentError(
            f"The architecture {point.name!r} cannot be loaded from {point.value} "
            f"({type(error).__name__}: {error}): install the package that brings it again."
        ) from error
    if not (inspect.isclass(engine) and issubclass(engine, Engine)) or inspect.isabstract(engine):
        raise SAMSegmentError(
            f"The architecture {point.name!r} cannot be used: {point.value} is no complete Engine. "
            "Update the package that brings it."
        )
    return engine


def _check(model: ModelEntry, engine: type[Engine]) -> None:
    """Compares what an entry says with what its architecture can do."""
    able = engine.capabilities
    if model.task != able.task:
        raise InputError(
            f"The entry of {model.title} says that it is {model.task}, but its architecture "
            f"{model.architecture!r} is {able.task}: correct the entry."
        )
    if (roles := {part.role for part in model.parts}) != set(able.parts):
        given, needed = (", ".join(sorted(each)) or "no models" for each in (roles, able.parts))
        raise InputError(
            f"The entry of {model.title} makes it of {given}, but its architecture "
            f"{model.architecture!r} of {needed}: correct the entry."
        )
    wrong = [f"takes {kind} as prompts" for kind in model.prompts if kind not in able.prompts]
    if model.single_slices and not able.single_slices:
        wrong.append("takes single slices")
    for name, value in model.parameters.items():
        if value not in able.parameters.get(name, ()):
            wrong.append(f"computes with {name} = {value!r}")
    if wrong:
        raise InputError(
            f"The entry of {model.title} says that it {' and '.join(wrong)}, which its "
            f"architecture {model.architecture!r} cannot: correct the entry."
        )
