"""Muon steps along orthogonalised gradients."""

import pytest
import torch

from Training.muon import Muon, orthogonalised


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (16, 16), (8, 4, 3, 3, 3), (1, 12)])
def test_singular_values_of_an_orthogonalised_matrix_are_near_one(shape):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    result = orthogonalised(weight.flatten(1))
    assert result.shape == weight.flatten(1).shape and result.dtype == torch.float32
    values = torch.linalg.svdvals(result)
    # Five steps leave the values between these, whatever they were.
    assert values.min() > 0.4 and values.max() < 1.3


def test_it_keeps_the_directions():
    matrix = torch.randn(8, 20, generator=torch.Generator().manual_seed(2))
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    nearest = u @ v
    cosine = (orthogonalised(matrix) * nearest).sum() / nearest.norm()
    assert cosine / orthogonalised(matrix).norm() > 0.95


@pytest.mark.parametrize("shape", [(3, 5), (7, 2), (4, 2, 3, 3, 3)])
def test_steps_lower_a_loss(shape):
    torch.manual_seed(3)
    weight, goal = torch.nn.Parameter(torch.randn(shape)), torch.randn(shape)
    optimizer = Muon([weight], lr=0.3)
    losses = []
    for _ in range(60):
        loss = (weight - goal).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_a_step_is_as_large_as_adams_and_its_size_does_not_depend_on_the_gradients():
    for scale in (1e-4, 1.0, 1e4):
        weight = torch.nn.Parameter(torch.zeros(16, 16))
        weight.grad = scale * torch.randn(16, 16, generator=torch.Generator().manual_seed(4))
        Muon([weight], lr=0.1).step()
        assert weight.detach().square().mean().sqrt() == pytest.approx(0.1 * 0.2, rel=0.2)


def test_weights_decay_whatever_the_gradient_and_stay_without_one():
    decaying, still = (torch.nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    decaying.grad = torch.zeros(4, 4)
    Muon([decaying, still], lr=0.1, weight_decay=0.5).step()
    assert torch.allclose(decaying.detach(), torch.full((4, 4), 0.95))
    assert torch.equal(still.detach(), torch.ones(4, 4))


def test_momentum_is_restored():
    def stepped(count, state=None, start=None):
        torch.manual_seed(5)
        gradients = torch.randn(6, 4, 4)
        weight = torch.nn.Parameter(torch.zeros(4, 4) if start is None else start.clone())
        optimizer = Muon([weight], lr=0.1)
        if state is not None:
            optimizer.load_state_dict(state)
        for number in count:
            weight.grad = gradients[number]
            optimizer.step()
        return weight.detach(), optimizer.state_dict()

    half, state = stepped(range(3))
    assert torch.equal(stepped(range(3, 6), state, half)[0], stepped(range(6))[0])
    assert not torch.equal(stepped(range(3, 6), None, half)[0], stepped(range(6))[0])
