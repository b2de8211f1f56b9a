"""lrvx (FLOX until 0.10): the liquidation engine of a trading toolbox in C++; `on_mark` looks at every position of a symbol."""

from __future__ import annotations

from collections.abc import Callable

import lrvx
import numpy as np
from contest import Found, Inputs, serve

PART_LOOKS = 20_000
"""Accounts times rows of prices that are done where accounts have positions in many markets."""


def one_leg(inputs: Inputs) -> Callable[[], Found]:
    """Give the engine isolated positions, one tier and an insurance fund without end; no executor, so that sales move no price."""
    engine = lrvx.LiquidationEngine()
    engine.add_tier(0.0, float(inputs["rate"]))
    engine.set_insurance_fund_capital(1e15)
    engine.set_adl_enabled(False)
    entry = float(inputs["entry"])
    for n, (quantity, cash) in enumerate(zip(inputs["quantity"].tolist(), inputs["cash"].tolist(), strict=True)):
        engine.open_position(n, 0, quantity, entry, cash)
    prices = inputs["prices"].tolist()

    def run() -> Found:
        hits = [engine.on_mark(0, mark)["liquidated"] for mark in prices]
        found = np.full(inputs["cash"].size, -1, dtype=np.int64)
        for t, rows in enumerate(hits):
            found[rows] = t
        return {"found_step": found}

    return run


def many_markets(inputs: Inputs) -> Callable[[], Found]:
    """Give the engine cross-margin accounts. It closes one position at a time; the rest of an account is taken out here, as the task says."""
    engine = lrvx.LiquidationEngine()
    engine.add_tier(0.0, float(inputs["rate"]))
    engine.set_insurance_fund_capital(1e15)
    engine.set_adl_enabled(False)
    accounts = [lrvx.Account(n, cash) for n, cash in enumerate(inputs["cash"].tolist())]
    mark = inputs["mark"].tolist()
    columns = [inputs[name].tolist() for name in ("account", "market", "quantity", "entry")]
    for account, market, quantity, entry in zip(*columns, strict=True):
        accounts[account].open_position(market, quantity, entry)
        accounts[account].set_mark(market, mark[market])
    for one in accounts:
        one.set_margin_mode("cross")
        engine.attach_account(one)
    rows = [list(enumerate(row)) for row in inputs["prices"][: max(PART_LOOKS // len(accounts), 1)].tolist()]

    def run() -> Found:
        found = np.full(len(accounts), -1, dtype=np.int64)
        for t, row in enumerate(rows):
            for account in set(engine.on_marks(row)["liquidated"]):
                found[account] = t
                engine.detach_account(account)
        return {"found_step": found, "steps": np.array(len(rows))}

    return run


if __name__ == "__main__":
    serve(("lrvx", "numpy"), 1, {"idle": one_leg, "cascade": one_leg, "many markets": many_markets})
