"""A venue's rule file as text for people: per kind of account what triggers, what goes first, who takes over, who is deleveraged."""

from __future__ import annotations

import textwrap
from typing import Any

from waxline.scenario.venue_rules import CloseOut, FirstStep, Measure, RegimeRules, VenueRules
from waxline.units import format_frac, format_usd

WIDTH = 96
INDENT = 14
MEASURES = {
    Measure.EQUITY_TO_MAINTENANCE: "equity / maintenance",
    Measure.ASSETS_TO_DEBTS: "assets / debts",
    Measure.DEBT_TO_COLLATERAL: "debt / collateral",
    Measure.HEALTH_FACTOR: "health factor",
}


def amount_text(first: CloseOut) -> str:
    """Return how much goes first, in words."""
    words = {
        FirstStep.WHOLE: "until the debts are repaid" if first.of == "collateral" else "all of it",
        FirstStep.TO_COMPLIANCE: "as much as meets maintenance again",
        FirstStep.TIERS_DOWN: f"down by {first.tiers_down} tier{'s' if first.tiers_down > 1 else ''}, whole up to tier {max(first.whole_up_to_tier, 1)}",
        FirstStep.FRACTION_ABOVE: f"{format_frac(first.fraction)} of positions above {format_usd(first.threshold_usd)}, smaller ones whole",
        FirstStep.PORTION: f"{format_frac(first.fraction)} of the position, at least {format_usd(first.least_usd)}, at most {format_usd(first.most_usd)}",
        FirstStep.TO_LEVEL: f"until the measure is {first.stop_at:g} again",
        FirstStep.TO_LTV: f"until debt / collateral is {first.stop_at:g} again",
        FirstStep.CLOSE_FACTOR: f"{format_frac(first.fraction)} of the debt; all at health {first.deep_at:g} or below, or below {format_usd(first.dust_usd)}",
    }
    return words[first.rule]


def regime_lines(regime: RegimeRules) -> list[tuple[str, str]]:
    """Return (label, text) of one kind of account."""
    first = regime.first
    falling = regime.measure is not Measure.DEBT_TO_COLLATERAL
    sign = ("<=" if regime.at_equality else "<") if falling else (">=" if regime.at_equality else ">")
    lines = [("trigger", f"{MEASURES[regime.measure]} {sign} {regime.liquidated_at:g} at the {regime.trigger_price} price")]
    lines += [("soft line", f"{level.at:g}: {level.meaning}") for level in regime.levels]
    lines.append(
        (
            "maintenance",
            f"on {regime.maintenance_on.value} value" + (f", plus the closing fee of {format_frac(regime.taker_fee_frac)}" if regime.taker_fee_frac else ""),
        )
    )
    lines.append(
        ("first", f"{'pledged assets' if first.of == 'collateral' else 'positions'}, {first.order.value.replace('_', ' ')} first: {amount_text(first)}")
    )
    lines.append(("worst price", {"none": "none", "bankruptcy": "bankruptcy price", "fillable": "fillable price"}[first.limit]))
    if first.fee_frac:
        lines.append(("fee", f"{format_frac(first.fee_frac)} of what is closed"))
    if first.wait_s:
        lines.append(("wait", f"{first.wait_s:g} s"))
    if first.then:
        lines.append(("then", first.then))
    if regime.takeover is not None:
        share = f", below {format_frac(regime.takeover.at_maintenance_share)} of maintenance" if regime.takeover.at_maintenance_share else ""
        lines.append(("takeover", f"by {regime.takeover.by} at the {regime.takeover.price} price{share}"))
    if regime.deleveraging is not None:
        row = regime.deleveraging
        lines.append(("winners", f"{row.rank}; closed at the {row.price.replace('_', ' ')} price; starts: {row.trigger}"))
    lines.append(("source", regime.source))
    return lines


def rules_text(rules: VenueRules) -> str:
    """Return the rules of a venue as text, a block per kind of account, then what its tables cover."""
    parts = [f"{rules.title}, rules of {rules.as_of}"]
    for regime in rules.regimes:
        parts += ["", regime.name]
        for label, words in regime_lines(regime):
            parts += textwrap.wrap(words, WIDTH, initial_indent=f"  {label:<{INDENT - 2}}", subsequent_indent=" " * INDENT)
    parts.append("")
    coins = sorted({asset for table in rules.tiers for asset in table.assets})
    pledged = sorted({asset for row in rules.collateral for asset in row.assets})
    for label, names in (("tiers of", coins), ("collateral", pledged)):
        if names:
            parts += textwrap.wrap(f"{len(names)} coins: {' '.join(names)}", WIDTH, initial_indent=f"{label:<{INDENT}}", subsequent_indent=" " * INDENT)
    return "\n".join(parts)


def rules_dict(rules: VenueRules) -> dict[str, Any]:
    """Return the whole file as plain values, for JSON."""
    return rules.model_dump(mode="json")
