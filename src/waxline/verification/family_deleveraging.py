"""Checks of accounts and of deleveraging: the published book of five positions and the published five accounts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waxline.accounts import kernels as account_kernels
from waxline.accounts import rules_margin
from waxline.accounts.tables import flat_haircuts
from waxline.liquidation import rules_closing, rules_deleveraging, rules_sharing, rules_waterfall, settling
from waxline.market import resilient_book, rules_price
from waxline.verification.court import Check, Computed

Floats = NDArray[np.float64]


def funding_payments(inputs: Mapping[str, Any]) -> Computed:
    """Compute the funding rates, in the published sign (positive: longs receive), and what each position gets."""
    figures: dict[str, Any] = {"gamma": []}
    for n, (price, outside) in enumerate(zip(inputs["price"], inputs["outside"], strict=True), start=1):
        rate = rules_price.imbalance_funding(inputs["long_share"], price, outside, inputs["kappa"])
        figures["gamma"].append(-rate)
        figures[f"cash_t{n}"] = [rules_margin.funding_received(1.0 if one > 0.0 else -1.0, abs(one), price, rate) for one in inputs["signed"]]
    return Computed(figures)


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


def leverages(inputs: Mapping[str, Any]) -> Computed:
    """Compute leverages at two prices, their sums over winners and losers, and who must be liquidated."""
    signed, rate = inputs["signed"], inputs["mu"]
    by_time = []
    for price, received in zip(inputs["price"], inputs["received"], strict=True):
        equity = valued(signed, np.array(inputs["cash"]) + np.array(received), inputs["entry"], price)
        values = [abs(one) * price for one in signed]
        by_time.append((equity, [abs(rules_deleveraging.effective_leverage(v, v - e)) for v, e in zip(values, equity, strict=True)], values))
    (equity, first, values), (later, second, _) = by_time
    winners = [one for one, own in zip(second, later, strict=True) if own > 0.0]
    losers = [one for one, own in zip(second, later, strict=True) if own <= 0.0]
    figures = {"lambda_t1": first, "sum_t1": sum(first), "winners_t2_ACE": winners, "l_plus_t2": sum(winners), "losers_t2_BD": losers}
    called = ["ABCDE"[n] for n in range(len(signed)) if equity[n] <= rate * values[n]]
    return Computed({**figures, "l_minus_t2": sum(losers), "liquidatable_t1": called})


def bad_debts(inputs: Mapping[str, Any]) -> Computed:
    """Close two positions in a book that moves linearly and compute what is missing at their bankruptcy prices."""
    figures: dict[str, float] = {}
    for name in ("D", "E"):
        one = inputs[name]
        side, price, closed = one["side"], one["p"], one["dq"]
        executed = price - side * resilient_book.block_cost(0.0, 0.0, closed, 1.0 / inputs["alpha"]) / closed
        bankrupt = rules_margin.bankruptcy_price(side, price, one["cash"])
        figures |= {f"exec_{name}": executed, f"shortfall_{name}": -rules_waterfall.takeover_gain(side, closed, bankrupt, executed)}
    one = inputs["E"]
    figures["hl_fee_E"] = rules_closing.closing_fees(one["p"], figures["exec_E"], one["dq"], inputs["mark_fee"], inputs["executed_fee"])
    return Computed(figures)


def fund_and_rest(inputs: Mapping[str, Any]) -> Computed:
    """End a trader with the shortfall, then one who pays the fee, with funds of two sizes: what is left unpaid, what the fund has then."""
    unpaid, funds = [], []
    for start in inputs["IF"]:
        cash, fund, debt = np.array([-inputs["D"], 1.0]), np.array([start]), np.zeros(1)
        status, negative = np.zeros(2, np.int64), np.zeros(2)
        settling.end_trader(0, 0, 0, 0.0, 0.0, cash, status, negative, fund, debt)
        settling.end_trader(1, 0, 0, inputs["tau"], inputs["alpha"], cash, status, negative, fund, debt)
        unpaid.append(float(debt[0]))
        funds.append(float(fund[0]))
    return Computed({"R": unpaid, "IF_next": funds})


def slice_at_price(inputs: Mapping[str, Any]) -> Computed:
    """Compute the smallest closing at a known execution price, with and without the bound of the position."""
    given = (inputs["p"], inputs["pexec"], inputs["mu"], inputs["phi"])
    # A larger position has more maintenance: hand over the equity that leaves the same shortfall, so that the bound does not bite.
    larger = inputs["q"] * 1000.0
    spared = inputs["e"] + inputs["mu"] * inputs["p"] * (larger - inputs["q"])
    unbounded = rules_closing.closing_at_price(spared, inputs["b"], larger, *given)
    return Computed({"dq_uncapped": unbounded, "dq": rules_closing.closing_at_price(inputs["e"], inputs["b"], inputs["q"], *given)})


def slice_with_impact(inputs: Mapping[str, Any]) -> Computed:
    """Compute the smallest closing in a book that moves linearly."""
    return Computed({"dq": rules_closing.closing_with_impact(*(inputs[name] for name in ("e", "q", "p", "mu", "alpha", "tau")))})


def valued(signed: Sequence[float], cash: Floats, entry: float, mark: float) -> Floats:
    """Return the equity [N] of accounts with cash and one perp position each, opened at `entry`, by the simulation's valuation."""
    count = cash.size
    position, cost, balance = np.zeros((count, 1)), np.zeros((count, 1)), cash.reshape(count, 1).copy()
    for i, quantity in enumerate(signed):
        account_kernels.trade_portfolio(position, cost, balance, i, 0, 0, True, quantity, quantity * entry)
    equity, maintenance, collateral = np.zeros(count), np.zeros(count), np.zeros(count)
    account_kernels.value_portfolios(
        np.zeros(count, np.int64), balance, position, cost, flat_haircuts(np.ones((1, 1))), np.zeros(count), np.array([mark]), np.ones((1, 1)), np.zeros(1, np.int64),
        np.ones(1, np.int64), np.full((1, 1), np.inf), np.zeros((1, 1)), np.zeros((1, 1)), np.zeros(count), np.zeros(count, np.int64), np.zeros(count),
        equity, maintenance, collateral,
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
    "ADL-01-funding": funding_payments,
    "ADL-03-leverage-mass": leverages,
    "ADL-06-bad-debt": bad_debts,
    "ADL-07-waterfall": fund_and_rest,
    "ADL-08-greedy-slice": slice_at_price,
    "ADL-09-greedy-quadratic": slice_with_impact,
    "ADL-02-pnl-equity": equities_of_positions,
    "ADL-05-bankruptcy-liq-prices": prices_of_death,
    "ADL-11-queue-vs-prorata": queue_and_pro_rata,
    "ADL-12-capped-waterfill": water_filling,
}
