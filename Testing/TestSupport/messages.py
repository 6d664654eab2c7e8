"""One message of each class that may come over the channel, with everything that it may hold."""

from __future__ import annotations

import sys

import numpy as np

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.weights.catalogue import ModelEntry, model_entry
from SAMSegmentLib.weights.model_json import Structure
from SAMSegmentLib.weights.progress import Transfer
from SAMSegmentLib.worker.protocol.events import DeviceInfo, Progress, Ready, WorkerInfo
from SAMSegmentLib.worker.protocol.messages import (
    Ask,
    Cancel,
    CannotPredict,
    CannotPrepare,
    CannotStart,
    Drop,
    Load,
    Look,
    MakeRoom,
    NoRoom,
    Received,
    Room,
    SentImage,
    SentPatch,
    SentProposal,
    SentProposals,
    SentVoxels,
    Stopped,
    Trouble,
)
from SAMSegmentLib.worker.protocol.model_messages import (
    InstallModel,
    ModelDone,
    ModelFailed,
    VerifyModel,
)
from SAMSegmentLib.worker.protocol.shared_array import Ticket

MODEL = model_entry("litemedsam")
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
IMAGE = SentImage(1, GRID, None)
TROUBLE = Trouble("InputError", "Zeichne \u00e4: \udc80", "Traceback\n  ...")
TICKET = Ticket(120, f"SAMSegment-{'0a' * 16}" if sys.platform == "win32" else None)
CARD = DeviceInfo("cuda:0", "A card", 2**34, usable=False, reason="It is old.")
INFO = WorkerInfo(
    7, "3.12.1", "2.13.0", "cpu", "", 2, 2**29, (CARD, DeviceInfo("cpu")), "cpu", "It is old."
)

TO_CHILD = (
    MakeRoom(1, (4, 5, 6), "<i2"),
    Drop(1),
    Received(3),
    Ask(
        5,
        MODEL,
        SentImage(1, GRID, "CT"),
        PROMPTS,
        GRID,
        SentVoxels(SentPatch(2, (0, 1, 2), 0.25), True, None),
        (-160, 240.5),
        1,
        ("Body", "Air"),
        (0.0, 0.0, -1.0),
    ),
    Ask(6, MODEL, IMAGE, Prompts(), GRID, None, None, 0, (), None),
    Cancel(5),
    Look(MODEL, IMAGE, (1.5, 2.5, 1e300), None),
    Load(model_entry("sam-med3d-turbo-int8")),
    Load(AUTOMATIC),
    InstallModel(model_entry("sam-med3d-turbo")),
    InstallModel(MODEL, "/media/stick/a b"),
    VerifyModel(MODEL),
)
TO_CLIENT = (
    Ready(INFO),
    CannotStart(TROUBLE),
    Room(1, 1, TICKET),
    NoRoom(1, TROUBLE),
    Progress(5, 3, 10, "Looking", 1.5),
    Stopped(5),
    CannotPredict(5, TROUBLE),
    CannotPrepare(TROUBLE),
    SentProposals(
        5,
        True,
        9,
        None,
        TICKET,
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
    ModelFailed(TROUBLE),
    Transfer("Downloading from example.org", 5, 10, 1e6, 0.5),
    Transfer("Waiting"),
)
