"""Show outcomes and facts to people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from waxline.verification.court import FAILED, NOT_COVERED, PASSED, SKIPPED, Outcome
from waxline.verification.facts_file import Fact


def outcome_text(outcome: Outcome) -> str:
    """Return the lines of one outcome: verdict, id and title, then published, computed, tolerance, source and the functions held."""
    fact = outcome.fact
    lines = [f"{outcome.verdict:11}  {fact.id}  {fact.title}"]
    if outcome.verdict not in (NOT_COVERED, SKIPPED):
        lines += [f"  published  {figures_text(fact.expected)}", f"  computed   {figures_text(outcome.computed)}"]
        lines += [f"  tolerance  {tolerance_text(fact)}", f"  through    {', '.join(fact.through)}"]
    lines.append(f"  source     {fact.source}{f' ({fact.evidence})' if fact.evidence else ''}")
    if fact.note:
        lines.append(f"  note       {fact.note}")
    if outcome.reason:
        lines.append(f"  {'misses' if outcome.verdict == FAILED else 'reason'}     {outcome.reason}")
    return "\n".join(lines)


def closing_text(outcomes: Sequence[Outcome]) -> str:
    """Return the count of verdicts and the ids that failed or are not covered."""
    count = Counter(outcome.verdict for outcome in outcomes)
    skipped = f", {count[SKIPPED]} skipped: data absent" if count[SKIPPED] else ""
    lines = [f"{count[PASSED]} passed, {count[FAILED]} failed, {count[NOT_COVERED]} not covered{skipped}"]
    for verdict in (FAILED, NOT_COVERED, SKIPPED):
        if ids := [outcome.fact.id for outcome in outcomes if outcome.verdict == verdict]:
            lines.append(f"{verdict}: {', '.join(ids)}")
    return "\n".join(lines)


def list_text(facts: Sequence[Fact]) -> str:
    """Return a line per fact, by family: id, what it is held against or what it waits for, title."""
    width = max((len(fact.id) for fact in facts), default=0)
    lines: list[str] = []
    family = ""
    for fact in facts:
        if fact.family != family:
            family = fact.family
            lines.append(f"{family}:")
        lines.append(f"  {fact.id:{width}}  {'covered' if fact.covered else NOT_COVERED:11}  {fact.title}{'' if fact.covered else f' (needs {fact.needs})'}")
    covered = sum(fact.covered for fact in facts)
    return "\n".join([*lines, f"{len(facts)} ids, {covered} covered, {len(facts) - covered} not covered"])


def figures_text(values: Any) -> str:
    """Return figures in one line: names with values, lists in brackets, numbers with ten digits at most."""
    if isinstance(values, Mapping):
        return ", ".join(f"{key} {{{figures_text(item)}}}" if isinstance(item, Mapping) else f"{key} {figures_text(item)}" for key, item in values.items())
    if isinstance(values, (list, tuple)):
        return f"[{', '.join(figures_text(item) for item in values)}]"
    if isinstance(values, (bool, str)) or values is None:
        return str(values)
    return str(values) if isinstance(values, int) else f"{float(values):.10g}"


def tolerance_text(fact: Fact) -> str:
    """Return a fact's bounds in words, by figure where they differ."""
    if not fact.tolerance:
        return "exact"
    if all(not isinstance(bound, Mapping) for bound in fact.tolerance.values()):
        return bound_text(fact.tolerance)
    return "; ".join(f"{name} {bound_text(bound)}" for name, bound in fact.tolerance.items())


def bound_text(bounds: Mapping[str, float]) -> str:
    """Return bounds such as {rel: 0.02, standard_errors: 3.5} in words."""
    words = {"abs": "{:g}", "rel": "{:g} of it", "standard_errors": "{:g} standard errors"}
    return " and ".join(words[name].format(bounds[name]) for name in words if name in bounds) or "exact"
