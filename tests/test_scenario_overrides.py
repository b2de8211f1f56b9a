"""Overrides change single values; what they cannot do is refused with the override and the nearest path."""

from __future__ import annotations

import pytest

from small_scenario import TEXT, refusal
from waxline.scenario.files import parse_scenario
from waxline.scenario.schema import Scenario


def with_overrides(*overrides: str) -> Scenario:
    return parse_scenario(TEXT, overrides)


def test_a_value_is_set_by_its_path() -> None:
    assert with_overrides("shock.news.size=0.08").shock.news.size == 0.08
    assert with_overrides("shock.news.size = 8 %").shock.news.size == 0.08
    assert with_overrides("clock.duration_s=1h", "clock.step_s=0.5").clock.steps == 7200
    assert with_overrides("title=A day: with = signs").title == "A day: with = signs"


def test_rows_are_named_by_their_keys_or_their_place() -> None:
    assert with_overrides("markets[binance-perp-BTC].depth_usd=1e8").market("binance-perp-BTC").depth_usd == 1e8
    assert with_overrides("assets[BTC].news_beta=1.2").asset("BTC").news_beta == 1.2
    assert with_overrides("collateral[binance/wBETH].ratio_frac=0.5").collateral[0].ratio_frac == 0.5
    assert with_overrides("assets[1].news_beta=1.4").asset("ETH").news_beta == 1.4
    assert with_overrides("shock.news.legs[0].at_s=30").shock.news.legs[0].at_s == 30.0


def test_patterns_name_several_rows_and_factors_scale_them() -> None:
    before = with_overrides()
    every = with_overrides("markets[*].depth_usd*=0.5")
    assert [row.depth_usd for row in every.markets] == [0.5 * row.depth_usd for row in before.markets]
    some = with_overrides("markets[binance-*].depth_usd*=0.5")
    assert some.market("coinbase-spot-BTC").depth_usd == before.market("coinbase-spot-BTC").depth_usd
    assert some.market("binance-spot-BTC").depth_usd == 0.5 * before.market("binance-spot-BTC").depth_usd


def test_overrides_act_in_their_order() -> None:
    assert with_overrides("seed=5", "seed=6").seed == 6
    assert with_overrides("shock.news.size=0.04", "shock.news.size*=2").shock.news.size == 0.08


@pytest.mark.parametrize("word", ["off", "false", "Off"])
def test_a_section_with_a_switch_is_switched_off_by_its_name(word: str) -> None:
    scenario = with_overrides(f"shock.news={word}", "arbitrage=off", f"feedback={word}")
    assert not scenario.shock.news.enabled and not scenario.arbitrage.enabled and not scenario.feedback
    assert with_overrides("shock.news=off", "shock.news=on").shock.news.enabled


def test_other_names_of_paths_work() -> None:
    for name, path in Scenario.ALIASES.items():
        changed = with_overrides(f"{name}=off")
        assert changed == with_overrides(f"{path}=off")
        assert changed != with_overrides()


def test_dictionaries_are_set_by_key() -> None:
    scenario = with_overrides("venues[binance].index.weights.coinbase=3", "pool.collateral_usd.BTC=4 B")
    assert scenario.venue("binance").index is not None
    assert scenario.venue("binance").index.weights["coinbase"] == 3.0  # type: ignore[union-attr]
    assert scenario.pool.collateral_usd == {"ETH": 1e9, "BTC": 4e9}


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("shock.nwes.size=0.1", "--set shock.nwes.size=0.1: finds no nwes in shock: did you mean news?"),
        ("market[x].depth_usd=1", "--set market[x].depth_usd=1: finds no market in the scenario: did you mean markets?"),
        (
            "markets[binance-perp-BTX].depth_usd=1",
            "--set markets[binance-perp-BTX].depth_usd=1: finds no row binance-perp-BTX in markets: did you mean binance-perp-BTC?",
        ),
        (
            "markets.depth_usd=1",
            "finds no row depth_usd in markets: name a row: markets[binance-spot-BTC].depth_usd, or all of them: markets[*]",
        ),
        ("name.x=1", "--set name.x=1: finds nothing below name: it is a single value: end the path there"),
        ("nonsense", "--set nonsense: is not an override: write path=value or path*=factor"),
        ("a..b=1", "--set a..b=1: has a path that cannot be read, was a..b"),
        ("markets[x=1", "has a path that cannot be read"),
        ("seed=on", '--set seed=on: seed must be a number, was "on": write a plain number'),
        ("seed=-1", "--set seed=-1: seed must be in [0, 9.22337e+18], was -1"),
        (
            "shock.news.size=5",
            "--set shock.news.size=5: shock.news.size must be in [0, 0.9] (fraction), was 5: give a fraction, 0.05 for 5 %",
        ),
        ("shock.news.size=15m", '--set shock.news.size=15m: shock.news.size must be a number (fraction), was "15m": '),
        ("shock.news.enabled=maybe", '--set shock.news.enabled=maybe: shock.news.enabled must be on or off, was "maybe"'),
        ("assets[BTC]=off", "--set assets[BTC]=off: cannot switch assets[BTC] on or off: set single values below it"),
        ("makers=off", "cannot switch makers on or off: switch one of pledge, funding_cap"),
        ("title*=2", "--set title*=2: cannot multiply title: it is no number: give a value with ="),
        ("markets[*].grid_bps*=2", "cannot multiply markets[binance-spot-BTC].grid_bps: it has no value yet: give one with ="),
        ("seed*=big", 'must multiply by a number, was "big": write for example *=0.5'),
        ("clock.step_s=7", "--set clock.step_s=7: clock.step_s must divide clock.duration_s = 7200, was 7"),
    ],
)
def test_a_wrong_override_is_refused_with_the_nearest_path(override: str, says: str) -> None:
    lines = refusal(TEXT, override)
    assert says in lines[0], lines


def test_several_wrong_overrides_are_reported_together() -> None:
    assert len(refusal(TEXT, "x=1", "y=2", "seed=3")) == 2
