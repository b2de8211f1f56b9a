"""Rules of closing amounts, takeover, deleveraging, pools and auctions, in tables."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from rule_tables import check_table, side_of
from waxline.liquidation import rules_auctions, rules_deleveraging, rules_pools, rules_waterfall


def test_how_much_is_closed_first() -> None:
    check_table(
        """
        equity  maintenance  notional  rate  fee    |  closed
        100     120          10,000    0.05  0.005  |  444.444444
        100     90           10,000    0.05  0.005  |  0
        # closing frees less than it costs: the whole position goes
        100     120          10,000    0.004 0.005  |  10,000
        # what is missing is more than closing all of it can free
        -500    120          10,000    0.05  0.005  |  10,000
        """,
        rules_waterfall.closing_to_compliance,
    )
    check_table("held acts_above target | closed\n15,000 12,001 2,000 | 13,000\n1,500 12,001 2,000 | 1,500", rules_waterfall.closing_to_tier)
    check_table(
        "notional threshold fraction cooling | order\n500,000 100,000 0.2 no | 100,000\n500,000 100,000 0.2 yes | 500,000\n100,000 100,000 0.2 no | 100,000",
        rules_waterfall.closing_fraction,
    )
    check_table(
        "position portion least most | closed\n5,000 0.1 1,000 100,000 | 1,000\n500 0.1 1,000 100,000 | 500\n5e6 0.1 1,000 100,000 | 100,000",
        rules_waterfall.closing_portion,
    )


def test_selling_pledged_coins_stops_at_the_venues_level() -> None:
    check_table("assets liabilities stop_level | sold\n110 100 1.5 | 80\n150 100 1.5 | 0\n90 100 1.25 | 90", rules_waterfall.sold_to_level)
    check_table("debt collateral target ratio | sold\n85 100 0.65 1 | 57.142857\n60 100 0.65 1 | 0\n85 100 0.8 0.9 | 17.857143", rules_waterfall.sold_to_ltv)
    check_table(
        "equity maintenance stop ratio debt_rate | sold\n100 100 1.2 0.9 0.1 | 90.909091\n130 100 1.2 0.9 0.1 | 0\n1 2 1 1 0 | inf",
        rules_waterfall.sold_to_equity_level,
    )


@given(assets=st.floats(1.0, 1e6), part=st.floats(0.5, 0.99), stop=st.floats(1.05, 3.0))
def test_after_the_sale_the_level_is_back_or_nothing_is_left(assets: float, part: float, stop: float) -> None:
    debt = assets * part
    sold = rules_waterfall.sold_to_level(assets, debt, stop)
    assert 0.0 <= sold <= assets
    if 0.0 < sold < min(assets, debt):
        assert math.isclose((assets - sold) / (debt - sold), stop, rel_tol=1e-6)


def test_worst_prices_of_liquidation_orders() -> None:
    def fillable(side: str, collateral: float, spread: float, adjustment: float) -> float:
        return rules_waterfall.fillable_price(side_of(side), 50000.0, spread, 0.1, adjustment, collateral, 500.0)

    check_table(
        """
        side   collateral  spread  adjustment  |  worst
        long   499         0.1     1           |  49,999
        long   499         0.1     2           |  49,998
        short  499         0.1     1           |  50,001
        long   0           0.1     1           |  49,500
        long   -500        0.1     1           |  49,500
        """,
        lambda **row: {"worst": fillable(**row)},
    )


def test_the_vault_takes_over_below_two_thirds_of_maintenance() -> None:
    check_table("account_value maintenance share | takes\n201 300 0.6666667 | no\n199 300 0.6666667 | yes", rules_waterfall.backstop_takes_over)


def test_the_fund_gains_up_to_its_fee_and_pays_all_that_is_missing() -> None:
    check_table("proceeds quote fee | delta\n5,610 5,100 0.5% | 28.05\n5,105.1 5,100 0.5% | 5.1\n5,049 5,100 0.5% | -51", rules_waterfall.fund_delta)
    check_table("balance delta | whole\n10,000 -10,000 | yes\n10,000 -10,000.01 | no\n0 1 | yes", rules_waterfall.fund_stays_whole)


def test_losses_that_are_shared() -> None:
    check_table("loss long_units short_units | each\n100 7 4 | 9.0909090909", rules_waterfall.socialised_per_unit)
    check_table("loss deposits | part\n11 120 | 0.0916666667\n11 0 | 0", rules_waterfall.deposit_cut)
    check_table("profit all_profits loss | pays\n30 100 50 | 15\n30 0 50 | 0", rules_waterfall.session_share)


def test_when_deleveraging_starts() -> None:
    def drawdown(now: float, most: float, fund: float) -> dict[str, object]:
        ratio = rules_deleveraging.loss_share_of_fund(now, most, fund)
        return {"starts": rules_deleveraging.drawdown_triggers(ratio, -0.3), "covers": rules_deleveraging.loss_beyond(ratio, -0.3, fund)}

    check_table(
        """
        now       most       fund       |  starts  covers
        -350,000  0          1,000,000  |  yes     50,000
        400,000   1,000,000  2,000,000  |  yes     0
        -299,000  0          1,000,000  |  no      0
        """,
        drawdown,
    )
    check_table("reference drop least_drop | line\n400,000 30% 50,000 | 280,000\n100,000 30% 50,000 | 50,000", rules_deleveraging.fund_threshold)


def test_who_is_deleveraged_first() -> None:
    check_table(
        "wallet unrealised maintenance | rank\n1,000 500 150 | 0.05\n1,000 -100 50 | 0\n0.5 10 1 | 0.9523809524\n1 -2 1 | 0",
        rules_deleveraging.margin_times_profit,
    )
    check_table(
        "side mark entry notional account_value | rank\nlong 110 100 5,000 1,000 | 5.5\nshort 80 100 4,000 1,000 | 5",
        lambda side, **row: rules_deleveraging.price_times_leverage(side_of(side), **row),
    )
    check_table("profit leverage | rank\n0.2 5 | 1\n-0.2 5 | -0.04", rules_deleveraging.profit_times_leverage)
    assert rules_deleveraging.order_of([3.0, 6.0, 3.0]) == [1, 0, 2]


@given(quantities=st.lists(st.floats(0.0, 100.0), min_size=1, max_size=20), part=st.floats(0.0, 1.2))
def test_what_winners_give_is_what_is_wanted_or_all_they_have(quantities: list[float], part: float) -> None:
    whole = math.fsum(quantities)
    wanted = part * whole
    for taken in (rules_deleveraging.taken_in_order(quantities, wanted), rules_deleveraging.taken_pro_rata(quantities, wanted)):
        assert math.isclose(math.fsum(taken), min(wanted, whole), rel_tol=1e-9, abs_tol=1e-9)
        assert all(0.0 <= gave <= had + 1e-9 for gave, had in zip(taken, quantities, strict=True))
    capped = rules_deleveraging.taken_capped(quantities, wanted, 0.5)
    assert all(gave <= 0.5 * had + 1e-9 for gave, had in zip(capped, quantities, strict=True))


def test_how_much_of_a_pool_debt_may_be_repaid() -> None:
    check_table(
        """
        reserve_debt  total_debt  reserve_collateral  health  part  deep  dust   |  repayable
        3,000         9,000       9,000               0.99    0.5   0.95  2,000  |  3,000
        6,000         9,000       9,000               0.99    0.5   0.95  2,000  |  4,500
        6,000         9,000       9,000               0.95    0.5   0.95  2,000  |  6,000
        900           900         1,200               0.96    0.5   0.95  1,000  |  900
        6,000         9,000       1,900               0.99    0.5   0.95  2,000  |  6,000
        """,
        rules_pools.repayable,
    )
    check_table(
        "debt repaid collateral seized least | dust\n3,000 2,500 9,000 2,600 1,000 | yes\n3,000 3,000 9,000 3,150 1,000 | no\n9e3 4,500 9,450 4,725 1,000 | no",
        rules_pools.leaves_dust,
    )


def test_a_keeper_acts_only_when_selling_pays() -> None:
    check_table("seized_usd repaid_usd slippage gas_usd | earns\n105,000 100,000 1% 20 | 3,930\n105,000 100,000 6% 20 | -1,320", rules_pools.keeper_profit)


def test_what_a_taker_of_an_auction_gets() -> None:
    check_table(
        """
        tab  lot   price  wanted  least_tab  |  bought  paid  lot_left  tab_left  refused
        110  40    5      25      22         |  22      110   18        0         no
        110  40    5      18      22         |  17.6    88    22.4      22        no
        22   22.4  5      1       22         |  0       0     22.4      22        yes
        110  40    2.5    40      22         |  40      100   0         10        no
        """,
        lambda **row: rules_auctions.taken(**row)._asdict(),
    )


def test_the_limit_on_auctions_takes_the_whole_vault_rather_than_leave_dust() -> None:
    wei = Fraction(1, 10**18)
    assert rules_auctions.kicked(40, 100, 1, 1, 80, 20).tab == 80
    assert rules_auctions.kicked(40, 100, 1, 1, 80 + wei, 20).tab == 100
    assert rules_auctions.kicked(40, 100, 1, 1, 10, 20).refused


@given(top=st.floats(1.0, 1e5), earlier=st.floats(0.0, 3000.0), later=st.floats(0.0, 3000.0))
def test_auction_prices_never_rise(top: float, earlier: float, later: float) -> None:
    first, second = sorted((earlier, later))
    for curve in (
        lambda t: rules_auctions.linear_price(top, t, 2400.0),
        lambda t: rules_auctions.stair_price(top, t, 0.99, 6.0),
        lambda t: rules_auctions.exponential_price(top, t, 0.999),
    ):
        assert 0.0 <= curve(second) <= curve(first) <= top
