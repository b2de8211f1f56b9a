"""Compiled loop that clears every market once: quotes, netting, ladder; fills move balances, mid moves are booked to causes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.kernels import trade_cell, trade_portfolio, trade_trader
from waxline.jit import njit
from waxline.market.kernels import (
    ASK,
    BID,
    NO_LEVEL,
    advance,
    best_level,
    bounded_mid,
    cross_quotes,
    side_depth_usd,
    sort_by_limit,
    walk,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
REQUOTING, STOP_LOSS = 5, 12
STOP_WALK = 0.03


class Scratch(NamedTuple):
    """Hold working arrays of one market's clearing: entries of each side (0 sells, 1 buys), per-owner fills, per-cause sums."""

    quantity: Floats
    limit: Floats
    cause: Ints
    source: Ints
    filled: Floats
    cash: Floats
    order: Ints
    bought: Floats
    paid: Floats
    sold: Floats
    received: Floats
    place_bid: Ints
    place_ask: Ints
    charge: Floats
    by_cause: Floats


@njit
def gather(markets, flows, orders, scratch, m, bid, ask, perp_walk, spot_walk, tiny_free, dt):
    """Collect the market orders of market `m` into `scratch` (row 0 sells, row 1 buys); returns both counts.

    Forced orders may walk at most `walk * dt` beyond the best of the other side; sources: flow number, or FLOWS + order number.
    """
    counts = np.zeros(2, np.int64)
    kinds = flows.cause.size
    capacity = scratch.quantity.shape[1]
    for f in range(kinds):
        quantity = flows.quantity[m, f]
        if quantity != 0.0:
            row = 0 if quantity < 0.0 else 1
            i = counts[row]
            scratch.quantity[row, i] = abs(quantity)
            scratch.limit[row, i] = flows.limit[m, f]
            scratch.cause[row, i] = flows.cause[f]
            scratch.source[row, i] = f
            counts[row] += 1
    grid = markets.grid[m]
    free = tiny_free and not markets.perp[m] and markets.size_class[m] == 4
    n = orders.head[m]
    while n >= 0:
        if orders.release[n] > 0.0:
            row = 0 if orders.side[n] < 0 else 1
            i = counts[row]
            if i < capacity:
                reach = (STOP_WALK if orders.cause[n] == STOP_LOSS else (perp_walk if markets.perp[m] else spot_walk)) * dt
                limit = orders.limit[n]
                if row == 0 and bid != NO_LEVEL and not free:
                    limit = max(limit, bid * grid - reach)
                if row == 1 and ask != NO_LEVEL:
                    limit = min(limit, ask * grid + reach)
                scratch.quantity[row, i] = min(orders.release[n], orders.left[n])
                scratch.limit[row, i] = limit
                scratch.cause[row, i] = orders.cause[n]
                scratch.source[row, i] = kinds + n
                counts[row] += 1
        n = orders.next[n]
    for row in range(2):
        for i in range(counts[row]):
            scratch.filled[row, i] = 0.0
            scratch.cash[row, i] = 0.0
    return counts


@njit
def net_orders(scratch, counts, log_mid):
    """Fill opposing market orders against each other at the mid, pro rata, where their limits allow it; returns the coins netted."""
    sells, buys = 0.0, 0.0
    for i in range(counts[0]):
        if scratch.limit[0, i] <= log_mid:
            sells += scratch.quantity[0, i]
    for i in range(counts[1]):
        if scratch.limit[1, i] >= log_mid:
            buys += scratch.quantity[1, i]
    netted = min(sells, buys)
    if netted <= 0.0:
        return 0.0
    price = math.exp(log_mid)
    for row in range(2):
        part = netted / (sells if row == 0 else buys)
        for i in range(counts[row]):
            limit = scratch.limit[row, i]
            if (limit <= log_mid) if row == 0 else (limit >= log_mid):
                quantity = scratch.quantity[row, i] * part
                scratch.filled[row, i] = quantity
                scratch.cash[row, i] = quantity * price
                scratch.quantity[row, i] = scratch.quantity[row, i] - quantity if part < 1.0 else 0.0
    return netted


@njit
def book_entries(markets, causes, flows, orders, cells, traders, portfolios, fees, scratch, counts, m):
    """Move balances and positions for what each market order got, charge the taker fee, and count notional by cause."""
    kinds = flows.cause.size
    perp = markets.perp[m]
    asset = markets.asset[m]
    venue = markets.venue[m]
    for row in range(2):
        sign = -1.0 if row == 0 else 1.0
        for i in range(counts[row]):
            quantity = scratch.filled[row, i]
            if quantity <= 0.0:
                continue
            notional = scratch.cash[row, i]
            fee = notional * markets.fee_frac[m]
            cause = scratch.cause[row, i]
            source = scratch.source[row, i]
            if row == 0:
                causes.sold_usd[m, cause] += notional
            else:
                causes.bought_usd[m, cause] += notional
            fees[venue] += fee
            if source < kinds:
                kind = flows.cell[source]
                trade_cell(cells, kind, m, perp, sign * quantity, sign * notional)
                cells.cash[kind, m] -= fee
                if cause == 3 or cause == 4:
                    generation = 2.0
                    if causes.forced_usd[m, 1] > 1.0:
                        generation = 1.0 + causes.forced_generation_usd[m, 1] / causes.forced_usd[m, 1]
                    causes.forced_usd[m, cause] += notional
                    causes.forced_generation_usd[m, cause] += generation * notional
                continue
            n = source - kinds
            account = orders.account[n]
            if account >= 0:
                trade_trader(traders, account, sign * quantity, sign * notional)
                traders.cash[account] -= fee
            else:
                trade_portfolio(portfolios, -1 - account, m, asset, perp, sign * quantity, sign * notional)
                portfolios.balance[-1 - account, 0] -= fee
            orders.left[n] = max(orders.left[n] - quantity, 0.0)
            orders.row_filled[n] += quantity
            orders.row_cash[n] += notional
            orders.filled[n] += quantity
            orders.cash[n] += notional
            if cause != STOP_LOSS:
                causes.forced_usd[m, cause] += notional
                causes.forced_generation_usd[m, cause] += orders.generation[n] * notional


@njit
def book_owners(markets, cells, portfolios, slot_account, scratch, m):
    """Move balances and positions of the owners of resting quotes for what they bought and sold; clears the owners' sums."""
    owners = scratch.bought.size
    perp = markets.perp[m]
    asset = markets.asset[m]
    for s in range(owners):
        for row in range(2):
            quantity = scratch.bought[s] if row == 0 else -scratch.sold[s]
            notional = scratch.paid[s] if row == 0 else -scratch.received[s]
            if quantity != 0.0:
                account = slot_account[s, m]
                if account >= 0:
                    trade_portfolio(portfolios, account, m, asset, perp, quantity, notional)
                else:
                    trade_cell(cells, 0, m, perp, quantity, notional)
        scratch.bought[s] = 0.0
        scratch.paid[s] = 0.0
        scratch.sold[s] = 0.0
        scratch.received[s] = 0.0


@njit
def book_walk(causes, scratch, m, mid_before, mid_after, emptied):
    """Book the mid's move in the clearing to the causes that walked the ladder, in proportion to the distance each walked."""
    size = scratch.by_cause.size
    moved = mid_after - mid_before
    charged = 0.0
    for c in range(size):
        charged += scratch.charge[c]
    if moved != 0.0 and abs(charged) > 0.0 and charged * moved > 0.0:
        for c in range(size):
            part = moved * scratch.charge[c] / charged
            causes.step[m, c] += part
            causes.temporary[m, c] += part
    elif moved != 0.0:
        causes.step[m, REQUOTING] += moved
    if emptied:
        whole = 0.0
        for c in range(size):
            whole += max(scratch.by_cause[c], 0.0)
        for c in range(size):
            causes.pending[m, c] = max(scratch.by_cause[c], 0.0) / whole if whole > 0.0 else 0.0


@njit
def clear_market(markets, books, causes, flows, orders, cells, traders, portfolios, fees, slot_account, scratch, m, perp_walk, spot_walk, tiny_free, dt):
    """Clear market `m`: cross quotes, net, walk; writes books, accounts, causes."""
    owners = books.base.shape[1]
    rungs = books.posted.shape[3]
    grid = markets.grid[m]
    for s in range(owners):
        scratch.place_bid[s] = 0
        scratch.place_ask[s] = 0
    mid_quoted = books.mid[m]
    low, high, last = math.inf, -math.inf, math.nan
    traded, crossed_low, crossed_high = cross_quotes(
        books.base[m], markets.offset[m], books.posted[m], grid, owners, rungs, scratch.place_bid, scratch.place_ask,
        scratch.bought, scratch.paid, scratch.sold, scratch.received,
    )  # fmt: skip
    if traded > 0.0:
        low, high, last = crossed_low, crossed_high, 0.5 * (crossed_low + crossed_high)
    bid = best_level(books.base[m, :, BID], markets.offset[m], scratch.place_bid, owners, rungs, BID)
    ask = best_level(books.base[m, :, ASK], markets.offset[m], scratch.place_ask, owners, rungs, ASK)
    mid = bounded_mid(bid, ask, grid, mid_quoted)
    if mid != mid_quoted:
        causes.step[m, REQUOTING] += mid - mid_quoted
    counts = gather(markets, flows, orders, scratch, m, bid, ask, perp_walk, spot_walk, tiny_free, dt)
    netted = net_orders(scratch, counts, mid)
    if netted > 0.0:
        low, high, last = min(low, mid), max(high, mid), mid
        traded += netted
    for c in range(scratch.charge.size):
        scratch.charge[c] = 0.0
    emptied = False
    for row in range(2):
        left = 0.0
        for i in range(counts[row]):
            left += scratch.quantity[row, i]
        if left <= 0.0:
            continue
        side = BID if row == 0 else ASK
        sort_by_limit(counts[row], scratch.limit[row], scratch.order, side)
        got, paid = (scratch.bought, scratch.paid) if row == 0 else (scratch.sold, scratch.received)
        place = scratch.place_bid if row == 0 else scratch.place_ask
        walked, last_level, before, after = walk(
            side, counts[row], scratch.order, scratch.quantity[row], scratch.limit[row], scratch.cause[row], scratch.filled[row],
            scratch.cash[row], scratch.charge, books.base[m, :, side], markets.offset[m], books.posted[m, :, side], grid, owners, rungs,
            place, got, paid, scratch.by_cause,
        )  # fmt: skip
        if walked > 0.0:
            low, high, last = min(low, min(last_level, before * grid)), max(high, max(last_level, before * grid)), last_level
            traded += walked
            emptied = emptied or after == NO_LEVEL
    bid = best_level(books.base[m, :, BID], markets.offset[m], scratch.place_bid, owners, rungs, BID)
    ask = best_level(books.base[m, :, ASK], markets.offset[m], scratch.place_ask, owners, rungs, ASK)
    after_mid = bounded_mid(bid, ask, grid, mid)
    book_walk(causes, scratch, m, mid, after_mid, emptied)
    book_entries(markets, causes, flows, orders, cells, traders, portfolios, fees, scratch, counts, m)
    book_owners(markets, cells, portfolios, slot_account, scratch, m)
    books.mid[m] = after_mid
    books.best_bid[m] = bid * grid if bid != NO_LEVEL else -math.inf
    books.best_ask[m] = ask * grid if ask != NO_LEVEL else math.inf
    books.low[m] = math.exp(low) if traded > 0.0 else math.nan
    books.high[m] = math.exp(high) if traded > 0.0 else math.nan
    if traded > 0.0:
        books.last[m] = math.exp(last)
    books.traded_usd[m] = traded * math.exp(after_mid)
    books.turnover_usd_s[m] += (1.0 - math.exp(-dt / 5.0)) * (books.traded_usd[m] / dt - books.turnover_usd_s[m])
    books.depth_bid_usd[m] = side_depth_usd(books.base[m, :, BID], markets.offset[m], books.posted[m, :, BID], grid, owners, rungs, BID, after_mid, 0.01)
    books.depth_ask_usd[m] = side_depth_usd(books.base[m, :, ASK], markets.offset[m], books.posted[m, :, ASK], grid, owners, rungs, ASK, after_mid, 0.01)


@njit
def clear_markets(markets, books, causes, flows, orders, cells, traders, portfolios, fees, slot_account, scratch, perp_walk, spot_walk, tiny_free, dt):
    """Clear every market once; the markets share no book, so their order does not matter except through shared accounts' sums."""
    for m in range(markets.venue.size):
        clear_market(markets, books, causes, flows, orders, cells, traders, portfolios, fees, slot_account, scratch, m, perp_walk, spot_walk, tiny_free, dt)


@njit
def finish_causes(books, causes, dt):
    """Carry the booking of this step into totals, recent mix, peaks and troughs; forget old flows slowly."""
    memory = math.exp(-dt / 60.0)
    temporary = math.exp(-dt / 120.0)
    for m in range(books.mid.size):
        for c in range(causes.step.shape[1]):
            causes.total[m, c] += causes.step[m, c]
            causes.recent[m, c] = causes.recent[m, c] * memory + causes.step[m, c]
            causes.temporary[m, c] *= temporary
            causes.forced_usd[m, c] *= temporary
            causes.forced_generation_usd[m, c] *= temporary
        if books.mid[m] >= causes.peak[m]:
            causes.peak[m] = books.mid[m]
            for c in range(causes.step.shape[1]):
                causes.at_peak[m, c] = causes.total[m, c]
        if books.mid[m] <= causes.trough[m]:
            causes.trough[m] = books.mid[m]
            for c in range(causes.step.shape[1]):
                causes.at_trough[m, c] = causes.total[m, c]
