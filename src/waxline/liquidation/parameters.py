"""Parameters of the waterfall: pace and limits of forced orders, takeover, fund, deleveraging, lending pool."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from waxline.parameter import ASSUMED, ByClass, Section, by_class, quantity, switch


class ForcedOrder(Section):
    """Set the pace and the limit of one kind of forced order."""

    enabled: bool = switch(meaning="this kind of forced order happens")
    tau_s: float = quantity(unit="s", low=0.1, high=86400.0, meaning="the waiting quantity is released over this time", source=ASSUMED)
    least_rate_frac: float = quantity(unit="fraction of calm depth per s", low=0.0, high=10.0, meaning="least release per second", source=ASSUMED)
    walk_frac: float = quantity(
        unit="fraction per s", low=0.0, high=1.0, meaning="furthest price below the best bid (above the best ask) per second", source=ASSUMED
    )


class LiquidationParameters(Section):
    """Set the liquidation of perps and of collateral."""

    perps: ForcedOrder = ForcedOrder(tau_s=15.0, least_rate_frac=0.02, walk_frac=0.006)
    collateral: ForcedOrder = ForcedOrder(tau_s=60.0, least_rate_frac=0.02, walk_frac=0.02)
    by_rule: bool = switch(meaning="venues with a rule file close and sell first what their rules say (off: everything at once)")
    claim_tau_s: float = quantity(
        600.0, unit="s", low=0.1, high=86400.0, meaning="pledged claims are released over this time, after the account's other coins", source=ASSUMED
    )
    claim_delay_s: float = quantity(240.0, unit="s", low=0.0, high=86400.0, meaning="longest wait before claims are sold", source=ASSUMED)
    tiny_without_limit: bool = switch(meaning="collateral in the thinnest books is sold without a limit, as market orders")
    take_bound_frac: ByClass = quantity(
        by_class(0.05, 0.15, 0.50, 0.50, 0.60, 0.50),
        unit="fraction of the mark price",
        meaning="market orders in perps do not fill farther from the mark than this",
        source="assumed; exchanges publish such a bound per contract (Binance: marketTakeBound); wide for altcoins, whose contracts traded far from spot elsewhere; range 0.05-0.6",
    )
    takeover_rate: float = quantity(
        0.03,
        unit="1/s",
        low=0.0,
        high=10.0,
        meaning="part of what a close-out could not fill at its bankruptcy price that the fund takes over, per second",
        source=ASSUMED,
    )
    takeover_after_s: float = quantity(
        480.0,
        unit="s",
        low=1.0,
        high=86400.0,
        meaning="time after which the venue takes what is left of a liquidated unified account off the book",
        source=f"{ASSUMED}; range 120-600",
    )
    takeover_discount_frac: float = quantity(
        0.10, unit="fraction", low=0.0, high=0.9, meaning="discount to the collateral price at that takeover", source=f"{ASSUMED}; range 0.05-0.3"
    )
    clearance_fee_bps: float = quantity(
        50.0,
        unit="bps",
        low=0.0,
        high=1000.0,
        meaning="fee on liquidated perps that goes to the fund, from what is left of the account, at venues without a rule file",
        source="Binance 2020: 30-75 bp",
    )


class FundParameters(Section):
    """Set how funds and the backstop vault work off what they took over."""

    tau_s: float = quantity(900.0, unit="s", low=1.0, high=1e6, meaning="time constant of working inventory off", source=f"{ASSUMED}; range 120-3600")
    depth_share: float = quantity(
        0.02, unit="fraction of current depth per s", low=0.0, high=1.0, meaning="largest part of current depth taken per second", source=ASSUMED
    )
    walk_frac: float = quantity(0.01, unit="fraction per s", low=0.0, high=1.0, meaning="furthest price from the best per second", source=ASSUMED)
    quiet_volatility_ratio: float = quantity(
        8.0, unit="multiple of calm volatility", low=1.0, high=1e6, meaning="volatility above which funds wait", source=ASSUMED
    )


class DeleveragingRule(StrEnum):
    """Name who is deleveraged: nobody, a ranking by venue, or a share of every winner (names of `rules_deleveraging_policies`)."""

    NONE = "none"
    PROFIT_TIMES_LEVERAGE = "profit_times_leverage"
    PROFIT_TIMES_MARGIN = "profit_times_margin"
    PROFIT_OVER_LEVEL = "profit_over_level"
    PRICE_TIMES_LEVERAGE = "price_times_leverage"
    UNRANKED = "unranked"
    PRO_RATA = "pro_rata"
    CAPPED = "capped"
    RISK_WEIGHTED = "risk_weighted"
    SMALLEST_PART = "smallest_part"


class SocialisingRule(StrEnum):
    """Name who pays what no fund could: nobody, winners by their profit (Deribit's older rule), or all positions by their value (Drift)."""

    NONE = "none"
    WINNERS = "winners"
    POSITIONS = "positions"


class ClosingPrice(StrEnum):
    """Name the price at which winners are closed: the mark, or what the fund or vault paid on average when it took over."""

    MARK = "mark"
    TAKEOVER = "takeover"


class DeleveragingParameters(Section):
    """Set auto-deleveraging; who is closed first stands at each venue."""

    enabled: bool = switch(meaning="profitable positions are closed against the fund's or vault's", link=16)
    session_s: float = quantity(
        300.0,
        unit="s",
        low=1.0,
        high=86400.0,
        meaning="time after which venues that socialise losses share them",
        source=f"{ASSUMED}; range 60-28800 s (funding hours)",
    )
    vault_trigger_frac: float = quantity(
        0.667,
        unit="equity to maintenance",
        low=0.0,
        high=1.0,
        meaning="level at which a backstop vault takes a position over, where the venue has no rule file",
        source="Hyperliquid documentation: 2/3 of maintenance",
    )
    vault_capacity_usd: float = quantity(
        250e6, unit="USD", low=0.0, high=1e12, meaning="notional that the backstop vault holds before it deleverages", source=f"{ASSUMED}; range 100-500 M"
    )
    fund_capacity_ratio: float = quantity(
        1.0, unit="multiple of the fund", low=0.0, high=100.0, meaning="notional that an insurance fund may hold", source="Binance 2020: 100 % of the fund"
    )
    every_s: float = quantity(
        5.0,
        unit="s",
        low=0.1,
        high=3600.0,
        meaning="time between two rounds of deleveraging",
        source="Hyperliquid on 10 October 2025: batches every 6.3 s at first; assumed",
    )
    rule: DeleveragingRule | None = Field(default=None, description="who is deleveraged at every venue with perps, in place of the venue's own rule")
    price: ClosingPrice | None = Field(
        default=None,
        description="price at which winners are closed, in place of the venues' own rules (without a rule file: the mark): mark (OKX; Hyperliquid takes the "
        "previous mark), or takeover, at which they bear what the fund's position has lost (Binance, BitMEX, Bybit, dYdX: bankruptcy price), as far as their "
        "own equity goes",
    )
    cap_frac: float = quantity(
        0.5,
        unit="fraction",
        low=0.0,
        high=1.0,
        meaning="largest part of a position closed per round where the rule is capped",
        source=f"{ASSUMED}; range 0.1-0.9",
    )
    hedged_frac: float = quantity(0.5, unit="fraction", low=0.0, high=1.0, meaning="part of deleveraged shorts that hedged coins", source=ASSUMED)
    sold_frac: float = quantity(
        0.35, unit="fraction", low=0.0, high=1.0, meaning="part of the coins thus left naked that is sold", source=f"{ASSUMED}; range 0.2-0.6"
    )
    sold_inside_frac: float = quantity(
        0.8, unit="fraction", low=0.0, high=1.0, meaning="part of that sold on the unified exchange; the rest on the spot exchange", source=ASSUMED
    )
    sold_floor_frac: float = quantity(
        0.45,
        unit="fraction",
        low=0.0,
        high=0.999,
        meaning="discount to the price before the event below which owners of naked coins rather keep them",
        source=f"{ASSUMED}; range 0.3-0.8",
    )
    sold_tau_s: float = quantity(300.0, unit="s", low=1.0, high=86400.0, meaning="time over which it is sold", source=ASSUMED)


AAVE_RATES = "assumed: about the stablecoin reserves of Aave v3 in autumn 2025; range 0.5-2 of the value"
MAKER = "assumed: about the ETH vaults of Maker (auction parameters of Liquidations 2.0); range 0.5-2 of the value"
COMPOUND = "assumed: about WETH in Compound v3's USDC market; range 0.9-0.97 (credit), 0.5-1 (discount)"


class PoolVariant(StrEnum):
    """Name what a pool does with accounts below health 1: keepers repay a part, the collateral is auctioned, or the pool absorbs the account."""

    CLOSE_FACTOR = "close_factor"
    AUCTION = "auction"
    ABSORPTION = "absorption"


class PoolParameters(Section):
    """Set the lending pool, its borrowers and keepers."""

    enabled: bool = switch(meaning="the lending pool liquidates")
    variant: PoolVariant = Field(
        default=PoolVariant.CLOSE_FACTOR, description="how it liquidates: close_factor (Aave: keepers repay and seize), auction (Maker), absorption (Compound)"
    )
    borrowers: int = quantity(300, unit="accounts", low=0, high=100000, meaning="borrowers drawn", source=ASSUMED)
    collateral_usd: dict[str, float] = quantity(
        {"ETH": 9e9, "wBETH": 0.0, "BTC": 4e9, "LINK": 3e8, "AAVE": 3e8, "AVAX": 2e8, "CRV": 6e7, "SOL": 0.0},
        unit="USD",
        meaning="collateral pledged by borrowers of stablecoins, per asset",
        source=f"{ASSUMED}; Aave's borrowed total 28.98e9 on 2025-10-10, stablecoin part assumed",
    )
    liquidation_threshold_frac: float = quantity(
        0.80,
        unit="fraction",
        low=0.0,
        high=1.0,
        meaning="collateral value that counts at the liquidation line",
        source="Aave v3: WETH 0.83, others lower; assumed 0.80",
    )
    health_low: float = quantity(1.06, unit="1", low=1.0, high=10.0, meaning="lowest health factor before the event", source=ASSUMED)
    health_exponent: float = quantity(
        2.2, unit="1", low=0.1, high=20.0, meaning="health factor minus its lowest value is distributed as u to this power times 2", source=ASSUMED
    )
    close_factor_frac: float = quantity(0.5, unit="fraction of debt", low=0.0, high=1.0, meaning="debt repaid per liquidation", source="Aave v3")
    close_all_below: float = quantity(0.95, unit="1", low=0.0, high=1.0, meaning="health factor below which all debt may be repaid", source="Aave v3")
    bonus_frac: float = quantity(0.05, unit="fraction", low=0.0, high=1.0, meaning="bonus to keepers", source="Aave v3: 5 % typical")
    oracle_heartbeat_s: float = quantity(
        60.0, unit="s", low=1.0, high=86400.0, meaning="longest time between oracle updates", source="Chainlink ETH/USD on 10 October 2025: 60 s"
    )
    oracle_deviation_frac: float = quantity(
        0.005, unit="fraction", low=0.0, high=1.0, meaning="move that updates the oracle at once", source="Chainlink: 0.5 %"
    )
    keeper_cash_usd: float = quantity(5e8, unit="USD", low=0.0, high=1e12, meaning="cash of keepers", source=ASSUMED)
    keeper_tau_s: float = quantity(30.0, unit="s", low=0.1, high=86400.0, meaning="time over which keepers sell what they received", source=ASSUMED)
    gas_usd: float = quantity(
        200.0, unit="USD", low=0.0, high=1e6, meaning="cost of one liquidation", source="100-400 gwei on 10 October 2025; assumed 200 USD"
    )
    supplied_usd: float = quantity(
        0.0, unit="USD", low=0.0, high=1e13, meaning="lent to the pool before the run; 0: what puts utilisation at utilisation_start_frac", source=ASSUMED
    )
    utilisation_start_frac: float = quantity(
        0.8, unit="fraction", low=0.01, high=1.0, meaning="part of what is supplied that is borrowed before the run", source=f"{ASSUMED}; range 0.6-0.92"
    )
    rate_base_frac: float = quantity(0.0, unit="fraction per year", low=0.0, high=10.0, meaning="rate borrowers pay at no utilisation", source=AAVE_RATES)
    rate_slope_frac: float = quantity(0.055, unit="fraction per year", low=0.0, high=10.0, meaning="rise of the rate up to the kink", source=AAVE_RATES)
    rate_kink_frac: float = quantity(0.92, unit="fraction", low=0.01, high=1.0, meaning="utilisation beyond which the rate rises steeply", source=AAVE_RATES)
    rate_slope_beyond_frac: float = quantity(
        0.35, unit="fraction per year", low=0.0, high=100.0, meaning="rise of the rate from the kink to full utilisation", source=AAVE_RATES
    )
    auction_penalty_frac: float = quantity(
        0.13, unit="fraction of debt", low=0.0, high=1.0, meaning="auction: raised beyond the debt, for the reserves", source=MAKER
    )
    auction_buffer_frac: float = quantity(
        0.10, unit="fraction", low=0.0, high=10.0, meaning="auction: how far above the oracle the price starts", source=f"{MAKER}; range 0.05-0.3"
    )
    auction_cut_frac: float = quantity(0.01, unit="fraction", low=0.0, high=0.99, meaning="auction: fall of the price per step", source=MAKER)
    auction_step_s: float = quantity(90.0, unit="s", low=0.1, high=86400.0, meaning="auction: length of a step", source=MAKER)
    auction_tail_s: float = quantity(8400.0, unit="s", low=1.0, high=1e6, meaning="auction: age at which it starts again", source=MAKER)
    auction_cusp_frac: float = quantity(
        0.4, unit="fraction", low=0.0, high=1.0, meaning="auction: part of its first price below which it starts again", source=MAKER
    )
    auction_limit_usd: float = quantity(1e8, unit="USD", low=0.0, high=1e13, meaning="auction: most that all together may raise at a time", source=MAKER)
    auction_dust_usd: float = quantity(
        7500.0, unit="USD", low=0.0, high=1e9, meaning="auction: least debt put up, and least that a buyer may leave", source=f"{MAKER}; range 1,000-15,000"
    )
    auction_tip_usd: float = quantity(250.0, unit="USD", low=0.0, high=1e6, meaning="auction: reward of who starts it", source=MAKER)
    auction_chip_frac: float = quantity(
        0.001, unit="fraction", low=0.0, high=0.1, meaning="auction: further reward, part of what is to be raised", source=MAKER
    )
    absorb_factor_frac: float = quantity(
        0.93, unit="fraction", low=0.0, high=1.0, meaning="absorption: part of the collateral's value that is credited against the debt", source=COMPOUND
    )
    storefront_factor_frac: float = quantity(
        0.6, unit="fraction", low=0.0, high=0.99, meaning="absorption: part of what was not credited that buyers get as a discount", source=COMPOUND
    )
    reserve_target_usd: float = quantity(
        1e12, unit="USD", low=0.0, high=1e13, meaning="absorption: reserves at and above which absorbed coins are kept", source=f"{ASSUMED}: always sold"
    )
    venues: list[str] = quantity(["coinbase", "binance"], unit="venue", meaning="spot books in which keepers sell", source=ASSUMED)
