"""Combinations that cannot be are refused, each with its place and what to do."""

from __future__ import annotations

import pytest

from small_scenario import TEXT, broken, refusal
from waxline.scenario.files import parse_scenario

HALT = "halts: {transfers: [{venue: binance, from_s: %s, to_s: %s, assets: [ETH]}]}\n"
PERP = "{venue: binance, asset: BTC, kind: perp, depth_usd: 3e8, open_interest_usd: 16e9, tiers: large, source: X}"
ETH_PERP = "{venue: binance, asset: ETH, kind: perp, depth_usd: 1, source: X}"


def added(text: str) -> str:
    return TEXT + text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            broken("- {venue: coinbase, asset: BTC, kind: spot", "- {venue: coinbasé, asset: BTC, kind: spot"),
            'small.yaml:20: markets[coinbasé-spot-BTC].venue must name a venue of the scenario, was "coinbasé": did you mean',
        ),
        (
            broken(PERP, PERP.replace("BTC", "BTX")),
            'markets[binance-perp-BTX].asset must name an asset of the scenario, was "BTX": did you mean BTC?',
        ),
        (
            broken("{venue: coinbase, asset: BTC, kind: spot", "{venue: coinbase, asset: BTC, kind: perp"),
            "markets[coinbase-perp-BTC] cannot be a perp on a spot exchange, was venue coinbase: write kind: spot",
        ),
        (
            broken("kind: spot_exchange, margin: none", "kind: lending_pool, margin: pool"),
            "markets[coinbase-spot-BTC] cannot be on a lending pool, was venue coinbase",
        ),
        (
            broken("{venue: coinbase, asset: BTC", "{venue: binance, asset: BTC"),
            "markets[binance-spot-BTC] must be listed once, was listed 2 times: remove or rename the others",
        ),
        (broken("symbol: ETH", "symbol: BTC"), "assets[BTC] must be listed once, was listed 2 times"),
        (
            broken("redeems: {asset: ETH", "redeems: {asset: wBETH"),
            'assets[wBETH].redeems.asset must not be the claim itself, was "wBETH": name the coin it redeems for, or USD',
        ),
        (
            broken("redeems: {asset: ETH", "redeems: {asset: ETHH"),
            'assets[wBETH].redeems.asset must name an asset of the scenario, was "ETHH": did you mean ETH?',
        ),
        (broken("redeems: {asset: ETH, units: 1.08}, ", ""), "assets[wBETH].redeems is needed for a claim, was missing"),
        (broken("kind: claim, ", ""), "assets[wBETH].redeems is only for claims, was a coin that redeems"),
        (
            broken("kind: spot, depth_usd: 20e6", "kind: spot, open_interest_usd: 1, depth_usd: 20e6"),
            "markets[coinbase-spot-BTC].open_interest_usd must be 0 for spot, was 1: only perps have open interest",
        ),
        (
            broken(PERP, PERP + "\n  - " + ETH_PERP),
            "markets[binance-perp-ETH] needs a spot book of ETH on a venue of the index, was index of binance, coinbase: add one",
        ),
        (
            broken("index: {weights: {binance: 1, coinbase: 1}}, ", ""),
            "venues[binance].index is needed where perps trade, was missing",
        ),
        (
            broken("coinbase: 1}}", "coinbse: 1}}"),
            'venues[binance].index.weights.coinbse must name a venue of the scenario, was "coinbse": did you mean coinbase?',
        ),
        (broken("coinbase: 1}}", "coinbase: -1}}"), "venues[binance].index.weights.coinbase must be at least 0, was -1"),
        (
            broken("tiers: large", "tiers: larg"),
            'markets[binance-perp-BTC].tiers must name a table of tiers, was "larg": did you mean large?',
        ),
        (broken("[50e3, 0.004], ", "[5e9, 0.004], "), "tiers[large].steps must have rising notionals above 0"),
        (broken("[50e3, 0.004], ", "[50e3, 4], "), "tiers[large].steps must have rates in (0, 1] that do not fall"),
        (
            broken("kind: exchange, margin: unified", "kind: exchange, margin: cross"),
            "collateral[binance/wBETH] needs a venue with unified margin or a pool, was margin cross",
        ),
        (
            broken("  - {venue: binance, asset: wBETH, kind: spot, depth_usd: 1.5e6, source: X}\n", ""),
            "needs a spot book on the venue in which it can be sold, was 3e+08 USD pledged: add the market binance-spot-wBETH",
        ),
        (
            broken("asset: wBETH, ratio_frac: 90 %, price_rule: own_book", "asset: BTC, ratio_frac: 90 %, price_rule: redemption"),
            'collateral[binance/BTC].price_rule redemption is only for claims, was "BTC", a coin',
        ),
        (
            broken("taker_fee_bps: 12", "vault_usd: 1e6, taker_fee_bps: 12"),
            "venues[coinbase].vault_usd is only for a perp venue, was 1e+06",
        ),
        (
            broken("taker_fee_bps: 12", "deleveraging: profit_times_leverage, taker_fee_bps: 12"),
            'venues[coinbase].deleveraging ranks perp positions, and the venue has no perps, was "profit_times_leverage": write deleveraging: none',
        ),
        (
            broken("step_s: 1}", "step_s: 7}"),
            "small.yaml:4: clock.step_s must divide clock.duration_s = 7200, was 7: a duration of 7203 s would fit",
        ),
        (broken("duration_s: 2h", "duration_s: 5m"), "clock.t0_utc must lie inside the run"),
        (broken("start_utc: 2025-10-10T20:40", "start_utc: 2025-10-10T21:40"), "clock.start_utc must not be after clock.t0_utc"),
        (broken("step_s: 1}", "step_s: 0.1}").replace("2h", "7d"), "clock.duration_s asks for too many steps: at most 200,000"),
        (added(HALT % (9000, 9100)), "halts.transfers[0].from_s must meet the run, -600 to 6600 s from t0, was 9000 to 9100"),
        (added(HALT % (200, 100)), "halts.transfers[0].to_s must be after from_s = 200, was 100: swap them"),
        (
            added((HALT % (100, 200)).replace("binance", "binanc")),
            'halts.transfers[0].venue must name a venue of the scenario, was "binanc"',
        ),
        (
            added((HALT % (100, 200)).replace("ETH", "EHT")),
            'halts.transfers[0].assets must name an asset of the scenario, was "EHT"',
        ),
        (
            broken("maker_fee_bps: 6, source: X", "maker_fee_bps: 6, source: Y"),
            "venues[coinbase].source must name entries of sources, or begin with 'assumed: ', was \"Y\"",
        ),
        (broken("{ETH: 1e9}", "{ETH: -1e9}"), "pool.collateral_usd.ETH must be at least 0, was -1e+09"),
        (broken("{ETH: 1e9}", "{ETH: 1e308}"), "pool.collateral_usd.ETH must be at most 1e+15, was 1e+308"),
        (broken("coinbase: 1}}", "coinbase: 1e308}}"), "venues[binance].index.weights.coinbase must be at most 1e+15, was 1e+308"),
        (added("population: {leverages: [1e6], leverage_weights: [1]}"), "population.leverages must be at most 1000, was 1e+06"),
        (added("value_buyers: {tau_s: {btc_eth: 1, major: 1, mid: 1, small: 1, tiny: 1, claim: 1e308}}"), "value_buyers.tau_s.claim must be at most 1e+07"),
    ],
)
def test_an_impossible_combination_is_refused(text: str, says: str) -> None:
    lines = refusal(text)
    assert any(says in line for line in lines), lines


def test_a_halt_that_only_reaches_into_the_run_is_accepted() -> None:
    assert parse_scenario(added(HALT % (-5000, 100))).halts.transfers[0].from_s == -5000.0


@pytest.mark.parametrize(
    ("text", "path", "rule"),
    [
        (broken("taker_fee_bps: 12", "fund_usd: -1e6, taker_fee_bps: 12"), "venues[coinbase].fund_usd", "must be in [0, 1e+12] (USD), was -1e+06"),
        (broken("{ETH: 1e9}", "{ETH: 1e9}\n  close_factor_frac: 1.5"), "pool.close_factor_frac", "must be in [0, 1] (fraction of debt), was 1.5"),
        (added("deleveraging: {rule: by_size}"), "deleveraging.rule", 'was "by_size"'),
        (added("deleveraging: {cap_frac: 1.1}"), "deleveraging.cap_frac", "must be in [0, 1] (fraction), was 1.1"),
        (broken("taker_fee_bps: 12", "deleveraging: pro_rata, taker_fee_bps: 12"), "venues[coinbase].deleveraging", "ranks perp positions"),
    ],
)
def test_rules_of_the_waterfall_that_cannot_be_are_refused_at_load_with_their_line(text: str, path: str, rule: str) -> None:
    (line,) = [line for line in refusal(text) if path in line]
    number = int(line.split(":")[1])
    key = path.split(".")[-1]
    assert key in text.splitlines()[number - 1], line
    assert rule in line and line.startswith("small.yaml:")
    assert line.count(": ") >= 2, "a remedy follows"
