"""The rules of the venues' files act in the simulation: the first step it takes is the one that `waxline margin` states for the same account."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from small_world import played, scenario, stepwise
from waxline.accounts.lines import slack_of
from waxline.accounts.tables import CASH, Status
from waxline.market.tables import O_ACCOUNT, O_LEFT, O_LIMIT, O_MARKET
from waxline.rulebook.account import Account, Position, value
from waxline.rulebook.account_first import first_step
from waxline.rulebook.margin import margin_of
from waxline.scenario.problems import ScenarioProblems
from waxline.scenario.venue_rules import CollateralBands, venue_rules
from waxline.simulation.build import value_all
from waxline.simulation.portfolios import coins_to_sell, legs_to_close, trigger_portfolios, work_liquidations
from waxline.simulation.run import open_state
from waxline.simulation.step import act_events, fire_watch_ladders

STEPS = [(2e5, 0.01), (1e6, 0.025), (math.inf, 0.05)]
DEDUCTIONS = (0.0, 2e5 * 0.015, 2e5 * 0.015 + 1e6 * 0.025)
"""Tiers of LINK in the small world, and what their rates leave out."""


def at_venue(rules: str, *overrides: str) -> list[str]:
    """Return overrides that put the small world's exchange under a venue's rule file; one row is one person."""
    return [f"venues[binance].rules={rules}", "population.people_per_account=1", "shock.news=off", *overrides]


def as_published(rules: str, regime: str, positions: list[Position], balances: dict[str, float], prices: dict[str, float], ratios: dict[str, float]) -> Account:
    """Return the same account in the calculator's form."""
    published = venue_rules(rules)
    row = published.regime(regime)
    bands = {a: CollateralBands.model_validate({"assets": [a], "bands": [(None, ratio)], "source": "assumed: test"}) for a, ratio in ratios.items()}
    return Account("account", published, row, {k: v for k, v in balances.items() if v}, tuple(positions), prices, {}, bands)


def position(asset: str, quantity: float, cost: float, margin: float | None = None) -> Position:
    caps, rates = tuple(cap for cap, _ in STEPS), tuple(rate for _, rate in STEPS)
    return Position(asset, math.copysign(1.0, quantity), abs(quantity), cost / quantity, caps, rates, DEDUCTIONS, None, margin)


@pytest.mark.parametrize(
    "rules, regime", [("binance", "isolated"), ("binance", "cross"), ("bybit", "isolated"), ("okx", "isolated"), ("hyperliquid", "isolated"), ("dydx", "cross")]
)
@pytest.mark.parametrize("beyond", [0.0005, 0.004, 0.03])
def test_the_first_order_of_a_trader_is_the_first_step_of_the_calculator(rules: str, regime: str, beyond: float) -> None:
    state = open_state(scenario(*at_venue(rules, f"venues[binance].position_regime={regime}")))
    act_events(state)
    m = state.names.markets.index("binance-perp-LINK")
    traders = state.traders
    partial = 0
    for side in (1, -1):
        state.prices.mark[m] = 20.0
        mine = np.arange(*state.trader_range[m])
        mine = mine[(traders.quantity[mine] * side > 0.0) & (traders.status[mine] == Status.HEALTHY)]
        largest = mine[np.argsort(-np.abs(traders.quantity[mine]), kind="stable")][:40]
        for i in map(int, largest):
            q, cost, cash = (float(column[i]) for column in (traders.quantity, traders.cost, traders.cash))
            account = as_published(
                rules, regime, [position("LINK", q, cost, cash)], {"USDT" if rules not in ("hyperliquid", "dydx") else "USDC": cash}, {"LINK": 20.0}, {}
            )
            (part,) = margin_of(account)
            line = next(leg.liquidation_price_usd for leg in part.legs if leg.asset == "LINK")
            if line is None or line <= 0.0:
                continue
            safe, gone = line * (1.0 + 1e-6 * side), line * (1.0 - beyond * side)
            state.opening["watched"][0] = i
            used = int(state.orders.used[0])
            for mark in (safe, gone):
                assert int(state.orders.used[0]) == used, "nothing happens on the safe side of the calculator's liquidation price"
                state.prices.mark[m] = mark
                state.found[0] = i
                look_at(state, i)
            assert int(state.orders.used[0]) == used + 1
            order = state.orders.table[used]
            (step,) = first_step(part.account, {"LINK": gone})[:1]
            assert int(order[O_ACCOUNT]) == i
            if step.action.startswith("taken over"):
                continue  # that is the vault's work, which follows the order
            worth = value(part.account, {"LINK": gone})
            whole = step.quantity >= 0.99 * abs(q) or worth.equity <= 0.0
            assert order[O_LEFT] == pytest.approx(abs(q) if whole else step.quantity, rel=1e-6), f"{rules} {regime} {q} {beyond}"
            partial += order[O_LEFT] < 0.99 * abs(q)
            if step.worst_price_usd is not None:
                assert math.exp(order[O_LIMIT]) == pytest.approx(max(step.worst_price_usd, 1e-300), rel=1e-6)
            elif rules == "hyperliquid":
                assert not math.isfinite(order[O_LIMIT])
    assert partial > 0 or beyond > 0.0005, "closing a part occurs"


def look_at(state: Any, i: int) -> None:
    """Let the simulation look at one trader at the present marks."""
    state.pending.watched_head[0] = i
    state.traders.next_watched[:] = -2
    state.traders.next_watched[i] = -1
    for ladder in (state.longs, state.shorts, state.stops):
        ladder.place[:] = ladder.start[1:]
    fire_watch_ladders(state)


CASES = [
    ("binance", "portfolio", {"BTC": 30.0, "LINK": 4e4}, -2.2e6, 3e4),
    ("binance", "portfolio_partial", {"BTC": 30.0, "LINK": 4e4}, -2.2e6, 3e4),
    ("binance", "multi_assets", {"BTC": 5.0}, 1e4, 9e4),
    ("binance", "cross_margin", {"BTC": 30.0, "LINK": 4e4}, -2.6e6, 0.0),
    ("binance", "loan", {"BTC": 30.0, "LINK": 4e4}, -2.4e6, 0.0),
    ("bybit", "unified", {"BTC": 9.0, "LINK": 9e4}, -1.7e6, 3e4),
    ("bybit", "loan", {"BTC": 9.0, "LINK": 4e4}, -1.2e6, 0.0),
    ("okx", "multi_currency", {"BTC": 9.0}, -5e5, 1e5),
    ("hyperliquid", "cross", {}, 2e5, 9e4),
]
COIN_BANDS = {"BTC": ("coins", [(10.0, 0.95), (20.0, 0.8), (None, 0.3)]), "LINK": ("USD", [(3e5, 0.85), (6e5, 0.5)])}
"""Bands by the amount one account holds: of LINK nothing counts beyond the last."""
CASES = [
    *((*case, False) for case in CASES),
    ("bybit", "unified", {"BTC": 24.0, "LINK": 4e4}, -1.95e6, 3e4, True),
    ("bybit", "loan", {"BTC": 24.0, "LINK": 9e3}, -1.8e6, 0.0, True),
    ("binance", "portfolio_partial", {"BTC": 24.0, "LINK": 4e4}, -1.9e6, 3e4, True),
]


@pytest.mark.parametrize("rules, regime, coins, cash, longs, banded", CASES)
def test_an_account_with_many_assets_goes_where_and_as_the_calculator_says(
    rules: str, regime: str, coins: dict[str, float], cash: float, longs: float, banded: bool
) -> None:
    reference = f"whales.named[whale-1].regime={regime}"
    empty = "whales.named[whale-1].perp_longs_usd={}"
    state = open_state(scenario(*at_venue(rules, reference, empty, *(text for coin in COIN_BANDS if banded for text in bands_of(coin)))))
    act_events(state)
    names, portfolios, prices = state.names, state.portfolios, state.prices
    p = names.portfolios.index("whale-1")
    v, m = int(portfolios.venue[p]), names.markets.index("binance-perp-LINK")
    portfolios.balance[p] = 0.0
    portfolios.balance[p, CASH] = cash
    for coin, quantity in coins.items():
        portfolios.balance[p, names.assets.index(coin)] = quantity
    portfolios.position[p, m], portfolios.cost[p, m] = longs, longs * 20.0
    ratios = {coin: float(state.venues.haircuts.ratio[v, names.assets.index(coin)]) for coin in coins}
    settles = venue_rules(rules).regime(regime).settles_in

    def account(fall: float) -> Account:
        held = [position("LINK", longs, longs * 20.0)] if longs else []
        prices_usd = {"BTC": 1e5 * (1.0 - fall), "LINK": 20.0 * (1.0 - fall)}
        found = as_published(rules, regime, held, {**coins, settles: cash}, prices_usd, ratios)
        for coin, (unit, bands) in COIN_BANDS.items() if banded else ():
            found.bands[coin] = CollateralBands.model_validate({"assets": [coin], "unit": unit, "bands": bands, "source": "assumed: test"})
        assert settles in found.rules.cash
        return found

    went = None
    for fall in np.linspace(0.0, 0.9, 181):
        state.prices.mark[m] = 20.0 * (1.0 - fall)
        for coin, price in (("BTC", 1e5), ("LINK", 20.0)):
            prices.asset_price[v, names.assets.index(coin)] = price * (1.0 - fall)
        value_all(state)
        told = account(float(fall))
        worth = value(told)
        rate = float(portfolios.debt_rate[p])
        assert rate == pytest.approx(told.debt_rate())
        assert slack_of(portfolios)[p] == pytest.approx(worth.slack, rel=1e-9, abs=1e-3)
        trigger_portfolios(state, slack_of(state.portfolios))
        assert (portfolios.status[p] == Status.LIQUIDATING) == (worth.slack <= 0.0), f"at a fall of {fall:.3f}"
        if portfolios.status[p] == Status.LIQUIDATING:
            went = told
            break
    assert went is not None, "the account reaches its line"
    row = went.regime
    orders = [state.orders.table[n] for n in range(int(state.orders.used[0])) if int(state.orders.table[n, O_ACCOUNT]) == -1 - p]
    ordered = {
        (names.markets[int(order[O_MARKET])].split("-")[1:][1], names.markets[int(order[O_MARKET])].split("-")[1]): float(order[O_LEFT]) for order in orders
    }
    steps = first_step(went)
    if row.first.of == "collateral":
        assert {asset for asset, kind in ordered if kind == "spot"} >= {step.asset for step in steps}
        if row.first.rule.value != "whole":
            assert {asset: coins for (asset, kind), coins in ordered.items() if kind == "spot"} == pytest.approx(
                {step.asset: step.quantity for step in steps}, rel=1e-5
            )
        assert (("LINK", "perp") in ordered) == (longs > 0.0), "perps are closed at the same time"
    elif worth_above_zero(state, p):
        assert ordered == pytest.approx({("LINK", "perp"): steps[0].quantity}, rel=1e-5)


def bands_of(coin: str) -> list[str]:
    """Return the overrides that give a coin of the small world its bands."""
    unit, bands = COIN_BANDS[coin]
    rows = str([list(band) for band in bands]).replace("None", "null")
    return [f"collateral[binance/{coin}].bands={rows}", f"collateral[binance/{coin}].band_unit={unit}"]


def worth_above_zero(state: Any, p: int) -> bool:
    return float(state.portfolios.equity[p]) > 0.0


def test_an_account_back_at_its_stop_level_goes_on_and_the_rest_is_not_sold() -> None:
    state = open_state(scenario(*at_venue("binance", "venues[binance].account_regime=portfolio_partial")))
    act_events(state)
    p = state.names.portfolios.index("whale-1")
    state.portfolios.position[p], state.portfolios.cost[p] = 0.0, 0.0
    held = state.portfolios.balance[p].copy()
    state.portfolios.balance[p, CASH] = -float(state.portfolios.collateral_usd[p]) / (1.0 + 1.04 * state.portfolios.debt_rate[p])
    value_all(state)
    trigger_portfolios(state, slack_of(state.portfolios))
    assert state.portfolios.status[p] == Status.LIQUIDATING
    sold = dict(coins_to_sell(state, p, state.regimes[p]))
    assert sold and legs_to_close(state, p, state.regimes[p]) == []
    assert sum(sold.values()) < 0.5 * held[1:].sum()
    for market, quantity in sold.items():
        a = int(state.markets.asset[market])
        price = float(state.prices.asset_price[state.portfolios.venue[p], a])
        state.portfolios.balance[p, a] -= quantity
        state.portfolios.balance[p, CASH] += quantity * price
    value_all(state)
    work_liquidations(state)
    assert state.portfolios.status[p] == Status.HEALTHY, "equity is 1.2 times maintenance again"
    waiting = [n for n in range(int(state.orders.used[0])) if int(state.orders.table[n, O_ACCOUNT]) == -1 - p and state.orders.table[n, O_LEFT] > 0.0]
    assert waiting == [], "orders that are not needed any more are cancelled"


RUIN = ("shock.news.size=0.3", "clock.duration_s=8m")


def test_whole_closing_liquidates_more_than_closing_by_rule() -> None:
    by_rule = played("venues[binance].rules=binance", "venues[binance].account_regime=portfolio_partial", "venues[hyperliquid].rules=hyperliquid", *RUIN)
    whole = played("venues[binance].rules=binance", "venues[hyperliquid].rules=hyperliquid", "liquidation.by_rule=off", *RUIN)
    for run in (by_rule, whole):
        report = run.ledger.report()
        assert report["max_relative_error"] <= 1e-9 and report["long_short_max"] <= 1e-9
        assert np.all(run.state.venues.fund_cash >= 0.0)
    assert by_rule.usd() < whole.usd()


@pytest.mark.parametrize("rules", ["binance", "bybit", "okx", "dydx", "bitmex"])
def test_a_world_under_any_venues_rules_keeps_the_laws(rules: str) -> None:
    run = played(f"venues[binance].rules={rules}", "population.people_per_account=1", *RUIN)
    report = run.ledger.report()
    assert report["max_relative_error"] <= 1e-9 and report["long_short_max"] <= 1e-9
    assert np.all(run.state.venues.fund_cash >= 0.0) and run.usd() > 0.0
    rows = run.rows
    assert rows["quantity"].is_finite().all() and float(rows["notional_usd"].min()) >= 0.0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "override, place, named",
    [
        ("venues[coinbase].position_regime=isolated", "venues[coinbase].position_regime", "name one as venues[coinbase].rules"),
        ("venues[binance].position_regime=isolatd", "venues[binance].position_regime", "isolated"),
        ("venues[binance].account_regime=portfolo", "venues[binance].account_regime", "portfolio"),
        ("venues[binance].account_regime=cross_margin", "venues[binance].account_regime", "equity to maintenance"),
        ("venues[binance].loan_rate=4x", "venues[binance].loan_rate", "5x"),
        ("venues[binance].position_regime=loan", "venues[binance].position_regime", "isolated or cross"),
        ("whales.named[whale-1].regime=loan", "whales.named[whale-1].regime", "perp_longs_usd"),
        ("whales.named[whale-1].regime=lombard", "whales.named[whale-1].regime", "loan"),
    ],
)
def test_regimes_that_do_not_fit_are_refused_with_place_and_remedy(override: str, place: str, named: str) -> None:
    with pytest.raises(ScenarioProblems) as caught:
        scenario("venues[binance].rules=binance", override)
    (text,) = [problem.text() for problem in caught.value.problems if problem.path.endswith(place)]
    assert named in text


def test_coins_of_a_pool_count_by_its_rule_file() -> None:
    state = open_state(scenario("venues[aave].rules=aave"))
    v = state.names.venues.index("aave")
    published = venue_rules("aave")
    for a, symbol in enumerate(state.names.assets[1:], 1):
        row = published.bands_of(symbol)
        expected = row.bands[0][1] if row is not None else state.scenario.pool.liquidation_threshold_frac
        assert state.venues.haircuts.ratio[v, a] == expected
    terms = state.opening["pool_terms"]
    assert (terms.close_factor, terms.close_all_at, terms.dust_usd, terms.least_left_usd) == (0.5, 0.95, 2000.0, 1000.0)
    assert terms.bonus[state.names.assets.index("BTC")] == published.bands_of("BTC").bonus  # type: ignore[union-attr]


def test_perps_of_a_venue_with_an_oracle_are_valued_at_the_index() -> None:
    differs = {"dydx": 0, "binance": 0}
    for rules in differs:

        def look(state: Any, rules: str = rules) -> None:
            m = state.names.markets.index("binance-perp-LINK")
            v, a = int(state.markets.venue[m]), int(state.markets.asset[m])
            differs[rules] += state.prices.mark[m] != state.prices.index[v, a]

        stepwise(scenario(f"venues[binance].rules={rules}", "clock.duration_s=8m"), look)
    assert differs["dydx"] == 0 and differs["binance"] > 100
