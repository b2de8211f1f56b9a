"""Turn the venues' dated rule files into the columns by which the simulation triggers, closes, sells and takes over."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from waxline.accounts.lines import EQUITY_TO_MAINTENANCE
from waxline.accounts.tables import Haircuts, Portfolios, flat_haircuts
from waxline.liquidation.kernels import BANKRUPTCY
from waxline.liquidation.parameters import ClosingPrice, DeleveragingRule
from waxline.liquidation.tables import CloseRules, First
from waxline.market.tables import Markets
from waxline.scenario.rule_codes import BOUND, FIRST, MEASURES
from waxline.scenario.schema import Scenario
from waxline.scenario.venue_rules import Basis, Regime, RegimeRules, SoftEffect, venue_rules
from waxline.simulation.state import Names

Floats = NDArray[np.float64]


def position_regime(scenario: Scenario, venue: str) -> RegimeRules | None:
    """Return the regime of accounts with one position at a venue; None where the venue names no rule file."""
    row = scenario.venue(venue)
    if row.rules is None:
        return None
    rules = venue_rules(row.rules)
    if row.position_regime is not None:
        return rules.regime(row.position_regime)
    return next((regime for regime in rules.regimes if regime.regime is Regime.ISOLATED), rules.regime())


def account_regime(scenario: Scenario, venue: str, name: str | None = None) -> RegimeRules | None:
    """Return the regime of accounts with many assets at a venue, by `name` where one is given; None where the venue names no rule file."""
    row = scenario.venue(venue)
    if row.rules is None:
        return None
    rules = venue_rules(row.rules)
    chosen = name or row.account_regime
    if chosen is not None:
        return rules.regime(chosen)
    for kind in (Regime.PORTFOLIO, Regime.MULTI_ASSETS, Regime.CROSS):
        for regime in rules.regimes:
            if regime.regime is kind:
                return regime
    return rules.regime()


def close_rules(scenario: Scenario, names: Names) -> CloseRules:
    """Return per venue how single positions are closed: by its rule file, or, without one, whole and not beyond the bankruptcy price."""
    count = len(names.venues)
    ints = {name: np.zeros(count, dtype=np.int64) for name in ("first", "on_entry", "at_equality", "bounded", "tiers_down", "whole_up_to")}
    floats = {
        name: np.zeros(count)
        for name in ("fee_frac", "closing_fee", "threshold_usd", "fraction", "wait_s", "least_usd", "most_usd", "stop_at", "spread", "adjustment", "people")
    }
    for v, venue in enumerate(names.venues):
        regime = position_regime(scenario, venue)
        floats["people"][v] = scenario.population.people_per_account
        if regime is None:
            ints["at_equality"][v], ints["bounded"][v] = 1, BANKRUPTCY
            floats["fee_frac"][v] = scenario.liquidation.clearance_fee_bps * 1e-4
            continue
        first = regime.first
        floats["closing_fee"][v] = regime.taker_fee_frac
        ints["first"][v] = FIRST.get(first.rule, First.WHOLE) if scenario.liquidation.by_rule else First.WHOLE
        ints["on_entry"][v] = int(regime.maintenance_on is Basis.ENTRY)
        ints["at_equality"][v] = int(regime.at_equality)
        ints["bounded"][v] = BOUND[first.limit]
        ints["tiers_down"][v], ints["whole_up_to"][v] = first.tiers_down, first.whole_up_to_tier
        for name in ("fee_frac", "threshold_usd", "fraction", "wait_s", "least_usd", "most_usd", "stop_at", "spread", "adjustment"):
            floats[name][v] = getattr(first, name)
    columns: dict[str, Any] = {**ints, **floats}
    return CloseRules(**columns)


def set_regimes(scenario: Scenario, names: Names, portfolios: Portfolios, chosen: dict[int, str]) -> list[RegimeRules | None]:
    """Set which measure, line and maintenance of debts hold for each account with many assets; writes `portfolios`, returns the regimes [P].

    chosen: names of regimes of accounts that do not have their venue's usual one.
    """
    regimes: list[RegimeRules | None] = []
    for p, v in enumerate(portfolios.venue):
        venue = names.venues[int(v)]
        regime = account_regime(scenario, venue, chosen.get(p))
        regimes.append(regime)
        pool = scenario.venue(venue).kind.value == "lending_pool"
        portfolios.debt_rate[p] = 0.0 if pool else scenario.whales.debt_maintenance_frac
        portfolios.line[p] = 1.0
        portfolios.at_equality[p] = 1
        portfolios.call[p] = scenario.topups.call_ratio
        if regime is None or pool:
            continue
        rules = venue_rules(str(scenario.venue(venue).rules))
        rate = scenario.venue(venue).loan_rate or rules.debt_leverage
        portfolios.debt_rate[p] = rules.debt_rates[rate] if regime.regime is Regime.PORTFOLIO and rate else 0.0
        portfolios.measure[p] = MEASURES.get(regime.measure, EQUITY_TO_MAINTENANCE)
        portfolios.line[p] = regime.liquidated_at
        portfolios.closing_fee[p] = regime.taker_fee_frac
        portfolios.plain[p] = int(not regime.haircuts)
        portfolios.at_equality[p] = int(regime.at_equality)
        levels = {level.effect: level.at for level in regime.levels}
        portfolios.call[p] = levels.get(SoftEffect.CALL, max(scenario.topups.call_ratio, regime.liquidated_at))
        portfolios.reduce_only[p] = levels.get(SoftEffect.REDUCE_ONLY, 0.0)
    return regimes


def vault_shares(scenario: Scenario, names: Names) -> list[float]:
    """Return per venue the part of maintenance below which a backstop vault takes a position: by its rule file, else the scenario's."""
    shares = []
    for venue in names.venues:
        regime = position_regime(scenario, venue)
        takeover = regime.takeover if regime is not None else None
        share = takeover.at_maintenance_share if takeover is not None else None
        shares.append(scenario.deleveraging.vault_trigger_frac if share is None else share)
    return shares


def perps_at_index(scenario: Scenario, names: Names, markets: Markets) -> list[int]:
    """Return the perps whose venue values and triggers positions at the index (an oracle) instead of a mark of their own."""
    at_index = []
    for v, venue in enumerate(names.venues):
        regime = position_regime(scenario, venue)
        if regime is not None and regime.trigger_price in ("index", "oracle"):
            at_index += [int(m) for m in np.flatnonzero((markets.venue == v) & markets.perp)]
    return at_index


class PoolTerms(NamedTuple):
    """Hold a lending pool's rules: part of a debt that may be repaid at once, health at or below which all may, sizes in USD, bonus [A]."""

    close_factor: float
    close_all_at: float
    dust_usd: float
    least_left_usd: float
    bonus: Floats


def pool_terms(scenario: Scenario, names: Names) -> PoolTerms:
    """Return the rules of the scenario's lending pool: by its rule file, else the scenario's own."""
    rules = scenario.pool
    bonus = np.full(len(names.assets), rules.bonus_frac)
    pool = next((row for row in scenario.venues if row.kind.value == "lending_pool"), None)
    if pool is None or pool.rules is None:
        return PoolTerms(rules.close_factor_frac, rules.close_all_below, 0.0, 0.0, bonus)
    published = venue_rules(pool.rules)
    first = published.regime(pool.account_regime).first
    for a, symbol in enumerate(names.assets):
        row = published.bands_of(symbol)
        bonus[a] = row.bonus if row is not None else rules.bonus_frac
    return PoolTerms(first.fraction, first.deep_at, first.dust_usd, first.least_usd, bonus)


def haircuts_of(scenario: Scenario, names: Names) -> Haircuts:
    """Return what part of each asset counts at each venue: by its bands, for pools the liquidation threshold, for spot exchanges all."""
    ratio = np.zeros((len(names.venues), len(names.assets)))
    ratio[:, 0] = 1.0
    for item in scenario.collateral:
        ratio[names.venues.index(item.venue), names.assets.index(item.asset)] = item.ratio_frac
    for v, name in enumerate(names.venues):
        row = scenario.venue(name)
        if row.kind.value == "spot_exchange":
            ratio[v, 1:] = 1.0
        elif row.kind.value == "lending_pool":
            published = venue_rules(row.rules) if row.rules is not None else None
            for a, symbol in enumerate(names.assets[1:], 1):
                bands = published.bands_of(symbol) if published is not None else None
                ratio[v, a] = bands.bands[0][1] if bands is not None else scenario.pool.liquidation_threshold_frac
    found = flat_haircuts(ratio)
    banded = [item for item in scenario.collateral if item.bands]
    if not banded:
        return found
    width = max(len(item.bands) for item in banded) + 1
    end, part = (np.repeat(column, width, axis=2) for column in (found.end, found.part))
    for item in banded:
        v, a = names.venues.index(item.venue), names.assets.index(item.asset)
        for b in range(width):
            inside = b < len(item.bands)
            top = item.bands[b][0] if inside else None
            end[v, a, b] = math.inf if top is None else top
            part[v, a, b] = item.bands[b][1] if inside else 0.0
        found.in_coins[v, a] = int(item.band_unit == "coins")
    return Haircuts(ratio, end, part, found.in_coins)


def ranking(scenario: Scenario, venue: str) -> DeleveragingRule:
    """Return who is deleveraged first at a venue: the scenario's rule for all venues, else the venue's own, else that of its rule file, else nobody."""
    chosen = scenario.deleveraging.rule or scenario.venue(venue).deleveraging
    if chosen is not None:
        return chosen
    regime = position_regime(scenario, venue)
    return regime.deleveraging.rule if regime is not None and regime.deleveraging is not None else DeleveragingRule.NONE


def closing_price(scenario: Scenario, venue: str) -> ClosingPrice:
    """Return the price at which a venue closes winners: the scenario's for all venues, else that of its rule file, else the mark."""
    if scenario.deleveraging.price is not None:
        return scenario.deleveraging.price
    regime = position_regime(scenario, venue)
    if regime is None or regime.deleveraging is None or regime.deleveraging.price != "bankruptcy":
        return ClosingPrice.MARK
    return ClosingPrice.TAKEOVER


def drawdown_of(scenario: Scenario, venue: str) -> tuple[float, float, float]:
    """Return the losses of a venue's fund, as parts of its largest size, that start and end deleveraging, and the least loss in USD that starts it.

    Infinite where the venue has no such rule.
    """
    regime = position_regime(scenario, venue)
    row = regime.deleveraging if regime is not None else None
    if row is None or row.drawdown_trigger is None:
        return math.inf, math.inf, 0.0
    return row.drawdown_trigger, row.drawdown_stop if row.drawdown_stop is not None else row.drawdown_trigger, row.drawdown_least_usd
