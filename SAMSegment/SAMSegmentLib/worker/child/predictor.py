"""The side that holds torch, the engines and their embeddings."""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from ...core.answer import Answer
from ...core.errors import OutOfMemoryError
from ...core.image import Image
from ...core.progress import Watch
from ...core.smoothing import smoothed
from ...models.base import AutomaticEngine, Engine
from ...models.embedding_cache import EmbeddingCache
from ...models.registry import engine_of
from ...models.self_check import check_device, reference
from ...models.tensor_files.conversion import prepared
from ...weights.catalogue import ModelEntry
from ..protocol.events import PredictionRequest
from ..protocol.memory import share_of_memory
from .devices import CPU, find_device, first_line, has_failed, is_out_of_memory, reason_of

# 128 slices of LiteMedSAM, some hundred cubes of SAM-Med3D, or 56 windows of SAMSegment 3D: an
# organ can be prompted again without encoding it again. Less where there is little memory.
CACHE_BYTES = 512 * 2**20
CACHE_SHARE = 1 / 8
# How PyTorch says on the CPU that memory ran out: its allocators, and oneDNN, which needs some for
# the machine code that it makes.
OUT_OF_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "could not create a primitive",
    "could not create a memory",
)
TOO_SMALL = (
    "{card} has too little free memory: the processor computes instead, though slower. Close other "
    "programs that use the card; to use it again, choose the processor as device, then the card."
)
FAILED = (
    "{card} has failed ({line}): the processor computes instead, though slower. To use the card "
    "again, choose the processor as device, then the card."
)
STARTS_AGAIN = "Starting again on the processor"
_Result = TypeVar("_Result")


class Predictor:
    """Engines kept warm on one device; from a graphics card that fails, they go over to the CPU.

    Args:
        device: "auto", "cpu", "cuda", "cuda:1" and so on, or "mps".
        cache_bytes: memory for embeddings; by default CACHE_BYTES or an eighth of the computer's.

    Attributes:
        device: the torch device on which they run now.
        devices, automatic, notice: see `events.WorkerInfo`.
        on_new_device: called when they have to run on another device.

    Raises:
        InputError: if this computer has no such device.
    """

    def __init__(self, device: str = "auto", cache_bytes: int | None = None) -> None:
        self._wanted = device
        # Devices that failed a self-check, and why; what passed one.
        self._failed: dict[str, str] = {}
        self._checked: set[tuple[type[Engine], torch.device]] = set()
        self.on_new_device: Callable[[], None] = lambda: None
        self._choose_device()
        if cache_bytes is None:
            cache_bytes = share_of_memory(CACHE_SHARE, CACHE_BYTES)
        self.cache_bytes = cache_bytes
        self._cache = EmbeddingCache(cache_bytes)
        self._engines: dict[tuple[Hashable, tuple[Path, str]], Engine] = {}

    def _choose_device(self) -> None:
        choice = find_device(self._wanted, self._failed)
        self.device, self.devices = choice.device, choice.devices
        self.automatic, self.notice = choice.automatic, choice.notice
        self._pending_notice = choice.notice

    def load(self, model: ModelEntry) -> None:
        """Loads a model, if it is not loaded yet; verifies its weights before.

        Raises:
            InputError: if its entry and its architecture do not go together.
            WeightsError: if its weights are missing, damaged, or carry more than plain tensors.
            OutOfMemoryError: if memory ran out.
        """
        self._with_engine(model, lambda engine: None)

    def predict(self, request: PredictionRequest, watch: Watch) -> Answer:
        """The model's answer; see Engine.predict, and of an automatic one AutomaticEngine.segment.

        Its masks, and what is shown of them meanwhile, have borders as smooth as the request says.

        If it comes from another device than was meant, the first answer warns of that.

        Raises:
            InputError, WeightsError: see `load`.
            OutOfMemoryError: if memory ran out; the embeddings kept so far are given up.
        """
        _ = request.image.value_range

        def work(engine: Engine) -> Answer:
            image, intensity_range = request.image, request.intensity_range
            if isinstance(engine, AutomaticEngine):
                labels = request.model.labels(request.structures)
                return engine.segment(image, labels, watch, intensity_range)
            return engine.predict(image, request.prompts, watch, intensity_range, request.voxels)

        def finished(answer: Answer) -> Answer:
            return smoothed(answer, request.smoothing_mm, request.prompts, request.voxels)

        if request.smoothing_mm > 0:
            watch = watch.showing(finished)
        answer = finished(self._with_engine(request.model, work, watch))
        notice, self._pending_notice = self._pending_notice, ""
        return answer.with_warnings(notice) if notice else answer

    def prepare(self, model: ModelEntry, image: Image, ras: Sequence[float], watch: Watch) -> None:
        """Does ahead what a click at `ras` (mm, the image's RAS) will need; see Engine.prepare.

        Raises:
            InputError, WeightsError, OutOfMemoryError: as `predict`.
        """
        _ = image.value_range

        def work(engine: Engine) -> None:
            engine.prepare(image, np.asarray(ras, dtype=float), watch)

        self._with_engine(model, work, watch)

    def forget_answers(self) -> None:
        """Gives up the engines' answers, and with them the voxels that those hold."""
        for engine in self._engines.values():
            engine.forget_answers()

    def close(self) -> None:
        """Gives models and embeddings up."""
        self._engines.clear()
        self._cache.clear()

    def _with_engine(
        self,
        model: ModelEntry,
        work: Callable[[Engine], _Result],
        watch: Watch | None = None,
    ) -> _Result:
        """Does some work with a model; on the CPU, if a graphics card cannot."""
        with self._out_of_memory():
            try:
                return work(self._engine(model))
            except (RuntimeError, TypeError) as error:
                notice = self._card_error(error)
                if not notice:
                    raise
            # Not above: until it is handled, the error holds on to all that fills the card.
            self._go_over_to_cpu(notice)
            if watch is not None:
                watch.step(0, 1, STARTS_AGAIN)
            return work(self._engine(model))

    def _card_error(self, error: Exception) -> str:
        """What to say to the user, if it is because of a graphics card; else ""."""
        if self.device.type == CPU:
            return ""
        titles = {info.name: info.title for info in self.devices}
        card = titles.get(str(self.device)) or "The graphics card"
        if is_out_of_memory(error):
            return TOO_SMALL.format(card=card)
        line = first_line(error).rstrip(".")
        return FAILED.format(card=card, line=line) if has_failed(error) else ""

    def _go_over_to_cpu(self, notice: str) -> None:
        """For good: what was too large once will be again."""
        card, self.device = self.device, torch.device(CPU)
        self.notice = self._pending_notice = notice
        self.automatic = CPU
        self.close()
        gc.collect()
        with suppress(RuntimeError):  # if it has failed, it cannot do that either
            getattr(torch, card.type).empty_cache()
        self.on_new_device()

    @contextmanager
    def _out_of_memory(self) -> Iterator[None]:
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not _has_no_memory(error):
                raise
            self.close()
            raise OutOfMemoryError(
                "There is not enough memory for this prediction. Nothing was changed. Close other "
                "programs or volumes, make the ROI smaller, or choose the device cpu."
            ) from error

    def _engine(self, model: ModelEntry) -> Engine:
        weights = model.weights_folder if model.parts else prepared(model)
        parameters = tuple(sorted(model.parameters.items()))
        # A user may train a model again, and put the new weights where the old ones were.
        content = weights, model.sha256
        key = ((model.architecture, parameters, model.structures), content)
        if key not in self._engines:
            # Of a file that was converted, removed or replaced since, nobody will ask again.
            self._engines = {
                old: one
                for old, one in self._engines.items()
                if old[1] == content or (old[1][0] != weights and old[1][0].exists())
            }
            engine, options = engine_of(model)
            if not model.parts:  # these are checked as they are loaded
                self._check_device(engine)
            parts = {part.role: partial(self._engine, part.model) for part in model.parts}
            made = engine(parts or weights, self.device, self._cache, **options)
            self._engines[key] = made
        return self._engines[key]

    def _check_device(self, engine: type[Engine]) -> None:
        """Goes over to the next device until one computes what the CPU does; once for each."""
        if self.device.type == CPU or (engine, self.device) in self._checked:
            return
        expected = reference(engine)
        while self.device.type != CPU:
            try:
                check_device(engine, self.device, expected)
            except Exception as error:  # drivers have many ways to fail
                self._failed[str(self.device)] = reason_of(error)
            else:
                self._checked.add((engine, self.device))
                return
            self._choose_device()
            self.close()
            self.on_new_device()


def _has_no_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return any(message in str(error) for message in OUT_OF_MEMORY)
