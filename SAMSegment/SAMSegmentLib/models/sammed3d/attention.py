"""Self-attention of SAM-Med3D's encoder, with its padded windows collapsed.

Source: SAM-Med3D (Wang et al. 2023, uni-medical/SAM-Med3D), whose encoder is ViTDet's (Li et al.
2022) with a third axis. Eight of its twelve blocks pad the cube of 8^3 tokens to a window of 14^3
before the tokens attend to each other: nine tenths of the published encoder's work. All pad tokens
are alike, so what they do to a token has a closed form, and costs next to nothing.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F


class CubeAttention(nn.Module):
    """Multi-head attention among the tokens of a cube, with relative positions.

    In the comments, a query is the token (a, b, c) and a key the token (p, r, s), in the order of
    the axes d, h, w.

    Args:
        channels: of a token.
        heads: number of heads, each of channels / heads.
        grid: tokens along each axis of the cube.
        window: side of the window to which training padded the cube with zeros, at the high end of
            each axis; `grid` where it did not.
    """

    def __init__(self, channels: int, heads: int, grid: int, window: int):
        super().__init__()
        self.heads, self.grid, self.window = heads, grid, window
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        width = channels // heads
        self.rel_pos_d = nn.Parameter(torch.zeros(2 * window - 1, width))
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * window - 1, width))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * window - 1, width))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Attend among (B, grid^3, channels), the tokens by d, h, w; same shape."""
        count, length, _ = tokens.shape
        q, k, v = self.qkv(tokens).view(count, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        cube = q.unflatten(2, (self.grid,) * 3)
        tables = [self._table(rel) for rel in (self.rel_pos_d, self.rel_pos_h, self.rel_pos_w)]
        terms = self._terms(cube, tables)
        if self.window == self.grid:
            bias = _real_bias(terms).flatten(5).flatten(2, 4)
        else:
            # A pad token is zero, so its query, key and value are the bias of `qkv`. Pads take part
            # in the softmax: the weights were trained so. One virtual key stands in for them all.
            pad_q, pad_k, pad_v = self.qkv.bias.to(q.dtype).view(3, self.heads, 1, -1)
            k = torch.cat([k, pad_k.expand(count, -1, -1, -1)], dim=2)
            v = torch.cat([v, pad_v.expand(count, -1, -1, -1)], dim=2)
            bias = self._bias_with_pads(terms, self._pad_bias(terms, tables, pad_q[:, 0]))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.proj(attended.transpose(1, 2).flatten(2))

    def _table(self, relative: torch.Tensor) -> torch.Tensor:
        """Vectors by (place of the token, place of the key) along an axis: (window, window, C)."""
        places = torch.arange(self.window, device=relative.device)
        return relative[places[:, None] - places + self.window - 1]

    def _terms(
        self, cube: torch.Tensor, tables: list[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What relative positions add to a score: D + H + W, each (B, heads, a, b, x, s).

        x is c for D, p for H and r for W: published code puts the key's place last in all three
        terms, which does not fail since the cube has equal sides, but is not the formula of ViTDet:
        score(abc, prs) gets D[a,b,c,s] + H[a,b,p,s] + W[a,b,r,s]. The weights were trained so, and
        with queries that are scaled in the other part of the score, but not here.
        """
        d, h, w = (table[: self.grid].to(cube.dtype) for table in tables)
        return (
            torch.einsum("xnabcw,asw->xnabcs", cube, d),
            torch.einsum("xnabpw,bsw->xnabps", cube, h),
            torch.einsum("xnabrw,rsw->xnabrs", cube, w),
        )

    def _pad_bias(self, terms, tables: list[torch.Tensor], pad_q: torch.Tensor) -> torch.Tensor:
        """What to add to the virtual key's score: log of the sum over all pads, (B, heads, abc).

        A key is a pad if p, r or s lies beyond the grid. With e = exp, H8 and W8 the sums of eH and
        eW over the tokens' places, Hp and Wp over the pads':
        sum = sum over s of eD[s] M[s], with M[s] = Hp (W8 + Wp) + H8 Wp for s within the grid, else
        (H8 + Hp) (W8 + Wp). In logarithms, so that nothing overflows.

        Args:
            pad_q: a pad's query, (heads, C).
        """
        grid, window = self.grid, self.window
        _, h, w = (table.to(pad_q.dtype) for table in tables)
        # Along h, a pad's term does not depend on its own place, only on the query's.
        h_pads = torch.einsum("nw,bsw->nbs", pad_q, h[:grid]) + math.log(window - grid)
        w_pads = torch.einsum("nw,rsw->nrs", pad_q, w[grid:]).logsumexp(1)[:, None]
        wide = torch.promote_types(pad_q.dtype, torch.float32)
        d_term, h_term, w_term = (term.to(wide) for term in terms)
        h_pads, w_pads = (
            pads.to(wide).expand(len(d_term), grid, -1, -1, -1) for pads in (h_pads, w_pads)
        )
        h_pads, w_pads = h_pads.transpose(1, 2), w_pads.transpose(1, 2)  # B, heads, a, b, s
        h_tokens, w_tokens = h_term.logsumexp(4), w_term.logsumexp(4)
        h_all, w_all = torch.logaddexp(h_tokens, h_pads), torch.logaddexp(w_tokens, w_pads)
        within = torch.logaddexp(h_pads + w_all, h_tokens + w_pads)
        pads = torch.cat([within[..., :grid], (h_all + w_all)[..., grid:]], dim=-1)
        return (d_term + pads[..., None, :]).logsumexp(-1).flatten(2).to(terms[0].dtype)

    def _bias_with_pads(self, terms, pad_bias: torch.Tensor) -> torch.Tensor:
        """(B, heads, queries, tokens + virtual key)."""
        within = [term[..., : self.grid] for term in terms]
        if torch.is_grad_enabled():
            bias = _real_bias(within).flatten(5).flatten(2, 4)
            return torch.cat([bias, pad_bias[..., None]], dim=-1)
        length = self.grid**3
        bias = pad_bias.new_empty(*pad_bias.shape[:2], length, length + 1)
        bias[..., -1] = pad_bias
        cube = (self.grid,) * 3
        _real_bias(within, out=bias[..., :-1].unflatten(3, cube).unflatten(2, cube))
        return bias


def _real_bias(terms, out: torch.Tensor | None = None) -> torch.Tensor:
    """D + H + W for all pairs of tokens, (B, heads, a, b, c, p, r, s)."""
    d, h, w = terms
    planes = h[..., :, None, :] + w[..., None, :, :]
    return torch.add(d[..., None, None, :], planes[:, :, :, :, None], out=out)
