"""Compiled loops of everyone who trades at the market, bounded by what they own and, unless forced, by what the book shows.

Quantities are signed coins (buy positive), limits are log prices. Rates are per second and act as 1 - exp(-rate dt).
"""

from __future__ import annotations

import math

from waxline.agents.tables import Flow
from waxline.jit import njit
from waxline.streams import key, uniform

NOISE_PURPOSE_BUY, NOISE_PURPOSE_SELL = 4, 5
CROWD, NOISE, INFORMED, VALUE_BUYER, VALUE_SELLER, SHORTS, HOLDERS, ARBITRAGE, CARRY, FUND, KEEPER, OUTSIDE, NEW_SHORTS = range(13)
F_INFORMED, F_NOISE_BUY, F_NOISE_SELL, F_VALUE_BUY, F_VALUE_SELL, F_COVER, F_TREND, F_NEW_SHORT = range(8)
F_ARB_BUY, F_ARB_SELL, F_NAKED, F_FUND, F_KEEPER = 8, 9, 10, 11, 12
FLOW_COUNT = Flow.COUNT
CLOSE_TO_MID = 0.02
FAR_FROM_MID = 0.03
WIDE_OF_MID = 0.10
BELOW_BID = 0.002


@njit
def part(rate, dt):
    """Return the part done in `dt` at `rate` per second: 1 - exp(-rate dt)."""
    return 1.0 - math.exp(-rate * dt)


@njit
def room(quantity, cash, perp, price, limit_usd, sign):
    """Return the USD that a single-market account can still buy (sign +1) or sell (-1).

    Spot: its cash, or its coins. Perp: up to a position of `limit_usd` on either side.
    """
    if perp:
        return max(limit_usd - sign * quantity * price, 0.0)
    if sign > 0.0:
        return max(cash, 0.0)
    return max(quantity * price, 0.0)


@njit
def informed_usd(gap, rate, gap_limit, buy_gap_limit, depth, dt):
    """Return the signed USD of informed orders per step: rate * depth per 1 % of the gap to fair value (log), gap limited."""
    seen = min(gap, buy_gap_limit) if gap > 0.0 else max(gap, -gap_limit)
    return rate * seen / 0.01 * depth * dt


@njit
def value_rate(discount, discount_before, start, width, cash, tau):
    """Return the USD per second that value buyers spend: cash / tau * min(1.5, (disc - d0) / w), the smaller discount of now and before."""
    seen = min(discount, discount_before)
    if seen <= start or cash <= 0.0:
        return 0.0
    return cash / tau * min(1.5, (seen - start) / width)


@njit
def trend_usd(fall, full, rate, holdings, depth_share, shown, turnover, dt):
    """Return the USD that trend sellers sell per step on a log `fall` beyond their threshold.

    Never more than a share of shown bids, or than `turnover` (USD per s that they may take of what trades).
    """
    if fall <= 0.0:
        return 0.0
    return min(part(rate * min(1.0, fall / full), dt) * holdings, max(part(depth_share, dt) * shown, turnover * dt))


@njit
def cover_strength(fall, start, width):
    """Return how strongly shorts take profit (0..1) at a fall (fraction) below the price before the event."""
    return min(1.0, max(0.0, (fall - start) / width))


@njit
def decide_flows(markets, books, flows, cells, rules, fair, history, place_now, naked, outside, capital, fresh, seed, step, dt):
    """Decide every market order of this step; writes `flows`, and cash of value buyers.

    fair [A] log; history [M, H] log mids of past steps in a ring, `place_now` the latest; capital [M] USD of informed traders;
    fresh [M] 1 where value buyers' cash is renewed; naked [M] coins to sell whose hedge was deleveraged.
    """
    quantity, limit = flows.quantity, flows.limit
    held, cash = cells.quantity, cells.cash
    mids, anchors, means, variance = books.mid, books.anchor, books.slow_mean, books.variance
    best_bid, best_ask = books.best_bid, books.best_ask
    bids, asks, turnovers = books.depth_bid_usd, books.depth_ask_usd, books.turnover_usd_s
    depths, streams, reference, link_market = markets.depth_usd, markets.stream, markets.log_reference, markets.link_market
    ring = history.shape[1]
    buy_key = key(seed, NOISE_PURPOSE_BUY, step)
    sell_key = key(seed, NOISE_PURPOSE_SELL, step)
    for m in range(mids.size):
        for f in range(FLOW_COUNT):
            quantity[m, f] = 0.0
        mid, depth, perp, kind = mids[m], depths[m], markets.perp[m], markets.size_class[m]
        price = math.exp(mid)
        believed = fair[markets.asset[m]]
        below = min(mid, best_bid[m]) if best_bid[m] > -1e300 else mid
        # background flow: two independent sides, exponential sizes
        if rules.noise_rate > 0.0:
            size = min(depth, 1.6 * min(bids[m], asks[m])) * rules.noise_rate * dt
            buys = min(-math.log(uniform(buy_key, streams[m])) * size, room(held[NOISE, m], cash[NOISE, m], perp, price, 2.0 * depth, 1.0))
            sells = min(-math.log(uniform(sell_key, streams[m])) * size, room(held[NOISE, m], cash[NOISE, m], perp, price, 2.0 * depth, -1.0))
            quantity[m, F_NOISE_BUY] = buys / price
            limit[m, F_NOISE_BUY] = mid + WIDE_OF_MID
            quantity[m, F_NOISE_SELL] = -sells / price
            limit[m, F_NOISE_SELL] = mid - WIDE_OF_MID
        # informed flow: toward fair value
        if rules.informed_rate > 0.0:
            gap = believed - mid
            usd = informed_usd(gap, rules.informed_rate, rules.informed_gap, rules.informed_buy_gap, depth, dt)
            sign = 1.0 if usd > 0.0 else -1.0
            usd = min(abs(usd), room(held[INFORMED, m], cash[INFORMED, m], perp, price, capital[m], sign))
            quantity[m, F_INFORMED] = sign * usd / price
            limit[m, F_INFORMED] = mid + sign * min(CLOSE_TO_MID, abs(gap))
        # value buyers and sellers around a slow anchor
        if rules.value_on:
            discount = 1.0 - math.exp(mid - anchors[m])
            before = 1.0 - math.exp(history[m, (place_now - rules.value_delay[kind]) % ring] - anchors[m])
            if discount > rules.value_start[kind] and fresh[m] > 0.0:
                money = rules.value_cash[m] * dt / rules.fresh_tau
                cash[VALUE_BUYER, m] += money
                outside[0] -= money
            rate = value_rate(discount, before, rules.value_start[kind], rules.value_width[kind], rules.value_cash[m], rules.value_tau[kind])
            quantity[m, F_VALUE_BUY] = min(rate * dt, max(cash[VALUE_BUYER, m], 0.0)) / price
            reserve = anchors[m] + math.log(1.0 - rules.value_start[kind])
            offered = best_ask[m] if best_ask[m] < 1e300 else mid
            limit[m, F_VALUE_BUY] = max(min(reserve, max(mid + WIDE_OF_MID, offered)), mid)
        if rules.value_sellers:
            premium = mid - max(anchors[m], believed)
            if premium > rules.seller_start:
                left = room(held[VALUE_SELLER, m], cash[VALUE_SELLER, m], perp, price, 20.0 * depth, -1.0)
                quantity[m, F_VALUE_SELL] = -left * part(min(4.0, premium / 0.05) / rules.seller_tau, dt) / price
                limit[m, F_VALUE_SELL] = mid - CLOSE_TO_MID
        # trend sellers: coins, closed longs and new shorts
        if rules.trend_on:
            fall = means[m] - mid
            for n in range(link_market.shape[1]):
                other = link_market[m, n]
                if other >= 0:
                    fall = max(fall, rules.trend_elsewhere * (means[other] - mids[other]))
            usd = trend_usd(
                fall - rules.trend_start, rules.trend_full, rules.trend_rate, rules.trend_holdings[m], rules.trend_depth_share, bids[m],
                rules.trend_turnover * turnovers[m], dt,
            )  # fmt: skip
            shorts = rules.new_short_frac if perp else 0.0
            quantity[m, F_TREND] = -min(usd * (1.0 - shorts) / price, max(held[HOLDERS, m], 0.0))
            limit[m, F_TREND] = mid - WIDE_OF_MID
            quantity[m, F_NEW_SHORT] = -usd * shorts / price
            limit[m, F_NEW_SHORT] = mid - WIDE_OF_MID
        # shorts take profit
        if rules.shorts_on and perp and held[SHORTS, m] < 0.0:
            strength = cover_strength(1.0 - math.exp(mid - reference[m]), rules.short_start, rules.short_width)
            quantity[m, F_COVER] = min(-held[SHORTS, m], rules.short_full[m]) * part(strength / rules.short_tau, dt)
            limit[m, F_COVER] = mid + WIDE_OF_MID
        # funds work off, owners whose hedge is gone sell, keepers sell
        stock = held[FUND, m]
        if stock != 0.0 and math.sqrt(variance[m] * 60.0) < rules.fund_quiet * markets.volatility[m]:
            shown = bids[m] if stock > 0.0 else asks[m]
            size = min(abs(stock) * part(1.0 / rules.fund_tau, dt), part(rules.fund_depth, dt) * shown / price)
            sign = -1.0 if stock > 0.0 else 1.0
            quantity[m, F_FUND] = sign * size
            limit[m, F_FUND] = mid + sign * rules.fund_walk * dt
        if naked[m] > 0.0:
            quantity[m, F_NAKED] = -min(naked[m] * part(1.0 / rules.naked_tau, dt), max(held[CARRY, m], 0.0))
            limit[m, F_NAKED] = max(below - BELOW_BID * dt, reference[m] + rules.naked_floor)
        if not perp and held[KEEPER, m] > 0.0:
            quantity[m, F_KEEPER] = -held[KEEPER, m] * part(1.0 / rules.keeper_tau, dt)
            limit[m, F_KEEPER] = mid - FAR_FROM_MID


@njit
def arbitrage_usd(gap, cost, shown, rate, dt):
    """Return the USD that arbitrageurs trade per step on a log gap: rate (|gap| - cost) / 1 % of the smallest depth shown."""
    excess = abs(gap) - cost
    if excess <= 0.0:
        return 0.0
    return shown * min(part(rate * excess / 0.01, dt), 0.5)


@njit
def trade_arbitrage(markets, books, flows, cells, pairs, rules, link_open, speed, dt):
    """Decide arbitrage between pairs of markets and move stock between spot venues while transfers are open.

    link_open [pairs] 1 while coins can move; writes `flows` (arbitrage columns) and, by restocking, `cells`.
    """
    quantity, limit, held, cash = flows.quantity, flows.limit, cells.quantity, cells.cash
    mids, bids, asks, perps = books.mid, books.depth_bid_usd, books.depth_ask_usd, markets.perp
    restock = part(1.0 / rules.restock_tau, dt)
    for n in range(pairs.first.size):
        i, j = pairs.first[n], pairs.second[n]
        gap = mids[j] - mids[i]
        buy, sell = (i, j) if gap > 0.0 else (j, i)
        calm = rules.depth_limit * min(markets.depth_usd[i], markets.depth_usd[j])
        usd = arbitrage_usd(gap, rules.cost, min(asks[buy], bids[sell], calm), rules.rate, dt)
        usd *= min(speed[markets.venue[i]], speed[markets.venue[j]])
        if usd > 0.0:
            price_buy, price_sell = math.exp(mids[buy]), math.exp(mids[sell])
            stock_buy = pairs.stock_first[n] if buy == i else pairs.stock_second[n]
            stock_sell = pairs.stock_second[n] if buy == i else pairs.stock_first[n]
            can_buy = room(held[ARBITRAGE, buy], cash[ARBITRAGE, buy], perps[buy], price_buy, stock_buy, 1.0) - quantity[buy, F_ARB_BUY] * price_buy
            can_sell = room(held[ARBITRAGE, sell], cash[ARBITRAGE, sell], perps[sell], price_sell, stock_sell, -1.0) + quantity[sell, F_ARB_SELL] * price_sell
            usd = min(usd, can_buy, can_sell)
            if usd > 0.0:
                coins = usd / price_sell
                quantity[buy, F_ARB_BUY] += coins
                limit[buy, F_ARB_BUY] = mids[buy] + abs(gap) * 0.5
                quantity[sell, F_ARB_SELL] -= coins
                limit[sell, F_ARB_SELL] = mids[sell] - abs(gap) * 0.5
        if link_open[n] == 1 and not perps[i] and not perps[j]:
            target_i = pairs.stock_first[n] / math.exp(markets.log_reference[i])
            target_j = pairs.stock_second[n] / math.exp(markets.log_reference[j])
            move_stock(held[ARBITRAGE], cash[ARBITRAGE], i, j, target_i, target_j, restock)


@njit
def move_stock(held, cash, i, j, target_i, target_j, share):
    """Move coins and cash of arbitrageurs between two spot books toward their starting stock in coins; writes `held`, `cash` [M]."""
    surplus_i = held[i] - target_i
    surplus_j = held[j] - target_j
    coins = 0.0
    if surplus_i > 0.0 > surplus_j:
        coins = min(surplus_i, -surplus_j) * share
    elif surplus_i < 0.0 < surplus_j:
        coins = -min(-surplus_i, surplus_j) * share
    held[i] -= coins
    held[j] += coins
    difference = (cash[i] - cash[j]) * 0.5
    cash[i] -= difference * share
    cash[j] += difference * share


@njit
def buy_claims(market_ids, mids, asks, depths, venues, quantity, limit, cash, redemption, rate, cost, depth_limit, speed, dt):
    """Buy claims below their redemption value with the arbitrageurs' finite cash; writes `quantity`, `limit` of the arbitrage column.

    market_ids: spot books of claims; redemption [M] log values; what is bought is redeemed elsewhere while transfers are open.
    """
    for m in market_ids:
        gap = redemption[m] - mids[m]
        if gap <= cost:
            continue
        usd = arbitrage_usd(gap, cost, min(asks[m], depth_limit * depths[m]), rate, dt) * speed[venues[m]]
        usd = min(usd, max(cash[m], 0.0))
        quantity[m, F_ARB_BUY] += usd / math.exp(mids[m])
        limit[m, F_ARB_BUY] = mids[m] + 0.5 * gap
