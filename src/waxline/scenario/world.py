"""The world of a scenario as typed rows: clock, assets, venues, markets, maintenance tiers, collateral."""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import AwareDatetime, Field

from waxline.liquidation.parameters import DeleveragingRule, SocialisingRule
from waxline.parameter import ASSUMED, Section, quantity, text

USD = "USD"
"""The unit of account: a claim may redeem for it, it is no asset row and has no market."""

SOURCE = "where the numbers of this row come from: ids of `sources` (a comma between two), or 'assumed: reason; range a-b'"


class SizeClass(StrEnum):
    """Name the class of a coin by the depth of its books and by how many borrow against it, not by its market value."""

    BTC_ETH = "btc_eth"
    MAJOR = "major"
    MID = "mid"
    SMALL = "small"
    TINY = "tiny"
    CLAIM = "claim"


class AssetKind(StrEnum):
    """Name what an asset is: a coin, or a claim that redeems for another asset."""

    COIN = "coin"
    CLAIM = "claim"


class VenueKind(StrEnum):
    """Name what a venue trades: spot and perps, spot only, perps, or loans."""

    EXCHANGE = "exchange"
    SPOT_EXCHANGE = "spot_exchange"
    PERP_VENUE = "perp_venue"
    LENDING_POOL = "lending_pool"


class MarketKind(StrEnum):
    """Name what a book trades."""

    SPOT = "spot"
    PERP = "perp"


class MarginRegime(StrEnum):
    """Name what secures a position: all assets of an account, one currency, one position, a pool's loan, or nothing is lent."""

    UNIFIED = "unified"
    CROSS = "cross"
    ISOLATED = "isolated"
    POOL = "pool"
    NONE = "none"


class PriceRule(StrEnum):
    """Name the price at which a venue values a pledged asset."""

    INDEX = "index"
    OWN_BOOK = "own_book"
    REDEMPTION = "redemption"


class Clock(Section):
    """Set when the run begins and ends and how long a step is; t = 0 is `t0_utc`."""

    start_utc: AwareDatetime = Field(description="start of the run (UTC)")
    t0_utc: AwareDatetime = Field(description="the instant t = 0, usually the outside event; reference prices are those one second before")
    duration_s: float = quantity(unit="s", low=1.0, high=604_800.0, meaning="length of the run; a whole number of steps", source="design")
    step_s: float = quantity(1.0, unit="s", low=0.05, high=60.0, meaning="length of a step", source="design")

    @property
    def start_t_s(self) -> float:
        """Return the start of the run in seconds from t0 (negative before it)."""
        return (self.start_utc - self.t0_utc).total_seconds()

    @property
    def end_t_s(self) -> float:
        """Return the end of the run in seconds from t0."""
        return self.start_t_s + self.duration_s

    @property
    def steps(self) -> int:
        """Return the number of steps."""
        return round(self.duration_s / self.step_s)


class Redemption(Section):
    """Say what one unit of a claim is exchanged for by its issuer."""

    asset: str = text(meaning="asset received, or USD")
    units: float = quantity(unit="units per claim", low=1e-12, high=1e12, meaning="units of that asset per claim", source="see the row")


class Asset(Section):
    """Describe one coin or claim; a tail coin stands for many real ones and its USD figures are their totals."""

    KEY: ClassVar[str] = "{symbol}"

    symbol: str = Field(pattern=r"^[A-Za-z0-9]{1,16}$", description="name of the asset, such as BTC")
    kind: AssetKind = Field(AssetKind.COIN, description="coin, or claim on another asset")
    size_class: SizeClass = Field(description="class by depth of book and by borrowing, used where a parameter differs between classes")
    price_usd: float = quantity(unit="USD", low=1e-15, high=1e12, meaning="price one second before t0", source="see the row")
    pairs: float = quantity(1.0, unit="pairs", low=0.001, high=1e5, meaning="real trading pairs that one market of it stands for", source="see the row")
    news_beta: float = quantity(
        1.0,
        unit="1",
        low=-5.0,
        high=10.0,
        meaning="fall of fair value per fall of the news' common factor; 0 for claims: their fair value is what they redeem for",
        source=f"{ASSUMED}; see the row",
    )
    volatility_1m_bps: float = quantity(
        unit="bps",
        low=0.0,
        high=1000.0,
        meaning="calm one-minute standard deviation of fair value; for a claim that of its distance from redemption value",
        source=f"{ASSUMED}; see the row",
    )
    redeems: Redemption | None = Field(None, description="what a claim redeems for")
    source: str = text(meaning=SOURCE)


class IndexRule(Section):
    """Say which spot books form a venue's index price."""

    weights: dict[str, float] = Field(
        description="venue whose spot book counts, and its weight; books that do not exist are left out",
        json_schema_extra={"unit": "1", "source": "see the venue"},
    )
    outlier_frac: float = quantity(
        0.05,
        unit="fraction",
        low=0.001,
        high=1.0,
        meaning="distance from the median at which a source loses its weight",
        source="Binance FAQ 360033525071",
    )
    stale_s: float = quantity(
        10.0,
        unit="s",
        low=0.1,
        high=86400.0,
        meaning="time without update after which a source loses its weight",
        source="Binance FAQ 360033525071",
    )


class FundingRule(Section):
    """Say when longs pay shorts, and how the rate is bounded."""

    interval_s: float = quantity(
        28_800.0,
        unit="s",
        low=60.0,
        high=604_800.0,
        meaning="time between two payments, counted from 00:00 UTC",
        source="see the venue",
    )
    base_rate_frac: float = quantity(1e-4, unit="fraction per 8 h", low=-0.1, high=0.1, meaning="interest part of the rate", source="see the venue")
    clamp_frac: float = quantity(
        5e-4,
        unit="fraction per 8 h",
        low=0.0,
        high=0.1,
        meaning="the rate stays within this distance of the premium",
        source="see the venue",
    )
    rate_before_frac: float = quantity(1e-4, unit="fraction per 8 h", low=-0.1, high=0.1, meaning="rate in the hours before the run", source="see the venue")


class FundGroup(Section):
    """Describe an insurance fund that stands behind the perps of some coins only."""

    KEY: ClassVar[str] = "{name}"

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$", description="name of the group of contracts")
    assets: list[str] = Field(min_length=1, description="coins whose perps it stands behind")
    fund_usd: float = quantity(0.0, unit="USD", low=0.0, high=1e12, meaning="its size before the run", source="see the row")
    source: str = text(meaning=SOURCE)


class Venue(Section):
    """Describe one venue: what it trades, what secures positions, its fees, its fund, its index."""

    KEY: ClassVar[str] = "{name}"

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$", description="name of the venue, lower case")
    kind: VenueKind = Field(description="what it trades")
    margin: MarginRegime = Field(description="what secures a position")
    taker_fee_bps: float = quantity(unit="bps", low=-50.0, high=500.0, meaning="fee of orders that take", source="see the row")
    maker_fee_bps: float = quantity(unit="bps", low=-50.0, high=500.0, meaning="fee of orders that rest; a rebate is negative", source="see the row")
    fund_usd: float = quantity(0.0, unit="USD", low=0.0, high=1e12, meaning="insurance fund before the run", source="see the row")
    fund_groups: list[FundGroup] = Field(
        [], description="insurance funds apart from fund_usd, each for the perps of some coins; all other perps and accounts share fund_usd"
    )
    vault_usd: float = quantity(
        0.0,
        unit="USD",
        low=0.0,
        high=1e12,
        meaning="equity of the backstop vault before the run; 0: no vault",
        source="see the row",
    )
    index: IndexRule | None = Field(None, description="how its index price is formed; needed where perps trade or collateral is valued at the index")
    funding: FundingRule | None = Field(None, description="funding of its perps")
    deleveraging: DeleveragingRule | None = Field(
        None,
        description="who is deleveraged, without a word as the venue's rule file says: profit_times_leverage (BitMEX, Bybit), profit_times_margin (Binance), "
        "profit_over_level (OKX), price_times_leverage (Hyperliquid), unranked (dYdX), pro_rata, capped, risk_weighted, smallest_part (of account value), none",
    )
    socialising: SocialisingRule = Field(
        SocialisingRule.NONE,
        description="who pays what its fund could not: winners in proportion to the profit of their open positions, positions in proportion to their value, none",
    )
    rules: str | None = text(
        None,
        meaning="shipped file of the venue's rules (scenario/venues): its dated tiers hold for perps that name no table of the scenario, its regimes for triggers, "
        "amounts, limits, fees and the order of collateral, its deleveraging price for winners",
    )
    position_regime: str | None = text(None, meaning="regime of that file for accounts with one position; without one its isolated regime, else its first")
    account_regime: str | None = text(
        None, meaning="regime of that file for accounts with many assets; without one its portfolio, multi-assets or cross regime, else its first"
    )
    loan_rate: str | None = text(None, meaning="row of that file's debt_rates for loans in portfolio regimes; without one the file's default")
    collateral_rules: str | None = text(None, meaning="document that states what the venue accepts as collateral")
    source: str = text(meaning=SOURCE)


class Market(Section):
    """Describe one book: a spot pair or a perp of one asset on one venue."""

    KEY: ClassVar[str] = "{venue}-{kind}-{asset}"

    venue: str = text(meaning="name of the venue")
    asset: str = text(meaning="symbol of the asset")
    kind: MarketKind = Field(description="spot or perp")
    depth_usd: float = quantity(
        unit="USD",
        low=1.0,
        high=1e13,
        meaning="calm size resting on one side within 1 % of the mid, over all pairs it stands for",
        source="see the row",
    )
    open_interest_usd: float = quantity(
        0.0, unit="USD", low=0.0, high=1e13, meaning="open interest of a perp one second before t0, one-sided", source="see the row"
    )
    pairs: float | None = quantity(
        None,
        unit="pairs",
        low=0.001,
        high=1e5,
        meaning="real pairs it stands for, where not those of the asset",
        source="see the row",
    )
    half_spread_bps: float | None = quantity(
        None, unit="bps", low=0.01, high=1000.0, meaning="calm half spread, where not that of the class", source="see the row"
    )
    grid_bps: float | None = quantity(
        None, unit="bps", low=0.1, high=100.0, meaning="distance of price levels, where not that of the class", source="see the row"
    )
    max_leverage: float | None = quantity(None, unit="1", low=1.0, high=1000.0, meaning="largest leverage at entry", source="see the row")
    tiers: str | None = text(None, meaning="name of its table of maintenance tiers")
    never_liquidated_frac: float = quantity(
        0.35,
        unit="fraction",
        low=0.0,
        high=1.0,
        meaning="part of long open interest that no realistic price liquidates",
        source=f"{ASSUMED}; see the row",
    )
    leverage_scale: float = quantity(
        1.0,
        unit="multiple",
        low=0.05,
        high=10.0,
        meaning="multiplies the leverage of the market's traders",
        source=f"{ASSUMED}; see the row",
    )
    bid_end_frac: float = quantity(
        0.8,
        unit="fraction",
        low=0.05,
        high=0.9999,
        meaning="distance below the reference price at which the last resting bids stand",
        source=f"{ASSUMED}; see the row",
    )
    source: str = text(meaning=SOURCE)

    @property
    def name(self) -> str:
        """Return the market's name, such as "binance-perp-BTC"."""
        return f"{self.venue}-{self.kind}-{self.asset}"


class TierTable(Section):
    """Name a table of maintenance rates by position size; rates are marginal (N·rate − deduction)."""

    KEY: ClassVar[str] = "{name}"

    name: str = text(meaning="name used by markets")
    steps: list[tuple[float, float]] = Field(
        min_length=1,
        max_length=200,
        description="[largest notional of the step in USD, maintenance rate as a fraction], rising; the last rate has no end",
        json_schema_extra={"unit": "USD, fraction", "source": "see the row"},
    )
    source: str = text(meaning=SOURCE)


class Collateral(Section):
    """Describe one pledged asset at one venue: how much of it counts, at which price, and how much is pledged."""

    KEY: ClassVar[str] = "{venue}/{asset}"

    venue: str = text(meaning="name of the venue")
    asset: str = text(meaning="symbol of the asset")
    ratio_frac: float = quantity(unit="fraction", low=0.0, high=1.0, meaning="part of its value that counts as margin (1 − haircut)", source="see the row")
    bands: list[tuple[float | None, float]] = Field(
        [],
        max_length=50,
        description="marginal bands by the amount one account holds: [upper end or null, part that counts]; the first part is ratio_frac; beyond a last end "
        "nothing counts; empty: ratio_frac of all",
    )
    band_unit: str = Field("USD", pattern=r"^(USD|coins)$", description="unit of the ends of the bands")
    price_rule: PriceRule = Field(PriceRule.INDEX, description="price at which the venue values it")
    maker_pledged_usd: float = quantity(
        0.0,
        unit="USD",
        low=0.0,
        high=1e12,
        meaning="pledged by market makers, all together, at the reference price",
        source="see the row",
    )
    holder_pledged_usd: float = quantity(
        0.0,
        unit="USD",
        low=0.0,
        high=1e12,
        meaning="pledged by whales and other holders, all together, at the reference price",
        source="see the row",
    )
    source: str = text(meaning=SOURCE)
