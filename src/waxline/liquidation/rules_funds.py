"""Rules of how large an insurance fund should be.

Source: Chitra, Autodeleveraging: Impossibilities and Optimization, arXiv 2512.01112 (best static fund); newsvendor problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

ROUNDS = 200


def tail_worth_leaving(return_forgone: float, cost_of_shortfall: float) -> float:
    """Return the probability of a loss beyond the fund at which one more USD in it costs as much as it saves: r / kappa, at most 1.

    return_forgone: per USD held in the fund; cost_of_shortfall: per USD that the fund cannot pay, > 0.
    """
    return min(return_forgone / cost_of_shortfall, 1.0)


def fund_enough(exceedance: Callable[[float], float], tail: float) -> float:
    """Return the smallest fund that losses exceed with a probability of at most `tail` (0 < tail < 1), USD, by bisection.

    exceedance: probability that the loss is larger than its argument; it must not rise. Returns inf where no fund is enough.
    """
    low, high = 0.0, 1.0
    if exceedance(low) <= tail:
        return low
    while exceedance(high) > tail:
        low, high = high, 2.0 * high
        if math.isinf(high):
            return math.inf
    for _ in range(ROUNDS):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if exceedance(middle) > tail:
            low = middle
        else:
            high = middle
    return high


def fund_enough_of(losses: Sequence[float], confidence: float) -> float:
    """Return the smallest fund that would have paid all of at least `confidence` of the observed losses, USD; 0 without losses to pay.

    losses: one per path or event, > 0 where the fund had to pay. With n losses nothing beyond a confidence of n / (n + 1) is known: the
    largest loss is then a lower bound.
    """
    ranked = sorted(max(loss, 0.0) for loss in losses)
    needed = math.ceil(confidence * len(ranked) - 1e-9)
    return ranked[needed - 1] if needed > 0 else 0.0
