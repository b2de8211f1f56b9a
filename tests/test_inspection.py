"""The page before any shock: books, impact and balance sheets agree with plain twins, and the page is whole, small and asks nobody."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import small_world
from waxline.analysis.calm import WARM_UP_S, Calm, measure
from waxline.cli.main import app
from waxline.inspection.opening import DISTANCES_BPS, SALES_FRAC, calm_overrides, opening_of
from waxline.market.ladder import posted_coins
from waxline.reference import BUY, SELL, Book, Order
from waxline.report.axes import log_axis, plain, span_of
from waxline.report.inspection import render_inspection
from waxline.report.inspection_calm import check_rows
from waxline.results.opening import Opening
from waxline.results.run_result import RunResult
from waxline.simulation.run import open_state, run_scenario

MAKER, CROWD = 0, 1


@pytest.fixture(scope="module")
def world():  # type: ignore[no-untyped-def]
    asked = small_world.scenario(*calm_overrides(["makers.stock_depths=1"], 0.15, WARM_UP_S, 1.0))
    state = open_state(asked)
    return asked, state, opening_of(state, asked)


@pytest.fixture(scope="module")
def calm_time(world) -> tuple[RunResult, Calm]:  # type: ignore[no-untyped-def]
    asked, _, opening = world
    run = run_scenario(asked, baseline=False)
    return run, measure(run, opening)


def plain_book(state, m: int) -> Book:  # type: ignore[no-untyped-def]
    """Return market m as the plain book of the reference."""
    book = Book(float(state.markets.grid[m]))
    coins = posted_coins(state.markets, state.books)[m]
    owners, _, rungs = coins.shape
    for s in range(owners):
        shape = CROWD if s == owners - 1 else MAKER
        for k in range(rungs):
            away = int(state.markets.offset[m, shape, k])
            book.post(BUY, int(state.books.base[m, s, 0]) - away, s, float(coins[s, 0, k]))
            book.post(SELL, int(state.books.base[m, s, 1]) + away, s, float(coins[s, 1, k]))
    return book


@pytest.mark.parametrize("market", ["binance-perp-BTC", "binance-spot-ENJ", "coinbase-spot-LINK"])
def test_depth_spread_and_impact_are_those_of_the_plain_book(world, market: str) -> None:  # type: ignore[no-untyped-def]
    _, state, opening = world
    m = opening.names.index(market)
    book = plain_book(state, m)
    bid, ask = book.best(BUY), book.best(SELL)
    mid = book.log_mid(0.0)
    assert opening.spread_bps[m] == pytest.approx((ask - bid) * book.grid * 1e4)
    for n, bps in enumerate(DISTANCES_BPS):
        for side, sign in ((0, BUY), (1, SELL)):
            # Just inside and just outside: a level that stands on the edge may fall to either side by rounding.
            inside, outside = (book.depth_usd(sign, mid, bps * 1e-4 * scale) for scale in (1 - 1e-9, 1 + 1e-9))
            assert inside * (1 - 1e-9) <= opening.depth_usd[m, side, n] <= outside * (1 + 1e-9), (bps, side)
    for n, size in enumerate(SALES_FRAC):
        order = Order(SELL, size * state.markets.depth_usd[m] / math.exp(mid), -math.inf)
        wanted = order.quantity
        walk = plain_book(state, m).walk(SELL, [order])
        assert opening.walked_bps[m, n] == pytest.approx((bid * book.grid - walk.last) * 1e4, abs=1e-9)
        assert opening.cost_bps[m, n] == pytest.approx((mid - math.log(order.cash / order.filled)) * 1e4, abs=1e-9)
        assert opening.filled_frac[m, n] == pytest.approx(order.filled / wanted)


def test_looking_changes_nothing(world) -> None:  # type: ignore[no-untyped-def]
    asked, _, _ = world
    state = open_state(asked)
    before = posted_coins(state.markets, state.books), state.portfolios.balance.copy(), state.portfolios.equity.copy()
    opening_of(state, asked)
    assert all(
        np.array_equal(a, b) for a, b in zip(before, (posted_coins(state.markets, state.books), state.portfolios.balance, state.portfolios.equity), strict=True)
    )


def test_depth_within_one_per_cent_is_the_input(world) -> None:  # type: ignore[no-untyped-def]
    _, _, opening = world
    at = int(np.flatnonzero(DISTANCES_BPS == 100.0)[0])
    for side in range(2):
        assert opening.depth_usd[:, side, at] == pytest.approx(opening.depth_input_usd, rel=0.15)


def test_a_makers_sheet_adds_up_and_its_distance_is_where_equity_meets_the_requirement(world) -> None:  # type: ignore[no-untyped-def]
    asked, state, opening = world
    rows = {row["account"]: row for row in opening.makers.iter_rows(named=True)}
    row = rows["maker-1@binance"]
    pledged = {"LINK": 5e6 * 0.5, "ENJ": 1.2e6 * 0.5}
    ratio = {"LINK": 0.85, "ENJ": 0.5}
    assert row["pledged_usd"] == pytest.approx(sum(pledged.values()))
    assert row["borrowed_usd"] == pytest.approx(sum(min(0.65, 0.85 * ratio[a]) * usd for a, usd in pledged.items()))
    assert row["lent_usd"] == pytest.approx(0.8 * row["borrowed_usd"])
    assert row["equity_usd"] == pytest.approx(row["counted_usd"] - row["debt_usd"] + row["cash_usd"])
    p = state.names.portfolios.index("maker-1@binance")
    assert not np.any(state.portfolios.position[p]), "no perp position before the run"
    # All its coins fall together, its debt stays: counted (1 - f) - debt = debt x rate.
    rate = float(state.portfolios.debt_rate[state.portfolios.venue == state.names.venues.index("binance")][0])
    expected = 1.0 - row["debt_usd"] * (1.0 + rate) / row["counted_usd"]
    assert row["distance_frac"] == pytest.approx(expected, abs=0.002)
    assert math.isnan(rows["maker-3@coinbase"]["distance_frac"]), "no debt, no positions, no line"
    whole = sum(r["quote_usd"] for r in rows.values())
    assert rows["maker-1@binance"]["quote_usd"] / whole > rows["maker-2@binance"]["quote_usd"] / whole > 0.0
    assert asked.makers.accounts[0].name == "maker-1"


def test_a_calm_time_has_no_news_no_halts_and_the_length_asked_for() -> None:
    asked = small_world.scenario(*calm_overrides(["noise.rate_frac=0.002"], 0.5, 300.0, 1.0))
    assert not asked.shock.news.enabled and not asked.halts.enabled
    assert asked.clock.duration_s == 2100.0 and asked.noise.rate_frac == 0.002
    assert small_world.scenario("clock.step_s=7", *calm_overrides([], 0.1, 300.0, 7.0)).clock.duration_s == 665.0


def test_nobody_is_liquidated_in_the_small_calm_world(calm_time) -> None:  # type: ignore[no-untyped-def]
    _, calm = calm_time
    assert calm.liquidated_usd == 0.0 and calm.empty_bid_s == 0.0
    assert all(exponent > 1.0 for name, exponent in calm.step_exponent.items() if np.isfinite(exponent)), calm.step_exponent


class Tags(HTMLParser):
    """Collect anchors, links and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "action"):
                self.targets.append(value or "")


@pytest.fixture(scope="module")
def text(world, calm_time) -> str:  # type: ignore[no-untyped-def]
    return render_inspection(calm_time[0], world[2], calm_time[1])


def test_the_page_asks_nobody_is_small_and_its_links_lead_somewhere(text: str) -> None:
    tags = Tags(text)
    assert not [t for t in tags.targets if not t.startswith("#")]
    assert "@import" not in text and not re.search(r"url\((?!#)", text)
    assert len(text.encode()) < 3_000_000
    assert {t[1:] for t in tags.targets} <= set(tags.ids)
    assert "link 6" not in text, "the chain's marks belong to the report of a run"


SECTIONS = (
    "summary",
    "depth-curves",
    "spreads",
    "impact-curves",
    "makers",
    "calm-inputs",
    "calm-impact",
    "calm-returns",
    "calm-basis",
    "calm-markets",
    "provenance",
)


def test_the_page_has_every_section_and_no_number_that_is_none(text: str) -> None:
    for anchor in SECTIONS:
        assert f'<section id="{anchor}">' in text, anchor
    shown = re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", text, flags=re.S))
    assert not re.findall(r"\b(?:nan|inf|None|NaN)\b", shown)
    assert "maker-1@binance" in shown and "binance-perp-LINK" in shown


def test_the_same_world_gives_the_same_page(world, calm_time, text: str) -> None:  # type: ignore[no-untyped-def]
    assert render_inspection(calm_time[0], world[2], calm_time[1]) == text


def test_worlds_without_makers_or_without_perps_make_a_page() -> None:
    for overrides, says in ((["makers.accounts=[]"], "No maker is in this scenario."), (["makers.pledge=off"], "No maker borrows against pledged coins here.")):
        asked = small_world.scenario(*calm_overrides(overrides, 0.05, WARM_UP_S, 1.0))
        opening = opening_of(open_state(asked), asked)
        run = run_scenario(asked, baseline=False)
        page = render_inspection(run, opening, measure(run, opening))
        assert says in page and "too short for groups of minutes" in page


def test_checks_turn_when_the_calm_is_not_calm(world, calm_time) -> None:  # type: ignore[no-untyped-def]
    from dataclasses import replace

    opening: Opening = world[2]
    calm: Calm = calm_time[1]

    def verdicts(found: Calm) -> dict[str, str]:
        return {str(row[0]): row[3].text for row in check_rows(opening, found)}  # type: ignore[union-attr]

    good = verdicts(calm)
    assert good["liquidations without a shock"] == "inside" and good["impact within a step: exponent of size"] == "inside"
    bad = verdicts(
        replace(
            calm,
            liquidated_usd=1.0,
            volatility_bps=5.0 * opening.volatility_input_bps,
            spread_bps=opening.spread_input_bps,
            basis_within_frac=calm.basis_within_frac * 0.5,
            step_exponent=dict.fromkeys(calm.step_exponent, 0.9),
        )
    )
    assert bad["liquidations without a shock"] == bad["one-minute volatility, tiny coins"] == "outside"
    assert bad["basis of perp and spot"] == bad["impact within a step: exponent of size"] == "outside"
    assert bad["spread, all coins"] == "inside"


def test_ticks_of_logarithmic_axes_are_words() -> None:
    from waxline.report.drawing import chart

    _, (axes,) = chart()
    log_axis(axes, "x", 0.5, 2e6)
    labels = axes.xaxis.get_major_formatter().format_ticks(axes.get_xticks())
    assert labels == ["1", "10", "100", "1 k", "10 k", "100 k", "1 M"]
    assert plain(0.02) == "0.02" and span_of(np.array([0.0, np.nan])) is None


def test_the_command_writes_the_page_and_prints_the_checks(tmp_path: Path) -> None:
    scenario = tmp_path / "small.yaml"
    scenario.write_text(small_world.TEXT)
    out = tmp_path / "new" / "page.html"
    result = CliRunner().invoke(app, ["inspect", str(scenario), "--hours", "0.05", "--out", str(out), "--set", "noise.rate_frac=0.002", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout[result.stdout.index("{") :])
    assert out.is_file() and told["page"] == str(out) and len(told["checks"]) >= 10
    assert "waxline inspect" in out.read_text(encoding="utf-8") and "noise.rate_frac=0.002" in out.read_text(encoding="utf-8")
    (tmp_path / "file").write_text("in the way")
    refused = CliRunner().invoke(app, ["inspect", str(scenario), "--hours", "0.05", "--out", str(tmp_path / "file" / "x.html"), "--quiet"])
    assert refused.exit_code == 4 and "choose another place" in refused.output
    unknown = CliRunner().invoke(app, ["inspect", "no-such-scenario"])
    assert unknown.exit_code == 2
