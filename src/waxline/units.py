"""Turn texts such as "15m", "2.5bps" and "188 M" into numbers, and numbers into what people read.

Inside the program amounts are USD, shares are fractions, durations are seconds and times are seconds from the scenario's t0.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

from waxline.errors import WaxlineError

BPS = 1e-4
MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 86_400.0
YEAR_S = 365.0 * DAY_S

DURATIONS_S = {"ms": 1e-3, "s": 1.0, "m": MINUTE_S, "min": MINUTE_S, "h": HOUR_S, "d": DAY_S}
FRACTIONS = {"": 1.0, "%": 0.01, "bp": BPS, "bps": BPS}
AMOUNTS_USD = {"": 1.0, "k": 1e3, "M": 1e6, "m": 1e6, "B": 1e9, "b": 1e9, "bn": 1e9, "T": 1e12}
SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))

# A comma parts thousands and nothing else: "1,5 %" is refused, not read as 15 %.
NUMBER_AND_UNIT = re.compile(r"([+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(%|[A-Za-z]*)")
NUMBER_AND_LETTERS = re.compile(r"[\d.]+\s*[a-z]+")
SEVERAL = re.compile(r"(?:[\d.]+\s*[a-z]+\s*){2,}")
DURATION_EXAMPLES = "15m, 90s, 250ms or 1h30m"
CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")


class UnitError(WaxlineError, ValueError):
    """Report a text that is not the number with unit that was asked for."""

    exit_status = 2


def parse_duration_s(value: str | float) -> float:
    """Return seconds from a number of seconds or a text with unit: "90", "250ms", "15m", "1h30m", "2d"; raises UnitError."""
    if isinstance(value, str) and SEVERAL.fullmatch(value.strip()):
        return math.fsum(_parse(part, DURATIONS_S, "a duration", DURATION_EXAMPLES) for part in NUMBER_AND_LETTERS.findall(value))
    return _parse(value, {"": 1.0, **DURATIONS_S}, "a duration", DURATION_EXAMPLES)


def parse_frac(value: str | float) -> float:
    """Return a fraction from a number or a text: "0.05", "5 %" and "500bps" are all 0.05; raises UnitError."""
    return _parse(value, FRACTIONS, "a fraction", "0.05, 5 % or 500bps")


def parse_bps(value: str | float) -> float:
    """Return basis points from a number of basis points or a text: "2.5", "2.5bps" and "0.025 %" are all 2.5; raises UnitError."""
    return _parse(value, {"": 1.0, "bp": 1.0, "bps": 1.0, "%": 100.0}, "a number of basis points", "2.5bps or 0.025 %")


def parse_usd(value: str | float) -> float:
    """Return USD from a number or a text: "188 M", "19.2B", "1,000,000", "250k" or "3 M USD"; raises UnitError."""
    text = re.sub(r"\s*USD$", "", value.strip()) if isinstance(value, str) else value
    return _parse(text, AMOUNTS_USD, "an amount in USD", "250k, 188 M, 19.2 B or 1,000,000")


def _parse(value: str | float, scales: dict[str, float], what: str, examples: str) -> float:
    """Return `value` in the base unit of `scales`; `what` and `examples` go into the error."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UnitError(f"{value!r} is not {what}: write for example {examples}")
    if not isinstance(value, str):
        number, unit = float(value), ""
    else:
        match = NUMBER_AND_UNIT.fullmatch(value.strip())
        if match is None:
            raise UnitError(f"{value!r} is not {what}: write for example {examples}")
        number, unit = float(match[1].replace(",", "")), match[2]
    if unit not in scales:
        known = ", ".join(name for name in scales if name)
        raise UnitError(f"{value!r} is not {what}: the unit {unit!r} is not one of {known}; write for example {examples}")
    if not math.isfinite(number):
        raise UnitError(f"{value!r} is not {what}: it must be finite")
    return number * scales[unit]


def format_usd(amount_usd: float | None) -> str:
    """Return an amount for people, three significant digits: "19.2 B", "188 M", "1.25 k", "-3.10 M", "0"; "n/a" for none."""
    if amount_usd is None or math.isnan(amount_usd):
        return "n/a"
    if math.isinf(amount_usd):
        return "inf" if amount_usd > 0 else "-inf"
    size = abs(amount_usd)
    if size < 0.005:
        return "0"
    sign = "-" if amount_usd < 0 else ""
    for scale, name in SCALES:
        if size >= scale * 0.9995:
            return f"{sign}{_three_digits(size / scale)} {name}"
    return f"{sign}{_three_digits(size)}"


def format_price_usd(price_usd: float | None) -> str:
    """Return a price for people, five significant digits and no exponent: "121,560", "3.7642", "0.0010000"; "n/a" for none."""
    if price_usd is None or not math.isfinite(price_usd):
        return "n/a"
    if price_usd == 0.0:
        return "0"
    decimals = max(0, 4 - math.floor(math.log10(abs(price_usd))))
    return f"{price_usd:,.{min(decimals, 12)}f}"


def format_frac(fraction: float | None, decimals: int = 1) -> str:
    """Return a fraction in per cent: 0.0534 gives "5.3 %"; "n/a" for none."""
    if fraction is None or not math.isfinite(fraction):
        return "n/a"
    return f"{100.0 * fraction:.{decimals}f} %"


def format_duration(duration_s: float | None) -> str:
    """Return a duration for people: "45 s", "1.5 s", "12 min 05 s", "1 h 29 min"; "n/a" for none."""
    if duration_s is None or not math.isfinite(duration_s):
        return "n/a"
    sign, size = ("-" if duration_s < 0 else ""), abs(duration_s)
    if size < MINUTE_S - 0.05:
        return f"{sign}{size:.1f}".removesuffix(".0") + " s"
    whole = round(size)
    if whole < HOUR_S:
        return f"{sign}{whole // 60} min {whole % 60:02d} s"
    return f"{sign}{whole // 3600} h {whole % 3600 // 60:02d} min"


def clock_utc(t_s: float, t0_utc: str | datetime) -> str:
    """Return the time of day in UTC at `t_s` seconds after `t0_utc` (ISO 8601): "21:12:30"."""
    return (moment_utc(t0_utc) + timedelta(seconds=float(t_s))).strftime("%H:%M:%S")


def parse_clock_s(clock: str, t0_utc: str | datetime) -> float:
    """Return seconds from `t0_utc` to the time of day "21:12" or "21:12:30" in UTC, the one nearest to t0; raises UnitError."""
    match = CLOCK.fullmatch(clock.strip())
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3] or 0) > 59:
        raise UnitError(f"{clock!r} is not a time of day in UTC: write for example 21:12 or 21:12:30")
    t0 = moment_utc(t0_utc)
    then = t0.replace(hour=int(match[1]), minute=int(match[2]), second=int(match[3] or 0), microsecond=0)
    return (((then - t0).total_seconds() + DAY_S / 2.0) % DAY_S) - DAY_S / 2.0


def moment_utc(text: str | datetime) -> datetime:
    """Return the moment an ISO 8601 text names, in UTC; a text without time zone counts as UTC; raises UnitError."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError as error:
        raise UnitError(f"{text!r} is not a moment: write for example 2025-10-10T20:50:00Z") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _three_digits(size: float) -> str:
    """Return a positive number with three significant digits and no exponent."""
    decimals = 0 if size >= 99.95 else 1 if size >= 9.995 else 2
    return f"{size:.{decimals}f}"
