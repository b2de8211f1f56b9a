"""Watch ladders against full sweeps: who comes to the line along 3,600 steps, in a crash that liquidates three in ten, and in a calm hour.

The work: every account at its line is found in the step in which it happens, and is out from then on. One thread watches; the sweeps get two. Accounts have
one to five positions (three on average) in 200 markets of very unequal popularity, a fifth hedged, a quarter all short, with 2 to 100 % of their size as slack;
rules are linear (one tier), the sweeps' best case. Arming is set-up and has a row of its own; every run starts from a fresh copy of the armed book.

Sweeps, every step over everybody: "best": grouped by number of legs, columns per leg, one fused loop per width; the dead have infinite cash. "rows": one
compressed row per account in the accounts' order. "NumPy": a table per leg gathered, multiplied and summed with `reduceat`, as a desk would write it.
A step of a sweep costs the same whatever happens, so a part of the 3,600 is timed: `amount` says how many, and rates are compared, not times.

Physical estimate. Sweeps: 10 bytes per leg and 8 per account are read, with rows 8 more per account. Watch: per account looked at about 18 cache lines of
64 bytes at random places: 6 of its record read, per leg its key written and read (3 in all) and a chunk and a bucket's head read and written (6), and
3 read where levels were crossed; per step a price and the two ladders' ends of each market (40 bytes). Arming: per leg its numbers read and written (30 bytes)
and 3 lines at random places. Random lines take longer than the estimate's stream: the ratio says how far from streaming the work is.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from harness import THREADS, Work, case

from waxline.accounts import margin_book, watch_ladders
from waxline.accounts.margin_book import Balances, BookRules, Legs, Prices
from waxline.jit import njit

MARKETS, STEPS, CRASH_STEPS, WIDEST = 200, 3_600, 300, 5
RATE = 0.02
STORMY = 0.001
"""A step is stormy if more than this part of all accounts is looked at; about where a look costs what a sweep on one thread does is 0.008."""
TIMED_STEPS = {"best": 40, "rows": 10, "NumPy": 4}
LINE_BYTES = 64
PRICE_BYTES = 8 + 2 * 16


def rules(markets: int = MARKETS) -> BookRules:
    """Return the rules of perps with one tier and cash that counts in full."""
    tables = [np.full((markets, 1), value) for value in (np.inf, RATE, 0.0)]
    none, flags = np.zeros(markets, dtype=np.int64), np.zeros(markets, dtype=bool)
    return BookRules(*tables, flags, none, np.full((1, 1), np.inf), np.ones((1, 1)), np.zeros(1, dtype=bool), 0)


class Population(NamedTuple):
    """Hold accounts as legs in rising order of account (market, quantity, all entered at today's mark) and cash."""

    account: np.ndarray
    market: np.ndarray
    quantity: np.ndarray
    cash: np.ndarray


def population(size: int, mark: np.ndarray) -> Population:
    """Return `size` accounts in as many markets as there are marks; see the top of the file."""
    rng = np.random.Generator(np.random.PCG64(20251010))
    popular = 1.0 / np.arange(1, mark.size + 1)
    account = np.repeat(np.arange(size), rng.integers(1, WIDEST + 1, size))
    market = rng.choice(mark.size, account.size, p=popular / popular.sum())
    kind = rng.random(size)[account]
    side = np.where(kind < 0.2, rng.choice([-1.0, 1.0], account.size), np.where(kind < 0.44, -1.0, 1.0))
    usd = np.exp(rng.normal(7.0, 2.0, account.size))
    gross = np.bincount(account, usd, size)
    return Population(account, market, side * usd / mark[market], gross * (RATE + rng.uniform(0.02, 1.0, size)))


def path(crash: bool, mark: np.ndarray, count: int = STEPS, fall: float = 0.73) -> np.ndarray:
    """Return prices [count, M + 1] (the last is the dollar): calm, or calm with a fall (log, median market) in 300 steps and a partial rebound."""
    rng = np.random.Generator(np.random.PCG64(7))
    steps = 1e-4 * (rng.normal(0.0, 1.0, (count, 1)) + rng.normal(0.0, 1.0, (count, mark.size)))
    if crash:
        beta = fall / 0.73 * np.exp(rng.normal(0.0, 0.4, mark.size))
        begin = count // 4
        steps[begin : begin + CRASH_STEPS] += -0.73 * beta / CRASH_STEPS + 5e-4 * rng.normal(0.0, 1.0, (CRASH_STEPS, mark.size))
        steps[begin + CRASH_STEPS : begin + 3 * CRASH_STEPS] += 0.3 * beta / (2 * CRASH_STEPS)
    return np.column_stack([mark * np.exp(np.cumsum(steps, axis=0)), np.ones(count)])


@njit
def widths(width, begin, end, constant, market, coefficient, price, hit):  # type: ignore[no-untyped-def]
    """Return how many of accounts begin..end of one width are at their line; hit [K] gets 1 for them. Columns [W, K], fused per width."""
    count = 0
    h, out = constant[begin:end], hit[begin:end]
    m, k = market[:, begin:end], coefficient[:, begin:end]
    if width == 1:
        m0, k0 = m[0], k[0]
        for i in range(h.size):
            one = h[i] + k0[i] * price[m0[i]] <= 0.0
            out[i] = one
            count += one
    elif width == 2:
        m0, m1, k0, k1 = m[0], m[1], k[0], k[1]
        for i in range(h.size):
            one = h[i] + k0[i] * price[m0[i]] + k1[i] * price[m1[i]] <= 0.0
            out[i] = one
            count += one
    elif width == 3:
        m0, m1, m2, k0, k1, k2 = m[0], m[1], m[2], k[0], k[1], k[2]
        for i in range(h.size):
            one = h[i] + k0[i] * price[m0[i]] + k1[i] * price[m1[i]] + k2[i] * price[m2[i]] <= 0.0
            out[i] = one
            count += one
    elif width == 4:
        m0, m1, m2, m3, k0, k1, k2, k3 = m[0], m[1], m[2], m[3], k[0], k[1], k[2], k[3]
        for i in range(h.size):
            one = h[i] + k0[i] * price[m0[i]] + k1[i] * price[m1[i]] + k2[i] * price[m2[i]] + k3[i] * price[m3[i]] <= 0.0
            out[i] = one
            count += one
    else:
        m0, m1, m2, m3, m4, k0, k1, k2, k3, k4 = m[0], m[1], m[2], m[3], m[4], k[0], k[1], k[2], k[3], k[4]
        for i in range(h.size):
            one = h[i] + k0[i] * price[m0[i]] + k1[i] * price[m1[i]] + k2[i] * price[m2[i]] + k3[i] * price[m3[i]] + k4[i] * price[m4[i]] <= 0.0
            out[i] = one
            count += one
    return count


@njit
def sweep_best(width, begin, end, constant, market, coefficient, prices, first_step, hit, row, found_step):  # type: ignore[no-untyped-def]
    """Sweep accounts begin..end of one width along prices [T, P]; writes the step into found_step [accounts], numbered from first_step, and kills the found."""
    for t in range(prices.shape[0]):
        for low in range(begin, end, 2_048):
            high = min(low + 2_048, end)
            if widths(width, low, high, constant, market, coefficient, prices[t], hit) > 0:
                for i in range(low, high):
                    if hit[i]:
                        found_step[row[i]] = first_step + t
                        constant[i] = np.inf


@njit
def sweep_rows(begin, end, first, constant, market, coefficient, prices, first_step, found_step):  # type: ignore[no-untyped-def]
    """Sweep accounts begin..end in compressed rows, first [K + 1]; else as `sweep_best`."""
    for t in range(prices.shape[0]):
        for i in range(begin, end):
            h = constant[i]
            for j in range(first[i], first[i + 1]):
                h += coefficient[j] * prices[t, market[j]]
            if h <= 0.0:
                found_step[i] = first_step + t
                constant[i] = np.inf


def sweep_numpy(first: np.ndarray, constant: np.ndarray, market: np.ndarray, coefficient: np.ndarray, prices: np.ndarray, found_step: np.ndarray) -> None:
    """Sweep everybody along prices [T, P], as a desk would write it."""
    for t in range(prices.shape[0]):
        hit = constant + np.add.reduceat(coefficient * prices[t][market], first) <= 0.0
        found_step[hit] = t
        constant[hit] = np.inf


class Grouped(NamedTuple):
    """Hold the accounts of one width W: caller's row, constant [K], market and coefficient [W, K]."""

    row: np.ndarray
    constant: np.ndarray
    market: np.ndarray
    coefficient: np.ndarray


class Sweeps:
    """Hold the sweeps' books: grouped by width and in rows; a sweep of all steps is one call per thread and width, so that no thread waits for another."""

    def __init__(self, people: Population, mark: np.ndarray, pool: ThreadPoolExecutor) -> None:
        self.size, self.pool = people.cash.size, pool
        self.coefficient = people.quantity - RATE * np.abs(people.quantity)
        self.market = people.market.astype(np.uint16)
        self.constant = people.cash - np.bincount(people.account, people.quantity * mark[people.market], self.size)
        count = np.bincount(people.account, minlength=self.size)
        self.first = np.concatenate([[0], np.cumsum(count)])
        self.groups = []
        for width in range(1, WIDEST + 1):
            row = np.flatnonzero(count == width)
            place = self.first[row] + np.arange(width)[:, None]
            columns = (np.ascontiguousarray(one[place]) for one in (self.market, self.coefficient))
            self.groups.append(Grouped(row, self.constant[row], *columns))
        self.hit = [np.zeros(group.row.size, dtype=np.bool_) for group in self.groups]
        self.fresh()

    def fresh(self) -> None:
        """Bring everybody back to life."""
        self.found_step = np.full(self.size, -1)
        self.alive = self.constant.copy()
        self.alive_groups = [group.constant.copy() for group in self.groups]

    def best(self, prices: np.ndarray) -> None:
        """Sweep on two threads in the best layout."""

        def half(n: int) -> None:
            for group, alive, hit in zip(self.groups, self.alive_groups, self.hit, strict=True):
                bounds = [group.row.size * k // THREADS for k in (n, n + 1)]
                sweep_best(len(group.market), *bounds, alive, group.market, group.coefficient, prices, 0, hit, group.row, self.found_step)

        list(self.pool.map(half, range(THREADS)))

    def rows(self, prices: np.ndarray) -> None:
        """Sweep on two threads in compressed rows."""

        def half(n: int) -> None:
            bounds = [self.size * k // THREADS for k in (n, n + 1)]
            sweep_rows(*bounds, self.first, self.alive, self.market, self.coefficient, prices, 0, self.found_step)

        list(self.pool.map(half, range(THREADS)))

    def numpy(self, prices: np.ndarray) -> None:
        """Sweep as a desk would write it."""
        sweep_numpy(self.first[:-1], self.alive, self.market, self.coefficient, prices, self.found_step)


class Watched:
    """Hold an armed watch and a working copy of it."""

    def __init__(self, armed: watch_ladders.Watch, prices: np.ndarray) -> None:
        self.armed, self.prices = armed, prices
        self.fresh()

    def fresh(self) -> None:
        """Copy the armed watch."""
        self.copy = copy.deepcopy(self.armed)

    def run(self) -> None:
        """Watch the whole path."""
        self.rows, self.at, self.looks = watch_ladders.watch_path(self.copy, self.prices)


def ratios(found: list[dict[str, Any]], notes: dict[str, float]) -> dict[str, float]:
    """Return how many times as many account-steps per second the watch does, crash and calm, and what the storm was."""
    rate = {one["name"]: one["per_s_median"] for one in found}
    given = {f"watch_vs_{name}_sweep": rate["watch, crash"] / rate[f"sweep, {key}"] for name, key in SWEEPS.items()}
    return given | {f"calm_{name}": value * rate["watch, calm"] / rate["watch, crash"] for name, value in given.items()} | notes


SWEEPS = {"compiled": "best", "row": "rows", "numpy": "NumPy"}
NOTES: dict[str, float] = {}


@case("watch", small=20_000, medium=1_000_000, large=10_000_000, ratios=lambda found: ratios(found, NOTES))
def watch(size: int, pool: ThreadPoolExecutor) -> Iterator[Work]:
    """Yield the watch along a crash and a calm hour, arming, and three sweeps."""
    rng = np.random.Generator(np.random.PCG64(1))
    mark = np.exp(rng.normal(3.0, 2.0, MARKETS))
    people = population(size, mark)
    paths = {"crash": path(True, mark), "calm": path(False, mark)}
    legs = Legs(people.account, people.market, people.quantity, mark[people.market], np.zeros(people.account.size))
    balances = Balances(np.arange(size), np.zeros(size, dtype=np.int64), people.cash)
    book = margin_book.mixed_book(size, legs, balances, rules())
    prices, volatility = Prices(mark, np.ones(1)), Prices(np.ones(MARKETS), np.zeros(1))
    start = time.perf_counter()
    armed, none = watch_ladders.arm(book, prices, volatility)
    assert none.size == 0
    NOTES.update(first_arming_s=time.perf_counter() - start, **memory(armed, size))
    count = people.account.size
    yield Work(
        "arming", "legs", count, partial(watch_ladders.arm, book, prices, volatility), (30 + 3 * LINE_BYTES) * count, (30 + 2 * LINE_BYTES) * count, runs=2
    )
    del book
    sweeps = Sweeps(people, mark, pool)
    for name, prices_of in paths.items():
        watched = Watched(armed, prices_of)
        watched.run()
        looks = int(watched.looks.sum())
        stormy = float((watched.looks > STORMY * size).mean())
        NOTES.update({f"{name}_stormy_steps": stormy, f"{name}_looks_per_account": looks / size, f"{name}_liquidated": watched.rows.size / size})
        if name == "crash":
            NOTES["mismatches"] = float(mismatches(sweeps, watched, prices_of))
        yield Work(
            f"watch, {name}", "account-steps", size * STEPS, watched.run,
            12 * LINE_BYTES * looks + STEPS * (MARKETS + 1) * PRICE_BYTES, 6 * LINE_BYTES * looks, 1,
            prepare=watched.fresh, runs=5 if size < 5_000_000 else 2,
        )  # fmt: skip
        del watched
    leg_bytes, one_step = 10 * people.account.size, {"best": 8 * size, "rows": 16 * size, "NumPy": 8 * size}
    for name, work in (("best", sweeps.best), ("rows", sweeps.rows), ("NumPy", sweeps.numpy)):
        steps = TIMED_STEPS[name]
        read = steps * (leg_bytes + one_step[name])
        timed = paths["calm"][:steps]
        threads = 1 if name == "NumPy" else THREADS
        yield Work(f"sweep, {name}", "account-steps", size * steps, lambda work=work, timed=timed: work(timed), read, 0, threads, prepare=sweeps.fresh, runs=5)


def mismatches(sweeps: Sweeps, watched: Watched, prices: np.ndarray) -> int:
    """Return how many accounts the best sweep of the whole path finds in another step than the watch."""
    sweeps.fresh()
    sweeps.best(prices)
    steps = np.full(sweeps.size, -1)
    steps[watched.rows] = watched.at
    return int((steps != sweeps.found_step).sum())


def memory(armed: watch_ladders.Watch, size: int) -> dict[str, float]:
    """Return bytes per account by part, and of an account with three legs in all."""
    parts = armed.memory()
    found = {f"bytes_per_account_{name}": parts[name] / size for name in ("records", "chains", "heads", "rows")}
    # Per account of three legs: 6 numbers, 4 entries, rows; chains and heads as everybody's.
    return found | {
        "bytes_per_three_leg_account": 5 * 8
        + 4 * (2 + 4)
        + found["bytes_per_account_chains"]
        + found["bytes_per_account_heads"]
        + found["bytes_per_account_rows"]
    }
