"""Check the laws of a run: nothing appears or disappears, longs equal shorts, prices are positive and finite, funds are not negative."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from waxline.simulation.state import State
from waxline.simulation.upkeep import ledger_sums, net_positions


def sums_of(state: State) -> NDArray[np.float64]:
    """Return `ledger_sums` of a state: units of every asset [A] over all accounts, funds, fees and the outside world; positions at cost in asset 0."""
    traders, portfolios, venues = state.traders, state.portfolios, state.venues
    assets = np.zeros(len(state.names.assets))
    ledger_sums(
        state.markets.perp, state.markets.asset, state.cells, traders.cash, traders.cost, portfolios.balance, portfolios.cost, venues.fees, venues.fund_cash,
        state.pending.outside, assets,
    )  # fmt: skip
    return assets


def positions_of(state: State) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return open interest [M] and longs less shorts [M] of every perp in coins, by `net_positions`."""
    longs, net = np.zeros(state.markets.venue.size), np.zeros(state.markets.venue.size)
    net_positions(state.markets.perp, state.cells.quantity, state.traders.market, state.traders.quantity, state.portfolios.position, longs, net)
    return longs, net


class Ledger:
    """Hold the sums at the start and the worst relative error met since."""

    def __init__(self, state: State) -> None:
        """Sum every asset once before the first step."""
        self.start = sums_of(state)
        self.scale = self.gross(state)
        self.worst = 0.0
        self.worst_t_s = float(state.clock.t_s)
        self.worst_asset = ""
        self.net_worst = 0.0
        self.checks = 0

    @staticmethod
    def gross(state: State) -> np.ndarray:
        """Return the size against which errors are measured: gross holdings of every asset."""
        size = np.abs(state.portfolios.balance).sum(axis=0)
        size[0] += np.abs(state.cells.cash).sum() + np.abs(state.traders.cash).sum() + np.abs(state.venues.fund_cash).sum()
        for m in np.flatnonzero(~state.markets.perp):
            size[state.markets.asset[m]] += np.abs(state.cells.quantity[:, m]).sum()
        floor: np.ndarray = np.maximum(size, 1.0)
        return floor

    def check(self, state: State) -> None:
        """Compare with the start; keep the worst relative error; raise AssertionError with asset, time and size beyond the tolerance."""
        error = np.abs(sums_of(state) - self.start) / self.scale
        a = int(np.argmax(error))
        self.checks += 1
        if error[a] > self.worst:
            self.worst, self.worst_t_s, self.worst_asset = float(error[a]), float(state.clock.t_s), state.names.assets[a]
        tolerance = state.scenario.ledger.tolerance
        assert error[a] <= tolerance, f"ledger: {state.names.assets[a]} is off by {error[a]:.3e} (relative) at t = {state.clock.t_s} s"
        assert bool(np.all(np.isfinite(state.books.mid))), f"a mid is not finite at t = {state.clock.t_s} s"

    def check_positions(self, state: State) -> None:
        """Check that longs equal shorts in every perp."""
        longs, net = positions_of(state)
        perp = state.markets.perp & (longs > 0.0)
        if perp.any():
            worst = float(np.max(np.abs(net[perp]) / longs[perp]))
            self.net_worst = max(self.net_worst, worst)
            assert worst <= 1e-9, f"longs and shorts differ by {worst:.3e} (relative) at t = {state.clock.t_s} s"

    def report(self) -> dict[str, Any]:
        """Return the worst errors for the record."""
        return {
            "max_relative_error": self.worst,
            "checks": self.checks,
            "worst_t_s": self.worst_t_s,
            "worst_asset": self.worst_asset,
            "long_short_max": self.net_worst,
        }
