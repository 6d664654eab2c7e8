"""The models that SAMSegment knows: Resources/Models/catalogue.json, read and checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..core.errors import InputError, WeightsError
from ..core.prompts import Prompts
from ..core.voxel_prompts import VoxelPrompts
from .folder import models_folder

MODELS_FOLDER = Path(__file__).parents[2] / "Resources" / "Models"
DEFAULT_MODEL = "litemedsam"


@dataclass(frozen=True)
class ModelEntry:
    """One model of the catalogue.

    Attributes:
        name: how scripts and the shell call it.
        title: how people call it.
        architecture: which engine runs it.
        prompts: the kinds of prompt that it takes: "roi", "points", "line".
        parameters: number of trained values.
        file: name of the weights file.
        size: bytes of the weights file; if it is not embedded, what its source states, rounded.
        sha256: of the weights file.
        embedded: whether the weights come with the extension; if not, the user gets them.
        source: where the weights come from; if they are not embedded, a page to get them from.
    """

    name: str
    title: str
    architecture: str
    prompts: tuple[str, ...]
    modalities: tuple[str, ...]
    parameters: int
    file: str
    size: int
    sha256: str
    embedded: bool
    code_licence: str
    weights_licence: str
    source: str
    citation: str

    @property
    def path(self) -> Path:
        """Where the weights lie once installed."""
        return (MODELS_FOLDER if self.embedded else models_folder()) / self.file

    @property
    def is_installed(self) -> bool:
        """Whether a file lies where the weights should; its content is not looked at."""
        return os.path.isfile(self.path)

    def check_installed(self) -> None:
        """Finds out at once, without reading a large file, whether the weights are there.

        Raises:
            WeightsError: if not; it says how to get them.
        """
        path = self.path
        if os.path.isfile(path):
            return
        if self.embedded:
            raise WeightsError(
                f"The weights of {self.title} are missing ({path}): reinstall SAMSegment."
            )
        if os.path.lexists(path):
            what = "a folder" if os.path.isdir(path) else "no file, or a link to none"
            raise WeightsError(
                f"The weights of {self.title} cannot be read: {path} is {what}. Remove it; then "
                f"{self._get_it} and put it there."
            )
        raise WeightsError(
            f"{self.title} is not installed: {self._get_it} and put it into the folder "
            f"{path.parent} (make that folder if it is not there)."
        )

    def verified_path(self) -> Path:
        """The weights file, after its SHA-256 was checked (once per file and process).

        Reads the whole file: not for Slicer's main thread, unless the weights are embedded and
        therefore small.

        Raises:
            WeightsError: if it is missing or not the one that the catalogue means.
        """
        self.check_installed()
        try:
            is_right = file_sha256(self.path) == self.sha256
        except OSError as error:
            raise WeightsError(
                f"The weights of {self.title} ({self.path}) cannot be read: {error.strerror}. "
                "Check its place and its access rights."
            ) from error
        if is_right:
            return self.path
        if self.embedded:
            raise WeightsError(
                f"The weights of {self.title} ({self.path}) are damaged: their SHA-256 is not "
                "that of the catalogue. Reinstall SAMSegment."
            )
        raise WeightsError(
            f"The weights of {self.title} ({self.path}) are damaged or another model's: their "
            f"SHA-256 is not that of the catalogue. Remove this file, or {self._get_it} again."
        )

    @property
    def _get_it(self) -> str:
        return (
            f"get {self.file} ({self.size / 1e6:.0f} MB, licence {self.weights_licence}) from "
            f"{self.source}"
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
            voxels is not None and voxels.content is not None and voxels.content.mask.any()
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


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


@lru_cache(maxsize=1)
def catalogue() -> dict[str, ModelEntry]:
    """All models by name."""
    text = (MODELS_FOLDER / "catalogue.json").read_text(encoding="utf-8")
    entries = [
        ModelEntry(**{k: tuple(v) if isinstance(v, list) else v for k, v in model.items()})
        for model in json.loads(text)["models"]
    ]
    return {entry.name: entry for entry in entries}


def model_entry(name: str) -> ModelEntry:
    """The model of that name.

    Raises:
        InputError: if there is none.
    """
    if name not in catalogue():
        raise InputError(f"There is no model {name!r}: choose one of {', '.join(catalogue())}.")
    return catalogue()[name]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; read once, and again only when the file has changed."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=32)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
