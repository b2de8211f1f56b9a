"""Say what moved prices and what moved accounts: parts of a fall by cause, generations, contagion between kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from waxline.analysis.selection import exact_sum, exact_sums
from waxline.results.run_result import RunResult
from waxline.results.schema import FORCED_CAUSES, Cause

N_CAUSES = len(Cause)
TRIGGERED_STAGES = ("close_in_book", "collateral_sale", "takeover")
MINUTE_S = 60

# Kinds between which forced volume spreads; everything else is "outside" (news, discretionary flow, re-quoting).
CONTAGION_KINDS: dict[str, tuple[Cause, ...]] = {
    "perp liquidation": (Cause.PERP_LIQUIDATION,),
    "collateral sale": (Cause.COLLATERAL_LIQUIDATION,),
    "deleveraging": (Cause.DELEVERAGING,),
    "fund work-off": (Cause.FUND_WORKOFF,),
    "stop-loss": (Cause.STOP_LOSS,),
    "keeper": (Cause.KEEPER,),
}
STAGES_OF_KIND = {"perp liquidation": ("close_in_book", "takeover"), "collateral sale": ("collateral_sale",)}
OUTSIDE = "outside"


@dataclass(frozen=True)
class PriceAccounting:
    """Hold the change of log mid over a window and its parts by cause; the parts and `residual` add up to `total` exactly.

    `residual` is what rounding left unbooked. A fall is negative. With several markets all figures are their weighted mean.
    """

    from_s: float
    to_s: float
    n_markets: int
    total_dlog: float
    parts_dlog: NDArray[np.float64]
    residual_dlog: float

    @property
    def shares(self) -> NDArray[np.float64]:
        """Return each cause's part over the total, [16]; NaN when the price did not move."""
        return self.parts_dlog / self.total_dlog if self.total_dlog != 0.0 else np.full(N_CAUSES, np.nan)

    def to_dict(self) -> dict[str, Any]:
        """Return the accounting for JSON."""
        return {
            "from_s": self.from_s,
            "to_s": self.to_s,
            "n_markets": self.n_markets,
            "total_dlog": self.total_dlog,
            "parts_dlog": {cause.key: float(self.parts_dlog[cause]) for cause in Cause},
            "residual_dlog": self.residual_dlog,
        }


def price_accounting(run: RunResult, markets: Sequence[int], from_s: float, to_s: float, weights: Sequence[float] | None = None) -> PriceAccounting:
    """Return what moved log mid from `from_s` to `to_s` (whole 10 s bins), the mean over `markets` by `weights`.

    Weights default to the real pairs each market stands for; markets without a mid at both ends are left out.
    """
    bins = run.bins_in(from_s, to_s)
    total, parts, used = 0.0, np.zeros(N_CAUSES), 0
    mass = 0.0
    pairs = [float(run.markets["pairs"][market]) for market in markets] if weights is None else list(weights)
    for market, weight in zip(markets, pairs, strict=True):
        change = _change(run, market, bins)
        if change is None:
            continue
        total += weight * change
        parts += weight * run.cause_dlog[market, bins].sum(axis=0, dtype=np.float64)
        mass, used = mass + weight, used + 1
    if mass > 0.0:
        total, parts = total / mass, parts / mass
    return PriceAccounting(from_s, to_s, used, total, parts, total - float(parts.sum()))


def accounting_to_low(run: RunResult, markets: Sequence[int], from_s: float = 0.0) -> PriceAccounting:
    """Return what moved log mid from `from_s` to the lowest mid (10 s) of each market, the mean by real pairs.

    `to_s` is the mean time of those lows.
    """
    found, weights = [], []
    for market in markets:
        low_s = _time_of_lowest_mid(run, market, from_s)
        if low_s is not None:
            found.append(price_accounting(run, [market], from_s, low_s))
            weights.append(float(run.markets["pairs"][market]))
    if not found:
        return PriceAccounting(from_s, from_s, 0, 0.0, np.zeros(N_CAUSES), 0.0)
    weight = np.array(weights) / sum(weights)
    total = float(weight @ np.array([part.total_dlog for part in found]))
    parts = np.asarray(weight @ np.stack([part.parts_dlog for part in found]), dtype=np.float64)
    to_s = float(weight @ np.array([part.to_s for part in found]))
    return PriceAccounting(from_s, to_s, len(found), total, parts, total - float(parts.sum()))


def accounting_table(run: RunResult, from_s: float = 0.0, to_s: float | None = None) -> pl.DataFrame:
    """Return a row per market: name, venue, kind, asset, total and one column per cause, changes of log mid.

    Without `to_s` each market is followed to its own lowest mid.
    """
    rows = []
    for market in range(run.markets.height):
        part = accounting_to_low(run, [market], from_s) if to_s is None else price_accounting(run, [market], from_s, to_s)
        info = run.markets.row(market, named=True)
        rows.append(
            {
                **{key: info[key] for key in ("market_id", "name", "venue", "kind", "asset", "pairs")},
                "to_s": part.to_s,
                "total_dlog": part.total_dlog,
                **{cause.key: float(part.parts_dlog[cause]) for cause in Cause},
                "residual_dlog": part.residual_dlog,
            }
        )
    return pl.DataFrame(rows)


def cause_path(run: RunResult, markets: Sequence[int], from_s: float = 0.0) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return times [b] and cumulative change of log mid by cause [b, 16] since `from_s`, the mean over `markets` by real pairs."""
    bins = run.bins_in(from_s, float(run.end_t_s))
    weight = np.array([float(run.markets["pairs"][market]) for market in markets])
    changes = np.nan_to_num(run.cause_dlog[list(markets), bins].astype(np.float64))
    mean = np.tensordot(weight / weight.sum(), changes, axes=1)
    return run.bin_t_s[bins], np.asarray(np.cumsum(mean, axis=0), dtype=np.float64)


def forced_rows(run: RunResult) -> pl.DataFrame:
    """Return the counted rows of accounts that were triggered, with a known generation (winners who are deleveraged are not)."""
    rows = run.liquidations.filter(pl.col("counted") & pl.col("stage").is_in(TRIGGERED_STAGES) & (pl.col("t_s") >= 0))
    return rows.filter(pl.col("generation").fill_nan(None).is_not_null())


def generations_over_time(run: RunResult, step_s: int = MINUTE_S) -> pl.DataFrame:
    """Return t_s (start of the interval), usd, mean_generation (by USD) and endogenous_share (by USD) of forced volume."""
    rows = forced_rows(run).with_columns((pl.col("t_s").cast(pl.Int64) // step_s * step_s).alias("from_s"), _forced_share().alias("forced"))
    usd = pl.col("notional_usd")
    rows = rows.with_columns((usd * pl.col("generation")).alias("by_generation"), (usd * pl.col("forced")).alias("by_forced"))
    sums = exact_sums(rows, "from_s", "notional_usd", "by_generation", "by_forced")
    return pl.DataFrame(
        {
            "t_s": list(sums),
            "usd": [whole for whole, _, _ in sums.values()],
            "mean_generation": [part / whole for whole, part, _ in sums.values()],
            "endogenous_share": [part / whole for whole, _, part in sums.values()],
        },
        schema={"t_s": pl.Int64, "usd": pl.Float64, "mean_generation": pl.Float64, "endogenous_share": pl.Float64},
    )


def generation_histogram(run: RunResult, last: int = 10) -> pl.DataFrame:
    """Return generation (rounded, `last` and above together), usd and share of forced volume."""
    rows = forced_rows(run).with_columns(pl.col("generation").round().clip(1, last).cast(pl.Int64).alias("rounded"))
    sums = exact_sums(rows, "rounded", "notional_usd")
    amounts = [sums.get(generation, (0.0,))[0] for generation in range(1, last + 1)]
    whole = math.fsum(amounts)
    shares = [amount / whole if whole > 0.0 else 0.0 for amount in amounts]
    return pl.DataFrame({"generation": list(range(1, last + 1)), "usd": amounts, "share": shares})


def endogenous_share(run: RunResult) -> float | None:
    """Return the part of the slack of liquidated accounts, by USD, that forced flows consumed; None without liquidations."""
    rows = forced_rows(run).with_columns(_forced_share().alias("forced"))
    whole = exact_sum(rows["notional_usd"])
    return exact_sum(rows["notional_usd"] * rows["forced"]) / whole if whole > 0.0 else None


@dataclass(frozen=True)
class Contagion:
    """Hold which forced volume made which: `caused_usd[i, j]` of kind `to_kinds[j]` had its slack consumed by `from_kinds[i]`.

    The last row of `caused_usd` is "outside". `volume_usd[i]` is the taker volume of kind i; `branching[i, j]` is
    caused_usd / volume_usd over the kinds that are both cause and effect, forced volume made by one unit of forced volume;
    its spectral radius is `branching_ratio`.
    """

    from_kinds: tuple[str, ...]
    to_kinds: tuple[str, ...]
    caused_usd: NDArray[np.float64]
    volume_usd: NDArray[np.float64]
    branching: NDArray[np.float64]
    branching_ratio: float

    def to_dict(self) -> dict[str, Any]:
        """Return the matrix for JSON."""
        rows = {kind: dict(zip(self.to_kinds, self.caused_usd[i].tolist(), strict=True)) for i, kind in enumerate(self.from_kinds)}
        volumes = dict(zip(self.from_kinds, self.volume_usd.tolist(), strict=False))
        return {"caused_usd": rows, "volume_usd": volumes, "branching_ratio": self.branching_ratio}


def contagion(run: RunResult) -> Contagion:
    """Return how forced volume spread between perp liquidation, collateral sale and the other forced kinds, by shares of slack."""
    rows = forced_rows(run)
    kinds, targets = tuple(CONTAGION_KINDS), tuple(STAGES_OF_KIND)
    caused = np.zeros((len(kinds) + 1, len(targets)))
    for j, target in enumerate(targets):
        part = rows.filter(pl.col("stage").is_in(STAGES_OF_KIND[target]))
        for i, kind in enumerate(kinds):
            names = [f"share_{cause.key}" for cause in CONTAGION_KINDS[kind]]
            by_kind = pl.sum_horizontal(pl.col(names).fill_nan(0.0).fill_null(0.0).cast(pl.Float64)) * pl.col("notional_usd")
            caused[i, j] = exact_sum(part.select(by_kind.alias("usd"))["usd"])
        caused[-1, j] = exact_sum(part["notional_usd"]) - math.fsum(caused[:-1, j])
    volume = _taker_usd(run)
    volumes = np.array([sum(volume[cause] for cause in CONTAGION_KINDS[kind]) for kind in kinds])
    size = len(targets)
    branching = np.divide(caused[:size], volumes[:size, None], out=np.zeros((size, size)), where=volumes[:size, None] > 0.0)
    radius = float(np.max(np.abs(np.linalg.eigvals(branching))))
    return Contagion((*kinds, OUTSIDE), targets, caused, volumes, branching, radius)


def contagion_from_named(run: RunResult, top: int = 10) -> pl.DataFrame:
    """Return name, kind, t_s of its first forced row and usd forced from it, for the largest named accounts."""
    rows = forced_rows(run).filter(pl.col("account_name").is_not_null())
    found = rows.group_by("account_name", maintain_order=True).agg(pl.col("account_kind").first().alias("kind"), pl.col("t_s").min().alias("first_t_s"))
    sums = exact_sums(rows, "account_name", "notional_usd")
    usd = pl.Series("usd", [sums[name][0] for name in found["account_name"]], dtype=pl.Float64)
    return found.with_columns(usd).sort("usd", "account_name", descending=[True, False]).head(top)


def by_what_taken(run: RunResult) -> pl.DataFrame:
    """Return account kind, accounts (people) and usd of triggered accounts by what consumed their slack.

    Columns by_perp, by_both, by_collateral count people whose slack went by more than 90 %, between, less than 10 % to
    perpetual losses; by_perp_frac is the mean by liquidated USD.
    """
    rows = run.accounts.filter(pl.col("by_perp_frac").fill_nan(None).is_not_null())
    frac, weight = pl.col("by_perp_frac"), pl.col("weight")

    def those(condition: pl.Expr) -> pl.Expr:
        return pl.when(condition).then(weight).otherwise(0.0)

    rows = rows.with_columns(
        those(frac > 0.9).alias("by_perp"),
        those((frac <= 0.9) & (frac >= 0.1)).alias("by_both"),
        those(frac < 0.1).alias("by_collateral"),
        (frac * pl.col("liquidated_usd")).alias("frac_usd"),
        (frac * weight).alias("frac_people"),
    )
    columns = ("weight", "liquidated_usd", "by_perp", "by_both", "by_collateral", "frac_usd", "frac_people")
    taken = []
    for kind, (people, usd, *counts, frac_usd, frac_people) in exact_sums(rows, "kind", *columns).items():
        mean = frac_usd / usd if usd > 0.0 else frac_people / people
        taken.append((kind, people, usd, *counts, mean))
    names = ("people", "usd", "by_perp", "by_both", "by_collateral", "by_perp_frac")
    schema = {"kind": pl.String, **dict.fromkeys(names, pl.Float64)}
    return pl.DataFrame(taken, schema=schema, orient="row").sort("usd", "kind", descending=[True, False])


def _forced_share() -> pl.Expr:
    """Return the part of the slack that forced flows consumed."""
    return pl.sum_horizontal(pl.col(f"share_{cause.key}").fill_nan(0.0).cast(pl.Float64) for cause in FORCED_CAUSES)


def _taker_usd(run: RunResult) -> NDArray[np.float64]:
    """Return taker volume by cause from t = 0 over all markets, [16] USD."""
    bins = run.bins_in(0.0, float(run.end_t_s))
    both = run.cause_sold_usd[:, bins].sum(axis=(0, 1), dtype=np.float64) + run.cause_bought_usd[:, bins].sum(axis=(0, 1), dtype=np.float64)
    return np.asarray(both, dtype=np.float64)


def _ends(run: RunResult, bins: slice) -> tuple[int, int]:
    """Return the rows at the end of the bin before `bins` and at the end of the last of `bins`."""
    first = run.row_at(float(run.bin_t_s[bins.start - 1])) if bins.start > 0 else 0
    return first, run.row_at(float(run.bin_t_s[bins.stop - 1]))


def _change(run: RunResult, market: int, bins: slice) -> float | None:
    """Return the change of log mid over `bins`; None without a mid at both ends or without a bin."""
    if bins.stop <= bins.start:
        return None
    first, last = _ends(run, bins)
    before, after = float(run.mid_usd[market, first]), float(run.mid_usd[market, last])
    if not (np.isfinite(before) and np.isfinite(after) and before > 0.0 and after > 0.0):
        return None
    return float(np.log(after) - np.log(before))


def _time_of_lowest_mid(run: RunResult, market: int, from_s: float) -> float | None:
    """Return the end of the 10 s bin with the lowest mid at its end, after `from_s`."""
    times = run.bin_t_s[run.bins_in(from_s, float(run.end_t_s))]
    if times.size == 0:
        return None
    mids = run.mid_usd[market, np.searchsorted(run.t_s, times, side="right") - 1]
    return None if np.isnan(mids).all() else float(times[int(np.nanargmin(mids))])
