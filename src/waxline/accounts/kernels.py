"""Compiled loops on accounts: booking a trade, equity and maintenance, the watch ladder.

A position is (quantity, cost). A trade that adds to it adds quantity times price to the cost; a trade that reduces it takes out the
same part of the cost and pays the difference as cash. So the sum over all accounts of cash minus cost never changes by trading.
"""

from __future__ import annotations

from waxline.jit import njit


@njit
def position_after(quantity, cost, cash, traded, notional):
    """Return (quantity, cost, cash) of a perp position after trading `traded` coins (buy positive) for `notional` USD (same sign)."""
    if quantity == 0.0 or (quantity > 0.0) == (traded > 0.0):
        return quantity + traded, cost + notional, cash
    closing = min(abs(traded), abs(quantity))
    part = closing / abs(quantity)
    share = closing / abs(traded)
    cash += -notional * share - cost * part
    cost = 0.0 if part >= 1.0 else cost - cost * part
    return quantity + traded, cost + notional * (1.0 - share), cash


@njit
def trade_cell(cells, kind, market, perp, traded, notional):
    """Book a trade of a single-market account; writes `cells` (traded and notional: buy positive)."""
    if perp:
        quantity, cost, cash = position_after(
            cells.quantity[kind, market], cells.cost[kind, market], cells.cash[kind, market], traded, notional
        )
        cells.quantity[kind, market] = quantity
        cells.cost[kind, market] = cost
        cells.cash[kind, market] = cash
    else:
        cells.quantity[kind, market] += traded
        cells.cash[kind, market] -= notional


@njit
def trade_trader(traders, i, traded, notional):
    """Book a trade of leveraged trader `i`; writes `traders`."""
    quantity, cost, cash = position_after(traders.quantity[i], traders.cost[i], traders.cash[i], traded, notional)
    traders.quantity[i] = quantity
    traders.cost[i] = cost
    traders.cash[i] = cash


@njit
def trade_portfolio(portfolios, p, market, asset, perp, traded, notional):
    """Book a trade of portfolio `p` in a perp (position) or spot market (balance of `asset` against cash); writes `portfolios`."""
    if perp:
        quantity, cost, cash = position_after(
            portfolios.position[p, market], portfolios.cost[p, market], portfolios.balance[p, 0], traded, notional
        )
        portfolios.position[p, market] = quantity
        portfolios.cost[p, market] = cost
        portfolios.balance[p, 0] = cash
    else:
        portfolios.balance[p, asset] += traded
        portfolios.balance[p, 0] -= notional


@njit
def trader_equity(traders, i, mark):
    """Return (equity, maintenance) in USD of leveraged trader `i` at the mark price: cash + q mark - cost; N rate - deduction."""
    quantity = traders.quantity[i]
    equity = traders.cash[i] + quantity * mark - traders.cost[i]
    maintenance = max(abs(quantity) * mark * traders.rate[i] - traders.deduction[i], 0.0)
    return equity, maintenance


@njit
def liquidation_price(quantity, cost, cash, rate, deduction):
    """Return the mark price at which equity equals maintenance; 0 for a long that cannot be liquidated.

    cash + q P - cost = |q| P rate - deduction, so P = (cost - cash - deduction) / (q - |q| rate).
    """
    if quantity == 0.0:
        return 0.0
    return max((cost - cash - deduction) / (quantity - abs(quantity) * rate), 0.0)


@njit
def value_portfolios(portfolios, venues, mark, asset_price, perp_start, perp_end, tier_cap, tier_rate, tier_deduction):
    """Value every portfolio at the venue's prices; writes equity, maintenance and collateral_usd.

    E = cash + sum_a ratio_a balance_a price_a (negative balances in full) + sum_m (q_m mark_m - cost_m)
    M = sum_m (N_m rate - deduction) by tier + debt rate times borrowed value.
    `mark` [M] USD, `asset_price` [V, A] USD (collateral price), markets of venue v are perp_start[v]..perp_end[v];
    tiers [M, N]: caps in USD. Twin: `waxline.reference.portfolio_value`.
    """
    count = portfolios.venue.size
    assets = portfolios.balance.shape[1]
    tiers = tier_cap.shape[1]
    for p in range(count):
        v = portfolios.venue[p]
        cash = portfolios.balance[p, 0]
        equity = cash
        debt = -cash if cash < 0.0 else 0.0
        collateral = 0.0
        for a in range(1, assets):
            balance = portfolios.balance[p, a]
            if balance > 0.0:
                collateral += venues.collateral_ratio[v, a] * balance * asset_price[v, a]
            elif balance < 0.0:
                debt -= balance * asset_price[v, a]
                equity += balance * asset_price[v, a]
        equity += collateral
        maintenance = debt * venues.debt_rate[v]
        for m in range(perp_start[v], perp_end[v]):
            quantity = portfolios.position[p, m]
            if quantity != 0.0:
                notional = abs(quantity) * mark[m]
                equity += quantity * mark[m] - portfolios.cost[p, m]
                n = 0
                while n < tiers - 1 and notional > tier_cap[m, n]:
                    n += 1
                maintenance += notional * tier_rate[m, n] - tier_deduction[m, n]
        portfolios.equity[p] = equity
        portfolios.maintenance[p] = maintenance
        portfolios.collateral_usd[p] = collateral


@njit
def reached(watch, market, mark, falling, found, count):
    """Collect the accounts of a market whose watch level the mark has reached; writes `found`, moves `watch.place`.

    Levels are sorted by how soon they are reached: descending for longs (`falling`), ascending for shorts. Returns the new count.
    """
    place = watch.place[market]
    end = watch.start[market + 1]
    while place < end:
        level = watch.level[place]
        if (mark > level) if falling else (mark < level):
            break
        found[count] = watch.account[place]
        count += 1
        place += 1
    watch.place[market] = place
    return count
