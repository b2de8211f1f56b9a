"""The lending pool of a step: interest by utilisation, and what happens to borrowers below health 1.

Three ways: keepers repay a part and seize collateral with a bonus (Aave), collateral is auctioned at a falling price (Maker), or the pool absorbs the
account and sells what it took at a discount (Compound). In each, keepers act only where reselling in the spot books pays after impact, fees and gas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.rules_collateral import health_factor
from waxline.accounts.tables import CASH, Cell, Status
from waxline.errors import ScenarioError
from waxline.liquidation.parameters import PoolVariant
from waxline.liquidation.rules_auctions import keeper_reward, kicked, needs_reset, stair_price, taken, top_price
from waxline.liquidation.rules_pools import (
    absorbed_balance,
    debt_for,
    keeper_profit,
    kinked_rate,
    leaves_dust,
    pool_deficit,
    repayable,
    reserves_after,
    seized,
    storefront_discount,
    storefront_quantity,
)
from waxline.liquidation.tables import Payer, Stage
from waxline.simulation.build_accounts import RESERVE
from waxline.simulation.build_rules import PoolTerms
from waxline.simulation.state import State
from waxline.simulation.waterfall import consumed_shares, fund_values, note

Floats = NDArray[np.float64]
YEAR_S = 31_536_000.0
LEAST_USD = 1.0
"""Debts and collateral below it count as nothing."""


@dataclass
class Auction:
    """Hold one auction: whose vault, which asset, coins and amount left to raise (USD), reward its starter still gets of the penalty, top price, start."""

    p: int
    a: int
    lot: float
    tab: float
    reward: float
    top: float
    start_s: float


def run_pool(state: State) -> None:
    """Let debts grow by the pool's rate, then liquidate borrowers below health 1 by the pool's way."""
    rules = state.scenario.pool
    pool = state.opening["pool_venue"]
    if pool < 0 or not rules.enabled:
        return
    accrue(state)
    if not state.scenario.feedback:
        return
    portfolios, borrowers = state.portfolios, state.opening["borrowers"]
    due = [int(p) for p in borrowers[(portfolios.status[borrowers] == Status.HEALTHY) & (portfolios.equity[borrowers] <= 0.0)]]
    if rules.variant is PoolVariant.AUCTION:
        for p in due:
            start_auction(state, p)
        state.pending.auctions[:] = [auction for auction in state.pending.auctions if not run_auction(state, auction)]
    elif rules.variant is PoolVariant.ABSORPTION:
        for p in due:
            absorb(state, p)
        sell_absorbed(state)
    else:
        for p in due:
            liquidate_borrower(state, p)


def open_pool(state: State) -> None:
    """Set what is supplied to the pool: what the scenario says, else what puts utilisation where it says."""
    rules = state.scenario.pool
    borrowed = float(debts_of_pool(state).sum())
    if 0.0 < rules.supplied_usd < borrowed:
        raise ScenarioError(f"pool.supplied_usd must be at least what is borrowed, {borrowed:.6g} USD, was {rules.supplied_usd:g}: write 0 for what fits")
    state.pending.pool_supplied = rules.supplied_usd if rules.supplied_usd > 0.0 else borrowed / rules.utilisation_start_frac


def debts_of_pool(state: State) -> Floats:
    """Return what each borrower owes in USD; debts that were booked as bad debt are owed no more."""
    borrowers, portfolios = state.opening["borrowers"], state.portfolios
    open_loans = portfolios.status[borrowers] != Status.CLOSED
    found: Floats = np.where(open_loans, np.maximum(-portfolios.balance[borrowers, CASH], 0.0), 0.0)
    return found


def pool_figures(state: State) -> tuple[float, float]:
    """Return the pool's utilisation (borrowed over supplied) and the yearly rate that borrowers pay at it."""
    rules = state.scenario.pool
    supplied = float(state.pending.pool_supplied)
    borrowed = float(debts_of_pool(state).sum())
    used = min(borrowed / supplied, 1.0) if supplied > 0.0 else 0.0
    return used, kinked_rate(used, rules.rate_base_frac, rules.rate_slope_frac, rules.rate_kink_frac, rules.rate_slope_beyond_frac)


def accrue(state: State) -> None:
    """Let every debt grow for a step at the rate of the present utilisation; lenders receive it, and it joins what is supplied."""
    _, rate = pool_figures(state)
    borrowers, balance = state.opening["borrowers"], state.portfolios.balance
    interest = debts_of_pool(state) * rate * state.clock.dt / YEAR_S
    balance[borrowers, CASH] -= interest
    whole = float(interest.sum())
    state.pending.outside[CASH] += whole
    state.pending.pool_supplied += whole


def largest_collateral(state: State, p: int) -> int | None:
    """Return the asset of which an account holds most at the oracle, None where it holds none or owes nothing."""
    balance = state.portfolios.balance[p]
    held = np.flatnonzero(balance[1:] > 0.0) + 1
    if held.size == 0 or balance[CASH] >= 0.0:
        return None
    return int(held[np.argmax(balance[held] * state.prices.oracle[held])])


def keeper_book(state: State, a: int) -> int | None:
    """Return the deepest spot book of an asset whose keepers have cash; None where there is none."""
    targets = [m for m in state.opening["keeper_books"].get(a, ()) if state.cells.cash[Cell.KEEPER, m] > 0.0]
    return max(targets, key=lambda m: state.books.depth_bid_usd[m]) if targets else None


def impact_per_usd(state: State, m: int) -> float:
    """Return the part of the price that a keeper loses per USD he resells in a book at his pace."""
    return 0.5 * 0.01 / max(float(state.books.depth_bid_usd[m]), 1.0) * (1.0 - math.exp(-1.0 / state.scenario.pool.keeper_tau_s))


def pays_off(state: State, m: int, coins: float, cost_usd: float) -> bool:
    """Tell whether reselling `coins` in spot book `m` pays a keeper who gave `cost_usd` for them, after impact, fee and gas."""
    usd = coins * math.exp(float(state.books.mid[m]))
    impact = impact_per_usd(state, m) * usd
    slippage = 1.0 - (1.0 - impact) * (1.0 - float(state.markets.fee_frac[m]))
    return keeper_profit(usd, cost_usd, slippage, state.scenario.pool.gas_usd) >= 0.0


def most_coins(state: State, m: int, price: float) -> float:
    """Return how many coins at `price` a keeper can resell in book `m` before impact has used up what he gains on the last of them, and pay for.

    Impact is that of the whole on average, so that the last coin loses twice as much.
    """
    mid = math.exp(float(state.books.mid[m])) * (1.0 - float(state.markets.fee_frac[m]))
    room = 0.5 * (1.0 - price / mid) / (impact_per_usd(state, m) * mid) if price < mid else 0.0
    return max(min(room, float(state.cells.cash[Cell.KEEPER, m]) / price), 0.0) if price > 0.0 else 0.0


def hand_over(state: State, p: int, a: int, m: int, coins: float, paid: float) -> None:
    """Move coins of account `p` to the keepers of book `m` for `paid` USD, which the caller credits; what they pay less than the oracle is their bonus."""
    portfolios = state.portfolios
    portfolios.balance[p, a] = max(float(portfolios.balance[p, a]) - coins, 0.0)
    state.cells.quantity[Cell.KEEPER, m] += coins
    state.cells.cash[Cell.KEEPER, m] -= paid
    state.pending.pool[1] += coins * float(state.prices.oracle[a]) - paid


def note_seizure(state: State, p: int, a: int, m: int, coins: float) -> None:
    """Count coins that were taken from a borrower, at the oracle, and write the row; m: spot market where they go, -1 for none."""
    portfolios, price = state.portfolios, float(state.prices.oracle[a])
    state.pending.pool[0] += coins * price
    portfolios.liquidated_usd[p] += coins * price
    if math.isnan(portfolios.first_trigger_s[p]):
        portfolios.first_trigger_s[p] = state.clock.t_s
    shares, generation, part = consumed_shares(state, p)
    portfolios.perp_part[p] = part
    note(state, -1 - p, Stage.POOL_LIQUIDATION, m, coins, coins * price, float(portfolios.equity[p]), generation=generation, shares=shares)


def close_deficit(state: State, p: int) -> None:
    """Book the debt of an account without collateral as the pool's bad debt and close it."""
    portfolios = state.portfolios
    left = float(np.sum(portfolios.balance[p, 1:] * state.prices.oracle[1:]))
    unpaid = pool_deficit(-float(portfolios.balance[p, CASH]), 0.0 if left < LEAST_USD else left)
    if unpaid > LEAST_USD:
        state.pending.pool[2] += unpaid
        portfolios.status[p] = Status.CLOSED
        equity = float(portfolios.equity[p])
        note(state, -1 - p, Stage.BAD_DEBT, -1, 0.0, unpaid, equity, generation=1.0, shortfall=unpaid, payer=Payer.NOBODY)


# Keepers repay -----------------------------------------------------------------------------------------------------------


def liquidate_borrower(state: State, p: int) -> None:
    """Liquidate one borrower once: the close factor of the debt is repaid (all of it at low health) and collateral with a bonus is seized."""
    portfolios = state.portfolios
    a = largest_collateral(state, p)
    if a is None:
        return
    terms: PoolTerms = state.opening["pool_terms"]
    debt, price = -float(portfolios.balance[p, CASH]), float(state.prices.oracle[a])
    value = float(portfolios.balance[p, a]) * price
    health = health_factor(float(portfolios.collateral_usd[p]), debt)
    bonus = 1.0 + float(terms.bonus[a])
    repay = repayable(debt, debt, value, health, terms.close_factor, terms.close_all_at, terms.dust_usd)
    m = keeper_book(state, a)
    if m is None:
        return
    # A keeper repays less than he may where the last of the coins would not resell at what he gave for them.
    repay = min(repay, most_coins(state, m, price / bonus) * price / bonus)
    coins = seized(repay, 1.0, price, bonus)
    if coins * price >= value:
        coins, repay = value / price, debt_for(value / price, 1.0, price, bonus)
    elif leaves_dust(debt, repay, value, coins * price, terms.least_left_usd):
        return
    if coins <= 0.0 or not pays_off(state, m, coins, repay):
        return
    portfolios.balance[p, CASH] += repay
    hand_over(state, p, a, m, coins, repay)
    note_seizure(state, p, a, m, coins)
    close_deficit(state, p)


# Auctions ----------------------------------------------------------------------------------------------------------------


def start_auction(state: State, p: int) -> None:
    """Put the collateral of an unsafe vault up for auction, as much as the limit on all auctions leaves room for; its starter is promised a reward."""
    portfolios, rules = state.portfolios, state.scenario.pool
    a = largest_collateral(state, p)
    if a is None:
        return
    room = rules.auction_limit_usd - sum(auction.tab for auction in state.pending.auctions)
    if room <= 0.0:
        return
    debt, coins = -float(portfolios.balance[p, CASH]), float(portfolios.balance[p, a])
    put_up = kicked(coins, debt, 1.0, 1.0 + rules.auction_penalty_frac, room, rules.auction_dust_usd)
    if put_up.refused:
        return
    reward = keeper_reward(rules.auction_tip_usd, rules.auction_chip_frac, put_up.tab)
    top = top_price(float(state.prices.oracle[a]), 1.0 + rules.auction_buffer_frac)
    state.pending.auctions.append(Auction(p, a, put_up.lot, put_up.tab, reward, top, state.clock.t_s))
    portfolios.status[p] = Status.CALLED  # it waits for its auction


def run_auction(state: State, auction: Auction) -> bool:
    """Let keepers buy at the auction's present price what pays them; return whether it is over. An old or fallen auction starts again at the oracle."""
    portfolios, rules, p, a = state.portfolios, state.scenario.pool, auction.p, auction.a
    elapsed = state.clock.t_s - auction.start_s
    price = stair_price(auction.top, elapsed, 1.0 - rules.auction_cut_frac, rules.auction_step_s)
    if needs_reset(price, auction.top, elapsed, rules.auction_tail_s, rules.auction_cusp_frac):
        auction.top, auction.start_s = top_price(float(state.prices.oracle[a]), 1.0 + rules.auction_buffer_frac), state.clock.t_s
        return False
    m = keeper_book(state, a)
    wanted = most_coins(state, m, price) if m is not None else 0.0
    if m is None or wanted <= 0.0 or price <= 0.0:
        return False
    most = min(wanted, auction.lot, auction.tab / price)
    if not pays_off(state, m, most, most * price):
        return False
    sold = taken(auction.tab, auction.lot, price, wanted, rules.auction_dust_usd * (1.0 + rules.auction_penalty_frac))
    if sold.refused or sold.bought <= 0.0:
        return False
    repaid = sold.paid / (1.0 + rules.auction_penalty_frac)
    portfolios.balance[p, CASH] += repaid
    rewarded = min(auction.reward, sold.paid - repaid)
    auction.reward -= rewarded
    state.pending.outside[CASH] += rewarded
    state.venues.fund_cash[int(portfolios.venue[p])] += sold.paid - repaid - rewarded
    auction.lot, auction.tab = sold.lot_left, sold.tab_left
    hand_over(state, p, a, m, sold.bought, sold.paid)
    note_seizure(state, p, a, m, sold.bought)
    if auction.tab > LEAST_USD and auction.lot * price > LEAST_USD:
        return False
    portfolios.status[p] = Status.HEALTHY
    close_deficit(state, p)
    return True


# Absorption --------------------------------------------------------------------------------------------------------------


def absorb(state: State, p: int) -> None:
    """Let the pool take over an account: its reserves pay the debt and what the collateral counts beyond it, its own account gets the coins."""
    portfolios, rules = state.portfolios, state.scenario.pool
    own, v = int(state.opening["pool_account"]), int(portfolios.venue[p])
    held = np.flatnonzero(portfolios.balance[p, 1:] > 0.0) + 1
    debt = -float(portfolios.balance[p, CASH])
    if debt <= 0.0:
        return
    value = float(np.sum(portfolios.balance[p, held] * state.prices.oracle[held]))
    had = max(float(fund_values(state)[0][v]), 0.0)
    for a in held.tolist():  # told while it still holds them: what consumed its slack is read from its coins
        books = state.opening["keeper_books"].get(a, ())
        note_seizure(state, p, a, books[0] if books else -1, float(portfolios.balance[p, a]))
    kept = absorbed_balance(debt, value * rules.absorb_factor_frac)
    state.venues.fund_cash[v] = reserves_after(float(state.venues.fund_cash[v]), debt, kept)
    portfolios.balance[p, CASH] = kept
    portfolios.balance[own, held] += portfolios.balance[p, held]
    portfolios.balance[p, held] = 0.0
    portfolios.status[p] = Status.CLOSED
    # What the reserves do not have is found by `cover_funds`, which books it as bad debt.
    paid = min(max(debt - value, 0.0), had)
    if paid > 0.0:
        note(state, -1 - p, Stage.PAYMENT, -1, 0.0, paid, float(portfolios.equity[p]), generation=1.0, shortfall=paid, payer=Payer.FUND)


def sell_absorbed(state: State) -> None:
    """Let keepers buy absorbed coins at the storefront's price, oracle less its discount, while reselling pays and the reserves are below their target."""
    portfolios, rules, own = state.portfolios, state.scenario.pool, int(state.opening["pool_account"])
    v = int(portfolios.venue[own])
    discount = storefront_discount(rules.storefront_factor_frac, rules.absorb_factor_frac)
    for a in (int(x) for x in np.flatnonzero(portfolios.balance[own, 1:] > 0.0) + 1):
        oracle = float(state.prices.oracle[a])
        price = oracle * (1.0 - discount)
        m = keeper_book(state, a)
        if m is None or price <= 0.0 or state.venues.fund_cash[v] >= rules.reserve_target_usd:
            continue
        coins = min(
            float(portfolios.balance[own, a]), most_coins(state, m, price), storefront_quantity(float(state.cells.cash[Cell.KEEPER, m]), oracle, discount)
        )
        if coins * oracle < LEAST_USD or not pays_off(state, m, coins, coins * price):
            continue
        state.venues.fund_cash[v] += coins * price
        hand_over(state, own, a, m, coins, coins * price)


def keeper_books(state: State) -> dict[int, list[int]]:
    """Return for each asset the spot markets in which keepers sell it."""
    markets, names = state.markets, state.names.venues
    venues = [names.index(name) for name in state.scenario.pool.venues if name in names]
    found: dict[int, list[int]] = {}
    for m in np.flatnonzero(~markets.perp & np.isin(markets.venue, venues)):
        found.setdefault(int(markets.asset[m]), []).append(int(m))
    return found


def pool_account(state: State) -> int:
    """Return the portfolio that holds what the pool has absorbed, -1 without one."""
    rows = np.flatnonzero(state.portfolios.kind == RESERVE)
    return int(rows[0]) if rows.size else -1
