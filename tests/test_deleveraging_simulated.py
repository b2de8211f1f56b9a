"""Deleveraging and its payers in the simulation: every rule and switch is one line, the payers add up, and a hedged winner loses by it alone."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from small_world import Played, played, scenario
from waxline.accounts.kernels import trade_portfolio, trade_single
from waxline.accounts.tables import CASH
from waxline.analysis.account_story import story_of
from waxline.analysis.account_text import story_text
from waxline.analysis.payers import payers_of
from waxline.liquidation.kernels import close_winners
from waxline.liquidation.parameters import DeleveragingRule
from waxline.results.run_result import RunResult
from waxline.simulation.build_rules import ranking
from waxline.simulation.gains import gains_of_accounts
from waxline.simulation.run import assemble, open_state

SHORT = "clock.duration_s=8m"
RUIN = ("shock.news.size=0.35", "markets[*].depth_usd*=0.3", SHORT)
NAMES = [rule.value for rule in DeleveragingRule if rule is not DeleveragingRule.NONE]


def result(run: Played) -> RunResult:
    return assemble(run.scenario, run.state, run.recorder, run.ledger, 0.0)


# The other rules' orders and shares are tested without a simulation; here each kind stands once, all of them in `make slow`.
USUAL = ("profit_times_leverage", "price_times_leverage", "pro_rata")


@pytest.mark.parametrize("rule", [name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in NAMES])
def test_every_rule_is_one_override_and_keeps_the_laws(rule: str) -> None:
    run = played(*RUIN, f"deleveraging.rule={rule}")
    report = run.ledger.report()
    assert report["max_relative_error"] <= 1e-9 and report["long_short_max"] <= 1e-9
    assert np.all(run.state.venues.fund_cash >= 0.0)
    rows = run.rows.filter(pl.col("stage") == "deleveraging")
    assert rows.height > 5 and rows["profit_frac"].min() > 0.0 and rows["quantity"].min() > 0.0  # type: ignore[operator]
    assert float(rows["notional_usd"].sum()) == pytest.approx(float(run.state.venues.deleveraged_usd.sum()), rel=1e-9)
    if rule == "profit_times_leverage":
        own = played(*RUIN)
        assert np.array_equal(own.state.traders.cash, run.state.traders.cash), "the small world's own rule"
    else:
        assert not np.array_equal(played(*RUIN).state.traders.cash, run.state.traders.cash), f"{rule} closes other winners"


def test_sharing_rules_close_more_winners_than_a_queue() -> None:
    def winners(rule: str) -> int:
        return int(played(*RUIN, f"deleveraging.rule={rule}").rows.filter(pl.col("stage") == "deleveraging")["account"].n_unique())

    assert winners("pro_rata") > 1.2 * winners("profit_times_leverage")


@pytest.mark.parametrize("override", ["deleveraging=off", "deleveraging.rule=none"])
def test_without_deleveraging_nobody_is_deleveraged(override: str) -> None:
    assert played(*RUIN, override).usd("deleveraging") == 0.0 < played(*RUIN).usd("deleveraging")


def test_ten_times_the_fund_or_no_vault_is_one_override() -> None:
    usual, rich = played(*RUIN), played(*RUIN, "venues[*].fund_usd*=10")
    v = usual.state.names.venues.index("binance")
    assert rich.state.venues.capacity_usd[v] == 10.0 * usual.state.venues.capacity_usd[v]
    assert rich.state.venues.deleveraged_usd[v] < usual.state.venues.deleveraged_usd[v]
    without = played(*RUIN, "venues[hyperliquid].vault_usd=0")
    h = usual.state.names.venues.index("hyperliquid")
    assert without.state.venues.has_vault[h] == 0 and usual.state.venues.has_vault[h] == 1
    assert without.state.venues.bad_debt_usd[h] > usual.state.venues.bad_debt_usd[h]


@pytest.mark.parametrize("overrides", [(SHORT,), RUIN, (*RUIN, "deleveraging.price=takeover"), (*RUIN, "venues[*].fund_usd=0")])
def test_payers_add_up_and_agree_with_what_was_counted_otherwise(overrides: tuple[str, ...]) -> None:
    run = played(*overrides)
    made, rows = result(run), run.rows
    assert all(row.adds_up() for row in payers_of(made))
    assert (rows["shortfall_usd"] >= 0.0).all() and (rows["shortfall_usd"].gt(0.0) == rows["payer"].is_not_null()).all()
    venues = run.state.venues
    for v, name in enumerate(run.state.names.venues):
        unpaid = rows.filter((pl.col("venue") == name) & (pl.col("payer") == "nobody"))["shortfall_usd"].to_list()
        counted = float(run.state.pending.pool[2]) if name == "aave" else float(venues.bad_debt_usd[v])
        assert math.fsum(unpaid) == pytest.approx(counted, rel=1e-9, abs=1e-6), name
    lacking = rows.filter(pl.col("stage").is_in(["payment", "bad_debt"]) | (pl.col("payer") == "vault"))
    lacking = lacking.filter(~pl.col("account_kind").is_in(["fund", "borrower"])).group_by("account").agg(pl.col("shortfall_usd").sum())
    accounts = made.accounts.filter(pl.col("kind") != "borrower").join(lacking, on="account", how="left")
    assert accounts["negative_equity_usd"].to_numpy() == pytest.approx(accounts["shortfall_usd"].fill_null(0.0).to_numpy(), rel=1e-9, abs=1e-6)
    assert float(accounts["negative_equity_usd"].sum()) > 0.0 or overrides == (SHORT,)


def test_at_the_price_of_takeover_winners_bear_what_the_fund_would_have() -> None:
    at_mark, at_takeover = played(*RUIN), played(*RUIN, "deleveraging.price=takeover")
    borne = at_takeover.rows.filter(pl.col("payer") == "winners")
    assert borne.height > 0 and (borne["stage"] == "deleveraging").all()
    assert at_mark.rows.filter(pl.col("payer") == "winners").height == 0
    assert np.all(at_takeover.state.traders.cash[at_takeover.state.traders.quantity == 0.0] > -1e12)


def test_limits_of_liquidations_are_bankruptcy_prices_and_nobody_sells_beyond_them() -> None:
    rows = played(*RUIN).rows.filter((pl.col("stage") == "close_in_book") & (pl.col("account_kind") == "trader") & pl.col("limit_usd").is_not_null())
    assert rows.height > 100
    beyond = (pl.col("price_usd") - pl.col("limit_usd")) * pl.col("side") / pl.col("limit_usd")
    assert rows.select(beyond.max()).item() <= 1e-3


def test_top_ups_stand_in_the_record() -> None:
    run = played(SHORT)
    added = run.rows.filter(pl.col("stage") == "top_up")
    assert float(added["notional_usd"].sum()) == pytest.approx(float(run.state.pending.topups_usd.sum()))
    assert added.height > 0


def test_the_story_of_a_simulated_account_can_be_told() -> None:
    made = result(played(*RUIN))
    dead = made.accounts.filter((pl.col("liquidated_usd") > 0.0) & pl.col("kind").is_in(["maker", "whale", "holder"])).sort("liquidated_usd")
    for row in dead.tail(3).iter_rows(named=True):
        story = story_of(made, str(row["account"]))
        assert "cancel" in [event.stage for event in story.events]
        assert math.fsum(event.notional_usd for event in story.events if event.stage in ("close_in_book", "collateral_sale", "takeover")) == pytest.approx(
            row["liquidated_usd"], rel=1e-9
        )
        assert sum(story.causes.values()) == pytest.approx(1.0) and "is liquidated" in story_text(story)


def hedged_equity(deleveraged: bool) -> tuple[float, float]:
    """Return the equity of an account long 100 coins and short 100 of the perp, at 80 and after a further fall to 60."""
    position, cost, balance = np.zeros((1, 1)), np.zeros((1, 1)), np.array([[1000.0, 100.0]])
    trade_portfolio(position, cost, balance, 0, 0, 0, True, -100.0, -100.0 * 100.0)
    fund_q, fund_c, fund_cash = (np.zeros((1, 1)) for _ in range(3))
    trade_single(fund_q[0], fund_c[0], fund_cash[0], 0, True, 100.0, 100.0 * 85.0)

    def equity(price: float) -> float:
        return float(balance[0, CASH] + balance[0, 1] * price + position[0, 0] * price - cost[0, 0])

    if deleveraged:
        empty = np.zeros(0)
        done = close_winners(
            0, 100.0, 1, 80.0, np.array([-1]), np.full(1, np.inf), np.full(1, 80.0), empty, empty, empty, fund_q, fund_c, fund_cash, 0, position, cost, balance,
            np.zeros(1), np.zeros(1),
        )  # fmt: skip
        assert done == 1 and position[0, 0] == 0.0
    return equity(80.0), equity(60.0)


def test_an_account_without_a_view_loses_from_deleveraging_alone() -> None:
    kept, taken = hedged_equity(False), hedged_equity(True)
    assert kept == (11000.0, 11000.0), "coins and perp cancel"
    assert taken == (11000.0, 9000.0), "without the perp the coins fall alone"


NEUTRAL = (
    "whales.named=[{name: neutral, venue: binance, collateral_usd: {LINK: 1e6}, loan_to_value_frac: 0.7, perp_longs_usd: {}, perp_shorts_usd: {LINK: 1e6}}]",
    "halts=off",
)


def test_a_neutral_maker_loses_its_hedge_sells_its_coins_and_loses_by_that_alone() -> None:
    run, kept = played(*RUIN, *NEUTRAL), played(*RUIN, *NEUTRAL, "deleveraging=off")
    p, m = run.state.names.portfolios.index("neutral"), run.state.names.markets.index("binance-perp-LINK")
    a = run.state.names.assets.index("LINK")
    before = open_state(run.scenario)
    told = gains_of_accounts(before, run.state, ["neutral"])["neutral"]
    left = gains_of_accounts(before, kept.state, ["neutral"])["neutral"]
    assert left["perps closed"] == 0.0, "nobody touches it without deleveraging"
    assert left["gain"] == pytest.approx(left["left alone"], abs=2e3), "only funding is paid"
    assert told["perps closed"] > 1e4
    sold = run.rows.filter((pl.col("stage") == "hedge_sale") & (pl.col("account_name") == "neutral"))
    assert sold.height > 0 and not sold["counted"].any()
    coins = float(before.portfolios.balance[p, a] - run.state.portfolios.balance[p, a])
    assert coins == pytest.approx(float(sold["quantity"].sum()), rel=1e-9)
    assert run.state.portfolios.balance[p, a] + run.state.portfolios.position[p, m] > -1e-6, "it never sells more than has lost its hedge"
    assert told["gain"] < told["left alone"] - 0.1 * told["perps closed"], "its short was closed above the market and its coins went below"
    story = story_of(result(run), "neutral")
    assert "no longer hedged" in story_text(story) and story.cost_usd > 0.0, "what was forced cost it money at once"


@pytest.mark.parametrize(
    ("rules", "rule"),
    [
        ("binance", "profit_times_margin"),
        ("bybit", "profit_times_leverage"),
        ("okx", "profit_over_level"),
        ("dydx", "unranked"),
        ("bitmex", "profit_times_leverage"),
    ],
)
def test_a_venue_that_says_nothing_ranks_as_its_rule_file_says(rules: str, rule: str) -> None:
    silent = (f"venues[binance].rules={rules}", "venues[binance].deleveraging=null")
    assert ranking(scenario(*silent), "binance").value == rule
    assert ranking(scenario(*silent, "venues[binance].deleveraging=capped"), "binance").value == "capped"
    assert ranking(scenario(*silent, "deleveraging.rule=pro_rata"), "binance").value == "pro_rata"
    assert ranking(scenario("venues[binance].deleveraging=null"), "binance") is DeleveragingRule.NONE


def test_the_small_world_still_names_a_rule_per_venue() -> None:
    world = scenario()
    assert world.deleveraging.rule is None
    assert {venue.name for venue in world.venues if ranking(world, venue.name) is not DeleveragingRule.NONE} == {"binance", "hyperliquid"}
