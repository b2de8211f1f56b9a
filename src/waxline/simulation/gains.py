"""What each group of owners is worth, and what it gained over a run: for comparing runs that differ in one rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from waxline.accounts.tables import CASH, Cell
from waxline.simulation.build_accounts import BORROWER, HOLDER, MAKER, RESERVE, WHALE
from waxline.simulation.state import State

CELLS = {
    "hedged books: coins long, perps short": (Cell.CARRY,),
    "shorts without leverage": (Cell.SHORTS, Cell.OUTSIDE),
    "holders without leverage": (Cell.HOLDERS, Cell.INFORMED, Cell.VALUE_SELLER),
    "value buyers and new shorts": (Cell.VALUE_BUYER, Cell.NEW_SHORTS),
    "arbitrage and keepers": (Cell.ARBITRAGE, Cell.KEEPER),
    "crowd and noise": (Cell.CROWD, Cell.NOISE),
}
"""Groups of owners whose accounts are sums over a market."""
PORTFOLIOS = {"makers": (MAKER,), "whales and holders who borrow": (WHALE, HOLDER), "borrowers of the pool": (BORROWER,)}
GROUPS = ("leveraged longs", "leveraged shorts", *PORTFOLIOS, *CELLS, "funds and vaults", "fees of venues")


def worth_of(state: State, sides: dict[str, np.ndarray] | None = None) -> dict[str, float]:
    """Return the worth of each group in USD at the present prices: cash, coins at the mid, perps at the mark less their cost, loans in full.

    sides: which traders were long and which short at first (their positions may be gone since); that of the present positions without it.
    What owners added from outside counts as worth; what nobody paid (bad debt) is missing with the lenders, who are no group.
    """
    traders, cells, portfolios, markets, prices = state.traders, state.cells, state.portfolios, state.markets, state.prices
    mid = np.exp(state.books.mid)
    sides = sides or sides_of(state)
    equity = traders.cash + traders.quantity * prices.mark[traders.market] - traders.cost
    worth = {"leveraged longs": float(equity[sides["long"]].sum()), "leveraged shorts": float(equity[sides["short"]].sum())}
    every = portfolio_worth(state, state)
    for name, kinds in PORTFOLIOS.items():
        worth[name] = float(every[np.isin(portfolios.kind, kinds)].sum())
    single = cells.cash + cells.quantity * np.where(markets.perp, prices.mark, mid) - cells.cost
    for name, rows in CELLS.items():
        worth[name] = float(single[list(rows)].sum())
    # Leverage opened during the run took its margin from these cells and is theirs.
    worth["value buyers and new shorts"] += float(equity[state.drawn_traders :].sum())
    absorbed = float(every[portfolios.kind == RESERVE].sum())
    worth["funds and vaults"] = float(state.venues.fund_cash.sum() + single[Cell.FUND].sum()) + absorbed - float(state.venues.bad_debt_usd.sum())
    worth["fees of venues"] = float(state.venues.fees.sum())
    return {name: worth[name] for name in GROUPS}


def portfolio_worth(held: State, priced: State) -> np.ndarray:
    """Return what each account with many assets [P] is worth in USD: balances and positions of `held` at the prices of `priced`, another time of the run."""
    portfolios, prices = held.portfolios, priced.prices
    mid = np.exp(priced.books.mid)
    coin_price = np.where(prices.spot_market >= 0, mid[np.maximum(prices.spot_market, 0)], prices.asset_price)
    coins = np.sum(portfolios.balance[:, CASH + 1 :] * coin_price[portfolios.venue, CASH + 1 :], axis=1)
    perps = portfolios.position @ np.where(priced.markets.perp, prices.mark, 0.0) - portfolios.cost.sum(axis=1)
    worth: np.ndarray = portfolios.balance[:, CASH] + coins + perps - portfolios.topups
    return worth


def gains_of_accounts(before: State, after: State, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return per named account its gain in USD, and what it would have gained at the same prices with what it held at first.

    For an account that trades nothing by itself the difference is what was done to it: deleveraging, liquidation, funding paid.
    """
    found = {}
    start, end, kept = (portfolio_worth(*pair) for pair in ((before, before), (after, after), (before, after)))
    for name in names:
        p = before.names.portfolios.index(name)
        closed = float(np.sum(np.abs(before.portfolios.position[p] - after.portfolios.position[p]) * np.where(after.markets.perp, after.prices.mark, 0.0)))
        found[name] = {"gain": float(end[p] - start[p]), "left alone": float(kept[p] - start[p]), "perps closed": closed}
    return found


def sides_of(state: State) -> dict[str, np.ndarray]:
    """Return the numbers of the traders that are long and of those that are short."""
    return {"long": np.flatnonzero(state.traders.quantity > 0.0), "short": np.flatnonzero(state.traders.quantity < 0.0)}


def gains_of(before: State, after: State) -> dict[str, float]:
    """Return what each group gained between two states of one run, USD."""
    sides = sides_of(before)
    start, end = worth_of(before, sides), worth_of(after, sides)
    return {name: end[name] - start[name] for name in GROUPS}
