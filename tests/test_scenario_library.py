"""The library: every scenario is valid and sourced, its totals are the published ones, the shipped schema is the generated one."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from functools import cache
from typing import get_origin

import pytest

from waxline.scenario import library
from waxline.scenario.fields import declared, is_number, item_of, section_of, source_of, unit_of, value_of, without_none
from waxline.scenario.files import load_scenario, parse_scenario
from waxline.scenario.json_schema import schema_text
from waxline.scenario.schema import Scenario
from waxline.scenario.world import AssetKind, MarketKind, PriceRule

TOTAL_OPEN_INTEREST_USD = 217e9
NAMED = """
BTC ETH SOL XRP DOGE LINK ADA AVAX ATOM AAVE UNI DOT FIL LTC BCH ETC XLM WLD WIF ENA CRV PEPE BONK HYPE PUMP SUI IOTX ENJ POL TRX
BNB NEAR
"""


@cache
def october() -> Scenario:
    return load_scenario("oct-2025")


def open_interest(key: str) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for market in october().markets:
        sums[getattr(market, key)] += market.open_interest_usd
    return sums


@pytest.mark.parametrize("name", library.names())
def test_a_scenario_of_the_library_is_valid_and_reads_back_equal(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert scenario.title and scenario.description and scenario.is_not
    assert parse_scenario(scenario.resolved_yaml()) == scenario
    first = library.path_of(name).read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema={library.SCHEMA_FILE.name}"


def test_the_shipped_schema_is_the_generated_one() -> None:
    assert library.SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), (
        f"stale: waxline scenario schema > {library.SCHEMA_FILE.name} (in src/waxline/scenario/library)"
    )


def test_the_schema_says_unit_meaning_and_source_and_takes_texts_with_units() -> None:
    schema = json.loads(schema_text())
    depth = schema["$defs"]["Market"]["properties"]["depth_usd"]
    assert depth["unit"] == "USD" and depth["source"] and "resting on one side" in depth["description"]
    assert {"type": "string"} in depth["anyOf"]
    assert schema["$defs"]["NewsParameters"]["type"] == ["object", "boolean", "string"]


def test_every_field_says_what_it_means_and_every_number_its_unit_and_source() -> None:
    wanting = []
    for path, field, section in declared(Scenario):
        annotation = without_none(field.annotation)
        if not field.description and section_of(annotation) is None and section_of(item_of(annotation)) is None:
            wanting.append(f"{path} ({section.__name__}): meaning")
        holds_numbers = is_number(annotation) or is_number(item_of(annotation)) or is_number(value_of(annotation))
        of_a_class = section.__name__ == "ByClass"  # unit and source stand at the field that holds the six numbers
        if holds_numbers and not of_a_class and not (unit_of(field) and source_of(field)):
            wanting.append(f"{path} ({section.__name__}): unit or source")
        assert get_origin(annotation) is not list or item_of(annotation) is not None
    assert sorted(set(wanting)) == []


def test_the_open_interest_of_october_2025_is_the_published_one() -> None:
    by_asset, by_venue = open_interest("asset"), open_interest("venue")
    assert sum(by_asset.values()) == pytest.approx(TOTAL_OPEN_INTEREST_USD, rel=0.01)
    assert by_asset["BTC"] == pytest.approx(70e9, rel=0.001)
    assert 28e9 <= by_asset["ETH"] <= 62e9
    assert by_venue["hyperliquid"] == pytest.approx(14e9, rel=0.02)
    assert october().market("binance-perp-BTC").open_interest_usd == 16e9
    hyperliquid = [market for market in october().markets if market.venue == "hyperliquid"]
    others = sum(market.open_interest_usd for market in hyperliquid if market.asset not in ("BTC", "ETH", "SOL"))
    assert others / by_venue["hyperliquid"] > 1 / 3


def test_october_2025_holds_the_named_assets_and_a_tail_that_makes_shares_of_pairs_mean_something() -> None:
    scenario = october()
    symbols = [asset.symbol for asset in scenario.assets]
    assert set(NAMED.split()) < set(symbols)
    assert {asset.symbol for asset in scenario.assets if asset.kind is AssetKind.CLAIM} == {"wBETH", "BNSOL", "USDe"}
    claims = {"wBETH", "BNSOL", "USDe"}
    for kind, pairs in ((MarketKind.SPOT, 430), (MarketKind.PERP, 500)):
        rows = [row for row in scenario.markets if row.venue == "binance" and row.kind is kind]
        alts = [row for row in rows if row.asset not in {"BTC", "ETH"} | claims]
        assert sum(scenario.pairs_of(row) for row in alts) == pytest.approx(pairs, rel=0.02)
    assert 190 <= len(scenario.markets) <= 210
    assert scenario.clock.steps == 7200 and scenario.clock.start_t_s == -600.0


def test_claims_of_october_2025_stand_at_their_redemption_value_and_are_valued_at_the_own_book_on_binance() -> None:
    scenario = october()
    for asset in scenario.assets:
        if asset.redeems is not None:
            base = 1.0 if asset.redeems.asset == "USD" else scenario.asset(asset.redeems.asset).price_usd
            assert asset.price_usd == pytest.approx(asset.redeems.units * base, rel=1e-3)
            (row,) = [row for row in scenario.collateral if (row.venue, row.asset) == ("binance", asset.symbol)]
            assert row.price_rule is PriceRule.OWN_BOOK


def test_depth_of_october_2025_follows_the_stated_rules() -> None:
    scenario = october()
    for symbol in ("SOL", "ATOM", "AVAX", "TRX"):
        open_interest_usd = scenario.market(f"binance-perp-{symbol}").open_interest_usd
        spot = 0.6e6 * (open_interest_usd / 50e6) ** 0.65
        assert scenario.market(f"binance-spot-{symbol}").depth_usd == pytest.approx(spot, rel=0.01)
        perp = 4.0 * spot * max(1.0, open_interest_usd / 200e6) ** 0.25
        assert scenario.market(f"binance-perp-{symbol}").depth_usd == pytest.approx(perp, rel=0.01)
    hyperliquid = sum(market.depth_usd for market in scenario.markets if market.venue == "hyperliquid")
    assert hyperliquid == pytest.approx(142e6, rel=0.01)
    assert 242e6 <= scenario.market("binance-perp-BTC").depth_usd <= 372e6


def test_pledged_amounts_of_october_2025_have_the_stated_totals() -> None:
    rows = [row for row in october().collateral if row.venue == "binance"]
    assert sum(row.maker_pledged_usd for row in rows) == pytest.approx(0.8e9, rel=0.01)
    assert sum(row.holder_pledged_usd for row in rows) == pytest.approx(2.5e9, rel=0.01)


@pytest.mark.parametrize("name", library.names())
def test_every_assumption_has_a_reason_and_a_range_and_every_other_source_an_address(name: str) -> None:
    scenario = load_scenario(name)
    for key, reason in scenario.sources.items():
        if key.startswith("A-") or reason.startswith("assumed"):
            assert reason.startswith("assumed: ") and re.search(r"\brange\b", reason), key
        else:
            assert "https://" in reason, key
    groups = (scenario.assets, scenario.venues, scenario.tiers, scenario.markets, scenario.collateral)
    used = {part.strip() for group in groups for row in group for part in row.source.split(",")}
    assert used == set(scenario.sources)


def test_what_the_scenario_says_of_collateral_is_what_the_venue_files_say() -> None:
    from waxline.scenario.venue_rules import venue_rules

    scenario = load_scenario("oct-2025")
    compared = 0
    for row in scenario.collateral:
        rules = scenario.venue(row.venue).rules
        bands = venue_rules(rules).bands_of(row.asset) if rules is not None else None
        if bands is not None and len(bands.bands) == 1:
            compared += 1
            assert bands.bands[0][1] == row.ratio_frac, (row.venue, row.asset)
    assert compared > 10


def test_perps_without_a_table_have_the_dated_tiers_of_their_venue() -> None:
    from waxline.scenario.venue_rules import venue_rules

    scenario = load_scenario("oct-2025")
    for venue in ("binance", "bybit"):
        rules = venue_rules(venue)
        for market in (row for row in scenario.markets if row.venue == venue and str(row.kind) == "perp"):
            table = rules.tiers_of(market.asset) or rules.tiers_of("OTHER")
            assert table is not None and scenario.tier_steps(market) == [(cap, rate) for cap, rate, _ in table.steps]
            assert market.max_leverage is not None and market.max_leverage <= table.steps[0][2], market.name
    listed = venue_rules("okx")
    for market in (row for row in scenario.markets if row.venue == "rest" and row.tiers is None):
        table, price = listed.tiers_of(market.asset), scenario.asset(market.asset).price_usd
        assert table is not None and table.unit == "coins"
        assert scenario.tier_steps(market) == [(cap * price, rate) for cap, rate, _ in table.steps], "ends in coins, at the price before the shock"
    assert scenario.tier_steps(scenario.market("rest-perp-BTC"))[0] == (10.0 * 116848.0, 0.004), "1,000 contracts of 0.01 BTC"
