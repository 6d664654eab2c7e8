"""Muon for convolutions: each weight is one matrix of outputs by everything else.

PyTorch's Muon takes matrices alone. Source: Jordan et al., Muon: An optimizer for hidden layers in
neural networks (2024), with the step sizes of Liu et al., arXiv:2502.16982 (2025).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_STEPS = 5


class Muon(torch.optim.Optimizer):
    """Steps along the orthogonalised momentum, as large as those of AdamW.

    Args:
        params: weights of two or more axes, the first that of the outputs.
        lr: learning rate, that of AdamW.
        weight_decay: decoupled.
        momentum: Nesterov's.
    """

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """One step."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                gradient = parameter.grad
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(gradient)
                momentum = state["momentum"].lerp_(gradient, 1 - group["momentum"])
                ahead = gradient.lerp(momentum, group["momentum"])
                update = orthogonalised(ahead.flatten(1)).view_as(parameter)
                size = 0.2 * max(update.flatten(1).shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * size)


def orthogonalised(matrix: torch.Tensor) -> torch.Tensor:
    """Nearly the nearest matrix with orthogonal rows or columns (Newton-Schulz, bfloat16)."""
    a, b, c = _COEFFICIENTS
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(_STEPS):
        product = x @ x.T
        x = a * x + (b * product + c * product @ product) @ x
    return (x.T if tall else x).to(matrix.dtype)
