"""Small random books and market orders, as arrays for the kernels and as the plain book of `waxline.reference`."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from waxline.market.kernels import NO_LEVEL, best_levels, cross_quotes, depth_usd, open_side, post_side, walk_side
from waxline.market.ladder import shape_sums
from waxline.market.sorting import DIGITS, sort_by_limit
from waxline.market.tables import ASK, BID, E_CASH, E_FILLED, E_LIMIT, E_QUANTITY
from waxline.reference import BUY, SELL, Book, Order
from waxline.results.schema import N_CAUSES
from waxline.simulation.clearing import net_orders

RUNGS = 5
ENTRIES = 12
SIZES = st.sampled_from([0.0, 0.0, 1e-3, 0.5, 1.0, 2.25, 7.0, 40.0])
LEVEL_MID = 400
Floats = NDArray[np.float64]


class Ladders(NamedTuple):
    """Hold one market's book as the kernels see it, market 0 of one.

    Best levels [1, S, 2], offsets and USD of shapes [1, 2, K], scale and number of eaten rungs [1, S, 2], coins of those [1, S, 2, K], what owners
    traded [4, S]; first rungs [1, S, 2], and places, keys and owners at a level [3, 2, S] to work with.
    """

    grid: float
    base: NDArray[np.int64]
    offset: NDArray[np.int64]
    usd: Floats
    scale: Floats
    eaten: NDArray[np.int64]
    left: Floats
    owner: Floats
    first: NDArray[np.int64]
    work: NDArray[np.int64]

    @property
    def owners(self) -> int:
        """Return the number of owners."""
        return int(self.base.shape[1])

    @property
    def rungs(self) -> int:
        """Return the number of rungs of a side."""
        return int(self.usd.shape[2])

    @property
    def shape(self) -> NDArray[np.int64]:
        """Return the shape of each owner [S]: 1 of the last one, 0 of all others."""
        return np.where(np.arange(self.owners) == self.owners - 1, 1, 0)

    @property
    def posted(self) -> Floats:
        """Return the coins of every owner on every rung [S, 2, K]."""
        full = self.scale[0, :, :, None] * self.usd[0, self.shape][:, None]
        return np.asarray(np.where(np.arange(self.rungs) < self.eaten[0, :, :, None], self.left[0], full))

    def show(self, posted: Floats) -> None:
        """Let owners show these coins [S, 2, K], whatever their shapes are."""
        self.eaten[:], self.left[:] = self.rungs, posted

    def levels(self, side: int) -> NDArray[np.int64]:
        """Return the level of every rung of a side [S, K]."""
        sign = -1 if side == BID else 1
        return np.asarray(self.base[0, :, side, None] + sign * self.offset[0, self.shape])

    def best(self, side: int) -> int | None:
        """Return the best level of a side with the kernel; None when it is empty."""
        self.open()
        level = best_levels(self.work[1])[side]
        return None if level == NO_LEVEL else int(level)

    def open(self) -> None:
        """Look for the first rungs anew with the kernel."""
        self.work[0] = 0
        for side in (BID, ASK):
            open_side(0, side, self.base, self.offset, self.usd, self.scale, self.eaten, self.left, self.work[0], self.work[1])

    def post(self, s: int, side: int, target: float, refill: float, cut: float, end_rung: int) -> None:
        """Let an owner post with the kernel."""
        shape = int(self.shape[s])
        post_side(0, s, side, shape, self.usd, self.scale, self.eaten, self.left, self.first, target, refill, cut, end_rung)

    def depth_usd(self, log_mid: float, band: float) -> tuple[float, float]:
        """Return the USD on bids and asks within a band with the kernel."""
        sums = shape_sums(self.offset, self.usd, np.array([self.grid]))
        return depth_usd(0, self.base, self.offset, *sums, self.scale, self.eaten, self.left, self.work[0, :1, :2] * 0, self.grid, log_mid, band)

    def cross(self) -> tuple[float, float, float]:
        """Match crossing quotes with the kernel."""
        self.work[0] = 0
        return cross_quotes(0, self.base, self.offset, self.usd, self.scale, self.eaten, self.left, self.grid, *self.work, self.owner)

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
        order, work = np.zeros(ENTRIES, np.int64), np.zeros((4, max(ENTRIES, DIGITS)), np.int64)
        count = int(self.counts[row])
        sort_by_limit(row, count, self.entries, order, work)
        ladders.open()
        return walk_side(
            0, side, count, order, self.entries, self.cause, self.charge, ladders.base, ladders.offset, ladders.usd, ladders.scale, ladders.eaten, ladders.left,
            ladders.grid, *ladders.work, ladders.owner, self.by_cause,
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
    base = np.zeros((1, owners, 2), dtype=np.int64)
    for s in range(owners):
        low, high = (-4, 6) if crossed else (1, 6)
        base[0, s, BID] = LEVEL_MID - draw(st.integers(low, high))
        base[0, s, ASK] = max(LEVEL_MID + draw(st.integers(low, high)), base[0, s, BID] + 1)
    sizes = draw(st.lists(SIZES, min_size=(owners + 1) * 2 * RUNGS, max_size=(owners + 1) * 2 * RUNGS))
    shapes, left = np.split(np.array(sizes), [2 * RUNGS])
    scale = np.array(draw(st.lists(st.sampled_from([0.0, 0.25, 1.0, 2.0]), min_size=owners * 2, max_size=owners * 2))).reshape(1, owners, 2)
    eaten = np.array(draw(st.lists(st.integers(0, RUNGS), min_size=owners * 2, max_size=owners * 2)), dtype=np.int64).reshape(1, owners, 2)
    if draw(st.integers(0, 5)) == 0:
        side = draw(st.integers(0, 1))
        scale[..., side], eaten[..., side] = 0.0, 0
    grid = draw(st.sampled_from([0.0002, 0.0007, 0.0031]))
    return book_of(grid, base, offset[None], shapes.reshape(1, 2, RUNGS), scale, eaten, left.reshape(1, owners, 2, RUNGS))


def book_of(grid: float, base: Any, offset: Any, usd: Floats, scale: Floats, eaten: Any, left: Floats) -> Ladders:
    """Return a book with empty places to work with."""
    owners = base.shape[1]
    return Ladders(grid, base, offset, usd, scale, eaten, left, np.zeros((4, owners)), np.zeros((1, owners, 2), np.int64), np.zeros((3, 2, owners), np.int64))


def book_showing(grid: float, base: Any, offset: Any, posted: Floats) -> Ladders:
    """Return a book whose owners show `posted` [S, 2, K] coins: base [S, 2], offset [2, K]."""
    owners, _, rungs = posted.shape
    full = np.full((1, owners, 2), rungs)
    return book_of(grid, np.array(base)[None], np.array(offset)[None], np.zeros((1, 2, rungs)), np.zeros((1, owners, 2)), full, posted[None].copy())


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
    plain, posted = Book(book.grid), book.posted
    for side, sign in ((BID, BUY), (ASK, SELL)):
        levels = book.levels(side)
        for s in range(book.owners):
            for k in range(book.rungs):
                plain.post(sign, int(levels[s, k]), s, float(posted[s, side, k]))
    return plain


def plain_orders(table: Entries, row: int) -> list[Order]:
    """Return the orders of a row in plain Python."""
    side = SELL if row == 0 else BUY
    entries = table.entries[row]
    return [Order(side, float(entries[E_QUANTITY, i]), float(entries[E_LIMIT, i]), int(table.cause[row, i])) for i in range(int(table.counts[row]))]


def shown(book: Book, side: int, owners: int) -> list[float]:
    """Return the coins that each owner shows on a side of a plain book."""
    return [sum(level.get(s, 0.0) for level in book.quotes(side).values()) for s in range(owners)]
