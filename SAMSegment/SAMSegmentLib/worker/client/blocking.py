"""Predictions for callers that wait for them, such as scripts in Slicer's console."""

from __future__ import annotations

import time

from ...core.errors import Cancelled
from ...core.progress import CancelFlag, ProgressCallback
from ...core.proposal import Proposal, propose
from ..protocol.events import Failed, PredictionRequest, Progress, Proposed
from .in_process import InProcessClient
from .process_client import WorkerClient

# Nobody looks at a window here: voxels are copied in large pieces.
BUDGET_S = 0.1
PAUSE_S = 0.005


class BlockingClient:
    """Asks a child process and waits.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        worker: for tests, another WorkerClient.
    """

    def __init__(self, device: str = "auto", worker: WorkerClient | None = None) -> None:
        self._worker = worker or WorkerClient(device)

    def propose(
        self,
        request: PredictionRequest,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> tuple[Proposal, ...]:
        """What a request leads to: a proposal; of an automatic model, one for each structure.

        Raises:
            InputError: if prompts, image and model do not go together.
            Cancelled, OutOfMemoryError, WeightsError, MissingPackageError: nothing was changed.
        """
        self._worker.start()
        number = self._worker.ask(request)
        try:
            while True:
                for event in self._worker.poll(BUDGET_S):
                    if getattr(event, "number", None) != number:
                        continue
                    if isinstance(event, Failed):
                        raise event.error
                    if isinstance(event, Progress) and progress is not None:
                        progress(event.done, event.total, event.message)
                    if isinstance(event, Proposed):
                        if progress is not None:
                            progress(1, 1, "Done")
                        return event.proposals
                if cancel is not None and cancel.is_set():
                    raise Cancelled("Cancelled. Nothing was changed.")
                time.sleep(PAUSE_S)
        except BaseException:
            # Also when the user has interrupted the script.
            self._worker.cancel()
            raise

    def close(self) -> None:
        """Ends the child process; the next request starts another."""
        self._worker.close()


class BlockingInProcess:
    """The same without a child process: torch is imported here."""

    def __init__(self, device: str = "auto") -> None:
        self._client = InProcessClient(device)

    def propose(
        self,
        request: PredictionRequest,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
    ) -> tuple[Proposal, ...]:
        """See BlockingClient.propose."""
        answer = self._client.predict(request, progress, cancel)
        return propose(answer, request.grid, request.alternative)

    def close(self) -> None:
        """Gives the models and their memory up."""
        self._client.close()
