"""Look at one run as the report does: clock, halts, the main venue, the assets in focus, lows; worked out once per report."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.report.numbers import Clock
from waxline.results.run_result import RunResult
from waxline.results.schema import VENUES, Cause

Float64 = NDArray[np.float64]
FOCUS = ("BTC", "ETH", "SOL")
CLASSES = ("btc_eth", "major", "mid", "small", "tiny", "claim")


class View:
    """Keep a run with what several sections ask of it."""

    def __init__(self, run: RunResult) -> None:
        """Look at `run`."""
        self.run = run
        self.clock = Clock(str(run.manifest.get("t0_utc", "")))
        self._named: dict[str, dict[str, pl.DataFrame]] = {}

    # Choices ---------------------------------------------------------------------------------------------------------

    @cached_property
    def venues(self) -> list[str]:
        """Return the venues that have markets, in the fixed order of venues."""
        present = set(self.run.markets["venue"].to_list())
        return [v for v in VENUES if v in present] + sorted(present - set(VENUES))

    @cached_property
    def main_venue(self) -> str:
        """Return the venue with the most markets; the unified-account exchange in every scenario of the library."""
        held = [len(self.run.select(venue)) for venue in self.venues]
        return self.venues[int(np.argmax(held))] if held else ""

    @cached_property
    def other_venue(self) -> str:
        """Return the venue that prices are compared with: coinbase, else the second by number of spot markets, else none."""
        if "coinbase" in self.venues:
            return "coinbase"
        rest = [v for v in self.venues if v != self.main_venue]
        return max(rest, key=lambda v: len(self.run.select(v, "spot")), default="")

    @cached_property
    def focus(self) -> list[str]:
        """Return up to three assets that get a large figure: BTC, ETH, SOL, filled up by open interest."""
        chosen = [asset for asset in FOCUS if self.run.select("all", "all", asset)]
        table = self.run.markets.filter(pl.col("asset_kind") == "coin").group_by("asset", maintain_order=True)
        ranked = table.agg(pl.col("open_interest_usd").sum()).sort("open_interest_usd", descending=True, maintain_order=True)
        for asset in ranked["asset"].to_list():
            if len(chosen) >= 3:
                break
            if asset not in chosen:
                chosen.append(asset)
        return chosen

    @cached_property
    def class_of(self) -> dict[str, str]:
        """Return the size class of each asset."""
        return dict(zip(self.run.markets["asset"].to_list(), self.run.markets["size_class"].to_list(), strict=True))

    @cached_property
    def claims(self) -> list[str]:
        """Return the claims, in the order of the market table."""
        claims = self.run.markets.filter(pl.col("asset_kind") == "claim")["asset"].to_list()
        return list(dict.fromkeys(claims))

    @cached_property
    def alts(self) -> list[str]:
        """Return the altcoins, in the order of the market table."""
        found = [self.run.markets["asset"][m] for m in self.run.select("all", "all", "alts")]
        return list(dict.fromkeys(found))

    def of_class(self, size_class: str, venue: str = "all", kind: str = "all") -> list[int]:
        """Return the markets of one size class on `venue` of kind `kind`."""
        classes = self.run.markets["size_class"].to_list()
        return [m for m in self.run.select(venue, kind) if classes[m] == size_class]

    def market(self, venue: str, kind: str, asset: str) -> int | None:
        """Return the row of a market, or None when the run does not hold it."""
        name = f"{venue}-{kind}-{asset}"
        return self.run.market_id(name) if self.run.has_market(name) else None

    @cached_property
    def names(self) -> list[str]:
        """Return the names of the markets by row."""
        return [str(name) for name in self.run.markets["name"].to_list()]

    @cached_property
    def pairs(self) -> Float64:
        """Return the number of real pairs each market stands for."""
        return np.asarray(self.run.markets["pairs"].to_numpy(), dtype=np.float64)

    def named_tables(self, kind: str) -> dict[str, pl.DataFrame]:
        """Return name -> rows in time of each named account of `kind`, largest debt at the start first."""
        if kind not in self._named:
            table = self.run.named.filter(pl.col("kind") == kind).sort("t_s", "account")
            groups: dict[str, pl.DataFrame] = {}
            for _, rows in table.group_by("account", maintain_order=True):
                name = str(rows["name"][0])
                groups[f"{name} ({rows['venue'][0]})" if name in groups else name] = rows
            first = {name: rows.row(0, named=True) for name, rows in groups.items()}
            order = sorted(groups, key=lambda n: (-(first[n]["debt_usd"] or 0.0), -(first[n]["collateral_usd"] or 0.0), n))
            self._named[kind] = {name: groups[name] for name in order}
        return self._named[kind]

    # Time ------------------------------------------------------------------------------------------------------------

    @cached_property
    def halts(self) -> dict[str, list[tuple[float, float]]]:
        """Return for each venue with a halt of transfers the spans (from, to) in seconds."""
        found: dict[str, list[tuple[float, float]]] = {}
        table = self.run.venues
        for venue in [v for v in (*VENUES, *self.venues) if v not in found]:
            rows = table.filter(pl.col("venue") == venue).sort("t_s")
            spans = spans_where(rows["t_s"].to_numpy(), ~rows["transfers_open"].fill_null(True).to_numpy().astype(bool))
            if spans:
                found[venue] = spans
        return found

    @cached_property
    def after(self) -> slice:
        """Return the rows from the news on."""
        return self.run.rows_in(0.0, float(self.run.end_t_s))

    # Prices ----------------------------------------------------------------------------------------------------------

    @cached_property
    def reference(self) -> Float64:
        """Return the last traded price at t = -1 s of each market, [M]."""
        return np.array([self.run.reference_usd(m) for m in range(self.run.markets.height)], dtype=np.float64)

    @cached_property
    def lows(self) -> tuple[Float64, Float64]:
        """Return the lowest traded price from the news on and its time, [M] each; NaN without a trade."""
        found = [self.run.low(market) or (np.nan, np.nan) for market in range(self.run.markets.height)]
        return np.array([low for low, _ in found], dtype=np.float64), np.array([at for _, at in found], dtype=np.float64)

    @cached_property
    def falls(self) -> Float64:
        """Return 1 - lowest traded price / reference of each market, [M]."""
        return np.asarray(1.0 - self.lows[0] / self.reference, dtype=np.float64)

    def alone(self, market: int) -> float:
        """Return the fall of a market in the twin run with feedback off; NaN when the run has none."""
        value = (self.run.baseline or {}).get(self.names[market])
        return float("nan") if value is None else float(value)

    def amplification(self, markets: Sequence[int]) -> float:
        """Return the median over `markets` of fall with feedback / fall without; NaN where nothing can be compared."""
        ratios = [self.falls[m] / self.alone(m) for m in markets if self.alone(m) > 1e-3 and np.isfinite(self.falls[m])]
        return float(np.median(ratios)) if ratios else float("nan")

    def relative(self, market: int, column: str = "mid_usd") -> Float64:
        """Return a price over its reference at t = -1 s, [T]."""
        return np.asarray(np.asarray(getattr(self.run, column)[market], dtype=np.float64) / self.reference[market])

    # Flows -----------------------------------------------------------------------------------------------------------

    @cached_property
    def counted(self) -> pl.DataFrame:
        """Return the liquidation rows that enter the liquidated amount."""
        return self.run.liquidations.filter(pl.col("counted"))

    def sold(self, cause: Cause, markets: Sequence[int] | None = None) -> Float64:
        """Return the taker sales of one cause over `markets` (all without), per 10 s bin, [B] in USD."""
        rows = range(self.run.markets.height) if markets is None else markets
        return np.asarray(self.run.cause_sold_usd[list(rows), :, int(cause)].sum(axis=0, dtype=np.float64), dtype=np.float64)

    def bought(self, cause: Cause, markets: Sequence[int] | None = None) -> Float64:
        """Return the taker purchases of one cause over `markets` (all without), per 10 s bin, [B] in USD."""
        rows = range(self.run.markets.height) if markets is None else markets
        return np.asarray(self.run.cause_bought_usd[list(rows), :, int(cause)].sum(axis=0, dtype=np.float64), dtype=np.float64)

    def per_bin(self, rows: pl.DataFrame, width_s: int, column: str = "notional_usd") -> tuple[Float64, Float64]:
        """Return the starts of spans of `width_s` seconds over the run and the sum of `column` of event rows in each."""
        start = float(self.run.t_s[0]) - 1.0
        edges = np.arange(start, float(self.run.end_t_s) + width_s, width_s)
        total, _ = np.histogram(rows["t_s"].to_numpy(), bins=np.append(edges, edges[-1] + width_s), weights=rows[column].to_numpy())
        return edges, np.asarray(total, dtype=np.float64)


def spans_where(t_s: NDArray[Any], flag: NDArray[np.bool_]) -> list[tuple[float, float]]:
    """Return the spans (from, to) of time in which `flag` holds; a row stands for the time since the row before."""
    if t_s.size == 0 or not flag.any():
        return []
    step = float(t_s[1] - t_s[0]) if t_s.size > 1 else 1.0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flag.astype(np.int8), [0]])))
    return [(float(t_s[a]) - step, float(t_s[b - 1])) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def median_over(values: Float64) -> Float64:
    """Return the median over the first axis without a warning where all are NaN, and NaN there."""
    if values.shape[0] == 0:
        return np.full(values.shape[1:], np.nan)
    if np.isfinite(values).all():
        return np.asarray(np.median(values, axis=0), dtype=np.float64)
    out = np.full(values.shape[1:], np.nan)
    some = np.isfinite(values).any(axis=0)
    out[some] = np.nanmedian(values[:, some], axis=0)
    return out
