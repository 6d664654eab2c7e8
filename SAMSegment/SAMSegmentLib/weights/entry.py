"""What is known of one model, and where its weights lie."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import InputError, WeightsError
from ..core.geometry import Geometry
from ..core.label import Label
from ..core.prompts import Prompts
from ..core.voxel_prompts import VoxelPrompts
from .files import file_sha256, kind_of
from .folder import models_folder
from .model_json import AUTOMATIC, Structure, Timing
from .progress import megabytes
from .weights_files import WeightsFiles, is_plain_file

LIBRARY = Path(__file__).parents[1]
# Within the library if that was installed by pip, else beside it.
_RESOURCES = LIBRARY / "Resources"
MODELS_FOLDER = (_RESOURCES if _RESOURCES.is_dir() else LIBRARY.parent / "Resources") / "Models"
#: Where an entry comes from: with its weights in Resources/Models; from there too, with weights
#: that are downloaded when the user asks for them; from the user's own folder.
INCLUDED, PUBLISHED, OWN = "included", "published", "own"
# Where the order of an entry is not given.
_LAST = 1000


@dataclass(frozen=True)
class Part:
    """A model of which another one is made.

    Attributes:
        role: what its architecture uses it for.
    """

    role: str
    model: ModelEntry


@dataclass(frozen=True)
class ModelEntry:
    """What is known of one model.

    Attributes:
        name: how scripts and the shell call it.
        title: how people call it.
        architecture: which engine runs it, see `models.registry`.
        parameters: what the engine is made with, such as {"numbers": "int8"}.
        task: "interactive" if it follows prompts, "automatic" if it needs none.
        prompts: the kinds of prompt that it takes: "roi", "points", "line".
        structures: what an automatic one finds, in the order of its network's channels.
        single_slices: whether it takes images of one slice, such as X-rays, too.
        file: name of the weights file; "" of a model that is made of others.
        size: bytes of the weights file; if it is downloaded, what its source states, rounded. Of a
            model that is made of others, that of all their files.
        sha256: of the weights file; of a model that is made of others, of all their files, in the
            order of the parts, with a space between.
        origin: INCLUDED, PUBLISHED or OWN.
        parameter_count: trained values; 0 if unknown.
        restriction: what the weights' licence forbids, for a user; "" if nothing unusual.
        source: where the weights come from; if they are downloaded, a page about them.
        downloads: addresses of the file itself, to try in turn; none if it lies beside model.json.
        converted_sha256: of what conversion to safetensors makes of the file, which is the same
            everywhere; "" if it is not known yet.
        trained: whether SAMSegment trained it on its user's own segments.
        order: its place in lists.
        parts: of a model that is made of others, these: it is there if they are.
    """

    name: str
    title: str
    architecture: str
    task: str
    modalities: tuple[str, ...]
    file: str
    size: int
    sha256: str
    origin: str = OWN
    # A dict has no hash, and is never changed.
    parameters: dict = field(default_factory=dict, hash=False)
    prompts: tuple[str, ...] = ()
    structures: tuple[Structure, ...] = ()
    single_slices: bool = False
    parameter_count: int = 0
    code_licence: str = ""
    weights_licence: str = ""
    restriction: str = ""
    source: str = ""
    downloads: tuple[str, ...] = ()
    timings: tuple[Timing, ...] = ()
    citation: str = ""
    converted_sha256: str = ""
    trained: bool = False
    order: int = _LAST
    parts: tuple[Part, ...] = ()

    @property
    def models(self) -> tuple[ModelEntry, ...]:
        """The models whose weights it uses: itself, or those that it is made of."""
        return tuple(part.model for part in self.parts) or (self,)

    @property
    def embedded(self) -> bool:
        """Whether the weights come with the extension; if not, the user gets or has them."""
        return all(model.origin == INCLUDED for model in (self, *self.models))

    @property
    def is_installable(self) -> bool:
        """Whether the weights are downloaded or brought, and can be removed again."""
        return self.origin == PUBLISHED or bool(self.downloads)

    @property
    def weights_folder(self) -> Path:
        """Where the weights lie, or will.

        Those that are downloaded for a model of Resources/Models lie in the user's folder itself,
        as since the first version; models that share a file share it there.
        """
        if self.origin == INCLUDED:
            return MODELS_FOLDER / self.name
        return models_folder() / self.name if self.origin == OWN else models_folder()

    @property
    def files(self) -> WeightsFiles:
        """The names of the weights' files on this computer.

        Raises:
            InputError: if it is made of other models: look at `models`.
        """
        if self.parts:
            raise InputError(
                f"{self.title} has no weights of its own: it is made of {self.made_of}."
            )
        return WeightsFiles(
            self.weights_folder, self.file, self.sha256, self.converted_sha256, self.is_installable
        )

    @property
    def path(self) -> Path:
        """Where the weights lie once installed: as published, or converted.

        Of a model that is made of others, its folder.
        """
        return self.weights_folder if self.parts else self.files.current

    @property
    def is_installed(self) -> bool:
        """Whether a file lies where the weights should; its content is not looked at."""
        return all(is_plain_file(model.path) for model in self.models)

    @property
    def made_of(self) -> str:
        """The titles of its parts."""
        *others, last = [model.title for model in self.models]
        return f"{', '.join(others)} and {last}" if others else last

    def check_installed(self) -> None:
        """Finds out at once, without reading a large file, whether the weights are there.

        Raises:
            WeightsError: if not; it says how to get them.
        """
        if self.parts:
            self._check_parts()
            return
        path = self.path
        if is_plain_file(path):
            return
        if self.embedded:
            raise WeightsError(
                f"The weights of {self.title} are missing ({path}): reinstall SAMSegment."
            )
        if os.path.lexists(path):
            raise WeightsError(
                f"The weights of {self.title} cannot be read: {path} is {kind_of(path)}. Remove "
                f"it; then {self._get_it}."
            )
        raise WeightsError(f"{self.title} is not installed: {self._get_it}.")

    def _check_parts(self) -> None:
        for model in self.models:
            try:
                model.check_installed()
            except WeightsError as error:
                raise WeightsError(
                    f"{self.title} is made of {self.made_of}. {error} Or choose another model."
                ) from error

    def verified_path(self, hash_of: Callable[[Path], str] | None = None) -> Path:
        """The weights file, after its SHA-256 was checked (once per file and process).

        Reads the whole file: not for Slicer's main thread, unless the weights are embedded and
        therefore small.

        Args:
            hash_of: what reads the file for its SHA-256, to see how far that is.

        Raises:
            WeightsError: if it is missing or not the one that the entry means.
            InputError: if the model is made of others: look at `models`.
        """

        def is_right(path: Path) -> bool:
            return (hash_of or file_sha256)(path) == self.files.expected_sha256(path)

        self.check_installed()
        path = self.files.current
        try:
            is_good = is_right(path)
        except FileNotFoundError:
            # Another process has just converted it: the other file is there now.
            self.check_installed()
            path = self.path
            is_good = path.is_file() and is_right(path)
        except OSError as error:
            raise WeightsError(
                f"The weights of {self.title} ({path}) cannot be read: {error.strerror}. Check "
                "its place and its access rights."
            ) from error
        if not is_good:
            raise WeightsError(self._damage(path))
        return path

    def _damage(self, path: Path) -> str:
        """What to say about an installed file that is not what it should be."""
        where = f"The weights of {self.title} ({path}) are damaged"
        if self.embedded:
            return f"{where}: their SHA-256 is not that of the catalogue. Reinstall SAMSegment."
        is_published = self.files.is_published_hash(path)
        wanted = (
            "that of the catalogue" if is_published else "the one noted when they were converted"
        )
        return (
            f"{where} or another model's: their SHA-256 is not {wanted}. Remove them, then "
            f"{self._get_it}."
        )

    @property
    def _get_it(self) -> str:
        if not self.is_installable:
            return f"put the file {self.file} into {self.weights_folder}"
        return (
            f"install it ({megabytes(self.size)}, licence {self.weights_licence}) with the "
            "button Download where the model is chosen, in Slicer's Python console with "
            f'SAMSegmentLogic.installModel("{self.name}"), or in the shell with '
            f"python -m SAMSegmentLib models install {self.name}"
        )

    @property
    def is_automatic(self) -> bool:
        """Whether it finds structures by itself, without prompts."""
        return self.task == AUTOMATIC

    def labels(self, names: Sequence[str] = ()) -> tuple[Label, ...]:
        """Its structures of these names, all if left out, in its own order.

        Raises:
            InputError: if it has no such structure.
        """
        known = [structure.name for structure in self.structures]
        for name in names:
            if not known:
                raise InputError(
                    f"{self.title} finds the object that prompts mean, and knows no structures: "
                    "leave them out, or choose an automatic model."
                )
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                guess = f"Did you mean {near[0]}? " if near else ""
                raise InputError(
                    f"{self.title} has no structure {name!r}. {guess}It has {', '.join(known)}."
                )
        return tuple(one.label for one in self.structures if not names or one.name in names)

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
        if self.is_automatic:
            if prompts.kinds:
                raise InputError(
                    f"{self.title} finds its structures by itself and takes no prompts: remove "
                    f"{' and '.join(_PLAIN_NAMES[kind] for kind in sorted(prompts.kinds))}."
                )
            return
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


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last
