"""Compiled loop after clearing: rows of the record, takeover of what a limit left unfilled, fees, end of liquidated accounts."""

from __future__ import annotations

import math

from waxline.accounts.kernels import position_after, trade_cell, trade_portfolio, trade_trader, trader_equity
from waxline.jit import njit

PERP_LIQUIDATION, COLLATERAL_LIQUIDATION, STOP_LOSS = 1, 2, 12
LIQUIDATING, TAKEN_OVER, CLOSED = 3, 4, 5
CLOSE_IN_BOOK, COLLATERAL_SALE, TAKEOVER, DELEVERAGING, BAD_DEBT = 2, 3, 4, 5, 7
FUND = 9
ROW_S = 10


@njit
def write_row(rows, t_s, account, stage, market, side, quantity, notional, equity, profit, generation, counted, shares):
    """Append a row to the record; a full table is reported by used[1]; `shares` [C]."""
    n = rows.used[0]
    if n >= rows.t_s.size:
        rows.used[1] = 1
        return
    rows.used[0] = n + 1
    rows.t_s[n] = t_s
    rows.account[n] = account
    rows.stage[n] = stage
    rows.market[n] = market
    rows.side[n] = side
    rows.quantity[n] = quantity
    rows.notional[n] = notional
    rows.equity[n] = equity
    rows.profit[n] = profit
    rows.generation[n] = generation
    rows.counted[n] = counted
    for c in range(shares.size):
        rows.shares[n, c] = shares[c]


@njit
def flush_order(orders, rows, n, stage, t_s, traders, portfolios):
    """Write what order `n` filled since its last row as one row and add it to its account's total."""
    if orders.row_filled[n] <= 0.0 or orders.cause[n] == STOP_LOSS:
        orders.row_filled[n] = 0.0
        orders.row_cash[n] = 0.0
        return
    account = orders.account[n]
    write_row(
        rows, t_s, account, stage, orders.market[n], orders.side[n], orders.row_filled[n], orders.row_cash[n], orders.equity[n],
        math.nan, orders.generation[n], 1, orders.shares[n],
    )  # fmt: skip
    if account >= 0:
        traders.liquidated_usd[account] += orders.row_cash[n]
    else:
        portfolios.liquidated_usd[-1 - account] += orders.row_cash[n]
    orders.row_filled[n] = 0.0
    orders.row_cash[n] = 0.0


@njit
def take_over_trader(traders, cells, venues, rows, orders, n, i, m, quantity, price, t_s, own):
    """Pass `quantity` coins of trader `i`'s position to the fund's cell of market `m` at `price`; writes both and a row."""
    side = orders.side[n]
    trade_trader(traders, i, side * quantity, side * quantity * price)
    trade_cell(cells, FUND, m, True, -side * quantity, -side * quantity * price)
    orders.left[n] = max(orders.left[n] - quantity, 0.0)
    if own:
        write_row(rows, t_s, i, TAKEOVER, m, side, quantity, quantity * price, orders.equity[n], math.nan, orders.generation[n], 1, orders.shares[n])
        traders.liquidated_usd[i] += quantity * price


@njit
def end_trader(traders, venues, i, v, notional, fee_frac):
    """Close the books of a liquidated trader: clearance fee to the fund from what is left, shortfall from the fund."""
    cash = traders.cash[i]
    if cash > 0.0:
        fee = min(cash, notional * fee_frac)
        traders.cash[i] -= fee
        venues.fund_cash[v] += fee
    elif cash < 0.0:
        traders.negative_usd[i] += -cash
        paid = min(-cash, max(venues.fund_cash[v], 0.0))
        venues.fund_cash[v] -= paid
        venues.bad_debt_usd[v] += -cash - paid
        traders.cash[i] += paid
    traders.status[i] = CLOSED


@njit
def settle_orders(orders, rows, markets, mark, traders, cells, portfolios, venues, takeover_rate, clearance_fee, t_s, dt, flush):
    """Follow up every forced order after clearing.

    Rows are written every 10 s (`flush`) and when an order ends. What a bankruptcy limit left unfilled passes to the fund at that price,
    `takeover_rate` of it per second; a venue with a backstop vault takes the whole position with its margin below trigger_frac of the
    maintenance. Writes orders, rows, traders, cells, venues.
    """
    part = 1.0 - math.exp(-takeover_rate * dt)
    for m in range(orders.head.size):
        v = markets.venue[m]
        n = orders.head[m]
        while n >= 0:
            account = orders.account[n]
            stage = CLOSE_IN_BOOK if markets.perp[m] else COLLATERAL_SALE
            if account >= 0 and orders.cause[n] == PERP_LIQUIDATION and orders.left[n] > 0.0:
                equity, maintenance = trader_equity(traders, account, mark[m])
                if venues.has_vault[v] == 1:
                    if equity < venues.trigger_frac[v] * maintenance:
                        take_vault(traders, cells, venues, rows, orders, n, account, m, mark[m], t_s)
                else:
                    quantity = traders.quantity[account]
                    if quantity != 0.0:
                        zero = (traders.cost[account] - traders.cash[account]) / quantity
                        beyond = mark[m] < zero if quantity > 0.0 else mark[m] > zero
                        if beyond:
                            size = orders.left[n] * part
                            if orders.left[n] * mark[m] < 1000.0:
                                size = orders.left[n]
                            take_over_trader(traders, cells, venues, rows, orders, n, account, m, min(size, abs(quantity)), max(zero, 1e-12), t_s, True)
            done = orders.left[n] <= 0.0 or orders.left[n] * mark[m] < 1e-6
            if flush or done:
                flush_order(orders, rows, n, stage, t_s, traders, portfolios)
            if done and account >= 0:
                finish_trader(orders, traders, cells, venues, n, account, m, v, mark[m], clearance_fee)
            n = orders.next[n]


@njit
def finish_trader(orders, traders, cells, venues, n, i, m, v, mark, clearance_fee):
    """End a trader's order: the last dust of the position goes to the fund, then fee or shortfall; a stop-loss only closes."""
    if traders.status[i] >= TAKEN_OVER:
        orders.left[n] = 0.0
        return
    if traders.quantity[i] != 0.0 and orders.left[n] > 0.0:
        trade_cell(cells, FUND, m, True, traders.quantity[i], traders.quantity[i] * mark)
        trade_trader(traders, i, -traders.quantity[i], -traders.quantity[i] * mark)
    orders.left[n] = 0.0
    if orders.cause[n] == STOP_LOSS:
        if traders.order[i] == n:
            traders.status[i] = CLOSED
        return
    if traders.quantity[i] != 0.0 and abs(traders.quantity[i]) * mark < 1e-6:
        trade_cell(cells, FUND, m, True, traders.quantity[i], traders.quantity[i] * mark)
        trade_trader(traders, i, -traders.quantity[i], -traders.quantity[i] * mark)
    end_trader(traders, venues, i, v, orders.cash[n], clearance_fee)


@njit
def take_vault(traders, cells, venues, rows, orders, n, i, m, mark, t_s):
    """Pass a trader's whole position and its margin to the backstop vault; writes both and a takeover row at the mark price."""
    quantity = traders.quantity[i]
    if quantity == 0.0:
        orders.left[n] = 0.0
        return
    equity = traders.cash[i] + quantity * mark - traders.cost[i]
    if equity < 0.0:
        traders.negative_usd[i] += -equity
    write_row(rows, t_s, i, TAKEOVER, m, orders.side[n], abs(quantity), abs(quantity) * mark, equity, math.nan, orders.generation[n], 1, orders.shares[n])
    traders.liquidated_usd[i] += abs(quantity) * mark
    q, cost, cash = cells.quantity[FUND, m], cells.cost[FUND, m], cells.cash[FUND, m]
    moved = quantity * mark
    q, cost, cash = position_after(q, cost, cash, quantity, moved)
    cells.quantity[FUND, m], cells.cost[FUND, m] = q, cost
    cells.cash[FUND, m] = cash + equity
    traders.quantity[i] = 0.0
    traders.cost[i] = 0.0
    traders.cash[i] = 0.0
    traders.status[i] = TAKEN_OVER
    orders.left[n] = 0.0


@njit
def take_portfolio_position(portfolios, cells, p, m, asset, perp, price):
    """Pass a portfolio's whole position (perp) or balance (spot asset) in market `m` to the fund's cell at `price`; returns the notional."""
    quantity = portfolios.position[p, m] if perp else portfolios.balance[p, asset]
    if quantity == 0.0:
        return 0.0
    trade_portfolio(portfolios, p, m, asset, perp, -quantity, -quantity * price)
    trade_cell(cells, FUND, m, perp, quantity, quantity * price)
    return abs(quantity) * price
