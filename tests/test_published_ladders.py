"""Published ladders become the arrays of the kernels and are swept as the plain book sweeps them."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waxline import reference
from waxline.market.published_ladder import EXACT_GRID, ladder_of, sweep
from waxline.market.tables import ASK, BID
from waxline.reference import BUY, SELL
from waxline.verification.facts_file import facts

sides = st.sampled_from([BID, ASK])
quantities = st.floats(0.01, 500.0)
levels = st.lists(st.tuples(st.integers(1, 300), quantities), min_size=1, max_size=12)


def published(side: int, rows: list[tuple[int, float]]) -> tuple[list[float], list[float]]:
    """Return prices and coins, best first; equal prices may stand beside each other."""
    ordered = sorted(rows, key=lambda row: -row[0] if side == BID else row[0])
    return [0.01 * row[0] for row in ordered], [row[1] for row in ordered]


@given(sides, levels, quantities, st.one_of(st.none(), st.integers(1, 300)))
def test_a_sweep_is_that_of_the_plain_book(side: int, rows: list[tuple[int, float]], wanted: float, worst: int | None) -> None:
    prices, coins = published(side, rows)
    swept = sweep(ladder_of(prices, coins, side), wanted, None if worst is None else 0.01 * worst)
    book = reference.Book(EXACT_GRID)
    for price, quantity in zip(prices, coins, strict=True):
        book.post(BUY if side == BID else SELL, round(math.log(price) / EXACT_GRID), 0, quantity)
    taker = SELL if side == BID else BUY
    free = -math.inf if taker == SELL else math.inf
    order = reference.Order(taker, wanted, free if worst is None else math.log(0.01 * worst))
    walked = book.walk(taker, [order])
    assert swept.coins == pytest.approx(order.filled, rel=1e-9, abs=1e-9)
    assert swept.usd == pytest.approx(order.cash, rel=1e-9, abs=1e-9)
    if walked.last is None:
        assert math.isnan(swept.last_usd) and math.isnan(swept.average_usd) and swept.rungs == swept.prices == 0
    else:
        assert swept.last_usd == pytest.approx(math.exp(walked.last), rel=1e-11)
        assert swept.average_usd == pytest.approx(order.cash / order.filled, rel=1e-9)


@given(sides, levels)
def test_all_that_rests_is_taken_once_and_the_ladder_stays_as_it_was(side: int, rows: list[tuple[int, float]]) -> None:
    prices, coins = published(side, rows)
    ladder = ladder_of(prices, coins, side)
    swept = sweep(ladder, 3.0 * sum(coins))
    assert swept.coins == pytest.approx(sum(coins), rel=1e-9)
    assert swept.usd == pytest.approx(sum(p * q for p, q in zip(prices, coins, strict=True)), rel=1e-9)
    assert (swept.rungs, swept.prices) == (len(rows), len(set(prices)))
    assert ladder.coins[0].tolist() == coins


@pytest.mark.parametrize(
    ("prices", "coins", "says"),
    [
        ([], [], "at least one"),
        ([2.0, 1.0], [1.0], "as many prices"),
        ([2.0, 0.0], [1.0, 1.0], "positive"),
        ([2.0, 1.0], [1.0, -1.0], "positive"),
        ([2.0, math.nan], [1.0, 1.0], "positive"),
        ([1.0, 2.0], [1.0, 1.0], "best first"),
    ],
)
def test_ladders_that_cannot_be_are_refused(prices: list[float], coins: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ladder_of(prices, coins, BID)


def test_the_carried_bids_of_atom_are_the_published_ones(shared: Path) -> None:
    with (shared / "data" / "binance_atom_sweep_20251010" / "flash_sell_sequence.csv").open() as file:
        rows = [[float(row["price"]), float(row["quantity_atom"])] for row in csv.DictReader(file)]
    assert facts()["atom-sweep"].inputs["bids"] == rows
