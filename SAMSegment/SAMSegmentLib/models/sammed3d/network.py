"""SAM-Med3D: a 3D network that takes points and its own previous mask.

Source: "SAM-Med3D: Towards General-purpose Segmentation Models for Volumetric Medical Images"
(Wang et al. 2023, uni-medical/SAM-Med3D). This is the published `vit_b_ori` with all that its
weights were trained with, be it meant or not; the modules say where. Keys and shapes are those of
the published files: 324 tensors, or 326 in the variant of the branch CVPR25_3DFM, which also knows
boxes.

What was never trained is not offered: several candidate masks, an estimate of the IoU, prompts
without a mask.
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from ..shared_layers.mask_decoder import MaskDecoder
from .image_encoder import EMBEDDING_CHANNELS, IMAGE_SIZE, SAMMed3DEncoder
from .prompt_encoder import PromptEncoder3D

MASK_SIZE = IMAGE_SIZE // 4
_BOX_KEY = "prompt_encoder.point_embeddings.2.weight"

Points = tuple[torch.Tensor, torch.Tensor]


class SAMMed3D(nn.Module):
    """Segments a volume of 128^3 voxels from points, or boxes, and a previous mask.

    Args:
        takes_boxes: see PromptEncoder3D.
        encoder: another than the published one, such as a narrow one.
    """

    def __init__(self, takes_boxes: bool = False, encoder: SAMMed3DEncoder | None = None):
        super().__init__()
        self.image_encoder = SAMMed3DEncoder() if encoder is None else encoder
        self.prompt_encoder = PromptEncoder3D(takes_boxes)
        self.mask_decoder = MaskDecoder(EMBEDDING_CHANNELS, dimensions=3)

    @classmethod
    def build(
        cls, state_dict: Mapping[str, torch.Tensor], device: torch.device | str = "cpu"
    ) -> "SAMMed3D":
        """Make a float32 model for inference: eval mode, no gradients.

        Args:
            state_dict: the tensors of a published file. Float32 ones on the CPU are not copied.
            device: where the model runs.

        Raises:
            RuntimeError: a key is missing, unexpected or of another shape.
        """
        model = cls.empty(state_dict)
        tensors = {name: tensor.to(device).float() for name, tensor in state_dict.items()}
        model.load_state_dict(tensors, strict=True, assign=True)
        return model.eval().requires_grad_(False)

    @classmethod
    def empty(cls, state_dict: Mapping[str, torch.Tensor]) -> "SAMMed3D":
        """A model without values, for weights of that variant: it takes no memory."""
        with torch.device("meta"):
            return cls(takes_boxes=_BOX_KEY in state_dict)

    @property
    def takes_boxes(self) -> bool:
        """Whether the weights know boxes."""
        return self.prompt_encoder.takes_boxes

    def encode(
        self, images: torch.Tensor, between_blocks: Callable[[], None] = lambda: None
    ) -> torch.Tensor:
        """Embeddings (B, 384, 8, 8, 8).

        Args:
            images: (B, 1, 128, 128, 128), normalised: axes x, y, z towards R, A, S.
            between_blocks: called between the blocks of the encoder; what it raises ends the pass.

        Raises:
            ValueError: the images have another shape.
        """
        if images.ndim != 5 or images.shape[1:] != (1, IMAGE_SIZE, IMAGE_SIZE, IMAGE_SIZE):
            raise ValueError(
                f"images must have shape (B, 1, {IMAGE_SIZE}, {IMAGE_SIZE}, {IMAGE_SIZE}), "
                f"not {tuple(images.shape)}"
            )
        return self.image_encoder(images, between_blocks)

    def decode(
        self,
        embedding: torch.Tensor,
        mask: torch.Tensor,
        points: Points | None = None,
        boxes: torch.Tensor | None = None,
        between_blocks: Callable[[], None] = lambda: None,
    ) -> torch.Tensor:
        """Mask logits (N, 1, 32, 32, 32) of N prompts on one volume, above 0 inside the object.

        Args:
            embedding: (1, 384, 8, 8, 8) from `encode`.
            mask: (N, 1, 32, 32, 32), what `decode` said before; zeros at first.
            points: positions (N, P, 3) in voxels, in the order of the image's axes, and labels
                (N, P): 1 on the object, 0 beside it. Training gave the newest point alone, or none.
            boxes: (N, 6), two opposite corners in voxels, for weights that take boxes.
            between_blocks: called between the decoder's blocks; what it raises ends the work.

        Raises:
            ValueError: for a box, if the weights know none.
        """
        sparse, dense = self.prompt_encoder(boxes, points, mask)
        voxels = embedding.flatten(2).transpose(1, 2).contiguous()
        positions = self.prompt_encoder.grid_positions()
        logits, _ = self.mask_decoder(
            voxels, positions, sparse, dense, between_blocks=between_blocks
        )
        return logits
