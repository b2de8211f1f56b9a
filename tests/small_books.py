"""Small random books and market orders, as arrays for the kernels and as the plain book of `waxline.reference`."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from waxline.market.kernels import ASK, BID, NO_LEVEL, best_level, cross_quotes, sort_by_limit, walk
from waxline.reference import BUY, SELL, Book, Order
from waxline.results.schema import N_CAUSES
from waxline.simulation.clearing import E_CASH, E_FILLED, E_LIMIT, E_QUANTITY, net_orders

RUNGS = 5
ENTRIES = 12
SIZES = st.sampled_from([0.0, 0.0, 1e-3, 0.5, 1.0, 2.25, 7.0, 40.0])
LEVEL_MID = 400
Floats = NDArray[np.float64]


class Ladders(NamedTuple):
    """Hold one market's book as the kernels see it: best levels [S, 2], offsets [2, K], coins [S, 2, K], and what owners traded [4, S]."""

    grid: float
    base: NDArray[np.int64]
    offset: NDArray[np.int64]
    posted: Floats
    place: NDArray[np.int64]
    owner: Floats

    @property
    def owners(self) -> int:
        """Return the number of owners."""
        return int(self.base.shape[0])

    def levels(self, side: int) -> NDArray[np.int64]:
        """Return the level of every rung of a side [S, K]."""
        shape = np.where(np.arange(self.owners) == self.owners - 1, 1, 0)
        sign = -1 if side == BID else 1
        return np.asarray(self.base[:, side, None] + sign * self.offset[shape])

    def best(self, side: int) -> int | None:
        """Return the best level of a side with the kernel; None when it is empty."""
        from waxline.market.kernels import advance

        self.place[side] = 0
        advance(self.posted[:, side], self.place[side], self.owners, RUNGS)
        level = best_level(self.base[:, side], self.offset, self.place[side], self.owners, RUNGS, side)
        return None if level == NO_LEVEL else int(level)

    def cross(self) -> tuple[float, float, float]:
        """Match crossing quotes with the kernel."""
        self.place[:] = 0
        return cross_quotes(self.base, self.offset, self.posted, self.grid, self.owners, RUNGS, self.place[BID], self.place[ASK], *self.owner)

    def coins(self) -> Floats:
        """Return the coins that each owner shows or has traded on each side [S, 2]: nothing that happens changes them."""
        return np.asarray(self.posted.sum(axis=2) + self.owner[[0, 2]].T)


class Entries(NamedTuple):
    """Hold market orders as the clearing sees them: row 0 sells, row 1 buys."""

    entries: Floats
    cause: NDArray[np.int64]
    counts: NDArray[np.int64]
    charge: Floats
    by_cause: Floats

    def net(self, log_mid: float) -> float:
        """Net with the kernel."""
        return net_orders(self.entries, self.counts, log_mid)

    def walk(self, row: int, ladders: Ladders) -> tuple[float, float, int, int]:
        """Walk the book with the kernel; sells (row 0) walk the bids."""
        side = BID if row == 0 else ASK
        order, spare = np.zeros(ENTRIES, np.int64), np.zeros(ENTRIES, np.int64)
        entries = self.entries
        sort_by_limit(int(self.counts[row]), entries[row, E_LIMIT], order, spare, side)
        ladders.place[side] = 0
        return walk(
            side, int(self.counts[row]), order, entries[row, E_QUANTITY], entries[row, E_LIMIT], self.cause[row], entries[row, E_FILLED], entries[row, E_CASH],
            self.charge, ladders.base[:, side], ladders.offset, ladders.posted[:, side], ladders.grid, ladders.owners, RUNGS, ladders.place[side],
            ladders.owner[2 * row], ladders.owner[2 * row + 1], self.by_cause,
        )  # fmt: skip

    def filled(self, row: int) -> Floats:
        """Return the coins filled per order of a row."""
        return self.entries[row, E_FILLED, : self.counts[row]].copy()

    def cash(self, row: int) -> Floats:
        """Return the USD filled per order of a row."""
        return self.entries[row, E_CASH, : self.counts[row]].copy()


@st.composite
def ladders(draw: Any, crossed: bool = True) -> Ladders:
    """Draw a book of 2 to 4 owners; `crossed`: the best quotes of different owners may cross."""
    owners = draw(st.integers(2, 4))
    steps = draw(st.lists(st.integers(1, 4), min_size=2 * RUNGS, max_size=2 * RUNGS))
    offset = np.array([np.cumsum(steps[:RUNGS]) - steps[0], np.cumsum(steps[RUNGS:]) - steps[RUNGS]], dtype=np.int64)
    base = np.zeros((owners, 2), dtype=np.int64)
    for s in range(owners):
        low, high = (-4, 6) if crossed else (1, 6)
        base[s, BID] = LEVEL_MID - draw(st.integers(low, high))
        base[s, ASK] = max(LEVEL_MID + draw(st.integers(low, high)), base[s, BID] + 1)
    sizes = draw(st.lists(SIZES, min_size=owners * 2 * RUNGS, max_size=owners * 2 * RUNGS))
    posted = np.array(sizes).reshape(owners, 2, RUNGS)
    if draw(st.integers(0, 5)) == 0:
        posted[:, draw(st.integers(0, 1))] = 0.0
    grid = draw(st.sampled_from([0.0002, 0.0007, 0.0031]))
    return Ladders(grid, base, offset, posted, np.zeros((2, owners), np.int64), np.zeros((4, owners)))


@st.composite
def market_orders(draw: Any, grid: float) -> Entries:
    """Draw up to 5 market orders a side with worst prices around the middle of the book, some without."""
    table = Entries(np.zeros((2, 5, ENTRIES)), np.zeros((2, ENTRIES), np.int64), np.zeros(2, np.int64), np.zeros(N_CAUSES), np.zeros(N_CAUSES))
    for row, sign in ((0, -1), (1, 1)):
        orders = draw(st.lists(st.tuples(SIZES, st.integers(-3, 25), st.integers(0, 3)), max_size=5))
        for i, (quantity, far, cause) in enumerate(orders):
            table.entries[row, E_QUANTITY, i] = quantity
            table.entries[row, E_LIMIT, i] = sign * math.inf if far > 20 else (LEVEL_MID + sign * far) * grid
            table.cause[row, i] = cause
        table.counts[row] = len(orders)
    return table


@st.composite
def markets(draw: Any, crossed: bool = True) -> tuple[Ladders, Entries]:
    """Draw a book and market orders for it."""
    book = draw(ladders(crossed))
    return book, draw(market_orders(book.grid))


def plain_book(book: Ladders) -> Book:
    """Return the same book in plain Python."""
    plain = Book(book.grid)
    for side, sign in ((BID, BUY), (ASK, SELL)):
        levels = book.levels(side)
        for s in range(book.owners):
            for k in range(RUNGS):
                plain.post(sign, int(levels[s, k]), s, float(book.posted[s, side, k]))
    return plain


def plain_orders(table: Entries, row: int) -> list[Order]:
    """Return the orders of a row in plain Python."""
    side = SELL if row == 0 else BUY
    entries = table.entries[row]
    return [Order(side, float(entries[E_QUANTITY, i]), float(entries[E_LIMIT, i]), int(table.cause[row, i])) for i in range(int(table.counts[row]))]


def shown(book: Book, side: int, owners: int) -> list[float]:
    """Return the coins that each owner shows on a side of a plain book."""
    return [sum(level.get(s, 0.0) for level in book.quotes(side).values()) for s in range(owners)]
