"""waxline: watch ladders and full sweeps of margin, ladder books; by the package's own functions and kernels."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from contest import Found, Inputs, serve
from desk import random_path

from waxline.accounts import margin_book, watch_ladders
from waxline.accounts.margin_book import Balances, BookRules, Legs, Prices
from waxline.jit import lean
from waxline.market.kernels import EMPTY, best_levels, next_rung, open_side, post_side, walk_side
from waxline.market.sorting import DIGITS, sort_by_limit
from waxline.market.tables import ASK, BID, E_CASH, E_FILLED, E_LIMIT, E_QUANTITY

DUST_LOTS = 1e-6


def rules(markets: int, rate: float) -> BookRules:
    """Return one tier per market and cash that counts in full."""
    tables = [np.full((markets, 1), value) for value in (np.inf, rate, 0.0)]
    none, flags = np.zeros(markets, dtype=np.int64), np.zeros(markets, dtype=bool)
    return BookRules(*tables, flags, none, np.full((1, 1), np.inf), np.ones((1, 1)), np.zeros(1, dtype=bool), 0)


def armed(
    account: np.ndarray, market: np.ndarray, quantity: np.ndarray, entry: np.ndarray, cash: np.ndarray, mark: np.ndarray, rate: float
) -> watch_ladders.Watch:
    """Return accounts with their watch levels in the ladders."""
    legs = Legs(account, market, quantity, entry, np.zeros(account.size))
    balances = Balances(np.arange(cash.size), np.zeros(cash.size, dtype=np.int64), cash)
    book = margin_book.mixed_book(cash.size, legs, balances, rules(mark.size, rate))
    watch, at_line = watch_ladders.arm(book, Prices(mark, np.ones(1)), Prices(np.ones(mark.size), np.zeros(1)))
    assert at_line.size == 0
    return watch


def with_dollar(prices: np.ndarray) -> np.ndarray:
    """Return prices [T, M] with a last column for the dollar."""
    return np.column_stack([prices, np.ones(len(prices))])


def steps_found(size: int, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    found = np.full(size, -1, dtype=np.int64)
    found[rows] = at
    return found


def one_leg_watch(inputs: Inputs) -> watch_ladders.Watch:
    size = inputs["cash"].size
    entry = np.full(size, float(inputs["entry"]))
    return armed(np.arange(size), np.zeros(size, dtype=np.int64), inputs["quantity"], entry, inputs["cash"], entry[:1].copy(), float(inputs["rate"]))


def watch_one_leg(inputs: Inputs) -> Callable[[], Found]:
    watch, prices = one_leg_watch(inputs), with_dollar(inputs["prices"][:, None])

    def run() -> Found:
        rows, at, _ = watch_ladders.watch_path(watch, prices)
        return {"found_step": steps_found(inputs["cash"].size, rows, at)}

    return run


def sweep_one_leg(inputs: Inputs) -> Callable[[], Found]:
    size, prices = inputs["cash"].size, inputs["prices"]
    book_rules = rules(1, float(inputs["rate"]))
    book = margin_book.one_leg_book(np.zeros(size, dtype=np.int64), inputs["quantity"], np.full(size, float(inputs["entry"])), inputs["cash"], book_rules)
    place = np.empty(size, dtype=np.int64)
    place[book.row] = np.arange(size)

    def run() -> Found:
        found = np.full(size, -1, dtype=np.int64)
        for t in range(prices.size):
            rows = margin_book.check_one_leg(book, book_rules, prices[t : t + 1])
            if rows.size:
                found[rows] = t
                book.rest[place[rows]] = np.inf
        return {"found_step": found}

    return run


def watch_many(inputs: Inputs) -> Callable[[], Found]:
    columns = (inputs[name] for name in ("account", "market", "quantity", "entry", "cash", "mark"))
    watch, prices = armed(*columns, float(inputs["rate"])), with_dollar(inputs["prices"])

    def run() -> Found:
        rows, at, _ = watch_ladders.watch_path(watch, prices)
        return {"found_step": steps_found(inputs["cash"].size, rows, at)}

    return run


def watch_paths(inputs: Inputs) -> Callable[[], Found]:
    def run() -> Found:
        found = np.empty((int(inputs["paths"]), inputs["cash"].size), dtype=np.int64)
        for n in range(len(found)):
            prices = random_path(n, int(inputs["steps"]), float(inputs["entry"]))
            rows, at, _ = watch_ladders.watch_path(one_leg_watch(inputs), with_dollar(prices[:, None]))
            found[n] = steps_found(found.shape[1], rows, at)
        return {"found_step": found}

    return run


@lean
def trade(
    size, centre, requote, grid, base, offset, usd, scale, eaten, left, first, place, key, at, owner, entries, cause, order, spare, charge, by_cause, results,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Fill the orders size [T, N] of each step, sells in even steps and buys in odd ones, after quoting anew around centre [T] where `requote`.

    results [4, T]: coins and USD filled, best bid and ask (log) after. The rest as in `market.kernels`, whose order of calls is that of `clear_markets`.
    """
    for t in range(size.shape[0]):
        if requote:
            for s in range(base.shape[1] - 1):
                for side in range(2):
                    base[0, s, side] = centre[t] + (2 * side - 1)
                    post_side(0, s, side, 0, usd, scale, eaten, left, first, scale[0, s, side], 1.0, 1.0, usd.shape[2])
                    place[side, s] = first[0, s, side]
        for side in range(2):
            open_side(0, side, base, offset, usd, scale, eaten, left, place, key)
        row = t % 2
        count = size.shape[1]
        for i in range(count):
            entries[row, E_QUANTITY, i] = size[t, i]
            entries[row, E_LIMIT, i] = -np.inf if row == 0 else np.inf
            entries[row, E_FILLED, i] = 0.0
            entries[row, E_CASH, i] = 0.0
        sort_by_limit(row, count, entries, order, spare)
        side = BID if row == 0 else ASK
        walk_side(0, side, count, order, entries, cause, charge, base, offset, usd, scale, eaten, left, grid, place, key, at, owner, by_cause)
        for i in range(count):
            results[0, t] += entries[row, E_FILLED, i]
            results[1, t] += entries[row, E_CASH, i]
        for side in range(2):  # what rounding has left of a rung is no quote
            for s in range(base.shape[1]):
                k = place[side, s]
                if k < eaten[0, s, side] and left[0, s, side, k] < DUST_LOTS:
                    k = next_rung(0, s, side, 0, k + 1, usd, scale, eaten, left)
                    key[side, s] = (2 * side - 1) * base[0, s, side] + offset[0, 0, k] if k < usd.shape[2] else EMPTY
        bid, ask = best_levels(key)
        results[2, t], results[3, t] = bid * grid, ask * grid


def ladder_book(requote: bool) -> Callable[[Inputs], Callable[[], Found]]:
    """Return the task of a book with two makers and an empty crowd, lots as coins."""

    def task(inputs: Inputs) -> Callable[[], Found]:
        size, centre, rungs, owners = inputs["size"].astype(float), inputs["centre"].astype(np.int64), inputs["lots"].size, 3
        offset, usd = np.zeros((1, 2, rungs), dtype=np.int64), np.zeros((1, 2, rungs))
        offset[0], usd[0] = inputs["offset"], inputs["lots"]
        base = np.repeat(np.array([[[centre[0] - 1, centre[0] + 1]]]), owners, axis=1)
        scale = np.zeros((1, owners, 2))
        scale[0, :2] = inputs["scale"][:, None]
        eaten, first = np.zeros((2, 1, owners, 2), dtype=np.int64)
        left = np.zeros((1, owners, 2, rungs))
        place, key, at = (np.zeros((2, owners), dtype=np.int64) for _ in range(3))
        many = size.shape[1]
        entries, cause, results = np.zeros((2, 5, many)), np.zeros((2, many), dtype=np.int64), np.zeros((4, len(size)))
        order, spare = np.zeros(many, dtype=np.int64), np.zeros((4, max(many, DIGITS)), dtype=np.int64)
        books = (float(inputs["grid"]), base, offset, usd, scale, eaten, left, first, place, key, at, np.zeros((4, owners)))

        def run() -> Found:
            trade(size, centre, requote, *books, entries, cause, order, spare, np.zeros(1), np.zeros(1), results)
            return {"filled": results[0], "cash": results[1], "bid": np.exp(results[2]), "ask": np.exp(results[3])}

        return run

    return task


WATCH = {"idle": watch_one_leg, "cascade": watch_one_leg, "many markets": watch_many, "paths": watch_paths}
SWEEP = {"idle": sweep_one_leg, "cascade": sweep_one_leg}
BOOKS = {"order flow": ladder_book(False), "one by one": ladder_book(False), "re-quoted": ladder_book(True)}

if __name__ == "__main__":
    kind = sys.argv.pop(1)
    serve(("numba", "numpy"), 1, {"watch": WATCH, "sweep": SWEEP, "books": BOOKS}[kind], warm=True)
