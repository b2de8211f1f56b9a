"""Read an account (a file, or rows of tables) and bring it to the form the rules value; what is missing is named, never guessed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from waxline.accounts.rules_tiers import deductions
from waxline.parameter import Section, text
from waxline.parameter import quantity as figure
from waxline.rulebook.account import Account, Position
from waxline.scenario.problems import Problem, ScenarioProblems, nearest
from waxline.scenario.reading import read_document
from waxline.scenario.section_file import placed, section_from
from waxline.scenario.venue_rules import CollateralBands, Regime, RegimeRules, VenueRules, names, venue_rules


class PositionRow(Section):
    """Describe one perp position of an account."""

    asset: str = text(meaning="symbol of the coin")
    side: str = Field("long", pattern=r"^(long|short)$", description="long or short")
    quantity: float = figure(unit="coins", low=0.0, high=1e18, meaning="size in coins; of coin-margined contracts in USD", source="the account")
    entry_usd: float = figure(unit="USD", low=1e-15, high=1e12, meaning="average entry price", source="the account")
    margin: float | None = figure(None, unit="USD or coins", low=0.0, high=1e15, meaning="margin of an isolated position", source="the account")
    leverage: float | None = figure(None, unit="1", low=1.0, high=1000.0, meaning="leverage of an isolated position", source="the account")
    inverse: bool = Field(False, description="coin-margined contract worth one USD each")
    tiers: str | None = text(None, meaning="asset whose tiers hold, such as OTHER")
    rate: float | None = figure(None, unit="fraction", low=0.0, high=1.0, meaning="maintenance rate, instead of the venue's tiers", source="the account")
    deduction: float = figure(0.0, unit="USD", low=0.0, high=1e15, meaning="maintenance amount that goes with that rate", source="the account")


class AccountFile(Section):
    """Describe an account: balances and positions on one venue, and the prices they are valued at."""

    name: str = text("account", meaning="name for messages")
    venue: str | None = text(None, meaning="name of the venue, where the command line does not say it")
    regime: str | None = text(None, meaning="kind of account, such as cross or portfolio; the venue's first without it")
    balances: dict[str, float] = Field({}, description="coins held, negative when borrowed", json_schema_extra={"unit": "coins", "source": "the account"})
    positions: list[PositionRow] = Field([], description="perp positions")
    prices_usd: dict[str, float] = Field({}, description="mark or index of each asset", json_schema_extra={"unit": "USD", "source": "the account"})
    collateral_prices_usd: dict[str, float] = Field(
        {}, description="price at which the venue values a pledged asset, where not that above", json_schema_extra={"unit": "USD", "source": "the account"}
    )
    ratios: dict[str, float] = Field(
        {}, description="part of a pledged asset that counts, instead of the venue's", json_schema_extra={"unit": "fraction", "source": "the account"}
    )


def read_account(path: Path, venue: str | None = None, regime: str | None = None) -> Account:
    """Return the account of a file under a venue's rules; raises ScenarioProblems naming file, line and field."""
    document = read_document(path)
    row = section_from(document, AccountFile)
    try:
        return account_of(row, venue, regime)
    except ScenarioProblems as error:
        raise ScenarioProblems(placed(error.problems, document, AccountFile)) from error


def account_of(row: AccountFile, venue: str | None = None, regime: str | None = None) -> Account:
    """Return an account in the form the rules value; raises ScenarioProblems with all that is missing or impossible."""
    chosen = venue or row.venue
    if chosen is None:
        raise ScenarioProblems([Problem("venue", "is required", "missing", "write it into the file or give --venue")])
    if venue is None and (wanted := "".join(chosen.lower().split()[:1])) not in names():
        raise ScenarioProblems([Problem("venue", "must be a venue that has a rule file", chosen, nearest(wanted, names(), few=20))])
    rules = venue_rules(chosen)
    regimes = [one.name for one in rules.regimes]
    if regime is None and row.regime is not None and row.regime not in regimes:
        remedy = nearest(row.regime, regimes) or "it holds calculators only"
        raise ScenarioProblems([Problem("regime", f"must be a regime of {rules.venue}", row.regime, remedy)])
    regime_rules = rules.regime(regime or row.regime)
    problems = [*_of_numbers(row), *_of_prices(row, rules), *_of_balances(row, rules, regime_rules), *_of_positions(row, rules, regime_rules)]
    if problems:
        raise ScenarioProblems(problems)
    positions = tuple(_position(position, rules) for position in row.positions if position.quantity > 0.0)
    pledged = [*row.balances, *(position.asset for position in row.positions if position.inverse)]
    bands = {asset: band for asset in pledged if (band := _bands(row, rules, asset)) is not None}
    settled = regime_rules.settles_in
    if positions and settled not in bands and (band := rules.bands_of(settled)) is not None:
        bands[settled] = band
    return Account(row.name, rules, regime_rules, dict(row.balances), positions, dict(row.prices_usd), dict(row.collateral_prices_usd), bands)


def _bands(row: AccountFile, rules: VenueRules, asset: str) -> CollateralBands | None:
    own = rules.bands_of(asset)
    if asset not in row.ratios:
        return own
    bonus = own.bonus if own is not None else 0.0
    given = {"assets": [asset], "bands": [(None, row.ratios[asset])], "bonus": bonus, "source": "assumed: given with the account"}
    return CollateralBands.model_validate(given)


def _position(row: PositionRow, rules: VenueRules) -> Position:
    side = 1.0 if row.side == "long" else -1.0
    caps, rates, amounts = [float("inf")], [row.rate or 0.0], [row.deduction]
    if row.rate is None:
        table = rules.tiers_of(row.tiers or row.asset)
        assert table is not None
        caps, rates, amounts = table.caps, table.rates, deductions(table.floors, table.rates)
    columns = (tuple(caps), tuple(rates), tuple(amounts))
    return Position(row.asset, side, row.quantity, row.entry_usd, *columns, row.leverage, row.margin, row.inverse)


def _of_numbers(row: AccountFile) -> Iterator[Problem]:
    for group, prices in (("prices_usd", row.prices_usd), ("collateral_prices_usd", row.collateral_prices_usd)):
        for asset, price in prices.items():
            if price <= 0.0:
                yield Problem(f"{group}.{asset}", "must be above 0 (USD)", f"{price:g}", "give the price of one coin")
    for asset, ratio in row.ratios.items():
        if not 0.0 <= ratio <= 1.0:
            yield Problem(f"ratios.{asset}", "must be in [0, 1]", f"{ratio:g}", "give a fraction, 0.05 for 5 %")


def _of_prices(row: AccountFile, rules: VenueRules) -> Iterator[Problem]:
    needed = {
        asset: f"balances.{asset}" for asset, amount in row.balances.items() if amount and asset not in rules.cash and asset not in row.collateral_prices_usd
    }
    needed |= {position.asset: f"positions[{n}]" for n, position in enumerate(row.positions)}
    for asset, where in needed.items():
        if asset not in row.prices_usd:
            yield Problem(where, f"needs prices_usd.{asset}", "missing", "give the mark or index in USD")


def _of_balances(row: AccountFile, rules: VenueRules, regime: RegimeRules) -> Iterator[Problem]:
    known = [asset for band in rules.collateral for asset in band.assets]
    for asset, amount in row.balances.items():
        if regime.haircuts and amount > 0.0 and rules.bands_of(asset) is None and asset not in row.ratios:
            found = nearest(asset, [*known, *row.ratios])
            remedy = f"give ratios.{asset}, or {found}" if found else f"give ratios.{asset}"
            yield Problem(f"balances.{asset}", f"has no collateral ratio in the rules of {rules.venue}", f"{amount:g}", remedy)
        if regime.regime is Regime.CROSS and asset != regime.settles_in and not _margins_inverse(row, asset):
            others = ", ".join(other.name for other in rules.regimes if other.regime is not Regime.CROSS)
            remedy = f"choose another regime of {rules.venue} ({others}) or leave it out" if others else "leave it out"
            yield Problem(f"balances.{asset}", f"does not count in the regime {regime.name}, which is margined in {regime.settles_in}", f"{amount:g}", remedy)
        if regime.regime is Regime.ISOLATED:
            yield Problem(f"balances.{asset}", "does not count in the regime isolated", f"{amount:g}", "give margin or leverage with the position")


def _margins_inverse(row: AccountFile, asset: str) -> bool:
    return any(position.inverse and position.asset == asset for position in row.positions)


def _of_positions(row: AccountFile, rules: VenueRules, regime: RegimeRules) -> Iterator[Problem]:
    known = [asset for table in rules.tiers for asset in table.assets]
    for n, position in enumerate(row.positions):
        where = f"positions[{n}]"
        if regime.regime in (Regime.LOAN, Regime.POOL, Regime.MARGIN_LEVEL):
            yield Problem(where, f"has no place in the regime {regime.name}", position.asset, "choose a regime with perps")
            continue
        table = rules.tiers_of(position.tiers or position.asset)
        if position.rate is None and table is None:
            remedy = f"give rate (and deduction), or tiers: {nearest(position.tiers or position.asset, known) or 'an asset that has a table'}"
            yield Problem(f"{where}.asset", f"has no maintenance tiers in the rules of {rules.venue}", position.tiers or position.asset, remedy)
        if regime.regime is Regime.ISOLATED and position.margin is None and position.leverage is None:
            yield Problem(where, "needs margin or leverage in the regime isolated", position.asset, "give one of them")
        if position.rate is not None and position.leverage is not None and 1.0 / position.leverage < position.rate - 1e-9:
            rule = f"initial margin, 1 / leverage, must not be below the maintenance rate {position.rate:g}"
            yield Problem(f"{where}.leverage", rule, f"{position.leverage:g}", "lower the leverage or the rate")
        largest = None if table is None or position.rate is not None else max(step[2] for step in table.steps)
        if largest is not None and position.leverage is not None and position.leverage > largest:
            yield Problem(f"{where}.leverage", f"must not be above the venue's {largest:g} for {position.asset}", f"{position.leverage:g}", "lower it")
