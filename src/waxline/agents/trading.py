"""Compiled loops of everyone who trades at the market, bounded by what they own and, unless forced, by what the book shows.

Quantities are signed coins (buy positive), limits are log prices. Rates are per second and act as 1 - exp(-rate dt).
"""

from __future__ import annotations

import math

from waxline.agents.tables import Flow
from waxline.jit import njit
from waxline.streams import key, normal, uniform

NOISE_PURPOSE_BUY, NOISE_PURPOSE_SELL = 4, 5
CROWD, NOISE, INFORMED, VALUE_BUYER, VALUE_SELLER, SHORTS, HOLDERS, ARBITRAGE, CARRY, FUND, KEEPER, OUTSIDE, NEW_SHORTS = range(13)
F_INFORMED, F_NOISE_BUY, F_NOISE_SELL, F_VALUE_BUY, F_VALUE_SELL, F_COVER, F_TREND, F_NEW_SHORT = range(8)
F_ARB_BUY, F_ARB_SELL, F_NAKED, F_FUND, F_KEEPER = 8, 9, 10, 11, 12
FLOW_COUNT = Flow.COUNT


@njit
def part(rate, dt):
    """Return the part done in `dt` at `rate` per second: 1 - exp(-rate dt)."""
    return 1.0 - math.exp(-rate * dt)


@njit
def room(cells, kind, market, perp, price, limit_usd, sign):
    """Return the USD that a single-market account can still buy (sign +1) or sell (-1).

    Spot: its cash, or its coins. Perp: up to a position of `limit_usd` on either side.
    """
    if perp:
        return max(limit_usd - sign * cells.quantity[kind, market] * price, 0.0)
    if sign > 0.0:
        return max(cells.cash[kind, market], 0.0)
    return max(cells.quantity[kind, market] * price, 0.0)


@njit
def value_rate(discount, discount_before, start, width, cash, tau):
    """Return the USD per second that value buyers spend: cash / tau * min(1.5, (disc - d0) / w), the smaller discount of now and before."""
    seen = min(discount, discount_before)
    if seen <= start or cash <= 0.0:
        return 0.0
    return cash / tau * min(1.5, (seen - start) / width)


@njit
def trade_noise(markets, books, flows, cells, rules, seed, step, dt, m, price, shown):
    """Set this step's background orders of market `m`: two independent sides, exponential sizes; writes `flows`."""
    base = min(markets.depth_usd[m], 1.6 * shown) * rules.noise_rate * dt
    for side in range(2):
        purpose = NOISE_PURPOSE_BUY if side == 0 else NOISE_PURPOSE_SELL
        sign = 1.0 if side == 0 else -1.0
        usd = -math.log(uniform(key(seed, purpose, step), markets.stream[m])) * base
        usd = min(usd, room(cells, NOISE, m, markets.perp[m], price, 2.0 * markets.depth_usd[m], sign))
        column = F_NOISE_BUY if side == 0 else F_NOISE_SELL
        flows.quantity[m, column] = sign * usd / price
        flows.limit[m, column] = books.mid[m] + sign * 0.02


@njit
def trade_informed(markets, books, flows, cells, rules, fair, dt, m, price, capital):
    """Set this step's informed orders of market `m`: toward fair value, limited size; writes `flows`."""
    gap = fair - books.mid[m]
    gap = min(gap, rules.informed_buy_gap) if gap > 0.0 else max(gap, -rules.informed_gap)
    sign = 1.0 if gap > 0.0 else -1.0
    usd = rules.informed_rate * abs(gap) / 0.01 * markets.depth_usd[m] * dt
    usd = min(usd, room(cells, INFORMED, m, markets.perp[m], price, capital, sign))
    flows.quantity[m, F_INFORMED] = sign * usd / price
    flows.limit[m, F_INFORMED] = books.mid[m] + sign * min(0.02, abs(fair - books.mid[m]))


@njit
def trade_value(markets, books, flows, cells, rules, fair, before, dt, m, price, outside, fresh):
    """Set this step's value buying and selling of market `m`; fresh cash arrives from `outside` [A]; writes `flows`, `cells`, `outside`."""
    kind = markets.size_class[m]
    discount = 1.0 - math.exp(books.mid[m] - books.anchor[m])
    discount_before = 1.0 - math.exp(before - books.anchor[m])
    if rules.value_on:
        if discount > rules.value_start[kind] and fresh > 0.0:
            money = rules.value_cash[m] * dt / rules.fresh_tau * fresh
            cells.cash[VALUE_BUYER, m] += money
            outside[0] -= money
        rate = value_rate(discount, discount_before, rules.value_start[kind], rules.value_width[kind], rules.value_cash[m], rules.value_tau[kind])
        usd = min(rate * dt, max(cells.cash[VALUE_BUYER, m], 0.0))
        flows.quantity[m, F_VALUE_BUY] = usd / price
        flows.limit[m, F_VALUE_BUY] = books.mid[m] + 0.02
    if rules.value_sellers:
        premium = books.mid[m] - max(books.anchor[m], fair)
        if premium > rules.seller_start:
            holdings = room(cells, VALUE_SELLER, m, markets.perp[m], price, 20.0 * markets.depth_usd[m], -1.0)
            usd = holdings * part(min(4.0, premium / 0.05) / rules.seller_tau, dt)
            flows.quantity[m, F_VALUE_SELL] = -usd / price
            flows.limit[m, F_VALUE_SELL] = books.mid[m] - 0.02


@njit
def trade_trend(markets, books, flows, cells, rules, dt, m, price):
    """Set this step's trend selling of market `m`: coins, closed longs, and new shorts; never more than a share of the shown bids."""
    fall = books.slow_mean[m] - books.mid[m] - rules.trend_start
    if fall <= 0.0:
        return
    strength = min(1.0, fall / rules.trend_full)
    usd = part(rules.trend_rate * strength, dt) * rules.trend_holdings[m]
    usd = min(usd, part(rules.trend_depth_share, dt) * books.depth_bid_usd[m])
    shorts = rules.new_short_frac if markets.perp[m] else 0.0
    held = max(cells.quantity[HOLDERS, m] * price, 0.0)
    flows.quantity[m, F_TREND] = -min(usd * (1.0 - shorts), held) / price
    flows.limit[m, F_TREND] = books.mid[m] - 0.02
    flows.quantity[m, F_NEW_SHORT] = -usd * shorts / price
    flows.limit[m, F_NEW_SHORT] = books.mid[m] - 0.02


@njit
def trade_shorts(markets, books, flows, cells, rules, dt, m):
    """Set this step's covering by shorts that take profit in perp `m`."""
    short = -cells.quantity[SHORTS, m]
    if short <= 0.0:
        return
    fall = 1.0 - math.exp(books.mid[m] - markets.log_reference[m])
    strength = min(1.0, max(0.0, (fall - rules.short_start) / rules.short_width))
    if strength > 0.0:
        wanted = min(short, rules.short_full[m]) * part(strength / rules.short_tau, dt)
        flows.quantity[m, F_COVER] = min(short, wanted)
        flows.limit[m, F_COVER] = books.mid[m] + 0.02


@njit
def work_off(markets, books, flows, cells, rules, naked, dt, m, price, volatility_ratio):
    """Set this step's orders of funds, of owners whose hedge was deleveraged (coins `naked` [M]), and of keepers."""
    held = cells.quantity[FUND, m]
    if held != 0.0 and volatility_ratio < rules.fund_quiet:
        shown = books.depth_bid_usd[m] if held > 0.0 else books.depth_ask_usd[m]
        size = min(abs(held) * part(1.0 / rules.fund_tau, dt), part(rules.fund_depth, dt) * shown / price)
        sign = -1.0 if held > 0.0 else 1.0
        flows.quantity[m, F_FUND] = sign * size
        flows.limit[m, F_FUND] = books.mid[m] + sign * rules.fund_walk * dt
    if naked[m] > 0.0:
        size = min(naked[m] * part(1.0 / rules.naked_tau, dt), max(cells.quantity[CARRY, m], 0.0))
        flows.quantity[m, F_NAKED] = -size
        flows.limit[m, F_NAKED] = books.mid[m] - 0.03
    held = cells.quantity[KEEPER, m]
    if not markets.perp[m] and held > 0.0:
        flows.quantity[m, F_KEEPER] = -held * part(1.0 / rules.keeper_tau, dt)
        flows.limit[m, F_KEEPER] = books.mid[m] - 0.03


@njit
def decide_flows(markets, books, flows, cells, rules, fair, history, place_now, naked, outside, capital, fresh, seed, step, dt):
    """Decide every market order of this step; writes `flows`, and cash of value buyers.

    fair [A] log; history [M, H] log mids of past steps in a ring, `place_now` the latest; capital [M] USD of informed traders;
    fresh [M] 1 where value buyers' cash is renewed.
    """
    ring = history.shape[1]
    for m in range(markets.venue.size):
        for f in range(FLOW_COUNT):
            flows.quantity[m, f] = 0.0
            flows.limit[m, f] = 0.0
        price = math.exp(books.mid[m])
        asset = markets.asset[m]
        shown = min(books.depth_bid_usd[m], books.depth_ask_usd[m])
        if rules.noise_rate > 0.0:
            trade_noise(markets, books, flows, cells, rules, seed, step, dt, m, price, shown)
        if rules.informed_rate > 0.0:
            trade_informed(markets, books, flows, cells, rules, fair[asset], dt, m, price, capital[m])
        before = history[m, (place_now - rules.value_delay[markets.size_class[m]]) % ring]
        trade_value(markets, books, flows, cells, rules, fair[asset], before, dt, m, price, outside, fresh[m])
        if rules.trend_on:
            trade_trend(markets, books, flows, cells, rules, dt, m, price)
        if rules.shorts_on and markets.perp[m]:
            trade_shorts(markets, books, flows, cells, rules, dt, m)
        ratio = math.sqrt(books.variance[m] * 60.0) / markets.volatility[m]
        work_off(markets, books, flows, cells, rules, naked, dt, m, price, ratio)


@njit
def arbitrage_size(gap, cost, depth_first, depth_second, calm, rules, dt):
    """Return the USD that arbitrageurs trade on a log gap: rate (|gap| - cost) / 1 % of the smallest depth, per step."""
    excess = abs(gap) - cost
    if excess <= 0.0:
        return 0.0
    shown = min(depth_first, depth_second, rules.depth_limit * calm)
    return shown * min(part(rules.rate * excess / 0.01, dt), 0.5)


@njit
def trade_arbitrage(markets, books, flows, cells, pairs, rules, link_open, restock, speed, dt):
    """Decide arbitrage between pairs of markets and move stock between spot venues while transfers are open.

    link_open [pairs] 1 while coins can move; writes `flows` (arbitrage columns) and, by restocking, `cells`.
    """
    for n in range(pairs.first.size):
        i, j = pairs.first[n], pairs.second[n]
        gap = books.mid[j] - books.mid[i]
        buy, sell = (i, j) if gap > 0.0 else (j, i)
        calm = min(markets.depth_usd[i], markets.depth_usd[j])
        usd = arbitrage_size(gap, rules.cost, books.depth_ask_usd[buy], books.depth_bid_usd[sell], calm, rules, dt)
        usd *= min(speed[markets.venue[i]], speed[markets.venue[j]])
        if usd > 0.0:
            price_buy, price_sell = math.exp(books.mid[buy]), math.exp(books.mid[sell])
            stock_buy = pairs.stock_first[n] if buy == i else pairs.stock_second[n]
            stock_sell = pairs.stock_second[n] if buy == i else pairs.stock_first[n]
            committed_buy = flows.quantity[buy, F_ARB_BUY] * price_buy
            committed_sell = -flows.quantity[sell, F_ARB_SELL] * price_sell
            usd = min(usd, room(cells, ARBITRAGE, buy, markets.perp[buy], price_buy, stock_buy, 1.0) - committed_buy)
            usd = min(usd, room(cells, ARBITRAGE, sell, markets.perp[sell], price_sell, stock_sell, -1.0) - committed_sell)
            if usd > 0.0:
                coins = usd / price_sell
                flows.quantity[buy, F_ARB_BUY] += coins
                flows.limit[buy, F_ARB_BUY] = books.mid[buy] + abs(gap) * 0.5
                flows.quantity[sell, F_ARB_SELL] -= coins
                flows.limit[sell, F_ARB_SELL] = books.mid[sell] - abs(gap) * 0.5
        if restock and link_open[n] == 1 and not markets.perp[i] and not markets.perp[j]:
            move_stock(cells, i, j, pairs.stock_first[n] / math.exp(markets.log_reference[i]), pairs.stock_second[n] / math.exp(markets.log_reference[j]), part(1.0 / rules.restock_tau, dt))


@njit
def move_stock(cells, i, j, target_i, target_j, share):
    """Move coins and cash of arbitrageurs between two spot books toward their starting stock in coins; writes `cells`."""
    surplus_i = cells.quantity[ARBITRAGE, i] - target_i
    surplus_j = cells.quantity[ARBITRAGE, j] - target_j
    if surplus_i > 0.0 > surplus_j:
        coins = min(surplus_i, -surplus_j) * share
    elif surplus_i < 0.0 < surplus_j:
        coins = -min(-surplus_i, surplus_j) * share
    else:
        coins = 0.0
    cells.quantity[ARBITRAGE, i] -= coins
    cells.quantity[ARBITRAGE, j] += coins
    difference = (cells.cash[ARBITRAGE, i] - cells.cash[ARBITRAGE, j]) * 0.5
    cells.cash[ARBITRAGE, i] -= difference * share
    cells.cash[ARBITRAGE, j] += difference * share


@njit
def redeem_claims(markets, books, flows, cells, redemption, open_now, cost, capital, speed, dt, cash):
    """Buy claims below redemption value with finite cash (`cash` [M], shared per claim); redeem while transfers are open.

    Redeeming turns the claim coins of the arbitrage cell into cash at redemption value through the issuer: the caller books that.
    Writes `flows`.
    """
    for m in range(markets.venue.size):
        if markets.claim_asset[m] < 0 or markets.perp[m]:
            continue
        gap = redemption[m] - books.mid[m]
        if gap <= cost:
            continue
        price = math.exp(books.mid[m])
        shown = min(books.depth_ask_usd[m], 0.3 * markets.depth_usd[m])
        usd = shown * min(part(0.10 * (gap - cost) / 0.01, dt), 0.5) * speed[markets.venue[m]]
        usd = min(usd, max(cells.cash[ARBITRAGE, m], 0.0))
        flows.quantity[m, F_ARB_BUY] += usd / price
        flows.limit[m, F_ARB_BUY] = books.mid[m] + 0.5 * gap
