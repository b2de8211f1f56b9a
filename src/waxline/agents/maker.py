"""Market makers: one balance sheet over many books, pledged coins, borrowed cash, quotes bounded by free margin."""

from __future__ import annotations

from waxline.parameter import ASSUMED, CLASSES, ByClass, Section, by_class, quantity, switch, text


class MakerAccount(Section):
    """Name one maker and the size of its balance sheet and quotes."""

    name: str = text(meaning="name in tables and records")
    share_frac: float = quantity(unit="fraction", low=0.0, high=1.0, meaning="part of all makers' quotes that is this maker's", source=ASSUMED)
    share_large_frac: float | None = quantity(
        None,
        unit="fraction",
        low=0.0,
        high=1.0,
        meaning="the same in Bitcoin and Ether, where makers with cash of their own quote more (none: as elsewhere)",
        source=f"{ASSUMED}; range 0.5-1.5 of share_frac for makers that pledge",
    )
    pledged_share_frac: float = quantity(
        unit="fraction", low=0.0, high=1.0, meaning="part of the coins pledged by all makers that is this maker's", source=ASSUMED
    )
    lent_frac: float = quantity(
        0.85,
        unit="fraction",
        low=0.0,
        high=1.0,
        meaning="part of the borrowed cash that has left the venue (lent, hedged elsewhere); decides whether the account can die",
        source=f"{ASSUMED}; range 0.5-0.92",
    )
    pull_volatility_ratio: float = quantity(
        60.0,
        unit="multiple of calm volatility",
        low=2.0,
        high=1000.0,
        meaning="realised volatility above which this maker pulls its quotes in a book",
        source=f"{ASSUMED}; range 36-96, differs between makers",
    )
    cool_down_s: float = quantity(
        600.0, unit="s", low=0.0, high=86400.0, meaning="time until a maker that pulled comes back", source=f"{ASSUMED}; range 420-780"
    )

    def shares(self) -> list[float]:
        """Return its part of all makers' quotes per size class [C]."""
        large = self.share_frac if self.share_large_frac is None else self.share_large_frac
        return [large] + [self.share_frac] * (len(CLASSES) - 1)


class MakerParameters(Section):
    """Set how makers estimate, quote, fund and withdraw."""

    pledge: bool = switch(meaning="makers pledge coins at the venue and quote with the borrowed cash", link=2)
    funding_cap: bool = switch(meaning="quoted size falls with the maker's free margin", link=9)
    withdraw: bool = switch(meaning="makers pull quotes when volatility is high, and their quotes vanish when they are liquidated", link=9)
    volatility_response: bool = switch(meaning="quoted size falls and spread grows with realised volatility", link=9)
    accounts: list[MakerAccount] = [
        MakerAccount(
            name="maker-1", share_frac=0.30, share_large_frac=0.18, pledged_share_frac=0.36, lent_frac=0.92, pull_volatility_ratio=52, cool_down_s=480
        ),
        MakerAccount(
            name="maker-2", share_frac=0.24, share_large_frac=0.15, pledged_share_frac=0.28, lent_frac=0.80, pull_volatility_ratio=70, cool_down_s=600
        ),
        MakerAccount(
            name="maker-3", share_frac=0.18, share_large_frac=0.11, pledged_share_frac=0.22, lent_frac=0.80, pull_volatility_ratio=44, cool_down_s=540
        ),
        MakerAccount(
            name="maker-4", share_frac=0.12, share_large_frac=0.08, pledged_share_frac=0.14, lent_frac=0.74, pull_volatility_ratio=84, cool_down_s=700
        ),
        MakerAccount(name="maker-5", share_frac=0.10, share_large_frac=0.28, pledged_share_frac=0.0, lent_frac=0.0, pull_volatility_ratio=60, cool_down_s=660),
        MakerAccount(name="maker-6", share_frac=0.06, share_large_frac=0.20, pledged_share_frac=0.0, lent_frac=0.0, pull_volatility_ratio=92, cool_down_s=760),
    ]
    loan_to_value_frac: float = quantity(
        0.50,
        unit="fraction",
        low=0.0,
        high=0.95,
        meaning="stablecoins borrowed against the pledged coins at their full value (1,000,000 of a coin at 0.5: 500,000)",
        source=f"{ASSUMED}; range 0.4-0.6",
    )
    loan_to_margin_frac: float = quantity(
        0.75,
        unit="fraction of haircut value",
        low=0.0,
        high=0.99,
        meaning="most that is borrowed, where the venue counts little of a coin",
        source=f"{ASSUMED}; range 0.6-0.85",
    )
    stock_depths: float = quantity(
        1.0, unit="multiple of the maker's full asks", low=0.0, high=100.0, meaning="coins held for quoting asks where nothing is pledged", source=ASSUMED
    )
    stock_own_frac: float = quantity(
        0.8, unit="fraction", low=0.0, high=1.0, meaning="part of that stock paid from own capital; the rest from the account's cash or loan", source=ASSUMED
    )
    perp_capital_depths: float = quantity(
        1.0,
        unit="multiple of the maker's full quotes",
        low=0.0,
        high=100.0,
        meaning="cash of an account on a venue where it has pledged nothing, per perp",
        source=ASSUMED,
    )
    own_book_rate: float = quantity(
        0.30,
        unit="1/s",
        low=0.001,
        high=5.0,
        meaning="speed at which a maker's estimate follows traded prices of its own book",
        source=f"{ASSUMED}; range 0.15-0.6",
    )
    learning_floor_frac: float = quantity(
        0.03, unit="fraction", low=0.0, high=1.0, meaning="part of that speed that remains when nothing trades", source=f"{ASSUMED}; range 0.03-0.1"
    )
    learning_turnover_frac: float = quantity(
        0.03,
        unit="fraction of depth per s",
        low=1e-4,
        high=10.0,
        meaning="traded part of calm depth per second at which a maker learns at full speed",
        source=ASSUMED,
    )
    learning_spread_frac: float = quantity(
        0.05, unit="fraction", low=1e-4, high=1.0, meaning="spread above which a maker learns less from its own book", source=ASSUMED
    )
    sister_tau_s: float = quantity(40.0, unit="s", low=1.0, high=86400.0, meaning="time constant of the link between spot and perp of a venue", source=ASSUMED)
    venue_tau_s: float = quantity(15.0, unit="s", low=1.0, high=86400.0, meaning="time constant of the link between spot books of two venues", source=ASSUMED)
    venue_halted_tau_s: float = quantity(
        240.0, unit="s", low=1.0, high=86400.0, meaning="the same while transfers of one of the two are halted", source=f"{ASSUMED}; range 300-3000"
    )
    perp_venue_tau_s: float = quantity(
        60.0, unit="s", low=1.0, high=86400.0, meaning="time constant between perps of two venues (margin only, no transfer)", source=ASSUMED
    )
    perp_outside_tau_s: float = quantity(
        600.0, unit="s", low=1.0, high=86400.0, meaning="time constant between a perp and the spot book of another venue", source=ASSUMED
    )
    redemption_tau_s: float = quantity(
        15.0, unit="s", low=1.0, high=86400.0, meaning="time constant of a claim's price to its redemption value", source=ASSUMED
    )
    redemption_halted_tau_s: float = quantity(
        900.0, unit="s", low=1.0, high=86400.0, meaning="the same while transfers are halted", source=f"{ASSUMED}; range 300-3000"
    )
    news_tau_s: float = quantity(900.0, unit="s", low=1.0, high=86400.0, meaning="time constant of a maker's estimate to fair value", source=ASSUMED)
    news_small_tau_s: float = quantity(
        3.0, unit="s", low=1.0, high=86400.0, meaning="the same for small moves of fair value, which makers follow at once", source=ASSUMED
    )
    news_small_limit: float = quantity(
        1.8,
        unit="multiple of calm volatility",
        low=0.0,
        high=100.0,
        meaning="gap to fair value beyond which makers believe their books rather than it",
        source=ASSUMED,
    )
    volatility_window_s: float = quantity(60.0, unit="s", low=5.0, high=3600.0, meaning="memory of realised volatility of the estimate", source=ASSUMED)
    half_spread_bps: ByClass = quantity(by_class(2.0, 6.0, 10.0, 18.0, 40.0, 8.0), unit="bps", meaning="calm half spread of makers", source=ASSUMED)
    spread_volatility_share: float = quantity(
        0.35, unit="multiple", low=0.0, high=10.0, meaning="half spread added per unit of 10-second volatility", source=ASSUMED
    )
    size_volatility_scale: float = quantity(
        8.0, unit="multiple of calm volatility", low=0.1, high=1000.0, meaning="excess volatility at which quoted size is halved", source=ASSUMED
    )
    skew_share: float = quantity(
        0.6, unit="multiple of volatility", low=0.0, high=10.0, meaning="shift of the reservation price at full inventory", source=ASSUMED
    )
    skew_limit_frac: float = quantity(0.02, unit="log price", low=0.0, high=1.0, meaning="largest shift of the reservation price", source=ASSUMED)
    inventory_limit: float = quantity(
        4.0,
        unit="multiple of size within 1 %",
        low=0.1,
        high=100.0,
        meaning="inventory at which a maker stops quoting the side that adds to it",
        source=ASSUMED,
    )
    inventory_limit_spot: float = quantity(
        1.0,
        unit="multiple of size within 1 %",
        low=0.1,
        high=100.0,
        meaning="the same in spot books, where a coin bought counts at its haircut and takes up margin",
        source=f"{ASSUMED}; range 0.5-6",
    )
    inventory_tau_s: float = quantity(250.0, unit="s", low=10.0, high=1e6, meaning="time constant at which inventory is shed off the venue", source=ASSUMED)
    depth_exponent: float = quantity(
        0.67,
        unit="1",
        low=0.2,
        high=3.0,
        meaning="cumulative quoted size grows with distance to this power",
        source="Amberdata: BTC/FDUSD 3.50 M USD at 10 bp, 16.53 M USD at 100 bp give 0.674",
    )
    reach_frac: float = quantity(0.06, unit="fraction", low=0.01, high=0.5, meaning="farthest quote of a maker from its best", source=ASSUMED)
    depth_share_frac: float = quantity(0.70, unit="fraction", low=0.0, high=1.0, meaning="makers' part of calm depth within 1 %", source=ASSUMED)
    refill_rate: float = quantity(0.10, unit="1/s", low=0.001, high=10.0, meaning="speed at which posted size grows to its target", source=ASSUMED)
    refill_rate_tiny: float = quantity(0.08, unit="1/s", low=0.001, high=10.0, meaning="the same in tiny coins", source=ASSUMED)
    cut_rate: float = quantity(0.70, unit="1/s", low=0.001, high=10.0, meaning="speed at which posted size is cut to its target", source=ASSUMED)
    pulled_size_frac: float = quantity(0.02, unit="fraction", low=0.0, high=1.0, meaning="size that a maker leaves when it pulls", source=ASSUMED)
    ramp_s: float = quantity(600.0, unit="s", low=1.0, high=86400.0, meaning="time over which a returning maker grows from 10 % to full size", source=ASSUMED)
    perp_margin_frac: float = quantity(0.05, unit="fraction", low=0.0, high=1.0, meaning="maintenance of a maker's positions", source=ASSUMED)
    entrant: bool = switch(meaning="new makers enter where depth has died")
    entrant_delay_s: float = quantity(600.0, unit="s", low=0.0, high=86400.0, meaning="time from a maker's death to the entry of a new one", source=ASSUMED)
    entrant_ramp_s: float = quantity(2400.0, unit="s", low=1.0, high=86400.0, meaning="time over which the new maker takes up the dead share", source=ASSUMED)
    entrant_share_frac: float = quantity(
        1.0, unit="fraction", low=0.0, high=2.0, meaning="part of the dead makers' share that new makers take up", source=ASSUMED
    )


class CrowdParameters(Section):
    """Set the resting orders of everyone who is not a maker."""

    reach_frac: float = quantity(
        0.22, unit="log price", low=0.01, high=2.0, meaning="distance at which the density of resting orders has fallen to 1/e", source=ASSUMED
    )
    gap_volatilities: float = quantity(
        3.0,
        unit="multiple of calm volatility",
        low=0.0,
        high=100.0,
        meaning="distance from the mid within which nobody but makers rests orders: they would be filled within a minute",
        source=f"{ASSUMED}; range 1-5",
    )
    gap_limit_frac: float = quantity(0.005, unit="log price", low=0.0, high=1.0, meaning="largest such distance", source=ASSUMED)
    anchor_tau_s: ByClass = quantity(
        by_class(300.0, 600.0, 1800.0, 3600.0, 3600.0, 1800.0), unit="s", meaning="time constant at which resting orders follow the mid", source=ASSUMED
    )
    refill_rate: ByClass = quantity(
        by_class(0.006, 0.003, 0.0005, 0.0004, 0.0004, 0.0008), unit="1/s", meaning="speed at which eaten resting orders are placed again", source=ASSUMED
    )
    cancel_rate: float = quantity(0.0004, unit="1/s", low=0.0, high=1.0, meaning="speed at which surplus resting orders are cancelled", source=ASSUMED)
