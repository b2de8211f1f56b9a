"""Calm worlds stay calm, harder shocks and thinner books do more, emptied books lead on, and odd worlds run or are refused."""

from __future__ import annotations

from statistics import median

import numpy as np
import polars as pl
import pytest

from small_world import play, played, scenario
from waxline.analysis.summary import summarise
from waxline.errors import WaxlineError
from waxline.market.ladder import posted_coins
from waxline.market.tables import O_ACCOUNT, O_CAUSE, O_LEFT, O_MARKET
from waxline.results.schema import Cause
from waxline.scenario.files import parse_scenario
from waxline.simulation.build import empty_rows
from waxline.simulation.build_accounts import MAKER
from waxline.simulation.run import run_scenario

SEEDS = (1, 2, 3)
SHORT = "clock.duration_s=9m"


def test_nobody_is_liquidated_and_nothing_moves_without_shock_noise_and_walk() -> None:
    run = played("shock.news=off", "noise=off", "fair_value=off", SHORT)
    assert run.rows.height == 0
    start = np.exp(run.state.markets.log_reference)
    assert np.max(np.abs(run.recorder.prices["mid"] / start - 1.0)) < 0.001
    assert run.state.pending.topups_usd.sum() == 0.0 and run.state.venues.bad_debt_usd.sum() == 0.0


def test_a_calm_market_stays_calm() -> None:
    run = played("shock.news=off", "makers.stock_depths=1", SHORT)
    assert run.usd() == 0.0 and run.usd("deleveraging", "pool_liquidation", "bad_debt") == 0.0
    mids = np.log(run.recorder.prices["mid"][::60].astype(np.float64))
    coins = run.state.markets.claim_asset < 0
    assert np.all(np.diff(mids, axis=0).std(axis=0)[coins] < 3.0 * run.state.markets.volatility[coins])
    calm, depth = run.state.markets.depth_usd, run.recorder.series
    for side in ("bid_depth", "ask_depth"):
        assert np.all(depth[side][5:].mean(axis=0) > 0.4 * calm), "depth is steady"
    assert depth["empty"].sum() == 0.0


def gaps_to_fair_value():
    """Play news without feedback; return the run, the largest gap of each market to fair value from minute 8 on, and names."""
    run = played("feedback=off", "shock.news.size=0.015", "makers.stock_depths=1", "clock.duration_s=15m")
    late = run.recorder.t_s >= 480
    fair = run.recorder.fair[:, run.state.markets.asset]
    gap = np.abs(np.log(run.recorder.prices["mid"] / fair))[late]
    return run, gap.max(axis=0), np.array(run.state.names.markets)


def test_the_smallest_coins_follow_fair_value_within_one_per_cent() -> None:
    _, gap, names = gaps_to_fair_value()
    tiny = np.char.endswith(names, "-ENJ")
    assert gap[tiny].max() < 0.01, f"{names[tiny][gap[tiny].argmax()]} is {gap[tiny].max():.2%} away"


def test_news_without_feedback_liquidates_nobody_and_every_venue_follows_fair_value() -> None:
    run, worst, names = gaps_to_fair_value()
    assert run.usd() == 0.0 and run.usd("deleveraging", "pool_liquidation", "takeover", "bad_debt") == 0.0
    late = run.recorder.t_s >= 480
    others = ~np.char.endswith(names, "-ENJ")
    assert worst[others].max() < 0.01, f"{names[others][int(worst[others].argmax())]} is {worst[others].max():.2%} away from fair value"
    fallen = run.recorder.prices["mid"][late].mean(axis=0) / np.exp(run.state.markets.log_reference)
    assert np.all(fallen < 0.995), "the news arrived everywhere"


def liquidated(*overrides: str) -> list[float]:
    """Return what traders, whales and holders have liquidated or queued for it per seed, in coins at their price before the shock.

    At the prices paid a deeper fall would make the same coins count for less, and a thin book takes longer to fill. The draws are the same for all
    overrides. Makers are left out: their books, and so what they can lose, shrink with the depth.
    """
    found = []
    for seed in SEEDS:
        run = played(SHORT, f"seed={seed}", *overrides)
        reference = np.exp(run.state.markets.log_reference)
        rows = run.rows.filter(pl.col("counted") & (pl.col("account_kind") != "maker"))
        market = rows["market_id"].to_numpy()
        done = np.where(market >= 0, reference[market] * rows["quantity"].to_numpy(), rows["notional_usd"].to_numpy()).sum()
        queue = run.state.orders.table[: int(run.state.orders.used[0])]
        owner = queue[:, O_ACCOUNT].astype(np.int64)
        of_makers = (owner < 0) & (run.state.portfolios.kind[np.maximum(-1 - owner, 0)] == MAKER)
        forced = np.isin(queue[:, O_CAUSE], (Cause.PERP_LIQUIDATION, Cause.COLLATERAL_LIQUIDATION)) & ~of_makers
        found.append(float(done + (queue[forced, O_LEFT] * reference[queue[forced, O_MARKET].astype(np.int64)]).sum()))
    return found


@pytest.mark.parametrize("sizes", [pytest.param((0.04, 0.08), marks=pytest.mark.slow), (0.08, 0.16)])
def test_a_larger_shock_does_not_liquidate_less(sizes: tuple[float, float]) -> None:
    small, large = (liquidated(f"shock.news.size={size}") for size in sizes)
    assert median(b - a for a, b in zip(small, large, strict=True)) >= 0.0, f"{small} against {large}"
    assert median(large) > median(small) > 0.0


@pytest.mark.parametrize("size", [pytest.param(0.1, marks=pytest.mark.slow), 0.16])
def test_thinner_books_do_not_liquidate_less(size: float) -> None:
    deep, thin = liquidated(f"shock.news.size={size}"), liquidated(f"shock.news.size={size}", "markets[*].depth_usd*=0.5")
    # Where nearly all is liquidated either way, a stop-loss that fires in time ends a position before its line: a thousandth is noise.
    assert median(b / a for a, b in zip(deep, thin, strict=True)) >= 0.999, f"{deep} against {thin}"


def test_an_emptied_book_leads_on_to_takeover_and_deleveraging_and_never_to_a_price_that_is_none() -> None:
    run = played("shock.news.size=0.3", "markets[*ENJ].depth_usd*=0.2", SHORT)
    names = run.state.names.markets
    empty = run.recorder.series["empty"]
    books = [m for m in range(len(names)) if empty[:, m].sum() > 0.0]
    assert any("ENJ" in names[m] for m in books), "the book of the thinnest coin was emptied"
    for stage in ("close_in_book", "collateral_sale", "takeover", "deleveraging"):
        assert run.usd(stage) > 0.0, stage
    spot = names.index("binance-spot-ENJ")
    first_s = int(run.recorder.bin_t_s[np.flatnonzero(empty[:, spot])[0]])
    later = run.rows.filter((pl.col("asset") == "ENJ") & (pl.col("t_s") > first_s + 10) & (pl.col("notional_usd") > 0.0))
    assert later.height > 0, "the cascade goes on after the book is empty"
    for name in ("mid", "close", "mark"):
        values = run.recorder.prices[name]
        values = values[~np.isnan(values)] if name == "mark" else values
        assert np.all(np.isfinite(values)) and np.all(values > 0.0), name
    lows = run.recorder.prices["low"][:, spot] / np.exp(run.state.markets.log_reference[spot])
    assert np.nanmin(lows) < 0.01, "the last bids are taken"
    assert np.nanmin(lows) > 0.0
    perps = run.state.markets.perp
    marks, mids = run.recorder.prices["mark"][:, perps], run.recorder.prices["mid"][:, perps]
    assert np.all(marks[300:] < 1.02 * marks[0]), "a mark does not snap back above where it began"
    assert np.all(np.isfinite(mids))
    assert np.all(run.state.venues.fund_cash >= 0.0)


ODD = {
    "no traders": ("population.traders=0",),
    "one trader a side": ("population.traders=1", "population.least_per_market=1"),
    "no open interest": ("markets[*].open_interest_usd=0",),
    "no makers": ("makers.accounts=[]",),
    "no holders and whales": ("whales.holders=0", "whales.named=[]"),
    "nobody in the pool": ("pool.collateral_usd={}",),
    "no funds": ("venues[*].fund_usd=0", "venues[hyperliquid].vault_usd=1"),
    "books of one dollar": ("markets[*].depth_usd=1",),
    "books without end": ("markets[*].depth_usd*=1e5",),
    "all is lost": ("shock.news.size=0.9", "markets[*].depth_usd*=0.001"),
    "leverage of 1000": ("population.leverages=[1000]", "population.leverage_weights=[1]"),
    "prices far apart": ("assets[BTC].price_usd=1e12", "assets[ENJ].price_usd=1e-12"),
    "spread of 10 %": ("markets[*].half_spread_bps=1000",),
    "no spread": ("markets[*].half_spread_bps=0.01", "markets[*].grid_bps=0.1"),
    "nothing is taken over": ("liquidation.takeover_rate=0",),
    "fees of 5 %": ("venues[*].taker_fee_bps=500",),
    "all noise": ("noise.rate_frac=1", "fair_value.scale=10", "informed.rate_frac=1", "arbitrage.rate_frac=10", "arbitrage.cost_bps=0"),
    "steps of a minute": ("clock.step_s=60", "clock.duration_s=10m"),
}


@pytest.mark.parametrize("world", ODD)
def test_an_odd_world_runs_clean(world: str) -> None:
    run = play(scenario("clock.duration_s=6m", *ODD[world]))
    state = run.state
    for name, values in {
        "cash": state.cells.cash, "traders": state.traders.cash, "balances": state.portfolios.balance, "equity": state.portfolios.equity,
        "posted": posted_coins(state.markets, state.books), "accounting": run.recorder.causes["dlog"], "funds": state.venues.fund_cash,
    }.items():  # fmt: skip
        assert np.all(np.isfinite(values)), name
    for prices in (state.prices.mark, state.prices.asset_price, run.recorder.prices["mid"], run.recorder.prices["close"]):
        assert np.all(np.isfinite(prices)) and np.all(prices > 0.0)
    assert np.all(state.venues.fund_cash >= 0.0)


REFUSED = {
    "leverage of nothing": ("population.leverages=[]",),
    "leverage of zero": ("population.leverages=[0]", "population.leverage_weights=[1]"),
    "weights without leverages": ("population.leverage_weights=[1, 2]",),
    "weights of zero": ("population.leverage_weights=[0, 0, 0, 0, 0, 0]",),
    "price levels without distance": ("grid_bps={btc_eth: 0, major: 0, mid: 0, small: 0, tiny: 0, claim: 0}",),
    "buyers who see the future": ("value_buyers.delay_s={btc_eth: -5, major: 0, mid: 0, small: 0, tiny: 0, claim: 0}",),
    "a fall of more than all": ("shock.news.size=1.5",),
    "more steps than fit": ("clock.duration_s=7d", "clock.step_s=0.1"),
}


@pytest.mark.parametrize("world", REFUSED)
def test_an_impossible_world_is_refused_with_the_place_and_the_remedy(world: str) -> None:
    with pytest.raises(WaxlineError) as caught:
        scenario(*REFUSED[world])
    assert REFUSED[world][0].split("=")[0].split("[")[0] in str(caught.value) and len(str(caught.value)) < 2000


ONE_BOOK = """\
name: one-book
title: One book and nothing else
sources: {A: "assumed: smallest world"}
clock: {start_utc: 2025-10-10T20:47:00Z, t0_utc: 2025-10-10T20:50:00Z, duration_s: 6m, step_s: 1}
assets: [{symbol: XYZ, size_class: mid, price_usd: 3, volatility_1m_bps: 10, source: A}]
venues: [{name: corner, kind: spot_exchange, margin: none, taker_fee_bps: 5, maker_fee_bps: 2, source: A}]
markets: [{venue: corner, asset: XYZ, kind: spot, depth_usd: 1e6, source: A}]
pool: {collateral_usd: {}, venues: []}
population: {survived_range_frac: 0.02}
"""
PERP = """\
  - {venue: corner, asset: XYZ, kind: perp, depth_usd: 1e6, open_interest_usd: 1e8, source: A}
"""


@pytest.mark.parametrize("perp", [pytest.param(False, marks=pytest.mark.slow), True], ids=["spot alone", "spot and perp"])
def test_a_world_of_one_or_two_books_runs_to_a_summary(perp: bool) -> None:
    text = ONE_BOOK
    if perp:
        text = text.replace("markets: [{", "markets:\n  - {").replace("source: A}]\npool", "source: A}\n" + PERP + "pool")
        text = text.replace("kind: spot_exchange, margin: none,", "kind: exchange, margin: unified, index: {weights: {corner: 1}},")
    run = run_scenario(parse_scenario(text))
    assert np.all(np.isfinite(run.mid_usd)) and len(run.baseline or {}) == (2 if perp else 1)
    assert summarise(run)["ledger"] == run.ledger
    assert run.ledger["max_relative_error"] <= 1e-9
    assert (run.liquidations.height > 0) == perp


def test_a_table_that_is_full_stops_the_run_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waxline.simulation.build.empty_rows", lambda _: empty_rows(40))
    with pytest.raises(WaxlineError, match=r"table of liquidations is full .* run fewer accounts"):
        play(scenario(SHORT))


def test_causes_of_trades_are_only_those_of_living_mechanisms() -> None:
    run = played("shock.news=off", SHORT)
    for cause in (Cause.PERP_LIQUIDATION, Cause.COLLATERAL_LIQUIDATION, Cause.DELEVERAGING, Cause.FUND_WORKOFF, Cause.KEEPER, Cause.MAKER_HEDGING):
        assert run.recorder.causes["sold"][:, :, cause].sum() == 0.0 == run.recorder.causes["bought"][:, :, cause].sum(), cause


def test_the_small_world_reaches_every_stage_that_a_crash_can_reach() -> None:
    assert {"margin_call", "cancel", "close_in_book", "collateral_sale", "takeover", "deleveraging"} <= set(played(SHORT).rows["stage"].unique())
