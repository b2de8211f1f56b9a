"""Every switch removes its link of the chain, and nothing else moves: the same draws, the same path until the link would act."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from small_world import Played, played, scenario
from waxline.accounts.tables import Cell
from waxline.agents.tables import Flow
from waxline.results.schema import Cause
from waxline.shocks.news import common_factor
from waxline.simulation.run import open_state
from waxline.simulation.step import take_step

SHORT = "clock.duration_s=8m"
Link = Callable[[Played], bool]


def amount(run: Played, cause: Cause) -> float:
    """Return what was bought and sold for a cause in USD."""
    return float(run.recorder.causes["sold"][:, :, cause].sum() + run.recorder.causes["bought"][:, :, cause].sum())


def news_arrives(run: Played) -> bool:
    return bool(run.state.clock.fair[-1, 1] < run.state.clock.fair[0, 1] - 0.05)


def makers_owe(run: Played) -> bool:
    first = run.recorder.named_rows[0]
    return float(first["debt_usd"][np.array(first["kind"]) == "maker"].sum()) > 1e6


def collateral_is_repriced(run: Played) -> bool:
    prices = run.state.prices
    lends = [run.scenario.venue(name).kind.value != "lending_pool" for name in run.state.names.venues]
    return not np.array_equal(prices.asset_price[lends], prices.asset_price_start[lends])


def claims_part_from_redemption(run: Played) -> bool:
    state = run.state
    v, a, base = state.names.venues.index("binance"), state.names.assets.index("sLINK"), state.names.assets.index("LINK")
    return bool(abs(state.prices.asset_price[v, a] / (1.1 * state.prices.index[v, base]) - 1.0) > 1e-9)


def links_are_cut(run: Played) -> bool:
    return any(not row["transfers_open"] or row["orders_slowed"] for row in run.recorder.venue_rows)


def makers_pull(run: Played) -> bool:
    return bool(np.any(run.state.books.pulled_until_s > 0.0))


def makers_shrink(run: Played) -> bool:
    named = len(run.scenario.makers.accounts)
    return bool(np.any(run.state.books.size_frac[:named] < 0.999))


def whales_live(run: Played) -> bool:
    return bool({"whale", "holder"} & set(run.state.names.portfolio_kinds))


def buyers_spend(run: Played) -> bool:
    return bool(np.any(np.diff(run.recorder.series["buyer_cash"], axis=0) < 0.0)) or amount(run, Cause.VALUE_BUYING) > 0.0


def entrants_quote(run: Played) -> bool:
    return bool(run.state.makers.share[-2].max() > 0.0)


def fair_value_walks(run: Played) -> bool:
    calm = run.state.clock.fair[:150, 1:]
    return bool(np.any(np.ptp(calm, axis=0) > 0.0))


TIGHT = ("makers.accounts[*].pull_volatility_ratio=5",)
QUIET_QUOTES = ("makers.volatility_response=off", "makers.withdraw=off")
DEATHS = ("shock.news.size=0.25", "makers.entrant_delay_s=20", "makers.entrant_ramp_s=60")
LINKS: dict[str, tuple[Link, tuple[str, ...]]] = {
    "shock.news": (news_arrives, ()),
    "makers.pledge": (makers_owe, ()),
    "collateral.reprice": (collateral_is_repriced, ()),
    "topups": (lambda run: float(run.state.pending.topups_usd.sum()) > 0.0, ()),
    "liquidation.collateral": (lambda run: run.usd("collateral_sale") + amount(run, Cause.COLLATERAL_LIQUIDATION) > 0.0, ()),
    "liquidation.perps": (lambda run: run.usd("close_in_book") + amount(run, Cause.PERP_LIQUIDATION) > 0.0, ()),
    "arbitrage": (lambda run: float(run.state.pending.arbitrage_usd.sum()) + amount(run, Cause.ARBITRAGE) > 0.0, ()),
    "feedback": (lambda run: run.usd() + run.usd("deleveraging", "pool_liquidation") > 0.0, ()),
    "makers.funding_cap": (makers_shrink, QUIET_QUOTES),
    "makers.withdraw": (makers_pull, TIGHT),
    "whales": (whales_live, ()),
    "value_buyers": (buyers_spend, ("clock.duration_s=11m",)),
    "collateral_price": (claims_part_from_redemption, ()),
    "halts": (links_are_cut, ()),
    "deleveraging": (lambda run: run.usd("deleveraging") > 0.0, ()),
    "makers.volatility_response": (makers_shrink, ("makers.funding_cap=off", "makers.withdraw=off")),
    "makers.entrant": (entrants_quote, DEATHS),
    "fair_value": (fair_value_walks, ()),
    "noise": (lambda run: amount(run, Cause.NOISE) > 0.0, ()),
    "informed": (lambda run: amount(run, Cause.NEWS) > 0.0, ()),
    "trend": (lambda run: amount(run, Cause.TREND_SELLING) > 0.0, ()),
    "shorts": (lambda run: amount(run, Cause.SHORT_COVERING) > 0.0, ()),
    "new_leverage": (lambda run: run.state.pending.tranche_next > 0, ()),
    "pool": (lambda run: run.usd("pool_liquidation") > 0.0, ("pool.health_low=1.01",)),
}
"""Switch -> what shows that its link acts, and overrides under which it does. The first 15 are those of the chain."""


@pytest.mark.parametrize("switch", LINKS)
def test_a_link_acts_until_its_switch_removes_it(switch: str) -> None:
    acts, also = LINKS[switch]
    assert acts(played(SHORT, *also)), f"{switch}: the link does not act in the small world"
    without = played(SHORT, *also, f"{switch}=off")
    assert not acts(without), f"{switch}=off leaves the link in place"
    assert without.ledger.report()["max_relative_error"] <= 1e-9
    assert np.all(np.isfinite(without.recorder.prices["mid"]))


OTHERS = [switch for switch in LINKS if switch not in {"whales", "shock.news", "fair_value"}]


def drawn(*overrides: str) -> dict[str, NDArray[np.float64]]:
    """Return what is drawn before the first step: traders, holders, fair values; and the first noise orders."""
    state = open_state(scenario(SHORT, *overrides))
    count = state.drawn_traders
    columns = {name: getattr(state.traders, name)[:count].copy() for name in ("market", "quantity", "cost", "cash", "rate", "deduction")}
    columns["stops"] = state.stops.level.copy()
    holders = [p for p, kind in enumerate(state.names.portfolio_kinds) if kind in ("whale", "holder")]
    columns["holders"] = state.portfolios.balance[holders].copy()
    columns["longs"] = state.portfolios.position[holders].copy()
    columns["fair"] = state.clock.fair.copy()
    take_step(state)
    columns["noise"] = state.flows.quantity[:, [Flow.NOISE_BUY, Flow.NOISE_SELL]].copy()
    return columns


@pytest.mark.parametrize("switch", OTHERS)
def test_a_switch_leaves_all_other_draws_alone(switch: str) -> None:
    without = drawn(f"{switch}=off")
    for name, values in drawn().items():
        if name == "noise" and switch == "noise":
            assert not without[name].any()
        else:
            assert np.array_equal(values, without[name]), name


def test_traders_keep_leverage_and_entry_when_whales_are_switched_off() -> None:
    first, second = drawn(), drawn("whales=off")
    assert first["cost"] / first["quantity"] == pytest.approx(second["cost"] / second["quantity"], rel=1e-12)
    # A larger position in a higher tier posts more margin, so that the line, not the margin, is what stays.
    lines = [(own["cost"] - own["cash"] - own["deduction"]) / (own["quantity"] - np.abs(own["quantity"]) * own["rate"]) for own in (first, second)]
    assert lines[0] == pytest.approx(lines[1], rel=1e-9, abs=1e-9)


def test_news_and_walk_of_fair_value_are_independent() -> None:
    news, calm = open_state(scenario(SHORT)), open_state(scenario(SHORT, "shock.news=off"))
    factor = common_factor(news.scenario.shock.news, news.clock.start_t_s + np.arange(1.0, news.scenario.clock.steps + 1))
    moved = news.clock.fair - calm.clock.fair
    struck = factor < -0.01
    for a in range(1, moved.shape[1]):
        beta = moved[struck, a] / factor[struck]
        assert beta == pytest.approx(np.full(beta.size, beta[0]), rel=1e-9), "news is the same factor at every time"
        assert beta[0] > 0.5
    assert np.array_equal(news.clock.fair[factor == 0.0], calm.clock.fair[factor == 0.0])


BEFORE_NEWS = ["topups", "liquidation.collateral", "liquidation.perps", "deleveraging", "halts", "shock.news", "makers.withdraw", "value_buyers"]


@pytest.mark.parametrize("switch", BEFORE_NEWS)
def test_until_a_link_acts_the_path_is_the_same_bit_for_bit(switch: str) -> None:
    calm = played(SHORT).recorder.t_s < 0
    for name in ("mid", "low", "close", "mark"):
        with_link, without = (run.recorder.prices[name][calm] for run in (played(SHORT), played(SHORT, f"{switch}=off")))
        assert np.array_equal(with_link, without, equal_nan=True), name
    after = [run.recorder.prices["mid"][~calm] for run in (played(SHORT), played(SHORT, f"{switch}=off"))]
    assert switch in {"makers.withdraw", "topups", "value_buyers"} or not np.array_equal(*after), "the link acts later"


def test_buyers_keep_their_cash_when_they_are_switched_off() -> None:
    state = played(SHORT, "value_buyers=off").state
    start = open_state(state.scenario)
    assert np.array_equal(state.cells.cash[Cell.VALUE_BUYER], start.cells.cash[Cell.VALUE_BUYER])
