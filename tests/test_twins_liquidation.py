"""The kernels of the waterfall do what the plain Python of `waxline.reference` does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waxline import reference
from waxline.liquidation.kernels import (
    CELL_BASE,
    CLOSED,
    COLLATERAL_LIQUIDATION,
    HEALTHY,
    LIQUIDATING,
    PERP_LIQUIDATION,
    STOP_LOSS,
    add_order,
    close_winners,
    generation_of,
    rank_winners,
    release_orders,
    shares_since,
)
from waxline.market.tables import O_LEFT, O_RELEASE, O_SHARES
from waxline.reference import Winner
from waxline.results.schema import N_CAUSES

few = settings(max_examples=60)
PERP, COIN, CLAIM = range(3)
moves = st.lists(st.sampled_from([-0.4, -0.05, -0.001, 0.0, 0.0, 0.002, 0.1]), min_size=N_CAUSES, max_size=N_CAUSES)


def near(value: object) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-12)


waiting_orders = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([-1, 1]), st.sampled_from([0.0, 0.001, 0.5, 3.0, 250.0]), st.booleans(), st.floats(0.0, 400.0)), max_size=9
)


@few
@given(waiting_orders, st.sampled_from([0.1, 1.0, 60.0]), st.sampled_from([5.0, 1e4]))
def test_forced_orders_are_released_in_equal_parts_as_in_plain_python(rows: list[tuple[int, int, float, bool, float]], dt: float, depth: float) -> None:
    table, link, head = np.zeros((12, O_SHARES + N_CAUSES)), np.full(12, -1), np.full(3, -1)
    used, shares = np.zeros(2, np.int64), np.zeros(N_CAUSES)
    now, delay, price = 400.0, 240.0, np.array([20.0, 20.0, 22.0])
    for n, (m, side, left, stop, since) in enumerate(rows):
        cause = STOP_LOSS if stop else (PERP_LIQUIDATION if m == PERP else COLLATERAL_LIQUIDATION)
        assert add_order(table, link, head, used, n, m, side, left, 0.0, cause, 1.0, since, 0.0, shares) == n
    release_orders(
        table, link, head, np.array([True, False, False]), np.array([-1, -1, 1]), np.full(3, depth), np.log(price), 15.0, 0.02, 30.0, 0.05, 600.0, delay, now, dt
    )  # fmt: skip
    pace = {PERP: (15.0, 0.02), COIN: (30.0, 0.05), CLAIM: (600.0, 0.0)}
    for m in (PERP, COIN, CLAIM):
        for side in (-1, 1):
            mine = [n for n, row in enumerate(rows) if row[0] == m and row[1] == side and row[2] > 0.0]
            forced = [n for n in mine if not rows[n][3]]
            told = dict(zip(forced, reference.released([rows[n][2] for n in forced], *pace[m], depth, price[m], dt), strict=True))
            for n in mine:
                early = m == CLAIM and now - rows[n][4] < delay
                assert table[n, O_RELEASE] == near(rows[n][2] if rows[n][3] else 0.0 if early else told[n])
        listed, n = [], head[m]
        while n >= 0:
            listed.append(n)
            n = link[n]
        assert sorted(listed) == [n for n, row in enumerate(rows) if row[0] == m and row[2] > 0.0], "finished orders are unlinked, no other"
    assert table[: len(rows), O_LEFT].tolist() == [row[2] for row in rows]


def test_a_full_order_table_is_reported_and_written_nowhere() -> None:
    table, link, head, used = np.zeros((2, O_SHARES + N_CAUSES)), np.full(2, -1), np.full(1, -1), np.zeros(2, np.int64)
    numbers = [add_order(table, link, head, used, n, 0, -1, 1.0, 0.0, 1, 1.0, 0.0, 0.0, np.zeros(N_CAUSES)) for n in range(3)]
    assert numbers == [0, 1, -1]
    assert used.tolist() == [2, 1]


@few
@given(moves, moves, st.booleans())
def test_shares_of_causes_are_those_of_plain_python(total: list[float], then: list[float], falling: bool) -> None:
    shares = np.full(N_CAUSES, 9.0)
    whole = shares_since(np.array(total), np.array(then), falling, shares)
    told = reference.shares_since(dict(enumerate(total)), dict(enumerate(then)), falling)
    assert shares == near([told[cause] for cause in range(N_CAUSES)])
    assert shares.sum() == near(1.0 if whole > 0.0 else 0.0)


@few
@given(moves, st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1e3, 1e6]), st.floats(0.0, 6.0)), min_size=N_CAUSES, max_size=N_CAUSES))
def test_a_generation_is_one_more_than_that_of_the_forced_parents(total: list[float], flows: list[tuple[float, float]]) -> None:
    shares = np.zeros(N_CAUSES)
    shares_since(np.array(total), np.zeros(N_CAUSES), True, shares)
    forced = np.array([usd for usd, _ in flows])
    weighted = np.array([usd * generation for usd, generation in flows])
    parents = {cause: (forced[cause], weighted[cause]) for cause in (1, 2, 3, 4)}
    found = generation_of(shares, forced, weighted)
    assert found == near(reference.generation_of(dict(enumerate(shares)), parents))
    assert 1.0 <= found <= 7.0


positions = st.tuples(
    st.sampled_from([-30.0, -2.0, -1.0, 0.0, 1.0, 2.0, 30.0]), st.sampled_from([60.0, 95.0, 100.0, 104.0, 150.0]), st.sampled_from([-10.0, 0.0, 15.0, 400.0])
)
HELD = st.lists(positions, min_size=3, max_size=3)


@settings(max_examples=120)
@given(HELD, HELD, HELD, st.sampled_from([-1, 1]), st.sampled_from([0.0, 0.5, 3.0, 1e3]), st.lists(st.integers(0, 1), min_size=6, max_size=6))
def test_winners_are_ranked_and_closed_as_in_plain_python(
    traders: list[tuple[float, float, float]],
    cells: list[tuple[float, float, float]],
    large: list[tuple[float, float, float]],
    side: int,
    wanted: float,
    may: list[int],
) -> None:
    mark, m, fund = 100.0, 1, 2
    # traders 0 and 4 belong to other markets; cells and accounts hold the perp in the middle of three columns
    quantity, entry, cash = (np.array([50.0, *column, -50.0]) for column in zip(*traders, strict=True))
    status = np.array([HEALTHY, *(HEALTHY if ok else LIQUIDATING for ok in may[:3]), HEALTHY])
    q, e, c = (np.zeros((3, 3)) for _ in range(3))
    position, cost_p, balance = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros((3, 1))
    for n in range(3):
        q[n, m], e[n, m], c[n, m] = cells[n]
        position[n, m], cost_p[n, m], balance[n, 0] = large[n][0], large[n][0] * large[n][1], large[n][2]
    q[fund, m] = side * 2e3
    cost, cost_c = quantity * entry, q * e
    equity = balance[:, 0] + position[:, m] * mark - cost_p[:, m]
    allowed, candidate, score = np.array(may[3:]), np.zeros(9, np.int64), np.zeros(9)
    told = [Winner(i, quantity[i], cost[i], cash[i] + quantity[i] * mark - cost[i]) for i in (1, 2, 3) if status[i] < LIQUIDATING]
    told += [Winner(CELL_BASE + n, q[n, m], cost_c[n, m]) for n in range(3) if n != fund]
    told += [Winner(-1 - n, position[n, m], cost_p[n, m], equity[n]) for n in range(3) if allowed[n]]
    before = [(winner.quantity, winner.cost_usd) for winner in told]
    expected = reference.deleveraged(told, side, mark, wanted)
    count = rank_winners(m, side, mark, 1, 4, quantity, cost, cash, status, q, cost_c, fund, position, cost_p, equity, allowed, candidate, score)
    assert score[:count] == near([who.rank(mark) for name in candidate[:count] for who in told if who.name == name])
    ranked = candidate[np.argsort(-score[:count], kind="stable")]
    closed, profit, fund_before = np.zeros(9), np.zeros(9), q[fund, m]
    most, at = np.full(count, np.inf), np.full(count, mark)
    done = close_winners(m, wanted, side, mark, ranked, most, at, quantity, cost, cash, q, cost_c, c, fund, position, cost_p, balance, closed, profit)
    assert list(zip(ranked[:done].tolist(), closed[:done].tolist(), strict=True)) == [(name, near(size)) for name, size in expected]
    assert np.all(profit[:done] > 0.0), "only positions in profit are deleveraged"
    assert fund_before - q[fund, m] == near(side * sum(size for _, size in expected))
    sizes = dict(expected)
    for winner, (held, paid) in zip(told, before, strict=True):
        size = sizes.get(winner.name, 0.0)
        after = reference.position_after(held, paid, 0.0, side * size, side * size * mark)[:2] if size > 0.0 else (held, paid)
        name = winner.name
        now = (
            (q[name - CELL_BASE, m], cost_c[name - CELL_BASE, m])
            if name >= CELL_BASE
            else (quantity[name], cost[name])
            if name >= 0
            else (position[-1 - name, m], cost_p[-1 - name, m])
        )
        assert now == near(after)
    assert math.isfinite(c.sum() + balance.sum() + cash.sum()) and status[0] < CLOSED
