"""Everyone who trades at the market: noise, informed flow, value buyers and sellers, trend sellers, shorts, new leverage."""

from __future__ import annotations

from waxline.parameter import ASSUMED, ByClass, Section, by_class, quantity, switch


class NoiseParameters(Section):
    """Set background flow: it gives volume; calm volatility comes from fair value's own walk."""

    enabled: bool = switch(meaning="background flow")
    rate_frac: float = quantity(
        0.0015, unit="fraction of calm depth per s", low=0.0, high=1.0, meaning="mean of each side's market orders per second", source=ASSUMED
    )


class InformedParameters(Section):
    """Set the traders who carry fair value into the books, with limited size."""

    enabled: bool = switch(meaning="informed flow")
    rate_frac: float = quantity(
        0.02,
        unit="fraction of calm depth per s and 1 % of gap",
        low=0.0,
        high=1.0,
        meaning="speed of trading toward fair value",
        source=f"{ASSUMED}; half of it halves the alt fall",
    )
    gap_limit_frac: float = quantity(0.04, unit="fraction", low=0.001, high=1.0, meaning="gap beyond which they trade no faster", source=ASSUMED)
    buying_gap_limit_frac: float = quantity(0.002, unit="fraction", low=0.0, high=1.0, meaning="the same when they buy", source=ASSUMED)
    capital_depths: float = quantity(
        25.0, unit="multiple of calm depth", low=0.0, high=1000.0, meaning="cash and coins of informed traders per market", source=ASSUMED
    )


class ValueParameters(Section):
    """Set buyers below and sellers above a slow anchor, with finite means."""

    enabled: bool = switch(meaning="value buyers and their cash", link=14)
    sellers: bool = switch(meaning="value sellers into rallies")
    cash_depths: ByClass = quantity(
        by_class(16.0, 12.0, 6.0, 5.0, 5.0, 8.0), unit="multiple of calm depth", meaning="cash of value buyers per market", source=ASSUMED
    )
    cash_factor_outside: float = quantity(
        2.0, unit="multiple", low=0.0, high=100.0, meaning="more cash waits on spot exchanges without leverage", source=ASSUMED
    )
    start_discount_frac: ByClass = quantity(
        by_class(0.055, 0.09, 0.15, 0.20, 0.20, 0.05), unit="fraction", meaning="discount to the anchor at which they begin", source=ASSUMED
    )
    full_discount_width_frac: ByClass = quantity(
        by_class(0.10, 0.20, 0.40, 0.40, 0.40, 0.30), unit="fraction", meaning="further discount at which they buy at full rate", source=ASSUMED
    )
    tau_s: ByClass = quantity(
        by_class(80.0, 120.0, 270.0, 400.0, 400.0, 270.0), unit="s", meaning="time in which they spend their cash at full rate", source=ASSUMED
    )
    delay_s: ByClass = quantity(by_class(15.0, 40.0, 80.0, 160.0, 160.0, 80.0), unit="s", meaning="reaction delay", source=ASSUMED)
    fresh_money_tau_s: float = quantity(
        2000.0, unit="s", low=1.0, high=1e7, meaning="time in which one more endowment of cash arrives while the discount lasts", source=ASSUMED
    )
    holdings_depths: float = quantity(20.0, unit="multiple of calm depth", low=0.0, high=1000.0, meaning="coins of value sellers", source=ASSUMED)
    seller_tau_s: float = quantity(300.0, unit="s", low=1.0, high=1e6, meaning="time in which sellers would sell all at a premium of 5 %", source=ASSUMED)
    seller_start_frac: float = quantity(0.02, unit="fraction", low=0.0, high=1.0, meaning="premium over the anchor at which sellers begin", source=ASSUMED)
    anchor_tau_s: float = quantity(14400.0, unit="s", low=60.0, high=1e7, meaning="memory of the anchor", source=f"{ASSUMED}; at least 4 h")


class TrendParameters(Section):
    """Set owners who sell into falling prices; they look at current depth."""

    enabled: bool = switch(meaning="trend selling")
    holdings_depths: float = quantity(
        10.0, unit="multiple of calm depth", low=0.0, high=1000.0, meaning="coins of trend sellers on a venue with leverage", source=ASSUMED
    )
    holdings_depths_outside: float = quantity(5.0, unit="multiple of calm depth", low=0.0, high=1000.0, meaning="the same on a spot exchange", source=ASSUMED)
    window_s: float = quantity(300.0, unit="s", low=10.0, high=86400.0, meaning="memory of the mean they compare with", source=ASSUMED)
    start_frac: float = quantity(0.015, unit="fraction", low=0.0, high=1.0, meaning="distance below that mean at which they begin", source=ASSUMED)
    full_frac: float = quantity(0.10, unit="fraction", low=0.001, high=1.0, meaning="further distance at which they sell at full rate", source=ASSUMED)
    rate: float = quantity(0.006, unit="1/s", low=0.0, high=1.0, meaning="part of holdings sold per second at full rate", source=ASSUMED)
    depth_share: float = quantity(0.25, unit="fraction per s", low=0.0, high=1.0, meaning="largest part of current depth taken per second", source=ASSUMED)
    turnover_share: float = quantity(
        0.4, unit="fraction", low=0.0, high=1.0, meaning="part of current turnover they sell into, where the book shows less", source=f"{ASSUMED}; range 0-0.5"
    )
    seen_elsewhere_frac: float = quantity(
        0.5,
        unit="fraction",
        low=0.0,
        high=1.0,
        meaning="part of the worst fall in the coin's linked books that owners react to where they hold",
        source=f"{ASSUMED}; range 0-1",
    )
    new_short_frac: float = quantity(
        0.7,
        unit="fraction",
        low=0.0,
        high=1.0,
        meaning="part of it in perps that opens leveraged shorts; the rest closes longs",
        source=f"{ASSUMED}; range 0.3-0.8",
    )
    new_short_distance_low_frac: float = quantity(
        0.06, unit="fraction", low=0.005, high=1.0, meaning="nearest liquidation of new shorts above their entry", source=ASSUMED
    )
    new_short_distance_high_frac: float = quantity(
        0.14, unit="fraction", low=0.005, high=1.0, meaning="farthest liquidation of new shorts above their entry", source=ASSUMED
    )


class ShortParameters(Section):
    """Set shorts that take profit, and long owners who close with them."""

    enabled: bool = switch(meaning="profit-taking shorts")
    share_frac: float = quantity(0.20, unit="fraction of open interest", low=0.0, high=0.6, meaning="shorts that take profit", source=ASSUMED)
    start_frac: float = quantity(0.06, unit="fraction", low=0.0, high=1.0, meaning="fall at which they begin", source=ASSUMED)
    width_frac: float = quantity(0.30, unit="fraction", low=0.01, high=1.0, meaning="further fall at which they cover at full rate", source=ASSUMED)
    tau_s: float = quantity(300.0, unit="s", low=1.0, high=1e6, meaning="time constant of covering at full rate", source=ASSUMED)
    carry_share_frac: float = quantity(
        0.20, unit="fraction of open interest", low=0.0, high=0.6, meaning="shorts that hedge coins held elsewhere", source=ASSUMED
    )
    leveraged_share_frac: float = quantity(
        0.35, unit="fraction of open interest", low=0.0, high=0.9, meaning="shorts that are leveraged traders", source=ASSUMED
    )
    agreed_close_rate: float = quantity(
        0.0003,
        unit="1/s",
        low=0.0,
        high=0.1,
        meaning="longs and shorts without liquidation line that close against each other while volatility is above five times calm",
        source=f"{ASSUMED}; range 0-0.0006",
    )
    agreed_close_volatility_ratio: float = quantity(
        3.0, unit="multiple of calm volatility", low=0.0, high=1000.0, meaning="volatility above which they do", source=ASSUMED
    )


class NewLeverageParameters(Section):
    """Set leveraged longs that are opened by buyers of the dip in perps."""

    enabled: bool = switch(meaning="leverage opened during the event")
    long_frac: float = quantity(0.5, unit="fraction", low=0.0, high=1.0, meaning="part of value buying in perps that opens leveraged longs", source=ASSUMED)
    distance_low_frac: float = quantity(
        0.15, unit="fraction", low=0.005, high=0.99, meaning="nearest liquidation of new longs below their entry", source=ASSUMED
    )
    distance_high_frac: float = quantity(
        0.45, unit="fraction", low=0.005, high=0.99, meaning="farthest liquidation of new longs below their entry", source=ASSUMED
    )


class ArbitrageParameters(Section):
    """Set arbitrageurs between spot and perp of a venue and between venues."""

    enabled: bool = switch(meaning="basis and cross-venue arbitrage", link=7)
    rate_frac: float = quantity(0.10, unit="fraction of depth per s and 1 % of gap", low=0.0, high=10.0, meaning="speed of closing a gap", source=ASSUMED)
    cost_bps: float = quantity(30.0, unit="bps", low=0.0, high=1000.0, meaning="gap that costs eat up", source=ASSUMED)
    depth_limit_frac: float = quantity(0.3, unit="fraction of calm depth", low=0.0, high=10.0, meaning="largest depth they count on", source=ASSUMED)
    basis_capital_depths: float = quantity(
        4.0, unit="multiple of calm depth", low=0.0, high=1000.0, meaning="cash and coins per market of basis books", source=ASSUMED
    )
    venue_capital_depths: float = quantity(
        3.0, unit="multiple of calm depth", low=0.0, high=1000.0, meaning="cash and coins per market of cross-venue books", source=ASSUMED
    )
    claim_capital_usd: float = quantity(80e6, unit="USD", low=0.0, high=1e12, meaning="cash that buys a claim below its redemption value", source=ASSUMED)
    claim_discount_bps: float = quantity(40.0, unit="bps", low=0.0, high=5000.0, meaning="discount at which claim arbitrage begins", source=ASSUMED)
    restock_tau_s: float = quantity(600.0, unit="s", low=1.0, high=1e6, meaning="time constant of moving stock back while transfers are open", source=ASSUMED)
