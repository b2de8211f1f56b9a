"""What a lending pool does with borrowers below health 1: keepers, auctions, absorption; interest by utilisation; money and coins are kept in each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from small_world import played, scenario
from waxline.accounts.tables import CASH, Cell, Status
from waxline.analysis.account_story import story_of
from waxline.analysis.account_text import story_text
from waxline.analysis.payers import payers_of
from waxline.errors import ScenarioError
from waxline.liquidation.rules_auctions import stair_price
from waxline.liquidation.rules_pools import kinked_rate
from waxline.liquidation.tables import R_PAYER, R_SHORTFALL, Payer
from waxline.simulation.build import value_all
from waxline.simulation.pool import YEAR_S, keeper_book, liquidate_borrower, most_coins, pays_off, pool_figures, run_pool, start_auction
from waxline.simulation.run import assemble, open_state
from waxline.simulation.step import act_events
from waxline.simulation.waterfall import cover_funds

FALL = ("shock.news.size=0.04", "pool.health_low=1", "pool.health_exponent=4")
AUCTION = ("pool.variant=auction", "pool.auction_dust_usd=100", "pool.auction_step_s=5", "pool.auction_limit_usd=5e7")
WAYS = {"close_factor": (), "auction": AUCTION, "absorption": ("pool.variant=absorption", "venues[aave].fund_usd=1e7")}


def quiet(*overrides: str) -> Any:
    """Return the small world before its first step, at rest."""
    state = open_state(scenario("shock.news=off", *overrides))
    act_events(state)
    return state


def fallen(state: Any, symbol: str, part: float) -> np.ndarray:
    """Let a coin fall at the oracle and in all spot books, value everybody, and return the borrowers below health 1."""
    a = state.names.assets.index(symbol)
    state.prices.oracle[a] *= 1.0 - part
    state.books.mid[(state.markets.asset == a) & ~state.markets.perp] += math.log1p(-part)
    value_all(state)
    borrowers = state.opening["borrowers"]
    found: np.ndarray = borrowers[(state.portfolios.equity[borrowers] <= 0.0) & (state.portfolios.balance[borrowers, CASH] < 0.0)]
    return found


def money(state: Any) -> float:
    """Return the cash of all: accounts, cells, funds, and the world outside."""
    return math.fsum([*state.portfolios.balance[:, CASH], *state.cells.cash.ravel(), *state.venues.fund_cash, state.pending.outside[CASH]])


def coins(state: Any, symbol: str) -> float:
    a = state.names.assets.index(symbol)
    return math.fsum([*state.portfolios.balance[:, a], *state.cells.quantity[:, (state.markets.asset == a) & ~state.markets.perp].ravel()])


@pytest.mark.parametrize(
    ("used", "rate"), [(0.0, 0.01), (0.45, 0.035), (0.9, 0.06), (0.95, 0.26), (1.0, 0.46)], ids=["nothing lent", "half way", "kink", "beyond", "all lent"]
)
def test_the_rate_rises_with_utilisation_and_steeply_beyond_the_kink(used: float, rate: float) -> None:
    assert kinked_rate(used, 0.01, 0.05, 0.9, 0.4) == pytest.approx(rate, rel=1e-12)


def test_debts_grow_by_the_rate_and_lenders_receive_it() -> None:
    state = quiet("pool.rate_base_frac=5")
    borrowers = state.opening["borrowers"]
    before, outside, supplied = -state.portfolios.balance[borrowers, CASH], float(state.pending.outside[CASH]), state.pending.pool_supplied
    used, rate = pool_figures(state)
    assert used == pytest.approx(0.8) and rate > 5.0
    run_pool(state)
    grown = -state.portfolios.balance[borrowers, CASH]
    assert grown == pytest.approx(before * (1.0 + rate / YEAR_S), rel=1e-12)
    interest = float(grown.sum() - before.sum())
    assert state.pending.outside[CASH] - outside == pytest.approx(interest, rel=1e-6)
    assert state.pending.pool_supplied - supplied == pytest.approx(interest, rel=1e-3)


def test_what_keepers_repay_lowers_utilisation_and_rate() -> None:
    run = played(*FALL)
    series = assemble(run.scenario, run.state, run.recorder, run.ledger, 0.0).venues.filter(pl.col("venue") == "aave")
    assert series["pool_liquidated_usd"][-1] > 0.0
    assert series["pool_utilisation"][0] == pytest.approx(0.8, rel=1e-4) and series["pool_utilisation"][-1] < series["pool_utilisation"][0]
    assert series["pool_rate"][-1] < series["pool_rate"][0]


@pytest.mark.parametrize("way", WAYS)
def test_every_way_keeps_the_laws_and_liquidates(way: str) -> None:
    run = played(*FALL, *WAYS[way])
    report = run.ledger.report()
    assert report["max_relative_error"] <= 1e-9 and report["long_short_max"] <= 1e-9
    rows = run.rows.filter((pl.col("venue") == "aave") & (pl.col("stage") == "pool_liquidation"))
    assert rows.height > 0 and (rows["notional_usd"] > 0.0).all()
    portfolios = run.state.portfolios
    assert np.all(portfolios.balance[:, 1:] >= 0.0)
    before = open_state(run.scenario).portfolios.balance[:, CASH]
    assert float(portfolios.balance[run.state.opening["borrowers"], CASH].sum()) > float(before[run.state.opening["borrowers"]].sum()), "debts were repaid"


def test_an_auction_starts_above_the_oracle_and_sells_when_its_price_pays_keepers() -> None:
    state = quiet(*AUCTION, "pool.auction_buffer_frac=0.2")
    state.pending.auctions.clear()
    p = int(fallen(state, "LINK", 0.3)[0])
    a = state.names.assets.index("LINK")
    whole, held = money(state), coins(state, "LINK")
    debt, lot = -float(state.portfolios.balance[p, CASH]), float(state.portfolios.balance[p, a])
    start_auction(state, p)
    (auction,) = state.pending.auctions
    assert auction.top == pytest.approx(1.2 * float(state.prices.oracle[a]))
    assert (auction.lot, auction.tab, auction.reward) == pytest.approx((lot, debt * 1.13, 250.0 + 0.001 * debt * 1.13)) and state.portfolios.status[
        p
    ] == Status.CALLED
    sold_at = None
    for second in range(400):
        before = auction.lot
        state.clock.t_s += 1.0
        run_pool(state)
        if auction.lot < before:
            sold_at = second + 1
            break
    assert sold_at is not None
    price = stair_price(auction.top, sold_at, 0.99, 5.0)
    book = max(math.exp(float(state.books.mid[m])) for m in state.opening["keeper_books"][a])
    assert price < book, "nobody buys above what the coins sell for"
    assert price > 0.85 * book, "somebody buys before it is far below"
    for _ in range(2_000):
        if auction not in state.pending.auctions:
            break
        state.clock.t_s += 1.0
        run_pool(state)
    reserves = float(state.venues.fund_cash[state.names.venues.index("aave")])
    if auction.tab <= 1.0:
        assert -float(state.portfolios.balance[p, CASH]) < 1e-3 * debt and state.portfolios.balance[p, a] == pytest.approx(auction.lot)
    assert auction.reward == 0.0 and reserves > 0.0, "the reward comes out of the penalty, which is larger"
    assert money(state) == pytest.approx(whole, rel=1e-12) and coins(state, "LINK") == pytest.approx(held, rel=1e-12)


def test_auctions_together_raise_no_more_than_the_limit() -> None:
    state = quiet("pool.variant=auction", "pool.auction_limit_usd=1e6", "pool.auction_dust_usd=1")
    for p in fallen(state, "LINK", 0.5):
        start_auction(state, int(p))
    tabs = sum(auction.tab for auction in state.pending.auctions)
    assert state.pending.auctions and tabs <= 1e6 * (1.0 + 1e-12)


def test_an_old_auction_starts_again_at_the_oracle() -> None:
    state = quiet(*AUCTION, "pool.auction_tail_s=60", "pool.keeper_cash_usd=0")
    p = int(fallen(state, "LINK", 0.3)[0])
    start_auction(state, p)
    (auction,) = state.pending.auctions
    a, started = auction.a, auction.start_s
    state.prices.oracle[a] *= 0.5
    for _ in range(70):
        state.clock.t_s += 1.0
        run_pool(state)
    mine = next(one for one in state.pending.auctions if one.p == p)
    assert mine.start_s > started and mine.top == pytest.approx(1.1 * float(state.prices.oracle[a]))


def test_an_absorbed_account_is_credited_and_its_coins_are_sold_at_the_storefront() -> None:
    state = quiet("pool.variant=absorption", "venues[aave].fund_usd=2e7", "pool.absorb_factor_frac=0.95", "pool.storefront_factor_frac=0.8", "pool.gas_usd=0")
    due = fallen(state, "LINK", 0.2)
    v, own = state.names.venues.index("aave"), state.opening["pool_account"]
    a = state.names.assets.index("LINK")
    before, whole, held = state.portfolios.balance.copy(), money(state), coins(state, "LINK")
    reserves, keepers = float(state.venues.fund_cash[v]), float(state.cells.cash[Cell.KEEPER].sum())
    run_pool(state)
    price = float(state.prices.oracle[a])
    kept = debts = 0.0
    for p in map(int, due):
        debt = -before[p, CASH]
        credit = max(0.95 * float(before[p, 1:] @ state.prices.oracle[1:]) - debt, 0.0)
        assert state.portfolios.balance[p, CASH] == pytest.approx(credit, rel=1e-6, abs=1e-3) and np.all(state.portfolios.balance[p, 1:] == 0.0)
        assert state.portfolios.status[p] == Status.CLOSED
        kept, debts = kept + credit, debts + debt
    taken = float(before[due, a].sum())
    sold = taken - float(state.portfolios.balance[own, a])
    assert sold > 0.0, "keepers buy at once: 4 % below the oracle pays"
    assert keepers - float(state.cells.cash[Cell.KEEPER].sum()) == pytest.approx(sold * price * 0.96, rel=1e-9)
    assert float(state.venues.fund_cash[v]) == pytest.approx(reserves - debts - kept + sold * price * 0.96, rel=1e-6)
    assert money(state) == pytest.approx(whole, rel=1e-12) and coins(state, "LINK") == pytest.approx(held, rel=1e-12)


def test_an_absorbed_account_tells_what_consumed_its_slack() -> None:
    run = played(*FALL, *WAYS["absorption"])
    result = assemble(run.scenario, run.state, run.recorder, run.ledger, 0.0)
    rows = result.liquidations.filter((pl.col("venue") == "aave") & (pl.col("stage") == "pool_liquidation") & (pl.col("t_s") > 60))
    assert rows.height > 0 and (rows.select(pl.sum_horizontal(pl.col("^share_.*$"))).to_series() > 0.99).all()


def test_reserves_at_their_target_keep_what_they_absorbed() -> None:
    state = quiet("pool.variant=absorption", "venues[aave].fund_usd=1e9", "pool.reserve_target_usd=1e8")
    due = fallen(state, "LINK", 0.2)
    a, taken = state.names.assets.index("LINK"), None
    taken = float(state.portfolios.balance[due, a].sum())
    run_pool(state)
    assert float(state.portfolios.balance[state.opening["pool_account"], a]) == pytest.approx(taken)


def test_without_keepers_cash_no_way_sells_anything() -> None:
    for way, overrides in WAYS.items():
        state = quiet(*overrides, "pool.keeper_cash_usd=0")
        fallen(state, "LINK", 0.4)
        run_pool(state)
        assert float(state.cells.quantity[Cell.KEEPER].sum()) == 0.0 == float(state.pending.pool[1]), way


def test_the_stories_and_payers_of_every_way_are_told() -> None:
    for way, overrides in WAYS.items():
        run = played(*FALL, *overrides)
        result = assemble(run.scenario, run.state, run.recorder, run.ledger, 0.0)
        assert all(part.adds_up() for part in payers_of(result)), way
        rows = result.liquidations.filter((pl.col("venue") == "aave") & (pl.col("stage") == "pool_liquidation"))
        for account in rows["account"].unique().to_list()[:5]:
            assert "takes" in story_text(story_of(result, str(account))), way


def test_a_liquidation_beyond_the_toxic_line_leaves_less_health() -> None:
    state = quiet("pool.close_all_below=0.2", "pool.bonus_frac=0.2", "pool.gas_usd=0", "pool.keeper_tau_s=0.1", "markets[*].depth_usd*=1000")
    a = state.names.assets.index("LINK")
    due = fallen(state, "LINK", 0.3)
    p = int(due[np.argmin(state.portfolios.equity[due] / -state.portfolios.balance[due, CASH])])
    before = health_of(state, p)
    assert before < 0.8 * 1.2, "threshold 0.8, bonus 20 %: below 0.96 a liquidation takes more margin than debt"
    liquidate_borrower(state, p)
    value_all(state)
    assert 0.0 < health_of(state, p) < before and state.portfolios.balance[p, a] > 0.0


def health_of(state: Any, p: int) -> float:
    return float(state.portfolios.collateral_usd[p] / -state.portfolios.balance[p, CASH])


def test_keepers_buy_what_pays_in_a_thin_book_with_fees_and_gas() -> None:
    for overrides in (
        ("pool.bonus_frac=0.1", "pool.gas_usd=20"),
        ("pool.variant=absorption", "venues[aave].fund_usd=1e7", "pool.absorb_factor_frac=0.85", "pool.gas_usd=20"),
    ):
        state = quiet(*overrides)
        fallen(state, "LINK", 0.22)
        a = state.names.assets.index("LINK")
        state.books.depth_bid_usd[:] = 3e3
        m = keeper_book(state, a)
        assert m is not None
        price = 0.92 * float(state.prices.oracle[a])
        room = most_coins(state, m, price)
        assert pays_off(state, m, room, room * price) and not pays_off(state, m, 3.0 * room, 3.0 * room * price)
        run_pool(state)
        assert float(state.pending.pool[1]) > 0.0, "they bought less than they might, and gained"


def test_no_way_makes_bad_debt_where_collateral_is_enough() -> None:
    for way, overrides in WAYS.items():
        run = played(*FALL, *overrides)
        v = run.state.names.venues.index("aave")
        assert run.state.venues.bad_debt_usd[v] == 0.0 and run.state.pending.pool[2] == 0.0, way
        result = assemble(run.scenario, run.state, run.recorder, run.ledger, 0.0)
        rows = result.liquidations.filter((pl.col("venue") == "aave") & (pl.col("stage") == "pool_liquidation"))
        assert float(rows["notional_usd"].sum()) == pytest.approx(float(run.state.pending.pool[0]), rel=1e-6), way


@pytest.mark.parametrize("reserves", [0.0, 3e4])
def test_reserves_pay_what_they_have_of_a_deficit_and_the_rest_is_bad_debt(reserves: float) -> None:
    state = quiet("pool.variant=absorption", f"venues[aave].fund_usd={reserves}", "pool.keeper_cash_usd=0")
    v, own = state.names.venues.index("aave"), state.opening["pool_account"]
    due = fallen(state, "LINK", 0.6)
    before = state.portfolios.balance.copy()
    used = int(state.rows.used[0])
    run_pool(state)
    cover_funds(state)
    a = state.names.assets.index("LINK")
    missing = math.fsum(-before[p, CASH] - before[p, a] * state.prices.oracle[a] for p in due)
    rows = state.rows.table[used : int(state.rows.used[0])]
    told = {payer: math.fsum(rows[rows[:, R_PAYER] == payer, R_SHORTFALL]) for payer in (Payer.FUND, Payer.NOBODY)}
    assert missing > reserves
    assert told[Payer.FUND] == pytest.approx(reserves, rel=1e-6, abs=1.0) and told[Payer.NOBODY] == pytest.approx(missing - reserves, rel=1e-4)
    assert state.venues.bad_debt_usd[v] == pytest.approx(missing - reserves, rel=1e-4)
    assert float(state.portfolios.balance[own, a]) == pytest.approx(float(before[due, a].sum()))


def test_a_supply_below_the_loans_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"pool\.supplied_usd must be at least"):
        quiet("pool.supplied_usd=1000")
