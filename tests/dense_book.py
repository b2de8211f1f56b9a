"""A book with every rung of every owner written out: the slow twin of the ladders of `waxline.market.kernels`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from waxline.reference import BUY, SELL, Book, Order

Floats = NDArray[np.float64]


class DenseBook:
    """Hold coins [S, 2, K] at best levels [S, 2]; the last owner has shape 1 of offset and usd [2, K], all others shape 0."""

    def __init__(self, grid: float, offset: NDArray[np.int64], usd: Floats, owners: int) -> None:
        shape = np.where(np.arange(owners) == owners - 1, 1, 0)
        self.grid, self.offset, self.usd = grid, offset[shape], usd[shape]
        self.base = np.zeros((owners, 2), dtype=np.int64)
        self.coins = np.zeros((owners, 2, usd.shape[1]))
        self.traded = np.zeros((4, owners))

    def post(self, s: int, side: int, target: float, refill: float, cut: float, end_rung: int) -> None:
        """Move every rung of an owner by itself toward what it wants to show."""
        for k in range(self.coins.shape[2]):
            gap = (target * self.usd[s, k] if k < end_rung else 0.0) - self.coins[s, side, k]
            self.coins[s, side, k] += (refill if gap > 0.0 else cut) * gap

    def levels(self, side: int) -> NDArray[np.int64]:
        """Return the level of every rung of a side [S, K]."""
        return np.asarray(self.base[:, side, None] + (-self.offset if side == 0 else self.offset))

    def clear(self, orders: dict[int, list[Order]]) -> tuple[Floats, Floats]:
        """Match quotes that cross, then walk both sides with the orders of each side; return coins and log prices that crossed and walked."""
        plain = Book(self.grid)
        for side, sign in ((0, BUY), (1, SELL)):
            for (s, k), level in np.ndenumerate(self.levels(side)):
                plain.post(sign, int(level), s, float(self.coins[s, side, k]))
        crossed, _ = plain.cross()
        walked = [plain.walk(sign, orders[sign]) for sign in (SELL, BUY)]
        for side, sign in ((0, BUY), (1, SELL)):
            for (s, k), level in np.ndenumerate(self.levels(side)):
                self.coins[s, side, k] = plain.quotes(sign).get(int(level), {}).get(s, 0.0)
        for row, told in enumerate((plain.bought, plain.paid, plain.sold, plain.received)):
            self.traded[row] = [told[s] for s in range(self.base.shape[0])]
        return np.array([crossed, *(walk.traded for walk in walked)]), np.array([np.nan if walk.last is None else walk.last for walk in walked])

    def depth_usd(self, side: int, log_mid: float, band: float) -> float:
        """Return the USD that rest on a side within a band of the mid."""
        log_prices = self.levels(side) * self.grid
        inside = log_prices >= log_mid - band if side == 0 else log_prices <= log_mid + band
        return float((self.coins[:, side] * np.exp(log_prices))[inside].sum())
