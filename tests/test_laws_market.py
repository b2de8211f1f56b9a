"""Laws of clearing one market: nothing is made or lost, limits hold, nobody is favoured, no book gives a price that is none."""

from __future__ import annotations

import math
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_books import ENTRIES, LEVEL_MID, Entries, Ladders, book_showing, ladders, markets, plain_book, plain_orders
from waxline.market.kernels import NO_LEVEL, bounded_mid
from waxline.market.tables import ASK, BID
from waxline.simulation.clearing import E_LIMIT, E_QUANTITY

few = settings(max_examples=60)


def near(value: object) -> object:
    return pytest.approx(value, rel=1e-9, abs=1e-11, nan_ok=True)


def middle(book: Ladders, last: float) -> float:
    """Return the log mid of a book."""
    bid, ask = (NO_LEVEL if level is None else level for level in (book.best(BID), book.best(ASK)))
    return bounded_mid(bid, ask, book.grid, last)


def clear(book: Ladders, orders: Entries) -> None:
    """Clear one market as the simulation does: crossing quotes, opposing orders, then both sides of the ladder."""
    book.cross()
    orders.net(middle(book, LEVEL_MID * book.grid))
    for row in range(2):
        orders.walk(row, book)


def shuffled(orders: Entries, places: list[list[int]]) -> Entries:
    """Return the same orders in other places."""
    other = deepcopy(orders)
    for row in range(2):
        for new, old in enumerate(places[row]):
            other.entries[row, :, new] = orders.entries[row, :, old]
            other.cause[row, new] = orders.cause[row, old]
    return other


@few
@given(markets(), st.randoms(use_true_random=False))
def test_fills_do_not_depend_on_the_order_of_market_orders(market: tuple[Ladders, Entries], shuffle: object) -> None:
    book, orders = market
    places = [list(range(int(count))) for count in orders.counts]
    for row in places:
        shuffle.shuffle(row)  # type: ignore[attr-defined]
    other_book, other = deepcopy(book), shuffled(orders, places)
    clear(book, orders)
    clear(other_book, other)
    for row in range(2):
        assert other.filled(row) == near(orders.filled(row)[places[row]])
        assert other.cash(row) == near(orders.cash(row)[places[row]])
    assert other_book.posted == near(book.posted)
    assert other_book.owner == near(book.owner)
    assert other.charge == near(orders.charge)


@few
@given(markets(), st.permutations([0, 1, 2]))
def test_fills_do_not_depend_on_the_order_of_makers(market: tuple[Ladders, Entries], places: list[int]) -> None:
    book, orders = market
    order = [*(s for s in places if s < book.owners - 1), book.owners - 1]
    other_book, other = deepcopy(book), deepcopy(orders)
    for name in ("base", "scale", "eaten", "left"):
        getattr(other_book, name)[:] = getattr(book, name)[:, order]
    clear(book, orders)
    clear(other_book, other)
    assert other_book.owner == near(book.owner[:, order])
    assert other_book.posted == near(book.posted[order])
    for row in range(2):
        assert other.filled(row) == near(orders.filled(row))


@few
@given(markets())
def test_sellers_and_buyers_are_treated_alike(market: tuple[Ladders, Entries]) -> None:
    book, orders = market
    mirror, other = deepcopy(book), deepcopy(orders)
    mirror.base[:] = 2 * LEVEL_MID - book.base[..., ::-1]
    for name in ("scale", "eaten", "left"):
        getattr(mirror, name)[:] = getattr(book, name)[:, :, ::-1]
    other.entries[:], other.cause[:], other.counts[:] = orders.entries[::-1], orders.cause[::-1], orders.counts[::-1]
    other.entries[:, E_LIMIT] = (2 * LEVEL_MID - np.round(other.entries[:, E_LIMIT] / book.grid)) * book.grid
    clear(book, orders)
    clear(mirror, other)
    for row in range(2):
        assert other.filled(1 - row) == near(orders.filled(row))
    assert mirror.owner[[2, 0]] == near(book.owner[[0, 2]])
    assert mirror.posted == near(book.posted[:, ::-1])
    assert other.charge == near(-orders.charge)


@few
@given(markets())
def test_clearing_makes_and_loses_neither_coins_nor_usd(market: tuple[Ladders, Entries]) -> None:
    book, orders = market
    shown = book.posted.sum(axis=2) + book.owner[[0, 2]].T
    wanted = [orders.entries[row, E_QUANTITY].sum() for row in range(2)]
    clear(book, orders)
    sold = orders.filled(0).sum() + book.owner[2].sum()
    bought = orders.filled(1).sum() + book.owner[0].sum()
    assert sold == near(bought)
    assert orders.cash(0).sum() + book.owner[3].sum() == near(orders.cash(1).sum() + book.owner[1].sum())
    assert book.coins() == near(shown), "what an owner traded is what left its quotes"
    assert book.posted.min() >= 0.0
    for row in range(2):
        assert orders.filled(row).sum() <= wanted[row] * (1.0 + 1e-12)


@few
@given(ladders())
def test_matching_quotes_makes_and_loses_nothing_and_leaves_no_crossed_book(book: Ladders) -> None:
    shown = book.coins()
    traded, lowest, highest = book.cross()
    bought, paid, sold, received = book.owner.sum(axis=1)
    assert (bought, paid) == near((sold, received))
    assert bought == near(traded)
    assert book.coins() == near(shown)
    assert traded == 0.0 or lowest <= highest
    bid, ask = book.best(BID), book.best(ASK)
    assert bid is None or ask is None or bid < ask


@settings(max_examples=200)
@given(ladders(crossed=False), st.lists(st.tuples(st.floats(-6.0, 15.0), st.integers(-3, 25)), min_size=1, max_size=5), st.integers(0, 1))
def test_what_owners_gave_is_what_takers_got_however_large_an_order(book: Ladders, asked: list[tuple[float, int]], row: int) -> None:
    sign = (-1, 1)[row]
    orders = Entries(np.zeros((2, 5, ENTRIES)), np.zeros((2, ENTRIES), np.int64), np.zeros(2, np.int64), np.zeros(16), np.zeros(16))
    for i, (power, far) in enumerate(asked):
        orders.entries[row, E_QUANTITY, i] = 10.0**power
        orders.entries[row, E_LIMIT, i] = sign * math.inf if far > 20 else (LEVEL_MID + sign * far) * book.grid
    orders.counts[row] = len(asked)
    wanted, told, plain = orders.entries[row, E_QUANTITY, : len(asked)].copy(), plain_orders(orders, row), plain_book(book)
    plain.walk(sign, told)
    traded, _, _, _ = orders.walk(row, book)
    filled, cash = orders.filled(row), orders.cash(row)
    last_unit = pytest.approx(book.owner[2 * row].sum(), rel=1e-14, abs=0.0)
    assert (filled.sum(), traded) == (last_unit, last_unit)
    assert cash.sum() == pytest.approx(book.owner[2 * row + 1].sum(), rel=1e-14, abs=0.0)
    assert (filled <= wanted * (1.0 + 1e-15)).all()
    assert filled == pytest.approx([order.filled for order in told], rel=1e-9, abs=0.0), "each gets what the plain book gives it"


@few
@given(markets(crossed=False), st.integers(0, 1))
def test_nobody_trades_beyond_the_worst_price_at_any_level(market: tuple[Ladders, Entries], row: int) -> None:
    book, orders = market
    sign, side = (-1, 1)[row], (BID, ASK)[row]
    for i in range(int(orders.counts[row])):
        limit = orders.entries[row, E_LIMIT, i]
        alone, whole, cut = shuffled(orders, [[i], []] if row == 0 else [[], [i]]), deepcopy(book), deepcopy(book)
        alone.counts[:] = (1, 0) if row == 0 else (0, 1)
        shown = cut.posted
        shown[:, side][sign * (limit - book.levels(side) * book.grid) < -1e-12] = 0.0
        cut.show(shown)
        other = deepcopy(alone)
        _, last, _, _ = alone.walk(row, whole)
        other.walk(row, cut)
        assert alone.filled(row) == near(other.filled(row)), "quotes beyond the limit do not matter"
        assert alone.cash(row) == near(other.cash(row))
        assert math.isnan(last) or sign * (limit - last) >= -1e-12


@few
@given(markets())
def test_average_prices_respect_every_limit_when_all_clear_together(market: tuple[Ladders, Entries]) -> None:
    book, orders = market
    clear(book, orders)
    for row, sign in ((0, -1), (1, 1)):
        for quantity, cash, limit in zip(orders.filled(row), orders.cash(row), orders.entries[row, E_LIMIT], strict=False):
            if quantity > 0.0:
                assert sign * (limit - math.log(cash / quantity)) >= -1e-9


@few
@given(st.lists(st.floats(0.01, 50.0), min_size=2, max_size=4), st.lists(st.floats(0.01, 50.0), min_size=1, max_size=4), st.integers(0, 1))
def test_owners_at_a_level_and_orders_at_a_limit_are_served_in_proportion(shown: list[float], wanted: list[float], row: int) -> None:
    owners = len(shown)
    posted = np.zeros((owners, 2, 5))
    posted[:, :, 0] = np.array(shown)[:, None]
    base = np.tile([LEVEL_MID - 2, LEVEL_MID + 2], (owners, 1))
    book = book_showing(0.0007, base, np.tile(np.arange(5), (2, 1)), posted)
    orders = Entries(np.zeros((2, 5, ENTRIES)), np.zeros((2, ENTRIES), np.int64), np.zeros(2, np.int64), np.zeros(16), np.zeros(16))
    orders.entries[row, E_QUANTITY, : len(wanted)] = wanted
    orders.entries[row, E_LIMIT] = (-1, 1)[row] * math.inf
    orders.counts[row] = len(wanted)
    traded, _, _, _ = orders.walk(row, book)
    assert traded == near(min(sum(shown), sum(wanted)))
    assert book.owner[2 * row] / shown == near(np.full(owners, traded / sum(shown)))
    assert orders.filled(row) / wanted == near(np.full(len(wanted), traded / sum(wanted)))


@few
@given(markets(), st.integers(2, 3))
def test_splitting_orders_changes_nothing(market: tuple[Ladders, Entries], parts: int) -> None:
    book, orders = market
    counts = np.minimum(orders.counts, ENTRIES // parts)
    orders.counts[:] = counts
    other_book, split = deepcopy(book), deepcopy(orders)
    for row in range(2):
        for i in range(int(counts[row])):
            for n in range(parts):
                split.entries[row, :, i * parts + n] = orders.entries[row, :, i]
                split.entries[row, E_QUANTITY, i * parts + n] /= parts
                split.cause[row, i * parts + n] = orders.cause[row, i]
        split.counts[row] = counts[row] * parts
    clear(book, orders)
    clear(other_book, split)
    for row in range(2):
        assert split.filled(row).reshape(-1, parts).sum(axis=1) == near(orders.filled(row))
        assert split.cash(row).reshape(-1, parts).sum(axis=1) == near(orders.cash(row))
    assert other_book.owner == near(book.owner)


@few
@given(markets(), st.integers(0, 3), st.floats(-0.02, 0.02))
def test_one_sided_and_empty_books_give_prices_that_are_finite_and_positive(market: tuple[Ladders, Entries], empty: int, shift: float) -> None:
    book, orders = market
    for side in (BID, ASK):
        if empty & (1 + side):
            book.scale[..., side], book.eaten[..., side] = 0.0, 0
    last = LEVEL_MID * book.grid + shift
    clear(book, orders)
    log_mid = middle(book, last)
    assert math.isfinite(log_mid) and math.exp(log_mid) > 0.0
    bid, ask = book.best(BID), book.best(ASK)
    assert (bid is None or log_mid >= bid * book.grid) and (ask is None or log_mid <= ask * book.grid)
    assert np.isfinite(book.owner).all()
    for row in range(2):
        assert np.isfinite(orders.filled(row)).all() and np.isfinite(orders.cash(row)).all()
        assert (orders.cash(row)[orders.filled(row) > 0.0] > 0.0).all()
    assert np.isfinite(orders.charge).all()


@few
@given(markets(crossed=False))
def test_a_thinner_book_never_fills_more(market: tuple[Ladders, Entries]) -> None:
    book, orders = market
    thin, other = deepcopy(book), deepcopy(orders)
    thin.scale[:], thin.left[:] = 0.5 * book.scale, 0.5 * book.left
    for row in range(2):
        deep_fill, _, _, _ = orders.walk(row, book)
        thin_fill, _, _, _ = other.walk(row, thin)
        assert thin_fill <= deep_fill * (1.0 + 1e-12)
