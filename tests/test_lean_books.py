"""Ladders that touch only what changed do, over long random sequences, what a book with every rung written out does."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest

from dense_book import DenseBook
from small_books import Entries, Ladders, book_of
from waxline.jit import lean, njit
from waxline.market.tables import ASK, BID
from waxline.reference import BUY, SELL, Order
from waxline.results.schema import N_CAUSES
from waxline.simulation.clearing import E_LIMIT, E_QUANTITY

OWNERS, RUNGS, STEPS, LEVEL_MID, GRID = 4, 40, 120, 46000, 1e-4
REFILL, CUT = (0.6, 0.9, 0.0005), 0.5


def near(told: object, size: float) -> object:
    """Return numbers equal to 1e-12 of themselves or of what they are a part of."""
    return pytest.approx(told, rel=1e-12, abs=1e-12 * size, nan_ok=True)


def books(rng: np.random.Generator) -> tuple[Ladders, DenseBook]:
    """Return an empty book in both forms: rungs denser near the best, sizes falling and rising."""
    offset = np.cumsum(rng.integers(1, 6, (2, RUNGS)), axis=1)
    offset -= offset[:, :1]
    usd = rng.uniform(0.2, 3.0, (2, RUNGS))
    lean = book_of(
        GRID, np.zeros((1, OWNERS, 2), np.int64), offset[None], usd[None], np.zeros((1, OWNERS, 2)), np.zeros((1, OWNERS, 2), np.int64),
        np.zeros((1, OWNERS, 2, RUNGS)),
    )  # fmt: skip
    return lean, DenseBook(GRID, offset, usd, OWNERS)


def draw_orders(rng: np.random.Generator) -> tuple[Entries, dict[int, list[Order]]]:
    """Return up to 3 orders a side in both forms: most for a level or two, one in 200 for more than there is, some with a limit near the middle."""
    table = Entries(np.zeros((2, 5, 12)), np.zeros((2, 12), np.int64), np.zeros(2, np.int64), np.zeros(N_CAUSES), np.zeros(N_CAUSES))
    plain: dict[int, list[Order]] = {SELL: [], BUY: []}
    for row, sign in ((0, SELL), (1, BUY)):
        for i in range(int(rng.integers(0, 4))):
            quantity = float(rng.exponential(2.0) * (1e4 if rng.random() < 0.005 else 1.0))
            limit = (LEVEL_MID + 0.3 + sign * float(rng.integers(-5, 60))) * GRID if rng.random() < 0.3 else sign * math.inf
            table.entries[row, E_QUANTITY, i], table.entries[row, E_LIMIT, i], table.cause[row, i] = quantity, limit, i
            table.counts[row] += 1
            plain[sign].append(Order(sign, quantity, limit, i))
    return table, plain


@pytest.mark.parametrize("seed", range(6))
def test_a_long_random_sequence_is_that_of_the_dense_book(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lean, dense = books(rng)
    ladders_in_shape = 0
    for step in range(STEPS):
        for s in range(OWNERS):
            away = rng.integers(1, 8, 2) if rng.random() < 0.9 else np.array([-2, 9])
            dense.base[s] = lean.base[0, s] = (LEVEL_MID - away[0], LEVEL_MID + away[1])
            for side in (BID, ASK):
                target = 0.0 if rng.random() < 0.05 else float(rng.uniform(0.8, 1.2))
                end = int(rng.integers(5, RUNGS)) if s == OWNERS - 1 and side == BID and step > STEPS // 2 else RUNGS
                for book in (lean, dense):
                    book.post(s, side, target, REFILL[s % 3], CUT, end)
        table, plain = draw_orders(rng)
        lean.owner[:] = 0.0
        sums, last = dense.clear(plain)
        crossed, _, _ = lean.cross()
        walks = [table.walk(row, lean) for row in range(2)]
        size = max(float(sums.max()), 1.0)
        assert [crossed, walks[0][0], walks[1][0]] == near(sums, size), step
        assert [walks[0][1], walks[1][1]] == near(last, 1.0), step
        for row, sign in ((0, SELL), (1, BUY)):
            assert table.filled(row) == near([order.filled for order in plain[sign]], size), step
            assert table.cash(row) == near([order.cash for order in plain[sign]], size * math.exp(LEVEL_MID * GRID)), step
        assert lean.owner == near(dense.traded, size * math.exp(LEVEL_MID * GRID)), step
        assert lean.posted == near(dense.coins, 1.0), step
        found = lean.depth_usd(LEVEL_MID * GRID + 3e-5, 0.004)
        told = [dense.depth_usd(side, LEVEL_MID * GRID + 3e-5, 0.004) for side in (BID, ASK)]
        assert found == near(told, 50.0 * math.exp(LEVEL_MID * GRID)), step
        ladders_in_shape += int((lean.eaten < RUNGS).sum())
    assert ladders_in_shape > STEPS * OWNERS, "most ladders are written out: this test would not see what it is for"


def test_only_what_orders_ate_is_written_out_and_it_joins_the_ladder_again_when_refilled() -> None:
    lean, _ = books(np.random.default_rng(5))
    lean.base[0] = (LEVEL_MID - 1, LEVEL_MID + 1)
    for s in range(OWNERS):
        for side in (BID, ASK):
            lean.post(s, side, 1.0, 1.0, 1.0, RUNGS)
    assert not lean.eaten.any() and (lean.first == 0).all()
    table = Entries(np.zeros((2, 5, 12)), np.zeros((2, 12), np.int64), np.array([1, 0]), np.zeros(N_CAUSES), np.zeros(N_CAUSES))
    table.entries[0, E_QUANTITY, 0], table.entries[0, E_LIMIT, 0] = 20.0, -math.inf
    table.walk(0, lean)
    eaten = lean.eaten[0].copy()
    assert 0 < eaten[:, BID].max() < 10 and not eaten[:, ASK].any()
    for _ in range(400):
        for s in range(OWNERS):
            lean.post(s, BID, 1.0, 0.1, 0.5, RUNGS)
    assert not lean.eaten.any()


def test_a_kernel_that_allocates_is_not_compiled_as_a_lean_one() -> None:
    @njit
    def allowed(count):  # type: ignore[no-untyped-def]
        return np.zeros(count, np.float64)[0]

    @lean
    def refused(count):  # type: ignore[no-untyped-def]
        return np.zeros(count, np.float64)[0]

    assert allowed(3) == 0.0
    with pytest.raises(numba.core.errors.NumbaError):
        refused(3)
