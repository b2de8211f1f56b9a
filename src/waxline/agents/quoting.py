"""Compiled loop of makers and of the crowd: estimate, spread, size, and the ladders they post; moves of mids booked to causes.

Volatility is that of the mean estimate against its own mean over 10 s, l: a walk of variance s per second has E[l^2] = s dt / (exp(2 dt / 10 s) - 1),
so s is l^2 (exp(2 dt / 10 s) - 1) / dt, averaged over a minute (size) and over 10 s (spread); it sees falls that last seconds, and no bounce.

Per market and step: every maker moves its estimate of the fair log price,

    dx = own rate * learning * (traded + mean skew - x) dt + sum over links (linked mid - view)(1 - exp(-dt / tau))
         + (V - view)(1 - exp(-dt / tau_news)) + (V - view) / (1 + ((V - view) / limit)^2) (1 - exp(-dt / tau_small))

where view is the mean estimate of all makers less their mean skew: the mid they would show. (Their book's mid will not do: where others' orders
hold it, estimates would be pushed on without end.)

shifts its reservation price against inventory, r = x - share * inventory * volatility, quotes r +- half spread, and moves its posted
sizes toward target * cap / (1 + excess volatility / scale). The crowd's resting orders follow the mid slowly.
"""

from __future__ import annotations

import math

from waxline.agents.rules_quoting import inventory_shift
from waxline.jit import inlined, lean, njit
from waxline.market.kernels import NO_LEVEL, bounded_mid, post_side, rungs_within, withdraw_side
from waxline.market.tables import ASK, BID

NEWS, REQUOTING = 0, 5
LAG_S = 10.0


@inlined
def book_requote(step, recent, temporary, pending, m, delta, news, links, link_market):
    """Book the move `delta` of market `m`'s log mid between clearings to causes; writes `step`, `temporary`, `pending`.

    News gets its part; a link's part goes to the causes that moved the linked market lately; what returns a mid where an order had eaten
    the book is booked back to that order; a mid that returns after its side was empty belongs to those who emptied it; the rest is re-quoting.
    """
    causes = step.shape[1]
    emptied = 0.0
    for c in range(causes):
        emptied += pending[m, c]
    if emptied > 0.0:
        for c in range(causes):
            step[m, c] += delta * pending[m, c] / emptied
            pending[m, c] = 0.0
        return
    rest = delta - news
    step[m, NEWS] += news
    for n in range(links.size):
        part = links[n]
        if part == 0.0:
            continue
        rest -= part
        source = link_market[m, n]
        whole = 0.0
        if source >= 0:
            for c in range(causes):
                if recent[source, c] * part > 0.0:
                    whole += abs(recent[source, c])
        if whole > 1e-5:
            for c in range(causes):
                if recent[source, c] * part > 0.0:
                    step[m, c] += part * abs(recent[source, c]) / whole
        else:
            step[m, REQUOTING] += part
    eaten = 0.0
    for c in range(causes):
        if temporary[m, c] * rest < 0.0:
            eaten += abs(temporary[m, c])
    if eaten > 0.0:
        back = min(abs(rest), eaten)
        sign = 1.0 if rest > 0.0 else -1.0
        for c in range(causes):
            if temporary[m, c] * rest < 0.0:
                returned = sign * back * abs(temporary[m, c]) / eaten
                step[m, c] += returned
                temporary[m, c] += returned
        rest -= sign * back
    step[m, REQUOTING] += rest


@njit
def quote_target(volatility_ratio, pull_ratio, cool_down_s, pulled_until_s, t_s, cap, size_scale, pulled_frac, ramp_s, withdraw):
    """Return (part of full size a maker wants to show, time until which it stays pulled in s)."""
    size = cap / (1.0 + max(volatility_ratio - 1.0, 0.0) / size_scale)
    if withdraw:
        if volatility_ratio > pull_ratio and t_s >= pulled_until_s:
            pulled_until_s = t_s + cool_down_s
        if t_s < pulled_until_s:
            size = min(size, pulled_frac)
        elif t_s < pulled_until_s + ramp_s:
            size *= 0.1 + 0.9 * (t_s - pulled_until_s) / ramp_s
    return size, pulled_until_s


@lean
def quote_books(markets, books, causes, makers, rules, inventory, coins, budget, fair, redemption, link_rate, speed, t_s, dt, links, rates):
    """Let makers and the crowd cancel and post in every market; writes `books`, `causes`, and the makers' pull times.

    inventory, coins [S, M]: coins above target, coins that may be offered (infinite for perps); budget [S, M] USD for bids;
    fair [A] log fair value; redemption [M] log redemption value of claims (NaN elsewhere); link_rate [M, L] per step; speed [V].
    Working arrays: links [L], rates [C, V + 2].
    """
    base, scale, eaten, left, first, estimate, skews = books.base, books.scale, books.eaten, books.left, books.first, books.estimate, books.skew
    size_frac, pulled = books.size_frac, books.pulled_until_s
    mids, best_bid, best_ask, turnover = books.mid, books.best_bid, books.best_ask, books.turnover_usd_s
    variance, variance_fast, lag, traded_log = books.variance, books.variance_fast, books.lag, books.traded_log
    offset, usd, link_market = markets.offset, markets.usd, markets.link_market
    maker_whole_usd = markets.maker_whole_usd
    step, recent, temporary, pending = causes.step, causes.recent, causes.temporary, causes.pending
    shares, pull_ratio, cool_down, speeds, caps, alive = makers.share, makers.pull_ratio, makers.cool_down_s, makers.speed, makers.cap, makers.alive
    owners, rungs = base.shape[1], usd.shape[2]
    crowd = owners - 1
    cut_part = 1.0 - math.exp(-rules.cut_rate * dt)
    news_gain = 1.0 - math.exp(-dt / rules.news_tau_s)
    small_gain = 1.0 - math.exp(-dt / rules.news_small_tau_s)
    crowd_cut = 1.0 - math.exp(-rules.crowd_cancel * dt)
    slow_memory = 1.0 - math.exp(-dt / rules.volatility_window_s)
    fast_memory = 1.0 - math.exp(-dt / LAG_S)
    lag_scale = (1.0 / (1.0 - fast_memory) ** 2 - 1.0) / dt
    kinds, venues = rules.refill_rate.size, speed.size
    for n in range(kinds):
        for v in range(venues):
            rates[n, v] = 1.0 - math.exp(-rules.refill_rate[n] * dt * speed[v])
        rates[n, venues] = 1.0 - math.exp(-rules.crowd_refill[n] * dt)
        rates[n, venues + 1] = 1.0 - math.exp(-dt / rules.crowd_tau_s[n])
    for m in range(mids.size):
        mid, grid, calm, depth = mids[m], markets.grid[m], markets.volatility[m], markets.depth_usd[m]
        kind, venue = markets.size_class[m], markets.venue[m]
        spread = 1.0
        if best_bid[m] > -1e300 and best_ask[m] < 1e300:
            spread = max(best_ask[m] - best_bid[m], grid)
        learning = min(1.0, rules.learning_floor + turnover[m] / (rules.learning_turnover * depth)) * min(1.0, rules.learning_spread / spread)
        weight_sum, skew_mean, share_sum, view = 0.0, 0.0, 0.0, 0.0
        for s in range(crowd):
            weight = shares[s, kind] * size_frac[s, m]
            weight_sum += weight
            skew_mean += weight * skews[s, m]
            share_sum += shares[s, kind]
            view += shares[s, kind] * estimate[s, m]
        skew_mean = skew_mean / weight_sum if weight_sum > 1e-9 else 0.0
        view = view / share_sum - skew_mean if share_sum > 0.0 else mid
        link_total = 0.0
        for n in range(links.size):
            other = link_market[m, n]
            links[n] = 0.0
            if other >= 0:
                links[n] = (mids[other] - view) * link_rate[m, n]
            elif other == -2:
                links[n] = (redemption[m] - view) * link_rate[m, n]
            link_total += links[n]
        gap = fair[markets.asset[m]] - view
        small = rules.news_small_limit * calm
        news = gap * news_gain + (gap / (1.0 + (gap / small) ** 2) * small_gain if small > 0.0 else 0.0)
        moved, moved_weight = 0.0, 0.0
        volatility = math.sqrt(variance[m] * 60.0)
        ratio = volatility / calm
        half = markets.half_spread[m]
        size_scale = 1e12
        if rules.volatility_response:
            half += rules.spread_share * math.sqrt(variance_fast[m] * 10.0)
            size_scale = rules.size_scale
        pull_scale = 3.0 if kind <= 1 else 1.0
        refill = rates[kind, venue]
        most = rules.inventory_limit if markets.perp[m] else rules.inventory_limit_spot
        whole_usd = maker_whole_usd[m]
        gain, gain_speed = 0.0, -1.0
        best_bid_level, best_ask_level = NO_LEVEL, -NO_LEVEL
        for s in range(crowd):
            share = shares[s, kind]
            if speeds[s] != gain_speed:
                gain_speed = speeds[s]
                gain = 1.0 - math.exp(-rules.own_rate * gain_speed * learning * dt)
            change = gain * (traded_log[m] + skew_mean - estimate[s, m]) + link_total + news
            estimate[s, m] += change
            moved += share * change
            moved_weight += share
            price = math.exp(estimate[s, m])
            cap = caps[s, venue] if rules.funding_cap else 1.0
            size, until = quote_target(
                ratio, pull_ratio[s] * pull_scale, cool_down[s], pulled[s, m], t_s, cap, size_scale, rules.pulled_frac, rules.ramp_s, rules.withdraw
            )
            pulled[s, m] = until
            if rules.withdraw and alive[s] == 0.0:
                size = 0.0
                withdraw_side(m, s, BID, usd, scale, eaten, first)
                withdraw_side(m, s, ASK, usd, scale, eaten, first)
            size_frac[s, m] = size
            full = share * whole_usd
            held = 0.0
            if share > 0.0:
                held = inventory[s, m] * price / (most * 0.43 * full)
            held = min(1.0, max(-1.0, held))
            skew = max(-rules.skew_limit, min(rules.skew_limit, inventory_shift(held, rules.skew_share, max(volatility, 4.0 * calm))))
            skews[s, m] = skew
            reservation = estimate[s, m] - skew
            bid = int(math.floor((reservation - half) / grid))
            ask = max(int(math.ceil((reservation + half) / grid)), bid + 1)
            base[m, s, BID] = bid
            base[m, s, ASK] = ask
            for side in range(2):
                part = 1.0 - max(held, 0.0) if side == BID else 1.0 + min(held, 0.0)
                if full > 0.0 and size > 0.0:
                    affordable = max(budget[s, m], 0.0) if side == BID else max(coins[s, m], 0.0) * price
                    part *= min(1.0, affordable / (full * size))
                post_side(m, s, side, 0, usd, scale, eaten, left, first, share * size * part / price, refill, cut_part, rungs)
            if first[m, s, BID] < rungs:
                best_bid_level = max(best_bid_level, bid - offset[m, 0, first[m, s, BID]])
            if first[m, s, ASK] < rungs:
                best_ask_level = min(best_ask_level, ask + offset[m, 0, first[m, s, ASK]])
        crowd_up = rates[kind, venues]
        x = estimate[crowd, m] + rates[kind, venues + 1] * (mid - estimate[crowd, m])
        estimate[crowd, m] = x
        price = math.exp(x)
        bid = int(math.floor((x - markets.half_spread[m]) / grid))
        base[m, crowd, BID] = bid
        ask = max(int(math.ceil((x + markets.half_spread[m]) / grid)), bid + 1)
        base[m, crowd, ASK] = ask
        last_rung = rungs_within(m, 1, offset, bid - int(math.ceil(markets.bid_end[m] / grid)), rungs)
        for side in range(2):
            affordable = max(budget[crowd, m], 0.0) if side == BID else max(coins[crowd, m], 0.0) * price
            target = min(1.0, affordable / (depth + 1.0)) / price
            post_side(m, crowd, side, 1, usd, scale, eaten, left, first, target, crowd_up, crowd_cut, last_rung if side == BID else rungs)
        if first[m, crowd, BID] < rungs:
            best_bid_level = max(best_bid_level, bid - offset[m, 1, first[m, crowd, BID]])
        if first[m, crowd, ASK] < rungs:
            best_ask_level = min(best_ask_level, ask + offset[m, 1, first[m, crowd, ASK]])
        change = moved / moved_weight if moved_weight > 0.0 else 0.0
        lag[m] = (lag[m] + change) * (1.0 - fast_memory)
        seen = lag[m] * lag[m] * lag_scale
        variance[m] += slow_memory * (seen - variance[m])
        variance_fast[m] += fast_memory * (seen - variance_fast[m])
        if best_ask_level == -NO_LEVEL:
            best_ask_level = NO_LEVEL
        after = bounded_mid(best_bid_level, best_ask_level, grid, mid)
        if best_bid_level == NO_LEVEL or best_ask_level == NO_LEVEL:
            news = 0.0
            for n in range(links.size):
                links[n] = 0.0
        if after != mid:
            book_requote(step, recent, temporary, pending, m, after - mid, news, links, link_market)
        mids[m] = after
