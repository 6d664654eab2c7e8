"""Between what the client is given and gives, and the messages that stand for it."""

from __future__ import annotations

import numpy as np

from ...core.errors import InputError
from ...core.image import Image
from ...core.patch import Patch
from ...core.proposal import Proposal
from ...core.voxel_prompts import VoxelPrompts
from ..protocol.events import PredictionRequest
from ..protocol.messages import Ask, SentImage, SentPatch, SentProposals, SentVoxels
from ..protocol.shared_array import nbytes_of, open_block
from .stock import Stock, Wanted


def image_wanted(image: Image) -> Wanted:
    """An image's voxels."""
    return Wanted(("image", image.key), image.voxels, is_volume=True)


def voxels_wanted(voxels: VoxelPrompts | None) -> list[Wanted]:
    """The masks of voxel prompts; a patch that stays the same is copied once."""
    patches = () if voxels is None else (voxels.content, voxels.occupied)
    return [Wanted(patch, patch.values, is_volume=False) for patch in patches if patch is not None]


def sent_image(image: Image, stock: Stock) -> SentImage:
    """An image whose voxels are in the child."""
    return SentImage(stock.number(("image", image.key)), image.geometry, image.modality)


def sent_voxels(voxels: VoxelPrompts | None, stock: Stock) -> SentVoxels | None:
    """Voxel prompts whose masks are in the child."""
    if voxels is None:
        return None
    content, occupied = (_sent_patch(patch, stock) for patch in (voxels.content, voxels.occupied))
    return SentVoxels(content, voxels.refine, occupied)


def sent_request(number: int, request: PredictionRequest, stock: Stock) -> Ask:
    """A request whose image and masks are in the child."""
    return Ask(
        number,
        request.model,
        sent_image(request.image, stock),
        request.prompts,
        request.target,
        sent_voxels(request.voxels, stock),
        request.intensity_range,
        request.alternative,
        request.structures,
        request.facing,
    )


def proposals_of(message: SentProposals, descriptor: int | None) -> tuple[Proposal, ...]:
    """The proposals; their levels stay in shared memory, which lives as long as any of them.

    Raises:
        OSError: if that memory is gone.
    """
    if message.ticket is not None:
        levels = open_block(message.ticket, descriptor, (message.nbytes,), np.int8)
    else:
        levels = np.frombuffer(bytearray(message.levels), np.int8)
    proposals, end = [], 0
    for sent in message.proposals:
        begin, end = end, end + nbytes_of(sent.shape, np.int8)
        patch = Patch(levels[begin:end].reshape(sent.shape), sent.start)
        proposals.append(
            Proposal(patch, message.geometry, sent.label, sent.cut, sent.warnings, sent.candidates)
        )
    return tuple(proposals)


def check_voxels(voxels: VoxelPrompts | None, image: Image) -> None:
    """Finds masks that do not lie on the image's grid.

    Raises:
        InputError: if a mask leaves it.
    """
    shape = np.array(image.geometry.shape)
    for patch in () if voxels is None else (voxels.content, voxels.occupied):
        if patch is None:
            continue
        if patch.values.ndim != 3 or min(patch.start) < 0 or (np.array(patch.stop) > shape).any():
            raise InputError("A mask does not lie on the volume's grid.")


def _sent_patch(patch: Patch | None, stock: Stock) -> SentPatch | None:
    return None if patch is None else SentPatch(stock.number(patch), patch.start, patch.cut)
