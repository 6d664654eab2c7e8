"""What a WorkerClient is asked, and the events that follow."""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from ...core import arguments
from ...core.checks import check_prompts_in_volume
from ...core.errors import InputError, SAMSegmentError
from ...core.geometry import Geometry
from ...core.image import Image
from ...core.prompts import Prompts
from ...core.proposal import Proposal
from ...core.smoothing import MOST_MM
from ...core.voxel_prompts import VoxelPrompts
from ...weights.catalogue import ModelEntry


class WorkerState(enum.Enum):
    """What the worker is doing.

    OFF: no process. STARTING: it is being started, or loads torch. READY: it waits. BUSY: it works
    on a request. FAILED: it cannot be started, or crashes again and again; `start` tries anew.
    """

    OFF = "off"
    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True)
class DeviceInfo:
    """Something that models can run on.

    Attributes:
        name: "cpu", "cuda:0" and so on, "mps".
        title: what the maker calls a graphics card; "" for the CPU.
        memory_bytes: its memory; None if that is not known.
        usable: False if it cannot be used. What was not tried counts as usable.
        reason: why it cannot be used, in a sentence for users; "" if it can.
    """

    name: str
    title: str = ""
    memory_bytes: int | None = None
    usable: bool = True
    reason: str = ""


@dataclass(frozen=True)
class WorkerInfo:
    """The worker's process.

    Attributes:
        pid: of the Python that computes, not of a launcher before it.
        python: version of its Python.
        torch: version of its torch.
        device: on which it computes now, a DeviceInfo's name.
        device_name: what the maker calls a graphics card; "" for the CPU.
        threads: how many threads torch computes with.
        cache_bytes: memory for embeddings, at most.
        devices: all that this computer has, the CPU last.
        automatic: name of the one that "auto" stands for.
        notice: why it computes on the CPU although another device was meant, for the user; else "".
    """

    pid: int
    python: str
    torch: str
    device: str
    device_name: str
    threads: int
    cache_bytes: int
    devices: tuple[DeviceInfo, ...] = ()
    automatic: str = ""
    notice: str = ""


@dataclass(frozen=True, eq=False)
class PredictionRequest:
    """A mask that is wanted.

    Attributes:
        model: which model to ask.
        image: kept, with its owner, until its voxels are copied; and until another image is asked
            about, to copy it again if the worker has to be started anew.
        prompts: in the image's RAS.
        target: grid of the proposals, in the image's RAS; None: the image's own.
        voxels: masks that go with the prompts, on the image's grid.
        intensity_range: intensities shown to the model from black to white; None: chosen.
        alternative: 0 for the best mask, 1 for the next best, and so on.
        structures: names of those that an automatic model is to find; all, if left out.
        facing: across the plane in which the user looks, a direction in the image's RAS.
        smoothing_mm: over how many mm borders are smoothed, see core.smoothing; 0: not at all.
    """

    model: ModelEntry
    image: Image
    prompts: Prompts
    target: Geometry | None = None
    voxels: VoxelPrompts | None = None
    intensity_range: tuple[float, float] | None = None
    alternative: int = 0
    structures: tuple[str, ...] = ()
    facing: tuple[float, float, float] | None = None
    smoothing_mm: float = 0.0

    @property
    def grid(self) -> Geometry:
        """Grid of the proposals."""
        return self.image.geometry if self.target is None else self.target

    def check(self) -> None:
        """Finds bad input before any work; the voxels are not looked at.

        Raises:
            InputError: if prompts, masks, structures, image and model do not go together.
        """
        geometry = self.image.geometry
        arguments.millimetres(self.smoothing_mm, "smoothing_mm", MOST_MM)
        self.model.labels(self.structures)
        self.model.check_prompts(self.prompts, self.voxels)
        self.model.check_grid(geometry)
        check_prompts_in_volume(self.prompts, geometry)
        for mask in () if self.voxels is None else self.voxels.masks:
            if (
                mask.values.ndim != 3
                or np.less(mask.start, 0).any()
                or np.greater(mask.stop, geometry.shape).any()
            ):
                raise InputError("A mask does not lie on the volume's grid.")


@dataclass(frozen=True)
class Ready:
    """The worker has loaded torch and takes requests.

    It comes again after each restart, and when the worker goes over from a graphics card to the
    CPU; that may be in the middle of a request, which goes on.
    """

    info: WorkerInfo


@dataclass(frozen=True)
class Progress:
    """How far a request is.

    Attributes:
        done, total: steps of the present part of the work.
        message: what is being done.
        seconds_left: until the answer, as far as one can tell; None if one cannot.
    """

    number: int
    done: int
    total: int
    message: str
    seconds_left: float | None = None


@dataclass(frozen=True, eq=False)
class Preview:
    """What there is so far of a request's proposals."""

    number: int
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, eq=False)
class Proposed:
    """What a request has led to: a proposal; of an automatic model, one for each structure."""

    number: int
    proposals: tuple[Proposal, ...]


@dataclass(frozen=True, eq=False)
class Failed:
    """A request has no answer; its error's text says what to do."""

    number: int
    error: SAMSegmentError


@dataclass(frozen=True)
class Crashed:
    """The worker's process has ended by itself.

    It is started again, unless the client's state is FAILED. The request that was under way is
    reported as Failed, too.
    """

    message: str


Event = Ready | Progress | Preview | Proposed | Failed | Crashed
