"""The child process: connects to the client that started it, and then imports what is heavy.

It runs models (`job_loop`) or works on their weights (`model_jobs`), as its settings say. Run as a
script by `launch`; it leaves as soon as the client is gone, whatever it is doing.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
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
    # The client says where it is, and the key by which both know each other.
    settings = json.loads(sys.stdin.buffer.read())
    _lower_priority()
    faulthandler.enable()
    connection = _connect(settings["address"], settings["folder"])
    if connection is not None:
        _serve(connection, settings)


def _serve(connection: socket.socket, settings: dict) -> None:
    if not _is_clients(connection, settings["key"]):
        return
    work = _work(connection, settings)
    # Before torch is imported: a client that is gone is noticed meanwhile.
    threading.Thread(target=_read, args=(work,), daemon=True).start()
    from SAMSegmentLib.worker.protocol.channel import ClosedError

    # It returns if torch cannot be imported, or if all is done, and raises ClosedError if the
    # client has left.
    with contextlib.suppress(ClosedError):
        work.run()
    _exit_now(0)


def _is_clients(connection: socket.socket, key: str) -> bool:
    """Whether the client that started this process is at the other end."""
    # Before anything heavy is imported: the client does not wait long for the handshake.
    from SAMSegmentLib.worker.protocol.handshake import child_handshake

    try:
        connection.settimeout(CLIENT_S)
        child_handshake(connection, bytes.fromhex(key), os.getpid())
        connection.settimeout(None)
    except OSError:
        return False
    return True


def _work(connection: socket.socket, settings: dict):
    """What this process is for."""
    if settings.get("task") == "models":
        from SAMSegmentLib.worker.child.model_jobs import ModelJobRunner

        return ModelJobRunner(connection)
    from SAMSegmentLib.worker.child.job_loop import JobLoop

    return JobLoop(connection, settings["device"])


def _read(work) -> None:
    """Takes the client's messages; once it is gone, ends this process whatever it is doing."""
    from SAMSegmentLib.worker.protocol.channel import ClosedError

    try:
        while True:
            work.take(work.channel.receive())
    except (OSError, ClosedError) as error:
        if str(error):
            print(error, file=sys.stderr)
        _exit_now(0)
    except BaseException:
        # No further message of the client can be read.
        traceback.print_exc()
        _exit_now(1)


def _exit_now(status: int) -> None:
    """Without the interpreter's own goodbye, which waits for threads that compute."""
    sys.stderr.flush()
    os._exit(status)


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


def _lower_priority() -> None:
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
