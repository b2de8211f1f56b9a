"""What-if: cases are read, refused with place and remedy, and compared with the run as it is; gains add up to what the market moved."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from small_world import TEXT, scenario
from waxline.cli.main import app
from waxline.cli.what_if import AS_IT_IS, USUAL, measure, read_case, tables, usual_cases
from waxline.errors import ScenarioError
from waxline.simulation.gains import GROUPS, gains_of, sides_of, worth_of
from waxline.simulation.ledger import sums_of
from waxline.simulation.run import open_state, simulate

RUIN = ("shock.news.size=0.35", "markets[*].depth_usd*=0.3", "clock.duration_s=8m")


def test_a_case_is_a_label_and_overrides() -> None:
    assert read_case("larger funds: venues[*].fund_usd*=10; deleveraging=off") == ("larger funds", ["venues[*].fund_usd*=10", "deleveraging=off"])
    assert read_case("deleveraging=off") == ("deleveraging=off", ["deleveraging=off"])
    for text in ("no override", "label:", "label: half"):
        with pytest.raises(ScenarioError, match="LABEL: KEY=VALUE"):
            read_case(text)
    assert all("=" in read_case(text)[1][0] for text in USUAL)


def test_the_vaults_case_is_asked_only_where_there_is_one() -> None:
    assert any("vault_usd=0" in case for case in usual_cases(scenario()))
    assert not any("vault" in case for case in usual_cases(scenario("venues[hyperliquid].vault_usd=0")))


def owned_by_all(state: Any) -> float:
    """Return what all accounts own in USD by the sums of the ledger, less what came from outside and what nobody paid."""
    assets = sums_of(state) - state.pending.outside
    cells, portfolios, spot = state.cells, state.portfolios, ~state.markets.perp
    mid = np.exp(state.books.mid)
    places = state.prices.spot_market
    prices = np.where(places >= 0, mid[np.maximum(places, 0)], state.prices.asset_price)[portfolios.venue, 1:]
    coins = float(np.sum(cells.quantity[:, spot] * mid[spot])) + float(np.sum(portfolios.balance[:, 1:] * prices))
    net = np.bincount(state.traders.market, state.traders.quantity, spot.size) + cells.quantity.sum(axis=0) + portfolios.position.sum(axis=0)
    perps = float(np.sum((net * state.prices.mark)[~spot]))
    return float(assets[0]) + coins + perps - float(portfolios.topups.sum()) - float(state.venues.bad_debt_usd.sum())


def test_what_owners_gain_is_what_outside_and_prices_brought(tmp_path: Path) -> None:
    place = tmp_path / "case.json"
    measure(scenario(*RUIN).resolved_yaml(), 1, str(place))
    found = json.loads(place.read_text(encoding="utf-8"))
    asked = scenario(*RUIN)
    before = open_state(asked)
    state, _, _ = simulate(asked)
    assert found["gains"] == pytest.approx(gains_of(before, state), rel=1e-12)
    assert found["liquidated"] > 0.0 and found["deleveraged"] > 0.0
    parts = found["by funds"] + found["by vaults"] + found["by winners"] + found["bad debt"]
    assert found["missing"] == pytest.approx(parts, abs=0.5)
    for one in (before, state):
        worth = worth_of(one, sides_of(before))
        assert set(worth) == set(GROUPS)
        assert math.fsum(worth.values()) == pytest.approx(owned_by_all(one), rel=1e-9), "every account belongs to one group"
    assert state.pending.tranche_next > 0, "leverage was opened during the run"
    assert found["gains"]["leveraged longs"] < 0.0 < found["gains"]["fees of venues"]


@pytest.mark.slow
def test_the_command_prints_both_tables_and_json(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(TEXT, encoding="utf-8")
    arguments = ["what-if", str(file), "--set", "clock.duration_s=6m", "--case", "no news: shock.news=off", "--quiet"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "(1) no news" in done.stdout and "leveraged longs" in done.stdout and AS_IT_IS in done.stdout
    told = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert [row["case"] for row in told["cases"]] == [AS_IT_IS, "no news"] and told["cases"][1]["overrides"] == ["shock.news=off"]


def test_tables_show_differences_to_the_run_as_it_is() -> None:
    row = {"liquidated": 5e6, "deleveraged": 0.0, "missing": 0.0, "by funds": 0.0, "by vaults": 0.0, "by winners": 0.0, "bad debt": 0.0, "altcoins fell": None}
    account = {"accounts": {"neutral": {"gain": 5e5, "left alone": 2e5, "perps closed": 1e7, "cost at once": 2.5e6}}}
    lines = "\n".join(tables({AS_IT_IS: {**row, **account, "gains": {"makers": -2e6}}, "other": {**row, **account, "gains": {"makers": 3e6}}}))
    assert "+5" in lines and "-2" in lines and "(1) other" in lines
    assert "+0.30" in lines and "-2.50" in lines and "10.00" in lines, "done by the end, cost at once, closed"
