"""Records what the authors' SAM-Med3D says with random weights, for tests without their code.

    python Testing/TestSupport/record_sammed3d.py MAIN_CHECKOUT CVPR_CHECKOUT

The first is a checkout of uni-medical/SAM-Med3D (f3de1fa), the second of its branch CVPR25_3DFM
(e7e7c6c), whose prompt encoder knows boxes. Written is sammed3d_recorded.json beside this file: of
each output its shape, mean, deviation, and values at fixed places. The padded twin is held against
the authors' encoder on the way.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from functools import partial
from pathlib import Path

import torch
from torch import nn

from TestSupport import sammed3d_padded
from TestSupport.sammed3d_cases import CASES, MASKS, PICTURE_SEED, WEIGHTS_SEED
from TestSupport.sammed3d_weights import random_picture, random_weights

OUTPUT = Path(__file__).parent / "sammed3d_recorded.json"
VALUES = 64


def main(main_checkout: str, cvpr_checkout: str) -> None:
    torch.set_grad_enabled(False)
    plain, with_boxes = Path(main_checkout), Path(cvpr_checkout)
    recorded: dict[str, dict] = {}
    for boxes in (False, True):
        network = authors_network(plain, with_boxes if boxes else plain)
        weights = random_weights(WEIGHTS_SEED, boxes)
        network.load_state_dict(weights, strict=True)
        picture = random_picture(PICTURE_SEED)
        embedding = network.image_encoder(picture)
        if not boxes:
            _note(recorded, "embedding", embedding)
            _note(recorded, "grid positions", network.prompt_encoder.get_dense_pe())
            twin = sammed3d_padded.encode(weights, picture)
            error = (twin - embedding).norm() / embedding.norm()
            print(f"The padded twin differs from the authors' encoder by {error:.2e} (L2 / L2).")
        for name, (points, box) in CASES.items():
            if (box is not None) != boxes:
                continue
            for which, mask in MASKS.items():
                sparse, dense = network.prompt_encoder(points=points, boxes=box, masks=mask)
                logits, _ = network.mask_decoder(
                    image_embeddings=embedding,
                    image_pe=network.prompt_encoder.get_dense_pe(),
                    sparse_prompt_embeddings=sparse,
                    dense_prompt_embeddings=dense,
                    multimask_output=False,
                )
                if sparse.numel():
                    _note(recorded, f"{name}, {which}: sparse", sparse)
                _note(recorded, f"{name}, {which}: dense", dense)
                _note(recorded, f"{name}, {which}: logits", logits)
    lines = [f"  {json.dumps(name)}: {json.dumps(output)}" for name, output in recorded.items()]
    OUTPUT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{OUTPUT}: {len(recorded)} outputs")


def authors_network(checkout: Path, prompts_checkout: Path | None = None) -> nn.Module:
    """The authors' `vit_b_ori`, from the files of a checkout; their package is not imported."""
    encoder = _module(checkout, "image_encoder3D")
    prompts = _module(prompts_checkout or checkout, "prompt_encoder3D")
    decoder = _module(checkout, "mask_decoder3D")
    network = nn.Module()
    network.image_encoder = encoder.ImageEncoderViT3D(
        depth=12,
        embed_dim=768,
        img_size=128,
        mlp_ratio=4,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        num_heads=12,
        patch_size=16,
        qkv_bias=True,
        use_rel_pos=True,
        global_attn_indexes=[2, 5, 8, 11],
        window_size=14,
        out_chans=384,
    )
    network.prompt_encoder = prompts.PromptEncoder3D(
        embed_dim=384,
        image_embedding_size=(8, 8, 8),
        input_image_size=(128, 128, 128),
        mask_in_chans=16,
    )
    network.mask_decoder = decoder.MaskDecoder3D(
        num_multimask_outputs=3, transformer_dim=384, iou_head_depth=3, iou_head_hidden_dim=256
    )
    return network.eval().requires_grad_(False)


def places(count: int) -> torch.Tensor:
    """Where an output of so many values is looked at."""
    generator = torch.Generator().manual_seed(count)
    return torch.randint(count, (VALUES,), generator=generator)


def _note(recorded: dict, name: str, output: torch.Tensor) -> None:
    flat = output.flatten()
    recorded[name] = {
        "shape": list(output.shape),
        "mean": float(f"{flat.double().mean():.9g}"),
        "deviation": float(f"{flat.double().std():.9g}"),
        "values": [float(f"{value:.9g}") for value in flat[places(len(flat))].tolist()],
    }


def _module(checkout: Path, name: str):
    path = checkout / "segment_anything" / "modeling" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"authors_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main(*sys.argv[1:])
