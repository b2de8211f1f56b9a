"""Depth files of every form give the curve they were made from, and a faulty file is refused with place, rule, value and remedy."""

from __future__ import annotations

import dataclasses
import gzip
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from depth_files import MID, bands, levels
from waxline.bootstrap import block_rows, interval
from waxline.cli.main import app
from waxline.depth.curve import depth_curve, fit_power_law
from waxline.depth.formula import from_points, power_law, read_points
from waxline.depth.ladder import LadderRules, ladder_exponent, ladder_usd, maker_exponent, override_words, yaml_lines
from waxline.depth.reading import read_depth
from waxline.depth.samples import BPS, DepthError, DepthRequestError, cumulative
from waxline.scenario.files import parse_scenario


def written(folder: Path, lines: list[str] | str, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_text(lines if isinstance(lines, str) else "".join(lines), encoding="utf-8")
    return path


def test_percent_bands_give_back_depth_and_exponent(tmp_path: Path) -> None:
    samples, stream = read_depth(written(tmp_path, bands(exponent=0.7, depth_usd=2e6)))
    curve = depth_curve(samples, 1.0, 500.0)
    assert stream is None and samples.usd.shape == (40, 2, 5) and samples.notes == []
    assert curve.depth_usd.value == pytest.approx(2e6, rel=0.01)
    assert curve.exponent.value == pytest.approx(0.7, abs=0.01)
    assert curve.exponent.low <= curve.exponent.value <= curve.exponent.high
    assert samples.distance[0, 0] == pytest.approx(-math.log(0.99)) and samples.distance[1, 0] == pytest.approx(math.log(1.01))
    assert samples.t_s[1] - samples.t_s[0] == 30.0


def test_a_further_column_and_packed_files_are_read_alike(tmp_path: Path) -> None:
    plain, _ = read_depth(written(tmp_path, bands()))
    five, _ = read_depth(written(tmp_path, bands(extra=",99.5"), "five.csv"))
    packed = tmp_path / "day.csv.gz"
    packed.write_bytes(gzip.compress("".join(bands()).encode()))
    zipped = tmp_path / "day.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("day.csv", "".join(bands()))
    for other in (five, read_depth(packed)[0], read_depth(zipped)[0]):
        assert np.array_equal(other.usd, plain.usd)


def test_faulty_moments_of_a_band_file_are_left_out_and_counted_and_a_frozen_side_is_named(tmp_path: Path) -> None:
    lines = bands(60)
    del lines[3]  # a band of the first moment
    lines[19] = lines[19].replace(lines[19].split(",")[3], "1.0\n")  # the asks within 5 % of the second moment shrink
    parts = lines[24].split(",")
    lines[24] = ",".join([*parts[:2], f"{float(parts[3]) / (MID * 1.5):.6f}", parts[3]])  # bids of the third at half as much again
    for n, line in enumerate(lines[300:], 300):
        stamp, percentage, _, _ = line.split(",")
        if float(percentage) > 0:
            base = 1e6 * float(percentage) ** 0.7
            lines[n] = f"{stamp},{percentage},{base / (MID * (1 + 0.003 * float(percentage))):.6f},{base:.4f}\n"
    samples, _ = read_depth(written(tmp_path, lines))
    assert samples.usd.shape[0] == 57
    notes = " | ".join(samples.notes)
    assert "1 of 60 moments left out: without all bands" in notes and "1 of 60 moments left out: shrinking" in notes
    assert "1 of 60 moments left out: crossed" in notes
    assert "asks are the same in 30 moments on end" in notes and "bids are" not in notes


BOOK = {"lastUpdateId": 7, "bids": [["99.9", "5"], ["99.5", "20"]], "asks": [["100.1", "4"], ["101", "10"]]}
L2 = {"time": "x", "raw": {"channel": "l2Book", "data": {"coin": "X", "time": 5000, "levels": [[{"px": "99.9", "sz": "5", "n": 2}, {"px": "99.5", "sz": "20"}],
      [{"px": "100.1", "sz": "4"}, {"px": "101", "sz": "10"}]]}}}  # fmt: skip
TABLE = "side,price,quantity\nbid,99.9,5\nbid,99.5,20\nask,100.1,4\nask,101,10\n"
TOP = (
    "exchange,symbol,timestamp,local_timestamp,asks[0].price,asks[0].amount,bids[0].price,bids[0].amount,asks[1].price,asks[1].amount,bids[1].price,bids[1].amount\n"
    "x,X,1000000,1000001,100.1,4,99.9,5,101,10,99.5,20\n"
)


@pytest.mark.parametrize(
    "text", [json.dumps(BOOK), json.dumps(BOOK, indent=2), json.dumps(L2), TABLE, TOP], ids=["json", "indented", "l2Book", "table", "top levels"]
)
def test_snapshots_of_every_form_give_the_same_book(tmp_path: Path, text: str) -> None:
    samples, _ = read_depth(written(tmp_path, text))
    assert samples.mid_usd[0] == pytest.approx(100.0)
    at = {round(d / BPS): n for n, d in enumerate(samples.distance[0])}
    assert samples.usd[0, 0, at[10]] == 0.0 and samples.usd[0, 0, at[20]] == pytest.approx(5 * 99.9)
    assert samples.usd[0, 0, at[100]] == pytest.approx(5 * 99.9 + 20 * 99.5)
    assert samples.usd[0, 1, at[100]] == pytest.approx(4 * 100.1 + 10 * 101)
    assert samples.half_spread[0] == pytest.approx(0.5 * math.log(100.1 / 99.9))
    assert samples.reach[0] == pytest.approx(math.log(100.0 / 99.5))


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7])
def test_a_book_with_a_known_power_law_is_fitted(tmp_path: Path, exponent: float) -> None:
    bids, asks = levels(exponent, 3e6)
    text = "side,price,quantity\n" + "".join(f"{side},{p!r},{q!r}\n" for side, rows in (("bid", bids), ("ask", asks)) for p, q in rows)
    curve = depth_curve(read_depth(written(tmp_path, text))[0])
    assert curve.exponent.value == pytest.approx(exponent, abs=0.01)
    assert curve.depth_usd.value == pytest.approx(3e6, rel=0.02)
    assert math.isnan(curve.exponent.low), "one moment gives no interval"


def test_cumulative_depth_counts_what_a_plain_loop_counts() -> None:
    bids, asks = levels(0.8, 1e6, 50)
    for side, rows in enumerate((bids, asks)):
        prices, quantities = np.array(rows[::-1]).T
        for d in (0.5e-4, 1e-4, 17.3e-4, 1.0):
            slow = sum(p * q for p, q in rows if abs(math.log(p / MID)) <= d + 1e-12)
            assert cumulative(prices, quantities, MID, np.array([d]), side)[0] == pytest.approx(slow)


def test_the_published_points_of_btc_give_the_published_exponent() -> None:
    # Amberdata: BTC/FDUSD July and August 2025, 3.50 M USD within 10 bp, 16.53 M USD within 100 bp.
    curve = depth_curve(read_points("10bps=3.50M,100bps=16.53M"))
    assert curve.exponent.value == pytest.approx(math.log(16.53 / 3.50) / math.log(10.0), abs=1e-12)
    assert round(curve.exponent.value, 3) == 0.674
    assert curve.depth_usd.value == pytest.approx(16.53e6, rel=0.01)


def test_a_power_law_is_its_own_fit() -> None:
    curve = depth_curve(power_law(5e6, 0.9, 1.5))
    assert curve.exponent.value == pytest.approx(0.9) and curve.half_spread_bps.value == pytest.approx(1.5)
    assert float(curve.within(math.log1p(0.01))) == pytest.approx(curve.depth_usd.value, rel=0.01)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    from waxline.streams import key, normals

    covered = 0
    for n in range(40):
        sample = np.asarray(normals(key(n, 25, -1), 100))
        low, high = interval(100, lambda rows, sample=sample: np.array([sample[rows].mean()]), block=1)
        covered += bool(low[0] <= 0.0 <= high[0])
    assert 31 <= covered <= 40


def test_blocks_keep_neighbours_together() -> None:
    rows = block_rows(100, 10, 3)
    assert rows.size == 100 and rows.min() >= 0 and rows.max() < 100
    assert np.count_nonzero(np.diff(rows) == 1) >= 90


def test_the_built_ladder_has_the_curves_depth_and_exponent() -> None:
    rules = LadderRules()
    for exponent in (0.5, 0.67, 1.0, 1.4):
        curve = depth_curve(power_law(5e6, exponent, 1.0))
        chosen, reached = maker_exponent(curve, rules)
        assert reached == pytest.approx(exponent, abs=0.01)
        assert ladder_usd(curve.depth_usd.value, 1.0, chosen, np.array([0.01]), rules)[0] == pytest.approx(curve.depth_usd.value, rel=1e-9)


def test_the_ladder_is_the_one_the_simulation_builds() -> None:
    import small_world
    from waxline.simulation.build_markets import build_markets, canonical_names

    asked = small_world.scenario("makers.depth_exponent=0.9", "markets[binance-perp-BTC].half_spread_bps=3")
    names = canonical_names(asked)
    markets = build_markets(asked, names)
    m = names.markets.index("binance-perp-BTC")
    gap = min(asked.crowd.gap_volatilities * markets.volatility[m], asked.crowd.gap_limit_frac)
    assert gap > 0.0
    rules = LadderRules(asked.grid_of(asked.market("binance-perp-BTC")), asked.makers.depth_share_frac, asked.makers.reach_frac, asked.crowd.reach_frac, gap)
    distances = np.array([5e-4, 2e-3, 1e-2, 3e-2])
    away = markets.offset[m] * markets.grid[m] + 3e-4
    usd = markets.usd[m]
    built = [float(usd[away <= d + 1e-12].sum()) for d in distances]
    assert ladder_usd(asked.market("binance-perp-BTC").depth_usd, 3.0, 0.9, distances, rules) == pytest.approx(built)
    assert 0.9 < ladder_exponent(3e7, 3.0, 0.9, distances[:3], dataclasses.replace(rules, crowd_gap=0.0)) < 1.0, "the crowd's part is nearly linear"


def test_the_lines_and_overrides_are_accepted_by_a_scenario() -> None:
    import small_world

    curve = depth_curve(power_law(188.4e6, 0.8, 0.5))
    lines = yaml_lines(curve, LadderRules(), "depth fitted to x", "binance-perp-BTC")
    assert lines[1].startswith("  - {venue: binance, asset: BTC, kind: perp, depth_usd: ") and "half_spread_bps: 0.5" in lines[1]
    asked = small_world.scenario(*override_words(curve, LadderRules(), "binance-perp-BTC"))
    assert asked.market("binance-perp-BTC").depth_usd == pytest.approx(curve.depth_usd.value, rel=0.005)
    kept = small_world.TEXT.replace(
        "  - {venue: binance, asset: BTC, kind: perp, depth_usd: 30e6, open_interest_usd: 5e8, never_liquidated_frac: 0.4, source: A}", lines[1]
    )
    kept = kept.replace('"depth fitted to x"', "A")
    assert kept != small_world.TEXT
    assert parse_scenario(kept, [], "pasted.yaml").market("binance-perp-BTC").depth_usd == asked.market("binance-perp-BTC").depth_usd


REFUSED = {
    "no such file": (None, r"is not there: check the name"),
    "empty": ("", r"is empty: give percent bands"),
    "other form": ("a,b,c\n1,2,3\n", r"line 1: must be one of the known forms, was 'a,b,c'"),
    "bands without notional": ("timestamp,percentage,depth\nx,1,2\n", r"line 1: must have the columns .* notional is missing"),
    "cut band line": ("timestamp,percentage,depth,notional\n2025-10-10 00:00:00,1,5\n", r"line 2: must have 4 fields, has 3: the file was cut"),
    "no number": ("timestamp,percentage,depth,notional\n2025-10-10 00:00:00,1,five,500\n", r"line 2: depth must be a number of at least 0, was 'five'"),
    "negative size": ("timestamp,percentage,depth,notional\n2025-10-10 00:00:00,1,-5,500\n", r"line 2: depth must be a number of at least 0, was '-5'"),
    "no date": ("timestamp,percentage,depth,notional\nnoon,1,5,500\n", r"line 2: timestamp must be a date and time such as .* was 'noon'"),
    "one side": ("timestamp,percentage,depth,notional\n2025-10-10 00:00:00,1,5,500\n", r"must have bands on both sides, has 1"),
    "band of zero": ("timestamp,percentage,depth,notional\n2025-10-10 00:00:00,0,5,500\n", r"line 2: percentage must lie in .* was 0"),
    "crossed snapshot": ('{"bids": [["101", "1"]], "asks": [["100", "1"]]}', r"snapshot 1: the best bid must be below the best ask, was 101 against 100"),
    "empty side": ('{"bids": [], "asks": [["100", "1"]]}', r"must have bids and asks, has 0 and 1 levels"),
    "no book": ('{"price": 5}', r"holds no book"),
    "broken JSON": ('{"bids": [["99", "1"]], "asks": [["10', r"line 1: must be JSON, stops at character"),
    "unknown side": ("side,price,quantity\nup,5,5\n", r"line 2: side must be bid or ask, was 'up'"),
    "table without sizes": ("side,price\nbid,5\n", r"line 1: must have the columns side, price and quantity"),
    "price of zero": ("side,price,quantity\nbid,0,5\n", r"line 2: price must be positive, was 0"),
    "one distance": ("side,price,quantity\nbid,99,5\nask,101,5\n", r"the fit needs depth at two distances"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_faulty_file_is_refused_with_place_rule_value_and_remedy(fault: str, tmp_path: Path) -> None:
    text, says = REFUSED[fault]
    path = tmp_path / "none.csv" if text is None else written(tmp_path, text)
    with pytest.raises(DepthError, match=says) as caught:
        depth_curve(read_depth(path)[0], 1.0, 100.0)
    assert caught.value.exit_status == 4 and ": " in str(caught.value)


@pytest.mark.parametrize("points", ["10bps=5M", "10bps=5M,10bps=6M", "10bps=5M,20bps=4M", "10bps"])
def test_points_that_are_no_curve_are_refused(points: str) -> None:
    with pytest.raises(DepthError, match="write for example"):
        read_points(points)
    with pytest.raises(DepthError, match="give both above 0"):
        power_law(0.0, 1.0)


def test_two_moments_of_bytes_that_are_no_text_or_cut_are_refused(tmp_path: Path) -> None:
    raw = tmp_path / "raw.bin"
    raw.write_bytes(b"\x04\x22\x4d\x18\xff\xfe")
    with pytest.raises(DepthError, match="is no text"):
        read_depth(raw)
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"x" * 100_000)[:60])
    with pytest.raises(DepthError, match="cannot be read to its end"):
        read_depth(cut)


def test_too_many_lines_are_refused_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from waxline.depth import reading
    from waxline.limits import LimitError

    monkeypatch.setattr(reading, "DEPTH_LINES", dataclasses.replace(reading.DEPTH_LINES, most=10))
    with pytest.raises(LimitError, match="Cut the file"):
        read_depth(written(tmp_path, bands()))


def test_the_fit_is_exact_on_a_power_law() -> None:
    d = np.array([1e-4, 3e-4, 2e-3])
    exponent, level = fit_power_law(d, 7.0 * (d / math.log1p(0.01)) ** 1.3)
    assert exponent == pytest.approx(1.3) and level == pytest.approx(7.0)
    assert from_points([(1.0, 1.0), (10.0, 20.0)]).usd.shape == (1, 2, 2)


def test_the_command_prints_depth_fit_and_lines_to_paste(tmp_path: Path) -> None:
    path = written(tmp_path, bands(exponent=0.7))
    result = CliRunner().invoke(app, ["depth", str(path), "--market", "binance-perp-BTC"])
    assert result.exit_code == 0, result.output
    for words in (
        "percent bands, 40 moments",
        "exponent of depth against distance, 1 to 500 bps: 0.70",
        "  depth_exponent: ",
        "--set 'markets[binance-perp-BTC]",
    ):
        assert words in result.output, result.output
    plain = CliRunner().invoke(app, ["depth", str(path), "--json"])
    told = json.loads(plain.output)
    assert told["exponent"]["value"] == pytest.approx(0.7, abs=0.01) and len(told["bands"]) == 10
    for arguments, status, says in (
        (["depth", str(path), "--market", "BTC"], 2, "--market: must be venue-kind-asset"),
        (["depth", str(path), "--from-bps", "50", "--to-bps", "20"], 2, "the range of the fit must rise"),
        (["depth", str(tmp_path)], 4, "is a folder"),
    ):
        refused = CliRunner().invoke(app, arguments)
        assert refused.exit_code == status and says in refused.output, refused.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"bids": 5, "asks": 6}', "must be lists of price and quantity"),
        ('{"bids": {"a": 1}, "asks": {"b": 2}}', "must be lists of price and quantity"),
        ('{"bids": [[1]], "asks": [[1.1, 2]]}', "a level must be price and quantity"),
        ('{"bids": [null], "asks": [null]}', "a level must be price and quantity"),
        ("[" * 100_000, "is nested too deeply"),
        ("timestamp,percentage,depth,notional\n" + "9" * 400 + ",1,1,1\n", "timestamp must be a date and time"),
        ("timestamp,percentage,depth,notional\n\u00b2,1,1,1\n", "timestamp must be a date and time"),
        ('timestamp,percentage,depth,notional\n"' + "x" * 200_000 + '",1,1,1\n', "cannot be read as CSV"),
        ("timestamp,percentage,depth,notional\n" + "".join(f"2025-10-10 20:49:30,{p},0,0\n" for p in (-1, 1)), "with an empty side"),
    ],
    ids=lambda value: value[:30],
)
def test_books_that_are_none_are_refused_with_the_reason(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "book.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DepthError, match=says):
        read_depth(path)


def test_a_mark_of_byte_order_is_no_mistake(tmp_path: Path) -> None:
    plain, marked = written(tmp_path, bands()), tmp_path / "marked.csv"
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    assert np.array_equal(read_depth(marked)[0].usd, read_depth(plain)[0].usd)


def test_stated_depths_beyond_any_book_are_refused() -> None:
    for points in ([(10.0, 1e-300), (20.0, 1.0)], [(10.0, 1.0), (20.0, 1e300)]):
        with pytest.raises(DepthRequestError, match="depth of points must lie in"):
            from_points(points)
