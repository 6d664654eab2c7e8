"""One worker process for many tests: starting torch for each would take most of their time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from SAMSegmentLib.worker.client.process_client import WorkerClient


class SharedClient(WorkerClient):
    """Lives on when a service has done with it."""

    def close(self) -> None:
        """Forgets the images only."""
        self.forget_images()


@contextmanager
def shared_worker() -> Iterator[SharedClient]:
    """Its client."""
    client = SharedClient("cpu")
    try:
        yield client
    finally:
        WorkerClient.close(client)
