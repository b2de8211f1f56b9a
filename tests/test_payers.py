"""Who paid what was missing adds up to the cent; the story of an account says what the record says."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tiny_run import tiny_run
from waxline.analysis.account_story import RESTING, story_of
from waxline.analysis.account_text import story_text
from waxline.analysis.payers import payers_of
from waxline.analysis.payers_text import payers_text, usd
from waxline.cli.main import app
from waxline.errors import ResultsError
from waxline.results.run_result import RunResult
from waxline.results.schema import Cause

runner = CliRunner()
PERP, VAULT_PERP = "binance-perp-LINK", "hyperliquid-perp-LINK"


def event(t_s: int, stage: str, usd: float, shortfall: float = 0.0, payer: str | None = None, market: str = PERP, **more: Any) -> dict[str, Any]:
    return {"t_s": t_s, "market": market, "stage": stage, "notional_usd": usd, "shortfall_usd": shortfall, "payer": payer, **more}


def crashed() -> RunResult:
    """Return a run in which LINK falls from 20 to 10 and an account goes through every stage."""
    rows = [
        event(30, "margin_call", 0.0, account=7, quantity=0.0, equity_usd=900.0),
        event(41, "top_up", 500.0, account=7, quantity=0.0),
        event(100, "cancel", 0.0, account=7, quantity=0.0, equity_usd=300.0),
        event(110, "close_in_book", 1800.0, account=7, quantity=100.0, limit_usd=15.0, generation=2.0, share_news=0.25, share_perp_liquidation=0.75),
        event(120, "close_in_book", 1600.0, account=7, quantity=100.0, limit_usd=15.0, generation=2.0, share_news=0.25, share_perp_liquidation=0.75),
        event(130, "takeover", 1500.0, 200.005, "fund", account=7, quantity=100.0, limit_usd=15.0, share_news=1.0),
        event(140, "payment", 50.25, 50.25, "fund", account=7, quantity=0.0),
        event(140, "bad_debt", 10.1, 10.1, "nobody", account=7, quantity=0.0),
        event(150, "takeover", 900.0, 33.33, "vault", market=VAULT_PERP, account=8, quantity=60.0),
        event(200, "deleveraging", 1100.0, 70.0, "winners", account=9, quantity=100.0, side=1, profit_frac=0.5),
    ]
    accounts = [
        {
            "account": 7,
            "kind": "whale",
            "name": "whale-1",
            "venue": "binance",
            "equity_before_usd": 2000.0,
            "liquidated_usd": 4900.0,
            "first_trigger_t_s": 100.0,
        },
        {"account": 8, "venue": "hyperliquid"},
        {"account": 9, "name": "twice", "venue": "binance"},
        {"account": 11, "name": "twice", "venue": "hyperliquid"},
    ]
    venues = {"binance": {"fund_usd": {-60: 1000.0, 130: 700.0, 300: 800.0}, "bad_debt_usd": {-60: 0.0, 140: 10.1}}, "hyperliquid": {"vault_usd": 500.0}}
    run = tiny_run({PERP: {-60: 20.0, 60: 18.0, 105: 16.0, 400: 10.0}, VAULT_PERP: 20.0}, events=rows, accounts=accounts, venues=venues)
    market, bins = run.market_id(PERP), run.bins_in(100, 130)
    run.cause_sold_usd[market, bins, Cause.PERP_LIQUIDATION] = 1000.0
    run.cause_bought_usd[market, bins, Cause.VALUE_BUYING] = 300.0
    return run


def test_the_columns_of_every_venue_add_up_to_the_cent() -> None:
    binance, hyperliquid = payers_of(crashed())
    assert (binance.shortfall, binance.fund, binance.deleveraging, binance.bad_debt) == (26035, 25025 - 7000, 7000, 1010)
    assert (hyperliquid.shortfall, hyperliquid.vault, hyperliquid.fund) == (3333, 3333, 0)
    assert binance.adds_up() and hyperliquid.adds_up()
    assert binance.enough == 31010, "the fund fell by 300 and 10.10 more were missing"
    text = payers_text([binance, hyperliquid])
    assert "260.35" in text and "180.25" in text and "-0.07" not in text
    assert [usd(cents) for cents in (-7, 0, 123456789)] == ["-0.07", "0.00", "1,234,567.89"]


payments = st.lists(
    st.tuples(st.floats(0.0, 1e9, exclude_min=True), st.sampled_from(["fund", "vault", "winners", "users", "nobody"]), st.sampled_from([PERP, VAULT_PERP])),
    min_size=1,
    max_size=12,
)


@cache
def quiet() -> RunResult:
    """Return a run in which nothing happens."""
    return tiny_run({PERP: 20.0, VAULT_PERP: 20.0}, venues={"binance": {"fund_usd": 1.0}, "hyperliquid": {"vault_usd": 1.0}}, end_s=60)


def adds_up(rows: list[tuple[float, str, str]]) -> None:
    frame = pl.DataFrame(
        {
            "venue": [market.split("-")[0] for *_, market in rows],
            "shortfall_usd": [amount for amount, *_ in rows],
            "payer": [payer for _, payer, _ in rows],
        }
    )
    accounts = payers_of(dataclasses.replace(quiet(), liquidations=frame))
    assert all(row.adds_up() for row in accounts)
    for row, market in zip(accounts, (PERP, VAULT_PERP), strict=True):
        told = [(amount, payer) for amount, payer, where in rows if where == market and payer != "winners"]
        assert row.events == sum(where == market for *_, where in rows)
        assert row.shortfall == sum(round(amount * 100) for amount, _ in told)


@settings(max_examples=15)
@given(payments)
def test_whatever_was_paid_by_whom_the_table_adds_up(rows: list[tuple[float, str, str]]) -> None:
    adds_up(rows)


@pytest.mark.slow
@settings(max_examples=20_000)
@given(payments)
def test_whatever_was_paid_by_whom_the_table_adds_up_in_many_books(rows: list[tuple[float, str, str]]) -> None:
    adds_up(rows)


def test_the_story_tells_calls_top_ups_closes_buyers_costs_and_payers_in_order_of_time() -> None:
    story = story_of(crashed(), "whale-1")
    assert [one.stage for one in story.events] == ["margin_call", "top_up", "cancel", "close_in_book", "takeover", "payment", "bad_debt"]
    assert [one.from_s for one in story.events] == sorted(one.from_s for one in story.events)
    closed, taken = story.events[3], story.events[4]
    assert (closed.from_s, closed.to_s, closed.quantity, closed.price_usd, closed.limit_usd) == (110, 120, 200.0, 17.0, 15.0)
    assert closed.before_usd == 18.0 and closed.cost_usd == pytest.approx(200.0)
    assert closed.others == {RESTING: pytest.approx(0.7), "value buying": pytest.approx(0.3)}
    assert taken.cost_usd == pytest.approx(300.0) and story.cost_usd == pytest.approx(500.0)
    assert story.causes == {"perp liquidation": pytest.approx(0.75 * 3400 / 4900), "news": pytest.approx((0.25 * 3400 + 1500) / 4900)}
    assert story.observed == "a long was liquidated after LINK fell 10.0% on binance"
    text = story_text(story)
    for part in ("whale-1: whale on binance", "margin call", "adds 500 USD", "closes a long of 200 LINK", "limit 15.000", "bought by resting quotes 70.0 %",
                 "the fund pays 50.2 USD", "10.1 USD remain unpaid", "cost 500 USD", "perp liquidation 52.0 %"):  # fmt: skip
        assert part in text, part


def test_a_winner_an_untouched_account_and_a_wrong_name_get_their_answers() -> None:
    run = crashed()
    winner = story_of(run, "9")
    assert winner.events[0].payer == "winners" and winner.events[0].cost_usd == pytest.approx(100 * (11.0 - 16.0))
    assert "70.0 USD of loss borne by its owner" in story_text(winner) and "winning position was closed" in winner.observed
    assert "nothing happened to it" in story_text(story_of(run, "11"))
    with pytest.raises(ResultsError, match=r"stands for several accounts: choose one of 9 \(binance\), 11 \(hyperliquid\)"):
        story_of(run, "twice")
    for asked, near in (("whale", "did you mean whale-1"), ("12", "numbers go to 11"), ("-3", "liquidated ones are for example 7, 8, 9")):
        with pytest.raises(ResultsError, match=near):
            story_of(run, asked)


def test_the_commands_print_the_table_and_the_story_of_a_saved_run(tmp_path: Path) -> None:
    folders = [str(crashed().save(tmp_path / name)) for name in ("one", "two")]
    answer = runner.invoke(app, ["waterfall", *folders])
    assert answer.exit_code == 0, answer.stderr
    assert answer.stdout.count("260.35") == 2 and "Fund that pays all in 95% of 2 paths" in answer.stdout and "310.10" in answer.stdout
    shown = json.loads(runner.invoke(app, ["waterfall", folders[0], "--json"]).stdout)
    assert shown["runs"][folders[0]][0]["shortfall_usd"] == 260.35 and shown["enough_usd"]["binance"] == 310.1
    assert "closes a long of 200 LINK" in runner.invoke(app, ["account", folders[0], "7"]).stdout
    assert json.loads(runner.invoke(app, ["account", folders[0], "7", "--json"]).stdout)["events"][3]["quantity"] == 200.0
    assert runner.invoke(app, ["account", folders[0], "nobody"]).exit_code == 4
