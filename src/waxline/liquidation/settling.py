"""Compiled loop after clearing: rows of the record, takeover of what a limit left unfilled, fees, end of liquidated accounts."""

from __future__ import annotations

import math

from waxline.accounts.kernels import position_after, tier_at_line, trade_single
from waxline.jit import njit
from waxline.liquidation.tables import (
    R_ACCOUNT,
    R_COUNTED,
    R_EQUITY,
    R_GENERATION,
    R_LIMIT,
    R_MARKET,
    R_NOTIONAL,
    R_PAYER,
    R_PROFIT,
    R_QUANTITY,
    R_SHARES,
    R_SHORTFALL,
    R_SIDE,
    R_STAGE,
    R_T_S,
)
from waxline.market.tables import (
    O_ACCOUNT,
    O_CASH,
    O_CAUSE,
    O_EQUITY,
    O_GENERATION,
    O_LEFT,
    O_LIMIT,
    O_MARKET,
    O_ROW_CASH,
    O_ROW_FILLED,
    O_SHARES,
    O_SIDE,
    O_START,
    O_TAKEN,
    O_TAKEN_CASH,
)

PERP_LIQUIDATION, DELEVERAGING, STOP_LOSS = 1, 3, 12
HEALTHY, TAKEN_OVER, CLOSED = 0, 4, 5
NOT_WATCHED = -2
CLOSE_IN_BOOK, COLLATERAL_SALE, TAKEOVER, BAD_DEBT, PAYMENT, HEDGE_SALE, REDUCTION = 2, 3, 4, 7, 9, 11, 12
NO_PAYER, BY_FUND, BY_VAULT, BY_NOBODY = -1, 0, 1, 4
FUND = 9
ANY_PRICE = -600.0
"""A log price below which a limit allows every price."""
DUST_USD = 1e-6
SMALL_USD = 1000.0
LAST_PART = 0.05


@njit
def write_row(rows, used, t_s, account, stage, market, side, quantity, notional, equity, profit, generation, counted, limit, shortfall, payer, shares):
    """Append a row to the record; a full table is reported by used[1]; limit in USD (NaN: none), shortfall in USD paid by `payer`; `shares` [C]."""
    n = used[0]
    if n >= rows.shape[0]:
        used[1] = 1
        return
    used[0] = n + 1
    rows[n, R_T_S] = t_s
    rows[n, R_ACCOUNT] = account
    rows[n, R_STAGE] = stage
    rows[n, R_MARKET] = market
    rows[n, R_SIDE] = side
    rows[n, R_QUANTITY] = quantity
    rows[n, R_NOTIONAL] = notional
    rows[n, R_EQUITY] = equity
    rows[n, R_PROFIT] = profit
    rows[n, R_GENERATION] = generation
    rows[n, R_COUNTED] = counted
    rows[n, R_LIMIT] = limit
    rows[n, R_SHORTFALL] = shortfall
    rows[n, R_PAYER] = payer
    for c in range(shares.size):
        rows[n, R_SHARES + c] = shares[c]


@njit
def limit_usd(log_limit):
    """Return an order's limit in USD; NaN where it allows every price."""
    return math.exp(log_limit) if math.isfinite(log_limit) and log_limit > ANY_PRICE else math.nan


@njit
def flush_order(table, n, rows, used, stage, t_s, mark, trader_liquidated, portfolio_liquidated):
    """Write what order `n` filled since its last row as one row and add it to its account's total; what the fund took over as another.

    The fund took it over at the bankruptcy price: what that is worse than the mark, when the row is written, is the shortfall it pays.
    """
    chosen = -1
    if table[n, O_CAUSE] == DELEVERAGING:
        chosen = HEDGE_SALE
    elif table[n, O_CAUSE] == STOP_LOSS and table[n, O_ACCOUNT] < 0:
        chosen = REDUCTION
    if table[n, O_ROW_FILLED] > 0.0 and chosen >= 0:
        write_row(
            rows, used, t_s, int(table[n, O_ACCOUNT]), chosen, int(table[n, O_MARKET]), int(table[n, O_SIDE]), table[n, O_ROW_FILLED], table[n, O_ROW_CASH],
            table[n, O_EQUITY], math.nan, table[n, O_GENERATION], 0, math.nan, 0.0, NO_PAYER, table[n, O_SHARES:],
        )  # fmt: skip
    elif table[n, O_ROW_FILLED] > 0.0 and table[n, O_CAUSE] != STOP_LOSS:
        account = int(table[n, O_ACCOUNT])
        write_row(
            rows, used, t_s, account, stage, int(table[n, O_MARKET]), int(table[n, O_SIDE]), table[n, O_ROW_FILLED], table[n, O_ROW_CASH], table[n, O_EQUITY],
            math.nan, table[n, O_GENERATION], 1, limit_usd(table[n, O_LIMIT]), 0.0, NO_PAYER, table[n, O_SHARES:],
        )  # fmt: skip
        if account >= 0:
            trader_liquidated[account] += table[n, O_ROW_CASH]
        else:
            portfolio_liquidated[-1 - account] += table[n, O_ROW_CASH]
    if table[n, O_TAKEN] > 0.0:
        account = int(table[n, O_ACCOUNT])
        missing = max(table[n, O_SIDE] * (mark * table[n, O_TAKEN] - table[n, O_TAKEN_CASH]), 0.0)
        write_row(
            rows, used, t_s, account, TAKEOVER, int(table[n, O_MARKET]), int(table[n, O_SIDE]), table[n, O_TAKEN], table[n, O_TAKEN_CASH], table[n, O_EQUITY],
            math.nan, table[n, O_GENERATION], 1, table[n, O_TAKEN_CASH] / table[n, O_TAKEN], missing, BY_FUND if missing > 0.0 else NO_PAYER,
            table[n, O_SHARES:],
        )  # fmt: skip
        trader_liquidated[account] += table[n, O_TAKEN_CASH]
    table[n, O_TAKEN] = 0.0
    table[n, O_TAKEN_CASH] = 0.0
    table[n, O_ROW_FILLED] = 0.0
    table[n, O_ROW_CASH] = 0.0


@njit
def pass_to_fund(i, m, traded, price, quantity, cost, cash, fund_quantity, fund_cost, fund_cash):
    """Move `traded` coins (signed, from the trader's side) of trader `i` to the fund's cell of market `m` at `price`; writes both."""
    trade_single(quantity, cost, cash, i, True, traded, traded * price)
    trade_single(fund_quantity, fund_cost, fund_cash, m, True, -traded, -traded * price)


@njit
def end_trader(i, v, fund, notional, fee_frac, cash, status, negative_usd, fund_balance, bad_debt):
    """Close the books of a liquidated trader: clearance fee to `fund` from what is left, shortfall from the fund, the rest bad debt of venue `v`."""
    left = cash[i]
    if left > 0.0:
        fee = min(left, notional * fee_frac)
        cash[i] -= fee
        fund_balance[fund] += fee
    elif left < 0.0:
        negative_usd[i] += -left
        paid = min(-left, max(fund_balance[fund], 0.0))
        fund_balance[fund] -= paid
        bad_debt[v] += -left - paid
        cash[i] += paid
    status[i] = CLOSED


@njit
def release_trader(i, m, v, fund, notional, fee_frac, mark, traders, watched_head, fund_balance, rules, tier_cap, tier_rate, tier_deduction):
    """Let a trader whose position was closed in part go on: clearance fee to the fund from its equity, tier anew, checked at every step."""
    q = traders.quantity[i]
    fee = min(max(traders.cash[i] + q * mark - traders.cost[i], 0.0), notional * fee_frac)
    traders.cash[i] -= fee
    fund_balance[fund] += fee
    traders.rate[i], traders.deduction[i] = tier_at_line(
        m, q, traders.cost[i], traders.cash[i], rules.people[v], rules.on_entry[v], rules.closing_fee[v], tier_cap, tier_rate, tier_deduction
    )
    traders.status[i] = HEALTHY
    if traders.next_watched[i] == NOT_WATCHED:
        traders.next_watched[i] = watched_head[0]
        watched_head[0] = i


@njit
def write_payments(rows, used, t_s, account, market, side, owed, paid, equity, generation, shares):
    """Write a row for what the fund paid of a shortfall `owed` and one for the rest, which nobody paid; USD, rows of 0 are left out."""
    if paid > 0.0:
        write_row(rows, used, t_s, account, PAYMENT, market, side, 0.0, paid, equity, math.nan, generation, 0, math.nan, paid, BY_FUND, shares)
    if owed - paid > 0.0:
        write_row(rows, used, t_s, account, BAD_DEBT, market, side, 0.0, owed - paid, equity, math.nan, generation, 0, math.nan, owed - paid, BY_NOBODY, shares)


@njit
def take_to_vault(n, i, m, mark, t_s, table, rows, used, quantity, cost, cash, status, negative_usd, liquidated_usd, fund_quantity, fund_cost, fund_cash):
    """Pass a trader's whole position and its margin to the backstop vault; writes both and a takeover row at the mark price."""
    q = quantity[i]
    table[n, O_LEFT] = 0.0
    if q == 0.0:
        return
    equity = cash[i] + q * mark - cost[i]
    if equity < 0.0:
        negative_usd[i] += -equity
    write_row(
        rows, used, t_s, i, TAKEOVER, m, int(table[n, O_SIDE]), abs(q), abs(q) * mark, equity, math.nan, table[n, O_GENERATION], 1, math.nan, max(-equity, 0.0),
        BY_VAULT if equity < 0.0 else NO_PAYER, table[n, O_SHARES:],
    )  # fmt: skip
    liquidated_usd[i] += abs(q) * mark
    after, cost_after, cash_after = position_after(fund_quantity[m], fund_cost[m], fund_cash[m], q, q * mark)
    fund_quantity[m] = after
    fund_cost[m] = cost_after
    fund_cash[m] = cash_after + equity
    quantity[i] = 0.0
    cost[i] = 0.0
    cash[i] = 0.0
    status[i] = TAKEN_OVER


@njit
def settle_orders(
    table,
    link,
    head,
    rows,
    used,
    perp,
    venue,
    mark,
    traders,
    fund_quantity,
    fund_cost,
    fund_cash,
    portfolio_liquidated,
    fund,
    fund_balance,
    bad_debt,
    has_vault,
    trigger_frac,
    takeover_rate,
    watched_head,
    rules,
    tier_cap,
    tier_rate,
    tier_deduction,
    t_s,
    dt,
    flush,
):
    """Follow up every forced order after clearing.

    Rows are written every 10 s (`flush`), when at least a twentieth of the order is new, and when an order ends. What a bankruptcy limit left
    unfilled passes to the fund at that price, `takeover_rate` of it per second; a venue with a backstop vault takes the whole position with its
    margin below trigger_frac of the maintenance. A trader whose position was closed in part goes on. `rules`: `CloseRules`, tiers [M, N]. Writes
    orders, rows, traders, the fund's cells, fund_balance [F] (USD; fund [M]: the one behind a market) and bad_debt [V].
    """
    quantity, cost, cash, status = traders.quantity, traders.cost, traders.cash, traders.status
    rate, deduction, order = traders.rate, traders.deduction, traders.order
    negative_usd, liquidated_usd = traders.negative_usd, traders.liquidated_usd
    part = 1.0 - math.exp(-takeover_rate * dt)
    for m in range(head.size):
        v = venue[m]
        n = head[m]
        while n >= 0:
            i = int(table[n, O_ACCOUNT])
            forced = i >= 0 and table[n, O_CAUSE] == PERP_LIQUIDATION
            if forced and table[n, O_LEFT] > 0.0 and quantity[i] != 0.0:
                q = quantity[i]
                if has_vault[v] == 1:
                    equity = cash[i] + q * mark[m] - cost[i]
                    if equity < trigger_frac[v] * max(abs(q) * mark[m] * rate[i] - deduction[i], 0.0):
                        take_to_vault(
                            n,
                            i,
                            m,
                            mark[m],
                            t_s,
                            table,
                            rows,
                            used,
                            quantity,
                            cost,
                            cash,
                            status,
                            negative_usd,
                            liquidated_usd,
                            fund_quantity,
                            fund_cost,
                            fund_cash,
                        )
                else:
                    zero = max((cost[i] - cash[i]) / q, 1e-12)
                    if (mark[m] < zero) if q > 0.0 else (mark[m] > zero):
                        left = table[n, O_LEFT]
                        size = min(left if left * mark[m] < SMALL_USD or left < LAST_PART * table[n, O_START] else left * part, abs(q))
                        side = int(table[n, O_SIDE])
                        pass_to_fund(i, m, side * size, zero, quantity, cost, cash, fund_quantity, fund_cost, fund_cash)
                        table[n, O_LEFT] = max(left - size, 0.0)
                        table[n, O_TAKEN] += size
                        table[n, O_TAKEN_CASH] += size * zero
            done = table[n, O_LEFT] * mark[m] < DUST_USD
            waiting = table[n, O_ROW_FILLED] + table[n, O_TAKEN]
            if done or (flush and waiting >= LAST_PART * table[n, O_START]):
                flush_order(table, n, rows, used, CLOSE_IN_BOOK if perp[m] else COLLATERAL_SALE, t_s, mark[m], liquidated_usd, portfolio_liquidated)
            if done:
                table[n, O_LEFT] = 0.0
                if i >= 0 and status[i] < TAKEN_OVER and order[i] == n:
                    if quantity[i] != 0.0 and abs(quantity[i]) * mark[m] < 1.0:
                        pass_to_fund(i, m, -quantity[i], mark[m], quantity, cost, cash, fund_quantity, fund_cost, fund_cash)
                    if forced and quantity[i] != 0.0:
                        release_trader(
                            i,
                            m,
                            v,
                            fund[m],
                            table[n, O_CASH],
                            rules.fee_frac[v],
                            mark[m],
                            traders,
                            watched_head,
                            fund_balance,
                            rules,
                            tier_cap,
                            tier_rate,
                            tier_deduction,
                        )
                    elif forced:
                        owed = max(-cash[i], 0.0)
                        paid = min(owed, max(fund_balance[fund[m]], 0.0))
                        end_trader(i, v, fund[m], table[n, O_CASH], rules.fee_frac[v], cash, status, negative_usd, fund_balance, bad_debt)
                        write_payments(rows, used, t_s, i, m, int(table[n, O_SIDE]), owed, paid, -owed, table[n, O_GENERATION], table[n, O_SHARES:])
                    else:
                        status[i] = CLOSED
            n = link[n]
