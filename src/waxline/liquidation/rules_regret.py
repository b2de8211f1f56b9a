"""Rules that judge deleveraging after the event: what was needed, how far a policy was from it, how unevenly it took, what could be promised.

A wave is a run of deleveraging without a pause of some seconds. Source: Chitra, Thogiti, Trujillo, Xu, Autodeleveraging as Online Learning,
arXiv 2602.15182.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise


def needed_haircut(gaps: Sequence[float], coins: Sequence[float]) -> float:
    """Return what winners had to give up in a wave, USD: sum of |mark - execution price| times coins."""
    return math.fsum(abs(gap) * held for gap, held in zip(gaps, coins, strict=True))


def tracking_regret(taken: Sequence[float], needed: Sequence[float]) -> float:
    """Return the sum over waves of |taken - needed|, USD."""
    return math.fsum(abs(one - other) for one, other in zip(taken, needed, strict=True))


def fairness_regret(largest: Sequence[float], fairest: Sequence[float], needed: Sequence[float]) -> float:
    """Return the sum over waves of needed times |largest part that someone gave - the smallest possible such part|, USD."""
    return math.fsum(held * abs(one - other) for one, other, held in zip(largest, fairest, needed, strict=True))


def severity(needed: float, deficit: float) -> float:
    """Return the part of a deficit that winners must bear, 0 to 1; 0 without a deficit."""
    return min(max(needed / deficit, 0.0), 1.0) if deficit > 0.0 else 0.0


def path_length(values: Sequence[float]) -> float:
    """Return the sum of the moves from one value to the next."""
    return math.fsum(abs(later - earlier) for earlier, later in pairwise(values))


def regret_bound(length: float, deficits: Sequence[float]) -> float:
    """Return the bound on the regret against a severity that moves by `length` in all: sqrt((1 + 2 P) sum D^2), USD."""
    return math.sqrt((1.0 + 2.0 * length) * math.fsum(deficit * deficit for deficit in deficits))
