"""Compiled loop that clears every market once: quotes, netting, ladder; fills move balances, mid moves are booked to causes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.kernels import position_after, trade_portfolio, trade_single
from waxline.jit import inlined, lean
from waxline.market.kernels import NO_LEVEL, best_levels, bounded_mid, cross_quotes, depth_usd, walk_side
from waxline.market.ladder import LAST_BID_DISTANCE
from waxline.market.sorting import sort_by_limit
from waxline.market.tables import (
    ASK,
    BID,
    E_CASH,
    E_FILLED,
    E_LIMIT,
    E_NETTED,
    E_QUANTITY,
    O_ACCOUNT,
    O_CASH,
    O_CAUSE,
    O_FILLED,
    O_GENERATION,
    O_LEFT,
    O_LIMIT,
    O_RELEASE,
    O_ROW_CASH,
    O_ROW_FILLED,
    O_SIDE,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DELEVERAGING, FUND_WORKOFF, REQUOTING, STOP_LOSS = 3, 4, 5, 12
TINY = 4
STOP_WALK = 0.03
BAND = 0.01


class Scratch(NamedTuple):
    """Hold working arrays of one market's clearing: entries of each side (0 sells, 1 buys), per-owner fills and places, per-cause sums; rates of posting."""

    entries: Floats
    cause: Ints
    source: Ints
    order: Ints
    sorting: Ints
    owner: Floats
    place: Ints
    key: Ints
    at: Ints
    counts: Ints
    rates: Floats
    charge: Floats
    by_cause: Floats


BOUGHT, PAID, SOLD, RECEIVED = range(4)
"""Rows of owners' sums: coins and USD."""


@inlined
def gather(m, flow_quantity, flow_limit, flow_cause, table, link, first, entries, cause, source, counts, bid_log, ask_log, reach, free, lowest, highest):
    """Collect one market's orders: row 0 sells, row 1 buys; writes entries [2, 5, N], cause, source [2, N], counts [2].

    Forced orders may walk at most `reach` (log) beyond bid_log or ask_log, the worst of the best quote now, the best after
    the last clearing and the last trade (NaN: side empty); `free`: no such limit for sells.
    Nothing fills below `lowest` or above `highest` (log prices). Sources: flow number, or number of flows + order number.
    """
    kinds = flow_cause.size
    counts[0] = 0
    counts[1] = 0
    for f in range(kinds):
        quantity = flow_quantity[m, f]
        if quantity != 0.0:
            row = 0 if quantity < 0.0 else 1
            i = counts[row]
            entries[row, E_QUANTITY, i] = abs(quantity)
            entries[row, E_LIMIT, i] = max(flow_limit[m, f], lowest) if row == 0 else min(flow_limit[m, f], highest)
            cause[row, i] = flow_cause[f]
            source[row, i] = f
            counts[row] += 1
    n = first
    while n >= 0:
        if table[n, O_RELEASE] > 0.0:
            row = 0 if table[n, O_SIDE] < 0.0 else 1
            i = counts[row]
            far = STOP_WALK if table[n, O_CAUSE] == STOP_LOSS else reach
            limit = table[n, O_LIMIT]
            if row == 0 and not math.isnan(bid_log) and not free:
                limit = max(limit, bid_log - far)
            if row == 1 and not math.isnan(ask_log):
                limit = min(limit, ask_log + far)
            entries[row, E_QUANTITY, i] = min(table[n, O_RELEASE], table[n, O_LEFT])
            entries[row, E_LIMIT, i] = max(limit, lowest) if row == 0 else min(limit, highest)
            cause[row, i] = int(table[n, O_CAUSE])
            source[row, i] = kinds + n
            counts[row] += 1
        n = link[n]
    for row in range(2):
        for i in range(counts[row]):
            entries[row, E_FILLED, i] = 0.0
            entries[row, E_CASH, i] = 0.0
            entries[row, E_NETTED, i] = 0.0


@inlined
def hit_last_bid(count, entries, log_price, shown):
    """Fill what unlimited sells have left against the last bid of a book, pro rata; writes entries [5, N]; returns the coins filled."""
    wanted = 0.0
    for i in range(count):
        if entries[E_LIMIT, i] <= log_price:
            wanted += max(entries[E_QUANTITY, i] - (entries[E_FILLED, i] - entries[E_NETTED, i]), 0.0)
    filled = min(wanted, shown)
    if filled <= 0.0:
        return 0.0
    price = math.exp(log_price)
    for i in range(count):
        if entries[E_LIMIT, i] <= log_price:
            quantity = max(entries[E_QUANTITY, i] - (entries[E_FILLED, i] - entries[E_NETTED, i]), 0.0) * filled / wanted
            entries[E_FILLED, i] += quantity
            entries[E_CASH, i] += quantity * price
    return filled


@inlined
def net_orders(entries, counts, log_mid):
    """Fill opposing market orders against each other at the mid, pro rata, where their limits allow it; returns the coins netted."""
    sells, buys = 0.0, 0.0
    for i in range(counts[0]):
        if entries[0, E_LIMIT, i] <= log_mid:
            sells += entries[0, E_QUANTITY, i]
    for i in range(counts[1]):
        if entries[1, E_LIMIT, i] >= log_mid:
            buys += entries[1, E_QUANTITY, i]
    netted = min(sells, buys)
    if netted <= 0.0:
        return 0.0
    price = math.exp(log_mid)
    for row in range(2):
        part = netted / (sells if row == 0 else buys)
        for i in range(counts[row]):
            limit = entries[row, E_LIMIT, i]
            if (limit <= log_mid) if row == 0 else (limit >= log_mid):
                quantity = entries[row, E_QUANTITY, i] * part
                entries[row, E_FILLED, i] = quantity
                entries[row, E_NETTED, i] = quantity
                entries[row, E_CASH, i] = quantity * price
                entries[row, E_QUANTITY, i] = entries[row, E_QUANTITY, i] - quantity if part < 1.0 else 0.0
    return netted


@inlined
def trade_cell(quantity, cost, cash, kind, m, perp, traded, notional):
    """Book a trade of the cell of a kind in market `m` (traded and notional: buy positive); writes quantity, cost, cash [KINDS, M]."""
    if perp:
        after, cost_after, cash_after = position_after(quantity[kind, m], cost[kind, m], cash[kind, m], traded, notional)
        quantity[kind, m] = after
        cost[kind, m] = cost_after
        cash[kind, m] = cash_after
    else:
        quantity[kind, m] += traded
        cash[kind, m] -= notional


@inlined
def book_entries(
    m, perp, asset, fee_frac, entries, cause, source, counts, flow_cell, table, cell_quantity, cell_cost, cell_cash, trader_quantity, trader_cost, trader_cash,
    position, cost, balance, sold_usd, bought_usd, forced_usd, forced_generation,
):  # fmt: skip
    """Move balances and positions for what each order of market `m` got, charge the fee, count notional by cause; returns the fees in USD."""
    kinds = flow_cell.size
    fees = 0.0
    for row in range(2):
        sign = -1.0 if row == 0 else 1.0
        for i in range(counts[row]):
            quantity = entries[row, E_FILLED, i]
            if quantity <= 0.0:
                continue
            notional = entries[row, E_CASH, i]
            fee = notional * fee_frac
            fees += fee
            why = cause[row, i]
            if row == 0:
                sold_usd[m, why] += notional
            else:
                bought_usd[m, why] += notional
            n = source[row, i] - kinds
            if n < 0:
                kind = flow_cell[n + kinds]
                trade_cell(cell_quantity, cell_cost, cell_cash, kind, m, perp, sign * quantity, sign * notional)
                cell_cash[kind, m] -= fee
                if why == DELEVERAGING or why == FUND_WORKOFF:
                    generation = 2.0
                    if forced_usd[m, 1] > 1.0:
                        generation = 1.0 + forced_generation[m, 1] / forced_usd[m, 1]
                    forced_usd[m, why] += notional
                    forced_generation[m, why] += generation * notional
                continue
            account = int(table[n, O_ACCOUNT])
            if account >= 0:
                trade_single(trader_quantity, trader_cost, trader_cash, account, True, sign * quantity, sign * notional)
                trader_cash[account] -= fee
            else:
                trade_portfolio(position, cost, balance, -1 - account, m, asset, perp, sign * quantity, sign * notional)
                balance[-1 - account, 0] -= fee
            table[n, O_LEFT] = max(table[n, O_LEFT] - quantity, 0.0)
            table[n, O_ROW_FILLED] += quantity
            table[n, O_ROW_CASH] += notional
            table[n, O_FILLED] += quantity
            table[n, O_CASH] += notional
            if why != STOP_LOSS:
                forced_usd[m, why] += notional
                forced_generation[m, why] += table[n, O_GENERATION] * notional
    return fees


@inlined
def book_owners(m, perp, asset, owner, slot_account, cell_quantity, cell_cost, cell_cash, position, cost, balance):
    """Move balances and positions of the owners of resting quotes for what they bought and sold; clears `owner` [4, S]."""
    for s in range(owner.shape[1]):
        for row in range(2):
            quantity = owner[BOUGHT, s] if row == 0 else -owner[SOLD, s]
            notional = owner[PAID, s] if row == 0 else -owner[RECEIVED, s]
            if quantity != 0.0:
                account = slot_account[s, m]
                if account >= 0:
                    trade_portfolio(position, cost, balance, account, m, asset, perp, quantity, notional)
                else:
                    trade_cell(cell_quantity, cell_cost, cell_cash, 0, m, perp, quantity, notional)
        for row in range(4):
            owner[row, s] = 0.0


@inlined
def book_walk(m, step, temporary, pending, charge, by_cause, moved, emptied):
    """Book the mid's move in the clearing to the causes that walked the ladder, by the distance each walked; writes step, temporary, pending [M, C]."""
    charged = 0.0
    for c in range(charge.size):
        charged += charge[c]
    if moved != 0.0 and charged * moved > 0.0:
        scale = moved / charged
        for c in range(charge.size):
            part = scale * charge[c]
            step[m, c] += part
            temporary[m, c] += part
    elif moved != 0.0:
        step[m, REQUOTING] += moved
    if emptied:
        whole = 0.0
        for c in range(charge.size):
            whole += max(by_cause[c], 0.0)
        for c in range(charge.size):
            pending[m, c] = max(by_cause[c], 0.0) / whole if whole > 0.0 else 0.0


@lean
def clear_markets(
    markets, books, causes, flows, orders, cells, traders, portfolios, fees, slot_account, scratch, mark, take_bound, perp_walk, spot_walk, tiny_free, dt
):
    """Clear every market once: cross quotes, net orders, walk the ladders, book fills and moves; writes books, causes, orders, accounts, fees."""
    base, scale, eaten, left, first, inside = books.base, books.scale, books.eaten, books.left, books.first, books.inside
    offset, usd, grids, relative, cumulative = markets.offset, markets.usd, markets.grid, markets.relative, markets.cumulative
    entries, cause, source, owner, counts = scratch.entries, scratch.cause, scratch.source, scratch.owner, scratch.counts
    place, key, at = scratch.place, scratch.key, scratch.at
    charge, by_cause, order, sorting = scratch.charge, scratch.by_cause, scratch.order, scratch.sorting
    owners = base.shape[1]
    flow_quantity, flow_limit, flow_cause, flow_cell = flows.quantity, flows.limit, flows.cause, flows.cell
    table, link, head = orders.table, orders.link, orders.head
    cell_quantity, cell_cost, cell_cash = cells.quantity, cells.cost, cells.cash
    trader_quantity, trader_cost, trader_cash = traders.quantity, traders.cost, traders.cash
    position, cost, balance = portfolios.position, portfolios.cost, portfolios.balance
    perps, assets, fee_frac, venues, classes = markets.perp, markets.asset, markets.fee_frac, markets.venue, markets.size_class
    mids, turnover, last_bid = books.mid, books.turnover_usd_s, books.last_bid
    step, temporary, pending = causes.step, causes.temporary, causes.pending
    sold_usd, bought_usd, forced_usd, forced_generation = causes.sold_usd, causes.bought_usd, causes.forced_usd, causes.forced_generation_usd
    turnover_memory = 1.0 - math.exp(-dt / 5.0)
    for m in range(venues.size):
        grid = grids[m]
        for s in range(owners):
            place[BID, s] = first[m, s, BID]
            place[ASK, s] = first[m, s, ASK]
        low, high, last = math.inf, -math.inf, math.nan
        traded, crossed_low, crossed_high = cross_quotes(m, base, offset, usd, scale, eaten, left, grid, place, key, at, owner)
        if traded > 0.0:
            low, high, last = crossed_low, crossed_high, 0.5 * (crossed_low + crossed_high)
        bid, ask = best_levels(key)
        mid = bounded_mid(bid, ask, grid, mids[m])
        step[m, REQUOTING] += mid - mids[m]
        bid_log, ask_log = math.nan, math.nan
        if head[m] >= 0:  # only forced orders look at them
            traded_last = math.log(books.last[m])
            if bid != NO_LEVEL and books.best_bid[m] > -1e300:
                bid_log = min(bid * grid, traded_last, max(books.best_bid[m], -1e3))
            if ask != NO_LEVEL and books.best_ask[m] < 1e300:
                ask_log = max(ask * grid, traded_last, min(books.best_ask[m], 1e3))
        reach = (perp_walk if perps[m] else spot_walk) * dt
        free = tiny_free and not perps[m] and classes[m] == TINY
        lowest, highest = -math.inf, math.inf
        if perps[m]:
            lowest = math.log(mark[m] * (1.0 - take_bound[classes[m]]))
            highest = math.log(mark[m] * (1.0 + take_bound[classes[m]]))
        gather(m, flow_quantity, flow_limit, flow_cause, table, link, head[m], entries, cause, source, counts, bid_log, ask_log, reach, free, lowest, highest)
        netted = net_orders(entries, counts, mid)
        if netted > 0.0:
            low, high, last = min(low, mid), max(high, mid), mid
            traded += netted
        for c in range(charge.size):
            charge[c] = 0.0
            by_cause[c] = 0.0
        emptied = False
        for row in range(2):
            wanted = 0.0
            for i in range(counts[row]):
                wanted += entries[row, E_QUANTITY, i]
            if wanted <= 0.0:
                continue
            side = BID if row == 0 else ASK
            if counts[row] > 1:
                sort_by_limit(row, counts[row], entries, order, sorting)
            else:
                order[0] = 0
            walked, last_level, before, after = walk_side(
                m, side, counts[row], order, entries, cause, charge, base, offset, usd, scale, eaten, left, grid, place, key, at, owner, by_cause
            )
            if walked > 0.0:
                low, high, last = min(low, min(last_level, before * grid)), max(high, max(last_level, before * grid)), last_level
                traded += walked
                emptied = emptied or after == NO_LEVEL
            if row == 0 and free and after == NO_LEVEL and last_bid[m] > 0.0:
                far_log = markets.log_reference[m] - LAST_BID_DISTANCE
                got = hit_last_bid(counts[0], entries[0], far_log, last_bid[m])
                if got > 0.0:
                    last_bid[m] -= got
                    owner[BOUGHT, owners - 1] += got
                    owner[PAID, owners - 1] += got * math.exp(far_log)
                    low, high, last = min(low, far_log), max(high, far_log), far_log
                    traded += got
        bid, ask = best_levels(key)
        after_mid = bounded_mid(bid, ask, grid, 0.5 * (low + high) if traded > 0.0 else mid)
        book_walk(m, step, temporary, pending, charge, by_cause, after_mid - mid, emptied)
        fees[venues[m]] += book_entries(
            m, perps[m], assets[m], fee_frac[m], entries, cause, source, counts, flow_cell, table, cell_quantity, cell_cost, cell_cash, trader_quantity, trader_cost,
            trader_cash, position, cost, balance, sold_usd, bought_usd, forced_usd, forced_generation,
        )  # fmt: skip
        book_owners(m, perps[m], assets[m], owner, slot_account, cell_quantity, cell_cost, cell_cash, position, cost, balance)
        mids[m] = after_mid
        books.best_bid[m] = bid * grid if bid != NO_LEVEL else -math.inf
        books.best_ask[m] = ask * grid if ask != NO_LEVEL else math.inf
        books.low[m] = math.nan
        books.high[m] = math.nan
        books.traded_log[m] = after_mid
        if traded > 0.0:
            books.low[m] = math.exp(low)
            books.high[m] = math.exp(high)
            books.last[m] = books.low[m] if last == low else (books.high[m] if last == high else math.exp(last))
            books.traded_log[m] = 0.5 * (low + high)
        books.traded_usd[m] = traded * math.exp(after_mid)
        turnover[m] += turnover_memory * (books.traded_usd[m] / dt - turnover[m])
        depth_bid, depth_ask = depth_usd(m, base, offset, relative, cumulative, scale, eaten, left, inside, grid, after_mid, BAND)
        books.depth_bid_usd[m] = depth_bid
        books.depth_ask_usd[m] = depth_ask


@lean
def finish_causes(mid, step, total, recent, temporary, forced_usd, forced_generation, peak, at_peak, trough, at_trough, dt):
    """Carry the booking of this step into totals, recent mix, peaks and troughs [M, C]; forget old flows slowly."""
    memory = math.exp(-dt / 60.0)
    slow = math.exp(-dt / 120.0)
    for m in range(mid.size):
        for c in range(step.shape[1]):
            total[m, c] += step[m, c]
            recent[m, c] = recent[m, c] * memory + step[m, c]
            temporary[m, c] *= slow
            forced_usd[m, c] *= slow
            forced_generation[m, c] *= slow
        if mid[m] >= peak[m]:
            peak[m] = mid[m]
            for c in range(step.shape[1]):
                at_peak[m, c] = total[m, c]
        if mid[m] <= trough[m]:
            trough[m] = mid[m]
            for c in range(step.shape[1]):
                at_trough[m, c] = total[m, c]


__all__ = ["E_CASH", "E_FILLED", "E_LIMIT", "E_NETTED", "E_QUANTITY", "Scratch", "clear_markets", "finish_causes", "position_after"]
