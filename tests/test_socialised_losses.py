"""Socialised losses: who pays by which rule, never beyond profit or equity, and the waterfall still adds up to the cent."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from small_world import Played, played, scenario
from waxline.accounts.tables import CASH, Cell, Status
from waxline.analysis.payers import payers_of
from waxline.errors import ScenarioError
from waxline.simulation.run import assemble
from waxline.simulation.socialising import share_loss

RUIN = ("shock.news.size=0.35", "markets[*].depth_usd*=0.3", "clock.duration_s=8m", "deleveraging=off", "venues[binance].fund_usd=1e4")


def ruined(rule: str) -> Played:
    return played(*RUIN, f"venues[binance].socialising={rule}")


@pytest.mark.parametrize("rule", ["winners", "positions"])
def test_users_pay_what_no_fund_could(rule: str) -> None:
    run, alone = ruined(rule), ruined("none")
    paid = {part.venue: part for part in payers_of(assemble(run.scenario, run.state, run.recorder, run.ledger, 0.0))}["binance"]
    unpaid = {part.venue: part for part in payers_of(assemble(alone.scenario, alone.state, alone.recorder, alone.ledger, 0.0))}["binance"]
    assert paid.adds_up() and unpaid.adds_up()
    assert unpaid.socialised == 0 < unpaid.bad_debt
    assert paid.socialised > 0 and paid.bad_debt < 0.2 * (paid.socialised + paid.bad_debt)
    v = run.state.names.venues.index("binance")
    assert paid.socialised / 100.0 == pytest.approx(float(run.state.venues.socialised_usd[v]), abs=0.05)
    assert paid.bad_debt / 100.0 == pytest.approx(float(run.state.venues.bad_debt_usd[v]), abs=1.0)
    rows = run.rows.filter(pl.col("stage") == "socialised")
    assert set(rows["account_kind"]) == {"fund"} and set(rows["payer"]) == {"users"} and not rows["counted"].any()
    report = run.ledger.report()
    assert report["max_relative_error"] <= 1e-9 and report["long_short_max"] <= 1e-9


@pytest.mark.parametrize("rule", ["winners", "positions"])
@pytest.mark.parametrize("part", [0.01, 0.6, 50.0])
def test_shares_are_those_of_the_plain_rule(rule: str, part: float) -> None:
    state = ruined(rule).state
    traders, portfolios, mark = state.traders, state.portfolios, state.prices.mark
    v = state.names.venues.index("binance")
    mine = [m for m in range(mark.size) if state.markets.perp[m] and state.markets.venue[m] == v]
    entries: list[tuple[tuple[str, int, int], float, float, float]] = []  # whose, profit, value, most he can pay
    for i in range(traders.market.size):
        if traders.market[i] in mine and traders.quantity[i] != 0.0 and traders.status[i] < Status.LIQUIDATING:
            at = mark[traders.market[i]]
            gain = traders.quantity[i] * at - traders.cost[i]
            entries.append((("trader", i, 0), max(gain, 0.0), abs(traders.quantity[i]) * at, max(traders.cash[i] + gain, 0.0)))
    for k in range(Cell.COUNT):
        for m in mine:
            q = state.cells.quantity[k, m]
            if k != Cell.FUND and q != 0.0:
                entries.append((("cell", k, m), max(q * mark[m] - state.cells.cost[k, m], 0.0), abs(q) * mark[m], abs(q) * mark[m]))
    for p in range(portfolios.venue.size):
        held = [m for m in mine if portfolios.position[p, m] != 0.0]
        for m in held if portfolios.status[p] < Status.LIQUIDATING else []:
            q = portfolios.position[p, m]
            entries.append((("portfolio", p, m), max(q * mark[m] - portfolios.cost[p, m], 0.0), abs(q) * mark[m], max(portfolios.equity[p], 0.0) / len(held)))
    whole = math.fsum(gain if rule == "winners" else value for _, gain, value, _ in entries)
    loss = part * math.fsum(gain for _, gain, _, _ in entries)
    due = {who: min(loss * (gain if rule == "winners" else value) / whole, most, *([gain] if rule == "winners" else [])) for who, gain, value, most in entries}
    before = traders.cash.copy(), state.cells.cash.copy(), portfolios.balance.copy(), float(state.pending.outside[CASH])
    taken = share_loss(state, v, loss)
    assert taken == pytest.approx(math.fsum(due.values()), rel=1e-9) and taken <= loss * (1.0 + 1e-12)
    assert float(state.pending.outside[CASH]) - before[3] == pytest.approx(taken, rel=1e-6)
    for who, amount in due.items():
        table, was = {"trader": (traders.cash, before[0]), "cell": (state.cells.cash, before[1]), "portfolio": (portfolios.balance, before[2])}[who[0]]
        if who[0] != "portfolio":
            place = who[1] if who[0] == "trader" else (who[1], who[2])
            assert was[place] - table[place] == pytest.approx(amount, rel=1e-6, abs=1e-3)
    for p in range(portfolios.venue.size):
        amount = math.fsum(usd for who, usd in due.items() if who[:2] == ("portfolio", p))
        assert before[2][p, CASH] - portfolios.balance[p, CASH] == pytest.approx(amount, rel=1e-6, abs=1e-3)
    for array, was in zip((traders.cash, state.cells.cash, portfolios.balance), before, strict=False):
        np.copyto(array, was)
    state.pending.outside[CASH] = before[3]


def test_a_venue_without_perps_shares_nothing() -> None:
    with pytest.raises(ScenarioError, match=r"venues\[coinbase\].socialising.*perp"):
        scenario("venues[coinbase].socialising=winners")
