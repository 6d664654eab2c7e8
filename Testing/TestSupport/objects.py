"""Objects in small windows, as the training gets them."""

import torch
from hypothesis import strategies as st

#: Edge of a window, voxels.
N = 16


def box(low, high, n=N):
    """A boolean window (1, n, n, n) with a box from low to high."""
    mask = torch.zeros(1, n, n, n, dtype=torch.bool)
    mask[0, low[0] : high[0], low[1] : high[1], low[2] : high[2]] = True
    return mask


@st.composite
def boxes(draw, least=0, most=N):
    """Boxes from one voxel to all of the window."""
    low = [draw(st.integers(least, most - 1)) for _ in range(3)]
    return box(low, [draw(st.integers(a + 1, most)) for a in low])


def seeded(number):
    """A generator of random numbers."""
    return torch.Generator().manual_seed(number)


#: Of random numbers.
seeds = st.integers(0, 2**31)
