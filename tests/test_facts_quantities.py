"""Every quantity of the facts, measured in a tiny run whose answer can be worked out by hand."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tiny_run import event, fact, tiny_run
from waxline.analysis.facts import QUANTITIES, measure
from waxline.results.run_result import RunResult

# Prices: {from second: USD}. BTC falls to 90 at 100 s, to 80 for a second at 130 s, is back at 95 from 300 s.
BTC = {-60: 100.0, 100: 90.0, 130: 80.0, 131: 90.0, 300: 95.0}
DOGE = {-60: 1.0, 200: 0.4, 260: 0.7}
ATOM = {-60: 4.0, 150: 0.02, 160: 2.0}
PRICES: dict[str, Any] = {
    "binance-spot-BTC": BTC,
    "binance-perp-BTC": BTC,
    "binance-spot-DOGE": DOGE,
    "binance-perp-DOGE": DOGE,
    "binance-spot-ATOM": ATOM,
    "coinbase-spot-BTC": {-60: 100.0, 100: 96.0},
    "binance-spot-USDe": {-60: 1.0, 320: 0.6, 330: 0.9},
    "binance-spot-wBETH": {-60: 108.0, 330: 50.0, 340: 100.0},
    "binance-spot-ETH": {-60: 100.0, 320: 80.0},
    "hyperliquid-perp-BTC": BTC,
}
EVENTS = [
    event(-30, "binance-perp-BTC", "close_in_book", 5.0, account=1, weight=2.0),
    event(65, "binance-perp-BTC", "close_in_book", 10.0, account=1, weight=2.0),
    event(70, "binance-perp-BTC", "takeover", 20.0, account=2, weight=3.0, side=1),
    event(130, "binance-spot-DOGE", "collateral_sale", 30.0, account=3, weight=4.0),
    event(131, "binance-spot-DOGE", "margin_call", 1e9, account=4, weight=9.0),
    event(135, "hyperliquid-perp-BTC", "close_in_book", 15.0, account=6),
    event(190, "hyperliquid-perp-BTC", "deleveraging", 40.0, account=5, weight=7.0, side=1, profit_frac=0.2),
    event(191, "hyperliquid-perp-BTC", "deleveraging", 10.0, account=7, side=1, profit_frac=-0.1),
    event(250, "hyperliquid-perp-DOGE", "deleveraging", 8.0, account=8, side=1, profit_frac=0.3, counted=False),
    event(400, "aave-pool-ETH", "pool_liquidation", 500.0, account=9),
]
# Counted from t = 0: 10 + 20 + 30 + 15 + 40 + 10 = 125, and 5 before.


@dataclass(frozen=True)
class Case:
    """Hold one line of the table: quantity, where, answer, what else the fact says."""

    quantity: str
    where: str
    answer: float
    more: dict[str, Any] = field(default_factory=dict)


def case(quantity: str, where: str, answer: float, **more: Any) -> Case:
    return Case(quantity, where, answer, more)


CASES = [
    case("drawdown", "binance-perp-BTC", 0.20),
    case("drawdown", "binance-perp-BTC", 0.10, window_s=(140, 200)),
    case("drawdown", "binance-perp-BTC", 0.10, window_s=(100, 129)),
    case("drawdown", "binance-perp-BTC", 0.20, window_s=(100, 130)),
    case("drawdown", "binance-spot-USDe", 0.40, against="redemption"),
    case("drawdown", "binance-spot-wBETH", 1 - 50.0 / (80.0 * 1.08), against="redemption"),
    case("fall_at", "binance-spot-BTC", 0.10, at_s=100),
    case("fall_at", "binance-perp-BTC", 0.06, at_s=100),
    case("time_of_low", "binance-perp-BTC", 130.0),
    case("time_of_low_after", "binance-spot-USDe", 320.0 - 130.0, after="BTC"),
    case("time_of_low_after", "coinbase-spot-BTC", 0.0, after="BTC"),
    # Closes of the minutes: 100 before the news, 100, 90, 90, 90, 90, 95 …
    case("worst_minute_return", "binance-perp-BTC", -0.10),
    case("worst_minute_return", "binance-perp-BTC", 0.0, window_s=(240, 299)),
    case("realised_volatility", "binance-perp-BTC", (0.10536051565782628**2 + 0.05406722127027582**2) ** 0.5),
    case("recovered_fraction", "binance-perp-BTC", 0.5, at_s=200),
    case("recovered_fraction", "binance-perp-BTC", 0.0, at_s=120),
    case("recovered_fraction", "binance-perp-BTC", 0.75, at_s=400),
    case("venue_gap_min", "binance-spot-BTC", 90.0 / 96.0 - 1.0, against="coinbase-spot"),
    case("venue_gap_at", "binance-spot-BTC", 80.0 / 96.0 - 1.0, against="coinbase-spot", at_s=130),
    case("liquidated_usd", "all-all-all", 125.0),
    case("liquidated_usd", "all-all-all", 130.0, window_s=(-60, 600)),
    case("liquidated_usd", "binance-spot-all", 30.0),
    case("liquidated_usd", "all-perp-all", 95.0),
    case("liquidated_usd", "all-all-alts", 30.0),
    case("liquidated_usd", "aave-all-all", 0.0),
    case("liquidated_long_share", "all-all-all", 55.0 / 125.0),
    case("liquidated_asset_share", "all-all-BTC", 95.0 / 125.0),
    case("liquidated_asset_share", "binance-all-BTC", 30.0 / 60.0),
    case("liquidated_asset_share", "all-all-BTC+DOGE", 1.0),
    case("liquidated_venue_share", "binance-all-all", 60.0 / 125.0),
    case("liquidated_venue_share", "hyperliquid-all-BTC", 65.0 / 95.0),
    case("liquidated_share_in_window", "all-all-all", 35.0 / 130.0, window_s=(-60, 70)),
    case("liquidated_share_before", "all-all-all", 15.0 / 130.0, at_s=70),
    case("liquidated_share_before", "binance-all-all", 35.0 / 65.0, at_s=71),
    # Minutes: 60..119 holds 30, 120..179 holds 45, 180..239 holds 50.
    case("liquidated_peak_minute_share", "all-all-all", 50.0 / 125.0),
    case("liquidated_peak_minute_share", "all-all-all", 45.0 / 125.0, window_s=(0, 191)),
    # Accounts 1, 2, 3, 6 with weights 2, 3, 4, 1; the deleveraged winners 5 and 7 lost nothing by force.
    case("accounts_liquidated", "all-all-all", 10.0),
    case("accounts_liquidated", "binance-perp-all", 5.0),
    case("open_interest_change", "all-perp-BTC", 0.5 - 1.0, unit="in coins"),
    case("open_interest_change", "binance-perp-BTC", 0.5 * 0.94 - 1.0, unit="in USD"),
    case("open_interest_change", "binance-perp-BTC", 1.0 * 0.94 - 1.0, unit="in USD", window_s=(0, 110)),
    case("depth_ratio_min", "binance-perp-BTC", 0.1, band_bps=100),
    case("depth_ratio_min", "binance-perp-BTC", 0.5, band_bps=100, window_s=(300, 600)),
    case("depth_ratio_median", "binance-perp-BTC", 0.5),
    case("depth_ratio_min_median_over_alts", "binance-spot-alts", 0.5 * (0.2 + 0.04)),
    # Falls: DOGE 0.6 for 3 pairs, ATOM 0.995 for 1 pair.
    case("drawdown_mean_over_pairs", "binance-spot-alts", (3 * 0.6 + 0.995) / 4),
    case("drawdown_quantile_over_pairs", "binance-spot-alts", 0.6, quantile=0.5),
    case("drawdown_quantile_over_pairs", "binance-spot-alts", 0.5 * (0.6 + 0.995), quantile=0.75),
    case("drawdown_quantile_over_pairs", "binance-spot-alts", 0.995, quantile=1.0),
    case("share_of_pairs_fallen_more_than", "binance-spot-alts", 0.25, threshold=0.7),
    case("pairs_fallen_more_than", "binance-spot-alts", 4.0, threshold=0.5),
    case("pairs_fallen_more_than", "binance-spot-alts", 1.0, threshold=0.99),
    # Lows: BTC 130, DOGE 200, ATOM 150, USDe 320, wBETH 330, ETH 320.
    case("share_of_lows_in_window", "binance-spot-alts", 0.5, window_s=(100, 160)),
    case("share_of_lows_in_window", "binance-spot-all", 0.5, window_s=(130, 200)),
    case("adl_usd", "hyperliquid-perp-all", 58.0),
    case("adl_usd", "hyperliquid-perp-all", 50.0, window_s=(0, 200)),
    case("adl_asset_share", "hyperliquid-perp-BTC", 50.0 / 58.0),
    case("adl_peak_minute_share", "hyperliquid-perp-all", 50.0 / 58.0),
    case("adl_profitable_share", "hyperliquid-perp-all", 2.0 / 3.0),
    # BTC: 55 s and 56 s after a close in the book. DOGE on this venue: none at all.
    case("adl_cross_asset_events", "hyperliquid-perp-all", 1.0),
    case("adl_cross_asset_events", "hyperliquid-perp-BTC", 0.0),
    case("negative_equity_usd", "binance-all-all", 3.0),
    case("negative_equity_usd", "all-all-all", 10.0),
    case("negative_equity_usd", "binance-all-all", 1.0, window_s=(0, 69)),
    case("insurance_used_usd", "binance-perp-all", 30.0),
    case("insurance_used_usd", "binance-perp-all", 0.0, window_s=(0, 90)),
    case("backstop_pnl_usd", "hyperliquid-perp-all", 12.0),
    case("pool_liquidated_usd", "aave-pool-all", 500.0),
    case("pool_bonus_usd", "aave-pool-all", 25.0),
    case("pool_bad_debt_usd", "aave-pool-all", 2.0),
    case("pool_liquidated_usd", "aave-pool-all", 0.0, window_s=(0, 350)),
]


@pytest.fixture(scope="module")
def run() -> RunResult:
    perps = ("binance-perp-BTC", "hyperliquid-perp-BTC")
    return tiny_run(
        PRICES,
        pairs={"binance-spot-DOGE": 3.0},
        claims={"USDe": ("USD", 1.0), "wBETH": ("ETH", 1.08)},
        mark={name: {-60: 100.0, 100: 94.0} for name in perps},
        depth={
            "binance-perp-BTC": {-60: 1e6, -30: 8e6, 200: 8e5, 300: 4e6},
            "binance-spot-DOGE": {-60: 1e6, 200: 2e5},
            "binance-spot-ATOM": {-60: 1e6, 200: 4e4},
        },
        open_interest={name: {-60: 10.0, 200: 5.0} for name in perps},
        events=EVENTS,
        accounts=[
            {"account": 0, "negative_equity_usd": 1.0, "first_trigger_t_s": 60.0},
            {"account": 2, "negative_equity_usd": 2.0, "first_trigger_t_s": 65.0},
            {"account": 6, "negative_equity_usd": 7.0, "first_trigger_t_s": 135.0, "venue": "hyperliquid"},
            {"account": 1, "negative_equity_usd": 0.0, "first_trigger_t_s": 65.0},
        ],
        venues={
            "binance": {"fund_usd": {-60: 100.0, 100: 80.0, 200: 70.0, 300: 90.0}},
            "hyperliquid": {"vault_usd": 400.0, "vault_pnl_usd": {-60: 1.0, 100: -5.0, 400: 13.0}},
            "aave": {
                "pool_liquidated_usd": {-60: 0.0, 400: 500.0},
                "pool_bonus_usd": {-60: 0.0, 400: 25.0},
                "pool_bad_debt_usd": {-60: 0.0, 400: 2.0},
            },
        },
    )


@pytest.mark.parametrize("line", CASES, ids=lambda line: f"{line.quantity} {line.where} {line.more}")
def test_a_quantity_is_what_its_definition_says(run: RunResult, line: Case) -> None:
    found = measure(run, fact(line.quantity, line.where, **line.more))
    assert found.reason is None
    assert found.value == pytest.approx(line.answer, rel=2e-6, abs=2e-7)


def test_the_table_of_cases_names_every_quantity() -> None:
    assert {line.quantity for line in CASES} == set(QUANTITIES)


def test_every_quantity_of_the_shared_definitions_is_implemented(shared: Path) -> None:
    text = (shared / "facts" / "README.md").read_text()
    defined = {name for row in re.findall(r"^\|(.*?)\|", text, re.M) for name in re.findall(r"`(\w+)`", row)}
    assert "drawdown" in defined
    assert defined - {"venue", "market", "asset", "window_s", "at_s"} == set(QUANTITIES)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (fact("gini", "all-all-all"), "quantity 'gini' is not known"),
        (fact("drawdown", "kraken-spot-BTC"), "venue kraken is not in the run"),
        (fact("drawdown", "binance-spot-SHIB"), "asset SHIB is not in the run"),
        (fact("drawdown", "coinbase-perp-BTC"), "market coinbase-perp-BTC is not in the run"),
        (fact("drawdown", "binance-spot-all"), "is about one market, binance-spot-all selects 6"),
        (fact("drawdown", "binance-perp-BTC", window_s=(700, 900)), "starts at 700 s, after the run's end at 600 s"),
        (fact("drawdown", "binance-perp-BTC", at_s=5), "window_s is not given"),
        (fact("drawdown", "binance-spot-BTC", against="redemption"), "BTC has no redemption value"),
        (fact("fall_at", "binance-perp-BTC", at_s=601), "at_s = 601 s lies outside the run"),
        (fact("recovered_fraction", "binance-perp-BTC", at_s=50), "there was no fall to recover from"),
        (fact("venue_gap_at", "binance-spot-DOGE", at_s=5, against="coinbase-spot"), "coinbase-spot-DOGE is not in the run"),
        (fact("venue_gap_at", "binance-spot-DOGE", at_s=5, against="coinbase"), "against must be venue-market"),
        (fact("time_of_low_after", "binance-spot-DOGE"), "after is not given"),
        (fact("worst_minute_return", "binance-perp-BTC", window_s=(0, 30)), "no whole minute"),
        (fact("depth_ratio_min", "binance-perp-BTC", band_bps=200), "recorded within 100 bps of mid, not 200"),
        (fact("depth_ratio_min_median_over_alts", "binance-spot-alts", band_bps=50), "not 50"),
        (fact("open_interest_change", "binance-perp-all", unit="in coins"), "several assets cannot be added"),
        (fact("drawdown_quantile_over_pairs", "binance-spot-alts"), "quantile is not given"),
        (fact("pairs_fallen_more_than", "binance-spot-alts"), "threshold is not given"),
        (fact("liquidated_long_share", "all-all-all", window_s=(300, 350)), "there was no liquidation in the selection"),
        (fact("adl_asset_share", "binance-perp-BTC"), "there was no deleveraging in the selection"),
        (fact("adl_asset_share", "hyperliquid-perp-BTC+SOL"), "asset SOL is not in the run"),
        (fact("backstop_pnl_usd", "binance-perp-all"), "binance has no backstop vault"),
        (fact("insurance_used_usd", "aave-all-all"), "aave has no insurance fund"),
        (fact("negative_equity_usd", "binance-perp-BTC"), "equity belongs to an account"),
        (fact("pool_bonus_usd", "aave-pool-ETH"), "recorded over all its assets"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_measured_says_why(run: RunResult, given: Any, says: str) -> None:
    found = measure(run, given)
    assert found.value is None
    assert found.reason is not None and says in found.reason


def test_a_market_without_a_trade_is_not_measured() -> None:
    run = tiny_run({"binance-spot-BTC": 100.0}, no_trade=("binance-spot-BTC",))
    assert measure(run, fact("drawdown", "binance-spot-BTC")).reason == "binance-spot-BTC has no trade in the window"
    assert measure(run, fact("time_of_low", "binance-spot-BTC")).value is None


def test_a_window_that_ends_after_the_run_is_cut_and_says_so(run: RunResult) -> None:
    found = measure(run, fact("liquidated_usd", window_s=(0, 10_800)))
    assert (found.value, found.cut) == (pytest.approx(125.0), True)
    assert not measure(run, fact("liquidated_usd")).cut


def test_the_minute_in_which_the_run_ends_is_not_a_whole_one() -> None:
    rows = [event(65, "binance-perp-BTC", "close_in_book", 10.0), event(600, "binance-perp-BTC", "close_in_book", 100.0)]
    run = tiny_run({"binance-perp-BTC": 1.0}, events=rows)
    assert measure(run, fact("liquidated_peak_minute_share", window_s=(0, 10_800))).value == pytest.approx(10.0 / 110.0)


def test_depth_that_vanishes_altogether_gives_a_ratio_of_zero() -> None:
    run = tiny_run({"binance-spot-DOGE": 1.0}, depth={"binance-spot-DOGE": {-60: 1e6, 100: 0.0, 200: 1e6}})
    assert measure(run, fact("depth_ratio_min", "binance-spot-DOGE")).value == 0.0


def test_a_liquidation_a_minute_and_a_second_before_does_not_explain_a_deleveraging() -> None:
    def cross(close_t_s: int, stage: str = "takeover") -> float | None:
        rows = [event(close_t_s, "hyperliquid-perp-BTC", stage, 1.0), event(200, "hyperliquid-perp-BTC", "deleveraging", 1.0)]
        run = tiny_run({"hyperliquid-perp-BTC": 1.0}, events=rows)
        return measure(run, fact("adl_cross_asset_events", "hyperliquid-perp-all")).value

    assert cross(139) == 1.0
    assert cross(140) == 0.0
    assert cross(200) == 0.0
    assert cross(201) == 1.0
    assert cross(210, "close_in_book") == 0.0, "a row of the book stands for the 10 s before it"
    assert cross(211, "close_in_book") == 1.0
