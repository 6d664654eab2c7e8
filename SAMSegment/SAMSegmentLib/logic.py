"""Segmentation in Slicer, for scripts and for the panel."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from . import __version__
from .core import arguments
from .core.errors import InputError, out_of_memory_as_error
from .core.image import Image
from .core.progress import CancelFlag, ProgressCallback
from .core.prompts import Prompts
from .core.smoothing import MOST_MM, SMOOTHING_MM
from .scene.editors import OpenEditors, slicer_editors
from .scene.grid import target_geometry
from .scene.markups import prompts_from
from .scene.proposal_limits import without_small_parts_steps
from .scene.provenance import Provenance
from .scene.steps import finish
from .scene.volumes import image_from_volume
from .scene.writer import SegmentationWriter
from .weights.catalogue import DEFAULT_MODEL, ModelEntry, catalogue, model_entry
from .weights.progress import Transfer, no_report
from .weights.store import remove
from .worker.client.blocking import BlockingClient, BlockingInProcess
from .worker.client.model_jobs import install_order, run_job
from .worker.protocol.events import PredictionRequest
from .worker.protocol.model_messages import ModelDone, ModelOrder, VerifyModel

if TYPE_CHECKING:
    import slicer


class SAMSegmentLogic:
    """Segments objects of volume nodes into segmentation nodes.

    Keep one: it holds the model, what the model saw of the volume, and the undo history. The model
    runs in a process of its own, which ends with `close` or with this one.

    Args:
        device: "auto", "cpu", "cuda" (the first card), "cuda:1" and so on, or "mps".
        openEditors: gives the open Segment Editors; Slicer's own by default.
        inProcess: run the model here instead, which imports torch.

    Example:
        >>> segmentationNode.SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)
        >>> logic = SAMSegmentLogic()
        >>> segmentId = logic.segment(volumeNode, segmentationNode, roi=roiNode, name="Liver")
        >>> logic.undo() == segmentId
        True
        >>> "litemedsam" in [model.name for model in SAMSegmentLogic.models() if model.is_installed]
        True
        >>> logic.close()
    """

    def __init__(
        self,
        device: str = "auto",
        openEditors: OpenEditors = slicer_editors,
        inProcess: bool = False,
    ) -> None:
        device = arguments.text(device, "device")
        self._client = BlockingInProcess(device) if inProcess else BlockingClient(device)
        self._writer = SegmentationWriter(openEditors)

    @out_of_memory_as_error()
    def segment(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        segmentId: str | None = None,
        roi: slicer.vtkMRMLMarkupsROINode | None = None,
        positivePoints: slicer.vtkMRMLMarkupsFiducialNode | Iterable[Sequence[float]] | None = None,
        negativePoints: slicer.vtkMRMLMarkupsFiducialNode | Iterable[Sequence[float]] | None = None,
        model: str = DEFAULT_MODEL,
        name: str | None = None,
        terminology: str | None = None,
        segmentEditorNode: slicer.vtkMRMLSegmentEditorNode | None = None,
        intensityRange: tuple[float, float] | None = None,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
        alternative: int = 0,
        fillSmallHoles: bool = False,
        smoothingMm: float = SMOOTHING_MM,
        removeCrumbs: bool = False,
    ) -> str:
        """Segments one object and writes it into one segment; one undo step.

        Nothing but the segment is changed. Other segments lose voxels only if the overwrite mode
        of a Segment Editor says so (see `segmentEditorNode`).

        Args:
            volumeNode: scalar volume node; may be oblique and under linear transforms.
            segmentationNode: segmentation node with a reference geometry.
            segmentId: segment whose voxels are replaced; a new segment if left out.
            roi: markups ROI node around the object.
            positivePoints: point list node on the object, or positions (R, A, S) in mm, world.
            negativePoints: likewise, beside the object.
            model: name of a model, see `models`; one whose weights are not installed raises
                WeightsError, which says how to get them.
            name: of the segment; Slicer's own for a new one if left out.
            terminology: serialized terminology entry of the segment.
            segmentEditorNode: its masking, editable intensity range and overwrite mode are
                followed, and it is not changed. If left out: those of the Segment Editor in which
                the segmentation is seen, else edit everywhere and overwrite no other segment.
            intensityRange: intensities shown to the model from black to white; chosen if left out.
            progress: called as `progress(done, total, message)`.
            cancel: anything with `is_set()`, such as threading.Event; looked at all the time.
            alternative: 1 writes the next-best mask for the same prompts instead of the best, 2
                the one after it; a single point may mean a vessel or the organ around it.
            fillSmallHoles: fill holes of up to 5 mm, as the effect does unless told otherwise (see
                core.small_parts).
            smoothingMm: over how many mm the border is smoothed, 0 to 5, as the effect does (see
                core.smoothing). 0, and without the options beside it: the mask is the model's own.
            removeCrumbs: remove parts of up to 5 mm that lie apart and hold no positive point, as
                the effect does with fillSmallHoles.

        Returns:
            ID of the segment.

        Raises:
            InputError: if something given cannot be used; the message says what to do.
            Cancelled, OutOfMemoryError, MissingPackageError, WeightsError, WriteError: nothing
                was changed.
        """
        entry = model_entry(model)
        entry.check_installed()
        if entry.is_automatic:
            raise InputError(
                f"{entry.title} finds its structures by itself: call segmentAll, without prompts."
            )
        segmentId = arguments.optional_text(segmentId, "segmentId")
        name = arguments.optional_text(name, "name")
        terminology = arguments.optional_text(terminology, "terminology")
        intensityRange = arguments.intensity_range(intensityRange, "intensityRange")
        smoothingMm = arguments.millimetres(smoothingMm, "smoothingMm", MOST_MM)
        alternative = arguments.whole_number(alternative, "alternative")
        progress = arguments.callback(progress, "progress")
        cancel = arguments.cancel_flag(cancel, "cancel")
        image, toWorld = image_from_volume(volumeNode)
        worldPrompts = prompts_from(roi, positivePoints, negativePoints)
        prompts = worldPrompts.transformed(np.linalg.inv(toWorld))
        request = PredictionRequest(
            entry,
            image,
            prompts,
            intensity_range=intensityRange,
            alternative=alternative,
            smoothing_mm=smoothingMm,
        )
        # All that can be wrong is found before the slow part.
        request.check()
        _ = image.value_range
        self._writer.check_writable(segmentationNode, segmentId, segmentEditorNode)
        request = replace(request, target=target_geometry(segmentationNode, toWorld))
        (proposal,) = self._client.propose(request, progress, cancel)
        _checkUnchanged(volumeNode, image, toWorld)
        if fillSmallHoles or removeCrumbs:
            tidied = without_small_parts_steps(
                proposal,
                segmentationNode,
                segmentId,
                toWorld,
                worldPrompts.points,
                fills=fillSmallHoles,
                cleans=removeCrumbs,
            )
            proposal = finish(tidied)
        result = self._writer.write(
            segmentationNode,
            proposal,
            toWorld,
            segmentId=segmentId,
            name=name,
            terminology=terminology,
            segmentEditorNode=segmentEditorNode,
            provenance=Provenance(worldPrompts, volumeNode, entry.name, __version__, entry.sha256),
        )
        for warning in (*proposal.warnings, *result.warnings):
            logging.warning("SAMSegment: %s", warning)
        return result.segment_id

    @out_of_memory_as_error()
    def segmentAll(
        self,
        volumeNode: slicer.vtkMRMLScalarVolumeNode,
        segmentationNode: slicer.vtkMRMLSegmentationNode,
        model: str,
        structures: Sequence[str] = (),
        segmentEditorNode: slicer.vtkMRMLSegmentEditorNode | None = None,
        intensityRange: tuple[float, float] | None = None,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
        fillSmallHoles: bool = False,
        smoothingMm: float = SMOOTHING_MM,
        removeCrumbs: bool = False,
    ) -> list[str]:
        """Segments an automatic model's structures into new segments; one undo step for all.

        Each gets the structure's name, terminology and colour. Segments that are there already
        lose voxels only if the overwrite mode of a Segment Editor says so.

        Args:
            model: name of an automatic model, see `models`.
            structures: names of those to segment (`structures` of the model's entry); all, if left
                out. Of what is not in the volume, there is no segment, and a warning in the log.
            others: see `segment`.

        Returns:
            IDs of the new segments, in the order of the model's structures.

        Raises:
            as `segment`; if one segment cannot be written, none is.

        Example:
            >>> logic.segmentAll(volumeNode, segmentationNode, "my-organs", ["Liver", "Spleen"])
        """
        entry = model_entry(model)
        entry.check_installed()
        if not entry.is_automatic:
            raise InputError(f"{entry.title} needs prompts: call segment.")
        labels = entry.labels(arguments.texts(structures, "structures"))
        intensityRange = arguments.intensity_range(intensityRange, "intensityRange")
        smoothingMm = arguments.millimetres(smoothingMm, "smoothingMm", MOST_MM)
        progress = arguments.callback(progress, "progress")
        cancel = arguments.cancel_flag(cancel, "cancel")
        image, toWorld = image_from_volume(volumeNode)
        names = tuple(label.name for label in labels)
        request = PredictionRequest(
            entry,
            image,
            Prompts(),
            intensity_range=intensityRange,
            structures=names,
            smoothing_mm=smoothingMm,
        )
        # All that can be wrong is found before the slow part.
        request.check()
        _ = image.value_range
        self._writer.check_writable(segmentationNode, None, segmentEditorNode)
        request = replace(request, target=target_geometry(segmentationNode, toWorld))
        proposals = self._client.propose(request, progress, cancel)
        _checkUnchanged(volumeNode, image, toWorld)
        if fillSmallHoles or removeCrumbs:
            which = {"fills": fillSmallHoles, "cleans": removeCrumbs}
            proposals = [
                finish(
                    without_small_parts_steps(
                        proposal, segmentationNode, None, toWorld, (), **which
                    )
                )
                for proposal in proposals
            ]
        result = self._writer.write_structures(
            segmentationNode,
            proposals,
            toWorld,
            segmentEditorNode=segmentEditorNode,
            provenance=Provenance(None, volumeNode, entry.name, __version__, entry.sha256),
        )
        warnings = [warning for proposal in proposals for warning in proposal.warnings]
        for warning in dict.fromkeys((*warnings, *result.warnings)):
            logging.warning("SAMSegment: %s", warning)
        return list(result.segment_ids)

    def undo(self, segmentationNode: slicer.vtkMRMLSegmentationNode | None = None) -> str:
        """Takes the last `segment` or `segmentAll` back (of a segmentation, if given).

        Returns:
            The ID of its segment, of the first if there were several.

        Raises:
            InputError: if there is none, or if the segmentation was changed by somebody else
                since: nothing of theirs gets lost.
        """
        return self._writer.undo(segmentationNode)

    def redo(self, segmentationNode: slicer.vtkMRMLSegmentationNode | None = None) -> str:
        """Does again what `undo` took back; returns and raises as `undo`."""
        return self._writer.redo(segmentationNode)

    @staticmethod
    def models() -> list[ModelEntry]:
        """All models; `is_installed` says of each whether its weights are on this computer."""
        return list(catalogue().values())

    @staticmethod
    def installModel(
        name: str,
        source: str | os.PathLike | None = None,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> str:
        """Gets a model's weights onto this computer and waits for it; the path of the weights.

        They are downloaded from the places that the catalogue names (`downloads` of the entry), or
        copied from `source`, and only become the model's if their SHA-256 is the catalogue's. Look
        at the entry's `weights_licence` and `restriction` before. If they are there already, that
        is all.

        Args:
            name: of a model, see `models`.
            source: the file on this computer, or a folder that holds it; it is not changed.
            progress: called as `progress(done, total, message)`, in bytes; total is 0 while it is
                not known.
            cancel: anything with `is_set()`; looked at all the time.

        Raises:
            InputError: if there is no such model or no such source, or if the model comes with
                SAMSegment.
            InstallError: if the weights could not be got; what was downloaded is kept, and the
                next call carries on from there.
            WeightsError: if what was got is not the model's.
            Cancelled: likewise kept.
        """
        return _pathOf(_run(install_order(model_entry(name), source), progress, cancel))

    @staticmethod
    def verifyModel(
        name: str,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> str:
        """Reads a model's weights and compares their SHA-256; the path of the weights.

        It is compared with the catalogue's; of weights that were converted on this computer, with
        the one noted then, unless the catalogue knows that, too.

        Args:
            progress, cancel: as for `installModel`.

        Raises:
            InputError: if there is no such model.
            WeightsError: if the weights are missing or damaged; it says what to do.
            InstallError: if they could not be read.
            Cancelled: if `cancel` says so.
        """
        return _pathOf(_run(VerifyModel(model_entry(name)), progress, cancel))

    def removeModel(self, name: str) -> None:
        """Deletes a model's weights from this computer, half downloads too.

        Models that share the file (see `file` of the entries) are removed with it. This logic's
        model process is ended first, since Windows deletes no file in use; the next `segment`
        starts another.

        Raises:
            InputError: if there is no such model, or if it comes with SAMSegment.
            InstallError: if the file cannot be deleted, such as while another program uses it.
        """
        entry = model_entry(name)
        self._client.close()
        remove(entry)

    def close(self) -> None:
        """Gives the model's memory back; the next call loads it again."""
        self._client.close()


def _run(
    order: ModelOrder, progress: ProgressCallback | None, cancel: CancelFlag | None
) -> ModelDone:
    arguments.callback(progress, "progress")
    arguments.cancel_flag(cancel, "cancel")

    def report(look: Transfer) -> None:
        progress(look.done, look.total, look.message)

    return run_job(order, no_report if progress is None else report, cancel)


def _checkUnchanged(
    volumeNode: slicer.vtkMRMLScalarVolumeNode, image: Image, toWorld: np.ndarray
) -> None:
    """Raises InputError if the volume is another by now: `progress` may let the user go on."""
    if volumeNode.GetScene() is not None:
        now, toWorldNow = image_from_volume(volumeNode)
        if now.key == image.key and np.array_equal(toWorldNow, toWorld):
            return
    raise InputError(
        "The volume was changed, moved or removed while the model was at work: try again. Nothing "
        "was changed."
    )


def _pathOf(done: ModelDone) -> str:
    for note in done.notes:
        logging.warning("SAMSegment: %s", note)
    return done.path
