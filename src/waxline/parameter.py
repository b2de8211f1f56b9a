"""Declare a parameter once: default, unit, range, meaning and source.

Validation, the JSON schema for editors and the page of parameters are made from these declarations.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

ASSUMED = "assumed"


class Section(BaseModel):
    """Group parameters under one heading of a scenario file; unknown keys are refused, values cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


def quantity(
    default: Any = ...,
    *,
    unit: str,
    low: float | None = None,
    high: float | None = None,
    meaning: str,
    source: str,
) -> Any:
    """Declare a number with its `unit`, the range [`low`, `high`] that is accepted, its meaning and its source ("assumed" is one)."""
    return Field(default, ge=low, le=high, description=meaning, json_schema_extra={"unit": unit, "source": source})


def switch(default: bool = True, *, meaning: str, link: int | None = None) -> Any:
    """Declare an on/off switch; `link` is the number of the link of the chain that it removes."""
    extra: dict[str, Any] = {"unit": "on/off", "source": "design"}
    if link is not None:
        extra["link"] = link
    return Field(default, description=meaning, json_schema_extra=extra)


def text(default: Any = ..., *, meaning: str) -> Any:
    """Declare a text with its meaning."""
    return Field(default, description=meaning)


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
