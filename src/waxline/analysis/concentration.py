"""Say how unequally an amount is spread: the part of the largest, the Gini coefficient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def top_share(amounts: Floats, most: int) -> float:
    """Return the part of the sum of `amounts` [N] (not negative) that the `most` largest hold; NaN where the sum is 0."""
    whole = float(np.sum(amounts))
    return float(np.sum(np.sort(amounts)[::-1][:most])) / whole if whole > 0.0 else float("nan")


def gini(amounts: Floats) -> float:
    """Return the Gini coefficient of `amounts` [N] (not negative): 0 where all have the same, 1 - 1/N where one has all; NaN where the sum is 0.

    sum (2 i - N - 1) x_i / (N sum x), x rising. Source: C. Gini, 1912; the form is that of Sen, On Economic Inequality, 1973.
    """
    x = np.sort(np.asarray(amounts, dtype=np.float64))
    whole, n = float(np.sum(x)), x.size
    return float(np.sum((2.0 * np.arange(1, n + 1) - n - 1.0) * x)) / (n * whole) if whole > 0.0 else float("nan")
