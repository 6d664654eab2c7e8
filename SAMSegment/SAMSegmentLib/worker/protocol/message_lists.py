"""What may come over the channel between a WorkerClient and its child."""

from __future__ import annotations

from .encoding import MessageLists
from .events import Progress, Ready
from .messages import (
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
    SentProposals,
    Stopped,
)

PREDICTION_MESSAGES = MessageLists(
    to_child=(Ask, Cancel, Drop, Load, Look, MakeRoom, Received),
    to_client=(
        CannotPredict,
        CannotPrepare,
        CannotStart,
        NoRoom,
        Progress,
        Ready,
        Room,
        SentProposals,
        Stopped,
    ),
)
