"""A child that says what is no message: told as a crash, and nothing of it is built or run."""

import queue
import socket
import sys
import threading
from pathlib import Path

import pytest

from SAMSegmentLib.worker.child import process_main
from SAMSegmentLib.worker.protocol.channel import NO_MESSAGE, ChildChannel, ClientChannel
from SAMSegmentLib.worker.protocol.events import Crashed, WorkerState
from SAMSegmentLib.worker.protocol.handshake import ClientHandshake
from SAMSegmentLib.worker.protocol.messages import PREDICTION_MESSAGES, Stopped

KEY = b"k" * 32


@pytest.mark.parametrize(
    "saying", ["a pickle", "another class", "a string where an array should be"]
)
def test_what_is_no_message_is_one_clear_error(new_pump, tmp_path, saying):
    script = Path(__file__).with_name("misbehaving_child.py")
    made = tmp_path / "made"
    pump = new_pump(python=[sys.executable, str(script), saying, str(made)])
    pump.client.start()
    crash = pump.until(Crashed)
    assert "ended unexpectedly" in crash.message and "\n" not in crash.message
    pump.wait(lambda: pump.client.last_error is not None)
    assert NO_MESSAGE in pump.client.last_error
    pump.wait(lambda: pump.client.state is WorkerState.FAILED)
    assert not made.exists()


def test_a_client_that_is_busy_hears_nothing_before_the_handshake(monkeypatch):
    class Work:
        def __init__(self, connection):
            self.channel = ChildChannel(connection, PREDICTION_MESSAGES)
            self.channel.send(Stopped(1))

        def take(self, message):
            pass

        def run(self):
            pass

    ours, theirs = socket.socketpair()
    left = queue.SimpleQueue()
    monkeypatch.setattr(process_main, "_work", lambda connection, settings: Work(connection))
    monkeypatch.setattr(process_main, "_exit_now", left.put)
    child = threading.Thread(target=process_main._serve, args=(theirs, {"key": KEY.hex()}))
    child.start()
    ours.settimeout(0.3)
    with pytest.raises(TimeoutError):
        ours.recv(1)
    handshake = ClientHandshake(ours, KEY)
    while not handshake.advance():
        pass
    channel = ClientChannel(ours, PREDICTION_MESSAGES)
    while (received := channel.receive()) is None:
        pass
    assert received == (Stopped(1), None)
    child.join()
    channel.close()
    # The thread that works and the one that reads both end the process, which here is the tests'.
    assert [left.get(timeout=60), left.get(timeout=60)] == [0, 0]
