"""The scripts a desk would write: everybody is looked at in every step, in columns, with NumPy or Polars."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from contest import Found, Inputs, serve


def random_path(n: int, steps: int, start: float) -> np.ndarray:
    """Return prices of path n [steps]: minutes with fat tails, about 80 % volatility a year."""
    rng = np.random.Generator(np.random.PCG64([20251010, n]))
    return start * np.exp(np.cumsum(8e-4 * rng.standard_t(4.0, steps)))


def numpy_one_leg(inputs: Inputs) -> Callable[[], Found]:
    quantity, entry, rate = inputs["quantity"], float(inputs["entry"]), float(inputs["rate"])

    def run() -> Found:
        cash, size = inputs["cash"].copy(), np.abs(quantity)
        found = np.full(cash.size, -1, dtype=np.int64)
        for t, mark in enumerate(inputs["prices"].tolist()):
            hit = cash + quantity * (mark - entry) <= rate * size * mark
            if hit.any():
                found[hit] = t
                cash[hit] = np.inf
        return {"found_step": found}

    return run


def numpy_many(inputs: Inputs) -> Callable[[], Found]:
    account, market, quantity, prices = (inputs[name] for name in ("account", "market", "quantity", "prices"))
    first = np.searchsorted(account, np.arange(inputs["cash"].size))
    value = quantity - float(inputs["rate"]) * np.abs(quantity)

    def run() -> Found:
        rest = inputs["cash"] - np.add.reduceat(quantity * inputs["entry"], first)
        found = np.full(rest.size, -1, dtype=np.int64)
        for t in range(len(prices)):
            hit = rest + np.add.reduceat(value * prices[t][market], first) <= 0.0
            found[hit] = t
            rest[hit] = np.inf
        return {"found_step": found}

    return run


def numpy_paths(inputs: Inputs) -> Callable[[], Found]:
    """Do the first paths only: every path costs the same."""
    paths = min(int(inputs["paths"]), 5)

    def run() -> Found:
        found = []
        for n in range(paths):
            prices = random_path(n, int(inputs["steps"]), float(inputs["entry"]))
            found.append(numpy_one_leg({**inputs, "prices": prices})()["found_step"])
        return {"found_step": np.array(found)}

    return run


def polars_one_leg(inputs: Inputs) -> Callable[[], Found]:
    import polars as pl

    entry, rate = float(inputs["entry"]), float(inputs["rate"])
    accounts = pl.DataFrame({"account": np.arange(inputs["cash"].size), "quantity": inputs["quantity"], "cash": inputs["cash"]})

    def run() -> Found:
        alive, found = accounts, np.full(accounts.height, -1, dtype=np.int64)
        for t, mark in enumerate(inputs["prices"].tolist()):
            line = pl.col("cash") + pl.col("quantity") * (mark - entry) <= rate * pl.col("quantity").abs() * mark
            hit = alive.filter(line)["account"]
            if hit.len():
                found[hit.to_numpy()] = t
                alive = alive.filter(~line)
        return {"found_step": found}

    return run


def polars_many(inputs: Inputs) -> Callable[[], Found]:
    import polars as pl

    rate, prices = float(inputs["rate"]), inputs["prices"]
    legs = pl.DataFrame({name: inputs[name] for name in ("account", "market", "quantity", "entry")})
    cash = pl.DataFrame({"account": np.arange(inputs["cash"].size), "cash": inputs["cash"]})

    def run() -> Found:
        found = np.full(cash.height, -1, dtype=np.int64)
        alive = legs.join(cash, on="account")
        quantity, mark = pl.col("quantity"), pl.col("mark")
        slack = pl.col("cash").first() + (quantity * (mark - pl.col("entry")) - rate * quantity.abs() * mark).sum()
        for t in range(len(prices)):
            now = alive.with_columns(mark=pl.Series(prices[t]).gather(alive["market"]))
            hit = now.group_by("account").agg(slack=slack).filter(pl.col("slack") <= 0.0)["account"]
            if hit.len():
                found[hit.to_numpy()] = t
                alive = alive.filter(~pl.col("account").is_in(hit.implode()))
        return {"found_step": found}

    return run


NUMPY = {"idle": numpy_one_leg, "cascade": numpy_one_leg, "many markets": numpy_many, "paths": numpy_paths}
POLARS = {"idle": polars_one_leg, "cascade": polars_one_leg, "many markets": polars_many}

if __name__ == "__main__":
    if sys.argv.pop(1) == "numpy":
        serve(("numpy",), 1, NUMPY)
    else:
        import polars

        serve(("polars",), polars.thread_pool_size(), POLARS)
