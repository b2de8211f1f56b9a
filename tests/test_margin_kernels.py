"""The margin kernels give what the rules give: books of one leg and of many, at tier edges, in debt, coin-margined, empty."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waxline.accounts import margin_book
from waxline.accounts.margin_book import DEBTS, LOANS, MAINTENANCE, Balances, BookRules, Legs, Prices
from waxline.accounts.rules_collateral import debt_maintenance, haircut_value
from waxline.accounts.rules_margin import inverse_pnl, linear_pnl
from waxline.accounts.rules_tiers import banded_value, deductions, tier_index, tier_maintenance

# Rules and accounts as a student would write them --------------------------------------------------------------------------


@dataclass
class Market:
    """Hold a market: largest size and maintenance rate of each tier, and the coin that margins it where it is coin-margined."""

    caps: list[float]
    rates: list[float]
    coin: int | None = None

    def maintenance(self, notional: float) -> float:
        floors = [0.0, *self.caps[:-1]]
        n = tier_index(notional, self.caps)
        return tier_maintenance(notional, self.rates[n], deductions(floors, self.rates)[n])


@dataclass
class Asset:
    """Hold an asset: ends of its bands, the part that counts in each, whether the ends are in coins."""

    ends: list[float]
    ratios: list[float]
    in_coins: bool = False

    def counted(self, amount: float, price: float) -> float:
        if amount <= 0.0:
            return amount * price
        units = amount if self.in_coins else amount * price
        value = banded_value(units, [0.0, *self.ends[:-1]], self.ends, self.ratios, 0.0)
        return haircut_value(amount * price, value / units)


@dataclass
class Position:
    """Hold a position: signed coins (or USD of contracts), entry, and the price its maintenance is taken on (0: the mark)."""

    market: int
    quantity: float
    entry: float
    counted_at: float = 0.0


@dataclass
class Plain:
    """Hold an account: coins by asset, positions."""

    coins: dict[int, float] = field(default_factory=dict)
    positions: list[Position] = field(default_factory=list)


@dataclass
class Venue:
    """Hold a venue's rules; asset 0 is the settlement currency."""

    markets: list[Market]
    assets: list[Asset]
    debt_rate: float = 0.0
    fee: float = 0.0
    line: float = 1.0
    measure: int = MAINTENANCE


def plain_value(account: Plain, venue: Venue, marks: list[float], prices: list[float]) -> tuple[float, float]:
    """Return what backs an account and what it owes or must have, by the rules alone."""
    coins, required = dict(account.coins), 0.0
    for one in account.positions:
        market, mark = venue.markets[one.market], marks[one.market]
        side, size, at = math.copysign(1.0, one.quantity), abs(one.quantity), one.counted_at or mark
        if market.coin is None:
            coins[0] = coins.get(0, 0.0) + linear_pnl(side, size, one.entry, mark) / prices[0]
            required += market.maintenance(size * at) + venue.fee * size * mark
        else:
            coins[market.coin] = coins.get(market.coin, 0.0) + inverse_pnl(side, size, one.entry, mark)
            required += market.maintenance(size) * (mark / at if one.counted_at else 1.0) + venue.fee * size
    counted = [venue.assets[a].counted(amount, prices[a]) for a, amount in coins.items() if amount > 0.0]
    debt = -sum(amount * prices[a] for a, amount in coins.items() if amount < 0.0)
    if venue.measure == MAINTENANCE:
        return math.fsum(counted) - debt, required + debt_maintenance(debt, venue.debt_rate)
    return math.fsum(counted), debt


def filled(rows: list[list[float]], fill: float) -> np.ndarray:
    width = max(map(len, rows))
    return np.array([[*row, *[fill] * (width - len(row))] for row in rows])


def book_rules(venue: Venue) -> BookRules:
    amounts = [deductions([0.0, *market.caps[:-1]], market.rates) for market in venue.markets]
    return BookRules(
        tier_cap=filled([market.caps for market in venue.markets], math.inf),
        tier_rate=filled([market.rates for market in venue.markets], 0.0),
        tier_deduction=filled(amounts, 0.0),
        inverse=np.array([market.coin is not None for market in venue.markets]),
        coin=np.array([market.coin or 0 for market in venue.markets]),
        band_end=filled([asset.ends for asset in venue.assets], math.inf),
        band_ratio=filled([asset.ratios for asset in venue.assets], 0.0),
        band_in_coins=np.array([asset.in_coins for asset in venue.assets]),
        settles_in=0,
        debt_rate=venue.debt_rate,
        fee=venue.fee,
        line=venue.line,
        measure=venue.measure,
    )


def columns(accounts: list[Plain]) -> tuple[Legs, Balances]:
    legs = [(n, p.market, p.quantity, p.entry, p.counted_at) for n, one in enumerate(accounts) for p in one.positions]
    coins = [(n, a, amount) for n, one in enumerate(accounts) for a, amount in one.coins.items()]
    whole, real = np.int64, np.float64
    leg = [np.array(column, dtype=kind) for column, kind in zip(zip(*legs, strict=True), (whole, whole, real, real, real), strict=True)] if legs else None
    coin = [np.array(column, dtype=kind) for column, kind in zip(zip(*coins, strict=True), (whole, whole, real), strict=True)] if coins else None
    none, nothing = np.zeros(0, whole), np.zeros(0)
    return Legs(*(leg or (none, none, nothing, nothing, nothing))), Balances(*(coin or (none, none, nothing)))


def story(n: int, account: Plain, got: tuple[float, float], wanted: tuple[float, float]) -> str:
    return f"account {n}: {account}\n    the kernel gives {got}, the rules give {wanted}"


def gross_of(account: Plain, venue: Venue, marks: list[float], prices: list[float]) -> float:
    """Return the size in USD of all an account holds: rounding errors are parts of it."""
    total = math.fsum(abs(amount) * prices[a] for a, amount in account.coins.items())
    for one in account.positions:
        mark, at = marks[one.market], one.counted_at or marks[one.market]
        inverse = venue.markets[one.market].coin is not None
        total += abs(one.quantity) * (max(1.0, mark / one.entry, mark / at) if inverse else max(mark, one.entry, at))
    return total


def compare(accounts: list[Plain], venue: Venue, rounds: list[tuple[list[float], list[float]]]) -> None:
    """Value the same book at several prices, one after the other, and compare every account with the rules."""
    book = margin_book.mixed_book(len(accounts), *columns(accounts), book_rules(venue))
    for marks, prices in rounds:
        backing, owed = margin_book.values_by_account(book, Prices(np.array(marks), np.array(prices)))
        for n, account in enumerate(accounts):
            wanted = plain_value(account, venue, marks, prices)
            gross = gross_of(account, venue, marks, prices)
            got = (backing[n], owed[n])
            assert math.isclose(got[0], wanted[0], rel_tol=1e-12, abs_tol=1e-12 * gross + 1e-300), story(n, account, got, wanted)
            assert math.isclose(got[1], wanted[1], rel_tol=1e-12, abs_tol=1e-12 * gross + 1e-300), story(n, account, got, wanted)


# Random books --------------------------------------------------------------------------------------------------------------

VENUE = Venue(
    markets=[
        Market([50e3, 250e3, 1e6, math.inf], [0.004, 0.005, 0.025, 0.1]),
        Market([math.inf], [0.03]),
        Market([1e4, math.inf], [0.01, 0.05]),
        Market([2e4, 1e5, math.inf], [0.005, 0.01, 0.02], coin=1),
    ],
    assets=[
        Asset([5e6, 10e6, math.inf], [1.0, 0.9, 0.8]),
        Asset([10.0, 20.0, math.inf], [0.98, 0.95, 0.5], in_coins=True),
        Asset([1e5, 1e6, math.inf], [0.9, 0.7, 0.0]),
        Asset([math.inf], [1.0]),
    ],
    debt_rate=0.1,
    fee=0.0005,
    line=1.05,
)
MARKS, PRICES = [100_000.0, 4_000.0, 0.25, 99_000.0], [1.0, 100_500.0, 200.0, 1.0]


def signed(low: float, high: float) -> st.SearchStrategy[float]:
    return st.tuples(st.sampled_from([-1.0, 1.0]), st.floats(math.log(low), math.log(high))).map(lambda pair: pair[0] * math.exp(pair[1]))


def positions(venue: Venue) -> st.SearchStrategy[Position]:
    def at(m: int) -> st.SearchStrategy[Position]:
        market, mark = venue.markets[m], MARKS[m]
        scale = 1.0 if market.coin is not None else 1.0 / mark
        edges = [sign * cap * near * scale for cap in market.caps if math.isfinite(cap) for sign in (-1.0, 1.0) for near in (1.0, 0.9995, 1.0005)]
        quantity = st.one_of(signed(1.0, 1e7).map(lambda usd: usd * scale), st.sampled_from(edges or [scale]))
        entry = st.floats(0.5, 2.0).map(lambda part: part * mark)
        return st.builds(Position, st.just(m), quantity, entry, st.one_of(st.just(0.0), entry))

    return st.integers(0, len(venue.markets) - 1).flatmap(at)


def books(venue: Venue, with_positions: bool = True) -> st.SearchStrategy[list[Plain]]:
    amounts = [st.one_of(st.just(0.0), signed(1e-3, 3e7).map(lambda usd, p=price: usd / p)) for price in PRICES]
    coins = st.dictionaries(st.integers(0, len(venue.assets) - 1), st.none(), max_size=3).flatmap(
        lambda keys: st.fixed_dictionaries({a: amounts[a] for a in keys})
    )
    held = st.lists(positions(venue), max_size=4) if with_positions else st.just([])
    return st.lists(st.builds(Plain, coins, held), max_size=8)


def rounds(changes: list[float]) -> list[tuple[list[float], list[float]]]:
    found = [(MARKS, PRICES)]
    for n, change in enumerate(changes):
        found.append(([mark * change ** (1 + n % 2) for mark in MARKS], [PRICES[0] * (1.0 if n % 2 else 0.97), *(price * change for price in PRICES[1:])]))
    return found


@given(accounts=books(VENUE), changes=st.lists(st.floats(0.02, 20.0), max_size=3))
@settings(max_examples=150)
def test_books_of_many_legs_are_valued_as_the_rules_say_at_any_prices(accounts: list[Plain], changes: list[float]) -> None:
    compare(accounts, VENUE, rounds(changes))


@given(accounts=books(VENUE, with_positions=False), changes=st.lists(st.floats(0.1, 10.0), max_size=2), measure=st.sampled_from([DEBTS, LOANS]))
@settings(max_examples=50)
def test_books_of_loans_are_valued_as_the_rules_say(accounts: list[Plain], changes: list[float], measure: int) -> None:
    compare(accounts, Venue(VENUE.markets, VENUE.assets, measure=measure), rounds(changes))


def test_named_accounts_at_the_edges_are_valued_as_the_rules_say() -> None:
    accounts = [
        Plain(),
        Plain({0: 0.0}),
        Plain({0: -5_000.0}),
        Plain({0: 7e6, 1: 10.0, 2: 500.0}),
        Plain({1: 20.0, 2: -1e-9}),
        Plain({0: 1_000.0}, [Position(0, 0.5, 100_000.0), Position(0, -0.5, 100_000.0)]),
        Plain({0: 1_000.0}, [Position(0, 2.5, 90_000.0)]),
        Plain({0: -1_000.0, 1: 1.0}, [Position(3, 20_000.0, 50_000.0), Position(3, -100_000.0, 50_000.0, counted_at=60_000.0)]),
        Plain({1: -0.5}, [Position(3, -50_000.0, 120_000.0)]),
        Plain({}, [Position(0, 0.5, 100_000.0, counted_at=95_000.0), Position(2, -1e6, 0.3)]),
        Plain({}, [Position(3, 10_000.0, 100_000.0)]),
    ]
    compare(accounts, VENUE, [(MARKS, PRICES), ([m * 0.5 for m in MARKS], PRICES), (MARKS, [0.98, *PRICES[1:]])])


def test_threads_and_the_order_of_accounts_change_no_bit() -> None:
    rng = np.random.Generator(np.random.PCG64(5))
    accounts = [
        Plain(
            {0: float(cash), 2: float(coins)},
            [Position(int(m), float(q) / (1.0 if m == 3 else MARKS[m]), MARKS[m]) for m, q in zip(rng.integers(0, 4, k), rng.normal(0, 1e5, k), strict=True)],
        )
        for k, cash, coins in zip(rng.integers(0, 4, 400), rng.normal(1e4, 1e4, 400), rng.normal(10, 100, 400), strict=True)
    ]
    prices, rules = Prices(np.array(MARKS), np.array(PRICES)), book_rules(VENUE)
    backing, owed = margin_book.values_by_account(margin_book.mixed_book(400, *columns(accounts), rules), prices)
    turned = margin_book.values_by_account(margin_book.mixed_book(400, *columns(accounts[::-1]), rules), prices)
    assert (turned[0][::-1] == backing).all() and (turned[1][::-1] == owed).all()
    book = margin_book.mixed_book(400, *columns(accounts), rules)
    results = margin_book.empty_results(book)
    with ThreadPoolExecutor(2) as pool:
        margin_book.value_mixed(book, prices, results, pool, 3)
    assert np.array_equal(results.T, [backing[book.whole.row], owed[book.whole.row]])


def test_a_group_larger_than_a_block_and_accounts_of_many_legs_are_valued_as_the_rules_say() -> None:
    rng = np.random.Generator(np.random.PCG64(6))
    many = [
        Plain({0: float(cash), 1: float(coins) / 1e3, 2: float(coins)}, [Position(int(m), float(usd) / MARKS[m], 1.1 * MARKS[m])])
        for cash, coins, m, usd in zip(
            rng.normal(1e4, 1e4, 2_500), rng.normal(10, 100, 2_500), rng.integers(0, 3, 2_500), rng.normal(0, 1e5, 2_500), strict=True
        )
    ]
    wide = [
        Plain({a: 10.0 - a for a in range(1, 4)}, [Position(n % 3, 1e4 * (n - 3.5) / MARKS[n % 3], MARKS[n % 3]) for n in range(width)]) for width in range(9)
    ]
    compare(many + wide, VENUE, [(MARKS, PRICES), ([mark * 0.7 for mark in MARKS], PRICES)])


def test_pieces_are_priced_as_a_student_would() -> None:
    pieces, prices = margin_book.pieces_of(book_rules(VENUE)), Prices(np.array(MARKS), np.array([0.97, *PRICES[1:]]))
    table, per_contract, ends = margin_book.priced(pieces, prices)
    seen = set()
    for k in range(ends.size):
        m, a, coins = int(pieces.market[k]), int(pieces.asset[k]), bool(pieces.in_coins[k])
        price = MARKS[m] if m >= 0 else float(prices.asset[a]) if a >= 0 else 1.0
        constant, paid = pieces.always[k] * (price if coins else 1.0), 1.0 / MARKS[3] if a == 1 else 0.0
        wanted = [pieces.gives[k] * price, pieces.owed[k] * price, constant if a >= 0 else 0.0, 0.0 if a >= 0 else constant]
        assert table[k].tolist() == pytest.approx(wanted, rel=1e-15), k
        assert per_contract[k] == pytest.approx(paid, rel=1e-15), k
        assert ends[k] == pytest.approx(pieces.up_to[k] / (1.0 if coins else price), rel=1e-15), k
        seen.add((m >= 0, a >= 0, coins, paid > 0.0))
    assert len(seen) == 4


# One leg -------------------------------------------------------------------------------------------------------------------


def one_leg(account: Plain, venue: Venue, marks: list[float]) -> tuple[float, float, bool]:
    """Return equity, requirement and whether a one-leg account without haircuts is at its line, by the rules alone."""
    (position,) = account.positions
    market, mark = venue.markets[position.market], marks[position.market]
    side, size = math.copysign(1.0, position.quantity), abs(position.quantity)
    if market.coin is None:
        equity = account.coins[0] + linear_pnl(side, size, position.entry, mark)
    else:
        equity = (account.coins[market.coin] + inverse_pnl(side, size, position.entry, mark)) * mark
    notional = size if market.coin is not None else size * mark
    required = market.maintenance(notional) + venue.fee * notional
    return equity, required, equity <= venue.line * required and (required > 0.0 or equity < 0.0)


def one_leg_accounts(venue: Venue) -> st.SearchStrategy[list[Plain]]:
    def with_margin(position: Position, part: float) -> Plain:
        market = venue.markets[position.market]
        coin = 0 if market.coin is None else market.coin
        cost = abs(position.quantity) * position.entry if market.coin is None else abs(position.quantity) / position.entry
        return Plain({coin: part * cost}, [Position(position.market, position.quantity, position.entry)])

    return st.lists(st.builds(with_margin, positions(venue), st.floats(-0.2, 1.0)), max_size=12)


@given(accounts=one_leg_accounts(VENUE), change=st.one_of(st.just(1.0), st.floats(0.1, 5.0)), parts=st.integers(1, 4))
@settings(max_examples=150)
def test_one_leg_accounts_are_valued_and_found_as_the_rules_say(accounts: list[Plain], change: float, parts: int) -> None:
    rules, marks = book_rules(VENUE), [mark * change for mark in MARKS]
    legs, _ = columns(accounts)
    cash = np.array([next(iter(one.coins.values())) for one in accounts])
    book = margin_book.one_leg_book(legs.market, legs.quantity, legs.entry, cash, rules)
    equity, required = np.zeros(len(accounts)), np.zeros(len(accounts))
    margin_book.value_one_leg(book, rules, np.array(marks), equity, required, parts=parts)
    found = set(margin_book.check_one_leg(book, rules, np.array(marks), parts=parts).tolist())
    for place, row in enumerate(book.row.tolist()):
        wanted = one_leg(accounts[row], VENUE, marks)
        scale = gross_of(accounts[row], VENUE, marks, [0.0] * 4)
        got = (equity[place], required[place])
        assert math.isclose(got[0], wanted[0], rel_tol=1e-12, abs_tol=1e-13 * scale), story(row, accounts[row], got, wanted[:2])
        assert math.isclose(got[1], wanted[1], rel_tol=1e-12, abs_tol=1e-13 * scale), story(row, accounts[row], got, wanted[:2])
        slack = wanted[0] - VENUE.line * wanted[1]
        assert (row in found) == wanted[2] or abs(slack) < 1e-11 * scale, story(row, accounts[row], got, wanted[:2])


@pytest.mark.parametrize(("equality", "found"), [(True, [0, 2]), (False, [2])])
def test_an_account_exactly_at_its_line_is_found_where_the_venue_counts_equality(equality: bool, found: list[int]) -> None:
    rules = book_rules(Venue([Market([math.inf], [0.5])], VENUE.assets[:1]))._replace(equality=equality)
    cash = np.array([64.0, 65.0, 63.0, 0.0])
    book = margin_book.one_leg_book(np.zeros(4, np.int64), np.array([1.0, 1.0, 1.0, 0.0]), np.full(4, 128.0), cash, rules)
    assert sorted(margin_book.check_one_leg(book, rules, np.array([128.0])).tolist()) == found


def test_a_book_larger_than_a_block_finds_every_account_at_its_line() -> None:
    size = 5_000
    rules = book_rules(VENUE)
    market = np.arange(size) % 3
    quantity = np.where(np.arange(size) % 2, -1.0, 1.0) * (1.0 + np.arange(size)) * 100.0 / np.array(MARKS)[market]
    cash = np.abs(quantity) * np.array(MARKS)[market] * np.linspace(0.0, 0.2, size)
    book = margin_book.one_leg_book(market, quantity, np.array(MARKS)[market], cash, rules)
    found = set(margin_book.check_one_leg(book, rules, np.array(MARKS), parts=3).tolist())
    plain = [Plain({0: float(c)}, [Position(int(m), float(q), MARKS[m])]) for m, q, c in zip(market, quantity, cash, strict=True)]
    assert found == {n for n, one in enumerate(plain) if one_leg(one, VENUE, MARKS)[2]}
    assert 100 < len(found) < size - 100


def test_no_accounts_at_all_are_no_mistake() -> None:
    compare([], VENUE, [(MARKS, PRICES)])
    rules, nothing = book_rules(VENUE), np.zeros(0)
    book = margin_book.one_leg_book(np.zeros(0, np.int64), nothing, nothing, nothing, rules)
    assert margin_book.check_one_leg(book, rules, np.array(MARKS), parts=2).size == 0
