"""Closing sizes that count the price of the sale: they restore margin exactly, twins search for them, bounds hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from waxline.liquidation import rules_closing
from waxline.market.rules_price import imbalance_funding

equities = st.floats(-20.0, 60.0)
quantities = st.floats(0.5, 100.0)
rates = st.sampled_from([0.005, 0.05, 0.2])
PRICE = 5.0


def searched(short_of: Callable[[float], float], quantity: float) -> float:
    """Return the smallest closing at which nothing is missing any more, on a fine grid; all where there is none."""
    steps = 20_000
    for n in range(steps + 1):
        if short_of(quantity * n / steps) <= 0.0:
            return quantity * n / steps
    return quantity


@given(equities, st.sampled_from([1.0, -1.0]), quantities, st.floats(-0.3, 0.05), rates, st.sampled_from([0.0, 0.003]))
def test_a_closing_at_a_price_is_the_smallest_that_restores_margin(equity: float, side: float, quantity: float, slip: float, rate: float, fee: float) -> None:
    executed = PRICE + side * slip
    closed = rules_closing.closing_at_price(equity, side, quantity, PRICE, executed, rate, fee)
    assert 0.0 <= closed <= quantity

    def missing(x: float) -> float:
        return rate * PRICE * (quantity - x) - (equity + side * x * (executed - PRICE) - fee * PRICE * x)

    assert closed == pytest.approx(searched(missing, quantity), abs=1e-4 * quantity + 1e-9)


@given(equities, quantities, rates, st.sampled_from([1e-6, 1e-3, 0.05]), st.sampled_from([0.0, 0.1]))
def test_a_closing_with_impact_is_the_smallest_that_restores_margin(equity: float, quantity: float, rate: float, impact: float, fees: float) -> None:
    closed = rules_closing.closing_with_impact(equity, quantity, PRICE, rate, impact, fees)
    assert 0.0 <= closed <= quantity

    def missing(x: float) -> float:
        return rate * PRICE * (quantity - x) - (equity - 0.5 * impact * x * x - fees)

    # Where the parabola only touches zero the grid of the search may step over it.
    assume(abs((rate * PRICE) ** 2 - 2.0 * impact * missing(0.0)) > 1e-4)
    assert closed == pytest.approx(searched(missing, quantity), abs=2e-4 * quantity + 1e-9)


def test_closing_where_each_coin_sold_costs_more_than_it_frees_takes_all() -> None:
    assert rules_closing.closing_at_price(0.0, 1.0, 3.0, PRICE, 0.9 * PRICE, 0.05, 0.0) == 3.0
    assert rules_closing.closing_with_impact(-5.0, 3.0, PRICE, 0.05, 1.0, 0.0) == 3.0
    assert rules_closing.closing_at_price(1.0, 1.0, 3.0, PRICE, 4.0, 0.05, 0.0) == 0.0
    assert rules_closing.closing_fees(5.0, 4.0, 3.0, 0.01, 0.1) == pytest.approx(0.15 + 1.2)


def test_longs_pay_when_the_price_stands_above_what_the_imbalance_asks_for() -> None:
    assert imbalance_funding(1.0, 101.0, 100.0, 2.0) == pytest.approx(0.02)
    assert imbalance_funding(0.6, 1.4, 1.5, 1.0) == pytest.approx(1.4 / 1.5 - 0.6)
