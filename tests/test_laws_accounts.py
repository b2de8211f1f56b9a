"""Laws of accounts and of the waterfall's first steps: trading moves no value, more requirement never saves, no line is missed."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from close_rules import ONE_TIER, close_rules
from waxline.accounts.kernels import position_after, reached, value_portfolios
from waxline.accounts.tables import Traders, flat_haircuts
from waxline.liquidation.kernels import (
    HEALTHY,
    LIQUIDATING,
    NOT_WATCHED,
    PERP_LIQUIDATION,
    add_order,
    collect_watched,
    release_orders,
    trigger_traders,
)
from waxline.market.tables import O_RELEASE, O_SHARES
from waxline.results.schema import N_CAUSES
from waxline.simulation.build_accounts import build_watch

Floats = NDArray[np.float64]
few = settings(max_examples=60)
trades = st.lists(st.tuples(st.sampled_from([-7.0, -1.5, -0.3, 0.3, 1.0, 1.5, 7.0]), st.floats(0.5, 200.0)), min_size=1, max_size=12)


def near(value: object) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-8)


@few
@given(trades)
def test_trading_a_perp_conserves_cash_less_cost(steps: list[tuple[float, float]]) -> None:
    quantity, cost, cash = 0.0, 0.0, 1000.0
    for traded, price in steps:
        before = cash - cost
        worth = cash + quantity * price - cost
        quantity, cost, cash = position_after(quantity, cost, cash, traded, traded * price)
        assert cash - cost == near(before - traded * price)
        assert cash + quantity * price - cost == near(worth), "a trade at a price changes no equity at that price"
        assert cost == 0.0 or cost * quantity > 0.0, "a position's cost has its sign"
    quantity, cost, cash = position_after(quantity, cost, cash, -quantity, -quantity * 50.0) if quantity != 0.0 else (0.0, 0.0, cash)
    assert (quantity, cost) == (0.0, 0.0), "what is closed leaves nothing behind"


@pytest.mark.parametrize("quantity", [-2.0, 0.0, 2.0])
def test_trading_nothing_changes_nothing(quantity: float) -> None:
    for nothing in (0.0, -0.0):
        assert position_after(quantity, quantity * 10.0, 5.0, nothing, nothing) == (quantity, quantity * 10.0, 5.0)


def accounts(seed: int, count: int) -> tuple[dict[str, Floats], Floats]:
    """Return columns of accounts with 2 pledged assets and 2 perps, and their marks."""
    draw = np.random.default_rng(seed)
    position = draw.normal(0.0, 3.0, (count, 2))
    columns = {
        "balance": np.hstack([draw.normal(-50.0, 200.0, (count, 1)), draw.exponential(5.0, (count, 2))]),
        "position": position,
        "cost": position * draw.uniform(70.0, 130.0, (count, 2)),
        "flat": np.where(draw.random(count) < 0.3, 0.05, 0.0),
    }
    return columns, draw.uniform(80.0, 120.0, 2)


def triggered(columns: dict[str, Floats], mark: Floats, more: float) -> NDArray[np.bool_]:
    """Return who is at its line when every maintenance rate is `more` times as high."""
    count = columns["flat"].size
    equity, required, collateral = (np.zeros(count) for _ in range(3))
    caps, rates = np.tile([150.0, math.inf], (2, 1)), np.tile([0.01, 0.05], (2, 1)) * more
    value_portfolios(
        np.zeros(count, np.int64), columns["balance"], columns["position"], columns["cost"], flat_haircuts(np.array([[1.0, 0.5, 0.9]])), np.full(count, 0.05 * more), mark,
        np.array([[1.0, 20.0, 7.0]]), np.array([0]), np.array([2]), caps, rates, np.tile([0.0, 150.0 * 0.04 * more], (2, 1)), columns["flat"] * more, np.zeros(count, np.int64), np.zeros(count), equity,
        required, collateral,
    )  # fmt: skip
    return equity <= required


@few
@given(st.integers(0, 10**6), st.floats(1.0, 20.0))
def test_raising_maintenance_rates_never_untriggers(seed: int, more: float) -> None:
    columns, mark = accounts(seed, 200)
    before, after = triggered(columns, mark, 1.0), triggered(columns, mark, more)
    assert before.any() and not before.all()
    assert np.all(after[before])


@few
@given(
    st.lists(st.tuples(st.sampled_from([-1, 1]), st.floats(0.001, 1e4)), min_size=1, max_size=8),
    st.sampled_from([0.1, 1.0, 30.0]),
    st.sampled_from([0.0, 0.02, 5.0]),
)
def test_the_release_is_proportional_and_never_more_than_what_waits(rows: list[tuple[int, float]], dt: float, least: float) -> None:
    table, link, head, used = np.zeros((9, O_SHARES + N_CAUSES)), np.full(9, -1), np.full(1, -1), np.zeros(2, np.int64)
    for n, (side, left) in enumerate(rows):
        add_order(table, link, head, used, n, 0, side, left, 0.0, PERP_LIQUIDATION, 1.0, 0.0, 0.0, np.zeros(N_CAUSES))
    market = (np.array([True]), np.array([-1]), np.array([1e4]), np.log([20.0]))
    release_orders(table, link, head, *market, 15.0, least, 30.0, 0.05, 600.0, 240.0, 100.0, dt)
    part = table[: len(rows), O_RELEASE] / [left for _, left in rows]
    assert np.all((part > 0.0) & (part <= 1.0))
    for side in (-1, 1):
        mine = part[[n for n, row in enumerate(rows) if row[0] == side]]
        assert mine == near(np.full(mine.size, mine[:1].sum()))


def price_path(kind: str, draw: np.random.Generator, steps: int) -> Floats:
    """Return a path of marks from 100 USD: calm, a crash with a rebound, noise around 100, or rare jumps."""
    if kind == "calm":
        moves = draw.normal(0.0, 0.0005, steps)
    elif kind == "crash":
        moves = np.concatenate([np.full(steps // 2, -0.02), np.full(steps - steps // 2, 0.03)]) + draw.normal(0.0, 0.01, steps)
    elif kind == "noise":
        return np.asarray(100.0 * np.exp(draw.normal(0.0, 0.15, steps)))
    else:
        moves = np.where(draw.random(steps) < 0.1, draw.normal(0.0, 0.3, steps), 0.0)
    return np.asarray(100.0 * np.exp(np.cumsum(moves)))


def traders(draw: np.random.Generator, count: int, markets: int) -> Traders:
    """Return single-leg traders sorted by market, half of them long; some cannot be liquidated by any price."""
    market = np.sort(draw.integers(0, markets, count))
    quantity = draw.choice([-1.0, 1.0], count) * draw.pareto(1.5, count)
    cost = quantity * draw.normal(100.0, 4.0, count)
    zero, fresh = np.zeros(count), np.zeros(count, np.int64)
    return Traders(
        market=market, quantity=quantity, cost=cost, cash=np.abs(cost) / draw.choice([0.9, 1.5, 3.0, 10.0, 40.0], count) + 0.06 * np.abs(quantity) * 100.0,
        rate=draw.choice([0.004, 0.05], count), deduction=zero.copy(), status=fresh + HEALTHY, order=fresh - 1, first_trigger_s=zero + math.nan,
        liquidated_usd=zero.copy(), negative_usd=zero.copy(), next_watched=fresh + NOT_WATCHED, whole_until_s=zero - math.inf,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["calm", "crash", "noise", "jumps"])
@pytest.mark.parametrize("seed", range(3))
def test_the_watch_ladder_finds_exactly_the_accounts_that_a_full_sweep_finds(kind: str, seed: int) -> None:
    draw = np.random.default_rng([seed, len(kind)])
    count, markets, steps = 1500, 3, 60
    book = traders(draw, count, markets)
    edges = np.searchsorted(book.market, np.arange(markets + 1))
    spans = np.stack([edges[:-1], edges[1:]], axis=1)
    ladders = [build_watch(book, SimpleNamespace(venue=np.zeros(markets)), spans, side) for side in (1, -1)]  # type: ignore[arg-type]
    marks = np.stack([price_path(kind, draw, steps) for _ in range(markets)], axis=1)
    found, by_ladder, by_sweep = np.zeros(count + 16, np.int64), set[int](), set[int]()
    for mark in marks:
        for watch, falling in zip(ladders, (True, False), strict=True):
            fresh = reached(watch.account, watch.level, watch.start, watch.place, np.arange(markets), mark, falling, found, 0)
            assert not by_ladder & set(found[:fresh].tolist()), "nobody is found twice"
            by_ladder |= set(found[:fresh].tolist())
        equity = book.cash + book.quantity * mark[book.market] - book.cost
        required = np.abs(book.quantity) * mark[book.market] * book.rate
        by_sweep |= set(np.flatnonzero(equity <= required).tolist())
        assert by_ladder == by_sweep
    assert kind == "calm" or len(by_sweep) > 50


def test_whoever_is_found_too_early_is_checked_at_every_step_from_then_on() -> None:
    book = traders(np.random.default_rng(4), 40, 1)
    book.quantity[:], book.cost[:], book.cash[:] = 1.0, 100.0, np.linspace(11.0, 50.0, 40)
    head, found, everyone = np.array([-1]), np.zeros(60, np.int64), np.arange(40)
    zero, table, link, used = np.zeros((1, N_CAUSES)), np.zeros((90, O_SHARES + N_CAUSES)), np.full(90, -1), np.zeros(2, np.int64)

    def check(who: NDArray[np.int64], mark: float) -> int:
        return trigger_traders(
            who, who.size, False, np.zeros(1, np.int64), book, head, np.array([mark]), zero, zero, zero, zero, zero, table, link, np.full(1, -1), used,
            np.zeros(N_CAUSES), 0, close_rules(), *ONE_TIER[:2],
        )  # fmt: skip

    assert check(everyone, 100.0) == 0
    for mark in (90.0, 80.0, 60.0):
        count = collect_watched(book.status, book.quantity, book.next_watched, head, found)
        check(np.sort(found[:count]), mark)
        at_line = book.cash + mark - 100.0 <= mark * book.rate
        assert np.array_equal(book.status >= LIQUIDATING, at_line)
    assert collect_watched(book.status, book.quantity, book.next_watched, head, found) == np.sum(book.status < LIQUIDATING)
