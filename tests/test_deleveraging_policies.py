"""Policies of deleveraging: what is taken is what is wanted, nobody gives more than he has, rows have no order, and each keeps its promise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waxline.liquidation.assigning import Winners, order_and_most
from waxline.liquidation.rules_deleveraging_policies import (
    POLICIES,
    RANKS,
    Winner,
    by_rank,
    closed_at,
    loss_of_winner,
    smallest_part,
    smallest_part_in_lots,
    without_ranking,
)

MARK = Fraction(100)
ABC = [
    # number side coins entry equity maintenance cap
    Winner(1, -1, Fraction(10), Fraction(125), Fraction(500), Fraction(20), Fraction(1, 2)),
    Winner(2, -1, Fraction(4), Fraction(110), Fraction(80), Fraction(8), Fraction(1)),
    Winner(3, -1, Fraction(6), Fraction(200), Fraction(6000), Fraction(12), Fraction(1)),
]


def closed(name: str, wanted: float) -> list[float]:
    return [float(coins) for coins in POLICIES[name](ABC, MARK, Fraction(wanted))]


def test_each_policy_takes_from_whom_it_says() -> None:
    # profit share .2, 1/11, .5; leverage 2, 5, .1; profit 250, 40, 600: BitMEX .4, .4545, .05
    assert closed("profit_times_leverage", 5) == [1.0, 4.0, 0.0]
    # wallets 250, 40, 5400; margin use .04, .1, .002: Binance .04, .1, .00022
    assert closed("profit_times_margin", 5) == [1.0, 4.0, 0.0]
    # profit share over level: .2 * .04, .0909 * .1, .5 * .002
    assert closed("profit_over_level", 5) == [1.0, 4.0, 0.0]
    # entry over mark 1.25, 1.1, 2 times leverage: 2.5, 5.5, .2
    assert closed("price_times_leverage", 5) == [1.0, 4.0, 0.0]
    assert closed("unranked", 12) == [10.0, 2.0, 0.0]
    assert closed("pro_rata", 5) == [2.5, 1.0, 1.5]
    assert closed("capped", 14) == [5.0, 3.6, 5.4]
    # coins times leverage 20, 20, 0.6: the second is closed whole, the rest goes 20 to 0.6
    assert closed("risk_weighted", 9) == pytest.approx([5 * 20 / 20.6, 4.0, 5 * 0.6 / 20.6])
    # notional per equity alike: 500, 80, 6000
    assert closed("smallest_part", 6.58) == pytest.approx([0.5, 0.08, 6.0])


def test_the_ranks_of_the_venues_differ() -> None:
    # A large leverage with a small profit against a small leverage with a large profit.
    keen = Winner(1, 1, 10.0, 99.0, 20.0, 5.0)
    rich = Winner(2, 1, 10.0, 50.0, 4000.0, 5.0)
    first = {name: max((keen, rich), key=lambda one: rank(one, 100.0)).number for name, rank in RANKS.items()}
    assert first == {"profit_times_leverage": 1, "profit_times_margin": 1, "profit_over_level": 1, "price_times_leverage": 1}
    slack = Winner(3, 1, 10.0, 60.0, 900.0, 1.0)
    tight = Winner(4, 1, 10.0, 90.0, 450.0, 90.0)
    first = {name: max((slack, tight), key=lambda one: rank(one, 100.0)).number for name, rank in RANKS.items()}
    assert first == {"profit_times_leverage": 3, "profit_times_margin": 4, "profit_over_level": 4, "price_times_leverage": 4}


def test_equal_ranks_are_served_by_the_smaller_number_and_an_unranked_queue_begins_where_it_is_told() -> None:
    twins = [Winner(number, 1, 2, 50, 100) for number in (7, 3, 5)]
    for name in RANKS:
        assert POLICIES[name](twins, 100, 3) == [0, 2, 1]
    assert [without_ranking(start)(twins, 100, 3) for start in (0, 4, 6, 8)] == [[0, 2, 1], [1, 0, 2], [2, 1, 0], [0, 2, 1]]


def test_a_losing_position_ranks_behind_every_winning_one() -> None:
    rows = [Winner(1, 1, 5.0, 120.0, 10.0), Winner(2, 1, 5.0, 99.9, 5000.0)]
    for name in ("profit_times_leverage", "profit_times_margin"):
        rank = RANKS[name]
        assert rank(rows[0], 100.0) <= rank(rows[1], 100.0), name
    assert by_rank(RANKS["profit_times_leverage"])(rows, 100.0, 5.0) == [0.0, 5.0]


def test_winners_are_closed_at_the_price_of_the_rule_and_lose_the_difference_to_the_mark() -> None:
    assert [closed_at(rule, 90.0, 95.0, 91.0) for rule in ("mark", "bankruptcy", "previous_mark")] == [90.0, 95.0, 91.0]
    short, long = Winner(1, -1, 4.0, 120.0, 100.0), Winner(2, 1, 4.0, 80.0, 100.0)
    assert loss_of_winner(short, 2.0, 90.0, 95.0) == 10.0 and loss_of_winner(short, 2.0, 90.0, 85.0) == 0.0
    assert loss_of_winner(long, 2.0, 90.0, 85.0) == 10.0 and loss_of_winner(long, 2.0, 90.0, 90.0) == 0.0


whole = st.integers(1, 2500).map(lambda n: Fraction(n, 50))
ROWS = st.lists(st.tuples(st.sampled_from([-1, 1]), whole, whole, whole, whole, st.integers(0, 8).map(lambda n: Fraction(n, 8))), min_size=1, max_size=5)


def winners_of(rows: Sequence[tuple[Any, ...]], convert: type) -> list[Winner]:
    """Return winners whose numbers do not follow their rows; each is in profit at 100."""
    count = len(rows)
    return [
        Winner((5 * n) % count if count % 5 else (3 * n) % count if count % 3 else n, side, convert(coins), convert(100 - side * gain), *map(convert, rest))
        for n, (side, coins, gain, *rest) in enumerate(rows)
    ]


def keeps_its_promises(name: str, rows: Sequence[tuple[Any, ...]], part: Fraction, turn: int) -> None:
    """Check one policy on one book: exact conservation, bounds, order of rows, scale; in fractions exactly and in floats."""
    policy = POLICIES[name]
    for convert in (Fraction, float):
        winners = winners_of(rows, convert)
        assert len({winner.number for winner in winners}) == len(winners)
        most = [winner.quantity * (winner.cap if name == "capped" else 1) for winner in winners]
        wanted = convert(part) * sum(most)
        coins = policy(winners, convert(100), wanted)
        assert all(0 <= gave <= had for gave, had in zip(coins, most, strict=True))
        if convert is Fraction:
            assert sum(coins) == min(wanted, sum(most))
            continue
        assert math.fsum(coins) == pytest.approx(min(wanted, math.fsum(most)), rel=4e-16, abs=1e-300)
        turn %= len(winners)
        assert policy(winners[turn:] + winners[:turn], convert(100), wanted) == coins[turn:] + coins[:turn], "rows have no order, to the last bit"
        doubled = [winner._replace(quantity=2 * winner.quantity, equity=2 * winner.equity, maintenance=2 * winner.maintenance) for winner in winners]
        if name != "profit_times_margin":
            # Binance's floor of one USD under the wallet is no part of the scale.
            assert policy(doubled, convert(100), 2 * wanted) == [2 * gave for gave in coins], "doubling sizes doubles what is taken"


PARTS = st.integers(0, 48).map(lambda n: Fraction(n, 40))


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=15)
@given(ROWS, PARTS, st.integers(0, 6))
def test_whatever_the_policy_what_is_taken_is_what_is_wanted(name: str, rows: list[tuple[Any, ...]], part: Fraction, turn: int) -> None:
    keeps_its_promises(name, rows, part, turn)


@pytest.mark.slow
@settings(max_examples=20_000)
@given(st.sampled_from(sorted(POLICIES)), ROWS, PARTS, st.integers(0, 6))
def test_whatever_the_policy_what_is_taken_is_what_is_wanted_in_many_books(name: str, rows: list[tuple[Any, ...]], part: Fraction, turn: int) -> None:
    keeps_its_promises(name, rows, part, turn)


@given(ROWS, PARTS)
def test_no_other_assignment_has_a_smaller_largest_part_of_equity(rows: list[tuple[Any, ...]], part: Fraction) -> None:
    winners = winners_of(rows, Fraction)
    wanted = part * sum(winner.quantity for winner in winners)
    coins = smallest_part(winners, 100, wanted)
    worst = max(gave / winner.equity for gave, winner in zip(coins, winners, strict=True))
    # Whoever gives less than the worst part has nothing left, so that nothing can be moved from the worst to him.
    assert all(gave == winner.quantity for gave, winner in zip(coins, winners, strict=True) if gave / winner.equity < worst)


@given(st.lists(st.tuples(st.integers(1, 4), whole), min_size=1, max_size=4), st.integers(0, 12))
def test_whole_contracts_are_assigned_as_well_as_by_trying_all_assignments(rows: list[tuple[int, Fraction]], wanted: int) -> None:
    winners = [Winner(n, 1, coins, Fraction(50), equity) for n, (coins, equity) in enumerate(rows)]
    found = smallest_part_in_lots(winners, MARK, wanted)
    target = min(wanted, sum(coins for coins, _ in rows))
    assert sum(found) == target and all(0 <= gave <= coins for gave, (coins, _) in zip(found, rows, strict=True))

    def worst(coins: Sequence[int]) -> Fraction:
        return max(gave / equity for gave, (_, equity) in zip(coins, rows, strict=True))

    tried = [coins for coins in itertools.product(*(range(most + 1) for most, _ in rows)) if sum(coins) == target]
    assert worst(found) == min(map(worst, tried))


@pytest.mark.parametrize("name", POLICIES)
@settings(max_examples=25)
@given(ROWS, PARTS, st.sampled_from([-1, 1]))
def test_policies_on_columns_are_those_on_rows(name: str, rows: list[tuple[Any, ...]], part: Fraction, side: int) -> None:
    winners = [winner._replace(side=side, entry=100.0 - side * abs(100.0 - winner.entry), cap=0.5) for winner in winners_of(rows, float)]
    winners = [winner._replace(number=n, equity=winner.equity + winner.profit(100.0)) for n, winner in enumerate(winners)]
    wanted = float(part) * math.fsum(winner.quantity for winner in winners)
    columns = Winners(
        *(
            np.array(column)
            for column in zip(
                *((one.quantity, one.profit(100.0), one.quantity * one.entry, one.equity, one.maintenance) for one in winners),
                strict=True,
            )
        )
    )
    order, most = order_and_most(name, side, 100.0, columns, wanted, 0.5, 0.0)
    assert sorted(order.tolist()) == list(range(len(winners)))
    taken, left = np.zeros(len(winners)), wanted
    for n, bound in zip(order, most, strict=True):
        taken[n] = min(bound, left)
        left -= taken[n]
    assert taken == pytest.approx(POLICIES[name](winners, 100.0, wanted), rel=1e-9, abs=1e-9)


def test_an_unranked_queue_on_columns_begins_at_the_drawn_place() -> None:
    columns = Winners(*(np.ones(4) for _ in range(5)))
    assert [order_and_most("unranked", 1, 100.0, columns, 1.0, 1.0, start)[0][0] for start in (0.0, 0.3, 0.6, 0.999)] == [0, 1, 2, 3]


def test_risk_weights_reproduce_the_published_shares_of_the_book_of_five_positions() -> None:
    equity, coins = [1.2613333, 5.6213333, 0.8396768], [1.0, 4.0, 1.0]
    winners = [Winner(n, 1, size, 1.0, own) for n, (size, own) in enumerate(zip(coins, equity, strict=True))]
    taken = POLICIES["risk_weighted"](winners, 1.3, 0.705404)
    assert [gave / 0.705404 for gave in taken] == pytest.approx([0.1641, 0.5893, 0.2466], abs=5e-5)
