"""Two ends of a channel that know each other, and other processes that get nothing."""

import contextlib
import os
import socket
import struct
import sys
import threading

import numpy as np
import pytest

from SAMSegmentLib.core import errors
from SAMSegmentLib.core.errors import InputError, SAMSegmentError
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.worker.protocol import shared_array
from SAMSegmentLib.worker.protocol.channel import (
    LARGEST_MESSAGE,
    ChildChannel,
    ClientChannel,
    ClosedError,
)
from SAMSegmentLib.worker.protocol.encoding import MessageLists
from SAMSegmentLib.worker.protocol.error_messages import error_of, sent_error
from SAMSegmentLib.worker.protocol.handshake import (
    NONCE_BYTES,
    REPLY_BYTES,
    ClientHandshake,
    child_handshake,
)
from SAMSegmentLib.worker.protocol.messages import (
    ArrayAllocated,
    Cancel,
    DropArray,
    SentError,
    Stopped,
)
from SAMSegmentLib.worker.protocol.model_messages import InstallModel
from SAMSegmentLib.worker.protocol.shared_array import BlockHandle, SharedBlock, open_block

with contextlib.suppress(ImportError):  # Windows
    import fcntl

KEY = b"k" * 32
BOTH = MessageLists((Cancel, DropArray, InstallModel), (Stopped, ArrayAllocated))
FAMILIES = ["AF_UNIX", "AF_INET"] if hasattr(socket, "AF_UNIX") else ["AF_INET"]


def sockets(family):
    """Two connected ones, of the kind that a system uses."""
    if family == "AF_UNIX":
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        return ours, listener.accept()[0]


@pytest.fixture(params=FAMILIES)
def ends(request):
    ours, theirs = sockets(request.param)
    yield ClientChannel(ours, BOTH), ChildChannel(theirs, BOTH)
    ours.close()
    theirs.close()


def next_message(client):
    """The client's end never waits, so this does."""
    while (received := client.receive()) is None:
        pass
    return received


class TestMessages:
    def test_arrive_in_their_order_on_both_sides(self, ends):
        client, child = ends
        for number in range(50):
            client.send(Cancel(number))
            child.send(Stopped(number))
        assert [child.receive() for _ in range(50)] == [Cancel(n) for n in range(50)]
        assert [next_message(client)[0] for _ in range(50)] == [Stopped(n) for n in range(50)]
        assert client.receive() is None

    def test_may_be_large_and_the_client_does_not_wait_while_they_are_sent(self, ends):
        client, child = ends
        long = InstallModel(model_entry("litemedsam"), "x" * 5_000_000)
        client.send(long)
        client.send(DropArray(2))
        got = []
        reader = threading.Thread(target=lambda: got.extend(child.receive() for _ in range(2)))
        reader.start()
        while reader.is_alive():
            client.flush()
        assert got == [long, DropArray(2)]

    def test_that_are_too_large_are_refused_before_they_are_sent(self, ends):
        client, child = ends
        entry = model_entry("litemedsam")
        with pytest.raises(InputError, match="too much"):
            client.send(InstallModel(entry, "x" * LARGEST_MESSAGE))
        client.send(DropArray(1))
        assert child.receive() == DropArray(1)

    def test_go_one_way_each(self, ends):
        client, child = ends
        with pytest.raises(TypeError):
            client.send(Stopped(1))
        with pytest.raises(TypeError):
            child.send(Cancel(1))

    def test_end_when_the_other_side_is_gone(self, ends):
        client, child = ends
        child.send(Stopped(1))
        child._connection.close()
        assert next_message(client)[0] == Stopped(1)
        with pytest.raises(ClosedError):
            next_message(client)
        client.send(Cancel(1))

    def test_end_for_the_child_when_the_client_closes(self, ends):
        client, child = ends
        client.close()
        with pytest.raises(ClosedError):
            child.receive()
        with pytest.raises(ClosedError):
            for _ in range(100):
                child.send(Stopped(1))


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Windows names its shared memory")
class TestSharedMemory:
    @pytest.fixture(params=["as here", "as on macOS"])
    def block(self, request, monkeypatch):
        if request.param == "as on macOS":
            pytest.importorskip("_posixshmem")
            anonymous = shared_array._unlinked_memory
            monkeypatch.setattr(shared_array, "_anonymous_file", anonymous)
            monkeypatch.setattr(shared_array, "_SEALS", 0)
        return SharedBlock.create(24)

    def test_goes_beside_a_message_and_outlives_the_sender(self, block):
        ours, theirs = sockets("AF_UNIX")
        client, child = ClientChannel(ours, BOTH), ChildChannel(theirs, BOTH)
        block.array((2, 3), "<i4")[:] = [[1, 2, 3], [4, 5, 6]]
        child.send(Stopped(0))
        child.send(ArrayAllocated(1, 1, block.handle), block.descriptor)
        child.send(Stopped(1))
        assert next_message(client) == (Stopped(0), None)
        room, descriptor = next_message(client)
        array = open_block(room.handle, descriptor, (2, 3), "<i4")
        block.handed_over()
        array[0, 0] = 7
        assert block.array((2, 3), "<i4")[0, 0] == 7
        del block
        assert array.tolist() == [[7, 2, 3], [4, 5, 6]]
        assert next_message(client) == (Stopped(1), None)
        with pytest.raises(OSError):
            os.fstat(descriptor)
        client.close()
        theirs.close()

    def test_that_nobody_took_is_closed_with_the_channel(self, block):
        ours, theirs = sockets("AF_UNIX")
        client, child = ClientChannel(ours, BOTH), ChildChannel(theirs, BOTH)
        child.send(Stopped(0))
        child.send(ArrayAllocated(1, 1, block.handle), block.descriptor)
        assert next_message(client) == (Stopped(0), None)
        while client.receive() is None:
            pass
        client.close()
        theirs.close()

    def test_without_its_descriptor_cannot_be_opened(self, block):
        with pytest.raises(OSError):
            open_block(block.handle, None, (24,), np.uint8)

    def test_that_is_smaller_than_it_was_said_to_be_cannot_be_opened(self, block):
        with pytest.raises(OSError):
            open_block(block.handle, os.dup(block.descriptor), (25,), np.uint8)
        with pytest.raises(OSError):
            open_block(BlockHandle(2**40, None), os.dup(block.descriptor), (2**40,), np.uint8)

    @pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has seals")
    def test_cannot_be_shrunk_by_either_side(self):
        block = SharedBlock.create(2**16)
        array = open_block(block.handle, os.dup(block.descriptor), (2**16,), np.uint8)
        for size in (0, 2**15, 2**17):
            with pytest.raises(PermissionError):
                os.ftruncate(block.descriptor, size)
        with pytest.raises(PermissionError):
            fcntl.fcntl(block.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
        block.array((1,), np.uint8)[0] = 7
        assert array[0] == 7 and array[-1] == 0

    @pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has seals")
    @pytest.mark.parametrize("kind", ["without seals", "sealed in part", "a file"])
    def test_that_could_shrink_is_not_opened(self, kind, tmp_path):
        if kind == "a file":
            descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
        else:
            descriptor = os.memfd_create("other", os.MFD_ALLOW_SEALING)
        os.ftruncate(descriptor, 100)
        if kind == "sealed in part":
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        with pytest.raises(ClosedError, match="whose size could still be changed"):
            open_block(BlockHandle(100, None), descriptor, (100,), np.uint8)
        with pytest.raises(OSError):
            os.fstat(descriptor)

    def test_comes_beside_messages_that_tell_of_it_and_no_others(self, block):
        ours, theirs = sockets("AF_UNIX")
        client, child = ClientChannel(ours, BOTH), ChildChannel(theirs, BOTH)
        child.send(Stopped(0), block.descriptor)
        with pytest.raises(ClosedError, match="needs none"):
            next_message(client)
        client.close()
        theirs.close()

    def test_that_no_message_tells_of_does_not_fill_the_client(self, block):
        ours, theirs = sockets("AF_UNIX")
        client = ClientChannel(ours, BOTH)
        theirs.send(struct.pack("!QB", LARGEST_MESSAGE, 1))
        with pytest.raises(ClosedError, match="descriptors"):
            for _ in range(100):
                socket.send_fds(theirs, [b" "], [block.descriptor])
                client.receive()
        client.close()
        theirs.close()

    def test_that_is_larger_than_all_memory_is_refused(self):
        with pytest.raises(MemoryError):
            SharedBlock.create(2**50)


class TestTheHandshake:
    @pytest.mark.parametrize("family", FAMILIES)
    def test_tells_the_childs_process_id(self, family):
        ours, theirs = sockets(family)
        child = threading.Thread(target=child_handshake, args=(theirs, KEY, 12345))
        child.start()
        handshake = ClientHandshake(ours, KEY)
        while not handshake.advance():
            pass
        child.join()
        assert handshake.pid == 12345

    def test_does_not_wait_for_a_child_that_says_nothing(self):
        ours, _theirs = sockets(FAMILIES[0])
        handshake = ClientHandshake(ours, KEY)
        assert not handshake.advance()
        assert handshake.pid is None

    def test_refuses_a_child_without_the_key(self):
        ours, theirs = sockets(FAMILIES[0])
        handshake = ClientHandshake(ours, KEY)
        theirs.recv(NONCE_BYTES)
        theirs.sendall(b"x" * REPLY_BYTES)
        with pytest.raises(OSError, match="Another process"):
            handshake.advance()

    def test_of_a_child_refuses_a_client_without_the_key(self):
        ours, theirs = sockets(FAMILIES[0])
        ours.sendall(b"n" * NONCE_BYTES + b"x" * 32)
        with pytest.raises(OSError, match="not the client"):
            child_handshake(theirs, KEY, 1)

    def test_ends_when_the_other_side_is_gone(self):
        ours, theirs = sockets(FAMILIES[0])
        handshake = ClientHandshake(ours, KEY)
        theirs.close()
        with pytest.raises(OSError):
            handshake.advance()
        ours, theirs = sockets(FAMILIES[0])
        ours.close()
        with pytest.raises(OSError):
            child_handshake(theirs, KEY, 1)


KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, SAMSegmentError)
]


class TestErrors:
    @pytest.mark.parametrize("kind", KINDS)
    def test_of_ours_keep_their_class_and_text(self, kind):
        error = error_of(sent_error(kind("Draw it again.")))
        assert type(error) is kind and str(error) == "Draw it again."

    @pytest.mark.parametrize("name", ["annotations", "Exception", "KeyError", "__doc__"])
    def test_of_others_become_one_line(self, name):
        error = error_of(SentError(name, "a\nb " + "x" * 900, "details"))
        assert name in str(error) and "\n" not in str(error) and len(str(error)) < 500
