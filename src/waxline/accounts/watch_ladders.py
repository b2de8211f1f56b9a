"""Watch ladders: who needs a look when prices have moved, without looking at everybody.

From the slack of an account and the steepest slopes of what it holds follows how far each price may move before the account can be at its line. The slack is
split over the prices; each part becomes a watch level on the ladder of that price and side. A step looks only at accounts with a crossed level, by the
sums of the full sweep (`margin_kernels`): who is at the line is found in the same step, to the bit. Whatever else changes an account
(a partial close, a top-up, funding, new rules) is followed by a new look at it: `look_again`, `change_rules`.

Coin-margined contracts depend on two prices at once, and requirements that jump or grow faster than the equity behind them have no steepest slope:
accounts with such entries are looked at in every step. Decision 0016 says why it is built as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from waxline.accounts import watch_arming, watch_kernels
from waxline.accounts.margin_book import BookRules, MixedBook, Prices
from waxline.accounts.margin_kernels import ROW
from waxline.accounts.tables import Floats, Ints
from waxline.accounts.watch_slopes import WatchRules, watch_rules

BITS = 9
"""Buckets per doubling of a price are 2 ** BITS (0.1 to 0.2 % each), fewer where few accounts share many ladders."""

OCTAVES_DOWN, OCTAVES_UP = 8, 3
"""Buckets span prices from 1/256 to 8 times those at arming; what lies beyond shares the last bucket, which is right and slow."""

HEAD_BYTES = 20
"""The buckets of all ladders may take this many bytes per account."""

CROSSED = 32_768
"""Crossed levels that are looked at in one go."""

PRICE_MIN_USD, PRICE_MAX_USD = 1e-30, 1e30


class Shapes(NamedTuple):
    """Hold where the accounts of each of G shapes lie: L, C and whether with contracts [G]; first account, entry and number [G + 1]."""

    legs: Ints
    coins: Ints
    contracts: Ints
    account: Ints
    entry: Ints
    number: Ints


class Records(NamedTuple):
    """Hold the accounts: numbers [Z] (cost, legs, coins, cash, contracts of each), family [E] and key [E] of each entry (legs, coins, cash).

    every_step: accounts that are looked at in every step. Keys as in `watch_kernels`.
    """

    number: Floats
    family: NDArray[np.uint16]
    key: NDArray[np.int32]
    every_step: Ints


class Priced(NamedTuple):
    """Hold the pieces at the prices of a call: table [K, 4], one over the mark of contracts [K], ends in coins [K], and the call that priced a family last [F]."""

    table: Floats
    per_contract: Floats
    up_to: Floats
    priced_at: Ints


class Chains(NamedTuple):
    """Hold the ladders: bucket [2 P, B, 2], highest bucket in use [2 P] and key of the first [2 P], chunks [N, 16], bits of a key below its bucket."""

    bucket: NDArray[np.int32]
    top: Ints
    base: Ints
    chunk: NDArray[np.int32]
    shift: int


class Spare(NamedTuple):
    """Hold the room a step works in; nothing in it outlives a call."""

    crossed: NDArray[np.int32]
    crossed_key: NDArray[np.int32]
    account: NDArray[np.int32]
    sorted: NDArray[np.int32]
    start: Ints
    next: Ints
    leg: Floats
    leg_piece: NDArray[np.uint16]
    coins: Floats
    coins_piece: NDArray[np.uint16]
    contracts: Floats
    cash: Floats
    cost: Floats
    settled: Floats
    worth: Floats
    sigma: Floats
    loss: Floats
    part: Floats
    fresh_entry: NDArray[np.int32]
    fresh_ladder: NDArray[np.int32]
    fetched: NDArray[np.int32]


@dataclass
class Watch:
    """Hold armed accounts: `row` names the caller's account of each, `place` the reverse [accounts]; `prices` [P] marks, then assets, where they stand."""

    row: NDArray[np.int32]
    place: NDArray[np.int32]
    prices: Floats
    markets: int
    shapes: Shapes
    book: Records
    rules: WatchRules
    now: Priced
    chains: Chains
    spare: Spare
    counters: Ints
    found: NDArray[np.int32]
    flagged: NDArray[np.bool_]

    def state(self) -> tuple[Any, ...]:
        """Return what the kernels take: shapes, records, rules, priced pieces, chains, room, counters, found accounts."""
        return self.shapes, self.book, self.rules, self.now, self.chains, self.spare, self.counters, self.found

    def memory(self) -> dict[str, int]:
        """Return bytes: of the records, of the levels in chains, of the heads of the buckets, of the rest that grows with accounts, of working room."""
        return {
            "records": self.book.number.nbytes + self.book.family.nbytes + self.book.key.nbytes,
            "chains": self.chains.chunk.nbytes,
            "heads": self.chains.bucket.nbytes,
            "rows": self.row.nbytes + self.place.nbytes + self.found.nbytes + self.book.every_step.nbytes,
            "room": sum(column.nbytes for column in self.spare),
        }


def all_prices(prices: Prices) -> Floats:
    """Return marks and asset prices in one row [P]; raises ValueError where one is not between 1e-30 and 1e30 USD."""
    found = np.concatenate([prices.mark, prices.asset]).astype(np.float64)
    _check_prices(found)
    return found


def _check_prices(prices: Floats) -> None:
    if not bool(((prices >= PRICE_MIN_USD) & (prices <= PRICE_MAX_USD)).all()):
        raise ValueError(f"prices must lie in [{PRICE_MIN_USD:g}, {PRICE_MAX_USD:g}] USD, were {prices.min():g} to {prices.max():g}")


def arm(book: MixedBook, prices: Prices, volatility: Prices, bits: int | None = None) -> tuple[Watch, Ints]:
    """Return the armed watch and the rows of the accounts that are at their line already (they are not watched).

    `book` is read, not kept; prices in USD; volatility as in `watch_rules`; bits: see `BITS`. Raises ValueError as `all_prices` and `watch_rules` do.
    """
    at = all_prices(prices)
    rules, flagged = watch_rules(book.rules, volatility)
    legs, coins, has = (
        np.array([value(group) for group in book.groups], dtype=np.int64)
        for value in (lambda group: group.leg.shape[1], lambda group: group.coins.shape[1], lambda group: group.contracts.shape[1] > 0)
    )
    sizes = np.array([group.row.size for group in book.groups], dtype=np.int64)
    wide = legs + coins + 1
    bounds = [np.concatenate([[0], np.cumsum(sizes * width)]).astype(np.int64) for width in (np.ones_like(sizes), wide, wide + 1 + has * coins)]
    shapes = Shapes(legs, coins, has, *bounds)
    assert bounds[1][-1] < np.iinfo(np.int32).max, "entries are numbered with 32 bits"
    number, family = np.empty(int(bounds[2][-1])), np.empty(int(bounds[1][-1]), dtype=np.uint16)
    for g, group in enumerate(book.groups):
        numbers = number[bounds[2][g] : bounds[2][g + 1]].reshape(sizes[g], -1)
        families = family[bounds[1][g] : bounds[1][g + 1]].reshape(sizes[g], -1)
        columns = (group.cost[:, None], group.leg, group.coins, group.cash[:, None], group.contracts)
        np.concatenate(columns, axis=1, out=numbers)
        for begin, piece in ((0, group.leg_piece), (int(legs[g]), group.coins_piece)):
            families[:, begin : begin + piece.shape[1]] = np.searchsorted(rules.first, piece, side="right") - 1
        families[:, -1] = rules.settles_in
    key = np.full(family.size, watch_kernels.REMOVED, dtype=np.int32)
    row = np.concatenate([group.row for group in book.groups]).astype(np.int32) if book.groups else np.zeros(0, dtype=np.int32)
    place = np.full(book.accounts, -1, dtype=np.int32)
    place[row] = np.arange(row.size)
    now = _unpriced(rules)
    chains = _empty_chains(at, row.size, bits)
    spare = _room(int(wide.max(initial=1)), sizes.size)
    records = Records(number, family, key, np.zeros(0, dtype=np.int64))
    found = np.zeros(row.size, dtype=np.int32)
    watch = Watch(row, place, at, book.rules.inverse.size, shapes, records, rules, now, chains, spare, np.zeros(6, dtype=np.int64), found, flagged)
    for g in range(sizes.size):
        _last_keys(watch, g)[:] = watch_kernels.ALIVE
    return watch, _arm_again(watch)


def _last_keys(watch: Watch, g: int) -> NDArray[np.int32]:
    """Return the keys of the last entries of the accounts of shape g, as a view."""
    entry, wide = watch.shapes.entry, int(watch.shapes.legs[g] + watch.shapes.coins[g] + 1)
    return watch.book.key[entry[g] : entry[g + 1]].reshape(-1, wide)[:, -1]


def _arm_again(watch: Watch) -> Ints:
    """Look at everybody alive, build all ladders anew; returns the rows at their line."""
    always = []
    for g in range(watch.shapes.legs.size):
        entry, last = watch.shapes.entry, _last_keys(watch, g)
        without_slope = watch.flagged[watch.book.family[entry[g] : entry[g + 1]]].reshape(last.size, -1)
        bad = without_slope[:, :-1].any(axis=1) | bool(watch.shapes.contracts[g])
        always.append(watch.shapes.account[g] + np.flatnonzero(bad))
        last[last != watch_kernels.REMOVED] = np.where(bad, watch_kernels.EVERY_STEP, watch_kernels.ALIVE)[last != watch_kernels.REMOVED]
    every_step = np.concatenate(always).astype(np.int64) if always else np.zeros(0, dtype=np.int64)
    watch.book = watch.book._replace(every_step=every_step)
    watch.counters[watch_kernels.FOUND] = 0
    watch_arming.look_at_all(watch.prices, *watch.state())
    _build(watch)
    return _rows_found(watch)


def _rows_found(watch: Watch) -> Ints:
    rows: Ints = np.sort(watch.row[watch.found[: watch.counters[watch_kernels.FOUND]]]).astype(np.int64)
    return rows


def _build(watch: Watch) -> None:
    """Build all chains from the levels, in more room where an eighth of it would not stay free."""
    needed = int(watch_arming.count_buckets(watch.shapes, watch.book, watch.rules, watch.chains))
    room = needed + needed // 8 + 2 * watch.spare.fresh_entry.size
    if watch.chains.chunk.shape[0] < room:
        watch.chains = watch.chains._replace(chunk=np.zeros((room, 16), dtype=np.int32))
    watch_arming.build(watch.shapes, watch.book, watch.rules, watch.chains, watch.counters)


def _empty_chains(prices: Floats, accounts: int, bits: int | None) -> Chains:
    ladders, octaves = 2 * prices.size, OCTAVES_DOWN + OCTAVES_UP
    if bits is None:
        bits = BITS
        while bits > 4 and ladders * octaves * 2**bits * 8 > HEAD_BYTES * accounts:
            bits -= 1
    shift = 23 - bits
    low, high = (prices * 2.0**octave for octave in (-OCTAVES_DOWN, OCTAVES_UP))
    base = np.zeros(ladders, dtype=np.int64)
    for side, edges in ((0, low), (1, high)):
        base[side::2] = [watch_kernels.nearest_key(edge, side == 1) >> shift for edge in edges.tolist()]
    bucket = np.full((ladders, octaves * 2**bits, 2), -1, dtype=np.int32)
    return Chains(bucket, np.full(ladders, -1, dtype=np.int64), base, np.zeros((0, 16), dtype=np.int32), shift)


def _room(wide: int, shapes: int) -> Spare:
    block = watch_kernels.BLOCK

    def shorts(size: int) -> NDArray[np.int32]:
        return np.zeros(size, dtype=np.int32)

    def pieces() -> NDArray[np.uint16]:
        return np.zeros(block * wide, dtype=np.uint16)

    def amounts(size: int) -> Floats:
        return np.zeros(size)

    many = block * wide
    return Spare(
        shorts(CROSSED), shorts(CROSSED), shorts(CROSSED), shorts(CROSSED), np.zeros(shapes + 1, dtype=np.int64), np.zeros(shapes + 1, dtype=np.int64),
        amounts(many), pieces(), amounts(many), pieces(), amounts(many), amounts(block), amounts(block), np.zeros((block, 2)), np.zeros((block, 2)),
        amounts(wide), amounts(wide), amounts(wide), shorts(many), shorts(many), shorts(many),
    )  # fmt: skip


def _unpriced(rules: WatchRules) -> Priced:
    size = rules.gives.size
    return Priced(np.zeros((size, ROW)), np.zeros(size), np.zeros(size), np.full(rules.price.size, -1))


def step(watch: Watch, prices: Prices) -> Ints:
    """Bring the watch to `prices` and return the rows at or past their line, rising; they are watched no more until `look_again` names them."""
    return step_row(watch, all_prices(prices))


def step_row(watch: Watch, row: Floats) -> Ints:
    """Do the work of `step` for a row of prices as `all_prices` returns it; marks and assets in one."""
    watch.counters[watch_kernels.FOUND] = 0
    broken = bool(((row != watch.prices) & (watch.rules.sigma == 0.0)).any())
    watch.prices = np.array(row, dtype=np.float64)
    if broken:
        return _arm_again(watch)
    watch_kernels.step(watch.prices, *watch.state())
    if watch.counters[watch_kernels.STATUS] == watch_kernels.FULL:
        _build(watch)
    return _rows_found(watch)


def watch_path(watch: Watch, path: Floats) -> tuple[Ints, Ints, Ints]:
    """Step along a known path [T, P] and return rows at their line, the step of each (by step, then row), and accounts looked at per step [T].

    Raises ValueError for prices out of bounds and where a price of volatility 0 moves: go step by step there.
    """
    _check_prices(path)
    if bool(((path != watch.prices) & (watch.rules.sigma == 0.0)).any()):
        raise ValueError("a price of volatility 0 moves: give it a volatility, or take `step` by `step`")
    watch.counters[watch_kernels.FOUND] = 0
    found_step, looks = np.zeros(watch.row.size, dtype=np.int32), np.zeros(path.shape[0], dtype=np.int64)
    done = 0
    while done < path.shape[0]:
        done = watch_kernels.steps(done, path, found_step, looks, *watch.state())
        if watch.counters[watch_kernels.STATUS] == watch_kernels.FULL:
            _build(watch)
    if done:
        watch.prices = path[-1].copy()
    count = watch.counters[watch_kernels.FOUND]
    rows, at = watch.row[watch.found[:count]].astype(np.int64), found_step[:count].astype(np.int64)
    order = np.lexsort((rows, at))
    return rows[order], at[order], looks


def record(watch: Watch, row: int) -> Floats:
    """Return the numbers of an account, as a view to change before `look_again`: cost (USD), L legs, C coins, cash, then contracts (USD) of the coins.

    Legs stand in the order the caller gave them, coins by asset; see `margin_book.mixed_book` for what each is.
    """
    account = int(watch.place[row])
    g = int(np.searchsorted(watch.shapes.account, account, side="right")) - 1
    stride = int(watch.shapes.legs[g] + watch.shapes.coins[g] * (1 + watch.shapes.contracts[g])) + 2
    at = int(watch.shapes.number[g]) + (account - int(watch.shapes.account[g])) * stride
    return watch.book.number[at : at + stride]


def look_again(watch: Watch, rows: Ints) -> Ints:
    """Value accounts whose numbers have changed, split their slack anew; returns the rows at their line. Removed accounts are watched again."""
    accounts = np.unique(watch.place[rows])
    again = np.isin(accounts, watch.book.every_step)
    for account, every in zip(accounts.tolist(), again.tolist(), strict=True):
        g = int(np.searchsorted(watch.shapes.account, account, side="right")) - 1
        _last_keys(watch, g)[account - int(watch.shapes.account[g])] = watch_kernels.EVERY_STEP if every else watch_kernels.ALIVE
    watch.counters[watch_kernels.FOUND] = 0
    watch_arming.look_at_some(accounts, watch.prices, *watch.state())
    if watch.counters[watch_kernels.STATUS] == watch_kernels.FULL:
        _build(watch)
    return _rows_found(watch)


def remove(watch: Watch, rows: Ints) -> None:
    """Watch accounts no more; their levels stay in the ladders and are not believed."""
    for account in watch.place[rows].tolist():
        g = int(np.searchsorted(watch.shapes.account, account, side="right")) - 1
        wide = int(watch.shapes.legs[g] + watch.shapes.coins[g] + 1)
        begin = int(watch.shapes.entry[g]) + (account - int(watch.shapes.account[g])) * wide
        watch.book.key[begin : begin + wide] = watch_kernels.REMOVED


def change_rules(watch: Watch, rules: BookRules, volatility: Prices) -> Ints:
    """Put everybody under other rules of the same markets and assets; returns the rows at their line.

    Requirements fixed when the book was laid out (taken on an entry value, or coin-margined) stay: lay the book out anew where these change.
    """
    found, watch.flagged = watch_rules(rules, volatility)
    if found.price.tolist() != watch.rules.price.tolist() or found.settles_in != watch.rules.settles_in:
        raise ValueError("other rules must have the same markets, assets and settlement currency: arm a new watch")
    watch.rules = found
    watch.now = _unpriced(found)
    return _arm_again(watch)
