"""Owners who are called and have no reserve left reduce by choice, where the scenario says so: before the venue does, at the market, told in the record."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from small_world import played, scenario
from waxline.accounts.tables import CASH, Status
from waxline.analysis.account_story import story_of
from waxline.analysis.account_text import story_text
from waxline.market.tables import O_LEFT, O_MARKET
from waxline.results.schema import Cause
from waxline.simulation.build import value_all
from waxline.simulation.portfolios import start_liquidation
from waxline.simulation.run import assemble, open_state
from waxline.simulation.step import act_events
from waxline.simulation.waterfall import call_margin, give_own_order, trim_own_orders

POOR = ("whales.named[whale-1].reserve_usd=0", "topups.holder_reserve_frac=0", "clock.duration_s=9m")
CHOICE = "topups.reduce_frac=0.25"


def test_a_called_owner_without_a_reserve_sells_a_part_at_each_pause() -> None:
    run = played(*POOR, CHOICE)
    rows = run.rows.filter(pl.col("stage") == "reduction")
    assert rows.height > 0 and not rows["counted"].any() and (rows["shortfall_usd"] == 0.0).all()
    assert set(rows["account_kind"]) <= {"whale", "holder"}
    called = run.rows.filter(pl.col("stage") == "margin_call").group_by("account").agg(pl.col("t_s").min().alias("called"))
    first = rows.group_by("account").agg(pl.col("t_s").min().alias("sold")).join(called, on="account", how="left")
    assert (first["sold"] >= first["called"]).all(), "nobody reduces who was not called"
    report = run.ledger.report()
    assert report["max_relative_error"] <= 1e-9 and report["long_short_max"] <= 1e-9
    told = story_text(story_of(assemble(run.scenario, run.state, run.recorder, run.ledger, 0.0), str(rows["account"][0])))
    assert "by choice" in told


def test_without_the_parameter_or_with_a_reserve_nobody_reduces() -> None:
    for overrides in (
        (*POOR, "topups.reduce_frac=0"),
        ("whales.named[whale-1].reserve_usd=1e12", "topups.holder_reserve_frac=1", "clock.duration_s=9m", CHOICE),
    ):
        assert played(*overrides).rows.filter(pl.col("stage") == "reduction").height == 0


@pytest.mark.parametrize("part", [0.25, 1.0])
def test_one_reduction_is_a_part_of_every_position_and_no_more_coins_than_the_debt(part: float) -> None:
    state = open_state(scenario(*POOR, f"topups.reduce_frac={part}", "shock.news=off", "topups.call_ratio=10"))
    act_events(state)
    p, orders = state.names.portfolios.index("whale-1"), state.orders
    value_all(state)
    call_margin(state)
    state.clock.t_s += 10.0 * state.scenario.topups.delay_s
    used = int(orders.used[0])
    call_margin(state)
    given = {int(n): orders.table[n].copy() for n in state.pending.own_orders[p]}
    assert min(given) >= used
    portfolios = state.portfolios
    coins_usd = 0.0
    for order in given.values():
        m = int(order[O_MARKET])
        if state.markets.perp[m]:
            assert order[O_LEFT] == pytest.approx(part * abs(portfolios.position[p, m]))
        else:
            a = int(state.markets.asset[m])
            coins_usd += order[O_LEFT] * state.prices.asset_price[portfolios.venue[p], a]
    held = float(np.sum(portfolios.balance[p, 1:] * state.prices.asset_price[portfolios.venue[p], 1:]))
    assert coins_usd == pytest.approx(min(part * held, -portfolios.balance[p, CASH]), rel=1e-9)
    assert (coins_usd < part * held * (1.0 - 1e-9)) == (part == 1.0), "the debt limits the larger of the two"
    call_margin(state)
    state.clock.t_s += 10.0 * state.scenario.topups.pause_s
    call_margin(state)
    assert len(state.pending.own_orders[p]) == len(given), "what is already ordered is not ordered again"
    start_liquidation(state, p)
    assert portfolios.status[p] == Status.LIQUIDATING
    assert all(orders.table[n, O_LEFT] == 0.0 for n in given), "the venue cancels them when it liquidates"


def test_a_reduction_opens_no_other_position_when_the_rest_was_deleveraged() -> None:
    state = open_state(scenario(*POOR, CHOICE, "shock.news=off"))
    act_events(state)
    p, m = state.names.portfolios.index("whale-1"), state.names.markets.index("binance-perp-LINK")
    state.portfolios.position[p, m] = 100.0
    give_own_order(state, p, m, -1, 25.0, Cause.STOP_LOSS)
    give_own_order(state, p, m, -1, 10.0, Cause.STOP_LOSS)
    for position, left in ((60.0, [25.0, 10.0]), (30.0, [25.0, 5.0]), (8.0, [8.0, 0.0]), (0.0, [0.0, 0.0])):
        state.portfolios.position[p, m] = position
        trim_own_orders(state, p, m)
        assert [float(state.orders.table[n, O_LEFT]) for n in state.pending.own_orders[p]] == left
