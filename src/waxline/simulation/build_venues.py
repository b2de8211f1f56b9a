"""Build the columns of venues: their insurance funds and vaults, the fund behind each market, and what part of pledged assets counts."""

from __future__ import annotations

import numpy as np

from waxline.accounts.tables import VenueTable
from waxline.market.tables import Markets
from waxline.scenario.schema import Scenario
from waxline.simulation.build_rules import haircuts_of, vault_shares
from waxline.simulation.state import Names


def build_venues(scenario: Scenario, names: Names, markets: Markets) -> VenueTable:
    """Return venue columns: funds and what they may hold, who takes over, collateral rules."""
    count, assets = len(names.venues), len(names.assets)
    rules = scenario.deleveraging
    rows = [scenario.venue(name) for name in names.venues]
    vault = np.array([1 if row.vault_usd > 0.0 else 0 for row in rows], dtype=np.int64)
    groups = [(v, group) for v, row in enumerate(rows) for group in sorted(row.fund_groups, key=lambda one: one.name)]
    fund = markets.venue.copy()
    for number, (v, group) in enumerate(groups, start=count):
        fund[(markets.venue == v) & markets.perp & np.isin(markets.asset, [names.assets.index(symbol) for symbol in group.assets])] = number
    sizes = [row.fund_usd for row in rows] + [group.fund_usd for _, group in groups]
    capacity = rules.fund_capacity_ratio * np.array(sizes)
    cash = np.array(sizes)
    capacity[:count][vault == 1] = rules.vault_capacity_usd
    cash[:count] = np.where(vault == 1, [row.vault_usd for row in rows], cash[:count])
    return VenueTable(
        fund=fund,
        fund_venue=np.array([*range(count), *(v for v, _ in groups)], dtype=np.int64),
        fund_cash=cash,
        capacity_usd=capacity,
        fees=np.zeros(count),
        deleveraged_usd=np.zeros(count),
        bad_debt_usd=np.zeros(count),
        socialised_usd=np.zeros(count),
        has_vault=vault,
        trigger_frac=np.where(vault == 1, vault_shares(scenario, names), 0.0),
        haircuts=haircuts_of(scenario, names),
        collateral_price=np.ones((count, assets)),
        open=np.ones(count, dtype=np.int64),
        speed=np.ones(count),
    )
