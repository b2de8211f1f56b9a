"""Texts with units become numbers, numbers become what people read, and wrong texts are refused with a remedy."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from waxline import limits, units
from waxline.errors import WaxlineError
from waxline.units import UnitError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90.0),
        (90, 90.0),
        ("250ms", 0.25),
        ("15m", 900.0),
        ("15 min", 900.0),
        ("1.5h", 5400.0),
        ("1h30m", 5400.0),
        ("2d", 172_800.0),
    ],
)
def test_durations_are_read_in_seconds(text: str | float, seconds: float) -> None:
    assert units.parse_duration_s(text) == seconds


@pytest.mark.parametrize(("text", "fraction"), [("0.05", 0.05), (0.05, 0.05), ("5 %", 0.05), ("500bps", 0.05), ("-3%", -0.03), (".5", 0.5)])
def test_fractions_are_read_from_numbers_per_cent_and_basis_points(text: str | float, fraction: float) -> None:
    assert units.parse_frac(text) == pytest.approx(fraction, rel=1e-15)


def test_basis_points_are_read_from_numbers_and_per_cent() -> None:
    assert units.parse_bps("2.5bps") == units.parse_bps(2.5) == 2.5
    assert units.parse_bps("0.025 %") == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("text", "amount_usd"),
    [("19.2 B", 19.2e9), ("188M", 188e6), ("1,000,000", 1e6), ("250k", 250e3), ("3 M USD", 3e6), ("1e6", 1e6), (7, 7.0)],
)
def test_amounts_are_read_in_usd(text: str | float, amount_usd: float) -> None:
    assert units.parse_usd(text) == amount_usd


@pytest.mark.parametrize(
    ("parse", "text", "says"),
    [
        (units.parse_duration_s, "15 parsec", "unit 'parsec' is not one of ms, s, m, min, h, d"),
        (units.parse_duration_s, "soon", "write for example 15m"),
        (units.parse_duration_s, "", "write for example 15m"),
        (units.parse_frac, "5 bananas", "unit 'bananas' is not one of %, bp, bps"),
        (units.parse_frac, "1,5 %", "is not a fraction"),
        (units.parse_frac, True, "is not a fraction"),
        (units.parse_frac, float("nan"), "must be finite"),
        (units.parse_usd, "19.2 EUR", "unit 'EUR'"),
        (units.parse_usd, "1e999", "must be finite"),
        (units.parse_bps, "two", "basis points"),
    ],
)
def test_a_wrong_text_is_refused_with_the_units_that_exist(parse: Callable[[object], float], text: object, says: str) -> None:
    with pytest.raises(UnitError, match="(?s)" + says.replace(".", r"\.")) as caught:
        parse(text)
    assert caught.value.exit_status == 2
    assert isinstance(caught.value, ValueError), "validators of scenario fields report ValueError with line and field"


@pytest.mark.parametrize(
    ("amount_usd", "text"),
    [
        (19.2e9, "19.2 B"),
        (188e6, "188 M"),
        (1250.0, "1.25 k"),
        (-3.1e6, "-3.10 M"),
        (999_950_000.0, "1.00 B"),
        (999.96, "1.00 k"),
        (12.3, "12.3"),
        (0.0, "0"),
        (math.nan, "n/a"),
        (None, "n/a"),
        (math.inf, "inf"),
    ],
)
def test_amounts_are_shown_with_three_digits(amount_usd: float | None, text: str) -> None:
    assert units.format_usd(amount_usd) == text


@pytest.mark.parametrize(("price_usd", "text"), [(121_560.4, "121,560"), (3.7642, "3.7642"), (0.001, "0.0010000"), (math.nan, "n/a"), (0.0, "0")])
def test_prices_are_shown_with_five_digits_and_no_exponent(price_usd: float, text: str) -> None:
    assert units.format_price_usd(price_usd) == text


def test_fractions_and_durations_are_shown_for_people() -> None:
    assert units.format_frac(0.0534) == "5.3 %"
    assert units.format_frac(None) == "n/a"
    assert [units.format_duration(s) for s in (1.5, 45, 59.97, 725, 5340, -90)] == [
        "1.5 s",
        "45 s",
        "1 min 00 s",
        "12 min 05 s",
        "1 h 29 min",
        "-1 min 30 s",
    ]


def test_clock_times_and_seconds_from_t0_are_inverse_to_each_other() -> None:
    t0 = "2025-10-10T20:50:00Z"
    assert units.clock_utc(0, t0) == "20:50:00"
    assert units.clock_utc(-600, t0) == "20:40:00"
    assert units.parse_clock_s("21:12", t0) == 1320.0
    assert units.parse_clock_s("20:40:30", t0) == -570.0
    assert units.parse_clock_s("00:10", t0) == 12_000.0, "after midnight means the next day"
    assert units.clock_utc(units.parse_clock_s("22:19:07", t0), t0) == "22:19:07"
    for wrong in ("25:00", "21.12", "21:60", "noon"):
        with pytest.raises(UnitError, match="write for example 21:12"):
            units.parse_clock_s(wrong, t0)
    with pytest.raises(UnitError, match="is not a moment"):
        units.moment_utc("yesterday")


@pytest.mark.parametrize("limit", limits.ALL, ids=lambda limit: limit.what)
def test_a_limit_lets_its_largest_value_pass_and_gives_advice_beyond(limit: limits.Limit) -> None:
    assert limit.check(limit.most) == limit.most
    with pytest.raises(limits.LimitError) as caught:
        limit.check(limit.most + 1, "population.traders")
    message = str(caught.value)
    assert message.startswith("population.traders: ")
    assert limit.advice in message and f"{limit.most:,}" in message
    assert isinstance(caught.value, WaxlineError) and caught.value.exit_status == 3


def test_every_limit_of_the_module_is_listed() -> None:
    declared = {id(value) for value in vars(limits).values() if isinstance(value, limits.Limit)}
    assert declared == {id(limit) for limit in limits.ALL}
