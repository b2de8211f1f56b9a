"""`waxline rules` shows every regime of every venue in words, and the whole file as JSON."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from waxline.cli.main import app
from waxline.rulebook.rules_text import amount_text, rules_text
from waxline.scenario.venue_rules import names, venue_rules

runner = CliRunner()


@pytest.mark.parametrize("venue", names())
def test_every_regime_is_told_with_its_line_and_source(venue: str) -> None:
    rules = venue_rules(venue)
    words = " ".join(rules_text(rules).split())
    for regime in rules.regimes:
        assert f"{regime.liquidated_at:g} at the {regime.trigger_price} price" in words
        assert amount_text(regime.first) in words and regime.source in words
    assert max(map(len, rules_text(rules).splitlines())) <= 100


def test_without_a_venue_there_is_a_line_for_each() -> None:
    done = runner.invoke(app, ["rules"])
    assert done.exit_code == 0 and [line.split()[0] for line in done.stdout.splitlines()] == names()
    assert [row["venue"] for row in json.loads(runner.invoke(app, ["rules", "--json"]).stdout)] == names()


def test_json_holds_the_tiers_and_their_sources() -> None:
    told = json.loads(runner.invoke(app, ["rules", "binance", "--json"]).stdout)
    assert told["tiers"][0]["assets"] == ["BTC"] and told["tiers"][0]["source"] in told["sources"]
