"""A venue's rules as a dated, sourced file: tiers, collateral, account regimes, first step of a liquidation, fund, deleveraging, prices.

The files stand in `venues/`, one per venue. A number without a published source says "assumed"; what was not found is left out, so that
asking for it is an error and not a guess.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from waxline.errors import ScenarioError
from waxline.liquidation.parameters import DeleveragingRule
from waxline.parameter import Section, quantity, text
from waxline.scenario.problems import Problem, nearest
from waxline.scenario.section_file import read_section
from waxline.scenario.world import PriceRule

FOLDER = Path(__file__).resolve().parent / "venues"
SOURCE = "ids of `sources` (a comma between two), or 'assumed: reason'"


class Regime(StrEnum):
    """Name what secures a position: itself, one currency, several, the whole account with loans, a margin level, a loan's pledge, a pool."""

    ISOLATED = "isolated"
    CROSS = "cross"
    MULTI_ASSETS = "multi_assets"
    PORTFOLIO = "portfolio"
    MARGIN_LEVEL = "margin_level"
    LOAN = "loan"
    POOL = "pool"


class Measure(StrEnum):
    """Name the figure a venue watches."""

    EQUITY_TO_MAINTENANCE = "equity_to_maintenance"
    ASSETS_TO_DEBTS = "assets_to_debts"
    DEBT_TO_COLLATERAL = "debt_to_collateral"
    HEALTH_FACTOR = "health_factor"


class Basis(StrEnum):
    """Name the value that maintenance is a part of."""

    MARK = "mark"
    ENTRY = "entry"
    BANKRUPTCY = "bankruptcy"


class FirstStep(StrEnum):
    """Name how much the venue closes or sells first."""

    WHOLE = "whole"
    TO_COMPLIANCE = "to_compliance"
    TIERS_DOWN = "tiers_down"
    FRACTION_ABOVE = "fraction_above"
    PORTION = "portion"
    TO_LEVEL = "to_level"
    TO_LTV = "to_ltv"
    CLOSE_FACTOR = "close_factor"


class Order(StrEnum):
    """Name which leg goes first."""

    LARGEST_MAINTENANCE = "largest_maintenance"
    LARGEST_LOSS = "largest_loss"
    LARGEST_VALUE = "largest_value"
    HIGHEST_RATIO = "highest_ratio"
    PRO_RATA = "pro_rata"


class PositionTiers(Section):
    """Tell the maintenance rates of some perps by position size; [largest size, maintenance rate, largest leverage], rising."""

    assets: list[str] = Field(min_length=1, description="symbols of the coins; OTHER, asked for by name, is what most small coins have")
    steps: list[tuple[float, float, float]] = Field(min_length=1, max_length=200, description="[largest size, maintenance rate, largest leverage] per tier")
    unit: str = Field("USD", pattern=r"^(USD|coins|contracts)$", description="unit of the sizes")
    source: str = text(meaning=SOURCE)

    @property
    def caps(self) -> list[float]:
        """Return the largest size of each tier."""
        return [step[0] for step in self.steps]

    @property
    def floors(self) -> list[float]:
        """Return the smallest size of each tier."""
        return [0.0, *self.caps[:-1]]

    @property
    def rates(self) -> list[float]:
        """Return the maintenance rate of each tier."""
        return [step[1] for step in self.steps]


class CollateralBands(Section):
    """Tell how much of some assets counts: [upper end of the band or null, part that counts], and at which price."""

    assets: list[str] = Field(min_length=1, description="symbols of the assets")
    bands: list[tuple[float | None, float]] = Field(min_length=1, max_length=200, description="[upper end of the band, null for no end; part that counts]")
    unit: str = Field("USD", pattern=r"^(USD|coins)$", description="unit of the band ends")
    price: PriceRule = Field(PriceRule.INDEX, description="price at which the venue values it")
    loan_ratio: float | None = quantity(None, unit="fraction", low=0.0, high=1.0, meaning="part that may be borrowed against", source="see the row")
    bonus: float = quantity(0.0, unit="fraction", low=0.0, high=1.0, meaning="bonus of who liquidates it", source="see the row")
    source: str = text(meaning=SOURCE)


class SoftEffect(StrEnum):
    """Name what a line above liquidation does: nothing but tell, call for margin, or refuse orders that raise risk."""

    NONE = "none"
    CALL = "call"
    REDUCE_ONLY = "reduce_only"


class SoftLevel(Section):
    """Name a line above liquidation."""

    at: float = quantity(unit="1", low=0.0, high=1e6, meaning="value of the measure at the line", source="see the regime")
    meaning: str = text(meaning="what happens there")
    effect: SoftEffect = Field(SoftEffect.NONE, description="what the simulation does there")


class CloseOut(Section):
    """Tell the first step of a liquidation: which leg, how much, with which limit, what next."""

    rule: FirstStep = Field(description="how much goes first")
    of: str = Field("positions", pattern=r"^(positions|collateral)$", description="what is closed or sold first")
    order: Order = Field(Order.LARGEST_MAINTENANCE, description="which leg goes first")
    limit: str = Field("none", pattern=r"^(none|bankruptcy|fillable)$", description="worst price of the order")
    tiers_down: int = Field(2, ge=1, le=50, description="tiers the position comes down per step")
    whole_up_to_tier: int = Field(0, ge=0, le=50, description="positions in this tier or a lower one are closed whole")
    threshold_usd: float = quantity(0.0, unit="USD", low=0.0, high=1e12, meaning="positions up to this size are closed whole", source="see the row")
    fraction: float = quantity(1.0, unit="fraction", low=0.0, high=1.0, meaning="part closed first", source="see the row")
    wait_s: float = quantity(0.0, unit="s", low=0.0, high=86400.0, meaning="time until the next step", source="see the row")
    least_usd: float = quantity(0.0, unit="USD", low=0.0, high=1e12, meaning="least closed per step", source="see the row")
    most_usd: float = quantity(1e12, unit="USD", low=0.0, high=1e12, meaning="most closed per step", source="see the row")
    stop_at: float = quantity(1.0, unit="1", low=0.0, high=1e6, meaning="level at which selling stops", source="see the row")
    deep_at: float = quantity(0.0, unit="1", low=0.0, high=1.0, meaning="health factor at or below which all may be repaid", source="see the row")
    dust_usd: float = quantity(0.0, unit="USD", low=0.0, high=1e9, meaning="debt or collateral below which all may be repaid", source="see the row")
    spread: float = quantity(1.5, unit="1", low=0.0, high=100.0, meaning="spread to maintenance of the fillable price", source="see the row")
    adjustment: float = quantity(1.0, unit="1", low=0.0, high=100.0, meaning="bankruptcy adjustment of the fillable price", source="see the row")
    fee_frac: float = quantity(0.0, unit="fraction", low=0.0, high=1.0, meaning="fee on what is closed", source="see the row")
    then: str = text("", meaning="what follows when that is not enough")


class Takeover(Section):
    """Tell who takes over what the book does not take, when, at which price."""

    by: str = text(meaning="fund, vault or nobody")
    at_maintenance_share: float | None = quantity(
        None, unit="fraction", low=0.0, high=1.0, meaning="equity below this part of maintenance is taken over", source="see the row"
    )
    price: str = Field("bankruptcy", pattern=r"^(bankruptcy|mark|oracle|account)$", description="price of the takeover")
    source: str = text(meaning=SOURCE)


class Deleveraging(Section):
    """Tell when winners are deleveraged, in which order, at which price."""

    trigger: str = text(meaning="what starts it")
    rank: str = text(meaning="who is first")
    rule: DeleveragingRule = Field(description="that ranking by name, as the simulation has it")
    price: str = Field(pattern=r"^(bankruptcy|mark|previous_mark|oracle)$", description="closing price")
    drawdown_trigger: float | None = quantity(
        None, unit="fraction", low=0.0, high=1.0, meaning="loss of the fund over 8 h that starts it", source="see the row"
    )
    drawdown_least_usd: float = quantity(0.0, unit="USD", low=0.0, high=1e12, meaning="least loss that starts it", source="see the row")
    drawdown_stop: float | None = quantity(None, unit="fraction", low=0.0, high=1.0, meaning="loss of the fund over 8 h that ends it", source="see the row")
    source: str = text(meaning=SOURCE)


class RegimeRules(Section):
    """Tell the rules of accounts under one regime."""

    KEY: ClassVar[str] = "{name}"

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="name used with --regime")
    regime: Regime = Field(description="what secures a position")
    measure: Measure = Field(Measure.EQUITY_TO_MAINTENANCE, description="figure the venue watches")
    liquidated_at: float = quantity(1.0, unit="1", low=0.0, high=1e6, meaning="value of the measure at which accounts are liquidated", source="see the row")
    at_equality: bool = Field(True, description="an account exactly at the line is liquidated")
    levels: list[SoftLevel] = Field([], description="lines before liquidation")
    trigger_price: str = Field("mark", pattern=r"^(mark|index|oracle)$", description="price that triggers")
    maintenance_on: Basis = Field(Basis.MARK, description="value that maintenance is a part of")
    taker_fee_frac: float = quantity(0.0, unit="fraction", low=0.0, high=0.1, meaning="closing fee counted as maintenance", source="see the row")
    haircuts: bool = Field(False, description="pledged assets count by the venue's bands")
    settles_in: str = text("USDT", meaning="currency of profit and loss")
    first: CloseOut = Field(description="first step of a liquidation")
    takeover: Takeover | None = Field(None, description="what the book does not take")
    deleveraging: Deleveraging | None = Field(None, description="what the fund does not bear")
    source: str = text(meaning=SOURCE)


class Prices(Section):
    """Tell the rules of index, mark and funding."""

    index: str = text(meaning="sources and weights of the index")
    outlier_frac: float | None = quantity(
        None, unit="fraction", low=0.0, high=1.0, meaning="distance from the median at which a source is left out", source="see the row"
    )
    stale_s: float | None = quantity(None, unit="s", low=0.0, high=86400.0, meaning="age at which a source is left out", source="see the row")
    mark: str = text(meaning="how the mark is made")
    mark_memory_s: float | None = quantity(None, unit="s", low=0.0, high=86400.0, meaning="time constant of the averaged basis", source="see the row")
    funding_interval_s: float | None = quantity(None, unit="s", low=60.0, high=604800.0, meaning="time between payments", source="see the row")
    funding_interest: float | None = quantity(None, unit="fraction per 8 h", low=-1.0, high=1.0, meaning="interest part of the rate", source="see the row")
    funding_clamp: float | None = quantity(
        None, unit="fraction per 8 h", low=0.0, high=1.0, meaning="distance the rate may have from the premium", source="see the row"
    )
    heartbeat_s: float | None = quantity(None, unit="s", low=0.0, high=604800.0, meaning="age at which the oracle answers anew", source="see the row")
    deviation_frac: float | None = quantity(None, unit="fraction", low=0.0, high=1.0, meaning="move at which the oracle answers anew", source="see the row")
    source: str = text(meaning=SOURCE)


class VenueRules(Section):
    """Hold all rules of one venue as of one date."""

    venue: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="name of the venue, lower case")
    title: str = text(meaning="name for people, as worked examples write it")
    as_of: date = Field(description="date for which the rules hold")
    sources: dict[str, str] = Field(description="id and text of each source; an assumption begins with 'assumed:'")
    regimes: list[RegimeRules] = Field([], description="kinds of accounts; the first is the default")
    tiers: list[PositionTiers] = Field([], description="maintenance of perps by size")
    collateral: list[CollateralBands] = Field([], description="what pledged assets count as")
    cash: list[str] = Field(["USDT"], description="assets that count in full at one USD")
    debt_rates: dict[str, float] = Field(
        {},
        description="maintenance of loans by margin leverage (such as 3x), as a fraction of the loan",
        json_schema_extra={"unit": "fraction", "source": "see sources"},
    )
    debt_source: str = text("", meaning=SOURCE)
    debt_leverage: str | None = text(None, meaning="row of debt_rates that holds by default")
    prices: Prices | None = Field(None, description="index, mark, funding, oracle")
    constants: dict[str, float] = Field({}, description="further published numbers by name, used by calculators")
    constant_sources: dict[str, str] = Field({}, description="source of each of those numbers")
    spot_margin_tiers: dict[str, list[tuple[float, float, float]]] = Field(
        {}, description="spot margin by pair: [largest loan in coins, maintenance rate, initial rate] per tier"
    )

    def regime(self, name: str | None = None) -> RegimeRules:
        """Return the rules of a regime by name, the first without a name; raises ScenarioError."""
        if name is None and self.regimes:
            return self.regimes[0]
        for regime in self.regimes:
            if regime.name == name:
                return regime
        names = [regime.name for regime in self.regimes]
        raise ScenarioError(f"{self.venue}: has no regime {name!r}: {nearest(name or '', names) or 'it holds calculators only'}")

    def tiers_of(self, asset: str) -> PositionTiers | None:
        """Return the tiers of an asset's perp, None where it has no table (OTHER must be asked for by name)."""
        return next((table for table in self.tiers if asset in table.assets), None)

    def bands_of(self, asset: str) -> CollateralBands | None:
        """Return the collateral bands of an asset, None where it has no row."""
        return next((row for row in self.collateral if asset in row.assets), None)


def names() -> list[str]:
    """Return the venues that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def venue_rules(venue: str) -> VenueRules:
    """Return the shipped rules of a venue ("binance", also written as worked examples do: "dYdX v4"); raises ScenarioError."""
    wanted = venue.lower().split()[0] if venue.strip() else ""
    if wanted not in names():
        raise ScenarioError(f"venue {venue!r} has no rule file: {nearest(wanted, names(), few=20)}")
    return load_venue_rules(FOLDER / f"{wanted}.yaml")


def load_venue_rules(path: Path) -> VenueRules:
    """Return the rules of a file; raises ScenarioProblems that name file, line and field."""
    return read_section(path, VenueRules, find_faults)


def find_faults(rules: VenueRules) -> Iterator[Problem]:
    """Yield what cannot be: rates above 1, tiers out of order, initial below maintenance, assets listed twice, unknown sources."""
    for n, table in enumerate(rules.tiers):
        yield from _faults_of_tiers(f"tiers[{n}]", table)
    for n, row in enumerate(rules.collateral):
        yield from _faults_of_bands(f"collateral[{n}]", row)
    for kind, rows in (("tiers", [row.assets for row in rules.tiers]), ("collateral", [row.assets for row in rules.collateral])):
        seen: set[str] = set()
        for n, assets in enumerate(rows):
            for asset in assets:
                if asset in seen:
                    yield Problem(f"{kind}[{n}].assets", "must list an asset once", asset, "remove it from one of the rows")
                seen.add(asset)
    for name, rate in rules.debt_rates.items():
        if not 0.0 <= rate <= 1.0:
            yield Problem(f"debt_rates.{name}", "must be in [0, 1]", f"{rate:g}", "give a fraction, 0.05 for 5 %")
    if rules.debt_leverage is not None and rules.debt_leverage not in rules.debt_rates:
        yield Problem("debt_leverage", "must be a row of debt_rates", rules.debt_leverage, nearest(rules.debt_leverage, rules.debt_rates))
    yield from _faults_of_sources(rules)


def _faults_of_tiers(path: str, table: PositionTiers) -> Iterator[Problem]:
    name = ", ".join(table.assets[:3])
    for n, (cap, rate, leverage) in enumerate(table.steps):
        place = f"{path}.steps[{n}]"
        if not 0.0 <= rate <= 1.0:
            yield Problem(place, f"maintenance rate of {name} must be in [0, 1]", f"{rate:g}", "give a fraction, 0.05 for 5 %")
        if cap <= 0.0:
            yield Problem(place, f"largest size of {name} must be above 0", f"{cap:g}", "give the upper end of the tier")
        if leverage < 1.0:
            yield Problem(place, f"largest leverage of {name} must be at least 1", f"{leverage:g}", "give 20 for 20x")
        elif 1.0 / leverage < rate - 1e-9:
            yield Problem(place, f"initial margin of {name} must not be below maintenance {rate:g}", f"{1.0 / leverage:g}", "lower the leverage or the rate")
    for n, (before, after) in enumerate(pairwise(table.steps), start=1):
        if after[0] <= before[0] or after[1] < before[1]:
            yield Problem(f"{path}.steps[{n}]", f"tiers of {name} must rise in size and rate", f"{list(after)} after {list(before)}", "sort them")


def _faults_of_bands(path: str, row: CollateralBands) -> Iterator[Problem]:
    name = ", ".join(row.assets[:3])
    for n, (_, ratio) in enumerate(row.bands):
        if not 0.0 <= ratio <= 1.0:
            yield Problem(f"{path}.bands[{n}]", f"ratio of {name} must be in [0, 1]", f"{ratio:g}", "give a fraction, 0.05 for 5 %")
    ends = [end for end, _ in row.bands]
    for n, (before, after) in enumerate(pairwise(ends), start=1):
        if before is None or (after is not None and after <= before):
            yield Problem(f"{path}.bands[{n}]", f"bands of {name} must rise", f"{after} after {before}", "sort them; only the last may have no end")


def _faults_of_sources(rules: VenueRules) -> Iterator[Problem]:
    named: list[tuple[str, str]] = [(f"regimes[{row.name}].source", row.source) for row in rules.regimes]
    named += [(f"tiers[{n}].source", table.source) for n, table in enumerate(rules.tiers)]
    named += [(f"collateral[{n}].source", row.source) for n, row in enumerate(rules.collateral)]
    named += [("prices.source", rules.prices.source)] if rules.prices is not None else []
    for row in rules.regimes:
        named += [(f"regimes[{row.name}].takeover.source", row.takeover.source)] if row.takeover is not None else []
        named += [(f"regimes[{row.name}].deleveraging.source", row.deleveraging.source)] if row.deleveraging is not None else []
    for key in rules.constants:
        named.append((f"constants.{key}", rules.constant_sources.get(key, "no source")))
    if rules.debt_rates:
        named.append(("debt_source", rules.debt_source))
    for path, source in named:
        if source.startswith("assumed:"):
            continue
        for part in (part.strip() for part in source.split(",")):
            if part not in rules.sources:
                yield Problem(path, "must name ids of `sources`", part, nearest(part, rules.sources))
