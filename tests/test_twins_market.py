"""The kernels of books and prices do what the plain Python of `waxline.reference` does."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small_books import LEVEL_MID, SIZES, Entries, Ladders, ladders, markets, plain_book, plain_orders, shown
from waxline import reference
from waxline.market.kernels import NO_LEVEL, bounded_mid
from waxline.market.prices import INDEX, OWN_BOOK, REDEMPTION, index_price, median, median_of_three, update_oracle, update_prices
from waxline.market.sorting import DIGITS, sort_by_limit
from waxline.market.tables import ASK, BID
from waxline.reference import BUY, SELL
from waxline.simulation.clearing import E_LIMIT, E_QUANTITY

few = settings(max_examples=60)
prices_usd = st.floats(0.001, 1e6)
RULES = {INDEX: "index", OWN_BOOK: "own_book", REDEMPTION: "redemption"}


def near(value: object) -> object:
    """Return a value that numbers a rounding error away are equal to."""
    return pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True)


@few
@given(ladders(), st.floats(-0.01, 0.01))
def test_best_quotes_and_the_middle_are_those_of_the_plain_book(book: Ladders, last: float) -> None:
    plain = plain_book(book)
    assert (book.best(BID), book.best(ASK)) == (plain.best(BUY), plain.best(SELL))
    bid, ask = (NO_LEVEL if level is None else level for level in (book.best(BID), book.best(ASK)))
    last += LEVEL_MID * book.grid
    assert bounded_mid(bid, ask, book.grid, last) == near(plain.log_mid(last))


@few
@given(ladders())
def test_quotes_that_cross_are_matched_as_in_the_plain_book(book: Ladders) -> None:
    plain = plain_book(book)
    traded, log_prices = plain.cross()
    quantity, lowest, highest = book.cross()
    assert quantity == near(traded)
    assert (lowest, highest) == near((min(log_prices, default=math.inf), max(log_prices, default=-math.inf)))
    for row, told in enumerate((plain.bought, plain.paid, plain.sold, plain.received)):
        assert book.owner[row] == near([told[s] for s in range(book.owners)])
    for side, sign in ((BID, BUY), (ASK, SELL)):
        assert book.posted[:, side].sum(axis=1) == near(shown(plain, sign, book.owners))


@few
@given(markets(crossed=False), st.integers(-6, 6))
def test_opposing_orders_are_netted_as_in_plain_python(market: tuple[Ladders, Entries], shift: int) -> None:
    book, orders = market
    log_mid = (LEVEL_MID + 0.5 * shift) * book.grid
    plain = [plain_orders(orders, row) for row in range(2)]
    assert orders.net(log_mid) == near(reference.net(plain[0] + plain[1], log_mid))
    for row in range(2):
        assert orders.filled(row) == near([order.filled for order in plain[row]])
        assert orders.cash(row) == near([order.cash for order in plain[row]])
        assert orders.entries[row, E_QUANTITY, : orders.counts[row]] == near([order.quantity for order in plain[row]])


@settings(max_examples=120)
@given(markets(crossed=False), st.integers(0, 1))
def test_a_walk_fills_the_same_orders_and_owners_at_the_same_prices(market: tuple[Ladders, Entries], row: int) -> None:
    book, orders = market
    side, plain, told = (SELL, BUY)[row], plain_book(book), plain_orders(orders, row)
    done = plain.walk(side, told)
    traded, last, before, after = orders.walk(row, book)
    assert traded == near(done.traded)
    assert last == near(math.nan if done.last is None else done.last)
    assert (before, after) == tuple(NO_LEVEL if level is None else level for level in (done.before, done.after))
    assert orders.filled(row) == near([order.filled for order in told])
    assert orders.cash(row) == near([order.cash for order in told])
    assert orders.charge == near([done.charge.get(cause, 0.0) for cause in range(orders.charge.size)])
    coins, usd = (plain.bought, plain.paid) if row == 0 else (plain.sold, plain.received)
    assert book.owner[2 * row] == near([coins[s] for s in range(book.owners)])
    assert book.owner[2 * row + 1] == near([usd[s] for s in range(book.owners)])
    assert book.posted[:, row].sum(axis=1) == near(shown(plain, -side, book.owners))


@few
@given(ladders(), st.floats(-0.003, 0.003), st.floats(0.0005, 0.02))
def test_depth_within_a_band_is_that_of_the_plain_book(book: Ladders, shift: float, band: float) -> None:
    log_mid = LEVEL_MID * book.grid + shift * 0.9973 + 1.3e-6
    found, plain = book.depth_usd(log_mid, band), plain_book(book)
    assert found == near((plain.depth_usd(BUY, log_mid, band), plain.depth_usd(SELL, log_mid, band)))


LIMITS = st.one_of(st.integers(-3, 3).map(float), st.floats(-30.0, 30.0), st.sampled_from([-np.inf, np.inf, 1e6, -1e7, 1.0, 1.0 + 1e-13, 1.0 - 1e-13]))


@few
@given(st.one_of(st.lists(LIMITS, max_size=40), st.lists(LIMITS, min_size=64, max_size=90)), st.integers(0, 1))
def test_orders_are_sorted_by_limit_and_equal_limits_keep_their_places(limits: list[float], row: int) -> None:
    order, work, entries = np.zeros(96, np.int64), np.zeros((4, DIGITS), np.int64), np.zeros((2, 5, 96))
    entries[row, E_LIMIT, : len(limits)] = limits
    sort_by_limit(row, len(limits), entries, order, work)
    told = [reference.Order((SELL, BUY)[row], float(n), float(limit)) for n, limit in enumerate(limits)]
    assert order[: len(limits)].tolist() == [int(one.quantity) for one in reference.by_limit(told)]


def test_thousands_of_orders_are_sorted_as_few_are() -> None:
    rng = np.random.Generator(np.random.PCG64(3))
    for row, sign in ((0, -1.0), (1, 1.0)):
        entries, order = np.zeros((2, 5, 5000)), np.zeros(5000, np.int64)
        entries[row, E_LIMIT] = np.round(rng.normal(0.0, 0.2, 5000), 3) + rng.choice([0.0, 1e-14], 5000)
        sort_by_limit(row, 5000, entries, order, np.zeros((4, 5000), np.int64))
        assert np.array_equal(order, np.argsort(sign * entries[row, E_LIMIT], kind="stable"))


@few
@given(st.lists(st.tuples(st.sampled_from([90.0, 96.0, 99.0, 100.0, 101.0, 107.0]), SIZES), min_size=1, max_size=4), st.sampled_from([0.0, 0.02, 0.05, 1.0]))
def test_index_and_median_are_those_of_plain_python(sources: list[tuple[float, float]], outlier: float) -> None:
    prices, weights = (np.array(column) for column in zip(*sources, strict=True))
    assert median(prices, len(sources)) == near(reference.median(prices.tolist()))
    assert index_price(prices, weights, len(sources), outlier) == near(reference.index_price(prices.tolist(), weights.tolist(), outlier))


def test_an_index_without_sources_is_not_a_number() -> None:
    assert math.isnan(index_price(np.zeros(2), np.zeros(2), 0, 0.05))
    assert math.isnan(reference.index_price([], [], 0.05))


@few
@given(prices_usd, prices_usd, prices_usd)
def test_the_median_of_three_is_the_one_in_the_middle(a: float, b: float, c: float) -> None:
    assert median_of_three(a, b, c) == sorted((a, b, c))[1]


@st.composite
def venues_prices(draw: st.DrawFn) -> dict[str, object]:
    """Draw a world of 2 venues, a coin, a claim on it and a claim on USD: spot books at both, a perp of the coin at each."""
    near_100 = st.floats(80.0, 125.0)
    return {
        "mid": [draw(near_100) for _ in range(8)],
        "premium": [draw(st.floats(-0.05, 0.05)) for _ in range(8)],
        "weights": [draw(st.sampled_from([0.0, 0.5, 1.0, 3.0])) for _ in range(2)],
        "outlier": draw(st.sampled_from([0.01, 0.05, 1.0])),
        "rules": [[draw(st.integers(0, 2)) for _ in range(3)] for _ in range(2)],
        "reprice": draw(st.booleans()),
        "claim_own_book": draw(st.booleans()),
        "dt": draw(st.sampled_from([0.1, 1.0, 60.0])),
        "no_sources": draw(st.booleans()),
    }


@few
@given(venues_prices())
def test_index_mark_and_collateral_prices_follow_the_plain_rules(world: dict[str, object]) -> None:
    mid, premium = np.array(world["mid"]), np.array(world["premium"])
    weights, outlier, dt = world["weights"], float(world["outlier"]), float(world["dt"])  # type: ignore[arg-type]
    # markets of venue v: 4v + (0 spot coin, 1 spot claim, 2 spot USD claim, 3 perp coin); assets: 0 USD, 1 coin, 2 claim, 3 USD claim
    perp = np.array([False, False, False, True] * 2)
    source, weight = np.full((2, 4, 2), -1, np.int64), np.zeros((2, 4, 2))
    for v in range(2):
        for a in (1, 2, 3):
            if not (world["no_sources"] and v == 1):
                source[v, a], weight[v, a] = (a - 1, 3 + a), weights
    spot_market = np.array([[-1, 0, 1, 2], [-1, 4, 5, -1]])
    rules = np.zeros((2, 4), np.int64)
    rules[:, 1:] = world["rules"]
    index, mark = np.full((2, 4), 100.0), np.full(8, 50.0)
    if world["no_sources"]:
        index[1] = math.nan
    asset_price, before = np.full((2, 4), 77.0), premium.copy()
    redeem_asset, units = np.array([-1, -1, 1, 0]), np.array([1.0, 1.0, 1.08, 1.0])
    update_prices(
        np.log(mid), perp, np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([1, 2, 3, 1] * 2), source, weight, np.array([outlier, outlier]), spot_market, redeem_asset,
        units, rules, bool(world["reprice"]), bool(world["claim_own_book"]), dt, index, premium, mark, asset_price,
    )  # fmt: skip
    for v in range(2):
        for a in (1, 2, 3):
            sources = [] if source[v, a, 0] < 0 else [mid[a - 1], mid[3 + a]]
            assert index[v, a] == near(reference.index_price(sources, list(weights) if sources else [], outlier))  # type: ignore[call-overload]
            base = {-1: None, 0: 1.0, 1: index[v, 1]}[int(redeem_asset[a])]
            redemption = None if base is None else base * units[a]
            own = None if spot_market[v, a] < 0 else mid[spot_market[v, a]]
            told = reference.collateral_price(RULES[int(rules[v, a])], index[v, a], own, redemption, bool(world["claim_own_book"]))
            assert asset_price[v, a] == near(told if world["reprice"] and not math.isnan(told) else 77.0)
        m = 4 * v + 3
        if not math.isnan(index[v, 1]):
            assert premium[m] == near(reference.premium_after(before[m], mid[m], index[v, 1], dt))
        assert mark[m] == near(reference.mark_price(mid[m], index[v, 1], premium[m]))
    assert mark[~perp] == near(mid[~perp])


@few
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 99.0, 99.6, 100.0]), st.sampled_from([99.0, 100.0, 100.4, math.nan]), st.floats(0.0, 70.0)), min_size=1, max_size=4
    )
)
def test_an_oracle_moves_when_the_plain_rule_says_so(rows: list[tuple[float, float, float]]) -> None:
    oracle, index, age = (np.array([0.0, *column]) for column in zip(*rows, strict=True))
    told = [reference.oracle_after(*row, 0.005, 60.0, 2.0) for row in zip(oracle[1:], age[1:], index[1:], strict=True)]
    update_oracle(index, 0.005, 60.0, 2.0, oracle, age)
    assert oracle[1:] == near([price for price, _ in told])
    assert age[1:] == near([seconds for _, seconds in told])
