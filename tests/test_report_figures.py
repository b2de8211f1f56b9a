"""Figures keep what matters when they are made small: extremes, gaps, sums, clocks, and marks that differ without colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synthetic_run import synthetic_run
from tiny_run import tiny_run
from waxline.report import marks, numbers
from waxline.report.drawing import chart, decimate, drawing, line, stack
from waxline.report.picture import write_picture
from waxline.report.svg import to_svg
from waxline.report.view import View, spans_where
from waxline.results.schema import Cause


def test_decimation_keeps_every_buckets_low_and_high_and_the_gaps() -> None:
    x = np.arange(7200.0)
    y = np.sin(x / 300.0)
    y[3333], y[5000] = -9.0, 9.0
    y[1000:1200] = np.nan
    few_x, few_y = decimate(x, y, 300)
    assert few_x.size <= 600
    assert np.nanmin(few_y) == -9.0 and np.nanmax(few_y) == 9.0
    assert np.isnan(few_y).any() and np.all(np.diff(few_x) >= 0.0)


def test_short_series_are_left_alone() -> None:
    x, y = np.arange(5), np.array([1.0, np.nan, 3.0, 2.0, 5.0])
    assert np.array_equal(decimate(x, y, 10)[1], y, equal_nan=True)


def test_a_bar_keeps_its_height_in_the_small_svg() -> None:
    with drawing():
        figure, (axes,) = chart(width=4.0, height=2.0)
        stack(axes, np.array([0.0, 10.0, 20.0]), [("a", np.array([0.0, 5.0, 0.0]), marks.Fill("#D55E00"))], 10.0)
        axes.set_xlim(0.0, 30.0)
        axes.set_ylim(0.0, 10.0)
        svg = to_svg(figure, "a bar")
    # 4 x 2 in: axes 2.96 x 1.15 in = 213.1 x 82.8 pt; the bar is a third as wide and half as high.
    assert "h71" in svg and "v-41.4" in svg and "v41.4" in svg


def test_dollar_signs_are_text_and_numbers_have_one_decimal() -> None:
    with drawing():
        figure, (axes,) = chart(width=4.0, height=2.0)
        line(axes, np.arange(3), np.array([1.0, 2.0, 1.5]), marks.Line("#000000"))
        axes.set_title("loss $5m (was $3m)")
        svg = to_svg(figure, 'say "x" & <y>')
    assert "loss $5m (was $3m)" in svg
    assert 'aria-label="say &quot;x&quot; &amp; &lt;y&gt;"' in svg
    assert "http" not in svg and "e-0" not in svg


def test_halts_are_found_with_their_ends() -> None:
    times = np.array([-10, 0, 10, 20, 30, 40])
    flags = np.array([False, False, True, True, False, True])
    assert spans_where(times, flags) == [(0.0, 20.0), (30.0, 40.0)]
    assert list(View(synthetic_run()).halts) == ["binance"]
    assert View(tiny_run({"binance-spot-BTC": 1.0})).halts == {}


def test_every_cause_belongs_to_one_group_that_looks_different_from_the_others() -> None:
    causes = [cause for group in marks.CAUSE_GROUPS for cause in group.causes]
    assert sorted(causes) == list(Cause)
    assert len({group.fill for group in marks.CAUSE_GROUPS}) == len(marks.CAUSE_GROUPS)


@pytest.mark.parametrize(
    "fills",
    [
        list(marks.STAGE_FILLS.values()),
        [group.fill for group in marks.CAUSE_GROUPS if group.label not in ("news", "re-quoting of makers", "other")],
    ],
)
def test_filled_areas_differ_by_hatch_too(fills: list[marks.Fill]) -> None:
    assert len({fill.hatch for fill in fills}) == len(fills)


def test_lines_of_one_figure_differ_by_dash_where_their_colours_repeat() -> None:
    lines = marks.spare_lines(24)
    assert len({(mark.colour, mark.dash) for mark in lines}) == 24
    assert marks.venue_line("binance", "spot").dash != marks.venue_line("binance", "perp").dash
    assert len(set(marks.CLASS_LINES.values())) == len(marks.CLASS_LINES)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (None, "–"), (float("nan"), "–"), (float("inf"), "–"), (1234567.0, "1230000"), (0.00012345, "0.000123"),
        (-12.345, "−12.3"), (999.96, "1000"),
    ],
)  # fmt: skip
def test_digits_round_without_exponent(value: float | None, text: str) -> None:
    assert numbers.digits(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (19.2e9, "19.2 B USD"), (999.9e6, "1.00 B USD"), (-3.45e6, "−3.45 M USD"), (0.0, "0 USD"), (12.0, "12.0 USD"), (None, "–"),
    ],
)  # fmt: skip
def test_amounts_carry_their_scale_in_words(value: float | None, text: str) -> None:
    assert numbers.usd(value) == text


def test_shares_never_read_minus_zero() -> None:
    assert numbers.percent(-0.00001) == "0.0 %" and numbers.percent(-0.132) == "−13.2 %"


def test_the_clock_counts_from_the_news() -> None:
    clock = numbers.Clock("2025-10-10T20:50:00Z")
    assert (clock.at(0.0), clock.at(1800.0), clock.at(-600.0, False)) == ("20:50:00", "21:20:00", "20:40")
    assert numbers.Clock("not a time").at(60.0) == "00:01:00"


def test_the_picture_is_1100_by_620_pixels_and_the_same_every_time(tmp_path: Path) -> None:
    run = synthetic_run()
    for name in ("a.png", "b.png"):
        write_picture(run, tmp_path / name)
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    assert [int.from_bytes(content[i : i + 4], "big") for i in (16, 20)] == [1100, 620]
    assert len(content) < 300_000


def test_a_picture_of_a_calm_market_says_that_nobody_was_liquidated(tmp_path: Path) -> None:
    write_picture(tiny_run({"binance-spot-BTC": 100.0}), tmp_path / "calm.png")
    assert (tmp_path / "calm.png").stat().st_size > 5_000
