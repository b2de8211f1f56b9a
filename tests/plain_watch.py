"""Twins of the watch ladders as a student would write them: the full sweep, and levels without buckets that can forget to split all legs anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from waxline.accounts import margin_book, margin_kernels
from waxline.accounts.margin_book import LOANS, MAINTENANCE, Balances, BookRules, Legs, MixedBook, Prices
from waxline.accounts.rules_tiers import deductions, tier_index

MARKETS, ASSETS = 12, 5
KINDS = ("calm", "crash", "squeeze", "noise", "jumps")


def rules(tiered: bool, measure: int = MAINTENANCE, inverse: int = 0) -> BookRules:
    """Return rules with one tier and full value, or six tiers, haircuts in four bands and a rate on debts; the last `inverse` markets pay in asset 1."""
    caps, rates = ([2e3, 1e4, 3e4, 1e5, 5e5, np.inf], [0.004, 0.006, 0.01, 0.025, 0.05, 0.1]) if tiered else ([np.inf], [0.02])
    bands, ratios = ([5e3, 5e4, 2e5, np.inf], [0.95, 0.9, 0.7, 0.4]) if tiered else ([np.inf], [0.9])
    end, ratio = np.tile(bands, (ASSETS, 1)), np.tile(ratios, (ASSETS, 1))
    end[0], ratio[0] = np.inf, 1.0
    if tiered:
        end[0, :2], ratio[0, :2] = [2e5, np.inf], [1.0, 0.9]
    in_coins = np.zeros(ASSETS, dtype=bool)
    in_coins[2] = tiered
    if tiered:
        end[2] = [10.0, 40.0, 90.0, np.inf]
    tables = [np.tile(row, (MARKETS, 1)) for row in (caps, rates, deductions([0.0, *caps[:-1]], rates))]
    contracts = np.arange(MARKETS) >= MARKETS - inverse
    return BookRules(
        *tables, contracts, np.where(contracts, 1, 0), end, ratio, in_coins, 0, debt_rate=0.05 * tiered, fee=5e-4 * tiered, line=1.03 if tiered else 1.0,
        equality=True, measure=measure,
    )  # fmt: skip


def volatility(settles: float = 0.0) -> Prices:
    return Prices(np.linspace(0.5, 2.0, MARKETS), np.array([settles, 1.0, 0.7, 1.5, 0.3]))


def start_prices() -> Prices:
    return Prices(np.exp(np.linspace(-3.0, 9.0, MARKETS)), np.array([1.0, *np.exp([6.0, 4.0, -1.0, 0.0])]))


def population(count: int, seed: int, venue: BookRules, at: Prices) -> tuple[Legs, Balances]:
    """Return accounts of one to five legs, a fifth hedged, a quarter short, some with pledged or borrowed coins, with 0.05 to 100 % of their size as slack."""
    rng = np.random.Generator(np.random.PCG64(seed))
    number = rng.integers(1, 6, count) if venue.measure == MAINTENANCE else np.zeros(count, dtype=np.int64)
    account = np.repeat(np.arange(count), number)
    market = np.minimum((rng.pareto(0.9, account.size)).astype(np.int64), MARKETS - 1)
    kind = rng.random(count)
    side = np.where(kind[account] < 0.2, rng.choice([-1.0, 1.0], account.size), np.where(kind[account] < 0.44, -1.0, 1.0))
    usd = np.exp(rng.normal(8.0, 2.0, account.size))
    inverse = venue.inverse[market]
    quantity = side * np.where(inverse, usd, usd / at.mark[market])
    entry = at.mark[market] * np.exp(rng.normal(0.0, 0.05, account.size))
    counted = np.where(rng.random(account.size) < 0.1, entry, 0.0)
    holder = np.repeat(np.arange(count), rng.integers(0, 4, count))
    asset = rng.integers(1, ASSETS, holder.size)
    value = np.exp(rng.normal(7.0, 1.5, holder.size)) * rng.choice([-1.0, 1.0, 1.0], holder.size)
    legs = Legs(account, market, quantity, entry, counted)
    coins = Balances(holder, asset, value / at.asset[asset])
    size = np.bincount(account, usd, count) + np.bincount(holder, np.abs(value), count)
    empty = margin_book.mixed_book(count, legs, coins, venue)
    slack = margin_book.slack_of(venue, *margin_book.values_by_account(empty, at))
    wanted = size * np.where(rng.random(count) < 0.2, np.exp(rng.uniform(np.log(5e-4), np.log(0.02), count)), rng.uniform(0.02, 1.0, count))
    cash = (wanted - slack) / at.asset[0]
    return legs, Balances(*(np.concatenate(pair) for pair in zip(coins, (np.arange(count), np.zeros(count, dtype=np.int64), cash), strict=True)))


def path(kind: str, length: int, seed: int, at: Prices, settles: float = 0.0) -> np.ndarray:
    """Return prices [length, P] from `at` on: calm, a crash with rebound, a squeeze up, 1 % noise, jumps of 20 %; the currency moves by `settles` a step."""
    rng = np.random.Generator(np.random.PCG64(seed))
    ladders = MARKETS + ASSETS
    common, own = rng.normal(0.0, 1.0, (length, 1)), rng.normal(0.0, 1.0, (length, ladders))
    steps = 2e-4 * (common + own)
    third = length // 3
    if kind in ("crash", "squeeze"):
        sign = -1.0 if kind == "crash" else 1.0
        steps[:third] += sign * rng.uniform(0.2, 1.0, ladders) / third
        steps[third : 2 * third] -= 0.4 * sign / third
        steps += 1e-3 * own
    if kind == "noise":
        steps = 0.01 * own
    if kind == "jumps":
        steps += np.where(rng.random((length, ladders)) < 0.01, 0.2 * rng.choice([-1.0, 1.0], (length, ladders)), 0.0)
    steps[:, MARKETS] = settles * own[:, MARKETS]
    return np.concatenate([at.mark, at.asset]) * np.exp(np.cumsum(steps, axis=0))


class Sweep:
    """Look at every account in every step; `live` [accounts] says who is still watched."""

    def __init__(self, book: MixedBook) -> None:
        self.rules, self.first = book.rules, book.members.first
        self.pieces = margin_book.pieces_of(book.rules)
        self.groups = [group._replace(leg=group.leg.copy(), coins=group.coins.copy(), cash=group.cash.copy(), cost=group.cost.copy()) for group in book.groups]
        self.live = np.ones(book.accounts, dtype=bool)
        self.place = {row: (g, i) for g, group in enumerate(self.groups) for i, row in enumerate(group.row.tolist())}

    def _piece(self, amounts: np.ndarray, pieces: np.ndarray, up_to: np.ndarray) -> np.ndarray:
        family = np.searchsorted(self.first, pieces, side="right") - 1
        found = np.zeros(pieces.shape, dtype=np.uint16)
        for f in np.unique(family).tolist():
            mine = family == f
            found[mine] = self.first[f] + np.searchsorted(up_to[self.first[f] : self.first[f + 1]], amounts[mine], side="left")
        return found

    def values(self, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what backs each account and what it owes [accounts] at a row of prices."""
        prices = Prices(row[:MARKETS], row[MARKETS:])
        table, per_contract, up_to = margin_book.priced(self.pieces, prices)
        settle = int(self.pieces.first_of_asset[self.rules.settles_in])
        backing, owed = np.zeros(self.live.size), np.zeros(self.live.size)
        for group in self.groups:
            amounts = group.coins
            if group.contracts.shape[1]:
                family = np.searchsorted(self.first, group.coins_piece, side="right") - 1
                amounts = group.coins - group.contracts * per_contract[self.first[family]]
            leg_piece, coins_piece = self._piece(group.leg, group.leg_piece, up_to), self._piece(amounts, group.coins_piece, up_to)
            worth = np.zeros((group.row.size, 2))
            columns = (group.leg, leg_piece, group.coins, group.contracts, coins_piece, group.cash, group.cost)
            margin_kernels.value_accounts(*columns, table, per_contract, settle, up_to[settle:], prices.asset[self.rules.settles_in], worth)
            backing[group.row], owed[group.row] = worth.T
        return backing, owed

    def at_line(self, row: np.ndarray) -> np.ndarray:
        """Return who is at the line, alive or not [accounts]."""
        backing, owed = self.values(row)
        slack = margin_book.slack_of(self.rules, backing, owed)
        return (slack < 0.0) | (self.rules.equality & (slack == 0.0) & ((owed > 0.0) | (backing < 0.0)))

    def step(self, row: np.ndarray) -> np.ndarray:
        """Return the rows at their line that were not before."""
        rows = np.flatnonzero(self.at_line(row) & self.live)
        self.live[rows] = False
        return rows


class PlainWatch(Sweep):
    """Keep one level per entry of each account in a dictionary and look at accounts one by one; `all_legs` False: the wrong rule, only the crossed leg."""

    def __init__(self, book: MixedBook, volatility: Prices, row: np.ndarray, all_legs: bool = True) -> None:
        super().__init__(book)
        self.sigma, self.all_legs, self.looks = np.concatenate([volatility.mark, volatility.asset]), all_legs, 0
        self.level: list[dict[int, float]] = [{} for _ in range(self.live.size)]
        self.entries = [self._entries(n) for n in range(self.live.size)]
        self.step(row, everybody=True)

    def _entries(self, n: int) -> list[tuple[int, float, Callable[[float], float]]]:
        """Return (price, amount, steepest slope at a price) of whatever an account holds."""
        g, i = self.place[n]
        group, venue, found = self.groups[g], self.rules, []
        one, debt = (venue.line, 1.0) if venue.measure == LOANS else (1.0, 1.0 + venue.line * venue.debt_rate)
        debt = venue.line if venue.measure == margin_book.DEBTS else debt
        for x, piece in zip(group.leg[i].tolist(), group.leg_piece[i].tolist(), strict=True):
            m = int(self.pieces.market[piece])
            if m < 0:
                continue
            flat = self.first[np.searchsorted(self.first, piece, side="right") - 1] in self.pieces.first_of_flat

            def slope(price: float, x: float = x, m: int = m, flat: bool = flat) -> float:
                if flat:
                    return debt - np.sign(x) * venue.line * venue.fee
                rate = venue.tier_rate[m, 0] if x > 0.0 else venue.tier_rate[m, tier_index(1.5 * abs(x) * price, venue.tier_cap[m].tolist())]
                return debt - np.sign(x) * venue.line * (rate + venue.fee)

            found.append((m, x, slope))
        for x, piece in zip(group.coins[i].tolist(), group.coins_piece[i].tolist(), strict=True):
            a = int(self.pieces.asset[piece])
            found.append((MARKETS + a, x, lambda _, x=x, a=a: one * venue.band_ratio[a, 0] if x > 0.0 else debt))
        found.append((MARKETS + venue.settles_in, float(group.cash[i]), lambda _: max(one, debt)))
        return found

    def split(self, n: int, slack: float, row: np.ndarray, crossed: set[int]) -> None:
        """Split the slack of account `n` over its entries; by the wrong rule only the crossed ones get a new level."""
        found = [(j, p, x, self.sigma[p], abs(x) * row[p] * slope(row[p])) for j, (p, x, slope) in enumerate(self.entries[n]) if x and self.sigma[p] > 0.0]
        left, open_, move = slack * (1.0 - 1e-9), list(found), {}
        while True:
            total = sum(sigma * loss for _, _, _, sigma, loss in open_)
            part = max(left, 0.0) / total if total > 0.0 else 0.0
            full = [one for one in open_ if one[3] * part >= (1.0 if one[2] > 0.0 else 0.5)]
            if not full:
                break
            for one in full:
                move[one[0]] = 1.0 if one[2] > 0.0 else 0.5
                left -= move[one[0]] * one[4]
                open_.remove(one)
        move.update({j: sigma * part for j, _, _, sigma, _ in open_})
        for j, p, x, _, _ in found:
            if self.all_legs or j in crossed or j not in self.level[n]:
                self.level[n][j] = row[p] * (1.0 - move[j] if x > 0.0 else 1.0 + move[j])

    def step(self, row: np.ndarray, everybody: bool = False) -> np.ndarray:
        """Look at the accounts with a crossed level; returns the rows at their line."""
        backing, owed = self.values(row)
        hit, slack = self.at_line(row), margin_book.slack_of(self.rules, backing, owed)
        rows = []
        for n in np.flatnonzero(self.live).tolist():
            entries = self.entries[n]
            crossed = {j for j, level in self.level[n].items() if (row[entries[j][0]] <= level if entries[j][1] > 0.0 else row[entries[j][0]] >= level)}
            if crossed or everybody:
                self.looks += 1
                if hit[n]:
                    rows.append(n)
                    self.live[n] = False
                else:
                    self.split(n, slack[n], row, crossed)
        return np.array(rows, dtype=np.int64)
