"""Raw depth streams are rebuilt by the venue's sequence rules, held against their own book ticker, and give a half-life of refill."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from depth_files import Recorder, quiet, refilling
from waxline.depth.book import LevelBook
from waxline.depth.curve import depth_curve
from waxline.depth.reading import read_depth
from waxline.depth.refill import refill, refill_time
from waxline.depth.samples import DepthError
from waxline.depth.stream import Stream, read_raw_stream, replay, taker_orders


def read(recorder: Recorder) -> Stream:
    return read_raw_stream(recorder.lines, "made.gz")


@pytest.mark.parametrize("futures", [True, False], ids=["futures", "spot"])
def test_a_whole_stream_is_rebuilt_without_gap_crossing_or_difference(futures: bool) -> None:
    recorder = quiet(futures)
    found = read(recorder)
    assert (found.snapshots, found.applied, found.dropped, found.gaps, found.crossed) == (1, 50 + futures, 1 - futures, [], 0)
    assert (found.compared, found.price_differs, found.size_differs) == (50, 0, 0)
    last = list(replay(found))[-1][1]
    assert last.quantity == recorder.book, "level for level the book that sent the changes"
    assert found.samples.usd.shape[0] >= 5 and found.known_s == pytest.approx(4.9, abs=0.11)


@pytest.mark.parametrize("futures", [True, False], ids=["futures", "spot"])
def test_a_lost_change_is_a_gap_and_nothing_is_told_until_the_next_snapshot(futures: bool) -> None:
    found = read(quiet(futures, lost=[20]))
    assert len(found.gaps) == 1 and found.gaps[0] == pytest.approx(2.2, abs=0.01)
    assert found.applied == 20 + futures and found.dropped == 29 - futures and found.known_s < 2.2
    again = read(quiet(futures, lost=[20], again=30))
    assert len(again.gaps) == 1 and again.snapshots == 2 and again.applied == 40 + 2 * futures
    assert again.price_differs == again.size_differs == again.crossed == 0


@pytest.mark.parametrize("futures", [True, False], ids=["futures", "spot"])
def test_changes_that_arrive_before_the_snapshot_but_reach_beyond_it_are_applied(futures: bool) -> None:
    recorder = quiet(futures)
    snapshot = next(n for n, line in enumerate(recorder.lines) if "lastUpdateId" in line)
    later = recorder.lines.pop(snapshot)
    recorder.lines.insert(snapshot + 8, later)  # four changes and their tickers overtake it
    found = read(recorder)
    assert found.gaps == [] and found.applied == 50 + futures and found.dropped == 1 - futures
    assert list(replay(found))[-1][1].quantity == recorder.book


def test_a_ticker_that_tells_another_price_is_counted() -> None:
    recorder = quiet()
    for n in (10, 20, 30):
        at = [k for k, line in enumerate(recorder.lines) if "bookTicker" in line][n]
        recorder.lines[at] = recorder.lines[at].replace('"b": "99.99"', '"b": "99.98"')
    found = read(recorder)
    assert found.price_differs == 3 and found.size_differs == 0


def test_a_crossed_book_is_counted_and_left_out() -> None:
    recorder = quiet(changes=30)
    recorder.change(4.0, [(0, 100.05, 5.0)], ticker=False)
    recorder.change(4.1, [(0, 100.05, 0.0)], ticker=False)
    found = read(recorder)
    assert found.crossed == 1
    assert "1 moments with a crossed book were left out" in found.samples.notes


def test_a_level_book_holds_what_a_plain_dictionary_holds() -> None:
    from waxline.streams import key, uniforms

    draws = np.asarray(uniforms(key(3, 25, 0), 3000)).reshape(-1, 3)
    book, plain = LevelBook(), ({}, {})
    for a, b, c in draws:
        side, price, quantity = int(a * 2), float(round(95.0 + 10.0 * b, 1)), 0.0 if c < 0.4 else round(float(c), 3)
        book.change(side, price, quantity)
        plain[side].pop(price, None)
        if quantity:
            plain[side][price] = quantity
    assert book.quantity == plain
    for side in range(2):
        assert book.prices[side] == sorted(plain[side])
    assert book.within_usd(0, 100.0) == pytest.approx(sum(p * q for p, q in plain[0].items() if p >= 100.0))
    assert book.within_usd(1, 100.0) == pytest.approx(sum(p * q for p, q in plain[1].items() if p <= 100.0))
    depth = book.depth(100.0, np.full((2, 1), 0.03))
    assert depth[0, 0] == pytest.approx(sum(p * q for p, q in plain[0].items() if abs(math.log(100.0 / p)) <= 0.03 or p > 100.0))


@pytest.mark.parametrize("half_life_s", [0.5, 2.0, 6.0])
def test_the_half_life_of_a_book_that_refills_exponentially_is_found(half_life_s: float) -> None:
    found = refill(read(refilling(half_life_s)))
    assert found is not None and found.trades >= 10
    assert found.half_life_s.value == pytest.approx(half_life_s, abs=0.06)
    assert found.half_life_s.low <= found.half_life_s.value <= found.half_life_s.high


def test_a_book_that_does_not_refill_has_a_half_life_beyond_the_window() -> None:
    found = refill(read(refilling(1e6)))
    assert found is not None and math.isinf(found.half_life_s.value)
    assert all(share.value == 0.0 for _, share in found.back_frac)


def test_few_trades_give_no_half_life() -> None:
    assert refill(read(refilling(2.0, events=5))) is None
    assert refill(read(quiet())) is None


def test_a_refill_time_counts_from_the_largest_loss_to_half_of_it() -> None:
    assert refill_time(100.0, [0.0, 0.1, 0.2, 1.0, 2.0], [90.0, 60.0, 65.0, 79.0, 81.0]) == pytest.approx(1.9)
    assert refill_time(100.0, [0.0, 1.0], [100.0, 50.0]) is None
    assert refill_time(100.0, [0.0, 1.0], [50.0, 60.0]) == math.inf
    assert refill_time(100.0, [], []) is None


def test_fills_of_one_instant_are_one_order() -> None:
    assert taker_orders([(1.0, 0, 5.0), (1.0, 0, 7.0), (1.0, 1, 2.0), (0.5, 0, 1.0)]) == [(0.5, 0, 1.0), (1.0, 0, 12.0), (1.0, 1, 2.0)]


CHANGES = """\
exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount
x,X,1000000,1000010,true,bid,99.9,5
x,X,1000000,1000010,true,bid,99.5,20
x,X,1000000,1000011,true,ask,100.1,4
x,X,1000000,1000011,true,ask,101,10
x,X,2500000,2500010,false,bid,99.9,0
x,X,2500000,2500010,false,ask,100.05,1
x,X,4000000,4000010,false,bid,99.8,3
"""


def test_changes_by_row_are_grouped_and_applied(tmp_path: Path) -> None:
    path = tmp_path / "incremental.csv"
    path.write_text(CHANGES)
    samples, stream = read_depth(path)
    assert stream is not None and (stream.snapshots, stream.applied, stream.gaps) == (1, 2, [])
    last = list(replay(stream))[-1][1]
    assert last.quantity == ({99.5: 20.0, 99.8: 3.0}, {100.05: 1.0, 100.1: 4.0, 101.0: 10.0})
    assert samples.t_s.tolist() == [0.0, 1.5, 3.0]


REFUSED = {
    "no snapshot": (lambda r: [line for line in r.lines if "lastUpdateId" not in line], "must hold a snapshot"),
    "snapshot that nothing follows": (lambda r: [line.replace('"lastUpdateId": 1003', '"lastUpdateId": 5') for line in r.lines], None),
    "broken line": (lambda r: [*r.lines[:5], r.lines[5][:40] + "\n"], "line 6: must be JSON"),
    "no local time": (lambda r: [*r.lines[:5], "{}\n"], "line 6: must begin with the local time in nanoseconds, was '{}': "),
    "no number": (lambda r: [line.replace('"99.90"', '"x"') for line in r.lines], r"line \d+: price must be a number of at least 0, was 'x'"),
    "change without sides": (lambda r: [line.replace('"b": [', '"c": [') for line in r.lines], r"line 1: the message lacks what its kind needs \('b'\)"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_faulty_stream_is_refused_or_told(fault: str) -> None:
    spoil, says = REFUSED[fault]
    if says is None:
        found = read_raw_stream(spoil(quiet()), "made.gz")
        assert found.snapshots == 1 and found.applied == 0 and len(found.gaps) == 1
        return
    with pytest.raises(DepthError, match=says):
        read_raw_stream(spoil(quiet()), "made.gz")


@pytest.mark.parametrize("name", ["spot_btcusdt", pytest.param("usdm_ethusdt", marks=pytest.mark.slow)])
def test_a_recorded_stream_follows_its_own_book_ticker_without_crossing(shared: Path, name: str) -> None:
    path = shared / "data" / "binance_l2_20240808" / f"{name}_20240808.gz"
    if not path.is_file():
        pytest.skip("the recorded stream is absent")
    samples, found = read_depth(path)
    assert found is not None and found.snapshots == 1 and found.gaps == [] and found.crossed == 0
    assert found.compared > 3000 and found.price_differs == 0 and found.size_differs == 0
    assert found.known_s > 340.0
    curve = depth_curve(samples)
    assert curve.depth_usd.low < curve.depth_usd.value < curve.depth_usd.high
    assert 0.5 < curve.exponent.low < curve.exponent.value < curve.exponent.high < 1.6
    back = refill(found)
    assert back is not None and back.trades >= 15
    assert 0.3 < back.half_life_s.low <= back.half_life_s.value <= back.half_life_s.high < 20.0
