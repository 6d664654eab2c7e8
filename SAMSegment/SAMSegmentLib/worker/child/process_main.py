"""The child process: connects to the client that started it, and then imports what is heavy.

It runs models (`job_loop`) or works on their weights (`model_desk`), as its settings say. Run as a
script by `launch`; it leaves as soon as the client is gone, whatever it is doing.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import queue
import shutil
import signal
import socket
import sys
import threading
import traceback
from pathlib import Path

CONNECT_S = 30.0
# Until the client, which may be busy with something else, has made sure of this process.
CLIENT_S = 600.0
# How much less than Slicer's own work this process matters, on a Unix.
NICENESS = 5


def main() -> None:
    """Serves one client until it closes the connection."""
    # The client tells where it is, and the key by which both know each other.
    settings = json.loads(sys.stdin.buffer.read())
    _step_back()
    faulthandler.enable()
    connection = _connect(settings["address"], settings["folder"])
    if connection is None:
        return
    _run(connection, settings)


def _run(connection: socket.socket, settings: dict) -> None:
    desk, channels = _Desk(), queue.SimpleQueue()
    reading = (connection, settings, desk, channels.put)
    threading.Thread(target=_read, args=reading, daemon=True).start()
    # Heavy imports from here on; the other thread notices meanwhile if the client leaves.
    make_work = _work(settings)
    # Nothing is said before the handshake is over.
    work = make_work(channels.get())
    desk.hand_over(work.take)
    from SAMSegmentLib.worker.protocol.channel import ClosedError

    # It returns if torch cannot be imported, or if all is done, and raises ClosedError if the
    # client has left.
    with contextlib.suppress(ClosedError):
        work.run()
    _leave(0)


def _work(settings: dict):
    """What this process is for, but for the channel."""
    if settings.get("task") == "models":
        from SAMSegmentLib.worker.child.model_desk import ModelDesk

        return ModelDesk
    from SAMSegmentLib.worker.child.job_loop import JobLoop

    return lambda channel: JobLoop(channel, settings["device"])


def _messages(settings: dict):
    """What may come over the channel."""
    if settings.get("task") == "models":
        from SAMSegmentLib.worker.protocol.model_messages import MODEL_MESSAGES

        return MODEL_MESSAGES
    from SAMSegmentLib.worker.protocol.message_lists import PREDICTION_MESSAGES

    return PREDICTION_MESSAGES


def _read(connection: socket.socket, settings: dict, desk: _Desk, give_channel) -> None:
    """Takes the client's messages; once it is gone, ends this process whatever it is doing."""
    # Before anything heavy is imported: the client does not wait long for the handshake.
    from SAMSegmentLib.worker.protocol.handshake import child_handshake

    try:
        connection.settimeout(CLIENT_S)
        child_handshake(connection, bytes.fromhex(settings["key"]), os.getpid())
        connection.settimeout(None)
    except OSError:
        _leave(0)
    from SAMSegmentLib.worker.protocol.channel import ChildChannel, ClosedError

    try:
        channel = ChildChannel(connection, _messages(settings))
        give_channel(channel)
        while True:
            desk.take(channel.receive())
    except (OSError, ClosedError) as error:
        if str(error):
            print(error, file=sys.stderr)
        _leave(0)
    except BaseException:
        # Nothing that the client says can be heard any more.
        traceback.print_exc()
        _leave(1)


def _leave(status: int) -> None:
    """Without the interpreter's own goodbye, which waits for threads that compute."""
    sys.stderr.flush()
    os._exit(status)


class _Desk:
    """Keeps messages until there is somebody to take them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[object] = []
        self._take = None

    def take(self, message: object) -> None:
        with self._lock:
            if self._take is None:
                self._waiting.append(message)
                return
        self._take(message)

    def hand_over(self, take) -> None:
        with self._lock:
            for message in self._waiting:
                take(message)
            self._take = take


def _connect(address: str | list, folder: str | None) -> socket.socket | None:
    """The connection; None if the client is gone. Removes the folder that the socket lies in."""
    is_path = isinstance(address, str)
    connection = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
    connection.settimeout(CONNECT_S)
    try:
        connection.connect(address if is_path else tuple(address))
    except OSError:
        connection.close()
        return None
    finally:
        if folder is not None:
            # The client does so, too, unless it was killed meanwhile.
            shutil.rmtree(folder, ignore_errors=True)
    connection.settimeout(None)
    return connection


def _step_back() -> None:
    """Slicer comes first: for the processor, for memory, and for the keyboard's Ctrl+C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    # If memory runs out, Linux ends this process rather than Slicer.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


if __name__ == "__main__":
    # The folder of this file would hide modules of other names; the library's own is wanted.
    sys.path[:1] = [str(Path(__file__).resolve().parents[3])]
    main()
