"""Hold a finished run in memory: arrays by second and by 10 s, tables of events and accounts, provenance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.errors import ResultsError
from waxline.results.schema import BIN_FIELDS, PRICE_FIELDS

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

NOT_ALTS = ("BTC", "ETH")
REFERENCE_T_S = -1


@dataclass
class RunResult:
    """Keep what a run leaves behind; M markets, A assets, T rows of one step, B bins of 10 rows, 16 causes.

    Row k of a [M, T] array holds the state at the end of the step, at `t_s[k]`; bin b covers rows 10b..10b+9 and ends at
    `bin_t_s[b]`. USD per unit for prices, one-sided USD for volumes, NaN = none. Column meanings: `waxline.results.schema`.
    """

    manifest: dict[str, Any]
    markets: pl.DataFrame
    assets: list[str]
    t_s: Int64
    mid_usd: Float32
    close_usd: Float32
    low_usd: Float32
    high_usd: Float32
    mark_usd: Float32
    fair_usd: Float32
    bin_t_s: Int64
    bid_depth_usd: Float32
    ask_depth_usd: Float32
    spread_bps: Float32
    volume_usd: Float32
    open_interest: Float32
    empty_bid_s: Float32
    buyer_cash_usd: Float32
    maker_quote_frac: Float32
    cause_dlog: Float32
    cause_sold_usd: Float32
    cause_bought_usd: Float32
    liquidations: pl.DataFrame
    named: pl.DataFrame
    accounts: pl.DataFrame
    venues: pl.DataFrame
    funds: pl.DataFrame
    liquidation_map: pl.DataFrame
    slack: pl.DataFrame
    baseline: dict[str, float] | None = None
    ledger: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    scenario_yaml: str = ""

    def __post_init__(self) -> None:
        """Index the markets by name."""
        rows = self.markets.select("market_id", "name", "venue", "kind", "asset", "asset_kind").iter_rows()
        self._rows: list[tuple[int, str, str, str, str, str]] = [tuple(row) for row in rows]
        self._id_of_name = {row[1]: row[0] for row in self._rows}

    # Names -----------------------------------------------------------------------------------------------------------

    def market_id(self, name: str) -> int:
        """Return the row of the market `name`, such as "binance-perp-BTC"; raises ResultsError for a name not in the run."""
        found = self._id_of_name.get(name)
        if found is None:
            raise ResultsError(f"market {name!r} is not in this run: choose one of {', '.join(sorted(self._id_of_name))}")
        return found

    def market_name(self, market_id: int) -> str:
        """Return the name of the market in row `market_id`."""
        return self._rows[market_id][1]

    def has_market(self, name: str) -> bool:
        """Tell whether the market `name` is in the run."""
        return name in self._id_of_name

    def select(self, venue: str | None = "all", market: str | None = "all", asset: str | None = "all") -> list[int]:
        """Return the rows of the markets on `venue`, of kind `market`, in `asset`, in the order of the market table.

        "all" or None stands for every one; `asset` may be "A+B+C" or "alts" (coins except BTC, ETH, stablecoins and claims).
        """
        wanted = None if asset in (None, "all", "alts") else set(str(asset).split("+"))
        found = []
        for number, _, row_venue, kind, symbol, asset_kind in self._rows:
            if venue not in (None, "all", row_venue) or market not in (None, "all", kind):
                continue
            if asset == "alts" and (symbol in NOT_ALTS or asset_kind != "coin"):
                continue
            if wanted is None or symbol in wanted:
                found.append(number)
        return found

    def asset_index(self, asset: str) -> int:
        """Return the row of `asset` in `fair_usd`; raises ResultsError when it is not in the run."""
        if asset not in self.assets:
            raise ResultsError(f"asset {asset!r} is not in this run: choose one of {', '.join(self.assets)}")
        return self.assets.index(asset)

    # Time ------------------------------------------------------------------------------------------------------------

    @property
    def end_t_s(self) -> int:
        """Return the time of the last row."""
        return int(self.t_s[-1])

    def row_at(self, t_s: float) -> int:
        """Return the last row at or before `t_s`; the first row for earlier times."""
        return max(int(np.searchsorted(self.t_s, t_s, side="right")) - 1, 0)

    def bin_at(self, t_s: float) -> int:
        """Return the last bin that ended at or before `t_s`; the first bin for earlier times."""
        return max(int(np.searchsorted(self.bin_t_s, t_s, side="right")) - 1, 0)

    def rows_in(self, from_s: float, to_s: float) -> slice:
        """Return the rows with from_s <= t_s <= to_s."""
        return slice(int(np.searchsorted(self.t_s, from_s)), int(np.searchsorted(self.t_s, to_s, side="right")))

    def bins_in(self, from_s: float, to_s: float) -> slice:
        """Return the bins that lie wholly after from_s and end at or before to_s."""
        return slice(int(np.searchsorted(self.bin_t_s, from_s, side="right")), int(np.searchsorted(self.bin_t_s, to_s, side="right")))

    # Series ----------------------------------------------------------------------------------------------------------

    def series(self, market: str | int, column: str) -> tuple[Int64, Float64]:
        """Return times and values of `column` (second by second or 10 s) for one market by name or row, as float64."""
        row = self.market_id(market) if isinstance(market, str) else market
        if column in PRICE_FIELDS:
            return self.t_s, np.asarray(getattr(self, column)[row], dtype=np.float64)
        if column in BIN_FIELDS:
            return self.bin_t_s, np.asarray(getattr(self, column)[row], dtype=np.float64)
        raise ResultsError(f"column {column!r} is not a series: choose one of {', '.join(PRICE_FIELDS + BIN_FIELDS)}")

    def depth_usd(self, markets: Sequence[int]) -> Float64:
        """Return the two-sided depth within 100 bps of mid, [len(markets), B]."""
        rows = list(markets)
        return np.asarray(self.bid_depth_usd[rows], dtype=np.float64) + np.asarray(self.ask_depth_usd[rows], dtype=np.float64)

    def reference_usd(self, market_id: int, price: str = "close") -> float:
        """Return the `price` (close, mid or mark) at t = -1 s; the mid, then the declared reference, where there is none."""
        row = self.row_at(REFERENCE_T_S)
        for column in (f"{price}_usd", "mid_usd"):
            value = float(getattr(self, column)[market_id, row])
            if np.isfinite(value) and value > 0.0:
                return value
        return float(self.markets["reference_usd"][market_id])

    def price_at(self, market_id: int, t_s: float, price: str = "close") -> float:
        """Return the `price` (close, mid or mark) at or just before `t_s`; NaN where there is none."""
        return float(getattr(self, f"{price}_usd")[market_id, self.row_at(t_s)])

    def low(self, market_id: int, from_s: float = 0.0, to_s: float = float("inf")) -> tuple[float, int] | None:
        """Return the lowest traded price with from_s <= t_s <= to_s and its first time; None without a trade there."""
        rows = self.rows_in(from_s, to_s)
        traded = np.asarray(self.low_usd[market_id, rows], dtype=np.float64)
        if traded.size == 0 or bool(np.isnan(traded).all()):
            return None
        at = int(np.nanargmin(traded))
        return float(traded[at]), int(self.t_s[rows][at])

    def drawdown(self, market_id: int, from_s: float = 0.0, to_s: float = float("inf")) -> float:
        """Return 1 - lowest traded price in the window over the last traded price at t = -1 s; NaN without a trade."""
        low = self.low(market_id, from_s, to_s)
        return float("nan") if low is None else 1.0 - low[0] / self.reference_usd(market_id)

    def drawdowns(self) -> dict[str, float]:
        """Return market name -> `drawdown` from t = 0 to the end, the form of `baseline`; markets without a trade are left out."""
        falls = {self.market_name(row): self.drawdown(row) for row in range(self.markets.height)}
        return {name: fall for name, fall in falls.items() if np.isfinite(fall)}

    def venue_series(self, venue: str) -> pl.DataFrame:
        """Return the 10 s table of one venue in the order of time."""
        return self.venues.filter(pl.col("venue") == venue).sort("t_s")

    # Files -----------------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> Path:
        """Write the run folder and return its path; see `waxline.results.files.save`."""
        from waxline.results.files import save

        return save(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> RunResult:
        """Read a finished run folder; see `waxline.results.files.load`."""
        from waxline.results.files import load

        return load(Path(folder))
