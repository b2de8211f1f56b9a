"""Deleveraging of a step: where a fund or vault holds more than it may, winners are closed by their venue's rule, and hedges are left naked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.tables import Cell, Status
from waxline.liquidation.assigning import Winners, order_and_most
from waxline.liquidation.kernels import CELL_BASE, close_winners, rank_winners
from waxline.liquidation.parameters import ClosingPrice, DeleveragingRule
from waxline.liquidation.settling import write_row
from waxline.liquidation.tables import Payer, Stage
from waxline.results.schema import N_CAUSES, Cause
from waxline.simulation.build_accounts import WHALE
from waxline.simulation.build_rules import closing_price, ranking
from waxline.simulation.state import State
from waxline.simulation.waterfall import fund_values, give_own_order, own_coins_waiting, trim_own_orders
from waxline.streams import Purpose, key, uniform

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TAKEOVER_MEMORY_S = 55.0
SHARING = frozenset({DeleveragingRule.PRO_RATA, DeleveragingRule.CAPPED, DeleveragingRule.RISK_WEIGHTED, DeleveragingRule.SMALLEST_PART})
"""Rules under which every winner gives a little each round: their rows are summed over SUMMED_S before they are written."""
SUMMED_S = 300.0


def rule_of(state: State, v: int) -> DeleveragingRule:
    """Return the rule by which venue `v` deleverages."""
    return ranking(state.scenario, state.names.venues[v])


def deleverage(state: State) -> None:
    """Deleverage where a fund's or vault's perps exceed its capacity: in the markets where it took over lately, in proportion to what it holds."""
    rules = state.scenario.deleveraging
    if not rules.enabled:
        return
    if state.clock.step % max(round(SUMMED_S / state.clock.dt), 1) == 0:
        write_summed_rows(state)
    if state.clock.step % max(round(rules.every_s / state.clock.dt), 1) != 0:
        return
    equity, gross = fund_values(state)
    over = np.where(drawn_down(state, equity), gross, gross - state.venues.capacity_usd)
    for f in np.flatnonzero((over > 0.0) & (gross > 0.0)):
        v = int(state.venues.fund_venue[f])
        if rule_of(state, v) is DeleveragingRule.NONE:
            continue
        mine = np.flatnonzero((state.venues.fund == f) & state.markets.perp & (state.cells.quantity[Cell.FUND] != 0.0))
        recent = mine[state.clock.t_s - state.pending.deleveraged_last_s[mine] <= TAKEOVER_MEMORY_S]
        held = np.abs(state.cells.quantity[Cell.FUND, recent]) * state.prices.mark[recent]
        if recent.size == 0 or held.sum() <= 0.0:
            continue
        for m, usd in zip(recent, np.minimum(held, over[f] * held / held.sum()), strict=True):
            deleverage_one(state, v, int(m), float(usd), float(equity[f]))


def drawn_down(state: State, equity: Floats) -> NDArray[np.bool_]:
    """Tell which funds [F] have all they hold deleveraged: the fund has lost the stated part of its largest size of the last 8 hours.

    It goes on until the loss is down to the level at which the venue stops. Runs are shorter than 8 hours: the largest size is that of the run.
    """
    pending = state.pending
    np.maximum(pending.fund_most_usd, equity, out=pending.fund_most_usd)
    lost = 1.0 - equity / np.maximum(pending.fund_most_usd, 1e-9)
    start, stop, least_usd = state.opening["drawdown"][:, state.venues.fund_venue]
    pending.drawn_down[:] = np.where(pending.drawn_down, lost > stop, (lost >= start) & (lost * pending.fund_most_usd >= least_usd))
    return pending.drawn_down


def deleverage_one(state: State, v: int, m: int, usd: float, equity: float) -> None:
    """Close `usd` of the fund's position in perp `m` against winners by the venue's rule, record each, and leave hedged owners with naked coins."""
    cells, traders, portfolios, rules = state.cells, state.traders, state.portfolios, state.scenario.deleveraging
    rule = rule_of(state, v)
    mark = float(state.prices.mark[m])
    side = 1 if cells.quantity[Cell.FUND, m] > 0.0 else -1
    first, last = (int(x) for x in state.trader_range[m])
    capacity = last - first + cells.quantity.shape[0] + portfolios.venue.size
    candidate, score = np.empty(capacity, np.int64), np.empty(capacity)
    closed, profit = np.empty(capacity), np.empty(capacity)
    allowed = ((portfolios.venue == v) & (portfolios.status < Status.LIQUIDATING)).astype(np.int64)
    fund = int(Cell.FUND)
    count = rank_winners(
        m, side, mark, first, last, traders.quantity, traders.cost, traders.cash, traders.status, cells.quantity, cells.cost, fund, portfolios.position,
        portfolios.cost, portfolios.equity, allowed, candidate, score,
    )  # fmt: skip
    candidate = candidate[:count]
    price = mark
    if closing_price(state.scenario, state.names.venues[v]) is ClosingPrice.TAKEOVER:
        price = float(cells.cost[fund, m] / cells.quantity[fund, m])
    most = np.full(count, np.inf)
    room = np.full(count, np.inf)
    by_score = rule is DeleveragingRule.PROFIT_TIMES_LEVERAGE
    winners = winners_of(state, m, mark, candidate) if not by_score or price != mark else None
    if by_score or winners is None:
        order = np.argsort(-score[:count], kind="stable")
    else:
        start = float(uniform(key(state.scenario.seed, int(Purpose.DELEVERAGING), state.clock.step), int(state.markets.stream[m])))
        order, most = order_and_most(rule.value, -side, mark, winners, usd / mark, rules.cap_frac, start)
    candidate = candidate[order]
    if price != mark and winners is not None:
        room = (np.maximum(winners.equity, 0.0) / winners.coins)[order]
    # Nobody is closed at a price that his own account cannot bear.
    prices = mark + np.clip(price - mark, -room, room) if price != mark else np.full(count, mark)
    done = close_winners(
        m, usd / mark, side, mark, candidate, most, prices, traders.quantity, traders.cost, traders.cash, cells.quantity, cells.cost, cells.cash, fund,
        portfolios.position, portfolios.cost, portfolios.balance, closed, profit,
    )  # fmt: skip
    naked = 0.0
    for r in range(done):
        if closed[r] <= 0.0:
            continue
        if candidate[r] < 0:
            trim_own_orders(state, -1 - int(candidate[r]), m)
        notional = float(closed[r]) * float(prices[r])
        # Shorts are closed against a long fund: a price above the mark costs them, and the other way round.
        borne = max(side * float(closed[r]) * (float(prices[r]) - mark), 0.0)
        if rule in SHARING:
            sums = state.opening.setdefault("deleveraged", {}).setdefault((m, int(candidate[r]), side), np.zeros(4))
            sums += (closed[r], notional, borne, closed[r] * profit[r])
        else:
            note_winner(state, m, int(candidate[r]), side, np.array((closed[r], notional, borne, closed[r] * profit[r])), equity)
        state.venues.deleveraged_usd[v] += notional
        if side > 0 and not (candidate[r] < 0 and sells_own_hedge(state, -1 - int(candidate[r]), m, float(closed[r]))):
            naked += float(closed[r]) * (1.0 if candidate[r] == CELL_BASE + Cell.CARRY else rules.hedged_frac)
    if naked > 0.0:
        leave_naked(state, m, naked * rules.sold_frac)


def sells_own_hedge(state: State, p: int, m: int, closed: float) -> bool:
    """Let a named holder whose short in perp `m` was closed (coins) sell what its own coins have become too many; return whether it hedges with its own.

    It sells at the market in its venue's spot book what neither its remaining short nor an earlier order of this kind accounts for.
    """
    portfolios, a = state.portfolios, int(state.markets.asset[m])
    spot = int(state.prices.spot_market[portfolios.venue[p], a])
    if portfolios.kind[p] != WHALE or spot < 0 or portfolios.balance[p, a] <= 0.0:
        return False
    waiting = own_coins_waiting(state, p, spot)
    coins = min(closed, max(float(portfolios.balance[p, a]) + float(portfolios.position[p, m]) - waiting, 0.0)) * state.scenario.deleveraging.sold_frac
    if coins > 0.0:
        give_own_order(state, p, spot, -1, coins, Cause.DELEVERAGING)
    return True


def note_winner(state: State, m: int, number: int, side: int, sums: Floats, equity: float) -> None:
    """Write the row of a winner from [coins, notional, USD borne, coins times profit]; equity of the fund where it is known."""
    coins, notional, borne, gain = (float(x) for x in sums)
    payer = Payer.WINNERS if borne > 0.0 else Payer.NONE
    write_row(
        *state.rows, int(state.clock.t_s), number, Stage.DELEVERAGING, m, side, coins, notional, equity, gain / coins, 0.0, 0, math.nan, borne, payer,
        np.zeros(N_CAUSES),
    )  # fmt: skip


def write_summed_rows(state: State) -> None:
    """Write what winners gave a little at a time since the last call, a row for each winner, perp and side; called at the end of a run, too."""
    for (m, number, side), sums in state.opening.pop("deleveraged", {}).items():
        note_winner(state, m, number, side, sums, math.nan)


def winners_of(state: State, m: int, mark: float, candidate: Ints) -> Winners:
    """Return the columns of candidates (traders, cells, portfolios by their numbers) in perp `m`; cells hold without leverage."""
    traders, cells, portfolios = state.traders, state.cells, state.portfolios
    count = candidate.size
    quantity, cost, equity, maintenance = np.empty(count), np.empty(count), np.empty(count), np.zeros(count)
    cell, large = candidate >= CELL_BASE, candidate < 0
    single = ~cell & ~large
    i = candidate[single]
    quantity[single], cost[single] = traders.quantity[i], traders.cost[i]
    equity[single] = traders.cash[i] + traders.quantity[i] * mark - traders.cost[i]
    maintenance[single] = np.maximum(np.abs(traders.quantity[i]) * mark * traders.rate[i] - traders.deduction[i], 0.0)
    k = candidate[cell] - CELL_BASE
    quantity[cell], cost[cell] = cells.quantity[k, m], cells.cost[k, m]
    equity[cell] = np.abs(quantity[cell]) * mark
    p = -1 - candidate[large]
    quantity[large], cost[large] = portfolios.position[p, m], portfolios.cost[p, m]
    equity[large], maintenance[large] = portfolios.equity[p], portfolios.maintenance[p]
    return Winners(np.abs(quantity), quantity * mark - cost, np.abs(cost), equity, maintenance)


def leave_naked(state: State, m: int, coins: float) -> None:
    """Split coins whose hedge is gone over the spot books of the asset: most on the unified exchange, the rest on spot exchanges."""
    markets, rules = state.markets, state.scenario.deleveraging
    books = np.flatnonzero((markets.asset == markets.asset[m]) & ~markets.perp)
    if books.size == 0:
        return
    inside = np.array([state.scenario.venue(state.names.venues[v]).margin.value == "unified" for v in markets.venue[books]])
    for group, part in ((books[inside], rules.sold_inside_frac), (books[~inside], 1.0 - rules.sold_inside_frac)):
        if group.size:
            depth = markets.depth_usd[group]
            state.pending.naked[group] += coins * part * depth / depth.sum()
