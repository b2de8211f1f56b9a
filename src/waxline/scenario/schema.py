"""The scenario: everything that is asked of one run, as one typed, immutable value."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from waxline.accounts.parameters import CollateralParameters, LedgerParameters, PopulationParameters
from waxline.agents.flows import (
    ArbitrageParameters,
    InformedParameters,
    NewLeverageParameters,
    NoiseParameters,
    ShortParameters,
    TrendParameters,
    ValueParameters,
)
from waxline.agents.maker import CrowdParameters, MakerParameters
from waxline.agents.whale import TopupParameters, WhaleParameters
from waxline.limits import ASSETS, MARKETS
from waxline.liquidation.parameters import DeleveragingParameters, FundParameters, LiquidationParameters, PoolParameters
from waxline.parameter import ByClass, Section, by_class, quantity, switch, text
from waxline.scenario.checks import find_conflicts
from waxline.scenario.world import Asset, Clock, Collateral, Market, TierTable, Venue
from waxline.shocks.parameters import FairValueParameters, HaltParameters, Shock

CONFLICT = "scenario_conflict"


class Scenario(Section):
    """Ask for one run: the world, who acts in it, what hits it, and what it is not."""

    ALIASES: ClassVar[dict[str, str]] = {
        "collateral.reprice": "collateral_valuation.reprice",
        "collateral_price": "collateral_valuation.claim_own_book",
    }
    """Other names of paths in overrides, such as {"halts": "shock.halts"}."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="short name in lower case, such as oct-2025")
    title: str = text(meaning="one line that says what happens")
    description: str = text("", meaning="what the scenario holds and where its figures come from")
    is_not: str = text("", meaning="what the scenario is not, so that nobody takes it for that")
    sources: dict[str, str] = Field({}, description="short names of sources used by rows, each with its address or its reason and range")
    seed: int = quantity(1, unit="1", low=0, high=2**63 - 1, meaning="seed of all random numbers", source="design")
    clock: Clock = Field(description="begin, end and step of the run")
    grid_bps: ByClass = quantity(
        by_class(1.25, 5.0, 5.0, 10.0, 10.0, 5.0),
        unit="bps",
        meaning="distance of price levels of books, per class; a market may have its own",
        source="assumed; range 1-2 for BTC and ETH, 5-10 for others",
    )
    assets: list[Asset] = Field(min_length=1, max_length=ASSETS.most, description="coins and claims")
    venues: list[Venue] = Field(min_length=1, max_length=100, description="exchanges, perp venues, lending pools")
    tiers: list[TierTable] = Field([], description="tables of maintenance rates that markets name")
    markets: list[Market] = Field(min_length=1, max_length=MARKETS.most, description="books: spot pairs and perps")
    collateral: list[Collateral] = Field([], description="assets pledged at venues with unified margin")
    feedback: bool = switch(
        meaning="forced selling and fear act on prices (off: nobody is liquidated or reacts to falling prices, the news alone)",
        link=8,
    )
    shock: Shock = Field(Shock(), description="what hits from outside")
    halts: HaltParameters = Field(HaltParameters(), description="transfer halts and slow order entry")
    fair_value: FairValueParameters = Field(FairValueParameters(), description="fair value's own walk")
    population: PopulationParameters = Field(PopulationParameters(), description="leveraged traders")
    makers: MakerParameters = Field(MakerParameters(), description="market makers")
    crowd: CrowdParameters = Field(CrowdParameters(), description="resting orders of everyone else")
    noise: NoiseParameters = Field(NoiseParameters(), description="background flow")
    informed: InformedParameters = Field(InformedParameters(), description="traders who carry fair value into the books")
    value_buyers: ValueParameters = Field(ValueParameters(), description="value buyers and sellers")
    trend: TrendParameters = Field(TrendParameters(), description="owners who sell into falling prices")
    shorts: ShortParameters = Field(ShortParameters(), description="shorts that take profit, hedge, or are leveraged")
    new_leverage: NewLeverageParameters = Field(NewLeverageParameters(), description="leverage opened during the event")
    arbitrage: ArbitrageParameters = Field(ArbitrageParameters(), description="basis, cross-venue and claim arbitrage")
    whales: WhaleParameters = Field(WhaleParameters(), description="large holders of unified accounts")
    topups: TopupParameters = Field(TopupParameters(), description="margin calls and top-ups")
    liquidation: LiquidationParameters = Field(LiquidationParameters(), description="forced orders and takeover")
    funds: FundParameters = Field(FundParameters(), description="work-off of funds and vaults")
    deleveraging: DeleveragingParameters = Field(DeleveragingParameters(), description="auto-deleveraging")
    pool: PoolParameters = Field(PoolParameters(), description="lending pool")
    collateral_valuation: CollateralParameters = Field(CollateralParameters(), description="valuation of pledged assets in time")
    ledger: LedgerParameters = Field(LedgerParameters(), description="check of the ledger")

    @model_validator(mode="after")
    def _refuse_conflicts(self) -> Scenario:
        found = find_conflicts(self)
        if found:
            lines = "\n".join(problem.text() for problem in found)
            raise PydanticCustomError(CONFLICT, "{lines}", {"lines": lines, "problems": found})
        return self

    def plain(self) -> dict[str, Any]:
        """Return the scenario as plain data (texts, numbers, lists, dictionaries), every default written out."""
        return self.model_dump(mode="json")

    def resolved_yaml(self) -> str:
        """Return the scenario as YAML with every default written out; reading it gives an equal scenario."""
        from waxline.scenario.writing import to_yaml

        return to_yaml(self.plain())

    def hash(self) -> str:
        """Return 8 hex digits of the SHA-256 of the canonical form: without the seed, whatever the order of rows and keys."""
        plain = self.plain()
        plain.pop("seed")
        for group in ("assets", "venues", "tiers", "markets", "collateral"):
            plain[group].sort(key=lambda row: json.dumps(row, sort_keys=True))
        for rows in (plain["makers"]["accounts"], plain["whales"]["named"]):
            rows.sort(key=lambda row: row["name"])
        canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:8]

    def asset(self, symbol: str) -> Asset:
        """Return the asset of that symbol; raise KeyError where there is none."""
        return next((row for row in self.assets if row.symbol == symbol), None) or _absent("asset", symbol)

    def venue(self, name: str) -> Venue:
        """Return the venue of that name; raise KeyError where there is none."""
        return next((row for row in self.venues if row.name == name), None) or _absent("venue", name)

    def market(self, name: str) -> Market:
        """Return the market of that name, such as "binance-perp-BTC"; raise KeyError where there is none."""
        return next((row for row in self.markets if row.name == name), None) or _absent("market", name)

    def tier_steps(self, market: Market) -> list[tuple[float, float]]:
        """Return [largest notional in USD, maintenance rate] of a perp, for one pair: the table it names, else that of its venue's dated rules.

        Coins without a row of their own have the venue's table OTHER where there is one; empty where neither knows the coin. Ends in coins are taken at
        the price before the shock.
        """
        if market.tiers is not None:
            return list(next(table.steps for table in self.tiers if table.name == market.tiers))
        from waxline.scenario.venue_rules import venue_rules

        rules = self.venue(market.venue).rules
        if rules is None:
            return []
        published = venue_rules(rules)
        table = published.tiers_of(market.asset) or published.tiers_of("OTHER")
        if table is None or table.unit == "contracts":
            return []
        price = self.asset(market.asset).price_usd if table.unit == "coins" else 1.0
        return [(cap * price, rate) for cap, rate, _ in table.steps]

    def pairs_of(self, market: Market) -> float:
        """Return how many real pairs a market stands for."""
        return market.pairs if market.pairs is not None else self.asset(market.asset).pairs

    def grid_of(self, market: Market) -> float:
        """Return the distance of price levels of a market's book in basis points."""
        if market.grid_bps is not None:
            return market.grid_bps
        return float(getattr(self.grid_bps, self.asset(market.asset).size_class.value))


def _absent(kind: str, name: str) -> Any:
    raise KeyError(f"no {kind} {name} in the scenario")
