"""The client's hold on its child process: at most one at a time, and none left behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ..protocol.channel import ClientChannel, ClosedError
from ..protocol.encoding import MessageLists, Substitute
from .launch import ChildProcess, worker_python

# A start from a slow disk, with a virus scanner at work.
CONNECT_S = 120.0


class ChildLink:
    """A child process and the channel to it. No method waits but `wait`.

    Args:
        python: the command that runs Python; `worker_python()` if None.
        settings: for the child.
        messages: what may come over the channel to it.
        clock: seconds, running on.
    """

    def __init__(
        self,
        python: Sequence[str] | None,
        settings: dict[str, str],
        messages: MessageLists,
        clock: Callable[[], float],
    ) -> None:
        self._python = python
        self._settings = settings
        self._messages = messages
        self._clock = clock
        self._substitutes: Mapping[type, Substitute] = {}
        self._child: ChildProcess | None = None
        self._channel: ClientChannel | None = None
        self._started = 0.0
        self._ended: list[ChildProcess] = []
        self._wants_report: ChildProcess | None = None
        self._reason = ""

    @property
    def is_open(self) -> bool:
        """Whether messages can be exchanged."""
        return self._channel is not None

    @property
    def is_ending(self) -> bool:
        """Whether a process that was killed has not ended yet, as far as `reap` knows."""
        return bool(self._ended)

    def start(self, substitutes: Mapping[type, Substitute] = MappingProxyType({})) -> None:
        """Starts a process.

        Args:
            substitutes: for what is sent to it, see MessageCodec.

        Raises:
            SAMSegmentError: if it cannot be started.
        """
        self._substitutes = substitutes
        python = worker_python() if self._python is None else self._python
        self._child = ChildProcess(python, self._settings)
        self._started = self._clock()

    def connect(self) -> bool:
        """Whether the process has connected.

        Raises:
            ClosedError: if it has ended before, or does not come.
        """
        if self._child is None or self._channel is not None:
            return self._channel is not None
        if self._child.connect(self._clock()):
            connection = self._child.connection
            self._channel = ClientChannel(connection, self._messages, self._substitutes)
            return True
        if self._child.has_ended() or self._clock() - self._started > CONNECT_S:
            raise ClosedError
        return False

    def send(self, message: object) -> None:
        """Sends a message as soon as that is possible without waiting."""
        self._channel.send(message)

    def receive(self) -> tuple[object, int | None] | None:
        """The next message and its descriptor, if there is one.

        Raises:
            ClosedError: if the process is gone.
        """
        self._channel.flush()
        return self._channel.receive()

    def kill(self) -> None:
        """Ends the process, if there is one."""
        if self._channel is not None:
            self._channel.close()
        if self._child is not None:
            self._child.kill()
            self._ended.append(self._child)
        self._child = self._channel = None

    def keep_report(self, error: ClosedError) -> None:
        """Of the process that has just ended: `reap` gives its report when it is complete.

        Args:
            error: what said that it has.
        """
        self._wants_report, self._reason = self._child, str(error)

    def reap(self) -> str | None:
        """Leaves no zombies of processes that have ended; the report that was wanted."""
        report = None
        for child in [child for child in self._ended if child.has_ended()]:
            if child is self._wants_report:
                report, self._wants_report = f"{self._reason}\n{child.report()}".strip(), None
            child.forget()
            self._ended.remove(child)
        return report

    def wait(self, seconds: float) -> None:
        """Waits, but not for longer, until what was killed has ended."""
        for child in self._ended:
            child.wait(seconds / len(self._ended))
        self.reap()
