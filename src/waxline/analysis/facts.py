"""Measure published figures in a run, judge them against their bands, and score how many agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from waxline.analysis import facts_depth, facts_liquidations, facts_prices, facts_venues
from waxline.analysis.facts_file import Fact, Facts, library_facts, load_facts
from waxline.analysis.selection import NotMeasured, is_cut
from waxline.results.run_result import RunResult

__all__ = ["QUANTITIES", "Judgement", "Measurement", "Score", "judge", "library_facts", "load_facts", "measure", "measure_all"]

Quantity = Callable[[RunResult, Fact], float]

QUANTITIES: dict[str, Quantity] = {
    function.__name__: function
    for function in (
        facts_prices.drawdown,
        facts_prices.fall_at,
        facts_prices.time_of_low,
        facts_prices.time_of_low_after,
        facts_prices.worst_minute_return,
        facts_prices.realised_volatility,
        facts_prices.recovered_fraction,
        facts_prices.venue_gap_min,
        facts_prices.venue_gap_at,
        facts_liquidations.liquidated_usd,
        facts_liquidations.liquidated_long_share,
        facts_liquidations.liquidated_asset_share,
        facts_liquidations.liquidated_venue_share,
        facts_liquidations.liquidated_share_in_window,
        facts_liquidations.liquidated_share_before,
        facts_liquidations.liquidated_peak_minute_share,
        facts_liquidations.accounts_liquidated,
        facts_depth.open_interest_change,
        facts_depth.depth_ratio_min,
        facts_depth.depth_ratio_median,
        facts_depth.depth_ratio_min_median_over_alts,
        facts_prices.drawdown_mean_over_pairs,
        facts_prices.drawdown_quantile_over_pairs,
        facts_prices.share_of_pairs_fallen_more_than,
        facts_prices.pairs_fallen_more_than,
        facts_prices.share_of_lows_in_window,
        facts_venues.adl_usd,
        facts_venues.adl_asset_share,
        facts_venues.adl_peak_minute_share,
        facts_venues.adl_profitable_share,
        facts_venues.adl_cross_asset_events,
        facts_venues.negative_equity_usd,
        facts_venues.insurance_used_usd,
        facts_venues.backstop_pnl_usd,
        facts_venues.pool_liquidated_usd,
        facts_venues.pool_bonus_usd,
        facts_venues.pool_bad_debt_usd,
    )
}
"""Name of a quantity -> function(run, fact) that measures it; the functions say how, each in one sentence."""

INSIDE, OUTSIDE, NOT_MEASURED = "inside", "outside", "not measured"


@dataclass(frozen=True)
class Measurement:
    """Hold what one run says about one fact: a value, or why there is none; `cut` when the run ends before its window."""

    id: str
    value: float | None
    reason: str | None = None
    cut: bool = False


@dataclass(frozen=True)
class Judgement:
    """Hold a fact beside what one or several seeds measured: median, 5 % and 95 % over seeds, and the verdict on the median."""

    fact: Fact
    median: float | None
    p05: float | None
    p95: float | None
    verdict: str
    reason: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the judgement for JSON."""
        fact = self.fact
        result: dict[str, Any] = {"id": fact.id, "value": fact.value, "low": fact.low, "high": fact.high}
        result.update({"median": self.median, "p05": self.p05, "p95": self.p95, "verdict": self.verdict})
        if self.reason is not None:
            result["reason"] = self.reason
        return result


@dataclass(frozen=True)
class Score:
    """Hold all judgements; `score` is the number inside their bands over the number of all facts, measured or not."""

    judgements: tuple[Judgement, ...]
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Return the number of facts."""
        return len(self.judgements)

    @property
    def n_measured(self) -> int:
        """Return the number of facts with a value."""
        return sum(judgement.verdict != NOT_MEASURED for judgement in self.judgements)

    @property
    def n_inside(self) -> int:
        """Return the number of facts inside their band."""
        return sum(judgement.verdict == INSIDE for judgement in self.judgements)

    @property
    def score(self) -> float:
        """Return n_inside / n."""
        return self.n_inside / self.n if self.n else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the score and every fact for JSON."""
        return {
            "score": self.score,
            "n_inside": self.n_inside,
            "n_measured": self.n_measured,
            "n": self.n,
            "facts": [judgement.to_dict() for judgement in self.judgements],
        }


def measure(run: RunResult, fact: Fact) -> Measurement:
    """Measure one fact in `run`; an unknown quantity, or one this run cannot show, comes back with the reason, without a value."""
    quantity = QUANTITIES.get(fact.quantity)
    if quantity is None:
        return Measurement(fact.id, None, f"quantity {fact.quantity!r} is not known")
    try:
        value = float(quantity(run, fact))
    except NotMeasured as reason:
        return Measurement(fact.id, None, str(reason))
    if not np.isfinite(value):
        return Measurement(fact.id, None, f"{fact.quantity} came out as {value}")
    return Measurement(fact.id, value, None, is_cut(run, fact))


def measure_all(run: RunResult, facts: Facts) -> list[Measurement]:
    """Measure every fact, in the order of the file."""
    return [measure(run, fact) for fact in facts.facts]


def judge(facts: Facts, seeds: Sequence[Sequence[Measurement]]) -> Score:
    """Judge `facts` by what each of `seeds` measured: the median over seeds lies in [low, high] or not."""
    by_seed = [{measurement.id: measurement for measurement in measurements} for measurements in seeds]
    judgements = tuple(_judge_one(fact, [found[fact.id] for found in by_seed if fact.id in found]) for fact in facts.facts)
    cut = sum(any(found[fact.id].cut for found in by_seed if fact.id in found) for fact in facts.facts)
    notes = (f"{cut} facts have windows that end after the run: they are cut at the run's end.",) if cut else ()
    return Score(judgements, notes)


def _judge_one(fact: Fact, measured: list[Measurement]) -> Judgement:
    values = np.array([measurement.value for measurement in measured if measurement.value is not None], dtype=np.float64)
    reasons = [measurement.reason for measurement in measured if measurement.reason is not None]
    if values.size == 0:
        return Judgement(fact, None, None, None, NOT_MEASURED, reasons[0] if reasons else "no seed finished")
    median, p05, p95 = (float(value) for value in np.quantile(values, [0.5, 0.05, 0.95]))
    reason = f"measured in {values.size} of {len(measured)} seeds: {reasons[0]}" if reasons else None
    return Judgement(fact, median, p05, p95, INSIDE if fact.low <= median <= fact.high else OUTSIDE, reason)


def facts_text(score: Score, width: int = 34) -> str:
    """Return the table of facts as plain text: published value, band, simulated median, 5-95 % range, verdict, then the score."""
    head = f"{'fact':<{width}} {'published':>10} {'band':>21} {'simulated':>10} {'5-95 %':>21}  verdict"
    lines = [head, "-" * len(head)]
    for judgement in score.judgements:
        fact = judgement.fact
        band = f"{short(fact.low)} .. {short(fact.high)}"
        spread = "" if judgement.p05 == judgement.p95 else f"{short(judgement.p05)} .. {short(judgement.p95)}"
        reason = f" ({judgement.reason})" if judgement.reason else ""
        numbers = f"{short(fact.value):>10} {band:>21} {short(judgement.median):>10} {spread:>21}"
        lines.append(f"{fact.id:<{width}} {numbers}  {judgement.verdict}{reason}")
    lines.append("-" * len(head))
    lines.append(
        f"score {score.score:.0%}: {score.n_inside} inside of {score.n} facts, {score.n_measured} measured "
        "(fractions, seconds, USD, numbers, as the fact's unit says)"
    )
    return "\n".join([*lines, *score.notes])


def short(value: float | None) -> str:
    """Return a number in at most nine characters: 0.1234, 1830, 19.2e9 as 19.16B; an en dash for none."""
    if value is None or not np.isfinite(value):
        return "–"
    size = abs(value)
    for limit, unit in ((1e9, "B"), (1e6, "M")):
        if size >= limit:
            return f"{value / limit:.4g}{unit}"
    if size >= 1000.0:
        return f"{value:.0f}"
    return f"{value:.4g}" if size >= 1e-4 or value == 0.0 else f"{value:.2g}"
