"""Socialised losses: what no fund could pay is shared, at the end of a session, over the users of the venue by its rule."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.tables import CASH, Cell, Status
from waxline.liquidation.parameters import SocialisingRule
from waxline.liquidation.rules_waterfall import session_share, socialised_per_unit
from waxline.liquidation.settling import write_row
from waxline.liquidation.tables import FUND_BASE, R_ACCOUNT, R_NOTIONAL, R_PAYER, R_SHORTFALL, R_STAGE, Payer, Stage
from waxline.results.schema import N_CAUSES
from waxline.simulation.state import State

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def rule_of(state: State, v: int) -> SocialisingRule:
    """Return the rule by which venue `v` shares losses."""
    rule: SocialisingRule = state.scenario.venue(state.names.venues[v]).socialising
    return rule


def end_session(state: State) -> list[int]:
    """Share the losses of the session that just ended at every venue whose rule shares them; return these venues. Its rows are written again.

    Rows of bad debt since the last session say what is left unpaid afterwards; one row of the venue's fund says what its users paid.
    """
    first, state.pending.session_row = state.pending.session_row, int(state.rows.used[0])
    found = []
    for v in range(len(state.names.venues)):
        if rule_of(state, v) is SocialisingRule.NONE:
            continue
        rows = unpaid_rows(state, v, first)
        loss = float(state.rows.table[rows, R_SHORTFALL].sum())
        paid = share_loss(state, v, loss) if loss > 0.0 else 0.0
        if paid <= 0.0:
            continue
        for column in (R_SHORTFALL, R_NOTIONAL):
            state.rows.table[rows, column] *= max(1.0 - paid / loss, 0.0)
        state.venues.bad_debt_usd[v] -= paid
        state.venues.socialised_usd[v] += paid
        write_row(
            *state.rows, int(state.clock.t_s), FUND_BASE + v, Stage.SOCIALISED, -1, -1, 0.0, paid, math.nan, math.nan, 0.0, 0, math.nan, paid, Payer.USERS,
            np.zeros(N_CAUSES),
        )  # fmt: skip
        found.append(v)
    return found


def unpaid_rows(state: State, v: int, first: int) -> Ints:
    """Return the rows from `first` on that say what nobody paid at venue `v`; the pool's bad debt is its lenders' and is not among them."""
    table = state.rows.table[first : int(state.rows.used[0])]
    rows = np.flatnonzero((table[:, R_STAGE] == Stage.BAD_DEBT) & (table[:, R_PAYER] == Payer.NOBODY))
    account = table[rows, R_ACCOUNT].astype(np.int64)
    trader = (account >= 0) & (account < state.traders.market.size)
    venue = np.where(account >= FUND_BASE, account - FUND_BASE, -1)
    venue[trader] = state.markets.venue[state.traders.market[account[trader]]]
    venue[account < 0] = state.portfolios.venue[-1 - account[account < 0]]
    return np.asarray(rows[venue == v] + first, dtype=np.int64)


def share_loss(state: State, v: int, loss: float) -> float:
    """Take `loss` USD from the users of venue `v` and pass it to those who were owed; returns what they could pay.

    By winners: in proportion to the profit of each open position, at most that profit. By positions: in proportion to its value at the mark. Nobody
    pays beyond the equity of the account; what that leaves stays unpaid. Positions of the fund pay nothing.
    """
    traders, cells, portfolios, markets, mark = state.traders, state.cells, state.portfolios, state.markets, state.prices.mark
    mine = (markets.venue == v) & markets.perp
    winners = rule_of(state, v) is SocialisingRule.WINNERS
    i = np.flatnonzero(mine[traders.market] & (traders.quantity != 0.0) & (traders.status < Status.LIQUIDATING))
    k, m = np.nonzero((cells.quantity != 0.0) & mine)
    k, m = k[k != Cell.FUND], m[k != Cell.FUND]
    p, n = np.nonzero((portfolios.position != 0.0) & mine & (portfolios.status < Status.LIQUIDATING)[:, None])
    quantity = (traders.quantity[i], cells.quantity[k, m], portfolios.position[p, n])
    cost = (traders.cost[i], cells.cost[k, m], portfolios.cost[p, n])
    price = (mark[traders.market[i]], mark[m], mark[n])
    profit = [np.maximum(q * at - paid, 0.0) for q, at, paid in zip(quantity, price, cost, strict=True)]
    value = [np.abs(q) * at for q, at in zip(quantity, price, strict=True)]
    basis = profit if winners else value
    whole = float(sum(part.sum() for part in basis))
    if whole <= 0.0:
        return 0.0
    longs = float(sum(part[q > 0.0].sum() for part, q in zip(value, quantity, strict=True)))
    shorts = float(sum(part[q < 0.0].sum() for part, q in zip(value, quantity, strict=True)))
    share = session_share(1.0, whole, loss) if winners else socialised_per_unit(loss, longs, shorts)
    asked = [share * part for part in basis]
    equity = (np.maximum(traders.cash[i] + traders.quantity[i] * price[0] - traders.cost[i], 0.0), value[1], np.maximum(portfolios.equity, 0.0)[p])
    held = np.bincount(p, minlength=portfolios.venue.size)[p]  # an account with several positions keeps its equity for all of them
    able = [equity[0], equity[1], equity[2] / np.maximum(held, 1)]
    paid = [np.minimum(np.minimum(part, most), own if winners else np.inf) for part, most, own in zip(asked, able, profit, strict=True)]
    traders.cash[i] -= paid[0]
    np.subtract.at(cells.cash, (k, m), paid[1])
    portfolios.balance[:, CASH] -= np.bincount(p, paid[2], portfolios.venue.size)
    taken = float(sum(part.sum() for part in paid))
    state.pending.outside[CASH] += taken
    return taken
