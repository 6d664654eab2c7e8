"""Segmentation without Slicer: SimpleITK images in and out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence

import SimpleITK as sitk

from .core import arguments
from .core.answer import NOTHING_FOUND, Answer
from .core.checks import check_prompts_in_volume, size_with_thickness
from .core.errors import InputError, SAMSegmentError, out_of_memory_as_error
from .core.files import read_image
from .core.image import Image, image_from_sitk, sitk_from_array
from .core.progress import CancelFlag, ProgressCallback
from .core.prompt_history import PromptHistory
from .core.prompts import Point, Prompts, Roi
from .core.smoothing import MOST_MM, SMOOTHING_MM
from .weights.catalogue import DEFAULT_MODEL, model_entry
from .worker.client.in_process import InProcessClient
from .worker.protocol.events import PredictionRequest


class Segmenter:
    """Segments objects in one volume.

    Prompts are collected first; `mask` and `probability` run the model if they have changed.
    Positions are world RAS in mm. A prompt that cannot be used raises InputError and leaves the
    prompts as they were. An automatic model takes none: `masks` gives the structures that it finds.
    What the user should know about the image or the answer is given as a Python warning by `mask`,
    `masks`, `probability` and `alternatives`, and is in `prediction().warnings`.

    Args:
        image: a file, a folder with one DICOM series, or a scalar SimpleITK image of
            three dimensions, or of two: a slice at S = 0.
        model: name of a model (`python -m SAMSegmentLib models` lists them).
        device: "auto", "cpu", "cuda" (the first card), "cuda:1" and so on, or "mps".
        intensity_range: intensities shown to the model from black to white; None: chosen.
        progress: called as `progress(done, total, message)`.
        cancel: anything with `is_set()`; when set, the prediction raises Cancelled.
        smoothing_mm: over how many mm a mask's border is smoothed (see core.smoothing), 0 to 5; 0:
            the mask is the model's own.

    Example:
        >>> with Segmenter("ct.nii.gz") as segmenter:
        ...     segmenter.set_roi(center=(61, -14, -140), size=(181, 211, 280))
        ...     mask = segmenter.mask()
        ...     segmenter.add_point((70, -20, -150))  # was missed
        ...     corrected = segmenter.mask()
        >>> corrected.GetSize() == segmenter.image.geometry.shape[::-1]
        True

    Raises:
        InputError: if there is no such image or model.
        OutOfMemoryError: if the image does not fit into memory.
    """

    @out_of_memory_as_error()
    def __init__(
        self,
        image: str | os.PathLike | sitk.Image,
        model: str = DEFAULT_MODEL,
        device: str = "auto",
        intensity_range: tuple[float, float] | None = None,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
        smoothing_mm: float = SMOOTHING_MM,
    ) -> None:
        self.model = model_entry(model)
        self._intensity_range = arguments.intensity_range(intensity_range, "intensity_range")
        self._smoothing_mm = arguments.millimetres(smoothing_mm, "smoothing_mm", MOST_MM)
        self._progress = arguments.callback(progress, "progress")
        self._cancel = arguments.cancel_flag(cancel, "cancel")
        self._client = InProcessClient(arguments.text(device, "device"))
        self._image = _image_of(image)
        self._is_flat = isinstance(image, sitk.Image) and image.GetDimension() == 2
        self._history = PromptHistory()
        self._predicted: tuple[Prompts, tuple[str, ...], Answer] | None = None

    def __enter__(self) -> Segmenter:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    @property
    def image(self) -> Image:
        """The volume as it was read: voxels, grid and warnings."""
        return self._image

    @property
    def prompts(self) -> Prompts:
        """The prompts as they stand."""
        return self._history.prompts

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of what an automatic model finds; none of a model that follows prompts."""
        return tuple(structure.name for structure in self.model.structures)

    def set_roi(
        self,
        center: Sequence[float],
        size: Sequence[float],
        axes: Sequence[Sequence[float]] | None = None,
    ) -> None:
        """Sets the ROI around the object, in place of an earlier one.

        Args:
            center: (R, A, S) in mm.
            size: edge lengths in mm; 0 across an image of a single slice means that slice.
            axes: 3x3, unit edge directions as columns, for an oblique ROI.
        """
        size = size_with_thickness(size, axes, self._image.geometry)
        roi = Roi.from_box(center, size, axes)
        self._check_prompt(Prompts(roi=roi))
        self._history.set_roi(roi)

    def add_point(self, ras: Sequence[float], positive: bool = True) -> None:
        """Adds a point on the object, or with `positive=False` beside it; (R, A, S) in mm."""
        point = Point(ras, positive)
        self._check_prompt(Prompts(points=(point,)))
        self._history.add_point(point)

    def clear(self) -> None:
        """Removes all prompts."""
        self._history.clear()

    def undo(self) -> bool:
        """Takes the last prompt back. False if there is none."""
        return self._history.undo()

    def redo(self) -> bool:
        """Puts back the prompt that was taken back last. False if there is none."""
        return self._history.redo()

    @out_of_memory_as_error()
    def mask(self, threshold: float = 0.5) -> sitk.Image:
        """UInt8 mask (0 or 1) on the image's own grid: where the probability exceeds `threshold`.

        If that is nowhere, the mask is empty, and a Python warning says so.

        On a sheared image it is sheared, too: write it as NRRD or MetaImage, since SimpleITK
        straightens what it writes as NIfTI.

        Raises:
            InputError: if the prompts are not what the model needs, or the model finds several
                structures: `masks` gives these.
            Cancelled, OutOfMemoryError: the prompts are kept.
        """
        mask = self._with_warnings_given().mask(threshold)
        if not mask.any():
            warnings.warn(f"The mask is empty. {NOTHING_FOUND}", stacklevel=3)
        return self._like_input(mask)

    @out_of_memory_as_error()
    def masks(
        self, threshold: float = 0.5, structures: Sequence[str] = ()
    ) -> dict[str, sitk.Image]:
        """Masks of an automatic model's structures by name, as `mask` gives one; they may overlap.

        Args:
            structures: names of those to find; all that the model knows, if left out.

        Raises:
            InputError: if the model needs prompts, or has no such structure.
            Cancelled, OutOfMemoryError: the next call may succeed.

        Example:
            >>> with Segmenter("ct.nii.gz", model="my-organs") as segmenter:
            ...     print(segmenter.structures)
            ...     liver = segmenter.masks(structures=["Liver"])["Liver"]
        """
        if not self.model.is_automatic:
            raise InputError(
                f"{self.model.title} finds the object that prompts mean: set them, and call mask()."
            )
        answer = self._with_warnings_given(self._names_of(structures))
        found = {mask.label.name: answer.structure(mask.label.name) for mask in answer.masks}
        return {name: self._like_input(one.mask(threshold)) for name, one in found.items()}

    @out_of_memory_as_error()
    def probability(self) -> sitk.Image:
        """Float32 probability (0 to 1) on the image's own grid. Raises as `mask`."""
        return self._like_input(self._with_warnings_given().probability())

    @out_of_memory_as_error()
    def alternatives(self, threshold: float = 0.5) -> list[sitk.Image]:
        """Masks of what else the prompts may mean, the likeliest first. Raises as `mask`.

        A single click may mean a vessel or the organ around it; a further click decides, or take
        one of these.
        """
        return [
            self._like_input(other.mask(threshold))
            for other in self._with_warnings_given().alternatives
        ]

    @out_of_memory_as_error()
    def prediction(self, structures: Sequence[str] = ()) -> Answer:
        """The answer to the present prompts: logits on a part of the grid, and warnings.

        Args:
            structures: of an automatic model, names of those to find; all, if left out.
        """
        if self._client is None:
            raise SAMSegmentError("This Segmenter was closed: make a new one.")
        names = self._names_of(structures)
        if self._predicted is None or not (
            self._predicted[0] is self.prompts and self._predicted[1] == names
        ):
            request = PredictionRequest(
                self.model,
                self._image,
                self.prompts,
                intensity_range=self._intensity_range,
                structures=names,
                smoothing_mm=self._smoothing_mm,
            )
            answer = self._client.predict(request, self._progress, self._cancel)
            self._predicted = (self.prompts, names, answer.with_warnings(*self._image.warnings))
        return self._predicted[2]

    def close(self) -> None:
        """Gives the model's memory back. The Segmenter cannot be used any more."""
        if self._client is not None:
            self._client.close()
        self._client = None
        self._predicted = None

    def _check_prompt(self, prompts: Prompts) -> None:
        if self.model.is_automatic:
            self.model.check_prompts(prompts)
        check_prompts_in_volume(prompts, self._image.geometry)

    def _names_of(self, structures: Sequence[str]) -> tuple[str, ...]:
        names = arguments.texts(structures, "structures")
        return tuple(label.name for label in self.model.labels(names)) if names else ()

    def _with_warnings_given(self, structures: tuple[str, ...] = ()) -> Answer:
        """The answer, its warnings given as Python's: images made of it cannot hold them."""
        answer = self.prediction(structures)
        # Of structures, each may have its own.
        own = [text for mask in answer.masks for text in mask.warnings]
        for warning in dict.fromkeys((*answer.warnings, *own)):
            # Three calls up: past the public method, and what watches over its memory.
            warnings.warn(warning, stacklevel=4)
        return answer

    def _like_input(self, voxels) -> sitk.Image:
        image = sitk_from_array(voxels, self._image.geometry)
        if isinstance(self._image.owner, sitk.Image):
            # The input's own header, to the last bit.
            image.CopyInformation(self._image.owner)
        # A 2D image gets a 2D mask.
        return image[:, :, 0] if self._is_flat else image


def _image_of(source: str | os.PathLike | sitk.Image) -> Image:
    if isinstance(source, sitk.Image):
        return image_from_sitk(source)
    return read_image(arguments.path(source, "image"))
