"""A module panel without a worker."""

#: Pixels; Slicer's module panel is seldom narrower.
NARROW = 400


class FakeWorkerService:
    """A WorkerService of which nothing is asked."""

    client = None
    stopped = False

    def stop(self) -> None:
        self.stopped = True

    def release(self, listener) -> None:
        """Nothing was acquired."""
