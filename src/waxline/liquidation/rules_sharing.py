"""Rules of sharing a loss among winners: the same part of everyone's, but nobody more than his own cap."""

from __future__ import annotations

import math
from collections.abc import Sequence


def total(values: Sequence[float]) -> float:
    """Return the sum: exact for whole numbers and fractions, correctly rounded whatever the order for floats."""
    return math.fsum(values) if any(isinstance(value, float) for value in values) else sum(values)


def capped_parts(weights: Sequence[float], caps: Sequence[float], wanted: float) -> list[float]:
    """Return the part h = min(eta, cap) that each gives up so that the sum of weight times part is `wanted`; all their caps if that is less.

    weights: what each could give at most, >= 0 (profit in USD, coins); caps: largest part of it, 0 to 1. The level eta is found by filling:
    those with the lowest caps are full first. Source: Chitra, Autodeleveraging: Impossibilities and Optimization, arXiv 2512.01112, algorithm 1.
    """
    left, open_weight = wanted, total(weights)
    for n in sorted(range(len(caps)), key=lambda n: caps[n]):
        if left <= caps[n] * open_weight:
            level = left / open_weight if open_weight > 0.0 else 0.0
            return [min(level, cap) for cap in caps]
        left -= caps[n] * weights[n]
        open_weight -= weights[n]
    return list(caps)
