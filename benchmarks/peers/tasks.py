"""The tasks, stated so that every contestant gets the same numbers; and what must be equal in what they find.

"At the line": cash + quantity * (mark - entry) <= 2 % of |quantity| * mark. Who is at the line in a step is named in that step and is out from then on. The work
of a task about accounts is an answer per account and step: "is it at its line?", for those not yet out; who looks at everybody and who knows
that nobody's price was crossed give the same answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import case_watch
import numpy as np

from waxline.market.ladder import maker_ladder

RATE, ENTRY_USD = 0.02, 100.0
LEVELS, GRID, MAKER_SCALE = 300, 1e-4, (3, 2)
PER_STEP = 1_000
PRICE_UNIT_USD = 1e-6
SAME_TRADES = {"filled": 1e-9, "cash": 2e-8, "bid": 2e-8, "ask": 2e-8}
"""Relative: prices of the venues with whole ticks are rounded to 1e-6 USD."""
PATHS, PATH_STEPS, TRADERS = 100, 7_200, 2_000


class Task(NamedTuple):
    """Hold a task: its statement, the unit of its work, arrays it gives, and which arrays found must be equal (name -> relative difference allowed)."""

    name: str
    statement: str
    unit: str
    inputs: dict[str, np.ndarray]
    equal: dict[str, float]
    amount: Callable[[dict[str, np.ndarray]], int]


def seeded(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def one_leg(size: int, prices: np.ndarray) -> dict[str, np.ndarray]:
    """Return accounts with one position each (seven in ten long) and 3 to 100 % of its size above the maintenance margin, amounts in few decimals."""
    rng = seeded(20251010)
    side = np.where(rng.random(size) < 0.7, 1.0, -1.0)
    quantity = side * np.round(0.01 + np.exp(rng.normal(1.0, 1.5, size)), 3)
    cash = np.round(np.abs(quantity) * ENTRY_USD * (RATE + rng.uniform(0.03, 1.0, size)), 4)
    return {"quantity": quantity, "cash": cash, "prices": np.round(prices, 4), "rate": np.array(RATE), "entry": np.array(ENTRY_USD)}


def answers(found: dict[str, np.ndarray], steps: int) -> int:
    """Return how many answers were given: per account the steps until it was out."""
    at = found["found_step"]
    return int(np.where(at >= 0, at + 1, int(found.get("steps", steps))).sum())


def account_tasks(size: int, steps: int) -> list[Task]:
    """Return the tasks of accounts with one position in one market: a calm hour, and a fall by a third that takes two in ten."""
    calm = ENTRY_USD * (1.0 + 0.01 * np.sin(np.arange(steps) / 7.0) * seeded(3).random(steps))
    fall = ENTRY_USD * np.exp(np.linspace(0.0, np.log(0.67), steps) + 0.002 * seeded(4).normal(0.0, 1.0, steps))
    head = f"{size:,} accounts with one position each in one market, {steps} given prices: name who is at the line, step by step"
    return [
        Task(name, f"{head}; {what}", "answers", one_leg(size, prices), {"found_step": 0.0}, lambda found: answers(found, steps))
        for name, prices, what in (("idle", calm, "nobody ever is"), ("cascade", fall, "prices fall by a third; nobody's sale moves them"))
    ]


def many_markets(size: int) -> Task:
    """Return the task of accounts with up to five positions in 200 markets during a crash."""
    mark = np.exp(seeded(1).normal(3.0, 2.0, case_watch.MARKETS))
    people = case_watch.population(size, mark)
    _, once = np.unique(people.account * case_watch.MARKETS + people.market, return_index=True)
    people = people._replace(account=people.account[once], market=people.market[once], quantity=people.quantity[once])
    begin = case_watch.STEPS // 4
    prices = np.ascontiguousarray(case_watch.path(True, mark)[begin - 50 : begin + 350, :-1])
    inputs = {**people._asdict(), "entry": mark[people.market], "mark": mark, "prices": prices, "rate": np.array(case_watch.RATE)}
    statement = (
        f"{size:,} accounts with one to five positions in 200 markets, {len(prices)} given rows of prices, 300 of them a crash by half: "
        "name who is at the line, step by step"
    )
    return Task("many markets", statement, "answers", inputs, {"found_step": 0.0}, lambda found: answers(found, len(prices)))


def traders(paths: int) -> Task:
    """Return the task that has the shape of dex-sim's example."""
    statement = (
        f"{paths} price paths of {PATH_STEPS:,} minutes, made as part of the work, {TRADERS:,} traders with one position each on every path: "
        "name who is at the line, minute by minute"
    )
    inputs = one_leg(TRADERS, np.zeros(1)) | {"paths": np.array(paths), "steps": np.array(PATH_STEPS)}
    return Task("paths", statement, "answers", inputs, {"found_step": 0.0}, lambda found: answers(found, PATH_STEPS))


def book() -> dict[str, np.ndarray]:
    """Return a book of two makers of 300 levels a side around 100 USD: levels (log price in steps of the grid), lots of each maker on each, best first."""
    offset, usd = maker_ladder(1e7, GRID, 2e-4, 0.06, 0.67, LEVELS)
    lots = np.maximum(np.round(usd / usd.sum() * 3e6), 1.0)
    return {"offset": offset, "lots": lots, "scale": np.array(MAKER_SCALE), "grid": np.array(GRID), "unit": np.array(PRICE_UNIT_USD)}


def order_flow(name: str, steps: int, per_step: int) -> Task:
    """Return the task of many market orders through one book that is posted once."""
    rng, shown = seeded(5), book()
    mean = 0.6 * shown["lots"].sum() * sum(MAKER_SCALE) / (steps / 2 * per_step)
    size = rng.integers(1, max(int(2.0 * mean), 2), (steps, per_step))
    centre = np.full(1, round(np.log(100.0) / GRID))
    many = f"{per_step:,} in a step, all sells and all buys in turn" if per_step > 1 else "a sell and a buy in turn, each a step of its own"
    statement = (
        f"{size.size:,} market orders through one book of 1,200 resting orders (two makers of 300 levels a side, posted once), {many}, "
        "deep into the book: how much is filled, for how many USD, and the best prices after each step"
    )
    inputs = shown | {"centre": centre, "size": size}
    return Task(name, statement, "orders", inputs, SAME_TRADES, lambda found: found["filled"].size * per_step)


def requoted(steps: int) -> Task:
    """Return the task of a book that is quoted anew in every step and then hit by one order."""
    rng, shown = seeded(6), book()
    wander = np.cumsum(rng.integers(-3, 4, steps))
    depth = shown["lots"].sum() * sum(MAKER_SCALE)
    statement = (
        f"{steps:,} steps: two makers take 300 levels a side back and post them anew around a price that wanders, then one market order of up to a quarter of a side "
        "arrives, a sell and a buy in turn: how much is filled, for how many USD, and the best prices after it"
    )
    inputs = shown | {"centre": round(np.log(100.0) / GRID) + wander, "size": rng.integers(1, int(depth / 4), (steps, 1))}
    return Task("re-quoted", statement, "market-steps", inputs, SAME_TRADES, lambda found: found["filled"].size)


SIZES: dict[str, dict[str, Any]] = {
    "tiny": {"accounts": (500, 20), "many": 200, "paths": 1, "flow": 4, "single": 200, "requoted": 4},
    "small": {"accounts": (20_000, 200), "many": 10_000, "paths": 5, "flow": 100, "single": 50_000, "requoted": 100},
    "medium": {"accounts": (100_000, 200), "many": 100_000, "paths": 100, "flow": 1_000, "single": 500_000, "requoted": 1_000},
}


def build(size: str) -> list[Task]:
    """Return all tasks at a size."""
    one = SIZES[size]
    return [
        *account_tasks(*one["accounts"]),
        many_markets(one["many"]),
        traders(one["paths"]),
        order_flow("order flow", one["flow"], PER_STEP),
        order_flow("one by one", one["single"], 1),
        requoted(one["requoted"]),
    ]
