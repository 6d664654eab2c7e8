"""A child process that knows the key, and then says what its first argument tells."""

import json
import os
import pickle
import socket
import struct
import sys
import time

from SAMSegmentLib.worker.protocol.handshake import child_handshake

MARK = "from the pickle"


class Evil:
    """Runs code in whoever unpickles it."""

    def __reduce__(self):
        return os.system, (f"echo {MARK} > {sys.argv[2]}",)


NOTHING = [[0, 0, 0], [0, 0, 0], None, 0, [], 1]
SAYINGS = {
    "a pickle": pickle.dumps(Evil()),
    "another class": b'["ModelEntry", []]',
    "a string where an array should be": json.dumps(
        ["SentProposals", [1, True, 1, "", None, ["x", [1, 1, 1]], [NOTHING]]]
    ).encode(),
}

settings = json.loads(sys.stdin.buffer.read())
address = settings["address"]
is_path = isinstance(address, str)
connection = socket.socket(socket.AF_UNIX if is_path else socket.AF_INET)
connection.connect(address if is_path else tuple(address))
child_handshake(connection, bytes.fromhex(settings["key"]), os.getpid())
body = SAYINGS[sys.argv[1]]
connection.sendall(struct.pack("!QB", len(body), 0) + body)
time.sleep(60)
