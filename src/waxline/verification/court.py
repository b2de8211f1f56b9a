"""Hold the program against its facts: compute, compare figure by figure, give a verdict.

A family is a file `family_<name>.py` with CHECKS: id -> function from the fact's inputs to a `Computed`. It calls the functions that the
fact names under `through` by way of their modules, so that a test can break each of them and see the check fail.
"""

from __future__ import annotations

import difflib
import importlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waxline.errors import WaxlineError
from waxline.verification.facts_file import Fact, facts

PASSED, FAILED, NOT_COVERED, SKIPPED = "passed", "failed", "not covered", "skipped"
FAMILIES = ("books", "deleveraging", "funds", "impact", "lending", "makers", "pools", "waves")
"""Families that compute; each has a file of facts of the same name. Facts of other families wait (`needs`)."""


class UnknownCheck(WaxlineError):
    """Report an id that the court does not know."""

    exit_status = 2


@dataclass(frozen=True)
class Computed:
    """Hold the figures a check computed, nested like the expected ones; `errors` holds standard errors of the difference, where drawn."""

    figures: Mapping[str, Any]
    errors: Mapping[str, Any] = field(default_factory=dict)


Check = Callable[[Mapping[str, Any]], Computed]


@dataclass(frozen=True)
class Comparison:
    """Hold one figure or text: its place among the fact's figures, expected, computed, the largest gap (NaN: only equality of texts counts)."""

    place: str
    expected: Any
    computed: Any
    most: float

    def agrees(self) -> bool:
        """Tell whether the gap is allowed. A bound such as 0.005 is met by numbers that miss it by the last digit of a float; NaN never is."""
        if isinstance(self.expected, str):
            return bool(self.expected == self.computed)
        return not math.isnan(self.most) and bool(abs(self.computed - self.expected) <= self.most + 1e-15 * abs(self.expected))

    def text(self) -> str:
        """Return what is wrong in words."""
        if math.isnan(self.most):
            return f"{self.place}: {self.computed} cannot be held against {self.expected}"
        return f"{self.place} is {self.computed:.10g}, expected {self.expected:.10g} within {self.most:.3g}"


@dataclass(frozen=True)
class Outcome:
    """Hold what the court found about one fact; `reason` says which figures miss, or what is not there yet."""

    fact: Fact
    verdict: str
    computed: Mapping[str, Any] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data for JSON: id, verdict, expected, computed, tolerance, source, and a reason where there is one."""
        fact = self.fact
        plain = {"id": fact.id, "verdict": self.verdict, "expected": fact.expected or None, "computed": jsonable(self.computed) or None}
        plain |= {"tolerance": fact.tolerance or None, "source": fact.source, "through": list(fact.through)}
        return {**plain, "reason": self.reason} if self.reason else plain


def checks() -> dict[str, Check]:
    """Return the functions that compute, by id."""
    found: dict[str, Check] = {}
    for name in FAMILIES:
        found |= importlib.import_module(f"waxline.verification.family_{name}").CHECKS
    return found


def chosen(ids: Sequence[str]) -> list[Fact]:
    """Return the facts asked for, all when none is named; raises UnknownCheck with the nearest spelling."""
    known = facts()
    if not ids:
        return list(known.values())
    lowered = {name.lower(): name for name in known}
    found = []
    for asked in ids:
        name = lowered.get(asked.lower())
        if name is None:
            near = difflib.get_close_matches(asked.lower(), lowered, n=3, cutoff=0.4) or [id for id in lowered if id.startswith(asked.lower()[:2])][:3]
            advice = f"did you mean {', '.join(lowered[id] for id in near)}?" if near else ""
            raise UnknownCheck(f"no check has the id {asked!r}: {advice}{' ' if advice else ''}`waxline verify --list` shows all {len(known)}")
        if known[name] not in found:
            found.append(known[name])
    return found


def hold(wanted: Iterable[Fact], data: Path | None = None) -> Iterable[Outcome]:
    """Yield the outcome of each fact in turn; facts that read a folder below `data` get it as the input `folder`, or are skipped without it."""
    computing = checks()
    for fact in wanted:
        folder = data / fact.data if data is not None and fact.data else None
        if not fact.covered:
            yield Outcome(fact, NOT_COVERED, reason=f"needs {fact.needs}")
        elif fact.data and (folder is None or not folder.is_dir()):
            yield Outcome(fact, SKIPPED, reason=f"data absent: {fact.data}{f' is not below {data}' if data is not None else ''}")
        elif folder is not None:
            yield held(fact, computing[fact.id]({**fact.inputs, "folder": folder}))
        else:
            yield held(fact, computing[fact.id](fact.inputs))


def held(fact: Fact, computed: Computed) -> Outcome:
    """Return the outcome of comparing computed figures with a fact's expected ones."""
    compared = tuple(comparisons(fact, "", "", fact.expected, computed.figures, computed.errors))
    wrong = "; ".join(one.text() for one in compared if not one.agrees())
    return Outcome(fact, FAILED if wrong else PASSED, computed.figures, compared, wrong)


def comparisons(fact: Fact, name: str, place: str, expected: Any, computed: Any, error: Any) -> Iterator[Comparison]:
    """Yield a comparison for every figure below `place`; `name` is the innermost name, which bounds go by. Other parts than expected differ."""
    if isinstance(expected, Mapping):
        if not isinstance(computed, Mapping) or set(expected) != set(computed):
            parts = sorted(map(str, computed)) if isinstance(computed, Mapping) else computed
            yield Comparison(place or "the figures", sorted(map(str, expected)), parts, math.nan)
            return
        errors = error or {}
        for key in expected:
            yield from comparisons(fact, str(key), f"{place}.{key}" if place else str(key), expected[key], computed[key], errors.get(key))
    elif isinstance(expected, Sequence) and not isinstance(expected, str):
        if not isinstance(computed, Sequence) or len(expected) != len(computed):
            yield Comparison(place, expected, computed, math.nan)
            return
        for n, one in enumerate(expected):
            yield from comparisons(fact, name, f"{place}[{n}]", one, computed[n], None if error is None else error[n])
    elif isinstance(expected, str) or not isinstance(computed, (int, float)):
        yield Comparison(place, expected, computed, math.nan)
    else:
        yield Comparison(place, float(expected), float(computed), allowed(fact.bounds(name), float(expected), error))


def allowed(bounds: Mapping[str, float], expected: float, error: float | None) -> float:
    """Return the largest gap: the larger of `abs` and `rel`, and no more than `standard_errors` times the error where both are given."""
    fixed = max(bounds.get("abs", 0.0), bounds.get("rel", 0.0) * abs(expected))
    if "standard_errors" not in bounds:
        return fixed
    drawn = bounds["standard_errors"] * (math.nan if error is None else float(error))
    return min(fixed, drawn) if "abs" in bounds or "rel" in bounds else drawn


def jsonable(value: Any) -> Any:
    """Return figures as JSON holds them: arrays as lists, numbers of NumPy as numbers, what is not finite as text."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, (bool, int, str)) or value is None:
        return value
    return float(value) if math.isfinite(value) else str(float(value))
