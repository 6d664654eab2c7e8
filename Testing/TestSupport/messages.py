"""One message of each class that may come over the channel, with everything that it may hold."""

from __future__ import annotations

import sys

import numpy as np

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from SAMSegmentLib.weights.catalogue import ModelEntry, model_entry
from SAMSegmentLib.weights.model_json import Structure
from SAMSegmentLib.weights.progress import Transfer
from SAMSegmentLib.worker.protocol.encoding import MessageCodec, Substitute
from SAMSegmentLib.worker.protocol.error_messages import SentError
from SAMSegmentLib.worker.protocol.events import (
    DeviceInfo,
    PredictionRequest,
    Progress,
    Ready,
    WorkerInfo,
)
from SAMSegmentLib.worker.protocol.messages import (
    AllocateArray,
    AllocationFailed,
    ArrayAllocated,
    BlockReceived,
    Cancel,
    DropArray,
    LoadModel,
    Predict,
    PredictionFailed,
    PrepareClick,
    PrepareFailed,
    SentImage,
    SentPatch,
    StartFailed,
    Stopped,
)
from SAMSegmentLib.worker.protocol.model_messages import (
    InstallModel,
    ModelDone,
    ModelFailed,
    VerifyModel,
)
from SAMSegmentLib.worker.protocol.sent_proposals import SentProposal, SentProposals
from SAMSegmentLib.worker.protocol.shared_array import BlockHandle

MODEL, MADE_OF_OTHERS = model_entry("litemedsam"), model_entry("automatic")
AUTOMATIC = ModelEntry(
    "organs",
    "Organs",
    "unet",
    "automatic",
    ("CT",),
    "organs.safetensors",
    402,
    "a" * 64,
    parameters={"channels": 32, "slope": 0.5, "residual": True, "norm": "instance"},
    structures=(
        Structure("liver", ("SCT", "1", "A"), ("SCT", "2", "B"), None, (1, 2, 3)),
        Structure("air"),
    ),
)
OBLIQUE = np.array(
    [[0.8, -0.6, 0.1, -7.25], [0.6, 0.8, 0, 1 / 3], [0, 0.2, 2.5, 1e-9], [0, 0, 0, 1]]
)
GRID = Geometry(OBLIQUE, (4, 5, 6))
PROMPTS = Prompts(
    Roi.from_box((1, 2, 3), (10, 20, 1 / 3)),
    (Point((0.1, 0.2, 0.3)), Point((1e-17, -4, 5), positive=False)),
    Line((0, 0, 0), (1, 2, 3)),
    candidate=1,
)
LABEL = Label("Body", "Tissue~SCT^1^Body", (0.5, 0.25, 1.0))
VOXELS = np.zeros(GRID.shape, dtype=np.int16)
IMAGE = Image(VOXELS, GRID, key=1)
MASK = Patch(np.ones((2, 2, 2), dtype=bool), (0, 1, 2), 0.25)
ERROR = SentError("InputError", "Zeichne \u00e4: \udc80", "Traceback\n  ...")
HANDLE = BlockHandle(120, f"SAMSegment-{'0a' * 16}" if sys.platform == "win32" else None)
CARD = DeviceInfo("cuda:0", "A card", 2**34, usable=False, reason="It is old.")
INFO = WorkerInfo(
    7, "3.12.1", "2.13.0", "cpu", "", 2, 2**29, (CARD, DeviceInfo("cpu")), "cpu", "It is old."
)

TO_CHILD = (
    AllocateArray(1, (4, 5, 6), "<i2"),
    DropArray(1),
    BlockReceived(3),
    Predict(
        5,
        PredictionRequest(
            MODEL,
            Image(VOXELS, GRID, "CT", key=1),
            PROMPTS,
            GRID,
            VoxelPrompts(MASK, True, None),
            (-160, 240.5),
            1,
            ("Body", "Air"),
            (0.0, 0.0, -1.0),
        ),
    ),
    Predict(6, PredictionRequest(MODEL, IMAGE, Prompts())),
    Cancel(5),
    PrepareClick(MODEL, IMAGE, (1.5, 2.5, 1e300)),
    LoadModel(model_entry("sam-med3d-turbo-int8")),
    LoadModel(AUTOMATIC),
    LoadModel(MADE_OF_OTHERS),
    InstallModel(model_entry("sam-med3d-turbo")),
    InstallModel(MODEL, "/media/stick/a b"),
    VerifyModel(MODEL),
)
TO_CLIENT = (
    Ready(INFO),
    StartFailed(ERROR),
    ArrayAllocated(1, 1, HANDLE),
    AllocationFailed(1, ERROR),
    Progress(5, 3, 10, "Looking", 1.5),
    Stopped(5),
    PredictionFailed(5, ERROR),
    PrepareFailed(ERROR),
    SentProposals(
        5,
        True,
        9,
        None,
        HANDLE,
        GRID,
        (
            SentProposal((4, 5, 6), (0, 0, 0), None, 0.5, ("Small.", "Dim."), 3),
            SentProposal((0, 0, 0), (0, 0, 0), Label("Spleen"), 0.0, (), 1),
        ),
    ),
    SentProposals(
        5,
        False,
        9,
        bytes(range(8)),
        None,
        GRID,
        (SentProposal((2, 2, 2), (2, 3, 4), LABEL, 0.0, (), 1),),
    ),
    SentProposals(
        5, True, 9, b"", None, GRID, (SentProposal((0, 0, 0), (0, 0, 0), None, 0.0, (), 1),)
    ),
    ModelDone("/models/a.safetensors", ("Not converted.",)),
    ModelFailed(ERROR),
    Transfer("Downloading from example.org", 5, 10, 1e6, 0.5),
    Transfer("Waiting"),
)


def _image(sent: SentImage) -> Image:
    return Image({1: VOXELS}[sent.array], sent.geometry, sent.modality, key=sent.array)


def _mask(sent: SentPatch) -> Patch:
    return Patch({2: MASK.values}[sent.array], sent.start, sent.cut)


#: As if the image's voxels were the array 1 in shared memory, and the mask's the array 2.
SUBSTITUTES = {
    Image: Substitute(
        SentImage, lambda image: SentImage(1, image.geometry, image.modality), _image
    ),
    Patch: Substitute(SentPatch, lambda mask: SentPatch(2, mask.start, mask.cut), _mask),
}


def encode(message: object, kinds: dict[str, type]) -> bytes:
    """A message as bytes, see MessageCodec."""
    return MessageCodec(kinds, SUBSTITUTES).encode(message)


def decode(data: bytes, kinds: dict[str, type]) -> object:
    """The message again."""
    return MessageCodec(kinds, SUBSTITUTES).decode(data)
