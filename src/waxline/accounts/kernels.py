"""Compiled loops on accounts: booking a trade, equity and maintenance, the watch ladder.

A position is (quantity, cost). A trade that adds to it adds quantity times price to the cost; a trade that reduces it takes out the
same part of the cost and pays the difference as cash. So the sum over all accounts of cash minus cost never changes by trading.
"""

from __future__ import annotations

from waxline.jit import njit


@njit
def position_after(quantity, cost, cash, traded, notional):
    """Return (quantity, cost, cash) of a perp position after trading `traded` coins (buy positive) for `notional` USD (same sign)."""
    if quantity == 0.0 or traded == 0.0 or (quantity > 0.0) == (traded > 0.0):
        return quantity + traded, cost + notional, cash
    closing = min(abs(traded), abs(quantity))
    part = closing / abs(quantity)
    share = closing / abs(traded)
    cash += -notional * share - cost * part
    cost = 0.0 if part >= 1.0 else cost - cost * part
    return quantity + traded, cost + notional * (1.0 - share), cash


@njit
def trade_single(quantity, cost, cash, i, perp, traded, notional):
    """Book a trade of single-market account `i` (traded and notional: buy positive); writes quantity, cost, cash [N]."""
    if perp:
        after, cost_after, cash_after = position_after(quantity[i], cost[i], cash[i], traded, notional)
        quantity[i] = after
        cost[i] = cost_after
        cash[i] = cash_after
    else:
        quantity[i] += traded
        cash[i] -= notional


@njit
def trade_portfolio(position, cost, balance, p, market, asset, perp, traded, notional):
    """Book a trade of portfolio `p` in a perp (position) or spot market (balance of `asset` against cash); writes the tables."""
    if perp:
        after, cost_after, cash_after = position_after(position[p, market], cost[p, market], balance[p, 0], traded, notional)
        position[p, market] = after
        cost[p, market] = cost_after
        balance[p, 0] = cash_after
    else:
        balance[p, asset] += traded
        balance[p, 0] -= notional


@njit
def liquidation_price(quantity, cost, cash, rate, deduction):
    """Return the mark price at which equity equals maintenance; 0 for a long that cannot be liquidated.

    cash + q P - cost = |q| P rate - deduction, so P = (cost - cash - deduction) / (q - |q| rate).
    """
    if quantity == 0.0:
        return 0.0
    return max((cost - cash - deduction) / (quantity - abs(quantity) * rate), 0.0)


@njit
def maintenance_of(m, notional, tier_cap, tier_rate, tier_deduction):
    """Return the maintenance in USD of a position of value `notional` (USD, positive) in perp `m`: notional rate - deduction of its tier.

    tiers [M, N]: largest notional (USD), rate, deduction; the last tier has no end.
    """
    n = 0
    while n < tier_cap.shape[1] - 1 and notional > tier_cap[m, n]:
        n += 1
    return notional * tier_rate[m, n] - tier_deduction[m, n]


@njit
def tier_at_line(m, quantity, cost, cash, people, on_entry, fee, tier_cap, tier_rate, tier_deduction):
    """Return (rate, deduction in USD) that hold at a single position's liquidation price: maintenance there is |q| P rate - deduction.

    The row stands for `people` equal positions: tiers act on its value divided by that. on_entry 1: maintenance is taken on the entry value and
    does not move with the mark, (fee, -maintenance); fee: part of the mark value that counts as maintenance besides. Tiers rise, so that
    maintenance is the largest of its tiers' lines, and the position meets it first where its notional lies in the tier that the line was computed
    with: checking that one line is exact. Compared with the calculator in tests/test_venue_rules_simulated.py.
    """
    if on_entry == 1:
        return fee, -people * maintenance_of(m, abs(cost) / people, tier_cap, tier_rate, tier_deduction)
    for n in range(tier_cap.shape[1]):
        line = liquidation_price(quantity, cost, cash, tier_rate[m, n] + fee, tier_deduction[m, n] * people)
        if abs(quantity) * line <= tier_cap[m, n] * people:
            return tier_rate[m, n] + fee, tier_deduction[m, n] * people
    last = tier_cap.shape[1] - 1
    return tier_rate[m, last] + fee, tier_deduction[m, last] * people


@njit
def fund_traders(market, venue, quantity, cost, line, people, on_entry, fee, tier_cap, tier_rate, tier_deduction, cash, rate, deduction):
    """Give each trader the margin that puts his liquidation price at `line` [N] (USD), and its tier there; writes cash, rate, deduction [N].

    cash = cost - q line + maintenance at the line; market [N], venue [M]; people, on_entry and fee [V] as in
    `tier_at_line`; tiers [M, K].
    """
    for i in range(market.size):
        m = market[i]
        v = venue[m]
        if quantity[i] == 0.0:
            continue
        if on_entry[v] == 1:
            rate[i] = fee[v]
            deduction[i] = -people[v] * maintenance_of(m, abs(cost[i]) / people[v], tier_cap, tier_rate, tier_deduction)
        else:
            notional = abs(quantity[i]) * line[i] / people[v]
            n = 0
            while n < tier_cap.shape[1] - 1 and notional > tier_cap[m, n]:
                n += 1
            rate[i] = tier_rate[m, n] + fee[v]
            deduction[i] = tier_deduction[m, n] * people[v]
        cash[i] = cost[i] - quantity[i] * line[i] + abs(quantity[i]) * line[i] * rate[i] - deduction[i]


@njit
def counted_value(held, price, v, a, haircuts):
    """Return what `held` > 0 coins of asset `a` at `price` (USD) count as margin at venue `v`, in USD: each band's part of what lies in it.

    haircuts: `Haircuts`. What lies beyond the last band counts nothing.
    """
    if held * (1.0 if haircuts.in_coins[v, a] == 1 else price) <= haircuts.end[v, a, 0]:
        return haircuts.ratio[v, a] * held * price
    units = held if haircuts.in_coins[v, a] == 1 else held * price
    counted = 0.0
    start = 0.0
    for b in range(haircuts.end.shape[2]):
        end = min(units, haircuts.end[v, a, b])
        if end <= start:
            break
        counted += haircuts.part[v, a, b] * (end - start)
        start = end
    return counted * price if haircuts.in_coins[v, a] == 1 else counted


@njit
def value_portfolios(
    venue,
    balance,
    position,
    cost,
    haircuts,
    debt_rate,
    mark,
    asset_price,
    perp_start,
    perp_end,
    tier_cap,
    tier_rate,
    tier_deduction,
    flat_rate,
    plain,
    closing_fee,
    equity_out,
    maintenance_out,
    collateral_out,
):
    """Value every portfolio at the venue's prices; writes equity_out, maintenance_out, collateral_out [P] in USD.

    E = cash + sum_a counted(balance_a, price_a) (negative balances in full) + sum_m (q_m mark_m - cost_m)
    M = sum_m (N_m rate - deduction) by tier + debt rate times what is owed; profit joins the cash balance, a loss beyond it is owed.
    venue [P]; balance [P, A] (column 0 USD); position, cost [P, M]; haircuts: `Haircuts`; debt_rate [P]; `mark` [M] USD, `asset_price` [V, A] USD
    (collateral price); markets of venue v are perp_start[v]..perp_end[v]; tiers [M, N]: caps in USD; flat_rate [P] > 0 replaces
    the tiers (makers' agreements); plain [P] 1: every pledged asset counts in full; closing_fee [P]: part of the
    positions' value that counts as maintenance besides. Twin: `waxline.reference`.
    """
    assets = balance.shape[1]
    for p in range(venue.size):
        v = venue[p]
        cash = balance[p, 0]
        debt = 0.0
        collateral = 0.0
        for a in range(1, assets):
            held = balance[p, a]
            if held > 0.0:
                collateral += held * asset_price[v, a] if plain[p] == 1 else counted_value(held, asset_price[v, a], v, a, haircuts)
            elif held < 0.0:
                debt -= held * asset_price[v, a]
        maintenance = 0.0
        for m in range(perp_start[v], perp_end[v]):
            quantity = position[p, m]
            if quantity != 0.0:
                notional = abs(quantity) * mark[m]
                cash += quantity * mark[m] - cost[p, m]
                maintenance += notional * closing_fee[p]
                if flat_rate[p] > 0.0:
                    maintenance += notional * flat_rate[p]
                    continue
                maintenance += maintenance_of(m, notional, tier_cap, tier_rate, tier_deduction)
        debt += max(-cash, 0.0)
        equity_out[p] = collateral + max(cash, 0.0) - debt
        maintenance_out[p] = maintenance + debt * debt_rate[p]
        collateral_out[p] = collateral


@njit
def reached(account, level, start, place, perps, mark, falling, found, count):
    """Collect the accounts whose watch level the mark has reached, over all `perps`; writes `found`, moves `place` [M].

    Levels of a market stand in start[m]..start[m + 1], sorted by how soon they are reached: descending for longs (`falling`), ascending for
    shorts. Returns the new count.
    """
    for m in perps:
        now = place[m]
        end = start[m + 1]
        while now < end:
            if (mark[m] > level[now]) if falling else (mark[m] < level[now]):
                break
            found[count] = account[now]
            count += 1
            now += 1
        place[m] = now
    return count
