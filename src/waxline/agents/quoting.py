"""Compiled loop of makers and of the crowd: estimate, spread, size, and the ladders they post; moves of mids booked to causes.

Per market and step: every maker moves its estimate of the fair log price,

    dx = own rate * learning * (mid + mean skew - x) dt + sum over links (linked mid - mid)(1 - exp(-dt / tau)) + (V - mid)(1 - exp(-dt / tau_news))

shifts its reservation price against inventory, r = x - share * inventory * volatility, quotes r +- half spread, and moves its posted
sizes toward target * cap / (1 + excess volatility / scale). The crowd's resting orders follow the mid slowly.
"""

from __future__ import annotations

import math

import numpy as np

from waxline.jit import njit
from waxline.market.kernels import ASK, BID, NO_LEVEL, advance, best_level, bounded_mid

NEWS, REQUOTING = 0, 5


@njit
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
def quote_target(volatility_ratio, pull_ratio, cool_down_s, pulled_until_s, t_s, cap, rules):
    """Return (part of full size a maker wants to show, time until which it stays pulled in s)."""
    size = 1.0
    if rules.volatility_response:
        size /= 1.0 + max(volatility_ratio - 1.0, 0.0) / rules.size_scale
    if rules.funding_cap:
        size *= cap
    if rules.withdraw:
        if volatility_ratio > pull_ratio and t_s >= pulled_until_s:
            pulled_until_s = t_s + cool_down_s
        if t_s < pulled_until_s:
            size = min(size, rules.pulled_frac)
        elif t_s < pulled_until_s + rules.ramp_s:
            size *= 0.1 + 0.9 * (t_s - pulled_until_s) / rules.ramp_s
    return size, pulled_until_s


@njit
def post_side(posted, target_usd, price, scale, refill, cut, end_rung):
    """Move one owner's rungs [K] toward their targets (USD per rung times `scale`, in coins at `price`); writes `posted`."""
    for k in range(posted.size):
        target = target_usd[k] * scale / price if k < end_rung else 0.0
        rate = refill if target > posted[k] else cut
        posted[k] += rate * (target - posted[k])


@njit
def quote_books(markets, books, causes, makers, rules, inventory, coins, budget, fair, redemption, link_rate, speed, t_s, dt, links, place):
    """Let makers and the crowd cancel and post in every market; writes `books`, `causes`, and the makers' pull times.

    inventory, coins [S, M]: coins above target, coins that may be offered (infinite for perps); budget [S, M] USD for bids;
    fair [A] log fair value; redemption [M] log redemption value of claims (NaN elsewhere); link_rate [M, L] per step; speed [V].
    """
    owners = books.base.shape[1]
    rungs = books.posted.shape[3]
    crowd = owners - 1
    up_dt, cut_dt = dt, 1.0 - math.exp(-rules.cut_rate * dt)
    news_gain = 1.0 - math.exp(-dt / rules.news_tau_s)
    crowd_gain = 1.0 - math.exp(-dt / rules.crowd_tau_s)
    crowd_up = 1.0 - math.exp(-rules.crowd_refill * dt)
    crowd_cut = 1.0 - math.exp(-rules.crowd_cancel * dt)
    slow_memory = 1.0 - math.exp(-dt / rules.volatility_window_s)
    fast_memory = 1.0 - math.exp(-dt / 10.0)
    for m in range(markets.venue.size):
        mid = books.mid[m]
        grid = markets.grid[m]
        calm = markets.volatility[m]
        asset = markets.asset[m]
        spread = 1.0
        if books.best_bid[m] > -1e300 and books.best_ask[m] < 1e300:
            spread = max(books.best_ask[m] - books.best_bid[m], grid)
        learning = min(1.0, rules.learning_floor + books.turnover_usd_s[m] / (rules.learning_turnover * markets.depth_usd[m]))
        learning *= min(1.0, rules.learning_spread / spread)
        weight_sum, skew_mean = 0.0, 0.0
        for s in range(crowd):
            weight = makers.share[s] * books.size_frac[s, m]
            weight_sum += weight
            skew_mean += weight * books.skew[s, m]
        skew_mean = skew_mean / weight_sum if weight_sum > 1e-9 else 0.0
        link_total = 0.0
        for n in range(links.size):
            other = markets.link_market[m, n]
            links[n] = 0.0
            if other >= 0:
                links[n] = (books.mid[other] - mid) * link_rate[m, n]
            elif other == -2:
                links[n] = (redemption[m] - mid) * link_rate[m, n]
            link_total += links[n]
        news = (fair[asset] - mid) * news_gain
        moved, moved_weight = 0.0, 0.0
        volatility = math.sqrt(books.variance[m] * 60.0)
        fast = math.sqrt(books.variance_fast[m] * 10.0)
        ratio = volatility / calm
        half = markets.half_spread[m]
        if rules.volatility_response:
            half += rules.spread_share * fast
        pull_scale = 3.0 if markets.size_class[m] <= 1 else 1.0
        refill = 1.0 - math.exp(-rules.refill_rate[markets.size_class[m]] * up_dt * speed[markets.venue[m]])
        whole_usd = 0.0
        for k in range(rungs):
            whole_usd += markets.maker_usd[m, k]
        for s in range(crowd):
            gain = 1.0 - math.exp(-rules.own_rate * makers.speed[s] * learning * dt)
            change = gain * (mid + skew_mean - books.estimate[s, m]) + link_total + news
            books.estimate[s, m] += change
            share = makers.share[s]
            moved += share * change
            moved_weight += share
            price = math.exp(books.estimate[s, m])
            size, until = quote_target(ratio, makers.pull_ratio[s] * pull_scale, makers.cool_down_s[s], books.pulled_until_s[s, m], t_s, makers.cap[s, markets.venue[m]], rules)
            books.pulled_until_s[s, m] = until
            size *= makers.entered[s]
            if rules.withdraw and makers.alive[s] == 0.0:
                size = 0.0
                for k in range(rungs):
                    books.posted[m, s, BID, k] = 0.0
                    books.posted[m, s, ASK, k] = 0.0
            books.size_frac[s, m] = size
            full = share * whole_usd
            held = 0.0
            if share > 0.0:
                held = inventory[s, m] * price / (rules.inventory_limit * share * 0.43 * whole_usd)
            held = min(1.0, max(-1.0, held))
            skew = rules.skew_share * held * max(volatility, 4.0 * calm)
            books.skew[s, m] = skew
            reservation = books.estimate[s, m] - skew
            bid = math.floor((reservation - half) / grid)
            ask = math.ceil((reservation + half) / grid)
            books.base[m, s, BID] = int(bid)
            books.base[m, s, ASK] = int(ask) if ask > bid else int(bid) + 1
            bid_scale = share * size * (1.0 - max(held, 0.0))
            ask_scale = share * size * (1.0 + min(held, 0.0))
            if full > 0.0 and size > 0.0:
                bid_scale *= min(1.0, max(budget[s, m], 0.0) / (full * size))
                ask_scale *= min(1.0, max(coins[s, m], 0.0) * price / (full * size))
            post_side(books.posted[m, s, BID], markets.maker_usd[m], price, bid_scale, refill, cut_dt, rungs)
            post_side(books.posted[m, s, ASK], markets.maker_usd[m], price, ask_scale, refill, cut_dt, rungs)
        x = books.estimate[crowd, m] + crowd_gain * (mid - books.estimate[crowd, m])
        books.estimate[crowd, m] = x
        price = math.exp(x)
        bid = math.floor((x - markets.half_spread[m]) / grid)
        books.base[m, crowd, BID] = int(bid)
        books.base[m, crowd, ASK] = max(int(math.ceil((x + markets.half_spread[m]) / grid)), int(bid) + 1)
        last_rung = rungs
        for k in range(rungs - 1):
            if (books.base[m, crowd, BID] - markets.offset[m, 1, k]) * grid < markets.bid_end[m]:
                last_rung = k
                break
        bid_scale = min(1.0, max(budget[crowd, m], 0.0) / (markets.depth_usd[m] + 1.0))
        ask_scale = min(1.0, max(coins[crowd, m], 0.0) * price / (markets.depth_usd[m] + 1.0))
        post_side(books.posted[m, crowd, BID], markets.crowd_usd[m], price, bid_scale, crowd_up, crowd_cut, last_rung)
        post_side(books.posted[m, crowd, ASK], markets.crowd_usd[m], price, ask_scale, crowd_up, crowd_cut, rungs - 1)
        books.posted[m, crowd, BID, rungs - 1] += crowd_up * (markets.crowd_usd[m, rungs - 1] - books.posted[m, crowd, BID, rungs - 1])
        change = moved / moved_weight if moved_weight > 0.0 else 0.0
        books.variance[m] += slow_memory * (change * change / dt - books.variance[m])
        books.variance_fast[m] += fast_memory * (change * change / dt - books.variance_fast[m])
        best = np.empty(2, np.int64)
        for side in range(2):
            for s in range(owners):
                place[s] = 0
            advance(books.posted[m, :, side], place, owners, rungs)
            best[side] = best_level(books.base[m, :, side], markets.offset[m], place, owners, rungs, side)
        if best[0] != NO_LEVEL and best[1] != NO_LEVEL:
            after = 0.5 * (best[0] + best[1]) * grid
        else:
            after = bounded_mid(best[0], best[1], grid, mid)
            news = 0.0
            for n in range(links.size):
                links[n] = 0.0
        if after != mid:
            book_requote(causes.step, causes.recent, causes.temporary, causes.pending, m, after - mid, news, links, markets.link_market)
        books.mid[m] = after
