"""The kernels of accounts do what the plain Python of `waxline.reference` does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waxline import reference
from waxline.accounts.kernels import liquidation_price, position_after, trade_portfolio, trade_single, value_portfolios
from waxline.accounts.tables import Haircuts
from waxline.reference import Held, Position

few = settings(max_examples=100)
coins = st.sampled_from([-40.0, -3.0, -1.5, -0.25, 0.25, 1.0, 1.5, 3.0, 40.0])
maybe_coins = st.sampled_from([-40.0, -3.0, -1.5, 0.0, 0.25, 1.5, 3.0, 40.0])
price_usd = st.floats(0.01, 1000.0)
cash_usd = st.floats(-1e4, 1e4)
TIERS = [(100.0, 0.01), (1000.0, 0.025), (5000.0, 0.1)]


def near(value: object) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-8)


@few
@given(maybe_coins, price_usd, cash_usd, coins, price_usd)
def test_a_position_after_a_trade_is_that_of_average_cost_accounting(quantity: float, entry: float, cash: float, traded: float, price: float) -> None:
    told = reference.position_after(quantity, quantity * entry, cash, traded, traded * price)
    assert position_after(quantity, quantity * entry, cash, traded, traded * price) == near(told)


@few
@given(maybe_coins, price_usd, cash_usd, coins, price_usd, st.booleans())
def test_trades_reach_the_right_columns_of_both_kinds_of_account(quantity: float, entry: float, cash: float, traded: float, price: float, perp: bool) -> None:
    cost = quantity * entry if perp else 0.0
    told = (quantity + traded, 0.0, cash - traded * price)
    if perp:
        told = reference.position_after(quantity, cost, cash, traded, traded * price)
    q, c, m = (np.array([7.0, value, 9.0]) for value in (quantity, cost, cash))
    trade_single(q, c, m, 1, perp, traded, traded * price)
    assert (q[1], c[1], m[1]) == near(told)
    assert (q[0], q[2], c[0], c[2], m[0], m[2]) == (7.0, 9.0) * 3
    position, costs, balance = np.full((2, 3), 7.0), np.full((2, 3), 7.0), np.full((2, 4), 7.0)
    position[1, 2], costs[1, 2], balance[1, 0], balance[1, 3] = quantity, cost, cash, quantity
    trade_portfolio(position, costs, balance, 1, 2, 3, perp, traded, traded * price)
    held = (position[1, 2], costs[1, 2]) if perp else (balance[1, 3], 0.0)
    assert (*held, balance[1, 0]) == near(told)
    touched = [(1, 2)] if perp else []
    assert all(position[p, m] == 7.0 and costs[p, m] == 7.0 for p in range(2) for m in range(3) if (p, m) not in [(1, 2), *touched])
    assert balance[0].tolist() == [7.0] * 4 and balance[1, 1:3].tolist() == [7.0, 7.0]


@few
@given(coins, price_usd, st.floats(0.01, 2.0), st.sampled_from([0.0, 0.004, 0.05, 0.5]), st.sampled_from([0.0, 0.5]))
def test_the_liquidation_price_is_where_equity_meets_the_requirement(quantity: float, entry: float, margin: float, rate: float, deduction: float) -> None:
    cost = quantity * entry
    cash = margin * abs(cost)
    found = liquidation_price(quantity, cost, cash, rate, deduction)
    assert found == near(reference.liquidation_price(quantity, cost, cash, rate, deduction))
    assert found >= 0.0
    if found > 0.0:
        assert cash + quantity * found - cost == pytest.approx(abs(quantity) * found * rate - deduction, rel=1e-9, abs=1e-7)


def test_an_account_without_a_position_has_no_liquidation_price() -> None:
    assert liquidation_price(0.0, 0.0, 5.0, 0.01, 0.0) == reference.liquidation_price(0.0, 0.0, 5.0, 0.01, 0.0) == 0.0


@few
@given(st.floats(0.0, 2e4))
def test_tiers_with_deductions_require_what_the_slices_require(notional: float) -> None:
    deduction, before = 0.0, (0.0, 0.0)
    required = []
    for cap, rate in TIERS:
        deduction += before[0] * (rate - before[1])
        required.append(notional * rate - deduction)
        before = (cap, rate)
    n = sum(notional > cap for cap, _ in TIERS[:-1])
    assert required[n] == near(reference.maintenance_usd(notional, TIERS))


@st.composite
def worlds(draw: st.DrawFn) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """Draw 2 venues (2 and 1 perps) and 3 accounts with 2 assets besides USD."""
    table = lambda rows, columns, values: np.array(draw(st.lists(values, min_size=rows * columns, max_size=rows * columns))).reshape(rows, columns)  # noqa: E731
    return {
        "venue": np.array(draw(st.lists(st.integers(0, 1), min_size=3, max_size=3)), dtype=np.int64),
        "cash": table(3, 1, cash_usd),
        "units": table(3, 2, maybe_coins),
        "position": table(3, 3, maybe_coins),
        "entry": table(3, 3, price_usd),
        "ratio": table(2, 2, st.sampled_from([0.0, 0.3, 0.95])),
        "end": table(2, 2, st.sampled_from([math.inf, 0.5, 30.0, 4e3])),
        "beyond": table(2, 2, st.sampled_from([0.0, 0.1, 0.3])),
        "in_coins": table(2, 2, st.sampled_from([0, 1])),
        "price": table(2, 2, price_usd),
        "mark": table(1, 3, price_usd)[0],
        "flat": table(3, 1, st.sampled_from([0.0, 0.0, 0.05]))[:, 0],
    }


@few
@given(worlds())
def test_accounts_with_many_assets_are_worth_what_plain_python_says(world: dict[str, np.ndarray]) -> None:  # type: ignore[type-arg]
    venue, mark = world["venue"], world["mark"]
    starts, ends = np.array([0, 2]), np.array([2, 3])
    mine = np.array([[starts[v] <= m < ends[v] for m in range(3)] for v in venue])
    position = np.where(mine, world["position"], 0.0)
    cost = position * world["entry"]
    balance = np.hstack([world["cash"], world["units"]])
    ratio, price = (np.hstack([np.ones((2, 1)), world[name]]) for name in ("ratio", "price"))
    first = np.hstack([np.full((2, 1), math.inf), world["end"]])
    end = np.stack([first, 3.0 * first, np.full((2, 3), math.inf)], axis=2)
    part = np.stack([ratio, np.hstack([np.ones((2, 1)), world["beyond"]]), np.zeros((2, 3))], axis=2)
    in_coins = np.hstack([np.zeros((2, 1), np.int64), world["in_coins"].astype(np.int64)])
    caps = np.tile([100.0, 1000.0, math.inf], (3, 1))
    rates = np.tile([rate for _, rate in TIERS], (3, 1))
    deductions = np.tile([0.0, 100.0 * 0.015, 100.0 * 0.015 + 1000.0 * 0.075], (3, 1))
    debt_rate = np.array([0.05, 0.1])
    out = [np.zeros(3) for _ in range(3)]
    plain = np.array([p % 2 for p in range(venue.size)])
    value_portfolios(
        venue,
        balance,
        position,
        cost,
        Haircuts(ratio, end, part, in_coins),
        debt_rate[venue],
        mark,
        price,
        starts,
        ends,
        caps,
        rates,
        deductions,
        world["flat"],
        plain,
        np.zeros(venue.size),
        *out,
    )
    for p, v in enumerate(venue):
        bands = {a: () if plain[p] else tuple(zip(end[v, a], part[v, a], strict=True)) for a in (1, 2)}
        assets = [Held(balance[p, a], price[v, a], 1.0, bands[a], bool(in_coins[v, a])) for a in (1, 2)]
        positions = [Position(position[p, m], cost[p, m], mark[m], TIERS) for m in range(3)]
        told = reference.portfolio_value(float(balance[p, 0]), assets, positions, float(debt_rate[v]), float(world["flat"][p]))
        assert [column[p] for column in out] == near(told)
