"""Books of accounts in columns, laid out for the margin kernels, and their valuation at prices.

Rules of one regime of one venue come as arrays (`BookRules`); accounts as columns in any order. Results come back in the accounts' order.
Equity and requirement are those of `rules_tiers`, `rules_collateral` and `rules_margin`, to rounding: sums run in another order.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from waxline.accounts import margin_kernels
from waxline.accounts.tables import Floats, Ints

Columns = NDArray[Any]
MAINTENANCE, DEBTS, LOANS = 0, 1, 2
"""What is compared: equity with line times maintenance; collateral with line times debts; line times collateral with debts."""


class BookRules(NamedTuple):
    """Hold the margin rules of one regime: M markets with N tiers, A assets with B bands; tables are filled up with infinite ends.

    tier_cap (USD, last infinite), tier_rate, tier_deduction (USD) [M, N]; inverse [M]; coin [M]: asset that margins a coin-margined market (those of one coin must have one mark);
    band_end [A, B] in USD or (band_in_coins [A]) coins, last infinite; band_ratio [A, B]; settles_in: asset of linear profits; debt_rate: maintenance
    of borrowed value; fee: closing fee counted as maintenance; line, equality: where an account is liquidated; measure: see above.
    """

    tier_cap: Floats
    tier_rate: Floats
    tier_deduction: Floats
    inverse: NDArray[np.bool_]
    coin: Ints
    band_end: Floats
    band_ratio: Floats
    band_in_coins: NDArray[np.bool_]
    settles_in: int
    debt_rate: float = 0.0
    fee: float = 0.0
    line: float = 1.0
    equality: bool = True
    measure: int = MAINTENANCE


class Prices(NamedTuple):
    """Hold the prices of a valuation in USD: mark of each market [M], price at which the venue values each asset [A]."""

    mark: Floats
    asset: Floats


class OneLegBook(NamedTuple):
    """Hold accounts with one position each, sorted by market and size: signed quantity, what is left without it, row of the caller, bounds.

    quantity [K]: coins, or USD of coin-margined contracts; rest [K]: cash - quantity entry (USD), or coins + quantity / entry; row [K]; start [M + 1].
    """

    quantity: Floats
    rest: Floats
    row: Ints
    start: Ints


def one_leg_book(market: Ints, quantity: Floats, entry: Floats, cash: Floats, rules: BookRules) -> OneLegBook:
    """Lay out one-leg accounts [K]: market, signed quantity (coins; USD of contracts), average entry (USD), cash (USD; coins where inverse)."""
    row = np.lexsort((np.abs(quantity), market))
    inverse = rules.inverse[market]
    rest = np.where(inverse, cash + quantity / entry, cash - quantity * entry)
    start = np.searchsorted(market[row], np.arange(rules.inverse.size + 1))
    return OneLegBook(np.ascontiguousarray(quantity[row], dtype=float), np.ascontiguousarray(rest[row], dtype=float), row, start.astype(np.int64))


def _runs(book: OneLegBook, rules: BookRules, mark: Floats) -> tuple[Ints, Ints, Ints, int]:
    end, market, tier = (np.empty(rules.tier_cap.size, dtype=np.int64) for _ in range(3))
    count = margin_kernels.tier_runs(book.quantity, book.start, rules.inverse, mark, rules.tier_cap, end, market, tier)
    return end, market, tier, count


def _in_threads(work: Callable[[int, int], Any], size: int, pool: ThreadPoolExecutor | None, parts: int) -> list[Any]:
    """Return work(begin, end) for equal parts of 0..size, in the pool's threads where there is one (kernels run without the interpreter lock)."""
    bounds = [size * n // parts for n in range(parts + 1)]
    if pool is None:
        return [work(bounds[n], bounds[n + 1]) for n in range(parts)]
    return list(pool.map(lambda n: work(bounds[n], bounds[n + 1]), range(parts)))


def check_one_leg(book: OneLegBook, rules: BookRules, mark: Floats, pool: ThreadPoolExecutor | None = None, parts: int = 1) -> Ints:
    """Return the callers' rows of the accounts at or past their line at `mark` [M] (USD), in no promised order."""
    runs = _runs(book, rules, mark)
    found = np.empty(book.quantity.size, dtype=np.int64)

    def work(begin: int, end: int) -> Ints:
        tables = (mark, rules.inverse, rules.tier_rate, rules.tier_deduction, rules.fee, rules.line, rules.equality)
        places = found[begin:end]
        count = margin_kernels.check_one_leg(begin, end, book.quantity, book.rest, *runs, *tables, places)
        return places[:count]

    rows: Ints = book.row[np.concatenate(_in_threads(work, book.quantity.size, pool, parts))]
    return rows


def value_one_leg(
    book: OneLegBook, rules: BookRules, mark: Floats, equity_out: Floats, required_out: Floats, pool: ThreadPoolExecutor | None = None, parts: int = 1
) -> None:
    """Write equity and requirement in USD of every account, in the book's order (`book.row` names the callers' rows)."""
    runs = _runs(book, rules, mark)

    def work(begin: int, end: int) -> None:
        tables = (mark, rules.inverse, rules.tier_rate, rules.tier_deduction, rules.fee)
        margin_kernels.value_one_leg(begin, end, book.quantity, book.rest, *runs, *tables, equity_out, required_out)

    _in_threads(work, book.quantity.size, pool, parts)


class Group(NamedTuple):
    """Hold the accounts of one shape, L legs and C coins each; columns as `margin_kernels.value_accounts` wants them, `row` names the callers' accounts."""

    row: Ints
    leg: Floats
    leg_piece: NDArray[np.uint16]
    coins: Floats
    contracts: Floats
    coins_piece: NDArray[np.uint16]
    cash: Floats
    cost: Floats


class Whole(NamedTuple):
    """Hold the columns of all groups end to end, so that one call of a kernel values a book; the groups are views of them.

    legs, coins_each, contracts_each [G]: L, C and the columns of contracts of each group; start [G + 1]: bounds of the groups' accounts;
    row, cash, cost [accounts]; leg, coins, contracts: amounts, account by account.
    """

    legs: Ints
    coins_each: Ints
    contracts_each: Ints
    start: Ints
    row: Ints
    leg: Floats
    coins: Floats
    contracts: Floats
    cash: Floats
    cost: Floats


class Pieces(NamedTuple):
    """Hold the affine pieces of all rules, unpriced; the pieces of one market or asset are neighbours and rise.

    market, asset [K]: whose price multiplies, -1 for none; paid_by [K]: market of the coin-margined contracts that pay in the asset, -1 for none;
    in_coins: the ends are in coins and the constant is multiplied too; gives, owed: slopes per USD; always: constant; up_to: ends;
    first_of_market (maintenance on the mark), first_of_flat (elsewhere), first_of_asset: where they begin.
    """

    market: Ints
    asset: Ints
    paid_by: Ints
    in_coins: NDArray[np.bool_]
    gives: Floats
    always: Floats
    owed: Floats
    up_to: Floats
    first_of_market: Ints
    first_of_flat: Ints
    first_of_asset: Ints


class Legs(NamedTuple):
    """Hold positions as columns [L]: account, market, signed quantity (coins; USD of contracts), entry (USD), and the price their maintenance is on.

    `counted_at` (USD): entry or bankruptcy price where the venue takes maintenance on that value, 0 where it takes the mark.
    """

    account: Ints
    market: Ints
    quantity: Floats
    entry: Floats
    counted_at: Floats


class Balances(NamedTuple):
    """Hold balances as columns [L]: account, asset, amount in coins (negative: borrowed); several rows of one asset add up."""

    account: Ints
    asset: Ints
    amount: Floats


class Members(NamedTuple):
    """Hold which amounts lie in which piece, as `margin_kernels.move_pieces` keeps it: families of neighbouring pieces, their amounts in rising order.

    first [F + 1], start [F + 1]: bounds of the families' pieces and amounts; amount, place [E]; bound [K]; piece [Z]: those of all groups, each its
    legs' and then its coins'; lowest [K]: first piece of the family of each.
    """

    first: Ints
    amount: Floats
    place: Ints
    start: Ints
    bound: Ints
    piece: NDArray[np.uint16]
    lowest: Ints


class MixedBook(NamedTuple):
    """Hold accounts with any number of positions and balances, in groups of one shape, and the pieces of their rules."""

    accounts: int
    groups: tuple[Group, ...]
    whole: Whole
    pieces: Pieces
    members: Members
    rules: BookRules


FIXED = 0
"""Row of the piece that adds its amount (USD) to what is required, at any price."""


def pieces_of(rules: BookRules) -> Pieces:
    """Return the affine pieces of the rules: N rate - deduction per tier and side, marginal bands of assets, debts in full with their rate."""
    rows: list[tuple[int, int, bool, float, float, float, float]] = [(-1, -1, False, 0.0, 0.0, 1.0, np.inf)]
    of_market, of_flat, of_asset = [], [], []
    for m in range(rules.inverse.size):
        tiers = 1 + int(np.argmax(rules.tier_cap[m] == np.inf))
        caps = [0.0, *rules.tier_cap[m, :tiers]]
        of_market.append(len(rows))
        rows += [(m, -1, False, 1.0, -rules.tier_deduction[m, n], -rules.tier_rate[m, n] - rules.fee, -caps[n]) for n in reversed(range(tiers))]
        rows += [(m, -1, False, 1.0, -rules.tier_deduction[m, n], rules.tier_rate[m, n] + rules.fee, caps[n + 1]) for n in range(tiers)]
        of_flat.append(len(rows))
        # Maintenance on another value than the mark's: only the fee moves with the mark, or (coin-margined) the value of the coins.
        gives, slope = (0.0, 1.0) if rules.inverse[m] else (1.0, rules.fee)
        rows += [(m, -1, False, gives, 0.0, -slope, 0.0), (m, -1, False, gives, 0.0, slope, np.inf)]
    with_debts = rules.measure != MAINTENANCE
    for a in range(rules.band_in_coins.size):
        coins = bool(rules.band_in_coins[a])
        of_asset.append(len(rows))
        rows.append((-1, a, coins, 0.0, 0.0, -1.0, 0.0) if with_debts else (-1, a, coins, 1.0, 0.0, -rules.debt_rate, 0.0))
        start = counted = 0.0
        for end, ratio in zip(rules.band_end[a], rules.band_ratio[a], strict=True):
            rows.append((-1, a, coins, ratio, counted - start * ratio, 0.0, end))
            if end == np.inf:
                break
            counted += (end - start) * ratio
            start = end
    assert len(rows) <= np.iinfo(np.uint16).max, "pieces are numbered with 16 bits"
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    coin_margined = np.flatnonzero(rules.inverse)
    market_of = np.full(rules.band_in_coins.size, -1, dtype=np.int64)
    market_of[rules.coin[coin_margined]] = coin_margined
    paid_by = np.where(columns[1] >= 0, market_of[columns[1]], -1)
    places = [np.array(first, dtype=np.int64) for first in (of_market, of_flat, of_asset)]
    return Pieces(columns[0], columns[1], paid_by, columns[2], *(column.astype(float) for column in columns[3:]), *places)


def priced(pieces: Pieces, prices: Prices) -> tuple[Floats, Floats, Floats]:
    """Return the table of pieces at prices [K, 4], what `find_pieces` divides contracts by [K], ends in coins [K]; see `margin_kernels.price_pieces`."""
    table, per_contract, up_to = _aligned(pieces.market.size, margin_kernels.ROW), np.empty(pieces.market.size), np.empty(pieces.market.size)
    margin_kernels.price_pieces(*pieces[:8], prices.mark, prices.asset, table, per_contract, up_to)
    return table, per_contract, up_to


def _aligned(rows: int, width: int) -> Floats:
    """Return an array whose first row begins a cache line of 64 bytes, so that no row of four lies in two of them."""
    spare = np.empty(rows * width + 8)
    skip = (-spare.ctypes.data % 64) // 8
    return spare[skip : skip + rows * width].reshape(rows, width)


def mixed_book(accounts: int, legs: Legs, balances: Balances, rules: BookRules) -> MixedBook:
    """Lay out `accounts` accounts with their legs and balances; an account without either is worth nothing and needs nothing."""
    pieces = pieces_of(rules)
    inverse = rules.inverse[legs.market]
    on_mark = legs.counted_at == 0.0
    at = np.where(on_mark, 1.0, legs.counted_at)
    size = np.abs(legs.quantity)
    maintained = _maintenance_at(np.where(inverse, size, size * at), legs.market, rules)
    linear, settling = ~inverse, balances.asset == rules.settles_in
    cost = _sums(legs.account[linear], (legs.quantity * legs.entry)[linear], accounts)
    cash = _sums(balances.account[settling], balances.amount[settling], accounts)
    # Requirements that stay as they are, and those of coin-margined contracts that are fixed in coins.
    fixed = np.where(inverse, np.where(on_mark, maintained, 0.0) + rules.fee * size, np.where(on_mark, 0.0, maintained))
    stays, moves = fixed != 0.0, inverse & ~on_mark
    first = np.where(on_mark, pieces.first_of_market[legs.market], pieces.first_of_flat[legs.market])
    owner = np.concatenate([legs.account[linear], legs.account[stays], legs.account[moves]])
    piece = np.concatenate([first[linear], np.full(int(stays.sum()), FIXED), first[moves]])
    amount = np.concatenate([legs.quantity[linear], fixed[stays], (maintained / at)[moves]])
    coins = _coins(legs, balances, inverse, ~settling, rules)
    entries = (owner, piece, amount), (coins[0], pieces.first_of_asset[coins[1]], coins[2], coins[3])
    groups, whole, piece = _groups(accounts, *entries, cash, cost)
    return MixedBook(accounts, groups, whole, pieces, _members(groups, piece, pieces), rules)


def _sums(row: Ints, value: Floats, size: int) -> Floats:
    return np.bincount(row, value, size).astype(np.float64)


def _maintenance_at(notional: Floats, market: Ints, rules: BookRules) -> Floats:
    tier = (notional[:, None] > rules.tier_cap[market]).sum(axis=1)
    found: Floats = np.maximum(notional * rules.tier_rate[market, tier] - rules.tier_deduction[market, tier], 0.0)
    return found


def _coins(legs: Legs, balances: Balances, inverse: Columns, held: Columns, rules: BookRules) -> tuple[Ints, Ints, Floats, Floats]:
    """Return (account, asset, coins, USD of contracts): balances other than cash, joined with what coin-margined contracts pay in them."""
    assets = rules.band_in_coins.size
    keys = np.concatenate([balances.account[held] * assets + balances.asset[held], (legs.account * assets + rules.coin[legs.market])[inverse]])
    found, place = np.unique(keys, return_inverse=True)
    amounts = np.concatenate([balances.amount[held], (legs.quantity / legs.entry)[inverse]])
    contracts = np.concatenate([np.zeros(int(held.sum())), legs.quantity[inverse]])
    return found // assets, found % assets, _sums(place, amounts, found.size), _sums(place, contracts, found.size)


def _groups(
    accounts: int, legs: tuple[Columns, ...], coins: tuple[Columns, ...], cash: Floats, cost: Floats
) -> tuple[tuple[Group, ...], Whole, NDArray[np.uint16]]:
    """Return the accounts in groups of one shape, those with coin-margined contracts apart, their columns end to end, and the pieces of all.

    Every loop of a group has one length, so that the processor guesses none of their ends wrongly.
    """
    with_contracts = np.bincount(coins[0], coins[3] != 0.0, accounts) > 0.0
    counts = [np.bincount(part[0], minlength=accounts) for part in (legs, coins)]
    firsts = [np.cumsum(count) - count for count in counts]
    widest = int(counts[1].max(initial=0)) + 1
    shapes, shape = np.unique((counts[0] * widest + counts[1]) * 2 + with_contracts, return_inverse=True)
    rows = np.argsort(shape, kind="stable")
    start = np.searchsorted(shape[rows], np.arange(shapes.size + 1)).astype(np.int64)
    wide, coins_wide = shapes // 2 // widest, shapes // 2 % widest
    piece = np.empty(legs[0].size + coins[0].size, dtype=np.uint16)
    contracts = np.empty(int((np.diff(start) * coins_wide * (shapes % 2)).sum()))
    whole = Whole(wide, coins_wide, coins_wide * (shapes % 2), start, rows, np.empty(legs[0].size), np.empty(coins[0].size), contracts, cash[rows], cost[rows])
    orders = [np.argsort(part[0], kind="stable") for part in (legs, coins)]
    groups, used = [], [0, 0, 0, 0]

    def view(of: Columns, n: int, width: int, size: int) -> Columns:
        used[n] += width * size
        return of[used[n] - width * size : used[n]].reshape(size, width)

    for g in range(shapes.size):
        mine = slice(start[g], start[g + 1])
        found: list[Columns] = []
        for n, (part, amounts, width) in enumerate(((legs, whole.leg, int(wide[g])), (coins, whole.coins, int(coins_wide[g])))):
            place = orders[n][firsts[n][rows[mine]][:, None] + np.arange(width)]
            found += [view(amounts, n, width, place.shape[0]), view(piece, 2, width, place.shape[0])]
            found[-2][:], found[-1][:] = part[2][place], part[1][place]
        paid = view(contracts, 3, int(whole.contracts_each[g]), place.shape[0])
        paid[:] = coins[3][place[:, : paid.shape[1]]]
        groups.append(Group(rows[mine], found[0], found[1], found[2], paid, found[3], whole.cash[mine], whole.cost[mine]))
    return tuple(groups), whole, piece


def _members(groups: tuple[Group, ...], piece: NDArray[np.uint16], pieces: Pieces) -> Members:
    """Return the amounts sorted by family and size; those that move with a price (coins paid by contracts) are not among them."""
    first = np.sort(np.concatenate([[FIXED], pieces.first_of_market, pieces.first_of_flat, pieces.first_of_asset])).astype(np.int64)
    amounts, places, families, used = [], [], [], 0
    for group in groups:
        for amount, stays in ((group.leg, True), (group.coins, group.contracts.shape[1] == 0)):
            if stays:
                amounts.append(amount.ravel())
                places.append(np.arange(used, used + amount.size))
            used += amount.size
    amount, place = np.concatenate([np.zeros(0), *amounts]), np.concatenate([np.zeros(0, dtype=np.int64), *places])
    families = np.searchsorted(first, piece[place], side="right") - 1
    order = np.lexsort((amount, families))
    start = np.searchsorted(families[order], np.arange(first.size + 1)).astype(np.int64)
    bound = np.zeros(pieces.up_to.size, dtype=np.int64)
    lowest = first[np.searchsorted(first, np.arange(bound.size), side="right") - 1]
    return Members(np.append(first, pieces.up_to.size), amount[order], place[order], start, bound, piece, lowest)


def value_mixed(book: MixedBook, prices: Prices, out: Floats, pool: ThreadPoolExecutor | None = None, parts: int = 1) -> None:
    """Write what backs each account and what it owes or must have [accounts, 2], in USD, in the book's order (`book.whole.row` names the callers' accounts).

    Under MAINTENANCE they are equity and requirement, under DEBTS and LOANS collateral as counted and debts.
    """
    table, per_contract, up_to = priced(book.pieces, prices)
    members, settle = book.members, int(book.pieces.first_of_asset[book.rules.settles_in])
    margin_kernels.move_pieces(members.first, up_to, members.amount, members.place, members.start, members.bound, members.piece)
    price = float(prices.asset[book.rules.settles_in])

    def work(part: int, _: int) -> None:
        margin_kernels.value_groups(part, parts, *book.whole, members.piece, members.lowest, table, per_contract, up_to, settle, price, out)

    _in_threads(work, parts, pool, parts)


def empty_results(book: MixedBook) -> Floats:
    """Return an array that fits `value_mixed`."""
    return np.zeros((book.accounts, 2))


def values_by_account(book: MixedBook, prices: Prices) -> tuple[Floats, Floats]:
    """Return what backs each account and what it owes or must have [accounts] in USD, in the callers' order."""
    results, ordered = empty_results(book), empty_results(book)
    value_mixed(book, prices, results)
    ordered[book.whole.row] = results
    return ordered[:, margin_kernels.HAS].copy(), ordered[:, margin_kernels.MUST_HAVE].copy()


def slack_of(rules: BookRules, backing: Floats, owed: Floats) -> Floats:
    """Return the distance to the line in USD; at zero (where equality counts) or below an account is liquidated."""
    return rules.line * backing - owed if rules.measure == LOANS else backing - rules.line * owed
