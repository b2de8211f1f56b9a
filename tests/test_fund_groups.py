"""Insurance funds of contract groups: each pays for its own contracts only, and one fund for all is the same as no groups."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from small_world import Played, played, scenario
from waxline.analysis.payers import payers_of
from waxline.scenario.problems import ScenarioProblems
from waxline.simulation.run import assemble

RUIN = ("shock.news.size=0.3", "clock.duration_s=8m")


def grouped(groups: str, *overrides: str) -> Played:
    return played(*RUIN, f"venues[binance].fund_groups={groups}", *overrides)


def of_fund(run: Played, name: str) -> pl.DataFrame:
    return assemble(run.scenario, run.state, run.recorder, run.ledger, 0.0).funds.filter(pl.col("fund") == name)


def test_each_fund_stands_behind_its_own_contracts() -> None:
    run = grouped("[{name: majors, assets: [BTC], fund_usd: 2e6, source: A}, {name: tiny, assets: [ENJ], fund_usd: 1e3, source: A}]")
    names, venues = run.state.names, run.state.venues
    assert names.funds == [*names.venues, "binance/majors", "binance/tiny"]
    behind = {name: names.funds[int(venues.fund[m])] for m, name in enumerate(names.markets)}
    assert behind["binance-perp-BTC"] == "binance/majors" and behind["binance-perp-ENJ"] == "binance/tiny"
    assert behind["binance-perp-LINK"] == behind["binance-spot-BTC"] == "binance" and behind["hyperliquid-perp-LINK"] == "hyperliquid"
    report = run.ledger.report()
    assert report["max_relative_error"] <= 1e-9 and report["long_short_max"] <= 1e-9
    result = assemble(run.scenario, run.state, run.recorder, run.ledger, 0.0)
    assert all(part.adds_up() for part in payers_of(result))
    last = result.funds["t_s"].max()
    per_venue = result.funds.filter(pl.col("t_s") == last).group_by("venue").agg(pl.col("fund_usd").sum())
    for venue, usd in per_venue.iter_rows():
        row = result.venues.filter((pl.col("t_s") == last) & (pl.col("venue") == venue))
        assert float((row["fund_usd"] + row["vault_usd"]).sum()) == pytest.approx(usd, rel=1e-12, abs=1e-3)


def test_a_group_that_is_paid_out_is_not_helped_by_the_others() -> None:
    alone = grouped("[{name: tiny, assets: [ENJ], fund_usd: 0, source: A}]", "deleveraging=off")
    shared = played(*RUIN, "deleveraging=off")
    v = alone.state.names.venues.index("binance")
    unpaid = [float(run.state.venues.bad_debt_usd[v]) for run in (alone, shared)]
    assert unpaid[0] > 1.05 * unpaid[1] > 0.0, "the general fund pays nothing for the group, though it has money when the group has none"
    funds = of_fund(alone, "binance/tiny")["fund_usd"], of_fund(alone, "binance")["fund_usd"]
    assert ((funds[0] < 1.0) & (funds[1] > 1e6)).any()


def test_a_group_of_no_consequence_changes_nothing() -> None:
    quiet = ("shock.news=off", "clock.duration_s=6m")
    plain = played(*quiet)
    split = played(*quiet, "venues[binance].fund_groups=[{name: majors, assets: [BTC], fund_usd: 1e6, source: A}]")
    for name in ("mid", "last"):
        assert np.array_equal(getattr(plain.state.books, name), getattr(split.state.books, name))


def test_bybits_loss_of_a_pool_is_that_of_the_group_alone() -> None:
    rules = ("venues[binance].rules=bybit", "population.people_per_account=1")
    run = grouped("[{name: majors, assets: [BTC], fund_usd: 1e9, source: A}, {name: alts, assets: [LINK, ENJ], fund_usd: 2e5, source: A}]", *rules)
    assert of_fund(run, "binance/alts")["drawn_down"].any(), "the small pool loses 30 % of its largest size"
    assert not of_fund(run, "binance/majors")["drawn_down"].any(), "the large one does not"


@pytest.mark.parametrize(
    ("venue", "groups", "says"),
    [
        ("binance", "[{name: a, assets: [sLINK], fund_usd: 1, source: A}]", "whose perps trade at binance"),
        ("binance", "[{name: a, assets: [BTC], fund_usd: 1, source: A}, {name: b, assets: [BTC], fund_usd: 1, source: A}]", "in one group only"),
        ("binance", "[{name: a, assets: [BTC], fund_usd: -1, source: A}]", "fund_usd"),
        ("hyperliquid", "[{name: a, assets: [LINK], fund_usd: 1, source: A}]", "backstop vault"),
        ("binance", "[{name: a, assets: [], fund_usd: 1, source: A}]", "assets"),
        ("binance", "[{name: a, assets: [BTC], fund_usd: 1, source: Z}]", "must name entries of sources"),
        ("binance", "[{name: a, assets: [BTC], fund_usd: 1, source: A}, {name: a, assets: [LINK], fund_usd: 1, source: A}]", "fund_groups"),
    ],
)
def test_groups_that_cannot_be_are_refused_with_place_and_remedy(venue: str, groups: str, says: str) -> None:
    with pytest.raises(ScenarioProblems) as caught:
        scenario(f"venues[{venue}].fund_groups={groups}")
    assert says in str(caught.value)
