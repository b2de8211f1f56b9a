"""Laws that hold at every step of a small world, calm or in ruins, and in what a run leaves behind."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from small_world import TEXT, Played, play, played, scenario
from waxline.accounts.tables import CASH, Status
from waxline.market.ladder import posted_coins
from waxline.results.files import hashes_of
from waxline.results.run_result import RunResult
from waxline.results.schema import SHARE_COLUMNS
from waxline.scenario.schema import Scenario
from waxline.simulation.ledger import Ledger
from waxline.simulation.run import assemble, open_state, run_scenario
from waxline.simulation.step import take_step

RUIN = ("shock.news.size=0.35", "markets[*].depth_usd*=0.3", "clock.duration_s=8m")
SHORT = "clock.duration_s=8m"
WORLDS = pytest.mark.parametrize("overrides", [(), RUIN], ids=["crash", "ruin"])


def result(run: Played) -> RunResult:
    return assemble(run.scenario, run.state, run.recorder, run.ledger, 0.0)


@WORLDS
def test_money_positions_and_prices_obey_the_laws_at_every_step(overrides: tuple[str, ...]) -> None:
    asked = scenario(*overrides)
    state = open_state(asked)
    ledger = Ledger(state)
    missed: dict[int, str] = {}
    for _ in range(asked.clock.steps):
        take_step(state)
        ledger.check(state)
        ledger.check_positions(state)
        assert_prices_are_sound(state)
        assert np.all(state.venues.fund_cash >= 0.0), f"a fund is negative at t = {state.clock.t_s} s"
        for i in missed_lines(state):
            missed.setdefault(i, f"trader {i} at t = {state.clock.t_s:.0f} s, status {state.traders.status[i]}")
    report = ledger.report()
    assert report["checks"] == asked.clock.steps
    assert report["max_relative_error"] <= 1e-9 and report["long_short_max"] <= 1e-9
    assert not missed, f"{len(missed)} traders at their line were not found: {list(missed.values())[:5]}"


def assert_prices_are_sound(state: Any) -> None:
    """Check that books are not crossed and that every price is positive and finite."""
    books, prices, when = state.books, state.prices, f"at t = {state.clock.t_s} s"
    assert np.all(books.best_bid < books.best_ask), f"a book is crossed {when}"
    assert np.all(np.isfinite(books.mid)) and np.all(np.exp(books.mid) > 0.0), f"a mid is no price {when}"
    for name, values in (
        ("mark", prices.mark),
        ("collateral price", prices.asset_price),
        ("index", prices.index),
        ("oracle", prices.oracle),
        ("last", books.last),
    ):
        assert np.all(np.isfinite(values)) and np.all(values > 0.0), f"{name} is no price {when}"
    for name, values in (("low", books.low), ("high", books.high)):
        assert np.all(np.isnan(values) | (values > 0.0)), f"{name} is no price {when}"
    assert np.all(books.low[~np.isnan(books.low)] <= books.high[~np.isnan(books.low)] * (1.0 + 1e-12))
    assert np.all(posted_coins(state.markets, books) >= 0.0), f"a quote is negative {when}"
    assert np.all((books.depth_bid_usd >= 0.0) & (books.depth_ask_usd >= 0.0))


def missed_lines(state: Any) -> list[int]:
    """Return, by a full sweep, the traders at their line that the watch ladder has not given to the waterfall."""
    traders = state.traders
    mark = state.prices.mark[traders.market]
    equity = traders.cash + traders.quantity * mark - traders.cost
    required = np.abs(traders.quantity) * mark * traders.rate - traders.deduction
    waiting = (traders.quantity != 0.0) & (traders.status < Status.LIQUIDATING)
    return [int(i) for i in np.flatnonzero(waiting & (equity < required - 1e-9 * np.abs(traders.cost)))]


def test_the_ledger_sees_a_few_usd_and_a_few_coins_too_many() -> None:
    state = open_state(scenario())
    ledger = Ledger(state)
    take_step(state)
    ledger.check(state)
    ledger.check_positions(state)
    a_little = 2e-9 * ledger.scale[CASH]
    assert a_little < 100.0
    state.traders.cash[7] += a_little
    with pytest.raises(AssertionError, match="USD is off"):
        ledger.check(state)
    state.traders.cash[7] -= a_little
    state.traders.quantity[7] *= 1.01
    with pytest.raises(AssertionError, match="longs and shorts differ"):
        ledger.check_positions(state)
    state.books.mid[0] = math.nan
    with pytest.raises(AssertionError, match="not finite"):
        ledger.check(state)


def test_the_sweep_sees_a_trader_at_its_line() -> None:
    state = open_state(scenario())
    assert missed_lines(state) == []
    state.traders.cash[7] = -1e9
    assert missed_lines(state) == [7]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    asked = scenario(SHORT)
    first = hashes_of(run_scenario(asked, baseline=False))
    assert hashes_of(run_scenario(asked, baseline=False)) == first
    other = hashes_of(run_scenario(asked, seed=2, baseline=False))
    assert other["prices.parquet"] != first["prices.parquet"]


def backwards(asked: Scenario) -> Scenario:
    """Return the same scenario with all rows in reverse order."""
    rows = {name: list(reversed(getattr(asked, name))) for name in ("assets", "venues", "tiers", "markets", "collateral")}
    makers = asked.makers.model_copy(update={"accounts": list(reversed(asked.makers.accounts))})
    whales = asked.whales.model_copy(update={"named": list(reversed(asked.whales.named))})
    pool = asked.pool.model_copy(update={"collateral_usd": dict(reversed(asked.pool.collateral_usd.items()))})
    return asked.model_copy(update={**rows, "makers": makers, "whales": whales, "pool": pool})


def test_the_order_of_rows_changes_neither_the_hash_of_a_scenario_nor_a_byte_of_its_result() -> None:
    more = "whales.named=[{name: b, venue: binance, collateral_usd: {LINK: 1e6}, loan_to_value_frac: 0.6, perp_longs_usd: {}}, {name: a, venue: binance, collateral_usd: {ENJ: 1e5}, loan_to_value_frac: 0.6, perp_longs_usd: {ENJ: 1e5}}]"
    asked = scenario(SHORT, more)
    assert asked.hash() == backwards(asked).hash()
    first, second = (hashes_of(run_scenario(rows, baseline=False)) for rows in (asked, backwards(asked)))
    assert first.pop("scenario.resolved.yaml") != second.pop("scenario.resolved.yaml"), "the file keeps its order"
    assert {name for name in first if first[name] != second[name]} == set()


@WORLDS
def test_the_parts_of_the_price_accounting_add_up_to_the_change_of_the_mid(overrides: tuple[str, ...]) -> None:
    run = played(*overrides)
    mids = np.log(run.recorder.prices["mid"].astype(np.float64))[9::10]
    before = np.vstack([run.state.markets.log_reference, mids[:-1]])
    parts = run.recorder.causes["dlog"].sum(axis=2, dtype=np.float64)
    assert np.max(np.abs(parts - (mids - before))) <= 1e-5
    assert np.abs(mids - before).max() > 0.01, "something moved"


@WORLDS
def test_every_row_of_the_record_is_sound(overrides: tuple[str, ...]) -> None:
    run = played(*overrides)
    rows = run.rows
    assert rows.height > 1000
    shares = rows.select(SHARE_COLUMNS).sum_horizontal().to_numpy()
    assert np.all((np.abs(shares - 1.0) < 1e-5) | (shares == 0.0))
    assert rows.select(pl.min_horizontal(SHARE_COLUMNS)).to_series().min() >= 0.0  # type: ignore[operator]
    sold = rows.filter(pl.col("stage").is_in(["close_in_book", "collateral_sale", "takeover", "deleveraging"]))
    assert sold["quantity"].min() > 0.0 and sold["notional_usd"].min() > 0.0  # type: ignore[operator]
    assert sold["price_usd"].is_finite().all()
    forced = rows.filter(pl.col("stage").is_in(["close_in_book", "collateral_sale", "cancel"]))
    assert forced["generation"].min() >= 1.0 and rows["generation"].max() < 50.0  # type: ignore[operator]
    assert rows["t_s"].is_sorted() and rows["t_s"].max() <= run.scenario.clock.end_t_s  # type: ignore[operator]


@WORLDS
def test_only_positions_in_profit_are_deleveraged(overrides: tuple[str, ...]) -> None:
    rows = played(*overrides).rows.filter(pl.col("stage") == "deleveraging")
    assert rows.height > 10
    assert rows["profit_frac"].min() > 0.0  # type: ignore[operator]
    assert not rows["counted"].any(), "what the fund or vault took over was counted then"


@WORLDS
def test_what_accounts_lost_is_what_their_rows_say(overrides: tuple[str, ...]) -> None:
    run = played(*overrides)
    rows = run.rows.filter(pl.col("stage").is_in(["close_in_book", "collateral_sale", "takeover", "pool_liquidation"]))
    by_account = rows.group_by("account").agg(pl.col("notional_usd").sum())
    accounts = result(run).accounts.join(by_account, on="account", how="left").with_columns(pl.col("notional_usd").fill_null(0.0))
    assert accounts["liquidated_usd"].to_numpy() == pytest.approx(accounts["notional_usd"].to_numpy(), rel=1e-9, abs=1e-6)
    triggered = accounts.filter(pl.col("liquidated_usd") > 0.0)
    assert triggered["first_trigger_t_s"].is_not_null().all()


@WORLDS
def test_funds_bad_debt_and_totals_never_run_backwards(overrides: tuple[str, ...]) -> None:
    series = result(played(*overrides)).venues
    assert series["fund_usd"].min() >= 0.0  # type: ignore[operator]
    for _, rows in series.group_by("venue", maintain_order=True):
        for name in ("adl_usd", "bad_debt_usd", "socialised_usd", "pool_liquidated_usd", "arbitrage_usd", "topups_usd", "margin_calls"):
            assert rows[name].is_sorted(), name


def test_an_account_with_debt_and_coins_left_is_still_being_worked_or_was_never_triggered() -> None:
    state = played().state
    portfolios = state.portfolios
    ended = np.isin(portfolios.status, (Status.TAKEN_OVER, Status.CLOSED)) & (portfolios.maintenance + np.abs(portfolios.balance[:, CASH]) > 1.0)
    assert np.all(portfolios.balance[ended, CASH] >= -1e-3)


def test_the_text_of_the_small_world_uses_every_kind_of_venue_and_asset() -> None:
    for word in ("exchange", "spot_exchange", "perp_venue", "lending_pool", "claim", "halts", "whales", "vault_usd", "fund_usd"):
        assert word in TEXT


def test_steps_of_other_lengths_obey_the_ledger_too() -> None:
    for step_s in (0.5, 5.0, 60.0):
        minutes = "6m" if step_s < 1.0 else "15m"
        run = play(scenario(f"clock.step_s={step_s}", f"clock.duration_s={minutes}"))
        assert run.ledger.report()["max_relative_error"] <= 1e-9
        assert np.all(np.isfinite(run.recorder.prices["mid"]))
