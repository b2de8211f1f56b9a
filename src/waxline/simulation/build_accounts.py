"""Build the account side of a state: traders, makers, whales, holders, borrowers, and the single-market accounts."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.kernels import counted_value, fund_traders, value_portfolios
from waxline.accounts.population import draw_traders
from waxline.accounts.tables import CASH, Cell, Cells, Portfolios, Status, Traders, VenueTable, Watch
from waxline.agents.tables import MakerTable, Pairs
from waxline.liquidation.parameters import PoolVariant
from waxline.liquidation.tables import CloseRules
from waxline.market.tables import Markets
from waxline.parameter import CLASSES
from waxline.scenario.schema import Scenario
from waxline.scenario.venue_rules import RegimeRules
from waxline.simulation.build_rules import set_regimes
from waxline.simulation.state import Names
from waxline.streams import Purpose, key, uniforms

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRANCHE_S = 120
SURVIVAL_ROUNDS = 60
KINDS = ("maker", "whale", "holder", "borrower", "fund")
MAKER, WHALE, HOLDER, BORROWER, RESERVE = range(5)
ENTRANT = "entrant"
DEFAULT_LEVERAGE = (100.0, 50.0, 40.0, 25.0, 10.0, 10.0)


def maintenance_tiers(scenario: Scenario, names: Names, markets: Markets) -> tuple[Floats, Floats, Floats]:
    """Return tier caps (USD), rates and deductions [M, T]: requirement N rate - deduction, continuous at the caps; T is that of the longest table."""
    tables = []
    for m, name in enumerate(names.markets):
        row = scenario.market(name)
        leverage = row.max_leverage or DEFAULT_LEVERAGE[markets.size_class[m]]
        tables.append(scenario.tier_steps(row) or [(math.inf, 0.5 / leverage)])
    width = max(map(len, tables), default=1)
    caps, rates, deductions = (np.zeros((markets.venue.size, width)) for _ in range(3))
    for m, steps in enumerate(tables):
        pairs = scenario.pairs_of(scenario.market(names.markets[m]))
        deduction = 0.0
        for n in range(width):
            cap, rate = steps[min(n, len(steps) - 1)]
            if 0 < n < len(steps):
                deduction += steps[n - 1][0] * pairs * (rate - steps[n - 1][1])
            caps[m, n] = cap * pairs if n < len(steps) - 1 else math.inf
            rates[m, n], deductions[m, n] = rate, deduction
    return caps, rates, deductions


def allocate(rows: list[dict[str, object]], venues: int, assets: int, markets: int) -> Portfolios:
    """Return portfolio columns for `rows` (venue, owner, kind), all balances zero."""
    count = len(rows)
    floats = {name: np.zeros(count) for name in Portfolios._fields}
    table = {
        **floats,
        "venue": np.array([row["venue"] for row in rows], dtype=np.int64),
        "owner": np.array([row["owner"] for row in rows], dtype=np.int64),
        "kind": np.array([row["kind"] for row in rows], dtype=np.int64),
        "balance": np.zeros((count, assets)),
        "balance_start": np.zeros((count, assets)),
        "position": np.zeros((count, markets)),
        "cost": np.zeros((count, markets)),
        "status": np.full(count, Status.HEALTHY, dtype=np.int64),
        "since_s": np.full(count, -1e9),
        "whole_until_s": np.full(count, -np.inf),
        "next_topup_s": np.full(count, np.inf),
        "first_trigger_s": np.full(count, np.nan),
        "perp_part": np.full(count, np.nan),
        **{name: np.zeros(count, dtype=np.int64) for name in ("measure", "plain", "at_equality")},
    }
    return Portfolios(**table)


def build_portfolios(
    scenario: Scenario, names: Names, markets: Markets, venues: VenueTable, tiers: tuple[Floats, Floats, Floats], prices: Floats
) -> tuple[Portfolios, Ints, MakerTable, list[RegimeRules | None]]:
    """Return portfolios, the account behind each market's maker slots [S, M] (-1: crowd), the maker table, and the accounts' regimes [P]."""
    seed = scenario.seed
    makers = scenario.makers.accounts
    exchange = [v for v, name in enumerate(names.venues) if scenario.venue(name).kind.value != "lending_pool"]
    owners = [row.name for row in makers] + [ENTRANT]
    rows: list[dict[str, object]] = [
        {"venue": v, "owner": o, "kind": MAKER, "name": f"{owner}@{names.venues[v]}"} for o, owner in enumerate(owners) for v in exchange
    ]
    whales = [row for row in scenario.whales.named if row.enabled] if scenario.whales.enabled else []
    for whale in sorted(whales, key=lambda row: row.name):
        rows.append({"venue": names.venues.index(whale.venue), "owner": len(owners), "kind": WHALE, "name": whale.name})
        owners.append(whale.name)
    holder_rows = holder_accounts(scenario, names) if scenario.whales.enabled else []
    for label, v in holder_rows:
        rows.append({"venue": v, "owner": len(owners), "kind": HOLDER, "name": label})
        owners.append(label)
    pools = [v for v, name in enumerate(names.venues) if scenario.venue(name).kind.value == "lending_pool"]
    borrowers = scenario.pool.borrowers if scenario.pool.enabled and pools else 0
    for n in range(borrowers):
        label = f"borrower-{n + 1:04d}"
        rows.append({"venue": pools[0], "owner": len(owners), "kind": BORROWER, "name": label})
        owners.append(label)
    if borrowers and scenario.pool.variant is PoolVariant.ABSORPTION:
        rows.append({"venue": pools[0], "owner": len(owners), "kind": RESERVE, "name": f"reserves of {names.venues[pools[0]]}"})
        owners.append(str(rows[-1]["name"]))
    names.owners = owners
    names.portfolios = [str(row["name"]) for row in rows]
    names.portfolio_kinds = [KINDS[int(str(row["kind"]))] for row in rows]
    portfolios = allocate(rows, len(names.venues), len(names.assets), markets.venue.size)
    slot_account = np.full((len(makers) + 2, markets.venue.size), -1, dtype=np.int64)
    where = {(int(str(row["owner"])), int(str(row["venue"]))): p for p, row in enumerate(rows) if row["kind"] == MAKER}
    for s in range(len(makers) + 1):
        for m in range(markets.venue.size):
            slot_account[s, m] = where[(s, int(markets.venue[m]))]
    portfolios.flat_rate[:] = np.where(portfolios.kind == MAKER, scenario.makers.perp_margin_frac, 0.0)
    chosen = {p: str(whale.regime) for p, row in enumerate(rows) for whale in whales if row["kind"] == WHALE and whale.name == row["name"] and whale.regime}
    regimes = set_regimes(scenario, names, portfolios, chosen)
    fund_makers(scenario, names, markets, portfolios, slot_account, venues, prices)
    reference = np.exp(markets.log_reference)
    for p, row in enumerate(rows):
        if row["kind"] == WHALE:
            fund_whale(next(w for w in whales if w.name == row["name"]), names, portfolios, p, venues, prices, reference)
    fund_holders(scenario, names, markets, portfolios, [p for p, row in enumerate(rows) if row["kind"] == HOLDER], venues, tiers, prices, whales)
    fund_borrowers(scenario, names, portfolios, [p for p, row in enumerate(rows) if row["kind"] == BORROWER], prices, venues.haircuts.ratio, seed)
    starts = np.array([int(np.searchsorted(markets.venue, v)) for v in range(len(names.venues))], dtype=np.int64)
    ranges = (starts, np.append(starts[1:], markets.venue.size).astype(np.int64))
    ensure_survival(scenario, markets, portfolios, venues, tiers, prices, ranges)
    portfolios.balance_start[:] = portfolios.balance
    slots = len(makers) + 2
    table = MakerTable(
        share=np.array([row.shares() for row in makers] + [[0.0] * len(CLASSES)] * 2),
        account=slot_account,
        pull_ratio=np.array([row.pull_volatility_ratio for row in makers] + [80.0, 1e9]),
        cool_down_s=np.array([row.cool_down_s for row in makers] + [600.0, 0.0]),
        speed=np.ones(slots),
        cap=np.ones((slots, len(names.venues))),
        alive=np.ones(slots),
        entered=np.ones(slots),
    )
    return portfolios, slot_account, table, regimes


def fund_makers(scenario: Scenario, names: Names, markets: Markets, portfolios: Portfolios, slot_account: Ints, venues: VenueTable, prices: Floats) -> None:
    """Give makers their pledged coins, loans, stock and cash; writes `portfolios`.

    Coins pledged at a unified venue carry a loan; the lent part of it has left. Stock for quoting spot asks where nothing is pledged is bought
    with the account's cash. Accounts at other venues hold cash and stock of their own.
    """
    rules = scenario.makers
    share = np.array([row.shares() for row in rules.accounts]).reshape(len(rules.accounts), len(CLASSES))
    whole = markets.maker_whole_usd
    for s in range(slot_account.shape[0] - 1):
        entrant = s == len(rules.accounts)
        part = share[s] if not entrant else share.max(axis=0, initial=0.0)
        for v in sorted(set(markets.venue.tolist())):
            mine = np.flatnonzero(markets.venue == v)
            p = int(slot_account[s, mine[0]])
            loan = 0.0
            pledged: dict[int, float] = {}
            if not entrant and rules.pledge:
                for item in scenario.collateral:
                    if names.venues.index(item.venue) == v and item.maker_pledged_usd > 0.0:
                        a = names.assets.index(item.asset)
                        pledged[a] = item.maker_pledged_usd * rules.accounts[s].pledged_share_frac
            for a, usd in pledged.items():
                portfolios.balance[p, a] += usd / prices[v, a]
                margin = counted_value(usd / prices[v, a], prices[v, a], v, a, venues.haircuts)
                loan += min(rules.loan_to_value_frac * usd, rules.loan_to_margin_frac * margin)
            portfolios.balance[p, CASH] -= loan * (0.0 if entrant else rules.accounts[s].lent_frac)
            own = loan == 0.0
            for m in mine:
                if markets.perp[m]:
                    if own:
                        portfolios.balance[p, CASH] += rules.perp_capital_depths * part[markets.size_class[m]] * whole[m]
                    continue
                a = int(markets.asset[m])
                wanted = rules.stock_depths * part[markets.size_class[m]] * whole[m]
                have = portfolios.balance[p, a] * prices[v, a]
                missing = max(wanted - have, 0.0)
                portfolios.balance[p, a] += missing / prices[v, a]
                portfolios.balance[p, CASH] += wanted if own else -missing * (1.0 - rules.stock_own_frac)


def fund_whale(whale, names, portfolios, p, venues, prices, reference) -> None:  # type: ignore[no-untyped-def]
    """Give a named whale its collateral, loan, perps and reserve; writes `portfolios`."""
    v = names.venues.index(whale.venue)
    counted = 0.0
    for symbol, usd in whale.collateral_usd.items():
        a = names.assets.index(symbol)
        portfolios.balance[p, a] += usd / prices[v, a]
        counted += usd if portfolios.plain[p] == 1 else counted_value(usd / prices[v, a], prices[v, a], v, a, venues.haircuts)
    portfolios.balance[p, CASH] -= counted * whale.loan_to_value_frac
    for side, perps in ((1.0, whale.perp_longs_usd), (-1.0, whale.perp_shorts_usd)):
        for symbol, usd in perps.items():
            m = names.markets.index(f"{whale.venue}-perp-{symbol}")
            portfolios.position[p, m] = side * usd / reference[m]
            portfolios.cost[p, m] = side * usd
    portfolios.reserve[p] = whale.reserve_usd


def holder_accounts(scenario: Scenario, names: Names) -> list[tuple[str, int]]:
    """Return (name, venue) of the drawn holders: most on the first unified venue by pledged value, fewer on the others."""
    pledged: dict[str, float] = {}
    for item in scenario.collateral:
        pledged[item.venue] = pledged.get(item.venue, 0.0) + item.holder_pledged_usd
    ranked = sorted(
        (name for name, usd in pledged.items() if usd > 0.0 and scenario.venue(name).margin.value == "unified"), key=lambda name: (-pledged[name], name)
    )
    rows = []
    for rank, name in enumerate(ranked):
        count = scenario.whales.holders if rank == 0 else scenario.whales.holders_second
        rows += [(f"holder-{name}-{n + 1:04d}", names.venues.index(name)) for n in range(count)]
    return rows


def fund_holders(scenario, names, markets, portfolios, members, venues, tiers, prices, whales) -> None:  # type: ignore[no-untyped-def]
    """Split each asset's pledged total over random holders, lend to them, and let them go long perps; writes `portfolios`.

    Each drawn account survives a common fall of `least_distance_frac`: loans that would not are cut until it does.
    """
    rules, seed = scenario.whales, scenario.seed
    reference = np.exp(markets.log_reference)
    by_venue: dict[int, list[int]] = {}
    for p in members:
        by_venue.setdefault(int(portfolios.venue[p]), []).append(p)
    for v, group in by_venue.items():
        for item in sorted(scenario.collateral, key=lambda row: row.asset):
            if names.venues.index(item.venue) != v or item.holder_pledged_usd <= 0.0:
                continue
            left = item.holder_pledged_usd - sum(w.collateral_usd.get(item.asset, 0.0) for w in whales if w.venue == item.venue)
            if left <= 0.0:
                continue
            a = names.assets.index(item.asset)
            lane = markets.stream[0] * 0 + sum(ord(c) * 31**n for n, c in enumerate(item.asset + item.venue)) % 10**9
            count = min(len(group), max(4, len(group) // 12))
            order = np.argsort(uniforms(key(seed, int(Purpose.POPULATION_COLLATERAL), lane), len(group)), kind="stable")[:count]
            weight = (1.0 - 0.98 * uniforms(key(seed, int(Purpose.POPULATION_COLLATERAL), lane + 1), count)) ** (-1.0 / 1.3)
            for place, w in zip(order, weight / weight.sum(), strict=True):
                portfolios.balance[group[int(place)], a] += left * w / prices[v, a]
        perps = np.flatnonzero((markets.venue == v) & markets.perp & (markets.size_class >= CLASSES.index("major")))
        for p in group:
            value = float(np.sum(portfolios.balance[p, 1:] * prices[v, 1:]))
            if value <= 0.0:
                portfolios.status[p] = Status.CLOSED
                continue
            u = uniforms(key(seed, int(Purpose.WHALE), p), 8)
            loan = rules.loan_to_value_low_frac + (rules.loan_to_value_high_frac - rules.loan_to_value_low_frac) * u[0]
            longs = value * (rules.perp_long_low + (rules.perp_long_high - rules.perp_long_low) * u[1])
            weights = np.sqrt(markets.depth_usd[perps])
            draws = u[2 : 2 + 1 + int(u[5] * 3)] if perps.size else u[:0]  # where no altcoin perp trades, holders only borrow
            chosen = sorted({int(perps[np.searchsorted(np.cumsum(weights) / weights.sum(), x)]) for x in draws})
            for m in chosen:
                portfolios.position[p, m] = longs / len(chosen) / reference[m]
                portfolios.cost[p, m] = longs / len(chosen)
            held = np.flatnonzero(portfolios.balance[p, 1:] > 0.0) + 1
            counted = math.fsum(counted_value(portfolios.balance[p, a], prices[v, a], v, int(a), venues.haircuts) for a in held)
            portfolios.balance[p, CASH] = -counted * loan
            portfolios.reserve[p] = scenario.topups.holder_reserve_frac * value


def ensure_survival(
    scenario: Scenario,
    markets: Markets,
    portfolios: Portfolios,
    venues: VenueTable,
    tiers: tuple[Floats, Floats, Floats],
    prices: Floats,
    ranges: tuple[Ints, Ints],
) -> None:
    """Cut loans and longs of drawn holders until each survives a common fall of `least_distance_frac`; writes `portfolios`."""
    keep = 1.0 - scenario.whales.least_distance_frac
    mark = np.exp(markets.log_reference) * keep
    values = [np.zeros(portfolios.venue.size) for _ in range(3)]
    for _ in range(SURVIVAL_ROUNDS):
        value_portfolios(
            portfolios.venue, portfolios.balance, portfolios.position, portfolios.cost, venues.haircuts, portfolios.debt_rate, mark, prices * keep,
            *ranges, *tiers, portfolios.flat_rate, portfolios.plain, portfolios.closing_fee, *values,
        )  # fmt: skip
        weak = np.flatnonzero((portfolios.kind == HOLDER) & (values[0] <= 1.02 * portfolios.line * values[1]) & (values[1] > 0.0))
        if weak.size == 0:
            break
        portfolios.balance[weak, CASH] = np.where(portfolios.balance[weak, CASH] < 0.0, portfolios.balance[weak, CASH] * 0.94, 0.0)
        portfolios.position[weak] *= 0.94
        portfolios.cost[weak] *= 0.94


def fund_borrowers(scenario: Scenario, names: Names, portfolios: Portfolios, members: list[int], prices: Floats, ratio: Floats, seed: int) -> None:
    """Give borrowers of the pool one collateral asset each and a debt that sets their health factor; writes `portfolios`."""
    rules = scenario.pool
    totals = {symbol: usd for symbol, usd in sorted(rules.collateral_usd.items()) if usd > 0.0 and symbol in names.assets}
    if not members or not totals:
        return
    share = np.cumsum(list(totals.values())) / sum(totals.values())
    size = (1.0 - 0.995 * uniforms(key(seed, int(Purpose.WHALE), 10**7), len(members))) ** (-1.0 / 1.2)
    pick = (np.arange(len(members)) + 0.5) / len(members)
    symbols = [list(totals)[int(np.searchsorted(share, x))] for x in pick]
    health = rules.health_low + 2.0 * uniforms(key(seed, int(Purpose.WHALE), 10**7 + 1), len(members)) ** rules.health_exponent
    for symbol, total in totals.items():
        group = [n for n, s in enumerate(symbols) if s == symbol]
        if not group:
            continue
        weight = size[group] / size[group].sum()
        a = names.assets.index(symbol)
        for n, w in zip(group, weight, strict=True):
            p = members[n]
            v = int(portfolios.venue[p])
            portfolios.balance[p, a] = total * w / prices[v, a]
            portfolios.balance[p, CASH] = -total * w * ratio[v, a] / health[n]


def build_cells(scenario: Scenario, names: Names, markets: Markets, pairs: Pairs, value_cash: Floats, trend_holdings: Floats) -> Cells:
    """Return the single-market accounts with their cash and coins; perp positions are set by `balance_open_interest`."""
    count = markets.venue.size
    reference = np.exp(markets.log_reference)
    quantity, cost, cash = (np.zeros((Cell.COUNT, count)) for _ in range(3))
    spot = ~markets.perp
    depth = markets.depth_usd
    cash[Cell.CROWD] = 10.0 * depth
    cash[Cell.NOISE] = 20.0 * depth
    cash[Cell.INFORMED] = scenario.informed.capital_depths * depth
    cash[Cell.VALUE_BUYER] = value_cash
    cash[Cell.SHORTS] = np.where(markets.perp, 5.0 * depth, 0.0)
    cash[Cell.NEW_SHORTS] = np.where(markets.perp, 20.0 * depth, 0.0)
    cash[Cell.VALUE_SELLER] = np.where(markets.perp, 20.0 * depth, 0.0)
    stock = np.zeros(count)
    for n in range(pairs.first.size):
        stock[pairs.first[n]] = max(stock[pairs.first[n]], pairs.stock_first[n])
        stock[pairs.second[n]] = max(stock[pairs.second[n]], pairs.stock_second[n])
    cash[Cell.ARBITRAGE] = stock
    claims = np.flatnonzero(spot & (markets.claim_asset >= 0))
    if claims.size and scenario.arbitrage.enabled:
        cash[Cell.ARBITRAGE, claims] += scenario.arbitrage.claim_capital_usd * depth[claims] / depth[claims].sum()
    held = np.where(spot, depth / reference, 0.0)
    quantity[Cell.CROWD] = 10.0 * held
    quantity[Cell.NOISE] = 20.0 * held
    quantity[Cell.INFORMED] = scenario.informed.capital_depths * held
    quantity[Cell.VALUE_SELLER] = scenario.value_buyers.holdings_depths * held
    quantity[Cell.HOLDERS] = np.where(spot, trend_holdings / reference, 0.0)
    quantity[Cell.ARBITRAGE] = np.where(spot, stock / reference, 0.0)
    interest = np.zeros(len(names.assets))
    for m, name in enumerate(names.markets):
        interest[markets.asset[m]] += scenario.market(name).open_interest_usd
    for a in range(1, len(names.assets)):
        books = np.flatnonzero(spot & (markets.asset == a))
        if books.size:
            hedged = scenario.shorts.carry_share_frac * interest[a]
            quantity[Cell.CARRY, books] = hedged * depth[books] / depth[books].sum() / reference[books]
    pools = [v for v in scenario.pool.venues if v in names.venues]
    keepers = [int(j) for j in np.flatnonzero(spot) if names.venues[markets.venue[j]] in pools]
    for j in keepers:
        cash[Cell.KEEPER, j] = scenario.pool.keeper_cash_usd * depth[j] / depth[keepers].sum()
    return Cells(quantity=quantity, cost=cost, cash=cash)


def build_traders(
    scenario: Scenario, names: Names, markets: Markets, tiers: tuple[Floats, Floats, Floats], portfolios: Portfolios, cells: Cells, closing: CloseRules
) -> tuple[Traders, Watch, Watch, Watch, Ints, Ints, int]:
    """Draw traders for every perp and balance longs against shorts; returns traders, watch ladders, their ranges, tranche sides, count."""
    rules = scenario.population
    perps = [int(m) for m in np.flatnonzero(markets.perp)]
    reference = np.exp(markets.log_reference)
    interest = np.array([scenario.market(name).open_interest_usd for name in names.markets])
    weight = np.sqrt(np.maximum(interest, 0.0))
    spread = rules.traders * weight / max(weight.sum(), 1e-9)
    columns: dict[str, list[Floats]] = {name: [] for name in ("market", "quantity", "cost", "line", "stop")}
    trader_range = np.zeros((markets.venue.size, 2), dtype=np.int64)
    used = 0
    for m in perps:
        row = scenario.market(names.markets[m])
        if interest[m] <= 0.0:
            trader_range[m] = used, used
            continue
        count = max(rules.least_per_market, round(spread[m])) if rules.traders > 0 else 0
        near = rules.survived_range_btc_frac if markets.size_class[m] == 0 else rules.survived_range_frac
        held = float(np.sum(portfolios.position[:, m])) * reference[m]
        never = row.never_liquidated_frac * interest[m]
        long_usd = max(interest[m] - never - held, 0.0)
        short_usd = scenario.shorts.leveraged_share_frac * interest[m]
        leverage = row.max_leverage or DEFAULT_LEVERAGE[markets.size_class[m]]
        rate = float(tiers[1][m, 0])
        start = used
        for side, usd, part in ((1, long_usd, 0.7), (-1, short_usd, 0.3)):
            number = max(round(count * part), 1) if count > 0 and usd > 0.0 else 0
            drawn = draw_traders(rules, scenario.seed, int(markets.stream[m]), number, side, usd, reference[m], rate, row.leverage_scale, leverage, near)
            columns["market"].append(np.full(number, m, dtype=np.float64))
            for name, values in (("quantity", drawn.quantity), ("cost", drawn.cost), ("line", drawn.line), ("stop", drawn.stop_price)):
                columns[name].append(values)
            used += number
        trader_range[m] = start, used
    steps = int(scenario.clock.duration_s // TRANCHE_S) + 2
    spare = len(perps) * 2 * steps if scenario.new_leverage.enabled else 0
    flat = {name: np.concatenate([*parts, np.zeros(spare)]) if parts else np.zeros(spare) for name, parts in columns.items()}
    total = used + spare
    flat["stop"][used:] = np.nan
    traders = Traders(
        market=flat["market"].astype(np.int64),
        quantity=flat["quantity"],
        cost=flat["cost"],
        cash=np.zeros(total),
        rate=np.zeros(total),
        deduction=np.zeros(total),
        status=np.zeros(total, dtype=np.int64),
        order=np.full(total, -1, dtype=np.int64),
        first_trigger_s=np.full(total, np.nan),
        liquidated_usd=np.zeros(total),
        negative_usd=np.zeros(total),
        next_watched=np.full(total, -2, dtype=np.int64),
        whole_until_s=np.full(total, -np.inf),
    )
    fund_traders(
        traders.market, markets.venue, traders.quantity, traders.cost, flat["line"], closing.people, closing.on_entry, closing.closing_fee, *tiers, traders.cash, traders.rate,
        traders.deduction,
    )  # fmt: skip
    traders.status[used:] = Status.CLOSED
    balance_open_interest(scenario, markets, interest, portfolios, traders, cells, trader_range)
    longs = build_watch(traders, markets, trader_range, 1)
    shorts = build_watch(traders, markets, trader_range, -1)
    stops = build_stops(flat["stop"], markets, trader_range)
    return traders, longs, shorts, stops, trader_range, np.zeros(total, dtype=np.int64), used


def balance_open_interest(
    scenario: Scenario, markets: Markets, interest: Floats, portfolios: Portfolios, traders: Traders, cells: Cells, trader_range: Ints
) -> None:
    """Set the positions without liquidation line so that longs equal shorts exactly in every perp; writes `cells`.

    Holders carry the longs that no realistic price liquidates; shorts that take profit and carry books have their share; the rest of the
    shorts is held outside without leverage.
    """
    reference = np.exp(markets.log_reference)
    for m in (int(x) for x in np.flatnonzero(markets.perp)):
        first, last = trader_range[m]
        mine = traders.quantity[first:last]
        long_now = float(np.sum(mine[mine > 0.0])) + float(np.sum(np.maximum(portfolios.position[:, m], 0.0)))
        target = interest[m] / reference[m]
        holders = max(target - long_now, 0.0)
        shorts = -scenario.shorts.share_frac * target if scenario.shorts.enabled else 0.0
        carry = -scenario.shorts.carry_share_frac * target
        for kind, value in ((Cell.HOLDERS, holders), (Cell.SHORTS, shorts), (Cell.CARRY, carry)):
            cells.quantity[kind, m] = value
            cells.cost[kind, m] = value * reference[m]
        rest = -(float(np.sum(mine)) + float(np.sum(portfolios.position[:, m])) + float(np.sum(cells.quantity[:, m])))
        cells.quantity[Cell.OUTSIDE, m] = rest
        cells.cost[Cell.OUTSIDE, m] = rest * reference[m]
        for kind in (Cell.HOLDERS, Cell.SHORTS, Cell.CARRY, Cell.OUTSIDE):
            cells.cash[kind, m] += abs(cells.quantity[kind, m]) * reference[m]


def build_watch(traders: Traders, markets: Markets, trader_range: Ints, side: int) -> Watch:
    """Return the watch ladder of one side: a single-leg account's watch level is its liquidation price."""
    accounts, levels, start = [], [], np.zeros(markets.venue.size + 1, dtype=np.int64)
    for m in range(markets.venue.size):
        first, last = (int(x) for x in trader_range[m])
        mine = np.arange(first, last)[(traders.quantity[first:last] * side) > 0.0]
        quantity = traders.quantity[mine]
        level = (traders.cost[mine] - traders.cash[mine] - traders.deduction[mine]) / (quantity - np.abs(quantity) * traders.rate[mine])
        order = np.argsort(-side * level, kind="stable")
        accounts.append(mine[order])
        levels.append(level[order])
        start[m + 1] = start[m] + mine.size
    flat_accounts = np.concatenate(accounts) if accounts else np.zeros(0, dtype=np.int64)
    flat_levels = np.concatenate(levels) if levels else np.zeros(0)
    return Watch(account=flat_accounts.astype(np.int64), level=flat_levels, start=start, place=start[:-1].copy())


def build_stops(stop: Floats, markets: Markets, trader_range: Ints) -> Watch:
    """Return the watch ladder of stop-loss prices of longs."""
    accounts, levels, start = [], [], np.zeros(markets.venue.size + 1, dtype=np.int64)
    for m in range(markets.venue.size):
        first, last = (int(x) for x in trader_range[m])
        mine = np.arange(first, last)[~np.isnan(stop[first:last])]
        order = np.argsort(-stop[mine], kind="stable")
        accounts.append(mine[order])
        levels.append(stop[mine][order])
        start[m + 1] = start[m] + mine.size
    return Watch(account=np.concatenate(accounts).astype(np.int64), level=np.concatenate(levels), start=start, place=start[:-1].copy())
