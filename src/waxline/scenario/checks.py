"""Combinations of fields that cannot be: each with its place, the rule, the value and the remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from waxline.limits import MARKET_STEPS, STEPS
from waxline.parameter import CLASSES, ByClass
from waxline.scenario.fields import Keys, has_keys, item_of, row_key, section_of, sections, written
from waxline.scenario.problems import Problem, nearest
from waxline.scenario.world import USD, AssetKind, Collateral, MarginRegime, MarketKind, PriceRule, Venue, VenueKind

if TYPE_CHECKING:
    from waxline.scenario.schema import Scenario

SELECTORS = frozenset({"all", "alts", "*"})
VENUE_FIELDS = ("venue", "venues")
ASSET_FIELDS = ("asset", "assets", "collateral_usd", "perp_longs_usd", "perp_shorts_usd")
LEAST_BY_CLASS = {"grid_bps": 0.1, "half_spread_bps": 0.01, "tau_s": 0.1, "full_discount_width_frac": 0.001}
"""Least value of parameters per size class, where it is not 0."""
MOST_BY_CLASS = {"grid_bps": 2_000.0, "half_spread_bps": 10_000.0, "refill_rate": 10.0}
"""Largest value of parameters per size class, where it is not `MOST_OF_CLASS`."""
MOST_OF_CLASS = 1e7
LEVERAGE_MOST = 1_000.0
MOST_OF_TABLE = 1e15
"""Largest number in a dictionary or list of numbers: beyond it sums lose USD to rounding."""
WINDOWS = (("from_s", "to_s"), ("start_s", "end_s"))


def find_conflicts(scenario: Scenario) -> list[Problem]:
    """Return every impossible combination in a scenario whose single fields are valid."""
    found: list[Problem] = []
    for check in (
        _clock,
        _keys,
        _names,
        _claims,
        _markets,
        _indices,
        _deleveraging,
        _tiers,
        _regimes,
        _whales,
        _fund_groups,
        _collateral,
        _windows,
        _sources,
        _classes,
        _tables,
        _leverages,
    ):
        found += check(scenario)
    return list(dict.fromkeys(found))


def _where(scenario: Scenario, keys: Keys) -> str:
    return written(type(scenario), keys, scenario.plain())


def _clock(scenario: Scenario) -> Iterator[Problem]:
    clock = scenario.clock
    steps = clock.duration_s / clock.step_s
    if abs(steps - round(steps)) > 1e-9 * steps:
        near = clock.step_s * max(1, round(steps))
        yield Problem(
            "clock.step_s",
            f"must divide clock.duration_s = {clock.duration_s:g}",
            f"{clock.step_s:g}",
            f"a duration of {near:g} s would fit",
        )
    for limit, asked in ((STEPS, round(steps)), (MARKET_STEPS, round(steps) * len(scenario.markets))):
        if asked > limit.most:
            yield Problem("clock.duration_s", f"asks for too many {limit.unit}: at most {limit.most:,}", f"{asked:,}", limit.advice)
    if clock.start_t_s > 0.0:
        yield Problem("clock.start_utc", "must not be after clock.t0_utc", clock.start_utc.isoformat(), "begin the run before the event")
    if clock.end_t_s <= 0.0:
        yield Problem("clock.t0_utc", "must lie inside the run", clock.t0_utc.isoformat(), "lengthen clock.duration_s or begin later")


def _keys(scenario: Scenario) -> Iterator[Problem]:
    for keys, section in sections(scenario):
        for name, field in type(section).model_fields.items():
            row_class = section_of(item_of(field.annotation))
            if not has_keys(row_class):
                continue
            rows = getattr(section, name) or []
            counts = Counter(row_key(row_class, row, place) for place, row in enumerate(rows))
            for key, times in counts.items():
                if times > 1:
                    path = _where(scenario, (*keys, name))
                    yield Problem(f"{path}[{key}]", "must be listed once", f"listed {times} times", "remove or rename the others")


def _names(scenario: Scenario) -> Iterator[Problem]:
    venues = {venue.name for venue in scenario.venues}
    assets = {asset.symbol for asset in scenario.assets}
    for keys, section in sections(scenario):
        if not keys or isinstance(section, Venue):
            continue
        for name in type(section).model_fields:
            known = venues if name in VENUE_FIELDS else assets | {USD} if name in ASSET_FIELDS else None
            if known is None:
                continue
            value = getattr(section, name)
            listed = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, dict, tuple)) else []
            for word in listed:
                if isinstance(word, str) and word not in known and word not in SELECTORS:
                    kind = "venue" if name in VENUE_FIELDS else "asset"
                    path = _where(scenario, (*keys, name))
                    yield Problem(
                        path,
                        f"must name {'a' if kind == 'venue' else 'an'} {kind} of the scenario",
                        f'"{word}"',
                        nearest(word, known),
                    )


def _claims(scenario: Scenario) -> Iterator[Problem]:
    kinds = {asset.symbol: asset.kind for asset in scenario.assets}
    for asset in scenario.assets:
        place = f"assets[{asset.symbol}].redeems"
        if asset.kind is AssetKind.COIN:
            if asset.redeems is not None:
                yield Problem(place, "is only for claims", "a coin that redeems", "write kind: claim, or remove it")
            continue
        if asset.redeems is None:
            yield Problem(place, "is needed for a claim", "missing", "write {asset: ETH, units: 1.0}, or kind: coin")
        elif asset.redeems.asset == asset.symbol:
            yield Problem(f"{place}.asset", "must not be the claim itself", f'"{asset.symbol}"', "name the coin it redeems for, or USD")
        elif kinds.get(asset.redeems.asset) is AssetKind.CLAIM:
            yield Problem(f"{place}.asset", "must be a coin or USD", f'"{asset.redeems.asset}", a claim', "name what that claim redeems for")


def _markets(scenario: Scenario) -> Iterator[Problem]:
    venues = {venue.name: venue for venue in scenario.venues}
    for market in scenario.markets:
        place = f"markets[{market.name}]"
        venue = venues.get(market.venue)
        if venue is None:
            continue
        if venue.kind is VenueKind.LENDING_POOL:
            yield Problem(place, "cannot be on a lending pool", f"venue {venue.name}", "lending pools have no books; move it to an exchange")
        elif market.kind is MarketKind.PERP and venue.kind is VenueKind.SPOT_EXCHANGE:
            yield Problem(
                place,
                "cannot be a perp on a spot exchange",
                f"venue {venue.name}",
                "write kind: spot, or make the venue an exchange",
            )
        if market.kind is MarketKind.SPOT and market.open_interest_usd > 0.0:
            yield Problem(f"{place}.open_interest_usd", "must be 0 for spot", f"{market.open_interest_usd:g}", "only perps have open interest")
    for venue in scenario.venues:
        if venue.vault_usd > 0.0 and venue.kind is not VenueKind.PERP_VENUE:
            yield Problem(
                f"venues[{venue.name}].vault_usd",
                "is only for a perp venue",
                f"{venue.vault_usd:g}",
                "set it to 0, or kind: perp_venue",
            )


def _fund_groups(scenario: Scenario) -> Iterator[Problem]:
    traded = {(market.venue, market.asset) for market in scenario.markets if market.kind is MarketKind.PERP}
    for venue in scenario.venues:
        if venue.fund_groups and venue.vault_usd > 0.0:
            where = f"venues[{venue.name}].fund_groups"
            yield Problem(where, "must be empty where a backstop vault takes over", f"{len(venue.fund_groups)} groups", "remove them, or write vault_usd: 0")
        seen: dict[str, str] = {}
        for group in venue.fund_groups:
            place = f"venues[{venue.name}].fund_groups[{group.name}].assets"
            for symbol in group.assets:
                if (venue.name, symbol) not in traded:
                    yield Problem(place, f"must name coins whose perps trade at {venue.name}", f'"{symbol}"', f"add the market {venue.name}-perp-{symbol}")
                elif symbol in seen:
                    yield Problem(place, "must name a coin in one group only", f'"{symbol}", also in {seen[symbol]}', f"remove {symbol} from one of the two")
                seen[symbol] = group.name


def _indices(scenario: Scenario) -> Iterator[Problem]:
    spot = {(market.venue, market.asset) for market in scenario.markets if market.kind is MarketKind.SPOT}
    venues = {venue.name: venue for venue in scenario.venues}
    for venue in scenario.venues:
        if venue.index is None:
            continue
        place = f"venues[{venue.name}].index.weights"
        for name in venue.index.weights:
            if name not in venues:
                yield Problem(f"{place}.{name}", "must name a venue of the scenario", f'"{name}"', nearest(name, venues))
    for market in scenario.markets:
        owner = venues.get(market.venue)
        if owner is None or market.kind is not MarketKind.PERP:
            continue
        if owner.index is None:
            yield Problem(f"venues[{owner.name}].index", "is needed where perps trade", "missing", "name the spot books that form it")
        elif not any(weight > 0.0 and (name, market.asset) in spot for name, weight in owner.index.weights.items()):
            yield Problem(
                f"markets[{market.name}]",
                f"needs a spot book of {market.asset} on a venue of the index",
                f"index of {', '.join(owner.index.weights) or 'nothing'}",
                "add one",
            )


def _deleveraging(scenario: Scenario) -> Iterator[Problem]:
    """Look for venues that rank, or share losses over, positions they do not have."""
    perps = {market.venue for market in scenario.markets if market.kind is MarketKind.PERP}
    for venue in scenario.venues:
        for field, rule, does in (
            ("deleveraging", venue.deleveraging, "ranks perp positions"),
            ("socialising", venue.socialising, "shares losses over perp positions"),
        ):
            if rule is not None and rule.value != "none" and venue.name not in perps:
                where = f"venues[{venue.name}].{field}"
                yield Problem(where, f"{does}, and the venue has no perps", f'"{rule.value}"', f"write {field}: none, or add a perp market")


def _tiers(scenario: Scenario) -> Iterator[Problem]:
    tables = {table.name for table in scenario.tiers}
    for table in scenario.tiers:
        place = f"tiers[{table.name}].steps"
        caps = [cap for cap, _ in table.steps]
        rates = [rate for _, rate in table.steps]
        if any(later <= earlier for earlier, later in pairwise(caps)) or caps[0] <= 0.0:
            yield Problem(place, "must have rising notionals above 0", f"{caps}", "sort the steps")
        if any(later < earlier for earlier, later in pairwise(rates)) or not 0.0 < rates[0] <= rates[-1] <= 1.0:
            yield Problem(place, "must have rates in (0, 1] that do not fall", f"{rates}", "give fractions, 0.004 for 0.4 %")
    for market in scenario.markets:
        if market.tiers is not None and market.tiers not in tables:
            yield Problem(f"markets[{market.name}].tiers", "must name a table of tiers", f'"{market.tiers}"', nearest(market.tiers, tables))


def _regimes(scenario: Scenario) -> Iterator[Problem]:
    """Look for rule files, regimes and loan rows that do not exist, and for regimes that cannot hold what the account holds."""
    from waxline.scenario.venue_rules import Measure, names, venue_rules

    known = {}
    perps = {market.venue for market in scenario.markets if market.kind is MarketKind.PERP}
    for venue in scenario.venues:
        place = f"venues[{venue.name}]"
        asked = {field: getattr(venue, field) for field in ("position_regime", "account_regime", "loan_rate")}
        if venue.rules is None:
            for field, value in asked.items():
                if value is not None:
                    yield Problem(f"{place}.{field}", "needs a file of venue rules", f'"{value}"', f"name one as {place}.rules")
            continue
        if venue.rules not in names():
            yield Problem(f"{place}.rules", "must name a shipped file of venue rules", f'"{venue.rules}"', nearest(venue.rules, names(), few=20))
            continue
        rules = venue_rules(venue.rules)
        known[venue.name] = {regime.name: regime for regime in rules.regimes}
        for field in ("position_regime", "account_regime"):
            value = asked[field]
            if value is not None and value not in known[venue.name]:
                yield Problem(f"{place}.{field}", f"must name a regime of {venue.rules}", f'"{value}"', nearest(value, known[venue.name], few=20))
        if asked["loan_rate"] is not None and asked["loan_rate"] not in rules.debt_rates:
            yield Problem(
                f"{place}.loan_rate",
                f"must name a row of debt_rates of {venue.rules}",
                f'"{asked["loan_rate"]}"',
                nearest(asked["loan_rate"], rules.debt_rates, few=20),
            )
        chosen = known[venue.name].get(asked["account_regime"] or "")
        if chosen is not None and chosen.measure is not Measure.EQUITY_TO_MAINTENANCE and venue.name in perps:
            yield Problem(
                f"{place}.account_regime", "must hold perps, which trade there", f'"{chosen.name}"', "choose a regime whose measure is equity to maintenance"
            )
        regime = known[venue.name].get(asked["position_regime"] or "")
        if regime is not None and regime.first.of == "collateral":
            yield Problem(f"{place}.position_regime", "must close positions", f'"{regime.name}", which sells collateral', "choose an isolated or cross regime")
    for whale in scenario.whales.named:
        place = f"whales.named[{whale.name}].regime"
        if whale.regime is None or not whale.enabled:
            continue
        regimes = known.get(whale.venue, {})
        if whale.regime not in regimes:
            yield Problem(place, f"must name a regime of the rule file of {whale.venue}", f'"{whale.regime}"', nearest(whale.regime, regimes, few=20))
        elif regimes[whale.regime].measure is not Measure.EQUITY_TO_MAINTENANCE and (whale.perp_longs_usd or whale.perp_shorts_usd):
            key = "perp_longs_usd" if whale.perp_longs_usd else "perp_shorts_usd"
            yield Problem(place, "holds no perps", f'"{whale.regime}" with {key}', f"remove {key}, or choose a regime with perps")


def _whales(scenario: Scenario) -> Iterator[Problem]:
    traded = {(market.venue, market.asset) for market in scenario.markets if market.kind is MarketKind.PERP}
    for whale in scenario.whales.named:
        place = f"whales.named[{whale.name}]"
        for field, perps in (("perp_longs_usd", whale.perp_longs_usd), ("perp_shorts_usd", whale.perp_shorts_usd)):
            for symbol in perps:
                if (whale.venue, symbol) not in traded and whale.enabled:
                    yield Problem(
                        f"{place}.{field}", f"must name perps that trade at {whale.venue}", f'"{symbol}"', f"add the market {whale.venue}-perp-{symbol}"
                    )
        for symbol in sorted(set(whale.perp_longs_usd) & set(whale.perp_shorts_usd)):
            rule = "must name other perps than perp_longs_usd: an account holds one position in a perp"
            yield Problem(f"{place}.perp_shorts_usd", rule, f'"{symbol}"', f"remove {symbol} from one of the two")


def _collateral(scenario: Scenario) -> Iterator[Problem]:
    venues = {venue.name: venue for venue in scenario.venues}
    kinds = {asset.symbol: asset.kind for asset in scenario.assets}
    spot = {(market.venue, market.asset) for market in scenario.markets if market.kind is MarketKind.SPOT}
    for row in scenario.collateral:
        place = f"collateral[{row.venue}/{row.asset}]"
        venue = venues.get(row.venue)
        if venue is not None and venue.margin not in (MarginRegime.UNIFIED, MarginRegime.POOL):
            yield Problem(
                place,
                "needs a venue with unified margin or a pool",
                f"margin {venue.margin}",
                "remove it, or write margin: unified",
            )
        pledged = row.maker_pledged_usd + row.holder_pledged_usd
        if venue is not None and venue.kind is not VenueKind.LENDING_POOL and pledged > 0.0 and (row.venue, row.asset) not in spot:
            yield Problem(
                place,
                "needs a spot book on the venue in which it can be sold",
                f"{pledged:g} USD pledged",
                f"add the market {row.venue}-spot-{row.asset}",
            )
        if row.bands and venue is not None and venue.kind is VenueKind.LENDING_POOL:
            yield Problem(
                f"{place}.bands", "must be empty at a lending pool", f"{len(row.bands)} bands", "remove them: thresholds there do not depend on the amount"
            )
        yield from _bands(place, row)
        if row.price_rule is PriceRule.REDEMPTION and kinds.get(row.asset) is AssetKind.COIN:
            yield Problem(f"{place}.price_rule", "redemption is only for claims", f'"{row.asset}", a coin', "choose index or own_book")
        if row.price_rule is PriceRule.OWN_BOOK and (row.venue, row.asset) not in spot:
            yield Problem(
                f"{place}.price_rule",
                "own_book needs a spot book on the venue",
                "none",
                f"add {row.venue}-spot-{row.asset}, or choose index",
            )


def _bands(place: str, row: Collateral) -> Iterator[Problem]:
    ends = [end for end, _ in row.bands]
    for n, (end, ratio) in enumerate(row.bands):
        if not 0.0 <= ratio <= 1.0:
            yield Problem(f"{place}.bands[{n}]", "must count a part in [0, 1]", f"{ratio:g}", "give a fraction, 0.05 for 5 %")
        if end is not None and end <= 0.0:
            yield Problem(f"{place}.bands[{n}]", "must end above 0", f"{end:g}", "give the upper end of the band")
    for n, (before, after) in enumerate(pairwise(ends), start=1):
        if before is None or (after is not None and after <= before):
            yield Problem(f"{place}.bands[{n}]", "must rise, and only the last may have no end", f"{after} after {before}", "sort the bands")
    parts = [ratio for _, ratio in row.bands]
    if any(after > before for before, after in pairwise(parts)):
        yield Problem(f"{place}.bands", "must not count more of a larger amount", f"{parts}", "let the parts fall")
    if parts and parts[0] != row.ratio_frac:
        yield Problem(f"{place}.ratio_frac", "must be the part of the first band", f"{row.ratio_frac:g} and {parts[0]:g}", f"write {parts[0]:g}")


def _windows(scenario: Scenario) -> Iterator[Problem]:
    start, end = scenario.clock.start_t_s, scenario.clock.end_t_s
    for keys, section in sections(scenario):
        for first, last in WINDOWS:
            if not {first, last} <= set(type(section).model_fields):
                continue
            begins, ends = getattr(section, first), getattr(section, last)
            place = _where(scenario, keys)
            if begins >= ends:
                yield Problem(f"{place}.{last}", f"must be after {first} = {begins:g}", f"{ends:g}", "swap them")
            elif begins >= end or ends <= start:
                yield Problem(
                    f"{place}.{first}",
                    f"must meet the run, {start:g} to {end:g} s from t0",
                    f"{begins:g} to {ends:g}",
                    "seconds count from clock.t0_utc",
                )


def _sources(scenario: Scenario) -> Iterator[Problem]:
    known = scenario.sources
    rows = [
        (f"{group}[{row_key(type(row), row, place)}]", row)
        for group in ("assets", "venues", "tiers", "markets", "collateral")
        for place, row in enumerate(getattr(scenario, group))
    ]
    rows += [(f"venues[{venue.name}].fund_groups[{group.name}]", group) for venue in scenario.venues for group in venue.fund_groups]
    for path, row in rows:
        for word in [] if row.source.startswith("assumed") else [part.strip() for part in row.source.split(",")]:
            if word not in known:
                yield Problem(f"{path}.source", "must name entries of sources, or begin with 'assumed: '", f'"{word}"', nearest(word, known))


def _classes(scenario: Scenario) -> Iterator[Problem]:
    for keys, section in sections(scenario):
        if not isinstance(section, ByClass):
            continue
        least, most = LEAST_BY_CLASS.get(str(keys[-1]), 0.0), MOST_BY_CLASS.get(str(keys[-1]), MOST_OF_CLASS)
        for name in CLASSES:
            value = float(getattr(section, name))
            if not least <= value <= most:
                rule = f"must be at least {least:g}" if value < least else f"must be at most {most:g}"
                yield Problem(_where(scenario, (*keys, name)), rule, f"{value:g}", "give every class a number in range")


def _tables(scenario: Scenario) -> Iterator[Problem]:
    """Look at the numbers of dictionaries and lists, whose fields can declare no range."""
    for keys, section in sections(scenario):
        for name in type(section).model_fields:
            value = getattr(section, name)
            rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
            for key, number in rows:
                if isinstance(number, float) and not 0.0 <= number <= MOST_OF_TABLE:
                    rule = "must be at least 0" if number < 0.0 else f"must be at most {MOST_OF_TABLE:g}"
                    yield Problem(_where(scenario, (*keys, name, key)), rule, f"{number:g}", "leave the row out, or give a number in range")


def _leverages(scenario: Scenario) -> Iterator[Problem]:
    rules = scenario.population
    place = "population.leverages"
    if not rules.leverages or min(rules.leverages) <= 0.0:
        yield Problem(place, "must list at least one leverage above 0", f"{rules.leverages}", "write for example [2, 5, 20]")
    elif max(rules.leverages) > LEVERAGE_MOST:
        yield Problem(place, f"must be at most {LEVERAGE_MOST:g}", f"{max(rules.leverages):g}", "no venue offers more")
    if len(rules.leverage_weights) != len(rules.leverages):
        counts = f"{len(rules.leverage_weights)} weights for {len(rules.leverages)} leverages"
        yield Problem("population.leverage_weights", f"must have as many numbers as {place}", counts, "give each leverage its weight")
    elif min(rules.leverage_weights, default=0.0) < 0.0 or sum(rules.leverage_weights) <= 0.0:
        yield Problem("population.leverage_weights", "must not be negative and not all be 0", f"{rules.leverage_weights}", "they are parts of notional")
