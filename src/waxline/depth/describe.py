"""Say what a depth file holds, as text for people and as plain data."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from waxline.depth.curve import DepthCurve, Estimate
from waxline.depth.ladder import LadderRules, half_spread_of, ladder_usd, maker_exponent, override_words, yaml_lines
from waxline.depth.refill import Refill
from waxline.depth.samples import BPS, Samples
from waxline.depth.stream import Stream
from waxline.units import format_price_usd, format_usd


def text_of(
    name: str, samples: Samples, curve: DepthCurve, rules: LadderRules, stream: Stream | None = None, found: Refill | None = None, market: str | None = None
) -> str:
    """Return the description of a depth file: how it was read, depth per distance, fit, refill, lines for a scenario."""
    usd = format_price_usd(curve.mid_usd)
    lines = [f"{name}: {samples.kind}, {curve.moments:,} moments over {samples.span_s:,.0f} s" + ("" if usd == "n/a" else f", mid {usd} USD (median)")]
    if stream is not None:
        lines += stream_lines(stream)
    lines += [f"note: {note}" for note in samples.notes]
    if np.isfinite(curve.reach).any():
        lines.append(
            f"every order is known up to {curve.reach[0] / BPS:.3g} bps (bids) and {curve.reach[1] / BPS:.3g} bps (asks); a + marks a lower bound beyond"
        )
    lines += ["", *table_lines(curve, rules), ""]
    lines.append(f"depth within 1 %, one side, mean of both: {estimate_text(curve.depth_usd, format_usd)} USD")
    lines.append(f"exponent of depth against distance, {curve.from_bps:g} to {curve.to_bps:g} bps: {estimate_text(curve.exponent, '{:.3f}'.format)}")
    lines.append(f"half spread: {estimate_text(curve.half_spread_bps, '{:.3g}'.format)} bps")
    if curve.moments < 8:
        lines.append("no intervals: they need at least 8 moments")
    lines += refill_lines(found) if stream is not None else []
    lines += ["", "for a scenario file (the row of the market, and the shape of all makers' ladders):", ""]
    lines += yaml_lines(curve, rules, f"depth fitted to {name}", market)
    if market is not None:
        lines += ["", "or: " + " ".join(f"--set '{word}'" for word in override_words(curve, rules, market))]
    return "\n".join(lines)


def stream_lines(stream: Stream) -> list[str]:
    """Return how the stream was rebuilt: sequence, crossed books, comparison with its book ticker."""
    lines = [
        f"sequence: snapshots {stream.snapshots:,}, changes applied {stream.applied:,}, older than a snapshot or without one {stream.dropped:,}, "
        f"gaps {len(stream.gaps):,}" + (f" (first at {stream.gaps[0]:.1f} s)" if stream.gaps else "")
        if stream.numbered
        else f"sequence: snapshots {stream.snapshots:,}, changes applied {stream.applied:,}; the file has no numbers to find gaps with",
        f"book: known for {stream.known_s:,.0f} of {stream.span_s:,.0f} s, moments crossed {stream.crossed:,}",
    ]
    if stream.compared:
        lines.append(
            f"best prices against the stream's own book ticker: {stream.compared:,} compared, {stream.price_differs:,} differ in price, "
            f"{stream.size_differs:,} in size"
        )
    else:
        lines.append("best prices: the stream has no book ticker to compare with")
    return lines


def table_lines(curve: DepthCurve, rules: LadderRules) -> list[str]:
    """Return a table of depth per distance: both sides with intervals, the fit, and the ladder that a scenario with it would build."""
    exponent, _ = maker_exponent(curve, rules)
    head = ("bps", "bids, USD", "90 % interval", "asks, USD", "90 % interval", "fit, USD", "simulated, USD")
    rows: list[tuple[str, ...]] = [head]
    for n in range(curve.distance.shape[1]):
        d = float(np.nanmean(curve.distance[:, n]))
        cells = [f"{d / BPS:.4g}"]
        for side in range(2):
            beyond = "+" if curve.distance[side, n] > curve.reach[side] * 1.001 else ""
            cells.append(format_usd(float(curve.usd[side, n])) + beyond)
            low, high = float(curve.low[side, n]), float(curve.high[side, n])
            cells.append("–" if math.isnan(low) else f"{format_usd(low)} – {format_usd(high)}")
        cells.append(format_usd(float(curve.within(d))))
        cells.append(format_usd(float(ladder_usd(curve.depth_usd.value, half_spread_of(curve), exponent, np.array([d]), rules)[0])))
        rows.append(tuple(cells))
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def refill_lines(found: Refill | None) -> list[str]:
    """Return the half-life of refill after large trades with its interval."""
    if found is None:
        return ["refill: fewer than 8 large trades are followed long enough: no half-life"]
    shares = ", ".join(f"{share.value:.0%} ({share.low:.0%} – {share.high:.0%}) within {within:g} s" for within, share in found.back_frac)
    return [
        f"refill after {found.trades} large trades (each at least {found.least_share:.0%} of its side within {found.band_bps:g} bps, {found.pause_s:g} s apart): "
        f"half-life {estimate_text(found.half_life_s, lambda x: _seconds(x, found.window_s))} s; half of it back: {shares}"
    ]


def _seconds(value: float, window_s: float) -> str:
    return f"over {window_s:g}" if math.isinf(value) else f"{value:.3g}"


def estimate_text(estimate: Estimate, write: Any) -> str:
    """Return "value (low – high)"; without an interval the value alone, n/a where there is none."""
    if math.isnan(estimate.value):
        return "n/a"
    if math.isnan(estimate.low):
        return str(write(estimate.value))
    return f"{write(estimate.value)} ({write(estimate.low)} – {write(estimate.high)})"


def plain(
    name: str, samples: Samples, curve: DepthCurve, rules: LadderRules, stream: Stream | None = None, found: Refill | None = None, market: str | None = None
) -> dict[str, Any]:
    """Return the same as plain data for JSON; what is not known is null."""
    exponent, _ = maker_exponent(curve, rules)
    out: dict[str, Any] = {
        "name": name,
        "kind": samples.kind,
        "moments": curve.moments,
        "span_s": samples.span_s,
        "mid_usd": _none(curve.mid_usd),
        "notes": samples.notes,
        "reach_bps": [_none(float(value) / BPS) for value in curve.reach],
        "depth_usd": _estimate(curve.depth_usd),
        "exponent": _estimate(curve.exponent),
        "half_spread_bps": _estimate(curve.half_spread_bps),
        "fit_bps": [_none(curve.from_bps), _none(curve.to_bps)],
        "bands": [
            {
                "side": word,
                "bps": float(curve.distance[side, n] / BPS),
                "usd": _none(float(curve.usd[side, n])),
                "interval_usd": [_none(float(curve.low[side, n])), _none(float(curve.high[side, n]))],
                "complete": bool(curve.distance[side, n] <= curve.reach[side] * 1.001),
            }
            for side, word in enumerate(("bid", "ask"))
            for n in range(curve.distance.shape[1])
            if np.isfinite(curve.distance[side, n])
        ],
        "scenario": {
            "depth_usd": _none(curve.depth_usd.value),
            "half_spread_bps": half_spread_of(curve),
            "makers.depth_exponent": _none(exponent),
            "market": market,
        },
    }
    if stream is not None:
        names = ("snapshots", "applied", "dropped", "crossed", "compared", "price_differs", "size_differs")
        out["stream"] = {**{key: getattr(stream, key) for key in names}, "gaps_s": stream.gaps, "known_s": stream.known_s, "span_s": stream.span_s}
        out["refill"] = None
        if found is not None:
            out["refill"] = {
                "trades": found.trades,
                "half_life_s": _estimate(found.half_life_s),
                "window_s": found.window_s,
                "band_bps": found.band_bps,
                "back_frac": {f"{within:g} s": _estimate(share) for within, share in found.back_frac},
            }
    return out


def _none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {"value": _none(estimate.value), "low": _none(estimate.low), "high": _none(estimate.high)}
