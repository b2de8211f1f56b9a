"""Margin rules in tables a risk officer can extend: liquidation and bankruptcy prices, tiers, haircuts, levels, interest."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rule_tables import check_table, side_of
from waxline.accounts import rules_collateral, rules_margin, rules_tiers
from waxline.jit import njit


def test_the_story_of_a_wrong_line_names_what_was_given_what_came_out_and_what_the_table_says() -> None:
    table = "debt collateral | ltv\n50 100 | 0.6"
    with pytest.raises(AssertionError, match=r"50 100 \| 0.6\n    given debt 50.0, collateral 100.0\n    the rule gives ltv 0.5, the table says 0.6"):
        check_table(table, rules_collateral.loan_to_value)


def test_liquidation_prices_of_linear_contracts_differ_by_what_maintenance_is_taken_on() -> None:
    def price(basis: str, side: str, entry: float, leverage: float, rate: float, fee: float) -> float:
        s, margin = side_of(side), entry / leverage
        if basis == "mark":
            return rules_margin.linear_liquidation_price(s, s * entry, margin, rate, 0.0)
        if basis == "mark+fee":
            return rules_margin.liquidation_price_with_fee(s, entry, margin, rate, fee)
        if basis == "entry":
            return rules_margin.liquidation_price_on_entry(s, entry, margin, rate, 0.0)
        return rules_margin.liquidation_price_on_bankruptcy(s, entry, leverage, rate)

    check_table(
        """
        basis       side   entry  leverage  rate   fee     |  liquidation
        mark        long   10     5         0.01   0       |  8.0808080808
        mark        short  10     5         0.01   0       |  11.8811881188
        mark+fee    short  10     5         0.01   0.0006  |  11.8741341777
        mark+fee    long   10     3         0.01   0.0006  |  6.7380904251
        entry       long   20000  50        0.005  0       |  19700
        entry       short  10     10        0.01   0       |  10.9
        bankruptcy  long   0.4    5         0.01   0.0006  |  0.3232
        # at leverage 1 a long is liquidated only near zero, and never below it
        mark        long   10     1         0      0       |  0
        entry       long   10     1         0.01   0       |  0.1
        mark        long   10     0.5       0.01   0       |  0
        """,
        lambda **row: {"liquidation": price(**row)},
    )


def test_prices_of_coin_margined_contracts_and_where_there_is_none() -> None:
    def row(side: str, contracts: float, entry: float, leverage: float, rate: float) -> dict[str, float]:
        s, value = side_of(side), contracts / entry
        line = rules_margin.inverse_liquidation_price(s, contracts, entry, value / leverage, rate * value)
        return {"liquidation": line, "bankruptcy": rules_margin.inverse_bankruptcy_price(s, entry, leverage)}

    check_table(
        """
        side   contracts  entry    leverage  rate   |  liquidation   bankruptcy
        short  60000      50000    10        0.005  |  55248.618785  55555.555556
        long   5000       7890.08  50        0.005  |  7773.477833   7735.372549
        # the loss of a short in coins is bounded by what the contracts are worth: little leverage has no end
        short  60000      50000    1         0.005  |  10000000      inf
        short  60000      50000    0.9       0.005  |  inf           inf
        """,
        row,
        relative=1e-8,
    )


def test_maintenance_by_tiers_is_the_same_as_rates_applied_band_by_band() -> None:
    caps, rates = [50e3, 600e3, 3e6, math.inf], [0.004, 0.005, 0.0065, 0.01]
    floors = [0.0, *caps[:-1]]
    amounts = rules_tiers.deductions(floors, rates)

    def by_tier(notional: float) -> dict[str, float]:
        n = rules_tiers.tier_index(notional, caps)
        return {"tier": n + 1.0, "maintenance": rules_tiers.tier_maintenance(notional, rates[n], amounts[n])}

    check_table(
        """
        notional   |  tier  maintenance
        0          |  1     0
        50,000     |  1     200
        50,001     |  2     200.005
        600,000    |  2     2,950
        3,000,000  |  3     18,550
        9,000,000  |  4     78,550
        """,
        by_tier,
    )
    for notional in np.linspace(0.0, 5e6, 41):
        assert math.isclose(by_tier(notional)["maintenance"], rules_tiers.banded_value(notional, floors, caps, rates, 0.0), abs_tol=1e-6)


def test_collateral_counts_by_bands_and_debts_count_in_full() -> None:
    def counted(amount: float, price: float, ratio: float) -> float:
        return rules_collateral.haircut_value(amount * price, ratio)

    check_table(
        """
        amount  price   ratio  |  counted
        2       50,000  0.95   |  95,000
        0       50,000  0.95   |  0
        -2      50,000  0.95   |  -100,000
        100     300     0      |  0
        """,
        lambda **row: {"counted": counted(**row)},
    )
    bands = ([0.0, 10.0, 20.0], [10.0, 20.0, math.inf], [0.98, 0.95, 0.9])
    check_table(
        "coins | counts\n5 | 4.9\n10 | 9.8\n25 | 23.8",
        lambda coins: {"counts": rules_tiers.banded_value(coins, *bands, 0.0)},
    )


def test_levels_of_margin_loans_and_pools() -> None:
    check_table("assets debts | level\n110 100 | 1.1\n500,000 400,000 | 1.25\n5 0 | inf", lambda assets, debts: rules_collateral.level(assets, debts))
    check_table("debt collateral | ltv\n10,000 13,333.33333 | 0.75\n1 0 | inf\n0 0 | 0", rules_collateral.loan_to_value)
    check_table("threshold_value debt | health\n8,000 6,000 | 1.3333333\n1 0 | inf", rules_collateral.health_factor)


def test_interest_counts_hours_begun() -> None:
    check_table("borrowed daily_rate hours | interest\n60 0.05% 0.1667 | 0.00125\n60 0.025% 25 | 0.015625", rules_margin.hourly_interest)
    check_table("borrowed rate hours period_h | interest\n60 0.05% 0.1667 4 | 0.06\n60 0.025% 25 4 | 0.12", rules_margin.rollover_interest)


@given(
    side=st.sampled_from([1.0, -1.0]),
    quantity=st.floats(1e-3, 1e3),
    entry=st.floats(1e-2, 1e5),
    leverage=st.floats(1.5, 100.0),
    rate=st.floats(0.0, 0.5),
    deduction_part=st.floats(0.0, 1.0),
)
def test_at_the_liquidation_price_equity_is_maintenance(
    side: float, quantity: float, entry: float, leverage: float, rate: float, deduction_part: float
) -> None:
    cash, deduction = quantity * entry / leverage, deduction_part * 0.01 * quantity * entry
    price = rules_margin.linear_liquidation_price(side * quantity, side * quantity * entry, cash, rate, deduction)
    if price > 0.0:
        equity = cash + rules_margin.linear_pnl(side, quantity, entry, price)
        assert math.isclose(equity, quantity * price * rate - deduction, rel_tol=1e-9, abs_tol=1e-9 * quantity * entry)


@given(side=st.sampled_from([1.0, -1.0]), contracts=st.floats(1.0, 1e6), entry=st.floats(1.0, 1e5), leverage=st.floats(1.5, 100.0))
def test_a_coin_margined_position_is_worth_nothing_at_its_bankruptcy_price(side: float, contracts: float, entry: float, leverage: float) -> None:
    price = rules_margin.inverse_bankruptcy_price(side, entry, leverage)
    margin = contracts / entry / leverage
    assert math.isclose(rules_margin.inverse_pnl(side, contracts, entry, price), -margin, rel_tol=1e-9)


@given(notional=st.floats(0.0, 1e7), low=st.floats(0.0, 0.2), more=st.floats(0.0, 0.2))
def test_a_higher_tier_rate_never_lowers_maintenance(notional: float, low: float, more: float) -> None:
    def maintenance(rates: list[float]) -> float:
        floors, caps = [0.0, 1e5, 1e6], [1e5, 1e6, math.inf]
        n = rules_tiers.tier_index(notional, caps)
        return rules_tiers.tier_maintenance(notional, rates[n], rules_tiers.deductions(floors, rates)[n])

    assert maintenance([low, low + more, low + more]) >= maintenance([low, low, low]) - 1e-6


def test_rules_run_compiled_as_they_run_plain() -> None:
    compiled = njit(rules_margin.liquidation_price_with_fee)
    banded = njit(rules_tiers.banded_value)
    floors, caps, rates = np.array([0.0, 10.0]), np.array([10.0, 50.0]), np.array([0.98, 0.95])
    for side, amount in ((1.0, 5.0), (-1.0, 25.0), (1.0, 80.0)):
        assert compiled(side, 100.0, 20.0, 0.01, 0.0006) == rules_margin.liquidation_price_with_fee(side, 100.0, 20.0, 0.01, 0.0006)
        assert banded(amount, floors, caps, rates, 0.0) == rules_tiers.banded_value(amount, list(floors), list(caps), list(rates), 0.0)
