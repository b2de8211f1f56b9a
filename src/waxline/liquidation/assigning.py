"""Deleveraging for many winners at once: the policies of `rules_deleveraging_policies` on columns.

Ranked policies order the rows and let each give all he has; sharing policies keep the order and bound what each gives.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_EQUITY_USD = 1e-9


class Winners(NamedTuple):
    """Hold candidates [N] of one perp and one side: coins > 0, profit and entry value in USD, account value and maintenance in USD.

    Owners without leverage have an account value of their notional and a maintenance of 0.
    """

    coins: Floats
    profit: Floats
    entry_usd: Floats
    equity: Floats
    maintenance: Floats


def scores_of(rule: str, side: int, mark: float, winners: Winners) -> Floats | None:
    """Return the rank of each winner [N], largest first to go; None for a policy that does not rank. side: +1 long, -1 short winners."""
    equity = np.maximum(winners.equity, LEAST_EQUITY_USD)
    share = winners.profit / np.maximum(winners.entry_usd, 1e-12)
    notional = winners.coins * mark
    if rule == "profit_times_leverage":
        return np.asarray(np.where(share > 0.0, share * notional / equity, share * equity / np.maximum(notional, 1e-12)))
    if rule == "profit_times_margin":
        return np.asarray(np.maximum(winners.profit, 0.0) / np.maximum(winners.equity - winners.profit, 1.0) * winners.maintenance / equity)
    if rule == "profit_over_level":
        return np.asarray(share * winners.maintenance / equity)
    if rule == "price_times_leverage":
        entry = winners.entry_usd / winners.coins
        return np.asarray((mark / entry if side > 0 else entry / mark) * notional / equity)
    return None


def order_and_most(rule: str, side: int, mark: float, winners: Winners, wanted: float, cap: float, start: float) -> tuple[Ints, Floats]:
    """Return in which order winners are closed [N] and the coins each gives at the most [N, in that order].

    Equal ranks keep the order of rows. start: part of the rows (0 to 1) after which an unranked queue begins; cap: largest part of a position
    under `capped`.
    """
    count = winners.coins.size
    order = np.arange(count)
    scores = scores_of(rule, side, mark, winners)
    if scores is not None:
        order = np.argsort(-scores, kind="stable")
        return order, winners.coins[order]
    if rule == "unranked":
        order = np.roll(order, -min(int(start * count), max(count - 1, 0)))
        return order, winners.coins[order]
    weights, most = winners.coins, winners.coins
    if rule == "capped":
        most = cap * winners.coins
    elif rule == "risk_weighted":
        weights = winners.coins * winners.coins * mark / np.maximum(winners.equity, LEAST_EQUITY_USD)
    elif rule == "smallest_part":
        weights = np.maximum(winners.equity, LEAST_EQUITY_USD)
    else:
        assert rule == "pro_rata", rule
    return order, filled(weights, most, wanted)


def filled(weights: Floats, most: Floats, wanted: float) -> Floats:
    """Return min(level times weight, most) [N] with the level at which they sum to `wanted`; all of `most` if that is less. Weights > 0."""
    ratio = most / weights
    order = np.argsort(ratio, kind="stable")
    full = np.concatenate([[0.0], np.cumsum(most[order])])[:-1]
    open_weight = np.cumsum(weights[order][::-1])[::-1]
    level = (wanted - full) / open_weight
    held = np.flatnonzero(level <= ratio[order])
    return np.minimum(max(float(level[held[0]]), 0.0) * weights, most) if held.size else most.copy()
