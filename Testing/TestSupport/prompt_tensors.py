"""Prompts as SAMSegment 3D's network gets them."""

import torch

from SAMSegmentLib.models.samsegment3d.prompt_maps import PromptTensors


def prompts_of(clicks, signs, shape=(16, 16, 16), roi=0.0, before=0.0):
    half = (len(clicks), 1, *(n // 2 for n in shape))
    return PromptTensors(
        torch.tensor(clicks, dtype=torch.float32),
        torch.tensor(signs, dtype=torch.float32),
        torch.full(half, roi),
        torch.full(half, before),
    )
