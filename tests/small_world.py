"""A small world that runs in seconds: three coins and a claim, an exchange with pledged coins, a spot exchange, a vault, a pool.

`scenario("shock.news=off", ...)` gives it with overrides; `played(...)` runs it once per process and keeps what it left behind.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from waxline.scenario.files import parse_scenario
from waxline.scenario.schema import Scenario

TEXT = """\
name: small-world
title: Three coins and a claim on four venues
sources: {A: "assumed: numbers that let every mechanism act within minutes"}
grid_bps: {btc_eth: 2, major: 5, mid: 5, small: 10, tiny: 10, claim: 5}
clock: {start_utc: 2025-10-10T20:47:00Z, t0_utc: 2025-10-10T20:50:00Z, duration_s: 15m, step_s: 1}
shock:
  news:
    size: 0.12
    legs: [{at_s: 0, share_frac: 1.0, rise_tau_s: 120, decay_tau_s: 1500, lasting_frac: 0.75}]
assets:
  - {symbol: BTC, size_class: btc_eth, price_usd: 100000, volatility_1m_bps: 10, source: A}
  - {symbol: LINK, size_class: mid, price_usd: 20, news_beta: 1.6, volatility_1m_bps: 20, source: A}
  - {symbol: ENJ, size_class: tiny, price_usd: 0.06, news_beta: 1.9, volatility_1m_bps: 30, source: A}
  - {symbol: sLINK, kind: claim, size_class: claim, price_usd: 22, news_beta: 0, volatility_1m_bps: 3, redeems: {asset: LINK, units: 1.1}, source: A}
venues:
  - name: binance
    kind: exchange
    margin: unified
    taker_fee_bps: 5
    maker_fee_bps: 2
    fund_usd: 3e6
    index: {weights: {binance: 0.6, coinbase: 0.4}}
    funding: {interval_s: 5m}
    deleveraging: profit_times_leverage
    source: A
  - {name: coinbase, kind: spot_exchange, margin: none, taker_fee_bps: 12, maker_fee_bps: 6, source: A}
  - name: hyperliquid
    kind: perp_venue
    margin: cross
    taker_fee_bps: 4.5
    maker_fee_bps: 1.5
    vault_usd: 3e6
    index: {weights: {binance: 3, coinbase: 1}, outlier_frac: 1}
    deleveraging: profit_times_leverage
    source: A
  - {name: aave, kind: lending_pool, margin: pool, taker_fee_bps: 0, maker_fee_bps: 0, source: A}
tiers:
  - {name: alt, steps: [[2e5, 0.01], [1e6, 0.025], [5e6, 0.05]], source: A}
markets:
  - {venue: binance, asset: BTC, kind: spot, depth_usd: 10e6, source: A}
  - {venue: binance, asset: BTC, kind: perp, depth_usd: 30e6, open_interest_usd: 5e8, never_liquidated_frac: 0.4, source: A}
  - {venue: binance, asset: LINK, kind: spot, depth_usd: 1e6, source: A}
  - {venue: binance, asset: LINK, kind: perp, depth_usd: 3e6, open_interest_usd: 2e8, tiers: alt, max_leverage: 50, source: A}
  - {venue: binance, asset: ENJ, kind: spot, depth_usd: 1e5, bid_end_frac: 0.55, source: A}
  - {venue: binance, asset: ENJ, kind: perp, depth_usd: 2.5e5, open_interest_usd: 2e7, tiers: alt, max_leverage: 25, bid_end_frac: 0.6, source: A}
  - {venue: binance, asset: sLINK, kind: spot, depth_usd: 3e5, source: A}
  - {venue: coinbase, asset: BTC, kind: spot, depth_usd: 6e6, source: A}
  - {venue: coinbase, asset: LINK, kind: spot, depth_usd: 5e5, source: A}
  - {venue: hyperliquid, asset: LINK, kind: perp, depth_usd: 1e6, open_interest_usd: 6e7, tiers: alt, never_liquidated_frac: 0.15, source: A}
collateral:
  - {venue: binance, asset: BTC, ratio_frac: 0.95, source: A}
  - {venue: binance, asset: LINK, ratio_frac: 0.85, maker_pledged_usd: 5e6, holder_pledged_usd: 6e6, source: A}
  - {venue: binance, asset: ENJ, ratio_frac: 0.5, maker_pledged_usd: 1.2e6, holder_pledged_usd: 2e6, source: A}
  - {venue: binance, asset: sLINK, ratio_frac: 0.9, price_rule: own_book, holder_pledged_usd: 6e6, source: A}
population: {traders: 2000, leverage_scale: 1.2, entry_spread_frac: 0.06, stop_loss_frac: 0.25, survived_range_btc_frac: 0.04, survived_range_frac: 0.1, survived_least_frac: 0.3}
halts:
  transfers: [{venue: binance, from_s: 120, to_s: 480, assets: [LINK, ENJ, sLINK]}]
  slowdowns: [{venue: hyperliquid, from_s: 60, to_s: 180, speed_frac: 0.3}]
whales:
  holders: 20
  named:
    - {name: whale-1, venue: binance, collateral_usd: {sLINK: 3e6, ENJ: 4e5}, loan_to_value_frac: 0.8, perp_longs_usd: {LINK: 1.5e6}, reserve_usd: 4e5}
topups: {call_ratio: 1.6, delay_s: 10, pause_s: 20}
deleveraging: {vault_capacity_usd: 2e6}
# What the library may still tune is set here, so that these tests do not depend on it.
informed: {rate_frac: 0.02, gap_limit_frac: 0.04, buying_gap_limit_frac: 0.01, capital_depths: 40}
noise: {rate_frac: 0.0015}
value_buyers:
  cash_depths: {btc_eth: 13, major: 7, mid: 6, small: 5, tiny: 5, claim: 4}
  start_discount_frac: {btc_eth: 0.055, major: 0.12, mid: 0.1, small: 0.15, tiny: 0.15, claim: 0.05}
  full_discount_width_frac: {btc_eth: 0.13, major: 0.35, mid: 0.4, small: 0.4, tiny: 0.4, claim: 0.3}
  tau_s: {btc_eth: 130, major: 200, mid: 270, small: 400, tiny: 400, claim: 270}
  delay_s: {btc_eth: 18, major: 60, mid: 80, small: 100, tiny: 100, claim: 80}
trend: {holdings_depths: 10, holdings_depths_outside: 5, start_frac: 0.03, full_frac: 0.1, rate: 0.006}
shorts: {share_frac: 0.2, carry_share_frac: 0.2, leveraged_share_frac: 0.35, start_frac: 0.06, agreed_close_rate: 1.2e-4}
arbitrage: {rate_frac: 0.1, cost_bps: 30, basis_capital_depths: 4, venue_capital_depths: 3, claim_capital_usd: 1e6}
crowd:
  reach_frac: 0.22
  anchor_tau_s: {btc_eth: 900, major: 900, mid: 900, small: 900, tiny: 900, claim: 900}
  refill_rate: {btc_eth: 0.002, major: 0.002, mid: 0.002, small: 0.002, tiny: 0.002, claim: 0.002}
  cancel_rate: 0.002
makers:
  accounts:
    - {name: maker-1, share_frac: 0.4, pledged_share_frac: 0.5, lent_frac: 0.8, pull_volatility_ratio: 52, cool_down_s: 480}
    - {name: maker-2, share_frac: 0.3, pledged_share_frac: 0.5, lent_frac: 0.5, pull_volatility_ratio: 70, cool_down_s: 600}
    - {name: maker-3, share_frac: 0.3, pledged_share_frac: 0, lent_frac: 0, pull_volatility_ratio: 60, cool_down_s: 660}
  loan_to_value_frac: 0.65
  loan_to_margin_frac: 0.85
  stock_depths: 0.3
  stock_own_frac: 0.5
  perp_capital_depths: 0.25
  learning_spread_frac: 0.015
  sister_tau_s: 40
  venue_tau_s: 15
  venue_halted_tau_s: 900
  perp_venue_tau_s: 60
  redemption_halted_tau_s: 900
  size_volatility_scale: 8
liquidation:
  perps: {tau_s: 15, least_rate_frac: 0.02, walk_frac: 0.006}
  collateral: {tau_s: 15, least_rate_frac: 0.02, walk_frac: 0.06}
  takeover_rate: 0.1
  takeover_after_s: 240
pool: {borrowers: 30, collateral_usd: {BTC: 2e7, LINK: 5e6}}
"""


def scenario(*overrides: str, text: str = TEXT) -> Scenario:
    """Return the small world with overrides."""
    return parse_scenario(text, overrides, "small-world.yaml")


class Played(NamedTuple):
    """Hold a finished run: what was asked, the last state, what was recorded, the check of the ledger."""

    scenario: Scenario
    state: Any
    recorder: Any
    ledger: Any

    @property
    def rows(self) -> Any:
        """Return the liquidation record as a table."""
        from waxline.simulation.recorder import liquidation_table

        return liquidation_table(self.state)

    def usd(self, *stages: str) -> float:
        """Return the notional of the stages in the record; of all counted rows when none is named."""
        import polars as pl

        rows = self.rows
        mine = rows.filter(pl.col("stage").is_in(stages) if stages else pl.col("counted"))
        return float(mine["notional_usd"].sum())


def play(asked: Scenario) -> Played:
    """Run a scenario; the ledger is checked at every step."""
    from waxline.simulation.run import simulate

    return Played(asked, *simulate(asked))


@lru_cache(maxsize=64)
def played(*overrides: str) -> Played:
    """Return a run of the small world with overrides, made once per process; do not write to it."""
    return play(scenario(*overrides))


def stepwise(asked: Scenario, look: Callable[[Any], None]) -> Any:
    """Run a scenario step by step, call `look` with the state after each, and return the state."""
    from waxline.simulation.run import open_state
    from waxline.simulation.step import take_step

    state = open_state(asked)
    for _ in range(asked.clock.steps):
        take_step(state)
        look(state)
    return state
