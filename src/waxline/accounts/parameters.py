"""Parameters of the synthetic population and of margin."""

from __future__ import annotations

from waxline.parameter import ASSUMED, Section, quantity, switch


class PopulationParameters(Section):
    """Set the leveraged traders: drawn from distributions, conditioned on having survived the recent price range."""

    traders: int = quantity(120000, unit="accounts", low=0, high=20_000_000, meaning="leveraged traders drawn, over all perp markets", source=ASSUMED)
    least_per_market: int = quantity(60, unit="accounts", low=1, high=1_000_000, meaning="least number of traders in a market", source=ASSUMED)
    leverages: list[float] = quantity([2.0, 3.0, 5.0, 10.0, 20.0, 40.0], unit="1", meaning="leverage at entry", source=ASSUMED)
    leverage_weights: list[float] = quantity([0.22, 0.23, 0.25, 0.18, 0.09, 0.03], unit="1", meaning="part of notional at each of them", source=ASSUMED)
    leverage_scale: float = quantity(1.2, unit="multiple", low=0.05, high=10.0, meaning="multiplies all leverages", source=f"{ASSUMED}; range 0.9-1.4")
    entry_spread_frac: float = quantity(
        0.06, unit="log price", low=0.0, high=1.0, meaning="standard deviation of entry prices around the reference", source=ASSUMED
    )
    survived_range_btc_frac: float = quantity(
        0.04,
        unit="fraction",
        low=0.0,
        high=0.9,
        meaning="fall that BTC and ETH accounts have mostly survived before",
        source="range of 10 October 2025 before 20:50; shape assumed",
    )
    survived_range_frac: float = quantity(0.10, unit="fraction", low=0.0, high=0.9, meaning="the same for all other coins", source=ASSUMED)
    survived_least_frac: float = quantity(
        0.7,
        unit="fraction of that range",
        low=0.0,
        high=0.99,
        meaning="distance to liquidation below which no account has survived it",
        source=f"{ASSUMED}; range 0.2-0.9; at 0.7 nobody is liquidated in 100 calm minutes",
    )
    size_exponent: float = quantity(1.5, unit="1", low=1.01, high=10.0, meaning="tail exponent of position sizes (Pareto)", source=f"{ASSUMED}; range 1.2-2")
    size_ratio_max: float = quantity(300.0, unit="multiple", low=1.0, high=1e6, meaning="largest position over the smallest in a market", source=ASSUMED)
    stop_loss_frac: float = quantity(0.25, unit="fraction", low=0.0, high=1.0, meaning="longs with a stop-loss order", source=ASSUMED)
    stop_low_frac: float = quantity(0.4, unit="fraction of the distance to liquidation", low=0.0, high=1.0, meaning="nearest stop", source=ASSUMED)
    stop_high_frac: float = quantity(0.9, unit="fraction of the distance to liquidation", low=0.0, high=1.0, meaning="farthest stop", source=ASSUMED)
    people_per_account: float = quantity(
        12.0,
        unit="people",
        low=0.01,
        high=1e6,
        meaning="people that one drawn account stands for",
        source="1.6 M liquidated accounts in 24 h (CoinGlass); assumed",
    )


class CollateralParameters(Section):
    """Set how pledged assets are valued in time."""

    reprice: bool = switch(meaning="pledged assets are valued at current prices (off: at those before the event)", link=4)
    claim_own_book: bool = switch(meaning="claims are priced by the venue's own book where its rule says so (off: at redemption value)", link=15)


class LedgerParameters(Section):
    """Set the check of the ledger."""

    tolerance: float = quantity(1e-9, unit="relative", low=0.0, high=1.0, meaning="largest relative error of any sum", source="design")
    every_steps: int = quantity(1, unit="steps", low=1, high=100000, meaning="steps between two checks", source="design")
