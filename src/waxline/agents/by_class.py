"""A parameter that differs between size classes of coins."""

from __future__ import annotations

from pydantic import Field

from waxline.parameter import Section

CLASSES = ("btc_eth", "major", "mid", "small", "tiny", "claim")


class ByClass(Section):
    """Hold one number per size class; `values()` gives them in the order of `CLASSES`."""

    btc_eth: float = Field(description="Bitcoin and Ether")
    major: float = Field(description="coins with deep books and few borrowed against")
    mid: float = Field(description="coins with books of about a million USD within 1 %")
    small: float = Field(description="coins with books of some 100,000 USD within 1 %")
    tiny: float = Field(description="coins with books below 100,000 USD within 1 %")
    claim: float = Field(description="claims on another asset (wBETH, BNSOL, USDe)")

    def values(self) -> list[float]:
        """Return the six numbers in the order of `CLASSES`."""
        return [float(getattr(self, name)) for name in CLASSES]


def by_class(btc_eth: float, major: float, mid: float, small: float, tiny: float, claim: float) -> ByClass:
    """Return a `ByClass` from six numbers."""
    return ByClass(btc_eth=btc_eth, major=major, mid=mid, small=small, tiny=tiny, claim=claim)
