"""How far two masks agree."""

from __future__ import annotations

import numpy as np


def dice(one: np.ndarray, other: np.ndarray, empty: float = 0.0) -> float:
    """Dice coefficient of two boolean masks of one shape, 0 to 1; `empty` for two empty ones."""
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero(one & other) / total if total else empty
