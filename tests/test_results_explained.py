"""Price accounting, generations, contagion and the summary, on tiny runs with known answers and on the made-up large one."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import polars as pl
import pytest

from synthetic_run import synthetic_run
from tiny_run import event, tiny_run
from waxline.analysis import accounting
from waxline.analysis.selection import exact_sums
from waxline.analysis.summary import summarise
from waxline.analysis.summary_text import beside, summary_text, text_table
from waxline.results.run_result import RunResult
from waxline.results.schema import Cause


@pytest.fixture(scope="module")
def large() -> RunResult:
    return synthetic_run()


def fall_in_two_parts() -> RunResult:
    """Return two markets; in the first news takes 10 % at 100 s, liquidation 20 % of the rest at 200 s, buying brings it back."""
    first = {-60: 100.0, 100: 90.0, 200: 72.0, 300: 100.0}
    run = tiny_run({"binance-spot-DOGE": first, "binance-spot-ATOM": 4.0}, pairs={"binance-spot-DOGE": 3.0})
    for t_s, cause, ratio in ((100, Cause.NEWS, 0.9), (200, Cause.PERP_LIQUIDATION, 0.8), (300, Cause.VALUE_BUYING, 100 / 72)):
        run.cause_dlog[0, np.searchsorted(run.bin_t_s, t_s), cause] = math.log(ratio)
    return run


def test_the_parts_of_a_fall_are_booked_to_their_causes() -> None:
    part = accounting.price_accounting(fall_in_two_parts(), [0], 0, 250)
    assert part.total_dlog == pytest.approx(math.log(0.72), abs=1e-6)
    assert part.parts_dlog[Cause.NEWS] == pytest.approx(math.log(0.9), abs=1e-6)
    assert part.parts_dlog[Cause.PERP_LIQUIDATION] == pytest.approx(math.log(0.8), abs=1e-6)
    assert part.residual_dlog == pytest.approx(0.0, abs=1e-6)
    assert float(part.shares.sum()) == pytest.approx(1.0, abs=1e-5)


def test_a_window_holds_only_what_happened_in_it() -> None:
    part = accounting.price_accounting(fall_in_two_parts(), [0], 150, 250)
    assert part.parts_dlog[Cause.NEWS] == 0.0
    assert part.total_dlog == pytest.approx(math.log(0.8), abs=1e-6)


def test_the_mean_over_markets_counts_real_pairs() -> None:
    part = accounting.price_accounting(fall_in_two_parts(), [0, 1], 0, 250)
    assert (part.n_markets, part.total_dlog) == (2, pytest.approx(0.75 * math.log(0.72), abs=1e-6))
    alone = accounting.price_accounting(fall_in_two_parts(), [0, 1], 0, 250, weights=[1.0, 1.0])
    assert alone.total_dlog == pytest.approx(0.5 * math.log(0.72), abs=1e-6)


def test_a_fall_is_followed_to_the_lowest_mid_of_its_own_market() -> None:
    part = accounting.accounting_to_low(fall_in_two_parts(), [0])
    assert part.to_s == 200.0
    assert part.parts_dlog[Cause.VALUE_BUYING] == 0.0
    assert part.total_dlog == pytest.approx(math.log(0.72), abs=1e-6)


def test_parts_add_up_to_the_whole_in_every_market(large: RunResult) -> None:
    table = accounting.accounting_table(large)
    parts = table.select(pl.sum_horizontal([cause.key for cause in Cause])).to_series()
    assert np.allclose(parts + table["residual_dlog"], table["total_dlog"], atol=1e-12)
    assert float(table["residual_dlog"].abs().to_numpy().max()) < 1e-5
    window = accounting.accounting_table(large, 0, 6000)
    assert float(window["residual_dlog"].abs().to_numpy().max()) < 1e-5


def test_the_path_by_cause_ends_where_the_accounting_does(large: RunResult) -> None:
    alts = large.select("binance", "all", "alts")
    times, path = accounting.cause_path(large, alts)
    whole = accounting.price_accounting(large, alts, 0, large.end_t_s)
    assert times[-1] == large.end_t_s
    assert path[-1] == pytest.approx(whole.parts_dlog, abs=1e-9)


def test_a_window_without_a_bin_has_no_accounting() -> None:
    part = accounting.price_accounting(fall_in_two_parts(), [0], 700, 800)
    assert (part.n_markets, part.total_dlog) == (0, 0.0)
    assert np.isnan(part.shares).all()


PERPS = "binance-perp-BTC"
FORCED: list[dict[str, Any]] = [
    event(10, PERPS, "close_in_book", 100.0, generation=1.0, share_news=1.0),
    event(20, PERPS, "close_in_book", 300.0, generation=2.0, share_news=0.5, share_perp_liquidation=0.5),
    event(70, "binance-spot-DOGE", "collateral_sale", 200.0, generation=3.0, share_perp_liquidation=1.0),
    event(75, PERPS, "takeover", 400.0, generation=4.0, share_collateral_liquidation=0.25, share_requoting=0.75),
    event(80, PERPS, "deleveraging", 1e6, generation=9.0),
    event(-5, PERPS, "close_in_book", 1e6, generation=9.0),
]


def forced_run() -> RunResult:
    run = tiny_run({PERPS: 100.0, "binance-spot-DOGE": 1.0}, events=FORCED)
    run.cause_sold_usd[0, 10, Cause.PERP_LIQUIDATION] = 500.0
    run.cause_bought_usd[0, 20, Cause.PERP_LIQUIDATION] = 300.0
    run.cause_sold_usd[1, 20, Cause.COLLATERAL_LIQUIDATION] = 200.0
    run.cause_sold_usd[1, 2, Cause.COLLATERAL_LIQUIDATION] = 1e9
    return run


def test_generations_are_means_by_volume_per_minute() -> None:
    found = accounting.generations_over_time(forced_run()).rows()
    assert found == [
        (0, 400.0, pytest.approx((100 + 600) / 400), pytest.approx(150 / 400)),
        (60, 600.0, pytest.approx((600 + 1600) / 600), pytest.approx(300 / 600)),
    ]


def test_the_histogram_of_generations_holds_all_forced_volume_once() -> None:
    found = accounting.generation_histogram(forced_run(), last=3)
    assert found["usd"].to_list() == [100.0, 300.0, 600.0]
    assert found["share"].to_list() == [0.1, 0.3, 0.6]
    rounded = tiny_run({PERPS: 1.0}, events=[event(5, PERPS, "close_in_book", 1.0, generation=1.6)])
    assert accounting.generation_histogram(rounded, last=3)["usd"].to_list() == [0.0, 1.0, 0.0]


def test_the_endogenous_share_is_the_slack_that_forced_flows_took() -> None:
    assert accounting.endogenous_share(forced_run()) == pytest.approx((150 + 200 + 100) / 1000)
    assert accounting.endogenous_share(tiny_run({PERPS: 1.0})) is None


def test_contagion_says_which_forced_volume_made_which() -> None:
    found = accounting.contagion(forced_run())
    matrix = {kind: dict(zip(found.to_kinds, row, strict=True)) for kind, row in zip(found.from_kinds, found.caused_usd, strict=True)}
    assert matrix["perp liquidation"] == {"perp liquidation": 150.0, "collateral sale": 200.0}
    assert matrix["collateral sale"] == {"perp liquidation": 100.0, "collateral sale": 0.0}
    assert matrix["outside"] == {"perp liquidation": 550.0, "collateral sale": 0.0}
    assert found.volume_usd[:2].tolist() == [800.0, 200.0]
    expected = np.array([[150 / 800, 200 / 800], [100 / 200, 0.0]])
    assert np.allclose(found.branching, expected)
    assert found.branching_ratio == pytest.approx(max(abs(np.linalg.eigvals(expected))))


def test_contagion_of_a_quiet_run_is_nothing() -> None:
    found = accounting.contagion(tiny_run({PERPS: 1.0}))
    assert (found.caused_usd.sum(), found.branching_ratio) == (0.0, 0.0)


def test_accounts_are_told_by_what_took_their_slack() -> None:
    shares = [(0.95, 10.0, 1.0), (0.5, 30.0, 2.0), (0.05, 60.0, 4.0)]
    rows = [{"by_perp_frac": frac, "liquidated_usd": usd, "weight": weight} for frac, usd, weight in shares]
    found = accounting.by_what_taken(tiny_run({PERPS: 1.0}, accounts=[*rows, {"kind": "maker"}])).row(0, named=True)
    assert (found["by_perp"], found["by_both"], found["by_collateral"], found["people"]) == (1.0, 2.0, 4.0, 7.0)
    assert found["by_perp_frac"] == pytest.approx((9.5 + 15 + 3) / 100)


def test_named_accounts_are_ranked_by_what_was_forced_from_them() -> None:
    rows = [event(5, PERPS, "close_in_book", usd, account_name=name) for name, usd in (("A", 1.0), ("B", 5.0), ("A", 2.0))]
    found = accounting.contagion_from_named(tiny_run({PERPS: 1.0}, events=[*rows, event(5, PERPS, "close_in_book", 9.0)]))
    assert found.select("account_name", "usd").rows() == [("B", 5.0), ("A", 3.0)]


def test_sums_do_not_depend_on_the_order_of_rows() -> None:
    values = [1e16, 1.0, -1e16, 1.0, 3.0]
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1], [1, 3, 0, 4, 2]):
        rows = pl.DataFrame({"key": ["a"] * 5, "usd": [values[i] for i in order]})
        assert exact_sums(rows, "key", "usd") == {"a": (5.0,)}


def crash() -> RunResult:
    run = tiny_run(
        {PERPS: {-60: 100.0, 100: 80.0, 200: 90.0}, "binance-spot-DOGE": {-60: 1.0, 100: 0.4, 300: 0.7}},
        pairs={"binance-spot-DOGE": 3.0},
        events=FORCED,
        venues={"binance": {"fund_usd": {-60: 100.0, 100: 60.0, 200: 90.0}, "bad_debt_usd": {-60: 0.0, 100: 3.0}}},
        end_s=800,
    )
    run.baseline = {PERPS: 0.05, "binance-spot-DOGE": 0.1}
    run.ledger = {"max_relative_error": 1e-13, "checks": 800}
    return run


def test_the_summary_of_a_crash_has_its_falls_amplification_and_recovery() -> None:
    summary = summarise(crash())
    doge = next(row for row in summary["markets"] if row["asset"] == "DOGE")
    assert doge["fall"] == pytest.approx(0.6, abs=1e-6)
    assert doge["amplification"] == pytest.approx(6.0, abs=1e-5)
    assert (doge["low_t_s"], doge["recovered_10min"]) == (100, pytest.approx(0.5, abs=1e-6))
    coins = summary["groups"][-1]
    assert coins["fall"] == pytest.approx((0.2 + 3 * 0.6) / 4, abs=1e-6)
    assert coins["news_alone"] == pytest.approx((0.05 + 0.3) / 4, abs=1e-9)
    assert coins["worst_market"] == "binance-spot-DOGE"


def test_the_summary_counts_forced_volume_once_by_kind_and_side() -> None:
    liquidated = summarise(crash())["liquidated"]
    assert liquidated["by_kind_usd"] == {
        "perps_closed_in_book": 1e6 + 400,
        "collateral_sold": 200.0,
        "perps_taken_over": 400.0,
        "perps_deleveraged": 1e6,
    }
    assert sum(liquidated["by_kind_usd"].values()) == liquidated["total_usd"] == sum(liquidated["by_venue_usd"].values())
    assert (liquidated["peak_minute_t_s"], liquidated["peak_minute_usd"]) == (60, 1e6 + 600)
    assert liquidated["before_news_usd"] == 1e6


def test_the_summary_says_who_paid() -> None:
    (venue,) = summarise(crash())["venues"]
    assert (venue["fund_before_usd"], venue["fund_used_usd"], venue["fund_end_usd"]) == (100.0, 40.0, 90.0)
    assert venue["bad_debt_usd"] == 3.0


def test_what_has_no_value_is_null_with_a_reason() -> None:
    run = tiny_run({PERPS: 100.0, "binance-spot-DOGE": 1.0}, no_trade=("binance-spot-DOGE",))
    summary = json.loads(json.dumps(summarise(run), allow_nan=False))
    btc, doge = summary["markets"]
    assert (doge["fall"], doge["reason"]) == (None, "no trade after t = 0")
    assert (btc["news_alone"], btc["amplification"]) == (None, None)
    assert "without --no-baseline" in btc["reason"]
    assert (summary["liquidated"]["long_share"], summary["liquidated"]["reason"]) == (None, "nothing was liquidated")
    assert summary["cascade"]["reason"] == "nothing was liquidated"
    run.baseline = {PERPS: 0.0}
    assert summarise(run)["markets"][0]["reason"] == "news alone does not lower this price"


def test_the_summary_is_the_same_for_shuffled_rows_of_the_same_event(large: RunResult) -> None:
    shuffled = synthetic_run()
    shuffled.liquidations = shuffled.liquidations.sample(fraction=1.0, shuffle=True, seed=3)
    assert json.dumps(summarise(shuffled)) == json.dumps(summarise(large))


def test_the_summary_holds_neither_clock_nor_machine(large: RunResult) -> None:
    assert not {"wall_s", "machine", "versions"} & set(summarise(large)["run"])


@pytest.mark.parametrize("make", [crash, lambda: tiny_run({PERPS: 100.0}), synthetic_run])
def test_the_summary_prints_as_text_within_132_columns(make: Any) -> None:
    text = summary_text(summarise(make()))
    assert max(len(line) for line in text.split("\n")) <= 132
    assert not re.search(r"\b(nan|None)\b", text)


def test_the_text_of_a_crash_shows_its_numbers() -> None:
    text = summary_text(summarise(crash()))
    for words in (
        "60.0 %",
        "x6.0",
        "collateral sold",
        "Largest minute 20:51 UTC",
        "fund used",
        "Ledger: largest relative error 1e-13",
    ):
        assert words in text, words


def test_tables_stand_side_by_side() -> None:
    left, right = text_table("one", ["a", "b"], [["x", "1"], ["y", "22"]]), "two\nlines"
    assert beside([left, right]).split("\n") == ["one      two", "a   b    lines", "-----", "x   1", "y  22"]


def test_a_run_without_a_whole_minute_of_liquidations_says_so() -> None:
    run = tiny_run({"binance-perp-BTC": 1.0}, events=[event(5, "binance-perp-BTC", "close_in_book", 5.0)], end_s=30)
    assert "Largest minute: none, nothing was liquidated in a minute that the run holds whole." in summary_text(summarise(run))
