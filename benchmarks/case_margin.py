"""Margin of whole books: one-leg accounts, and accounts of one to five perps with up to two pledged or borrowed coins.

Physical estimate. One leg: quantity and rest are read (16 bytes); who is hit is written (next to nothing), or equity and requirement (16 bytes).
Many legs: an amount and the number of its piece per entry (10 bytes), cash and cost per account (16 bytes), backing and requirement written (16 bytes).
The table of priced pieces stays in cache and is not counted. The bar (1.5 times the estimate) holds for one thread. Two hardware threads of one core read
nearly twice as much memory as one, but do not reckon more: there an entry's six instructions (four of them load) are the limit, and the ratio on two threads says
so beside "reckon" at the end of the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from harness import THREADS, Work, case

from waxline.accounts import margin_book
from waxline.accounts.margin_book import Balances, BookRules, Legs, Prices
from waxline.accounts.rules_tiers import deductions

MARKETS, ASSETS = 200, 40
CAPS = [5e3, 5e4, 2e5, 6e5, 1e6, 3e6, 6e6, 1e7, 3e7, np.inf]
RATES = [0.004, 0.005, 0.0065, 0.01, 0.02, 0.025, 0.05, 0.1, 0.125, 0.25]
BANDS, RATIOS = [1e5, 1e6, 1e7, np.inf], [0.95, 0.9, 0.8, 0.5]


def rules() -> BookRules:
    """Return the rules of a venue with 200 perps of ten tiers and 40 assets of four bands; asset 0 is cash."""
    band_end, band_ratio = np.tile(BANDS, (ASSETS, 1)), np.tile(RATIOS, (ASSETS, 1))
    band_end[0], band_ratio[0] = np.inf, 1.0
    amounts = deductions([0.0, *CAPS[:-1]], RATES)
    tiers = [np.tile(row, (MARKETS, 1)) for row in (CAPS, RATES, amounts)]
    flags, none = np.zeros(MARKETS, dtype=bool), np.zeros(MARKETS, dtype=np.int64)
    return BookRules(*tiers, flags, none, band_end, band_ratio, np.zeros(ASSETS, dtype=bool), 0, debt_rate=0.1, line=1.05)


@case("margin", small=100_000, medium=2_000_000, large=10_000_000)
def margin(size: int, pool: ThreadPoolExecutor) -> Iterator[Work]:
    """Yield the work on `size` one-leg accounts, then on a quarter as many accounts with four entries on average."""
    rng = np.random.Generator(np.random.PCG64(20251010))
    venue, mark, price = rules(), np.exp(rng.normal(3.0, 2.0, MARKETS)), np.exp(rng.normal(3.0, 2.0, ASSETS))
    price[0] = 1.0
    popular = 1.0 / np.arange(1, MARKETS + 1)
    yield from _one_leg(size, pool, rng, venue, mark, popular / popular.sum())
    yield from _many_legs(size // 4, pool, rng, venue, Prices(mark, price), popular / popular.sum())


def _one_leg(size: int, pool: ThreadPoolExecutor, rng: np.random.Generator, venue: BookRules, mark: np.ndarray, popular: np.ndarray) -> Iterator[Work]:
    market = rng.choice(MARKETS, size, p=popular)
    quantity = rng.choice([-1.0, 1.0], size) * np.exp(rng.normal(7.0, 2.0, size)) / mark[market]
    # Initial margin above the highest maintenance rate: a few in a thousand are at their line, as in a calm market.
    cash = np.abs(quantity) * mark[market] * rng.uniform(0.262, 1.0, size)
    book = margin_book.one_leg_book(market, quantity, mark[market], cash, venue)
    equity, required = np.zeros(size), np.zeros(size)
    for threads in (1, THREADS):
        threaded = pool if threads > 1 else None
        bar = 400e6 if threads > 1 else None
        yield Work(
            "one leg: who is at the line",
            "positions",
            size,
            lambda threaded=threaded, threads=threads: margin_book.check_one_leg(book, venue, mark, threaded, threads),
            16 * size,
            0,
            threads,
            bar,
        )
        yield Work(
            "one leg: equity and requirement",
            "positions",
            size,
            lambda threaded=threaded, threads=threads: margin_book.value_one_leg(book, venue, mark, equity, required, threaded, threads),
            16 * size,
            16 * size,
            threads,
            bar,
        )


def _many_legs(size: int, pool: ThreadPoolExecutor, rng: np.random.Generator, venue: BookRules, prices: Prices, popular: np.ndarray) -> Iterator[Work]:
    account = np.repeat(np.arange(size), rng.integers(1, 6, size))
    market = rng.choice(MARKETS, account.size, p=popular)
    quantity = rng.choice([-1.0, 1.0], account.size) * np.exp(rng.normal(7.0, 2.0, account.size)) / prices.mark[market]
    entry = prices.mark[market] * np.exp(rng.normal(0.0, 0.05, account.size))
    holder = np.repeat(np.arange(size), rng.integers(0, 3, size))
    asset = rng.integers(1, ASSETS, holder.size)
    coins = np.exp(rng.normal(7.0, 2.0, holder.size)) * rng.choice([-0.2, 1.0, 1.0, 1.0], holder.size) / prices.asset[asset]
    cash = np.exp(rng.normal(7.0, 2.0, size)) * rng.choice([-0.5, 1.0, 1.0, 1.0], size)
    held = (np.concatenate([holder, np.arange(size)]), np.concatenate([asset, np.zeros(size, dtype=np.int64)]), np.concatenate([coins, cash]))
    book = margin_book.mixed_book(size, Legs(account, market, quantity, entry, np.zeros(account.size)), Balances(*held), venue)
    results = margin_book.empty_results(book)
    entries = sum(group.leg.size + group.coins.size for group in book.groups)
    fallen = Prices(prices.mark * 0.999, np.where(np.arange(ASSETS) > 0, prices.asset * 0.999, 1.0))

    def alternate() -> object:
        n = 0
        while True:
            n += 1
            yield (prices, fallen)[n % 2]

    moving = alternate()
    for threads in (1, THREADS):
        threaded = pool if threads > 1 else None
        for name, at in (("same prices", None), ("prices 0.1 % apart", moving)):

            def run(at: object = at, threaded: ThreadPoolExecutor | None = threaded, threads: int = threads) -> None:
                now = prices if at is None else next(at)  # type: ignore[call-overload]
                margin_book.value_mixed(book, now, results, threaded, threads)

            yield Work(f"many legs: {name}", "entries", entries, run, 10 * entries + 16 * size, 16 * size, threads, None, 1.5 if threads == 1 else None)
