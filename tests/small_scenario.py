"""A small valid scenario as text, for tests that break it in one place."""

from __future__ import annotations

import pytest

from waxline.scenario.files import parse_scenario
from waxline.scenario.problems import ScenarioProblems

TEXT = """\
name: small
title: Two coins, a claim, two venues
sources: {X: "https://example.org seen"}
clock: {start_utc: 2025-10-10T20:40:00Z, t0_utc: 2025-10-10T20:50:00Z, duration_s: 2h, step_s: 1}
assets:
  - {symbol: BTC, size_class: btc_eth, price_usd: 116848, volatility_1m_bps: 10, source: X}
  - {symbol: ETH, size_class: btc_eth, price_usd: 4010, volatility_1m_bps: 12bps, source: X}
  - {symbol: wBETH, kind: claim, size_class: claim, price_usd: 4331, volatility_1m_bps: 3,
     redeems: {asset: ETH, units: 1.08}, source: X}
venues:
  - {name: binance, kind: exchange, margin: unified, index: {weights: {binance: 1, coinbase: 1}}, taker_fee_bps: 5,
     maker_fee_bps: 2, source: X}
  - {name: coinbase, kind: spot_exchange, margin: none, taker_fee_bps: 12, maker_fee_bps: 6, source: X}
tiers:
  - {name: large, steps: [[50e3, 0.004], [1e9, 0.02]], source: X}
markets:
  - {venue: binance, asset: BTC, kind: spot, depth_usd: 25 M, source: X}
  - {venue: binance, asset: BTC, kind: perp, depth_usd: 3e8, open_interest_usd: 16e9, tiers: large, source: X}
  - {venue: binance, asset: wBETH, kind: spot, depth_usd: 1.5e6, source: X}
  - {venue: coinbase, asset: BTC, kind: spot, depth_usd: 20e6, source: X}
collateral:
  - {venue: binance, asset: wBETH, ratio_frac: 90 %, price_rule: own_book, holder_pledged_usd: 3e8, source: "assumed: x; range 1-2"}
pool:
  collateral_usd: {ETH: 1e9}
"""


def broken(old: str, new: str) -> str:
    """Return the small scenario with one piece of text replaced; the piece must occur once."""
    assert TEXT.count(old) == 1, f"{old!r} occurs {TEXT.count(old)} times"
    return TEXT.replace(old, new)


def refusal(text: str, *overrides: str, file: str = "small.yaml") -> list[str]:
    """Return the lines with which a scenario is refused."""
    with pytest.raises(ScenarioProblems) as caught:
        parse_scenario(text, overrides, file)
    return str(caught.value).splitlines()
