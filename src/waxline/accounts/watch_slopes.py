"""Steepest slopes of margin rules: how much an account can lose at most while one price moves, for the watch ladders.

Equity less requirement is a sum of functions of one price each, for positions inside the settlement balance, which itself counts by bands; a leg's slope is
at most the steepest of its pieces times the steepest of the settlement currency's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.margin_book import LOANS, BookRules, Prices, pieces_of
from waxline.accounts.tables import Floats, Ints


class WatchRules(NamedTuple):
    """Hold the pieces of the rules by family: first [F + 1], price [F] (place in the prices, -1: none), columns of `Pieces` [K], and steepest slopes.

    fall [F], rise [K]: what a unit of positive amount loses (USD per USD) in a fall, a negative one in this or any larger piece in a rise; sigma [P]:
    how far the prices move compared with each other; steepest_cash: the same slope of the settlement balance; settles_in: its family.
    """

    first: Ints
    price: Ints
    gives: Floats
    always: Floats
    owed: Floats
    up_to: Floats
    in_coins: NDArray[np.bool_]
    paid_by: Ints
    of_asset: NDArray[np.bool_]
    fall: Floats
    rise: Floats
    sigma: Floats
    steepest_cash: float
    settles_in: int
    line: float
    loans: bool
    equality: bool


def watch_rules(rules: BookRules, volatility: Prices) -> tuple[WatchRules, NDArray[np.bool_]]:
    """Return the pieces with their steepest slopes, and which families [F] have none, so that their holders are looked at in every step.

    volatility: of marks and assets, in any one unit; zero promises a constant price (one that moves all the same has everybody looked at). Raises ValueError
    where the settlement currency has bands in coins and a price that moves.
    """
    pieces = pieces_of(rules)
    order = np.sort(np.concatenate([[0], pieces.first_of_market, pieces.first_of_flat, pieces.first_of_asset])).astype(np.int64)
    first = np.append(order, pieces.up_to.size)
    markets = rules.inverse.size
    places = np.where(pieces.market >= 0, pieces.market, np.where(pieces.asset >= 0, pieces.asset + markets, -1))
    sigma = np.concatenate([volatility.mark, volatility.asset]).astype(np.float64)
    if not bool((np.isfinite(sigma) & (sigma >= 0.0)).all()):
        raise ValueError("volatility must be finite and not negative; give 0 for a price that is promised not to move")
    for_backing, for_owed = (rules.line, 1.0) if rules.measure == LOANS else (1.0, rules.line)
    settle = int(np.searchsorted(first, pieces.first_of_asset[rules.settles_in]))
    of_cash = slice(int(first[settle]), int(first[settle + 1]))
    slopes = for_backing * pieces.gives[of_cash] - for_owed * pieces.owed[of_cash]
    if rules.band_in_coins[rules.settles_in] and slopes.size > 2 and sigma[markets + rules.settles_in] > 0.0:
        raise ValueError("the settlement currency has bands in coins and a price that moves: give its bands in USD, or volatility 0")
    position = pieces.market >= 0
    steepest, flattest = (np.where(position, bound, for_backing) for bound in (slopes.max(), slopes.min()))
    slope = steepest * pieces.gives - for_owed * pieces.owed
    below = pieces.up_to <= 0.0
    bad = (flattest * pieces.gives - for_owed * pieces.owed < 0.0) & (places >= 0)
    # Constants of positions count in what is required, of coins in what backs the account.
    constant = np.where(position, -for_owed, for_backing) * pieces.always
    value = for_backing * pieces.gives - for_owed * pieces.owed
    ends = pieces.up_to[:-1]
    same = np.isfinite(ends) & ~np.isin(np.arange(1, pieces.up_to.size), first)
    reach = np.where(same, ends, 0.0)
    jump = np.abs((value[1:] - value[:-1]) * reach + constant[1:] - constant[:-1]) > 1e-14 * np.abs(reach)
    bad[:-1] |= same & jump
    fall, rise, flagged = np.zeros(first.size - 1), slope.copy(), np.zeros(first.size - 1, dtype=bool)
    for f in range(first.size - 1):
        rows = np.arange(first[f], first[f + 1])
        fall[f] = slope[rows[~below[rows]]].max(initial=0.0)
        under = rows[below[rows]]
        # A rise carries a short position from its piece to the larger ones before it, no further than where 1 + RISE times its amount lies.
        rise[under] = np.maximum.accumulate(slope[under][::-1])[::-1]
        flagged[f] = bad[rows].any()
    columns = (pieces.gives, pieces.always, pieces.owed, pieces.up_to, pieces.in_coins, pieces.paid_by, pieces.asset >= 0)
    found = WatchRules(
        first, places[order].astype(np.int64), *columns, fall, rise, sigma, float(slopes.max()), settle, rules.line, rules.measure == LOANS, rules.equality
    )
    return found, flagged
