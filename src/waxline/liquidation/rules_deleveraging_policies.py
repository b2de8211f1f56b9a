"""Policies of deleveraging: how many coins of each winner are closed, through one interface.

A policy takes winners, the mark price, and the coins wanted; it answers coins per winner in the order of the rows given. Whatever the policy:
what is assigned is exactly min(wanted, what the policy may take), nobody gives more than he holds, the order of rows does not matter, and equal
ranks are served by the smaller number first. Given exact fractions policies answer exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from waxline.liquidation.rules_deleveraging import (
    margin_times_profit,
    price_times_leverage,
    profit_over_margin_level,
    profit_share,
    profit_times_leverage,
)
from waxline.liquidation.rules_sharing import capped_parts, total


class Winner(NamedTuple):
    """Hold one candidate: number (breaks ties), side (+1 long, -1 short), coins > 0, entry price, account value > 0 and maintenance in USD.

    `cap` is the largest part of the position that the capped policy may close, 0 to 1.
    """

    number: int
    side: float
    quantity: float
    entry: float
    equity: float
    maintenance: float = 0
    cap: float = 1

    def notional(self, mark: float) -> float:
        """Return the position's value at the mark."""
        return self.quantity * mark

    def profit(self, mark: float) -> float:
        """Return the unrealised profit in USD, negative for a loss."""
        return self.side * self.quantity * (mark - self.entry)

    def profit_part(self, mark: float) -> float:
        """Return unrealised profit over entry value."""
        return profit_share(self.side * self.notional(mark), self.side * self.quantity * self.entry)

    def leverage(self, mark: float) -> float:
        """Return notional over account value."""
        return self.notional(mark) / self.equity


Policy = Callable[[Sequence[Winner], float, float], list[float]]
Rank = Callable[[Winner, float], float]


def rank_by_profit_and_leverage(winner: Winner, mark: float) -> float:
    """Return profit share times leverage; of losers profit share over leverage. Source: BitMEX, Bybit."""
    return profit_times_leverage(winner.profit_part(mark), winner.leverage(mark))


def rank_by_profit_and_margin(winner: Winner, mark: float) -> float:
    """Return Binance's rank: profit over wallet times maintenance over equity; the wallet is account value less open profit."""
    profit = winner.profit(mark)
    return margin_times_profit(winner.equity - profit, profit, winner.maintenance)


def rank_by_profit_and_level(winner: Winner, mark: float) -> float:
    """Return OKX's rank: profit share over equity to maintenance."""
    return profit_over_margin_level(winner.profit_part(mark), winner.equity, winner.maintenance)


def rank_by_price_and_leverage(winner: Winner, mark: float) -> float:
    """Return Hyperliquid's rank: mark over entry (entry over mark for shorts) times leverage."""
    return price_times_leverage(winner.side, mark, winner.entry, winner.notional(mark), winner.equity)


RANKS: dict[str, Rank] = {
    "profit_times_leverage": rank_by_profit_and_leverage,
    "profit_times_margin": rank_by_profit_and_margin,
    "profit_over_level": rank_by_profit_and_level,
    "price_times_leverage": rank_by_price_and_leverage,
}
"""Ranks by name: BitMEX and Bybit, Binance, OKX, Hyperliquid."""


def by_rank(rank: Rank) -> Policy:
    """Return the policy that closes whole positions in falling order of rank."""

    def policy(winners: Sequence[Winner], mark: float, wanted: float) -> list[float]:
        order = sorted(range(len(winners)), key=lambda n: (-rank(winners[n], mark), winners[n].number))
        return in_turn(winners, order, wanted)

    return policy


def without_ranking(start: int) -> Policy:
    """Return the policy that closes whole positions by number, beginning with the first number >= `start`. Source: dYdX v4 (a drawn start)."""

    def policy(winners: Sequence[Winner], mark: float, wanted: float) -> list[float]:
        order = sorted(range(len(winners)), key=lambda n: (winners[n].number < start, winners[n].number))
        return in_turn(winners, order, wanted)

    return policy


def in_turn(winners: Sequence[Winner], order: Sequence[int], wanted: float) -> list[float]:
    """Return coins closed when winners give all they hold, in this order, until `wanted` is reached."""
    closed = [0 * wanted for _ in winners]
    left = wanted
    for n in order:
        if left <= 0:
            break
        closed[n] = min(winners[n].quantity, left)
        left -= closed[n]
    touched = [n for n in reversed(order) if closed[n] > 0]
    return settled(closed, [winner.quantity for winner in winners], touched, wanted)


def pro_rata(winners: Sequence[Winner], mark: float, wanted: float) -> list[float]:
    """Return coins closed when all give the same part of their position."""
    return filled(winners, [winner.quantity for winner in winners], [winner.quantity for winner in winners], wanted)


def capped_pro_rata(winners: Sequence[Winner], mark: float, wanted: float) -> list[float]:
    """Return coins closed when all give the same part, but nobody more than his cap (water-filling). Source: arXiv 2512.01112, algorithm 1."""
    return filled(winners, [winner.quantity for winner in winners], [winner.quantity * winner.cap for winner in winners], wanted)


def risk_weighted(winners: Sequence[Winner], mark: float, wanted: float) -> list[float]:
    """Return coins closed when the part each gives grows with his leverage, at most all. Source: arXiv 2512.01112 (risk-aware policies)."""
    weights = [winner.quantity * winner.leverage(mark) for winner in winners]
    return filled(winners, weights, [winner.quantity for winner in winners], wanted)


def smallest_part(winners: Sequence[Winner], mark: float, wanted: float) -> list[float]:
    """Return the assignment in which the largest part that anyone gives of his account value is smallest.

    Every coin costs its owner the same, so that all give the same notional per USD of account value, as far as they hold it. Source: the
    min-max programme of arXiv 2602.15182, without whole contracts.
    """
    return filled(winners, [winner.equity for winner in winners], [winner.quantity for winner in winners], wanted)


def smallest_part_in_lots(winners: Sequence[Winner], mark: float, wanted: int) -> list[int]:
    """Return the same with whole contracts: `wanted` and quantities are counts. Lot after lot goes to whoever is then worst off least.

    That is optimal: any assignment with a smaller largest part would hold fewer lots than are wanted. Ties go to the smaller number.
    """
    whole = [math.floor(winner.quantity) for winner in winners]
    closed = [min(math.floor(coins), most) for coins, most in zip(smallest_part(winners, mark, wanted), whole, strict=True)]
    for _ in range(min(wanted, sum(whole)) - sum(closed)):
        free = (n for n in range(len(winners)) if closed[n] < whole[n])
        n = min(free, key=lambda n: ((closed[n] + 1) / winners[n].equity, winners[n].number))
        closed[n] += 1
    return closed


def filled(winners: Sequence[Winner], weights: Sequence[float], most: Sequence[float], wanted: float) -> list[float]:
    """Return min(level times weight, most) per winner, with the level at which they sum to `wanted` (all of `most` if that is less).

    Winners are taken by number, so that rounding does not depend on the order of rows either.
    """
    order = sorted(range(len(winners)), key=lambda n: winners[n].number)
    open_ones = [n for n in order if weights[n] > 0 and most[n] > 0]
    parts = capped_parts([weights[n] for n in open_ones], [most[n] / weights[n] for n in open_ones], wanted)
    closed = [0 * wanted for _ in winners]
    for n, part in zip(open_ones, parts, strict=True):
        closed[n] = min(part * weights[n], most[n])
    return settled(closed, most, order, wanted)


def settled(closed: list[float], most: Sequence[float], order: Sequence[int], wanted: float) -> list[float]:
    """Return `closed` with what rounding left over or took too much put right, in this order: the sum is min(wanted, sum of most)."""
    target = min(wanted, total(most))
    for n in order:
        gap = target - total(closed)
        if gap == 0:
            break
        closed[n] = min(max(closed[n] + gap, 0 * gap), most[n])
    return closed


POLICIES: Mapping[str, Policy] = {
    **{name: by_rank(rank) for name, rank in RANKS.items()},
    "unranked": without_ranking(0),
    "pro_rata": pro_rata,
    "capped": capped_pro_rata,
    "risk_weighted": risk_weighted,
    "smallest_part": smallest_part,
}
"""Policies by the names that scenarios use."""


def closed_at(rule: str, mark: float, bankruptcy: float, previous_mark: float) -> float:
    """Return the price at which winners are closed. Source: Binance, BitMEX, Bybit, dYdX (bankruptcy); OKX (mark); Hyperliquid (previous mark)."""
    return {"mark": mark, "bankruptcy": bankruptcy, "previous_mark": previous_mark}[rule]


def loss_of_winner(winner: Winner, coins: float, mark: float, price: float) -> float:
    """Return what a winner gives up, USD: coins closed at `price` instead of at the mark, against his side; not below zero."""
    return max(winner.side * coins * (mark - price), 0 * mark)
