"""Checks of accounts and of deleveraging: the published book of five positions and the published five accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waxline.accounts import kernels as account_kernels
from waxline.accounts import rules_margin
from waxline.liquidation import rules_deleveraging, rules_sharing
from waxline.verification.court import Check, Computed

Floats = NDArray[np.float64]


def equities_of_positions(inputs: Mapping[str, Any]) -> Computed:
    """Open the positions, pay them the published funding and value them at each published price."""
    start = [float(c) for c in inputs["cash"]]
    figures: dict[str, list[float]] = {}
    received = np.zeros(len(start))
    for n, price in enumerate(inputs["price"], start=1):
        received = received + np.array(inputs["funding"][n - 1])
        equity = valued(inputs["signed"], np.array(start) + received, inputs["entry"], price)
        figures[f"equity_t{n}"] = equity.tolist()
        figures[f"pnl_t{n}"] = (equity - np.array(start)).tolist()
    return Computed(figures)


def valued(signed: Sequence[float], cash: Floats, entry: float, mark: float) -> Floats:
    """Return the equity [N] of accounts with cash and one perp position each, opened at `entry`, by the simulation's valuation."""
    count = cash.size
    position, cost, balance = np.zeros((count, 1)), np.zeros((count, 1)), cash.reshape(count, 1).copy()
    for i, quantity in enumerate(signed):
        account_kernels.trade_portfolio(position, cost, balance, i, 0, 0, True, quantity, quantity * entry)
    equity, maintenance, collateral = np.zeros(count), np.zeros(count), np.zeros(count)
    account_kernels.value_portfolios(
        np.zeros(count, np.int64), balance, position, cost, np.ones((1, 1)), np.zeros(1), np.array([mark]), np.ones((1, 1)), np.zeros(1, np.int64),
        np.ones(1, np.int64), np.full((1, 1), np.inf), np.zeros((1, 1)), np.zeros((1, 1)), np.zeros(count), equity, maintenance, collateral,
    )  # fmt: skip
    return equity


def prices_of_death(inputs: Mapping[str, Any]) -> Computed:
    """Compute bankruptcy and liquidation price of each position."""
    figures: dict[str, list[float]] = {"p_bk": [], "p_liq": []}
    for signed, cash in zip(inputs["signed"], inputs["cash"], strict=True):
        side = 1.0 if signed > 0.0 else -1.0
        figures["p_bk"].append(rules_margin.bankruptcy_price(side, inputs["entry"], cash / abs(signed)))
        figures["p_liq"].append(float(account_kernels.liquidation_price(signed, signed * inputs["entry"], cash, inputs["mu"], 0.0)))
    return Computed(figures)


def queue_and_pro_rata(inputs: Mapping[str, Any]) -> Computed:
    """Take the budget from profits in the order of the queue, and in proportion."""
    equity, profits = inputs["equity"], [max(pnl, 0.0) for pnl in inputs["pnl"]]
    budget = inputs["severity"] * -sum(min(one, 0.0) for one in equity)
    queue = [number - 1 for number in inputs["queue"]]
    in_turn = [0.0] * len(equity)
    for place, taken in zip(queue, rules_deleveraging.taken_in_order([profits[n] for n in queue], budget), strict=True):
        in_turn[place] = taken
    alike = rules_deleveraging.taken_pro_rata(profits, budget)
    return Computed(
        {
            "budget": budget,
            "queue_x": in_turn,
            "queue_post": [one - taken for one, taken in zip(equity, in_turn, strict=True)],
            "pr_factor": alike[0] / profits[0],
            "pr_post": [one - taken for one, taken in zip(equity, alike, strict=True)],
        }
    )


def water_filling(inputs: Mapping[str, Any]) -> Computed:
    """Share a budget in proportion with caps."""
    parts = rules_sharing.capped_parts(inputs["w"], inputs["beta"], inputs["B"])
    return Computed({"eta": max(parts), "h": parts})


CHECKS: dict[str, Check] = {
    "ADL-02-pnl-equity": equities_of_positions,
    "ADL-05-bankruptcy-liq-prices": prices_of_death,
    "ADL-11-queue-vs-prorata": queue_and_pro_rata,
    "ADL-12-capped-waterfill": water_filling,
}
