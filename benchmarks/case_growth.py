"""How time grows with accounts, markets, steps and the share of accounts liquidated: watch ladders, the margin sweep, the books.

One thing changes, the others stay: a tenth of the case's size in accounts, 200 markets, 3,600 steps, the crash of `case_watch`. Accounts, paths and sweeps are
those of `case_watch`, books those of `case_books`, and so are the estimates. Exponents are fitted by least squares to the logarithms of the best time and of what
changes; "end" is the exponent between the last two points, which says more where curves bend.

Share: the fall of the crash is scaled. Far accounts: the same accounts once more, with ten times their size in cash, who are never near the line.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import case_books
import numpy as np
from case_watch import LINE_BYTES, PRICE_BYTES, Population, Watched, path, population, rules
from harness import Work, case

from waxline.accounts import margin_book, watch_ladders
from waxline.accounts.margin_book import Balances, Legs, MixedBook, Prices

MARKETS, STEPS = 200, 3_600
MARKET_COUNTS, STEP_COUNTS, FALLS = (10, 30, 100, 300, 1_000), (900, 1_800, 3_600, 7_200), (0.1, 0.2, 0.4, 0.73, 1.2)
BOOK_STEPS = (125, 250, 500)
PARTS, LEAST = (1_000, 100, 10, 1), 10_000
RUNS = 3


class Point(NamedTuple):
    """Hold a point of a curve: what is timed, what changes, its amount, and the work that times it."""

    curve: str
    axis: str
    amount: float
    work: str


POINTS: list[Point] = []


def named(curve: str, axis: str, amount: float, shown: str) -> str:
    """Note a point and return the name of its work."""
    name = f"{curve}, {shown}"
    POINTS.append(Point(curve, axis, amount, name))
    return name


def marks(count: int) -> np.ndarray:
    return np.exp(np.random.Generator(np.random.PCG64(1)).normal(3.0, 2.0, count))


def book_of(people: Population, mark: np.ndarray) -> MixedBook:
    """Return accounts in the layout of the sweep."""
    size = people.cash.size
    legs = Legs(people.account, people.market, people.quantity, mark[people.market], np.zeros(people.account.size))
    return margin_book.mixed_book(size, legs, Balances(np.arange(size), np.zeros(size, dtype=np.int64), people.cash), rules(mark.size))


def armed(book: MixedBook, mark: np.ndarray) -> watch_ladders.Watch:
    watch, at_line = watch_ladders.arm(book, Prices(mark, np.ones(1)), Prices(np.ones(mark.size), np.zeros(1)))
    assert at_line.size == 0
    return watch


def watch_work(watch: watch_ladders.Watch, prices: np.ndarray, name: str) -> tuple[Work, Watched]:
    """Return the work of watching a path."""
    size, looks_of = watch.row.size, Watched(watch, prices)
    looks_of.run()
    looks = int(looks_of.looks.sum())
    read = 12 * LINE_BYTES * looks + prices.size * PRICE_BYTES
    return Work(name, "account-steps", size * len(prices), looks_of.run, read, 6 * LINE_BYTES * looks, prepare=looks_of.fresh, runs=RUNS), looks_of


def sweep_work(book: MixedBook, mark: np.ndarray, name: str) -> Work:
    """Return the work of valuing everybody once."""
    results = margin_book.empty_results(book)
    entries = sum(group.leg.size + group.coins.size for group in book.groups)
    run = partial(margin_book.value_mixed, book, Prices(mark, np.ones(1)), results)
    return Work(name, "entries", entries, run, 10 * entries + 16 * book.accounts, 16 * book.accounts, runs=3 * RUNS)


def with_far(people: Population, mark: np.ndarray) -> Population:
    """Return accounts and the same once more, with so much cash that they are never near the line."""
    size = people.cash.size
    gross = np.bincount(people.account, np.abs(people.quantity) * mark[people.market], size)
    twice = (np.concatenate([one, one]) for one in (people.market, people.quantity))
    return Population(np.concatenate([people.account, people.account + size]), *twice, np.concatenate([people.cash, people.cash + 10.0 * gross]))


def fitted(found: list[dict[str, Any]]) -> dict[str, float]:
    """Return exponents per curve and axis, the range of what changed, and what doubling far accounts costs."""
    time = {one["name"]: one["wall_s_best"] for one in found}
    curves: dict[tuple[str, str], list[Point]] = {}
    for point in POINTS:
        curves.setdefault((point.curve, point.axis), []).append(point)
    ratios = {}
    for (curve, axis), points in curves.items():
        amount, seconds = np.log([point.amount for point in points]), np.log([time[point.work] for point in points])
        key = f"{curve} by {axis}"
        ratios[f"{key}: exponent"] = float(np.polyfit(amount, seconds, 1)[0])
        ratios[f"{key}: exponent at the end"] = float((seconds[-1] - seconds[-2]) / (amount[-1] - amount[-2]))
        ratios[f"{key}: from"], ratios[f"{key}: to"] = points[0].amount, points[-1].amount
    for kind in ("crash", "calm"):
        ratios[f"watch, {kind}: time with as many far accounts again"] = time[f"watch, {kind}, and far accounts"] / time[f"watch, {kind}, without far accounts"]
    return ratios


def sentences(ratios: dict[str, float]) -> list[str]:
    """Return plainly what grows how."""
    said = []
    for key, exponent in ratios.items():
        if not key.endswith(": exponent"):
            continue
        name = key.removesuffix(": exponent")
        curve, axis = name.rsplit(" by ", 1)
        end, low, high = (ratios[f"{name}: {part}"] for part in ("exponent at the end", "from", "to"))
        said.append(f"{curve}: time {grows(exponent)} {axis} (power {exponent:.2f} from {low:,.3g} to {high:,.3g}, {end:.2f} at the end)")
    for kind in ("crash", "calm"):
        said.append(
            f"watch, {kind}: as many accounts again that are never near the line take {ratios[f'watch, {kind}: time with as many far accounts again']:.2f} times the time"
        )
    return said


def grows(exponent: float) -> str:
    if exponent < 0.15:
        return "hardly depends on"
    if exponent < 0.85:
        return "grows slower than"
    return "grows like" if exponent <= 1.15 else "grows faster than"


@case("growth", small=100_000, medium=1_000_000, large=10_000_000, ratios=fitted, says=sentences)
def growth(size: int, pool: ThreadPoolExecutor) -> Iterator[Work]:
    """Yield points of all curves; the most accounts are `size`."""
    POINTS.clear()
    base, mark = max(size // 10, 10), marks(MARKETS)
    paths = {"crash": path(True, mark), "calm": path(False, mark)}
    for count in sorted({max(size // part, 10) for part in PARTS if size // part >= LEAST or part <= 10}):
        book = book_of(population(count, mark), mark)
        yield sweep_work(book, mark, named("margin sweep", "accounts", count, f"{count:,} accounts"))
        name = named("arming", "accounts", count, f"{count:,} accounts")
        yield Work(name, "accounts", count, partial(armed, book, mark), 700 * count, 500 * count, runs=RUNS)
        watch = armed(book, mark)
        for kind, prices in paths.items():
            yield watch_work(watch, prices, named(f"watch, {kind}", "accounts", count, f"{count:,} accounts"))[0]
    for count in MARKET_COUNTS:
        few = marks(count)
        book = book_of(population(base, few), few)
        yield sweep_work(book, few, named("margin sweep", "markets", count, f"{count:,} markets"))
        watch = armed(book, few)
        for kind, crash in (("crash", True), ("calm", False)):
            yield watch_work(watch, path(crash, few), named(f"watch, {kind}", "markets", count, f"{count:,} markets"))[0]
        world = case_books.build_world(count, False, 0.0, 20251010)
        steps = count * case_books.STEPS
        yield Work(
            named("books", "markets", count, f"{count:,} markets"), "market-steps", steps, partial(case_books.play, world),
            case_books.READ * steps, case_books.WRITTEN * steps, runs=RUNS,
        )  # fmt: skip
    people = population(base, mark)
    watch = armed(book_of(people, mark), mark)
    for count in STEP_COUNTS:
        for kind, crash in (("crash", True), ("calm", False)):
            yield watch_work(watch, path(crash, mark, count), named(f"watch, {kind}", "steps", count, f"{count:,} steps"))[0]
    world = case_books.build_world(MARKETS, False, 0.0, 20251010)
    for count in BOOK_STEPS:
        part = world._replace(fair=world.fair[:count], sells=world.sells[:count], buys=world.buys[:count])
        work = MARKETS * count
        yield Work(
            named("books", "steps", count, f"{count:,} steps"), "market-steps", work, partial(case_books.play, part), case_books.READ * work,
            case_books.WRITTEN * work, runs=RUNS,
        )  # fmt: skip
    for fall in FALLS:
        name = f"watch, a fall of {1.0 - np.exp(-fall):.0%}"
        work, watched = watch_work(watch, path(True, mark, STEPS, fall), name)
        POINTS.append(Point("watch, crash", "share liquidated", watched.rows.size / base, name))
        yield work
    twice = armed(book_of(with_far(people, mark), mark), mark)
    for kind, prices in paths.items():
        yield watch_work(watch, prices, f"watch, {kind}, without far accounts")[0]
        yield watch_work(twice, prices, f"watch, {kind}, and far accounts")[0]
