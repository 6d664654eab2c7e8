"""Disks that only one command sees, for tests of full and of read-only ones."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache


@cache
def command_with_own_disks() -> tuple[list[str], str]:
    """The start of a command that takes a script of the shell, which may mount disks.

    They are gone when it ends. Linux only; root, or a user whom the system lets make namespaces.

    Returns:
        It, or nothing and the reason.
    """
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return [], "no unshare program to mount a disk with"
    for options in ("-m", "-Urm"):
        command = ["unshare", options, "sh", "-ec"]
        probe = [*command, "mount -t tmpfs -o size=1m tmpfs /mnt"]
        if subprocess.run(probe, capture_output=True).returncode == 0:
            return command, ""
    return [], "this user may not mount disks, not even for itself"
