"""Keep one book level by level while changes arrive: price -> quantity, sides sorted, nothing aggregated."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable

import numpy as np

from waxline.depth.samples import ASK, BID, Floats, cumulative


class LevelBook:
    """Hold the resting quantity (coins) per price (USD) of both sides; side 0 bids, side 1 asks."""

    def __init__(self) -> None:
        """Start with two empty sides."""
        self.quantity: tuple[dict[float, float], dict[float, float]] = ({}, {})
        self.prices: tuple[list[float], list[float]] = ([], [])

    def replace(self, side: int, levels: Iterable[tuple[float, float]]) -> None:
        """Take a whole side from (price, quantity) pairs; quantity 0 is no level."""
        self.quantity[side].clear()
        self.quantity[side].update((price, quantity) for price, quantity in levels if quantity > 0.0)
        self.prices[side][:] = sorted(self.quantity[side])

    def change(self, side: int, price: float, quantity: float) -> None:
        """Set the quantity at one price; 0 removes the level."""
        known, prices = self.quantity[side], self.prices[side]
        if quantity > 0.0:
            if price not in known:
                insort(prices, price)
            known[price] = quantity
        elif known.pop(price, None) is not None:
            del prices[bisect_left(prices, price)]

    @property
    def best(self) -> tuple[float, float]:
        """Return best bid and best ask (NaN for an empty side)."""
        bids, asks = self.prices
        return (bids[-1] if bids else math.nan), (asks[0] if asks else math.nan)

    def within_usd(self, side: int, edge: float) -> float:
        """Return USD resting between the best price and `edge` (USD, included): bids at or above it, asks at or below it."""
        prices, known = self.prices[side], self.quantity[side]
        part = prices[bisect_left(prices, edge) :] if side == BID else prices[: bisect_right(prices, edge)]
        return math.fsum(price * known[price] for price in part)

    def depth(self, mid_usd: float, distances: Floats) -> Floats:
        """Return cumulative USD [2, N] within log distances [2, N] of the mid."""
        rows = []
        for side in (BID, ASK):
            prices = np.array(self.prices[side])
            quantities = np.fromiter((self.quantity[side][price] for price in self.prices[side]), dtype=np.float64, count=prices.size)
            rows.append(cumulative(prices, quantities, mid_usd, distances[side], side))
        return np.array(rows)
