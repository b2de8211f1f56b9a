"""A report of a run as large as the demo stays small, quick and whole."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from synthetic_run import MARKETS, synthetic_run
from waxline.report.document import write_report
from waxline.results.run_result import RunResult
from waxline.results.schema import BIN_FIELDS, PRICE_FIELDS, table

CLASSES = ("major", "mid", "small", "tiny")
BASE = {row.name: number for number, row in enumerate(MARKETS)}
LIKE = {"spot": "binance-spot-DOGE", "perp": "binance-perp-DOGE"}
PLACES = (("binance", "spot"), ("binance", "perp"), ("bybit", "perp"), ("coinbase", "spot"), ("hyperliquid", "perp"))


def wide_run(coins: int = 38, named: int = 24) -> RunResult:
    """Return the run made by hand with `coins` more altcoins on five venues, many more events and named accounts."""
    run = synthetic_run()
    symbols = [f"C{number:02d}" for number in range(coins)]
    names = [f"{venue}-{kind}-{symbol}" for symbol in symbols for venue, kind in PLACES]
    source = [BASE[LIKE[kind]] for _ in symbols for _, kind in PLACES]
    draw = np.random.default_rng(7)
    factor = draw.uniform(0.8, 1.2, len(names))[:, None].astype(np.float32)
    arrays = {field: np.concatenate([getattr(run, field), getattr(run, field)[source] * factor]) for field in PRICE_FIELDS}
    arrays |= {field: np.concatenate([getattr(run, field), getattr(run, field)[source]]) for field in BIN_FIELDS}
    for field in ("cause_dlog", "cause_sold_usd", "cause_bought_usd"):
        arrays[field] = np.concatenate([getattr(run, field), getattr(run, field)[source]])
    columns = {name: run.markets[name].to_list() for name in run.markets.columns}
    for number, name in enumerate(names):
        venue, kind, symbol = name.split("-")
        values = {**run.markets.row(source[number], named=True), "market_id": len(MARKETS) + number, "name": name, "venue": venue}
        values |= {"kind": kind, "asset": symbol, "size_class": CLASSES[int(symbol[1:]) % 4], "sister_id": -1}
        for key, value in values.items():
            columns[key].append(value)
    shifted = [run.liquidations.with_columns(pl.col("t_s") + shift, pl.col("account") + 10_000 * shift) for shift in range(25)]
    many = pl.concat(shifted).with_columns(
        pl.lit(symbols * (25 * run.liquidations.height // coins + 1)).explode().head(25 * run.liquidations.height).alias("asset")
    )
    others = [
        run.named.filter(pl.col("name") == "whale DOGE").with_columns(
            pl.lit(f"whale {number}").alias("name"), pl.lit(100 + number, dtype=pl.Int64).alias("account")
        )
        for number in range(named)
    ]
    fair = np.concatenate([run.fair_usd, run.fair_usd[[run.asset_index("DOGE")] * coins]])
    return replace(
        run,
        markets=table("markets", columns),
        assets=[*run.assets, *symbols],
        fair_usd=fair,
        liquidations=many,
        named=pl.concat([run.named, *others]).sort("t_s", "account"),
        baseline={**(run.baseline or {}), **dict.fromkeys(names, 0.08)},
        **arrays,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    path = tmp_path_factory.mktemp("wide") / "report.html"
    start = time.process_time()
    write_report(wide_run(), path)
    return path, time.process_time() - start


def test_a_report_as_large_as_the_demo_is_smaller_than_three_megabytes(written: tuple[Path, float]) -> None:
    assert written[0].stat().st_size < 3_000_000


def test_a_report_as_large_as_the_demo_takes_seconds(written: tuple[Path, float]) -> None:
    assert written[1] < 25.0, "about 6 s alone on a machine; the bound leaves room for a busy one"


def test_every_altcoin_has_its_panel(written: tuple[Path, float]) -> None:
    text = written[0].read_text(encoding="utf-8")
    assert all(f">C{number:02d}<" in text for number in range(38))
