"""Laws of settling and of deleveraging over random books: who pays adds up, funds stay whole, positions pair up, scale and order mean nothing."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from close_rules import ONE_TIER, close_rules
from waxline.accounts.tables import Status, Traders
from waxline.liquidation.assigning import Winners, order_and_most
from waxline.liquidation.kernels import NOT_WATCHED, PERP_LIQUIDATION, add_order, close_winners, trigger_traders
from waxline.liquidation.parameters import DeleveragingRule
from waxline.liquidation.settling import SMALL_USD, settle_orders
from waxline.liquidation.tables import R_NOTIONAL, R_PAYER, R_SHARES, R_SHORTFALL, R_STAGE, Payer, Stage
from waxline.market.tables import O_CASH, O_LEFT, O_ROW_CASH, O_ROW_FILLED, O_SHARES
from waxline.results.schema import N_CAUSES

MARK = 100.0
DEBTOR = st.tuples(
    st.sampled_from([-1, 1]),
    st.sampled_from([200.0, 500.0, 3000.0]),
    st.floats(0.7, 1.3),
    st.floats(-0.3, 0.3),
    st.sampled_from([0.0, 0.3, 0.9, 1.0, 1.0]),
    st.sampled_from([1.0, 1.0, 0.2, 0.6]),
)
"""Side, coins, entry over mark, cash over notional at the mark, part of the order that the book has filled already, part of the position ordered."""


class Settled(NamedTuple):
    """Hold a settled book: traders, the fund's cell (quantity, cost, cash), the fund, bad debt, rows."""

    traders: Traders
    cell: tuple[float, float, float]
    fund: float
    bad_debt: float
    rows: NDArray[np.float64]


def settled(book: list[tuple[Any, ...]], fund: float, fee: float, vault: bool, steps: int, scale: float = 1.0) -> Settled:
    """Put one forced order per debtor into one perp and follow them up for some steps at a constant mark."""
    count = len(book)
    side, coins, entry, cash, closed, ordered = (np.array(column, dtype=np.float64) for column in zip(*book, strict=True))
    coins = coins * scale
    done = coins * ordered * np.where(closed > 0.99, 1.0, closed)
    held = np.where(done == coins, 0.0, coins - done)
    traders = Traders(
        market=np.zeros(count, np.int64), quantity=side * held, cost=side * held * entry * MARK, cash=cash * coins * MARK, rate=np.full(count, 0.05),
        deduction=np.zeros(count), status=np.full(count, Status.LIQUIDATING), order=np.full(count, -1), first_trigger_s=np.zeros(count),
        liquidated_usd=np.zeros(count), negative_usd=np.zeros(count), next_watched=np.full(count, -2), whole_until_s=np.full(count, -np.inf),
    )  # fmt: skip
    table, link, head, used = np.zeros((count, O_SHARES + N_CAUSES)), np.full(count, -1), np.full(1, -1), np.zeros(2, np.int64)
    for i in range(count):
        n = add_order(table, link, head, used, i, 0, int(-side[i]), coins[i] * ordered[i], 0.0, PERP_LIQUIDATION, 1.0, 0.0, 0.0, np.zeros(N_CAUSES))
        left = held[i] if ordered[i] == 1.0 else coins[i] * ordered[i] - done[i]
        table[n, O_LEFT], table[n, O_ROW_FILLED], table[n, O_ROW_CASH], table[n, O_CASH] = left, done[i], done[i] * MARK, done[i] * MARK
        traders.order[i] = n
    rows, filled = np.zeros((40 * count + 40, R_SHARES + N_CAUSES)), np.zeros(2, np.int64)
    quantity, cost, money = np.zeros(1), np.zeros(1), np.zeros(1)
    funds, debts = np.array([fund * scale]), np.zeros(1)
    for step in range(steps):
        settle_orders(
            table, link, head, rows, filled, np.array([True]), np.zeros(1, np.int64), np.array([MARK]), traders, quantity, cost, money, np.zeros(1), np.zeros(1, np.int64), funds, debts,
            np.array([int(vault)]), np.array([0.667 if vault else 0.0]), 0.3, np.full(1, -1), close_rules(fee_frac=fee), *ONE_TIER, step, 1.0, step == steps - 1,
        )  # fmt: skip
        assert funds[0] >= 0.0, "the fund is never negative"
    assert filled[1] == 0
    return Settled(traders, (float(quantity[0]), float(cost[0]), float(money[0])), float(funds[0]), float(debts[0]), rows[: filled[0]])


def ledger(state: Settled) -> float:
    """Return what never changes: cash less cost of all, and the fund."""
    return math.fsum([*(state.traders.cash - state.traders.cost), state.cell[2] - state.cell[1], state.fund])


def paid(state: Settled, payer: int) -> float:
    return math.fsum(state.rows[state.rows[:, R_PAYER] == payer, R_SHORTFALL])


def obeys(book: list[tuple[Any, ...]], fund: float, fee: float, vault: bool, steps: int) -> None:
    """Check one book: money and coins are kept, payers add up, scale and the order of rows mean nothing."""
    before, after = settled(book, fund, fee, vault, 0), settled(book, fund, fee, vault, steps)
    size = 1.0 + fund + float(np.sum(np.abs(before.traders.cash)) + np.sum(np.abs(before.traders.cost)))
    assert ledger(after) == pytest.approx(ledger(before), abs=1e-12 * size)
    assert float(np.sum(after.traders.quantity)) + after.cell[0] == pytest.approx(float(np.sum(before.traders.quantity)), abs=1e-12 * size), (
        "longs equal shorts"
    )
    shortfall = math.fsum(after.rows[:, R_SHORTFALL])
    assert shortfall == pytest.approx(paid(after, Payer.FUND) + paid(after, Payer.VAULT) + paid(after, Payer.NOBODY), rel=1e-15)
    assert np.all((after.rows[:, R_SHORTFALL] > 0.0) == (after.rows[:, R_PAYER] >= 0))
    lacking = after.rows[np.isin(after.rows[:, R_STAGE], (Stage.PAYMENT, Stage.BAD_DEBT))]
    assert paid(after, Payer.NOBODY) == pytest.approx(after.bad_debt, rel=1e-12, abs=1e-12 * size)
    by_vault = paid(after, Payer.VAULT)
    assert math.fsum(lacking[:, R_SHORTFALL]) + by_vault == pytest.approx(float(after.traders.negative_usd.sum()), rel=1e-12, abs=1e-12 * size)
    # Remainders below SMALL_USD are taken over at once: sizes at which a twentieth of every order is more know no such amount.
    large = 20.0 * SMALL_USD / (MARK * min(coins * ordered for _, coins, _, _, _, ordered in book))
    single, double = (settled(book, fund, fee, vault, steps, scale=scale) for scale in (large, 2.0 * large))
    assert double.rows[:, [R_NOTIONAL, R_SHORTFALL]] == pytest.approx(2.0 * single.rows[:, [R_NOTIONAL, R_SHORTFALL]], rel=1e-12, abs=1e-12 * large * size)
    assert (double.fund, double.bad_debt) == pytest.approx((2.0 * single.fund, 2.0 * single.bad_debt), rel=1e-12, abs=1e-12 * large * size), (
        "twice the size, twice the money"
    )
    turned = settled(book[::-1], fund, 0.0, vault, steps)
    straight = settled(book, fund, 0.0, vault, steps)
    assert (turned.fund, turned.bad_debt, turned.cell[0]) == pytest.approx((straight.fund, straight.bad_debt, straight.cell[0]), rel=1e-9, abs=1e-12 * size)
    assert turned.traders.quantity[::-1] == pytest.approx(straight.traders.quantity, rel=1e-12, abs=1e-12)


BOOKS = st.lists(DEBTOR, min_size=1, max_size=6)
FUNDS = st.sampled_from([0.0, 1e3, 1e5, 1e8])


@settings(max_examples=60)
@given(BOOKS, FUNDS, st.sampled_from([0.0, 0.005]), st.booleans(), st.integers(1, 12))
def test_settling_obeys_the_laws(book: list[tuple[Any, ...]], fund: float, fee: float, vault: bool, steps: int) -> None:
    obeys(book, fund, fee, vault, steps)


@pytest.mark.slow
@settings(max_examples=20_000)
@given(BOOKS, FUNDS, st.sampled_from([0.0, 0.005]), st.booleans(), st.integers(1, 12))
def test_settling_obeys_the_laws_in_many_books(book: list[tuple[Any, ...]], fund: float, fee: float, vault: bool, steps: int) -> None:
    obeys(book, fund, fee, vault, steps)


HOLDER = st.tuples(
    st.sampled_from([-1, 0, 1]), st.sampled_from([0.5, 3.0, 200.0]), st.floats(0.7, 1.3), st.sampled_from([-2.0, 0.0, 0.6, 0.9, 0.999, 1.0, 1.001, 1.5, 9.0]),
    st.sampled_from([0.005, 0.05]), st.sampled_from([Status.HEALTHY, Status.HEALTHY, Status.CALLED, Status.LIQUIDATING, Status.CLOSED]),
)  # fmt: skip
"""Side (0: no position), coins, entry over mark, equity over maintenance, maintenance rate, status."""


def triggers(book: list[tuple[Any, ...]], turn: int) -> None:
    """Check one book: exactly those at their line are liquidated, judged by one snapshot, whatever the order in which they are looked at."""
    count = len(book)
    side, coins, entry, level, rate, status = (np.array(column, dtype=np.float64) for column in zip(*book, strict=True))
    quantity, cost = side * coins, side * coins * entry * MARK
    money = level * rate * coins * MARK - quantity * MARK + cost
    equity, needed = money + quantity * MARK - cost, np.abs(quantity) * MARK * rate
    after: list[list[tuple[float, ...]]] = []
    for found in (np.arange(count), np.roll(np.arange(count), turn)[::-1]):
        now, order, first = status.astype(np.int64), np.full(count, -1), np.full(count, np.nan)
        zero = np.zeros(count)
        traders = Traders(
            np.zeros(count, np.int64), quantity, cost, money, rate, zero, now, order, first, zero, zero, np.full(count, NOT_WATCHED), np.full(count, -np.inf)
        )
        table, link, head, used = np.zeros((count, O_SHARES + N_CAUSES)), np.full(count, -1), np.full(1, -1), np.zeros(2, np.int64)
        flat = np.zeros((1, N_CAUSES))
        triggered = trigger_traders(
            found.copy(), count, False, np.zeros(1, np.int64), traders, np.full(1, -1), np.full(1, MARK), flat, flat, flat, flat, flat, table, link, head, used,
            np.zeros(N_CAUSES), 7, close_rules(), *ONE_TIER[:2],
        )  # fmt: skip
        free = (status < Status.LIQUIDATING) & (quantity != 0.0)
        must_go = free & (equity <= needed)
        assert np.array_equal(now == Status.LIQUIDATING, must_go | (status == Status.LIQUIDATING)), "healthy ones stay, all at their line go"
        assert triggered == must_go.sum() == used[0] and np.array_equal(np.isfinite(first), must_go)
        assert np.array_equal(order >= 0, must_go)
        assert table[order[must_go], O_LEFT] == pytest.approx(np.abs(quantity[must_go]), rel=1e-15), "the whole position waits for the book"
        after.append(sorted(map(tuple, table[: used[0]].tolist())))
    assert after[0] == after[1], "orders do not depend on the order of rows"


@settings(max_examples=60)
@given(st.lists(HOLDER, min_size=1, max_size=8), st.integers(0, 7))
def test_all_at_their_line_are_liquidated_and_nobody_else(book: list[tuple[Any, ...]], turn: int) -> None:
    triggers(book, turn)


@pytest.mark.slow
@settings(max_examples=20_000)
@given(st.lists(HOLDER, min_size=1, max_size=8), st.integers(0, 7))
def test_all_at_their_line_are_liquidated_and_nobody_else_in_many_books(book: list[tuple[Any, ...]], turn: int) -> None:
    triggers(book, turn)


WINNER = st.tuples(st.sampled_from([1.0, 2.5, 40.0]), st.floats(0.01, 0.9), st.floats(0.02, 5.0))
"""Coins, profit over the mark, account value over notional."""
RULES = [rule.value for rule in DeleveragingRule if rule is not DeleveragingRule.NONE]


def closes(rule: str, side: int, rows: list[tuple[float, float, float]], part: float, away: float, start: float, scale: float = 1.0) -> tuple[Any, ...]:
    """Close winners of a fund that holds `side` coins against them, at a price `away` from the mark against them; return what each and the fund hold then."""
    coins, gain, own = (np.array(column) for column in zip(*rows, strict=True))
    coins = coins * scale
    entry = MARK * (1.0 + side * gain)
    equity = own * coins * MARK
    quantity, cost = -side * coins, -side * coins * entry
    cash = equity - (quantity * MARK - cost)
    wanted = part * float(coins.sum())
    order, most = order_and_most(rule, -side, MARK, Winners(coins, coins * MARK * gain, coins * entry, equity, 0.05 * coins * MARK), wanted, 0.5, start)
    room = equity[order] / coins[order]
    price = MARK + np.clip(np.full(coins.size, side * away * MARK), -room, room)
    fund_q, fund_c, fund_m = np.full((1, 1), side * 2.0 * float(coins.sum())), np.full((1, 1), side * 2.0 * float(coins.sum()) * MARK), np.zeros((1, 1))
    closed, profit = np.zeros(coins.size), np.zeros(coins.size)
    none = np.zeros((0, 1))
    before = math.fsum([*(cash - cost), float(fund_m[0, 0] - fund_c[0, 0])])
    done = close_winners(0, wanted, side, MARK, order, most, price, quantity, cost, cash, fund_q, fund_c, fund_m, 0, none, none, none, closed, profit)
    after = math.fsum([*(cash - cost), float(fund_m[0, 0] - fund_c[0, 0])])
    size = float(np.abs(cash).sum() + np.abs(cost).sum() + abs(fund_c[0, 0]))
    assert after == pytest.approx(before, abs=1e-11 * size)
    assert float(quantity.sum() + fund_q[0, 0]) == pytest.approx(side * float(coins.sum()), rel=1e-12), "longs equal shorts"
    bound = 0.5 * coins.sum() if rule == "capped" else coins.sum()
    assert closed[:done].sum() == pytest.approx(min(wanted, bound), rel=1e-9, abs=1e-9 * scale)
    assert np.all(closed[:done] <= coins[order[:done]] * (1.0 + 1e-12))
    assert np.all(cash + quantity * MARK - cost >= -1e-9 * size), "nobody's account falls below zero by being closed"
    borne = float(np.sum(closed[:done] * np.maximum(side * (price[:done] - MARK), 0.0)))
    lost = equity.sum() - float(np.sum(cash + quantity * MARK - cost))
    assert lost == pytest.approx(borne, rel=1e-9, abs=1e-11 * size), "winners lose what the record says they bear"
    return quantity, borne


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=20)
@given(st.sampled_from([-1, 1]), st.lists(WINNER, min_size=1, max_size=6), st.floats(0.0, 1.2), st.floats(0.0, 0.5), st.floats(0.0, 0.999))
def test_deleveraging_obeys_the_laws(rule: str, side: int, rows: list[tuple[float, float, float]], part: float, away: float, start: float) -> None:
    quantity, borne = closes(rule, side, rows, part, away, start)
    twice, double = closes(rule, side, rows, part, away, start, scale=2.0)
    if rule != "profit_times_margin":
        assert twice == pytest.approx(2.0 * quantity, rel=1e-9, abs=1e-9) and double == pytest.approx(2.0 * borne, rel=1e-9, abs=1e-6)


@pytest.mark.slow
@settings(max_examples=20_000)
@given(
    st.sampled_from(RULES), st.sampled_from([-1, 1]), st.lists(WINNER, min_size=1, max_size=6), st.floats(0.0, 1.2), st.floats(0.0, 0.5), st.floats(0.0, 0.999)
)
def test_deleveraging_obeys_the_laws_in_many_books(
    rule: str, side: int, rows: list[tuple[float, float, float]], part: float, away: float, start: float
) -> None:
    closes(rule, side, rows, part, away, start)
