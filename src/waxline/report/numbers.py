"""Round numbers for display, and only for display; every function takes None and NaN and then returns a dash."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

NONE = "–"
MINUS = "−"
SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def missing(value: float | None) -> bool:
    """Tell whether there is no finite number."""
    return value is None or not math.isfinite(value)


def digits(value: float | None, significant: int = 3) -> str:
    """Write `value` with so many significant digits, without exponent or separators, so that a table cell can be copied."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0.0:
        return "0"
    places = significant - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    places = significant - 1 - math.floor(math.log10(abs(rounded)))
    text = f"{rounded:.{min(max(places, 0), 12)}f}"
    return text.replace("-", MINUS)


def usd(value: float | None, significant: int = 3) -> str:
    """Write an amount of USD with its scale in words, such as "19.2 B USD"."""
    if value is None or not math.isfinite(value):
        return NONE
    for scale, letter in SCALES:
        if abs(value) >= scale * (1.0 - 0.5 * 10.0**-significant):
            return f"{digits(value / scale, significant)} {letter}".rstrip() + " USD"
    return "0 USD" if abs(value) < 0.005 else f"{digits(value, 2)} USD"


def millions(value: float | None) -> str:
    """Write USD as a bare number of millions for a column headed "M USD"."""
    if value is None or not math.isfinite(value):
        return NONE
    return "0" if abs(value) < 500.0 else digits(value / 1e6)


def percent(fraction: float | None, places: int = 1) -> str:
    """Write a fraction as per cent, such as "13.2 %"."""
    if fraction is None or not math.isfinite(fraction):
        return NONE
    text = f"{100.0 * fraction:.{places}f}"
    return (text[1:] if float(text) == 0.0 and text.startswith("-") else text.replace("-", MINUS)) + " %"


def bare_percent(fraction: float | None, places: int = 1) -> str:
    """Write a fraction as a bare number of per cent for a column headed "%"."""
    return percent(fraction, places).removesuffix(" %")


def count(value: float | None) -> str:
    """Write a number of things without decimals."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:.0f}".replace("-", MINUS)


def times(value: float | None) -> str:
    """Write a ratio, such as "4.6 times"."""
    return NONE if missing(value) else f"{digits(value, 2)} times"


def version_of(manifest: dict[str, Any]) -> str:
    """Return the version of the program that made a run."""
    return str(manifest.get("version") or NONE)


class Clock:
    """Turn seconds from the news into UTC time of day."""

    def __init__(self, t0_utc: str) -> None:
        """Read the moment of t = 0 in ISO 8601; an unreadable one counts from midnight."""
        try:
            moment = datetime.fromisoformat(t0_utc.replace("Z", "+00:00"))
        except (ValueError, AttributeError):
            moment = datetime(2000, 1, 1, tzinfo=UTC)
        self.t0 = moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def at(self, t_s: float | None, seconds: bool = True) -> str:
        """Write the time of day at `t_s`, such as "21:20:30"."""
        if t_s is None or not math.isfinite(t_s):
            return NONE
        return (self.t0 + timedelta(seconds=float(t_s))).strftime("%H:%M:%S" if seconds else "%H:%M")

    def second_of_day(self) -> float:
        """Return the seconds from midnight UTC to t = 0."""
        return self.t0.hour * 3600.0 + self.t0.minute * 60.0 + self.t0.second

    def date(self) -> str:
        """Write the day of t = 0."""
        return self.t0.strftime("%Y-%m-%d")
