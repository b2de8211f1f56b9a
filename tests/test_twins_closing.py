"""The kernels of lines and first closings do what plain Python finds by searching: sale by sale, price by price."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from waxline.accounts.kernels import fund_traders, liquidation_price, tier_at_line
from waxline.accounts.lines import ASSETS_TO_DEBTS, DEBT_TO_COLLATERAL, EQUITY_TO_MAINTENANCE
from waxline.liquidation.closing_kernels import first_closing, sold_in_order
from waxline.liquidation.tables import First

few = settings(max_examples=80)
CAPS = np.array([1e4, 5e4, 2e5, math.inf])
RATES = np.array([0.01, 0.02, 0.05, 0.1])
SLICES = 4_000


def maintenance(notional: float) -> float:
    """Return the maintenance of a notional, tier by tier, each part at its own rate."""
    needed, floor = 0.0, 0.0
    for cap, rate in zip(CAPS, RATES, strict=True):
        needed += rate * max(min(notional, float(cap)) - floor, 0.0)
        floor = float(cap)
    return needed


def deductions() -> np.ndarray:
    """Return the deductions that make rate * notional - deduction the maintenance."""
    found = [0.0]
    for n in range(1, CAPS.size):
        found.append(found[-1] + float(CAPS[n - 1]) * float(RATES[n] - RATES[n - 1]))
    return np.array(found)


def closed(
    rule: int, equity: float, notional: float, *, fee: float = 0.0, down: int = 1, up_to: int = 1, whole_now: bool = False, stop_at: float = 1.0
) -> float:
    """Return what the kernel closes first; fraction 0.2 above 100,000 USD, portion a half between 5,000 and 60,000 USD."""
    least, most = (5_000.0, 60_000.0) if rule == First.PORTION else (0.0, math.inf)
    amount = first_closing(
        rule,
        equity,
        maintenance(notional),
        notional,
        CAPS,
        RATES,
        fee,
        down,
        up_to,
        1e5,
        0.5 if rule == First.PORTION else 0.2,
        whole_now,
        least,
        most,
        stop_at,
    )
    return float(amount)


NOTIONALS = st.floats(100.0, 1e6)


@few
@given(NOTIONALS, st.floats(0.05, 1.2), st.sampled_from([0.0, 0.002, 0.005]))
def test_closing_to_compliance_is_the_smallest_that_keeps_the_requirement(notional: float, part: float, fee: float) -> None:
    equity = part * maintenance(notional)
    found = closed(First.TO_COMPLIANCE, equity, notional, fee=fee)
    enough = next((x for x in np.linspace(0.0, notional, SLICES + 1) if equity - fee * x >= maintenance(notional - x) - 1e-9), notional)
    assert found == pytest.approx(enough, abs=1.5 * notional / SLICES)


@few
@given(NOTIONALS, st.integers(1, 3), st.integers(0, 3))
def test_closing_tiers_down_ends_at_the_top_of_a_lower_tier(notional: float, down: int, up_to: int) -> None:
    tier = sum(notional > cap for cap in CAPS[:-1])
    left = 0.0 if tier < up_to or tier < down else float(CAPS[tier - down])
    assert closed(First.TIERS_DOWN, 0.0, notional, down=down, up_to=up_to) == pytest.approx(notional - left)


@few
@given(NOTIONALS, st.booleans())
def test_fractions_portions_and_levels(notional: float, whole_now: bool) -> None:
    assert closed(First.WHOLE, 1.0, notional) == notional
    part = notional if notional <= 1e5 or whole_now else 0.2 * notional
    assert closed(First.FRACTION_ABOVE, 0.0, notional, whole_now=whole_now) == pytest.approx(part)
    assert closed(First.PORTION, 0.0, notional) == pytest.approx(min(max(min(0.5 * notional, 60_000.0), 5_000.0), notional))
    equity = 0.6 * maintenance(notional)
    tier = sum(notional > cap for cap in CAPS[:-1])
    at_level = min((1.1 * maintenance(notional) - equity) / (1.1 * RATES[tier]), notional)
    assert closed(First.TO_LEVEL, equity, notional, stop_at=1.1) == pytest.approx(at_level)


def sold_slice_by_slice(
    equity: float,
    needed: float,
    debt: float,
    assets: float,
    collateral: float,
    measure: int,
    stop_at: float,
    rate: float,
    values: list[float],
    ratios: list[float],
) -> list[float]:
    """Sell each asset in thin slices until the account's measure is where the venue stops, or nothing is owed."""
    sold = [0.0] * len(values)
    for n, value in enumerate(values):
        for _ in range(SLICES):
            if debt <= 1e-9:
                return sold
            if measure == ASSETS_TO_DEBTS:
                enough = assets >= stop_at * debt
            elif measure == DEBT_TO_COLLATERAL:
                enough = debt <= stop_at * collateral
            else:
                enough = equity >= stop_at * needed
            if enough and stop_at != math.inf:
                return sold
            piece = min(value / SLICES, debt)
            sold[n] += piece
            equity += (1.0 - ratios[n]) * piece
            needed -= rate * piece
            debt -= piece
            assets -= piece
            collateral -= ratios[n] * piece
    return sold


@few
@given(
    st.lists(st.tuples(st.floats(100.0, 1e5), st.sampled_from([0.3, 0.7, 0.95])), min_size=1, max_size=3),
    st.floats(0.3, 1.3),
    st.sampled_from([(EQUITY_TO_MAINTENANCE, 1.2), (EQUITY_TO_MAINTENANCE, math.inf), (ASSETS_TO_DEBTS, 1.3), (DEBT_TO_COLLATERAL, 0.8)]),
)
def test_pledged_assets_are_sold_until_the_measure_is_back(held: list[tuple[float, float]], leverage: float, rule: tuple[int, float]) -> None:
    values, ratios = [value for value, _ in held], [ratio for _, ratio in held]
    assets, collateral, rate = sum(values), sum(v * r for v, r in held), 0.05
    debt = leverage * collateral
    equity, needed = collateral - debt, rate * debt
    measure, stop_at = rule
    sold = np.zeros(len(values))
    whole = sold_in_order(equity, needed, debt, assets, collateral, measure, stop_at, rate, np.array(values), np.array(ratios), sold)
    plain = sold_slice_by_slice(equity, needed, debt, assets, collateral, measure, stop_at, rate, values, ratios)
    assert whole == pytest.approx(float(sold.sum()))
    assert sold == pytest.approx(plain, abs=2.5 * max(values) / SLICES)


@few
@given(
    st.floats(1.0, 4000.0),
    st.sampled_from([1.0, -1.0]),
    st.floats(0.02, 0.6),
    st.sampled_from([1.0, 12.0]),
    st.sampled_from([0, 1]),
    st.sampled_from([0.0, 0.0005]),
)
def test_the_tier_of_a_line_is_where_equity_meets_the_tiers(coins: float, side: float, margin: float, people: float, on_entry: int, fee: float) -> None:
    entry, quantity = 100.0, side * coins
    cost, cash = quantity * entry, margin * coins * entry
    tables = CAPS[None], RATES[None], deductions()[None]
    rate, deduction = tier_at_line(0, quantity, cost, cash, people, on_entry, fee, *tables)
    line = float(liquidation_price(quantity, cost, cash, rate, deduction))

    def slack(price: float) -> float:
        held = people * maintenance((abs(cost) if on_entry else coins * price) / people)
        return cash + quantity * price - cost - held - fee * coins * price

    assume(slack(entry) > 0.0)
    safe, gone = entry, 1e-9 if side > 0.0 else 1e5
    if slack(gone) > 0.0:
        assert line <= 1e-6, "a long with as much cash as its coins cost has no line"
        return
    for _ in range(200):
        middle = 0.5 * (safe + gone)
        safe, gone = (middle, gone) if slack(middle) > 0.0 else (safe, middle)
    assert line == pytest.approx(safe, rel=1e-9)


@few
@given(
    st.lists(st.tuples(st.sampled_from([1.0, -1.0]), st.floats(1.0, 4000.0), st.floats(0.01, 0.5)), min_size=1, max_size=5),
    st.sampled_from([1.0, 12.0]), st.sampled_from([0, 1]), st.sampled_from([0.0, 0.0005]),
)  # fmt: skip
def test_the_margin_given_to_traders_puts_their_lines_where_they_were_drawn(
    drawn: list[tuple[float, float, float]], people: float, on_entry: int, fee: float
) -> None:
    quantity = np.array([side * coins for side, coins, _ in drawn])
    line = np.array([100.0 * (1.0 - side * distance) for side, _, distance in drawn])
    cost, count = quantity * 100.0, len(drawn)
    cash, rate, deduction = np.zeros(count), np.zeros(count), np.zeros(count)
    none = np.zeros(1, dtype=np.int64)
    tables = CAPS[None], RATES[None], deductions()[None]
    fund_traders(
        np.zeros(count, dtype=np.int64), none, quantity, cost, line, np.array([people]), np.array([on_entry]), np.array([fee]), *tables, cash, rate, deduction
    )
    for n in range(count):
        held = people * maintenance((abs(cost[n]) if on_entry else abs(quantity[n]) * line[n]) / people)
        slack = cash[n] + quantity[n] * line[n] - cost[n] - held - fee * abs(quantity[n]) * line[n]
        assert slack == pytest.approx(0.0, abs=1e-7 * abs(cost[n]))
        assert liquidation_price(quantity[n], cost[n], cash[n], rate[n], deduction[n]) == pytest.approx(line[n], rel=1e-9)
