"""LiteMedSAM: the light version of MedSAM, for one slice and a box at a time.

Sources: "Segment anything in medical images" (Ma et al., Nature Communications 2024) and its
LiteMedSAM branch; TinyViT encoder (Wu et al. 2022, Zhang et al. 2023), SAM's prompt encoder and
mask decoder (Kirillov et al. 2023). The published weights were trained with boxes; points and
masks run, as they do in SAM, but were not trained.

The module's keys and shapes are those of the published weight file. `build` makes a model for
inference; a model made by the constructor is an ordinary trainable module.
"""

import copy
from collections.abc import Callable, Mapping

import torch
from torch import nn

from ..shared_layers.layers import fold_batch_norms
from ..shared_layers.mask_decoder import MaskDecoder
from ..shared_layers.prompt_encoder import PromptEncoder
from .tiny_vit import EMBEDDING_CHANNELS, EMBEDDING_SIZE, IMAGE_SIZE, TinyViT
from .tiny_vit_inference import TinyViTInference

Points = tuple[torch.Tensor, torch.Tensor]
Part = tuple[int, int, int]
PIXELS_PER_TOKEN = IMAGE_SIZE // EMBEDDING_SIZE


class LiteMedSAM(nn.Module):
    """Segments a 256 x 256 slice from boxes, points or a previous mask."""

    def __init__(self):
        super().__init__()
        self.image_encoder = TinyViT()
        self.prompt_encoder = PromptEncoder(
            EMBEDDING_CHANNELS, IMAGE_SIZE, EMBEDDING_SIZE, mask_channels=16
        )
        self.mask_decoder = MaskDecoder(EMBEDDING_CHANNELS)
        # Derived from the weights by `prepare_inference`, and dropped when they may change.
        self._inference_encoder: Callable[[torch.Tensor], torch.Tensor] | None = None
        self._grid_positions: torch.Tensor | None = None

    @classmethod
    def build(
        cls,
        state_dict: Mapping[str, torch.Tensor],
        device: torch.device | str = "cpu",
        fast: bool = True,
    ) -> "LiteMedSAM":
        """Make a float32 model for inference: eval mode, no gradients.

        Args:
            state_dict: the 435 tensors of the published file, in float32 or half precision.
            device: where the model runs. Do not move it afterwards.
            fast: fold and rearrange the encoder's weights (`prepare_inference`); False runs the
                plain modules.

        Raises:
            RuntimeError: a key is missing, unexpected or of another shape.
        """
        model = cls()
        model.load_state_dict(state_dict, strict=True)
        model.eval().requires_grad_(False).to(device)
        return model.prepare_inference() if fast else model

    @torch.no_grad()
    def prepare_inference(self) -> "LiteMedSAM":
        """Derive what only changes with the weights; call it again after changing them.

        `train()` and `load_state_dict` drop what was derived. On a CPU the encoder becomes
        `TinyViTInference`, elsewhere the plain module with its batch normalisations folded.
        """
        self.eval()
        self._grid_positions = self.prompt_encoder.grid_positions()
        if self._grid_positions.device.type == "cpu":
            self._inference_encoder = TinyViTInference(self.image_encoder)
        else:
            # The bound method, since a module as an attribute would add keys to the state dict.
            self._inference_encoder = fold_batch_norms(copy.deepcopy(self.image_encoder)).forward
        return self

    def train(self, mode: bool = True) -> "LiteMedSAM":
        """Set training or eval mode; training drops what `prepare_inference` derived."""
        if mode:
            self._drop_derived()
        return super().train(mode)

    def load_state_dict(self, *arguments, **options):
        """Load weights as any module does, and drop what `prepare_inference` derived."""
        self._drop_derived()
        return super().load_state_dict(*arguments, **options)

    def __getstate__(self) -> dict:
        """Copies and pickles hold the weights alone."""
        return {**self.__dict__, "_inference_encoder": None, "_grid_positions": None}

    def encode(
        self, images: torch.Tensor, between_blocks: Callable[[], None] | None = None
    ) -> torch.Tensor:
        """Image embeddings (B, 256, 64, 64), float32.

        Args:
            images: (B, 1, 256, 256) or (B, 3, 256, 256) float32 in 0..1. One channel is faster
                than three equal ones.
            between_blocks: called between the blocks of the encoder prepared for a CPU, where a
                pass takes long; what it raises ends the pass.

        Raises:
            ValueError: the images have another shape.
        """
        expected = ((1, IMAGE_SIZE, IMAGE_SIZE), (3, IMAGE_SIZE, IMAGE_SIZE))
        if images.ndim != 4 or images.shape[1:] not in expected:
            raise ValueError(
                f"images must have shape (B, 1 or 3, {IMAGE_SIZE}, {IMAGE_SIZE}), "
                f"not {tuple(images.shape)}"
            )
        if self._inference_encoder is None:
            return self.image_encoder(images.expand(-1, 3, -1, -1))
        if isinstance(self._inference_encoder, TinyViTInference):
            return self._inference_encoder(images, between_blocks)
        return self._inference_encoder(images.expand(-1, 3, -1, -1))

    def decode(
        self,
        embedding: torch.Tensor,
        boxes: torch.Tensor | None = None,
        points: Points | None = None,
        mask: torch.Tensor | None = None,
        multimask: bool = False,
        part: Part | None = None,
        between_blocks: Callable[[], None] = lambda: None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask logits of N prompts on one image, each a box, points, a mask or a combination.

        Args:
            embedding: (1, 256, 64, 64) from `encode`.
            boxes: (N, 4) as x0, y0, x1, y1 in pixels of the 256 x 256 image.
            points: coordinates (N, P, 2) as (x, y) in the same pixels, and labels (N, P): 1 in
                the object, 0 outside, -1 for padding where prompts differ in length.
            mask: logits (N, 1, 256, 256) of an earlier call; not together with `part`.
            multimask: three candidates for an ambiguous prompt, instead of one mask.
            part: first row, first column and side, in pixels and multiples of 4, of the square
                that the prompts are about. The decoder looks at nothing else, and takes that much
                less time.
            between_blocks: called between the decoder's blocks; what it raises ends the work.

        Returns:
            Logits (N, M, 256, 256), or of the part's side, above 0 inside the object, and the
            model's own estimate of the IoU (N, M); M is 1 or 3.
        """
        sparse, dense = self.prompt_encoder(boxes, points, mask)
        positions = self._grid_positions
        if positions is None:
            positions = self.prompt_encoder.grid_positions()
        if part is not None:
            row, column, side = (n // PIXELS_PER_TOKEN for n in part)
            rows, columns = slice(row, row + side), slice(column, column + side)
            embedding = embedding[:, :, rows, columns]
            grid = positions.view(EMBEDDING_SIZE, EMBEDDING_SIZE, -1)
            positions = grid[rows, columns].flatten(0, 1)
        pixels = embedding.flatten(2).transpose(1, 2).contiguous()
        return self.mask_decoder(pixels, positions, sparse, dense, multimask, between_blocks)

    def _drop_derived(self) -> None:
        self._inference_encoder = None
        self._grid_positions = None
