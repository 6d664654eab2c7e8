"""The models that SAMSegment knows: those that come with it, and those in the user's folder.

Each is a folder with model.json (see `model_json`) and a card: of Resources/Models, and in the same
form of the user's models folder, for what the user has trained or brought. What is wrong with one
of the user's is said in a sentence (`problems`); the others are not affected.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from ..core import arguments
from ..core.errors import InputError, WeightsError
from .entry import INCLUDED, LIBRARY, MODELS_FOLDER, OWN, PUBLISHED, ModelEntry, Part
from .folder import models_folder
from .model_json import MODEL_NAME, parse

DEFAULT_MODEL = "litemedsam"
JSON = "model.json"
#: Entry points by which other Python packages bring architectures, see `models.registry`.
ARCHITECTURES = "samsegment.architectures"

_LARGEST_JSON = 1 << 20
_MOST_MODELS = 500


def catalogue() -> dict[str, ModelEntry]:
    """All models by name; the user's own come last.

    Raises:
        WeightsError: if one that comes with SAMSegment is not what it should be.
    """
    return _models()[0]


def problems() -> tuple[str, ...]:
    """What is wrong with folders in the user's models folder, in a sentence each."""
    return _models()[1]


def _models() -> tuple[dict[str, ModelEntry], tuple[str, ...]]:
    folder = models_folder()
    entries, wrong = _joined(_included(), str(folder), tuple(_stamps(folder)))
    if wrong:  # which may be put right beside a model.json that stays as it is
        _joined.cache_clear()
    return entries, wrong


def _stamps(folder: Path) -> Iterable[tuple[str, int, int]]:
    """Folders with a model.json, by name; changes with the file."""
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # not there yet, or not to be read: then there is nothing
        return
    for name in names:
        try:
            status = os.lstat(folder / name / JSON)
        except (OSError, ValueError):
            continue
        yield name, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4)
def _joined(
    included: tuple[ModelEntry, ...], folder: str, stamps: tuple[tuple[str, int, int], ...]
) -> tuple[dict[str, ModelEntry], tuple[str, ...]]:
    """What comes with SAMSegment and what is right in the user's folder; what is wrong there."""
    entries = {entry.name: entry for entry in included}
    taken, wrong, known = set(entries), [], dict(entries)
    for path in _parts_first(Path(folder, name) for name, *_ in stamps[:_MOST_MODELS]):
        name = path.name
        try:
            known[name] = _own_entry(Path(folder), name, taken, known)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            reason = " ".join(str(reason).split())[:500]
            wrong.append(f"The folder {name!a} in {folder} cannot be used as a model: {reason}.")
    if len(stamps) > _MOST_MODELS:
        wrong.append(f"Of the {len(stamps)} models in {folder}, only {_MOST_MODELS} are read.")
    own = [entry for name, entry in known.items() if name not in taken]
    entries |= {entry.name: entry for entry in sorted(own, key=_place)}
    return entries, tuple(wrong)


def _place(entry: ModelEntry) -> tuple[int, str]:
    return entry.order, entry.name


def _own_entry(
    folder: Path, name: str, taken: set[str], known: Mapping[str, ModelEntry]
) -> ModelEntry:
    """The model in a folder of the user's.

    Args:
        taken: names that it cannot have.
        known: models of which it may be made.

    Raises:
        OSError, ValueError: if it is none.
    """
    if not re.fullmatch(MODEL_NAME, name):
        raise ValueError("its name should be of small letters, digits, points and hyphens")
    if name in taken:
        raise ValueError("a model that comes with SAMSegment has this name, so give it another")
    real = os.path.join(os.path.realpath(folder), name)
    if os.path.normcase(os.path.realpath(folder / name)) != os.path.normcase(real):
        raise ValueError("it is a link to another place, so move the folder itself here")
    entry = read_entry(folder / name, OWN, known)
    if not entry.parts and os.path.islink(entry.weights_folder / entry.file):
        raise ValueError(f"{entry.file} is a symbolic link, so put the file itself there")
    return entry


@lru_cache(maxsize=1)
def _included() -> tuple[ModelEntry, ...]:
    return included_models(MODELS_FOLDER)


def included_models(folder: Path) -> tuple[ModelEntry, ...]:
    """The models of a folder like Resources/Models, in their order.

    Raises:
        WeightsError: if one of them is not what it should be; it names the place.
    """
    known: dict[str, ModelEntry] = {}
    try:
        for path in _parts_first(sorted(one.parent for one in folder.glob(f"*/{JSON}"))):
            place = path / JSON
            known[path.name] = read_entry(path, INCLUDED, known)
        place = folder
        wrong = _contradiction(list(known.values())) if known else f"there is no {JSON}"
    except (OSError, ValueError) as error:
        wrong = " ".join(str(error).split())
    if wrong:
        raise WeightsError(
            f"The catalogue of models ({place}) was changed or damaged: {wrong}. Reinstall "
            "SAMSegment."
        )
    return tuple(sorted(known.values(), key=_place))


def _parts_first(folders: Iterable[Path]) -> list[Path]:
    """Folders of models, those of models that are made of others last."""
    return sorted(folders, key=_may_have_parts)


def _may_have_parts(folder: Path) -> bool:
    try:
        return '"parts"' in _text_of(folder / JSON)
    except (OSError, ValueError):  # said when it is read
        return False


def read_entry(folder: Path, origin: str, known: Mapping[str, ModelEntry]) -> ModelEntry:
    """The model in a folder.

    Args:
        origin: INCLUDED, which becomes PUBLISHED if its weights are to be downloaded; or OWN.
        known: models of which it may be made.

    Raises:
        OSError, ValueError: if there is none, or it is not what it should be.
    """
    values = parse(_text_of(folder / JSON))
    if values["name"] != folder.name:
        raise ValueError(f"its {JSON} has the name {values['name']!r}, which is not its folder's")
    if not _is_known(values["architecture"]):
        raise ValueError(f"its architecture {values['architecture']!r} is not known here")
    if origin == INCLUDED and values.get("downloads"):
        origin = PUBLISHED
    return entry_of(values, origin, known)


def entry_of(values: Mapping[str, Any], origin: str, known: Mapping[str, ModelEntry]) -> ModelEntry:
    """The entry of what a model.json says; see read_entry.

    Raises:
        ValueError: if it is made of models that are not known, or are made of others themselves.
    """
    made_of = _made_of(values["parts"], known) if "parts" in values else {}
    return ModelEntry(**{**values, **made_of}, origin=origin)


def _made_of(names: Mapping[str, str], known: Mapping[str, ModelEntry]) -> dict[str, Any]:
    """What an entry says of its weights that is made of other models.

    Args:
        names: of the models, by what they are used for.

    Raises:
        ValueError: if there is no such model.
    """
    for name in names.values():
        if name not in known:
            raise ValueError(f"it is made of {name!r}, and there is no such model")
        if known[name].parts:
            raise ValueError(f"it is made of {name!r}, which is made of others itself")
    parts = tuple(Part(role, known[name]) for role, name in names.items())
    models = [part.model for part in parts]
    return {
        "parts": parts,
        "file": "",
        "size": sum(model.size for model in models),
        "sha256": " ".join(model.sha256 for model in models),
        "parameter_count": sum(model.parameter_count for model in models),
    }


def _text_of(path: Path) -> str:
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):  # a pipe might never come to an end
        raise ValueError(f"its {path.name} is no plain file")
    with path.open("rb") as file:
        data = file.read(_LARGEST_JSON + 1)
    if len(data) > _LARGEST_JSON:
        raise ValueError(f"its {path.name} is too large")
    return data.decode("utf-8")


def _is_known(architecture: str) -> bool:
    """Whether there is code for it; it is not imported."""
    if (LIBRARY / "models" / architecture / "engine.py").is_file():
        return True
    return architecture in _architectures_of_other_packages()


@lru_cache(maxsize=1)
def _architectures_of_other_packages() -> frozenset[str]:
    return frozenset(entry_points(group=ARCHITECTURES).names)


def _contradiction(entries: list[ModelEntry]) -> str | None:
    """What entries whose files lie in one folder must not have in common, or must."""
    files: dict[str, ModelEntry] = {}
    for entry in (one for one in entries if one.origin == PUBLISHED):
        for other in entries:
            # FILE.safetensors and the like are names of what is made of FILE.
            if other.file.lower().startswith(f"{entry.file.lower()}."):
                return f"{other.file} is the name of something that is made of {entry.file}"
        # Windows and macOS do not tell a from A.
        first = files.setdefault(entry.file.lower(), entry)
        if (first.file, first.sha256, first.size) != (entry.file, entry.sha256, entry.size):
            return f"{first.name} and {entry.name} mean different files by the same name"
    return None


def model_entry(name: str) -> ModelEntry:
    """The model of that name.

    Raises:
        InputError: if there is none.
    """
    entries = catalogue()
    if arguments.text(name, "model") in entries:
        return entries[name]
    near = difflib.get_close_matches(name, entries, n=1)
    guess = f"Did you mean {near[0]}? " if near else ""
    reasons = "".join(f" {one}" for one in problems() if ascii(name) in one)
    raise InputError(f"There is no model {name!r}. {guess}There are {', '.join(entries)}.{reasons}")
