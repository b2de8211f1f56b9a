"""What agents decide is what the plain Python of `waxline.reference` says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waxline import reference
from waxline.agents.quoting import quote_target
from waxline.agents.trading import arbitrage_usd, informed_usd, trend_usd, value_rate

few = settings(max_examples=80)
fraction = st.floats(-0.6, 0.6)
usd = st.sampled_from([0.0, 1e3, 4e5, 7e7])
rate = st.sampled_from([0.0, 1e-4, 0.02, 1.0])
dt_s = st.sampled_from([0.1, 1.0, 60.0])


def near(value: object) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


@few
@given(fraction, rate, usd, dt_s)
def test_informed_traders_trade_as_in_plain_python(gap: float, speed: float, depth: float, dt: float) -> None:
    assert informed_usd(gap, speed, 0.04, 0.01, depth, dt) == near(reference.informed_usd(gap, speed, 0.04, 0.01, depth, dt))


@few
@given(fraction, fraction, st.sampled_from([-5.0, 0.0, 1e5]), st.sampled_from([10.0, 400.0]))
def test_value_buyers_spend_as_in_plain_python(discount: float, before: float, cash: float, tau: float) -> None:
    assert value_rate(discount, before, 0.055, 0.13, cash, tau) == near(reference.value_rate(discount, before, 0.055, 0.13, cash, tau))


@few
@given(fraction, rate, usd, usd, usd, dt_s)
def test_trend_sellers_sell_as_in_plain_python(fall: float, speed: float, holdings: float, bids: float, turnover: float, dt: float) -> None:
    rules = (fall, 0.1, speed, holdings, 0.25, bids, turnover, dt)
    assert trend_usd(*rules) == near(reference.trend_usd(*rules))


@few
@given(fraction, st.sampled_from([0.0, 0.003, 0.2]), usd, rate, dt_s)
def test_arbitrage_trades_as_in_plain_python(gap: float, cost: float, depth: float, speed: float, dt: float) -> None:
    assert arbitrage_usd(gap, cost, depth, speed, dt) == near(reference.arbitrage_usd(gap, cost, depth, speed, dt))


@settings(max_examples=150)
@given(
    st.floats(0.0, 200.0), st.sampled_from([0.0, 60.0, 600.0]), st.sampled_from([-1e9, -30.0, 0.0, 30.0]), st.floats(-100.0, 900.0), st.floats(0.0, 1.0),
    st.sampled_from([8.0, 1e12]), st.booleans(),
)  # fmt: skip
def test_makers_show_withdraw_and_return_as_in_plain_python(
    ratio: float, cool_down: float, pulled: float, t_s: float, cap: float, scale: float, withdraw: bool
) -> None:
    rules = (ratio, 60.0, cool_down, pulled, t_s, cap, scale, 0.02, 600.0, withdraw)
    size, until = quote_target(*rules)
    assert (size, until) == near(reference.quote_target(*rules))
    assert 0.0 <= size <= cap
