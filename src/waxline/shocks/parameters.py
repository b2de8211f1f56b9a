"""Parameters of outside events."""

from __future__ import annotations

from waxline.parameter import ASSUMED, Section, quantity, switch, text


class NewsLeg(Section):
    """Set one leg of the news: the fall of the common factor, how fast it arrives and how much of it stays."""

    at_s: float = quantity(unit="s", low=-86400, high=86400, meaning="start, in seconds from t0", source=ASSUMED)
    share_frac: float = quantity(unit="fraction of shock.news.size", low=0.0, high=2.0, meaning="size of this leg", source=ASSUMED)
    rise_tau_s: float = quantity(unit="s", low=1.0, high=86400.0, meaning="time constant of its arrival", source=ASSUMED)
    decay_tau_s: float = quantity(unit="s", low=1.0, high=1e7, meaning="time constant with which it fades to its lasting part", source=ASSUMED)
    lasting_frac: float = quantity(unit="fraction", low=0.0, high=1.0, meaning="part that stays", source=ASSUMED)


class NewsParameters(Section):
    """Set the news: a path of the common factor, to which every asset is exposed by its `news_beta`."""

    enabled: bool = switch(meaning="the news happens", link=1)
    size: float = quantity(
        0.07,
        unit="fraction",
        low=0.0,
        high=0.9,
        meaning="fall of the common factor (Bitcoin's fair value) that the legs share",
        source=f"{ASSUMED}; range 0.05-0.09",
    )
    legs: list[NewsLeg] = text(
        [
            NewsLeg(at_s=0.0, share_frac=0.32, rise_tau_s=120.0, decay_tau_s=900.0, lasting_frac=0.75),
            NewsLeg(at_s=1320.0, share_frac=0.80, rise_tau_s=200.0, decay_tau_s=1500.0, lasting_frac=0.30),
        ],
        meaning="legs of the news",
    )
    beta_spread_frac: float = quantity(
        0.10, unit="fraction", low=0.0, high=1.0, meaning="random part of each asset's exposure, drawn per seed (one standard deviation)", source=ASSUMED
    )


class Shock(Section):
    """Group the shocks."""

    news: NewsParameters = NewsParameters()


class Halt(Section):
    """Set a time in which coins and claims cannot leave or enter a venue."""

    venue: str = text(meaning="venue")
    from_s: float = quantity(unit="s", low=-86400, high=86400, meaning="start, in seconds from t0", source="see the scenario")
    to_s: float = quantity(unit="s", low=-86400, high=86400, meaning="end, in seconds from t0", source="see the scenario")
    assets: list[str] = text([], meaning="assets that cannot move; none named: all")


class Slowdown(Section):
    """Set a time in which order entry of a venue is slow: makers refill and arbitrageurs act at a part of their speed."""

    venue: str = text(meaning="venue")
    from_s: float = quantity(unit="s", low=-86400, high=86400, meaning="start, in seconds from t0", source="see the scenario")
    to_s: float = quantity(unit="s", low=-86400, high=86400, meaning="end, in seconds from t0", source="see the scenario")
    speed_frac: float = quantity(unit="fraction", low=0.01, high=1.0, meaning="part of normal speed", source=ASSUMED)


class HaltParameters(Section):
    """Set transfer halts and slow order entry."""

    enabled: bool = switch(meaning="transfers of named venues halt and order entry slows", link=15)
    transfers: list[Halt] = text([], meaning="transfer halts")
    slowdowns: list[Slowdown] = text([], meaning="slow order entry")


class FairValueParameters(Section):
    """Set fair value's own random walk, which gives calm volatility."""

    enabled: bool = switch(meaning="fair value walks")
    common_share_frac: float = quantity(0.6, unit="fraction of variance", low=0.0, high=1.0, meaning="part that all coins share", source=ASSUMED)
    scale: float = quantity(1.0, unit="multiple", low=0.0, high=10.0, meaning="size of the walk against each asset's calm volatility", source=ASSUMED)
    volatility_spread: float = quantity(
        0.55,
        unit="log",
        low=0.0,
        high=2.0,
        meaning="standard deviation of the log of the walk's volatility around its mean square",
        source=f"{ASSUMED}; range 0.3-0.6; gives the tails (index 2-5) and the clusters of one-minute returns that all markets show",
    )
    volatility_tau_s: float = quantity(120.0, unit="s", low=1.0, high=1e6, meaning="memory of that volatility", source=f"{ASSUMED}; range 60-600")
