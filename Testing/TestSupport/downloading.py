"""What the tests of downloads share; as a program, a download in a process of its own."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from SAMSegmentLib.core.errors import InstallError
from SAMSegmentLib.weights import download as download_module
from SAMSegmentLib.weights.download import download
from SAMSegmentLib.weights.fetching import RetryPolicy
from SAMSegmentLib.weights.progress import Transfer

#: Of a file that is larger than what a socket holds.
CONTENT = np.random.default_rng(6).bytes(300_007)
#: Waits long for a slow computer, and hardly between tries.
QUICK = RetryPolicy(connect_s=10.0, read_s=10.0, tries=3, pauses_s=(0.01,), longest_wait_s=0.05)
#: Does not wait for a server that has stalled.
HASTY = RetryPolicy(connect_s=10.0, read_s=0.25, tries=3, pauses_s=(0.01,), longest_wait_s=0.05)
_SETTINGS = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NETRC",
    "SAMSEGMENT_MIRROR",
)


def plain_network(monkeypatch) -> None:
    """Takes away what this computer's settings would change in a download."""
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    # Reading all certificates that the system trusts takes most of the time of a small download.
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("SSL_CERT_DIR", os.devnull)
    monkeypatch.setattr(download_module, "SYSTEM_CERTIFICATES", ())


def sha256_of(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


class Fetch:
    """A download of known bytes into a folder; may be run several times.

    Attributes:
        partial: where the bytes go.
        reported: what was reported.
    """

    def __init__(self, folder: Path, content: bytes = CONTENT) -> None:
        self.partial = folder / "weights.pth.part"
        self.content = content
        self.reported: list[Transfer] = []

    def run(
        self,
        *places: str,
        policy: RetryPolicy = QUICK,
        report=None,
        size: int | None = None,
    ) -> None:
        """Downloads; what then lies there is what was meant."""
        download(
            places,
            self.partial,
            len(self.content) if size is None else size,
            sha256_of(self.content),
            report or self.reported.append,
            policy,
        )
        assert self.partial.read_bytes() == self.content

    @property
    def kept(self) -> bytes:
        """What lies there; nothing if there is no file."""
        return self.partial.read_bytes() if self.partial.exists() else b""

    @property
    def is_true_beginning(self) -> bool:
        """Whether all that lies there belongs to the file."""
        return self.content.startswith(self.kept)


def main(arguments: Sequence[str]) -> None:
    """Downloads URL PARTIAL SIZE SHA256 [LARGEST FILE]; prints how it ended, as JSON."""
    url, partial, size, sha256, *limit = arguments
    if limit:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit[0]), int(limit[0])))
    error = ""
    try:
        download([url], Path(partial), int(size), sha256, lambda transfer: None, QUICK)
    except InstallError as trouble:
        error = str(trouble)
    kept = Path(partial).read_bytes() if os.path.exists(partial) else b""
    print(json.dumps({"error": error, "kept": len(kept), "sha256": sha256_of(kept)}))


if __name__ == "__main__":
    main(sys.argv[1:])
