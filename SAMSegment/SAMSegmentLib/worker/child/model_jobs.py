"""The child's side of a ModelJob: carries out one order on the weights of a model.

Nothing heavy is imported here before weights are installed; torch only then, to convert them.
"""

from __future__ import annotations

import importlib
import os
import queue
import socket
import time
import traceback
from pathlib import Path

from ...core.errors import SAMSegmentError, WeightsError
from ...weights.catalogue import ModelEntry
from ...weights.folder import VARIABLE, models_folder
from ...weights.progress import Transfer
from ...weights.store import install, remove, verify
from ..protocol.channel import ChildChannel, ClosedError
from ..protocol.error_messages import LONGEST_MESSAGE, SentError, sent_error
from ..protocol.model_messages import (
    MODEL_MESSAGES,
    InstallModel,
    ModelDone,
    ModelFailed,
    ModelOrder,
    VerifyModel,
)

# Nobody reads faster, and a report of every block would cost more than the block.
REPORT_EVERY_S = 0.1
CONVERTING = "Converting the weights to safetensors"
NOT_CONVERTED = (
    "The weights are installed. They could not be converted to safetensors yet ({reason}): they "
    "will be when the model is first used."
)
NO_TORCH = "PyTorch is not installed"
NOT_COMPARED = "Without PyTorch, they were not compared with what the model's network is made of."
NO_SPACE = "the folder has no room for it, or is in use"
# How torch's checkpoints begin.
_ZIP = b"PK\x03\x04"


class ModelJobRunner:
    """Takes one order, carries it out, and reports how far it is and how it ended.

    To cancel, the client leaves: the process then ends at once (see `process_main`), and what was
    downloaded lies there for the next time.

    Attributes:
        channel: to the client.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.channel = ChildChannel(connection, MODEL_MESSAGES)
        self._orders: queue.SimpleQueue[ModelOrder] = queue.SimpleQueue()
        self._reported = ""
        self._reported_at = 0.0

    def take(self, message: ModelOrder) -> None:
        """Takes the client's order, from any thread."""
        self._orders.put(message)

    def run(self) -> None:
        """Waits for the order and carries it out.

        Raises:
            ClosedError: if the client is gone.
        """
        order = self._orders.get()
        # Whatever folder is chosen meanwhile: this order stays where it began.
        os.environ[VARIABLE] = str(models_folder())
        try:
            outcome = self._carry_out(order)
        except ClosedError:
            raise
        except SAMSegmentError as error:
            outcome = ModelFailed(sent_error(error))
        except Exception as error:
            outcome = ModelFailed(_unexpected(error))
        self.channel.send(outcome)

    def _carry_out(self, order: ModelOrder) -> ModelDone:
        match order:
            case InstallModel(model, source):
                return self._converted(model, self._installed(model, source))
            case VerifyModel(model):
                return _joined([self._verified(each) for each in model.models])
        raise TypeError(f"{type(order).__name__} is no order.")

    def _verified(self, model: ModelEntry) -> ModelDone:
        path = verify(model, self._report)
        return ModelDone(
            str(path),
            _check_converted(model, path),
            model.files.is_published_hash(path),
            model.files.expected_sha256(path) or "",
        )

    def _installed(self, model: ModelEntry, source: str | None) -> Path:
        """Where the weights lie; what was converted here once, and does not fit, is replaced."""
        place = None if source is None else Path(source)
        path = install(model, place, self._report)
        try:
            _check_converted(model, path)
        except WeightsError:
            remove(model)
            path = install(model, place, self._report)
        return path

    def _converted(self, model: ModelEntry, path: Path) -> ModelDone:
        """Converts at once what can be: the model's first use is then as fast as every other."""
        if not _is_checkpoint(path):
            return ModelDone(str(path))
        self._report(Transfer(CONVERTING))
        try:
            conversion = importlib.import_module("SAMSegmentLib.models.tensor_files.conversion")
            converted = conversion.prepared(model)
        except WeightsError:
            raise
        except Exception as error:
            is_torch = isinstance(error, ImportError) and error.name == "torch"
            return _not_converted(path, NO_TORCH if is_torch else _line(error))
        if _is_checkpoint(converted):
            return _not_converted(converted, NO_SPACE)
        return ModelDone(str(converted))

    def _report(self, progress: Transfer) -> None:
        now = time.monotonic()
        if progress.message == self._reported and now - self._reported_at < REPORT_EVERY_S:
            return
        self._reported, self._reported_at = progress.message, now
        self.channel.send(progress)


def _joined(done: list[ModelDone]) -> ModelDone:
    """What was found out about all files of a model that is made of others."""
    return ModelDone(
        ", ".join(one.path for one in done),
        tuple(note for one in done for note in one.notes),
        all(one.as_published for one in done),
        " ".join(one.sha256 for one in done),
    )


def _check_converted(model: ModelEntry, path: Path) -> tuple[str, ...]:
    """Of weights whose SHA-256 is not the catalogue's: whether they fit the network; notes.

    Raises:
        WeightsError: if they do not: they were never made of the published file.
    """
    if model.files.is_published_hash(path):
        return ()
    try:
        check = importlib.import_module("SAMSegmentLib.models.structure_check")
    except ImportError as error:
        if error.name != "torch":
            raise
        return (NOT_COMPARED,)
    check.check_structure(model, path)
    return ()


def _is_checkpoint(path: Path) -> bool:
    """As `engines.tensor_files.checkpoints.is_checkpoint`, but without importing torch."""
    with path.open("rb") as file:
        return file.read(len(_ZIP)) == _ZIP


def _not_converted(path: Path, reason: str) -> ModelDone:
    """They are of use all the same."""
    return ModelDone(str(path), (NOT_CONVERTED.format(reason=reason),))


def _unexpected(error: Exception) -> SentError:
    """An unforeseen error as an InstallError, with its trace for the diagnostics."""
    message = (
        f"The weights could not be worked on ({_line(error)}). What was installed before still "
        "is. Try again; if it fails again, please report it with the diagnostics."
    )
    return SentError("InstallError", message, "".join(traceback.format_exception(error)))


def _line(error: Exception) -> str:
    said = " ".join(str(error).split())[:LONGEST_MESSAGE].rstrip(".")
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
