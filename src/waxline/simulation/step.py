"""One step of the simulation: the order of events is the order of the calls below.

1 events of the scenario act          fair values, status of venues
2 agents decide                       from what they saw
3 makers cancel and post              ladders change
4 taker flow and forced orders clear  fills move balances, positions, inventories
5 claims, loans, funding, inventory   when due
6 prices                              mid -> index -> mark, collateral, oracle
7 watch ladders fire                  candidates -> exact check, one snapshot
8 waterfall                           orders for the next clearing; takeover, deleveraging, bad debt, socialised loss
9 record, check                       (the run does this after each step)
"""

from __future__ import annotations

import math

import numpy as np

from waxline.accounts.kernels import reached
from waxline.accounts.lines import slack_of
from waxline.accounts.tables import CASH, Cell
from waxline.agents.quoting import quote_books
from waxline.agents.tables import Flow
from waxline.agents.trading import buy_claims, decide_flows, trade_arbitrage
from waxline.liquidation.kernels import collect_watched, release_orders, trigger_traders
from waxline.liquidation.settling import settle_orders
from waxline.liquidation.tables import R_MARKET, R_STAGE, Stage
from waxline.market.prices import update_oracle, update_prices
from waxline.scenario.schema import Scenario
from waxline.simulation.build import value_all
from waxline.simulation.build_accounts import TRANCHE_S
from waxline.simulation.build_markets import LINKS
from waxline.simulation.clearing import clear_markets, finish_causes
from waxline.simulation.deleveraging import deleverage
from waxline.simulation.pool import run_pool
from waxline.simulation.portfolios import trigger_portfolios, work_liquidations
from waxline.simulation.socialising import end_session
from waxline.simulation.state import State
from waxline.simulation.upkeep import close_by_agreement, open_tranche, set_maker_limits, shed_inventory, update_memories
from waxline.simulation.waterfall import call_margin, cover_funds, update_makers
from waxline.streams import Purpose, key, uniform


def take_step(state: State) -> None:
    """Advance the state by one step, in the order written above."""
    act_events(state)
    decide(state)
    post_quotes(state)
    clear(state)
    settle_dues(state)
    set_prices(state)
    fire_watch_ladders(state)
    run_waterfall(state)


def act_events(state: State) -> None:
    """1: move the clock, open or cut links, slow order entry."""
    clock, scenario = state.clock, state.scenario
    before = clock.t_s
    clock.t_s = clock.start_t_s + (clock.step + 1) * clock.dt
    clock.step += 1
    if clock.step == 1 or any(before < t_s <= clock.t_s for t_s in state.opening["halt_times"]):
        set_halts(state)
        set_links(state)
    state.venues.speed[:] = 1.0
    if scenario.halts.enabled:
        for slow in scenario.halts.slowdowns:
            if slow.from_s <= clock.t_s < slow.to_s:
                state.venues.speed[state.names.venues.index(slow.venue)] = slow.speed_frac


def halt_times(scenario: Scenario) -> list[float]:
    """Return the times in s at which transfers stop or resume."""
    return [t_s for halt in scenario.halts.transfers for t_s in (halt.from_s, halt.to_s)] if scenario.halts.enabled else []


def set_halts(state: State) -> None:
    """Set which assets cannot move at which venue."""
    clock, scenario = state.clock, state.scenario
    now = np.zeros_like(clock.halted)
    if scenario.halts.enabled:
        for halt in scenario.halts.transfers:
            if halt.from_s <= clock.t_s < halt.to_s:
                columns = [state.names.assets.index(a) for a in halt.assets] if halt.assets else list(range(len(state.names.assets)))
                now[state.names.venues.index(halt.venue), columns] = True
    clock.halted[:] = now
    state.venues.open[:] = ~now.all(axis=1) & ~now[:, 1:].any(axis=1)


def set_links(state: State) -> None:
    """Choose the speed of every link between markets from the halts, and which arbitrage pairs can move coins."""
    clock, markets = state.clock, state.markets
    for m in range(markets.venue.size):
        a = markets.asset[m]
        for n in range(LINKS):
            j = markets.link_market[m, n]
            cut = clock.link_pair[m, n] == 1 and (clock.halted[markets.venue[m], a] or (j >= 0 and clock.halted[markets.venue[j], a]))
            clock.link_rate[m, n] = clock.link_rate_halted[m, n] if cut else clock.link_rate_open[m, n]
    for n in range(state.pairs.first.size):
        i, j = state.pairs.first[n], state.pairs.second[n]
        clock.pair_open[n] = int(not (clock.halted[markets.venue[i], markets.asset[i]] or clock.halted[markets.venue[j], markets.asset[j]]))


def redemption_values(state: State) -> np.ndarray:
    """Return log redemption values of claims' markets at the venue's index of the underlying [M]; NaN elsewhere."""
    markets, prices = state.markets, state.prices
    values = np.full(markets.venue.size, np.nan)
    for m in state.opening["claim_markets"]:
        base = 1.0 if markets.claim_asset[m] == 0 else prices.index[markets.venue[m], markets.claim_asset[m]]
        values[m] = math.log(base * markets.claim_units[m])
    return values


def decide(state: State) -> None:
    """2: everyone who trades at the market decides."""
    clock, pending = state.clock, state.pending
    decide_flows(
        state.markets, state.books, state.flows, state.cells, state.flow_rules, clock.fair[clock.step - 1], clock.history, clock.place, pending.naked, pending.outside,
        pending.informed_capital, pending.fresh, state.scenario.seed, clock.step, clock.dt,
    )  # fmt: skip
    trade_arbitrage(state.markets, state.books, state.flows, state.cells, state.pairs, state.arbitrage_rules, clock.pair_open, state.venues.speed, clock.dt)
    state.opening["redemption"] = redemption_values(state)
    if state.scenario.arbitrage.enabled and state.opening["claim_markets"].size:
        books, rules = state.books, state.arbitrage_rules
        buy_claims(
            state.opening["claim_markets"], books.mid, books.depth_ask_usd, state.markets.depth_usd, state.markets.venue, state.flows.quantity, state.flows.limit,
            state.cells.cash[Cell.ARBITRAGE], state.opening["redemption"], rules.rate, rules.claim_cost, rules.depth_limit, state.venues.speed, clock.dt,
        )  # fmt: skip


def post_quotes(state: State) -> None:
    """3: makers and the crowd cancel and post."""
    inventory, coins, budget = state.opening["maker_limits"]
    markets, cells, portfolios = state.markets, state.cells, state.portfolios
    set_maker_limits(
        markets.perp, markets.asset, cells.quantity[Cell.CROWD], cells.cash[Cell.CROWD], portfolios.position, portfolios.balance, portfolios.balance_start,
        state.slot_account, state.spot_budget_share, inventory, coins, budget,
    )  # fmt: skip
    state.causes.step[:] = 0.0
    quote_books(
        state.markets, state.books, state.causes, state.makers, state.quote_rules, inventory, coins, budget, state.clock.fair[state.clock.step - 1], state.opening["redemption"],
        state.clock.link_rate, state.venues.speed, state.clock.t_s, state.clock.dt, state.opening["links"],
        state.scratch.rates,
    )  # fmt: skip


def clear(state: State) -> None:
    """4: quotes, market flow and forced orders clear; forced orders are followed up."""
    rules, clock, orders, markets, causes, rows = state.scenario.liquidation, state.clock, state.orders, state.markets, state.causes, state.rows
    release_orders(
        orders.table, orders.link, orders.head, markets.perp, markets.claim_asset, markets.depth_usd, state.books.mid, rules.perps.tau_s, rules.perps.least_rate_frac,
        rules.collateral.tau_s, rules.collateral.least_rate_frac, rules.claim_tau_s, rules.claim_delay_s, clock.t_s, clock.dt,
    )  # fmt: skip
    causes.sold_usd[:] = 0.0
    causes.bought_usd[:] = 0.0
    clear_markets(
        markets, state.books, causes, state.flows, orders, state.cells, state.traders, state.portfolios, state.venues.fees, state.slot_account, state.scratch,
        state.prices.mark, state.opening["take_bound"], rules.perps.walk_frac, rules.collateral.walk_frac, rules.tiny_without_limit, clock.dt,
    )  # fmt: skip
    finish_causes(
        state.books.mid, causes.step, causes.total, causes.recent, causes.temporary, causes.forced_usd, causes.forced_generation_usd, causes.peak, causes.at_peak,
        causes.trough, causes.at_trough, clock.dt,
    )  # fmt: skip
    before, cells, venues = int(rows.used[0]), state.cells, state.venues
    settle_orders(
        orders.table, orders.link, orders.head, rows.table, rows.used, markets.perp, markets.venue, state.prices.mark, state.traders, cells.quantity[Cell.FUND],
        cells.cost[Cell.FUND], cells.cash[Cell.FUND], state.portfolios.liquidated_usd, venues.fund, venues.fund_cash, venues.bad_debt_usd, venues.has_vault, venues.trigger_frac,
        rules.takeover_rate, state.pending.watched_head, state.closing, *state.tiers, int(clock.t_s), clock.dt, clock.step % round(max(10.0 / clock.dt, 1.0)) == 0,
    )  # fmt: skip
    fresh = rows.table[before : int(rows.used[0])]
    taken = fresh[fresh[:, R_STAGE] == Stage.TAKEOVER, R_MARKET].astype(np.int64)
    state.pending.deleveraged_last_s[taken] = clock.t_s


def settle_dues(state: State) -> None:
    """5: coins left naked are sold down, claims redeemed, inventory shed, positions closed by agreement, new leverage opened, funding paid."""
    clock, pending, cells, markets = state.clock, state.pending, state.cells, state.markets
    sold = -state.flows.quantity[:, Flow.NAKED_HEDGE]
    np.maximum(pending.naked - sold, 0.0, out=pending.naked)
    arbitrage = state.causes.sold_usd[:, 6] + state.causes.bought_usd[:, 6]
    pending.arbitrage_usd += np.bincount(markets.venue, arbitrage, pending.arbitrage_usd.size)
    for m in state.opening["claim_markets"]:
        surplus = float(cells.quantity[Cell.ARBITRAGE, m]) - float(state.opening["claim_stock"][m])
        if surplus > 0.0 and not clock.halted[markets.venue[m], markets.asset[m]]:
            coins = surplus * (1.0 - math.exp(-clock.dt / state.arbitrage_rules.restock_tau))
            value = coins * math.exp(float(state.opening["redemption"][m]))
            cells.quantity[Cell.ARBITRAGE, m] -= coins
            pending.outside[markets.asset[m]] += coins
            cells.cash[Cell.ARBITRAGE, m] += value
            pending.outside[CASH] -= value
    books, portfolios, outside = state.books, state.portfolios, Cell.OUTSIDE
    shed_inventory(
        markets.perp, markets.asset, books.mid, portfolios.status, portfolios.position, portfolios.cost, portfolios.balance, portfolios.balance_start,
        cells.quantity[outside], cells.cost[outside], cells.cash[outside], state.slot_account, state.quote_rules.inventory_tau_s, clock.dt,
    )  # fmt: skip
    close_by_agreement(
        markets.perp, markets.volatility, books.mid, books.variance, cells.quantity, cells.cost, cells.cash, state.flow_rules.close_rate,
        state.flow_rules.close_ratio, clock.dt,
    )  # fmt: skip
    if state.scenario.new_leverage.enabled and state.scenario.feedback and clock.step % max(round(TRANCHE_S / clock.dt), 1) == 0:
        open_leverage(state)
    pay_funding(state)
    update_memories(
        books.mid, books.anchor, books.slow_mean, state.flow_rules.anchor_tau, state.flow_rules.trend_window, clock.history,
        (clock.place + 1) % clock.history.shape[1], clock.dt,
    )  # fmt: skip
    clock.place = (clock.place + 1) % clock.history.shape[1]


def open_leverage(state: State) -> None:
    """Turn what was bought or sold short since the last time into leveraged accounts, each with its own liquidation line."""
    rules, trend = state.scenario.new_leverage, state.scenario.trend
    traders, pending = state.traders, state.pending
    for m in np.flatnonzero(state.markets.perp):
        for kind, side, part, low, high in (
            (Cell.VALUE_BUYER, 1, rules.long_frac, rules.distance_low_frac, rules.distance_high_frac),
            (Cell.NEW_SHORTS, -1, 1.0, trend.new_short_distance_low_frac, trend.new_short_distance_high_frac),
        ):
            i = state.drawn_traders + pending.tranche_next
            if i >= traders.quantity.size:
                return
            u = uniform(key(state.scenario.seed, int(Purpose.LEVERAGE), state.clock.step), int(state.markets.stream[m]) * 2 + (side > 0))
            taken = float(state.opening["untouched"][kind, m])
            v = int(state.markets.venue[m])
            distance = low + (high - low) * u
            mark = float(state.prices.mark[m])
            if open_tranche(traders, state.cells, kind, int(m), v, i, side, part, distance, mark, taken, state.closing, *state.tiers):
                traders.next_watched[i] = pending.watched_head[0]
                pending.watched_head[0] = i
                pending.tranche_next += 1
            state.opening["untouched"][kind, m] = state.cells.quantity[kind, m]


def pay_funding(state: State) -> None:
    """Pay funding where it falls due: longs pay rate times notional at the mark to shorts; rate = premium + clamp(base - premium)."""
    clock = state.clock
    for v, schedule in state.opening["funding"].items():
        day_s = clock.t_s + state.opening["t0_day_s"]
        if math.floor(day_s / schedule.interval_s) == math.floor((day_s - clock.dt) / schedule.interval_s):
            continue
        start, end = int(state.perp_range[0][v]), int(state.perp_range[1][v])
        for m in range(start, end):
            if not state.markets.perp[m]:
                continue
            premium = float(state.prices.premium[m])
            rate = premium + min(max(schedule.base_rate_frac - premium, -schedule.clamp_frac), schedule.clamp_frac)
            paid = rate * schedule.interval_s / 28800.0 * float(state.prices.mark[m])
            first, last = (int(x) for x in state.trader_range[m])
            state.traders.cash[first:last] -= paid * state.traders.quantity[first:last]
            state.cells.cash[:, m] -= paid * state.cells.quantity[:, m]
            state.portfolios.balance[:, CASH] -= paid * state.portfolios.position[:, m]
            extra = np.flatnonzero(state.traders.market[state.drawn_traders :] == m) + state.drawn_traders
            state.traders.cash[extra] -= paid * state.traders.quantity[extra]
        rebuild_watch(state, start, end)


def rebuild_watch(state: State, start: int, end: int) -> None:
    """Register every drawn trader of markets start..end anew: funding has changed their slack."""
    from waxline.simulation.build_accounts import build_watch

    for side, watch in ((1, state.longs), (-1, state.shorts)):
        fresh = build_watch(state.traders, state.markets, state.trader_range, side)
        for m in range(start, end):
            first, last = int(watch.start[m]), int(watch.start[m + 1])
            new_first, new_last = int(fresh.start[m]), int(fresh.start[m + 1])
            count = new_last - new_first
            watch.account[last - count : last] = fresh.account[new_first:new_last]
            watch.level[last - count : last] = fresh.level[new_first:new_last]
            watch.place[m] = last - count
            del first


def set_prices(state: State) -> None:
    """6: mids to index, mark, collateral and oracle prices; accounts are valued at them."""
    prices, rules = state.prices, state.scenario.collateral_valuation
    update_prices(
        state.books.mid, state.markets.perp, state.markets.venue, state.markets.asset, prices.source_market, prices.source_weight, prices.outlier, prices.spot_market,
        prices.redeem_asset, prices.redeem_units, prices.collateral_rule, rules.reprice, rules.claim_own_book, state.clock.dt, prices.index, prices.premium, prices.mark,
        prices.asset_price,
    )  # fmt: skip
    for m in state.opening["at_index"]:
        prices.mark[m] = prices.index[state.markets.venue[m], state.markets.asset[m]]
    pool = state.opening["pool_venue"]
    if pool >= 0:
        rules_pool = state.scenario.pool
        update_oracle(prices.index[pool], rules_pool.oracle_deviation_frac, rules_pool.oracle_heartbeat_s, state.clock.dt, prices.oracle, prices.oracle_age_s)
    value_all(state)


def fire_watch_ladders(state: State) -> None:
    """7: traders whose level the mark has reached are checked exactly and, at their line, closed; stop-losses fire."""
    if not state.scenario.feedback:
        return
    causes, mark, traders, orders, found = state.causes, state.prices.mark, state.traders, state.orders, state.found
    watched, perps = state.pending.watched_head, state.opening["perps"]
    for stopping, ladders in ((True, ((state.stops, True),)), (False, ((state.longs, True), (state.shorts, False)))):
        if not stopping and not state.scenario.liquidation.perps.enabled:
            continue
        count = 0
        for watch, falling in ladders:
            count = reached(watch.account, watch.level, watch.start, watch.place, perps, mark, falling, found, count)
        if not stopping:
            extra = state.opening["watched"]
            more = collect_watched(traders.status, traders.quantity, traders.next_watched, watched, extra)
            found[count : count + more] = extra[:more]
            count += more
        if count:
            trigger_traders(
                np.sort(found[:count]), count, stopping, state.markets.venue, traders, watched, mark, causes.total, causes.at_peak, causes.at_trough, causes.forced_usd,
                causes.forced_generation_usd, orders.table, orders.link, orders.head, orders.used, state.opening["shares"], int(state.clock.t_s), state.closing,
                state.tiers[0], state.tiers[1],
            )  # fmt: skip


def run_waterfall(state: State) -> None:
    """8: large accounts, funds, deleveraging, the pool; makers learn who is gone."""
    slack = slack_of(state.portfolios)  # one snapshot: equity and maintenance move with prices only
    call_margin(state)
    trigger_portfolios(state, slack)
    work_liquidations(state)
    if state.scenario.feedback:
        deleverage(state)
    run_pool(state)
    cover_funds(state)
    share_losses(state)
    update_makers(state, slack)


def share_losses(state: State) -> None:
    """Share losses where a session ends, and register traders of these venues anew: what they paid brought their lines nearer."""
    clock, session_s = state.clock, state.scenario.deleveraging.session_s
    if not state.opening["socialising"] or math.floor(clock.t_s / session_s) == math.floor((clock.t_s - clock.dt) / session_s):
        return
    for v in end_session(state):
        rebuild_watch(state, int(state.perp_range[0][v]), int(state.perp_range[1][v]))
