"""One side of one book that stands alone, with all coins written out: depth, best level and a walk by the kernels of the simulation."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from waxline.market.kernels import DUST, NO_LEVEL, open_side, walk_side
from waxline.market.sorting import DIGITS, sort_by_limit
from waxline.market.tables import BID, E_CASH, E_FILLED, E_LIMIT, E_QUANTITY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Side(NamedTuple):
    """Hold one side (0 bids, 1 asks) of a book: best levels of owners [S], offsets in levels per shape [2, K], coins [S, K]; the last owner has shape 1."""

    side: int
    grid: float
    base: Ints
    offset: Ints
    coins: Floats

    @property
    def levels(self) -> Ints:
        """Return the level of every rung [S, K]."""
        owners = self.base.size
        away = self.offset[np.where(np.arange(owners) == owners - 1, 1, 0)]
        return np.asarray(self.base[:, None] - away if self.side == BID else self.base[:, None] + away)

    @property
    def best(self) -> int:
        """Return the best level, NO_LEVEL when the side is empty."""
        standing = self.levels[self.coins > DUST]
        if standing.size == 0:
            return NO_LEVEL
        return int(standing.max() if self.side == BID else standing.min())

    def depth_usd(self, log_mid: float, band: float) -> Floats:
        """Return the USD that each owner [S] shows within `band` (log distance) of the mid."""
        log_prices = self.levels * self.grid
        inside = (log_prices >= log_mid - band) if self.side == BID else (log_prices <= log_mid + band)
        return np.asarray(np.where(inside, self.coins * np.exp(np.where(inside, log_prices, 0.0)), 0.0).sum(axis=1))


class Walked(NamedTuple):
    """Hold what a walk did: coins and USD per order [N], the last log price (NaN when nothing traded), coins left [S, K]."""

    filled: Floats
    cash: Floats
    last: float
    left: Floats


def walk(book: Side, quantity: Floats, limit: Floats) -> Walked:
    """Walk a side with market orders (coins [N], worst log price [N]): sells walk bids, buys walk asks; the book given is left as it is."""
    side, count, (owners, rungs) = book.side, quantity.size, book.coins.shape
    base, left = np.zeros((1, owners, 2), dtype=np.int64), np.zeros((1, owners, 2, rungs))
    base[0, :, side], left[0, :, side] = book.base, book.coins
    usd, scale, eaten = np.zeros((1, 2, rungs)), np.zeros((1, owners, 2)), np.full((1, owners, 2), rungs)
    entries, cause, owner, sums = np.zeros((2, 5, count)), np.zeros((2, count), dtype=np.int64), np.zeros((4, owners)), np.zeros((2, 1))
    entries[side, E_QUANTITY], entries[side, E_LIMIT] = quantity, limit
    order, work = np.zeros(count, dtype=np.int64), np.zeros((3, 2, owners), dtype=np.int64)
    sort_by_limit(side, count, entries, order, np.zeros((4, max(count, DIGITS)), dtype=np.int64))
    open_side(0, side, base, book.offset[None], usd, scale, eaten, left, work[0], work[1])
    _, last, _, _ = walk_side(
        0,
        side,
        count,
        order,
        entries,
        cause,
        sums[0],
        base,
        book.offset[None],
        usd,
        scale,
        eaten,
        left,
        book.grid,
        work[0],
        work[1],
        work[2],
        owner,
        sums[1],
    )
    return Walked(entries[side, E_FILLED], entries[side, E_CASH], last, left[0, :, side])
