"""The models that SAMSegment knows: Resources/Models/catalogue.json, read and checked."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from ..core import arguments
from ..core.errors import InputError, WeightsError
from ..core.geometry import Geometry
from ..core.prompts import Prompts
from ..core.voxel_prompts import VoxelPrompts
from . import installed
from .schema import problems

_LIBRARY = Path(__file__).parents[1]
# Within the library if that was installed by pip, else beside it.
_RESOURCES = _LIBRARY / "Resources"
MODELS_FOLDER = (_RESOURCES if _RESOURCES.is_dir() else _LIBRARY.parent / "Resources") / "Models"
SCHEMA = MODELS_FOLDER / "catalogue.schema.json"
DEFAULT_MODEL = "litemedsam"

_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)\.", re.IGNORECASE)
# What reading a damaged catalogue raises, and from LookupError on, a damaged schema.
_DAMAGE = (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError, re.error)


@dataclass(frozen=True)
class Timing:
    """How long something took once, as an idea of what to expect.

    Attributes:
        what: was done, such as "next click".
        computer: on which.
    """

    what: str
    seconds: float
    computer: str


@dataclass(frozen=True)
class ModelEntry:
    """One model of the catalogue.

    Attributes:
        name: how scripts and the shell call it.
        title: how people call it.
        architecture: which engine runs it.
        prompts: the kinds of prompt that it takes: "roi", "points", "line".
        single_slices: whether it takes images of one slice, such as X-rays, too.
        parameters: number of trained values.
        file: name of the weights file.
        size: bytes of the weights file; if it is not embedded, what its source states, rounded.
        sha256: of the weights file.
        embedded: whether the weights come with the extension; if not, the user gets them.
        restriction: what the weights' licence forbids, for a user; "" if nothing unusual.
        source: where the weights come from; if they are not embedded, a page about them.
        downloads: addresses of the file itself, to try in turn; none if the weights are embedded.
        converted_sha256: of what conversion to safetensors makes of the file, which is the same
            everywhere; "" if nobody has told it yet.
    """

    name: str
    title: str
    architecture: str
    prompts: tuple[str, ...]
    modalities: tuple[str, ...]
    single_slices: bool
    parameters: int
    file: str
    size: int
    sha256: str
    embedded: bool
    code_licence: str
    weights_licence: str
    restriction: str
    source: str
    downloads: tuple[str, ...]
    timings: tuple[Timing, ...]
    citation: str
    converted_sha256: str = ""

    @property
    def path(self) -> Path:
        """Where the weights lie once installed: as published, or converted; see `installed`."""
        if self.embedded:
            return MODELS_FOLDER / self.file
        converted, original = installed.converted_path(self), installed.original_path(self)
        for _ in range(2):  # another process may convert it between two looks
            if _is_plain_file(converted) and installed.read_receipt(self) is not None:
                return converted
            if _is_plain_file(original):
                break
        return original

    @property
    def is_installed(self) -> bool:
        """Whether a file lies where the weights should; its content is not looked at."""
        return _is_plain_file(self.path)

    def check_installed(self) -> None:
        """Finds out at once, without reading a large file, whether the weights are there.

        Raises:
            WeightsError: if not; it says how to get them.
        """
        path = self.path
        if _is_plain_file(path):
            return
        if self.embedded:
            raise WeightsError(
                f"The weights of {self.title} are missing ({path}): reinstall SAMSegment."
            )
        if os.path.lexists(path):
            is_link, is_folder = os.path.islink(path), os.path.isdir(path)
            what = "a symbolic link" if is_link else "a folder" if is_folder else "no plain file"
            raise WeightsError(
                f"The weights of {self.title} cannot be read: {path} is {what}. Remove it; then "
                f"{self._get_it}."
            )
        raise WeightsError(f"{self.title} is not installed: {self._get_it}.")

    def verified_path(self) -> Path:
        """The weights file, after its SHA-256 was checked (once per file and process).

        Reads the whole file: not for Slicer's main thread, unless the weights are embedded and
        therefore small.

        Raises:
            WeightsError: if it is missing or not the one that the catalogue means.
        """
        self.check_installed()
        path = self.path
        try:
            is_right = file_sha256(path) == self.sha256_of(path)
        except FileNotFoundError:
            # Another process has just converted it: the other file is there now.
            self.check_installed()
            path = self.path
            is_right = path.is_file() and file_sha256(path) == self.sha256_of(path)
        except OSError as error:
            raise self.unreadable(path, error) from error
        if not is_right:
            self.raise_damaged(path)
        return path

    def sha256_of(self, path: Path) -> str | None:
        """What the SHA-256 of the installed file at `path` must be; None if that is not known."""
        if self.embedded or path == installed.original_path(self):
            return self.sha256
        receipt = installed.read_receipt(self)
        return receipt and receipt.sha256

    def is_as_published(self, path: Path) -> bool:
        """Whether `sha256_of` is the catalogue's for the installed file at `path`.

        If not, it was noted when the file was converted: it then proves that the file has not
        changed since, and that it was made of the published one is only what its receipt says.
        """
        return path != installed.converted_path(self) or bool(self.converted_sha256)

    def unreadable(self, path: Path, error: OSError) -> WeightsError:
        """What to raise about an installed file that cannot be read."""
        return WeightsError(
            f"The weights of {self.title} ({path}) cannot be read: {error.strerror}. Check its "
            "place and its access rights."
        )

    def raise_damaged(self, path: Path) -> NoReturn:
        """Raises the WeightsError about an installed file that is not what it should be."""
        if self.embedded:
            raise WeightsError(
                f"The weights of {self.title} ({path}) are damaged: their SHA-256 is not "
                "that of the catalogue. Reinstall SAMSegment."
            )
        wanted = "that of the catalogue"
        if not self.is_as_published(path):
            wanted = "the one noted when they were converted"
        raise WeightsError(
            f"The weights of {self.title} ({path}) are damaged or another model's: their "
            f"SHA-256 is not {wanted}. Remove them, then {self._get_it}."
        )

    @property
    def _get_it(self) -> str:
        return (
            f"install it ({self.size / 1e6:.0f} MB, licence {self.weights_licence}) with the "
            "button Download where the model is chosen, in Slicer's Python console with "
            f'SAMSegmentLogic.installModel("{self.name}"), or in the shell with '
            f"python -m SAMSegmentLib models install {self.name}"
        )

    def check_grid(self, geometry: Geometry) -> None:
        """Finds out, before any work, whether the model takes such an image.

        Raises:
            InputError: if it is a single slice, and the model is for volumes.
        """
        if geometry.slice_axis is not None and not self.single_slices:
            raise InputError(
                f"{self.title} is for volumes, and this image is a single slice: choose another "
                "model (LiteMedSAM takes it), or load the whole series as one volume."
            )

    def check_prompts(self, prompts: Prompts, voxels: VoxelPrompts | None = None) -> None:
        """Finds out, before any work, whether the model takes these prompts.

        Args:
            voxels: what the segment holds is a prompt by itself.

        Raises:
            InputError: if there are none, or of a kind that the model does not take.
        """
        wanted = _either(_PROMPT_NAMES[kind] for kind in self.prompts)
        has_content = (
            voxels is not None and voxels.content is not None and voxels.content.values.any()
        )
        if not prompts.kinds and not has_content:
            raise InputError(f"{self.title} needs {wanted} to find the object: none was given.")
        if refused := sorted(prompts.kinds - set(self.prompts)):
            given = " and ".join(_PROMPT_NAMES[kind] for kind in refused)
            remove = " and ".join(_PLAIN_NAMES[kind] for kind in refused)
            raise InputError(
                f"{self.title} does not take {given}, only {wanted}: "
                + (
                    f"remove {remove}."
                    if prompts.kinds & set(self.prompts)
                    else "draw an ROI around the object."
                )
            )


_PROMPT_NAMES = {"roi": "an ROI", "points": "points", "line": "a line"}
_PLAIN_NAMES = {"roi": "the ROI", "points": "the points", "line": "the line"}


def _is_plain_file(path: Path) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


@lru_cache(maxsize=1)
def catalogue() -> dict[str, ModelEntry]:
    """All models by name.

    Raises:
        WeightsError: if the catalogue is missing, or is not what it should be.
    """
    return read_catalogue(MODELS_FOLDER / "catalogue.json")


def read_catalogue(path: Path) -> dict[str, ModelEntry]:
    """The models of a catalogue that fits its schema, catalogue.schema.json.

    Raises:
        WeightsError: if it does not; it names the place.
    """
    try:
        said = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
        wrong = next(problems(said, _schema()), None)
        entries = [] if wrong else [_entry(model) for model in said["models"]]
        wrong = wrong or _contradiction(entries)
    except _DAMAGE as error:
        wrong = " ".join(str(error).split())
    if wrong:
        raise WeightsError(
            f"The catalogue of models ({path}) was changed or damaged: {wrong}. Reinstall "
            "SAMSegment."
        )
    return {entry.name: entry for entry in entries}


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _schema() -> dict:
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


def _entry(model: dict) -> ModelEntry:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in model.items()}
    values["timings"] = tuple(Timing(**timing) for timing in values["timings"])
    return ModelEntry(**values)


def _contradiction(entries: list[ModelEntry]) -> str | None:
    """What no schema can say: what entries must not have in common, or must."""
    names: set[str] = set()
    files: dict[str, ModelEntry] = {}
    for entry in entries:
        if entry.name in names:
            return f"there are two models {entry.name}"
        names.add(entry.name)
        if _RESERVED.match(entry.file):
            return f"{entry.file} is a name that Windows keeps for itself"
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
    if arguments.text(name, "model") not in catalogue():
        near = difflib.get_close_matches(name, catalogue(), n=1)
        guess = f"Did you mean {near[0]}? " if near else ""
        raise InputError(f"There is no model {name!r}. {guess}There are {', '.join(catalogue())}.")
    return catalogue()[name]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; read once, and again only when the file has changed."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=32)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
