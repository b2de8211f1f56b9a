"""The venues' rule files: complete, dated, sourced; what cannot be is refused with file, line and field."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from waxline.accounts.rules_tiers import deductions
from waxline.errors import ScenarioError
from waxline.scenario.files import load_scenario
from waxline.scenario.problems import ScenarioProblems
from waxline.scenario.venue_rules import load_venue_rules, names, venue_rules

SIMULATED = ("binance", "bybit", "okx", "hyperliquid", "dydx", "aave")
MINIMAL = """venue: tiny
title: Tiny
as_of: 2025-10-09
sources: {page: "https://example.org/rules"}
tiers:
  - assets: [BTC]
    steps: [[1e6, 0.01, 50], [5e6, 0.05, 10]]
    source: page
collateral:
  - {assets: [SOL], bands: [[1e6, 0.9], [null, 0.5]], source: page}
"""


@pytest.mark.parametrize("name", names())
def test_every_venue_file_is_valid_dated_and_sourced(name: str) -> None:
    rules = venue_rules(name)
    assert rules.venue == name
    assert date(2020, 1, 1) < rules.as_of < date(2027, 1, 1)
    assert rules.sources and all(text.strip() for text in rules.sources.values())


@pytest.mark.parametrize("name", SIMULATED)
def test_simulated_venues_say_what_triggers_what_is_closed_first_and_who_takes_the_rest(name: str) -> None:
    for regime in venue_rules(name).regimes:
        assert regime.first.then or regime.first.rule, regime.name
        if regime.regime.value in ("cross", "isolated", "portfolio"):
            assert regime.takeover is not None and regime.deleveraging is not None, regime.name


def test_binance_has_real_tiers_for_every_coin_of_the_october_scenario_dated_before_the_event() -> None:
    rules = venue_rules("binance")
    assert rules.as_of < date(2025, 10, 10)
    scenario = load_scenario("oct-2025")
    coins = {market.asset for market in scenario.markets if market.venue == "binance" and market.kind.value == "perp"}
    missing = sorted(coin for coin in coins if not coin.startswith("TAIL") and rules.tiers_of(coin) is None)
    assert missing == []
    assert rules.tiers_of("OTHER") is not None, "tail coins take the commonest table"


@pytest.mark.parametrize(
    ("coin", "amounts"),
    [
        ("BTC", [0, 300, 1500, 12000, 132000, 482000, 2982000, 14482000, 26482000, 41482000, 121482000, 421482000]),
        ("IOTX", [0, 25, 75, 700, 3825, 6950, 17375, 392225, 2267225]),
    ],
)
def test_deductions_of_the_tables_are_those_the_venue_lists(coin: str, amounts: list[float]) -> None:
    table = venue_rules("binance").tiers_of(coin)
    assert table is not None
    assert deductions(table.floors, table.rates) == pytest.approx(amounts)


def test_a_venue_is_found_by_the_name_worked_examples_give_it() -> None:
    assert venue_rules("dYdX v4").venue == "dydx"
    with pytest.raises(ScenarioError, match="did you mean binance"):
        venue_rules("binanse")


def write(folder: Path, text: str) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text)
    return path


def test_a_rule_file_of_ones_own_is_read(tmp_path: Path) -> None:
    rules = load_venue_rules(write(tmp_path, MINIMAL))
    table, bands = rules.tiers_of("BTC"), rules.bands_of("SOL")
    assert table is not None and table.rates == [0.01, 0.05]
    assert bands is not None and bands.bands[1] == (None, 0.5)
    assert rules.tiers_of("ETH") is None


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("[1e6, 0.01, 50]", "[1e6, 5, 50]", 7, r"maintenance rate of BTC must be in \[0, 1\], was 5: give a fraction, 0.05 for 5 %"),
        ("[5e6, 0.05, 10]", "[1e5, 0.05, 10]", 7, "tiers of BTC must rise in size and rate"),
        ("[5e6, 0.05, 10]", "[5e6, 0.005, 10]", 7, "tiers of BTC must rise in size and rate"),
        ("[1e6, 0.01, 50]", "[1e6, 0.01, 125]", 7, "initial margin of BTC must not be below maintenance 0.01, was 0.008"),
        ("[1e6, 0.9]", "[1e6, 1.2]", 10, r"ratio of SOL must be in \[0, 1\], was 1.2"),
        ("[1e6, 0.9], [null, 0.5]", "[null, 0.9], [1e6, 0.5]", 10, "bands of SOL must rise"),
        ("source: page}", "source: pge}", 10, "must name ids of `sources`, was pge: did you mean page"),
        ("as_of: 2025-10-09", "as_off: 2025-10-09", 3, "as_off is not a known key, was .*: did you mean as_of"),
        ("title: Tiny", "", 0, "title is required"),
        ("assets: [BTC]", "assets: [BTC, BTC]", 6, "must list an asset once, was BTC"),
    ],
)
def test_what_cannot_be_is_refused_with_file_line_and_field(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    assert old in MINIMAL
    path = write(tmp_path, MINIMAL.replace(old, new))
    with pytest.raises(ScenarioProblems, match=says) as caught:
        load_venue_rules(path)
    assert str(path) in str(caught.value)
    assert not line or f"tiny.yaml:{line}:" in str(caught.value), str(caught.value)
