"""Whales and other large holders of unified accounts: illiquid collateral, borrowed stablecoins, long perps, small top-ups."""

from __future__ import annotations

from waxline.parameter import ASSUMED, Section, quantity, switch, text


class Whale(Section):
    """Name one large holder: what it pledged, how much it borrowed, what it is long and short, and what it can still add."""

    name: str = text(meaning="name in tables and records")
    venue: str = text(meaning="venue of the account")
    regime: str | None = text(None, meaning="regime of the venue's rule file for this account, such as loan; without one the venue's usual one")
    enabled: bool = switch(meaning="this account exists", link=12)
    collateral_usd: dict[str, float] = quantity(unit="USD", meaning="pledged assets and their value at the reference prices", source=ASSUMED)
    loan_to_value_frac: float = quantity(unit="fraction of haircut value", low=0.0, high=0.99, meaning="borrowed stablecoins", source=ASSUMED)
    perp_longs_usd: dict[str, float] = quantity(unit="USD", meaning="long perps and their notional at the reference prices", source=ASSUMED)
    perp_shorts_usd: dict[str, float] = quantity(
        {}, unit="USD", meaning="short perps and their notional at the reference prices; as large as the coins: neutral", source=ASSUMED
    )
    reserve_usd: float = quantity(0.0, unit="USD", low=0.0, high=1e12, meaning="cash outside that can still be added", source=ASSUMED)


class WhaleParameters(Section):
    """Set the named whales and the drawn holders of unified accounts."""

    enabled: bool = switch(meaning="large holders with pledged coins and long perps", link=10)
    named: list[Whale] = text([], meaning="the largest holders, fixed in the scenario, not drawn")
    holders: int = quantity(300, unit="accounts", low=0, high=100000, meaning="further unified accounts with pledged coins, drawn", source=ASSUMED)
    holders_second: int = quantity(80, unit="accounts", low=0, high=100000, meaning="the same on every other unified exchange", source=ASSUMED)
    loan_to_value_low_frac: float = quantity(
        0.50, unit="fraction of haircut value", low=0.0, high=0.99, meaning="lowest loan of a drawn holder", source=ASSUMED
    )
    loan_to_value_high_frac: float = quantity(
        0.82, unit="fraction of haircut value", low=0.0, high=0.99, meaning="highest loan of a drawn holder", source=ASSUMED
    )
    perp_long_low: float = quantity(0.3, unit="multiple of pledged value", low=0.0, high=10.0, meaning="lowest long perps of a drawn holder", source=ASSUMED)
    perp_long_high: float = quantity(1.1, unit="multiple of pledged value", low=0.0, high=10.0, meaning="highest long perps of a drawn holder", source=ASSUMED)
    least_distance_frac: float = quantity(
        0.06, unit="fraction", low=0.0, high=0.9, meaning="common fall of all coins that every drawn account survives before the event", source=ASSUMED
    )
    debt_maintenance_frac: float = quantity(
        0.05,
        unit="fraction of debt",
        low=0.0,
        high=1.0,
        meaning="maintenance of borrowed stablecoins",
        source="Binance portfolio margin: 10 %, 8 %, 5 % at 3x, 5x, 10x; assumed 5 %",
    )


class TopupParameters(Section):
    """Set what owners add when a margin call reaches them."""

    enabled: bool = switch(meaning="owners add margin from their reserves", link=5)
    call_ratio: float = quantity(
        1.20, unit="equity to maintenance", low=1.0, high=10.0, meaning="level of the margin call", source="Binance portfolio margin: 1.05-1.20 reduce-only"
    )
    delay_s: float = quantity(60.0, unit="s", low=0.0, high=86400.0, meaning="time from the call to the added margin", source=ASSUMED)
    size_frac: float = quantity(0.05, unit="fraction of collateral value", low=0.0, high=1.0, meaning="size of one top-up", source=ASSUMED)
    holder_reserve_frac: float = quantity(0.05, unit="fraction of collateral value", low=0.0, high=1.0, meaning="reserve of a drawn holder", source=ASSUMED)
    pause_s: float = quantity(120.0, unit="s", low=0.0, high=86400.0, meaning="least time between two top-ups", source=ASSUMED)
    reduce_frac: float = quantity(
        0.0,
        unit="fraction of positions and pledged coins",
        low=0.0,
        high=1.0,
        meaning="what a called whale or holder whose reserve does not last closes and sells by choice, at most its debt, at each such time",
        source=f"{ASSUMED}: nobody reduces in time; range 0-0.3",
    )
