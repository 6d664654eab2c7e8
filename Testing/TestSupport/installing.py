"""Models that a test's own server gives; as a program, an installation in a process of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from SAMSegmentLib.core.errors import SAMSegmentError
from SAMSegmentLib.weights import store as install_module
from SAMSegmentLib.weights.catalogue import ModelEntry, model_entry
from SAMSegmentLib.weights.download import download
from SAMSegmentLib.weights.progress import Transfer

from .downloading import QUICK, sha256_of


def entry_of(content: bytes, *places: str, **changes: object) -> ModelEntry:
    """A model whose weights are these bytes, to be had at these places."""
    return replace(
        model_entry("sam-med3d-turbo"),
        **{
            "file": "weights.pth",
            "size": len(content),
            "sha256": sha256_of(content),
            "downloads": places,
            **changes,
        },
    )


def with_little_patience(setattr_=setattr) -> None:
    """Lets downloads of installations wait hardly between tries."""
    setattr_(install_module, "download", partial(download, policy=QUICK))


def main(arguments: Sequence[str]) -> None:
    """Installs URL FILE SIZE SHA256; prints how it ended as JSON, what was reported to stderr."""
    url, file, size, sha256 = arguments
    entry = entry_of(b"", url, file=file, size=int(size), sha256=sha256)
    with_little_patience()
    reported: set[str] = set()

    def tell(transfer: Transfer) -> None:
        if transfer.message not in reported:
            reported.add(transfer.message)
            print(transfer.message, file=sys.stderr, flush=True)

    error = ""
    try:
        install_module.install(entry, report=tell)
    except SAMSegmentError as trouble:
        error = str(trouble)
    ended = {"error": error, "is_installed": entry.is_installed}
    print(json.dumps({**ended, "kept": entry.files.partial_bytes}))


if __name__ == "__main__":
    main(sys.argv[1:])
