"""Compute worked examples with the rules and compare with what the venue publishes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from waxline.rulebook.examples import Example, ExamplesError, load_examples
from waxline.rulebook.inputs import Inputs, UnknownInput, refuse_initial_below_maintenance
from waxline.rulebook.topics import TOPICS

PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"


@dataclass(frozen=True)
class Outcome:
    """Hold what one example gave: verdict, what was published, what was computed, and why it is unknown or failed."""

    id: str
    verdict: str
    expected: dict[str, Any]
    computed: dict[str, Any]
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data for JSON."""
        plain = {"id": self.id, "verdict": self.verdict, "expected": jsonable(self.expected), "computed": jsonable(self.computed)}
        return {**plain, "reason": self.reason} if self.reason else plain


@dataclass(frozen=True)
class Checked:
    """Hold the outcomes of a file of examples in its order."""

    outcomes: list[Outcome]

    def count(self, verdict: str) -> int:
        """Return how many examples have a verdict."""
        return sum(outcome.verdict == verdict for outcome in self.outcomes)

    def as_dict(self) -> dict[str, Any]:
        """Return counts and outcomes as plain data for JSON."""
        counts = {verdict: self.count(verdict) for verdict in (PASSED, FAILED, UNKNOWN)}
        return {**counts, "examples": [outcome.as_dict() for outcome in self.outcomes]}


def check_file(path: Path, venue: str | None = None) -> Checked:
    """Return the outcomes of all examples of a file, or of one venue ("dydx" for "dYdX v4"); raises ExamplesError."""
    examples = load_examples(path)
    if venue is not None:
        venues = sorted({example.venue for example in examples})
        examples = [example for example in examples if same_venue(example.venue, venue)]
        if not examples:
            raise ExamplesError(f"{path}: has no example of venue {venue!r}: it has {', '.join(venues)}")
    return Checked([check(example) for example in examples])


def same_venue(written: str, asked: str) -> bool:
    """Tell whether a venue's name in a file is the one asked for; case and version do not matter."""
    return written.lower() == asked.lower() or written.lower().split()[:1] == [asked.lower()]


def find_topic(venue: str, topic: str) -> Any:
    """Return the adapter of a venue's topic, None where there is none."""
    name = " ".join(venue.lower().split())
    found = TOPICS.get((name, topic)) or TOPICS.get((name.split()[0] if name else "", topic))
    return found


def check(example: Example) -> Outcome:
    """Return the outcome of one example; a topic or input that is not known gives the verdict unknown with the reason."""
    adapter = find_topic(example.venue, example.topic)
    if adapter is None:
        return Outcome(example.id, UNKNOWN, example.expected, {}, f"unknown topic: {example.venue}, {example.topic}")
    inputs = Inputs(example.inputs, example.expected, example.published)
    try:
        refuse_initial_below_maintenance(example.inputs)
        computed = adapter(inputs)
    except UnknownInput as reason:
        return Outcome(example.id, UNKNOWN, example.expected, {}, str(reason))
    except (ZeroDivisionError, OverflowError, ValueError, LookupError, TypeError, AttributeError) as error:
        reason_text = f"inputs that cannot be computed with: {type(error).__name__}: {error}"
        return Outcome(example.id, UNKNOWN, example.expected, {}, reason_text)
    if unread := inputs.unread():
        return Outcome(example.id, UNKNOWN, example.expected, {}, f"unknown input: {', '.join(unread)}")
    shown = {name: computed[name] for name in example.expected if name in computed}
    if missing := [name for name in example.expected if name not in computed]:
        return Outcome(example.id, UNKNOWN, example.expected, shown, f"unknown result: {', '.join(missing)}")
    wrong = [name for name, value in example.expected.items() if not agrees(computed[name], value, example)]
    if wrong:
        return Outcome(example.id, FAILED, example.expected, shown, f"not within tolerance: {', '.join(wrong)}")
    return Outcome(example.id, PASSED, example.expected, shown)


def agrees(computed: Any, expected: Any, example: Example) -> bool:
    """Tell whether a computed value agrees with a published one: numbers within tolerance, lists and sections item by item."""
    if isinstance(expected, Mapping):
        if not isinstance(computed, Mapping) or {str(key) for key in computed} != {str(key) for key in expected}:
            return False
        by_name = {str(key): value for key, value in computed.items()}
        return all(agrees(by_name[str(key)], value, example) for key, value in expected.items())
    if isinstance(expected, Sequence) and not isinstance(expected, str):
        if not isinstance(computed, Sequence) or isinstance(computed, str) or len(computed) != len(expected):
            return False
        return all(agrees(one, other, example) for one, other in zip(computed, expected, strict=True))
    if expected is None or isinstance(expected, (bool, str)) or computed is None or isinstance(computed, (bool, str)):
        return type(computed) is type(expected) and computed == expected
    if not isinstance(computed, (int, float, Fraction)) or not isinstance(expected, (int, float, Fraction)):
        return False
    return _near(computed, expected, example)


def _near(computed: Any, expected: Any, example: Example) -> bool:
    if example.absolute is None and example.relative is None:
        if isinstance(computed, (int, Fraction)) and isinstance(expected, int):
            return computed == expected
        return bool(float(computed) == float(expected))
    if not math.isfinite(computed) or not math.isfinite(expected):
        return float(computed) == float(expected)
    gap = abs(float(computed) - float(expected))
    # Decimal bounds such as 0.005 are met by decimal numbers that miss them by the last digit of a float.
    noise = 1e-15 * max(abs(float(computed)), abs(float(expected)))
    bounds = [example.absolute or 0.0, (example.relative or 0.0) * abs(float(expected))]
    return gap <= max(bounds) + noise


def jsonable(value: Any) -> Any:
    """Return a value as JSON holds it: fractions as numbers, infinities and NaN as texts."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    # YAML also knows dates, sets and bytes, which JSON does not.
    return str(value)


def table_text(checked: Checked) -> str:
    """Return the table of outcomes for people: id, verdict, expected, computed, and a line of counts."""
    lines = []
    width = max((len(outcome.id) for outcome in checked.outcomes), default=2)
    for outcome in checked.outcomes:
        lines.append(f"{outcome.id:{width}}  {outcome.verdict:7}  expected {_short(outcome.expected)}  computed {_short(outcome.computed)}")
        if outcome.reason:
            lines.append(f"{'':{width}}  {outcome.reason}")
    lines.append(f"{checked.count(PASSED)} passed, {checked.count(FAILED)} failed, {checked.count(UNKNOWN)} unknown")
    return "\n".join(lines)


def _short(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_figure(value)}" for name, value in values.items()) or "nothing"


def _figure(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_figure(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_figure(item) for item in value) + "]"
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, Fraction):
        value = int(value) if value.denominator == 1 else float(value)
    return str(value) if isinstance(value, int) else f"{value:.10g}"
