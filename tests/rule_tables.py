"""Text tables of rules: a line per case, the columns left of the bar go in, those right of it must come out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Cell = float | str | bool | None
WORDS: dict[str, Cell] = {"yes": True, "no": False, "none": None, "inf": math.inf}


def cell(text: str) -> Cell:
    """Return what one cell says: a number (1,000 and 5% are numbers), yes, no, none, inf, or a word."""
    if text in WORDS:
        return WORDS[text]
    plain = text.replace(",", "")
    try:
        return float(plain.rstrip("%")) / (100.0 if plain.endswith("%") else 1.0)
    except ValueError:
        return text


def lines_of(table: str) -> list[tuple[str, dict[str, Cell], dict[str, Cell]]]:
    """Return (the line, what goes in, what must come out) for every line of a table; the first line names the columns."""
    lines = [line for line in table.strip().splitlines() if line.strip() and not line.strip().startswith("#")]
    names, results = (part.split() for part in lines[0].split("|"))
    found = []
    for line in lines[1:]:
        given, wanted = (part.split() for part in line.split("|"))
        assert len(given) == len(names) and len(wanted) == len(results), f"{line.strip()}: does not fit {lines[0].strip()}"
        found.append((line.strip(), dict(zip(names, map(cell, given), strict=True)), dict(zip(results, map(cell, wanted), strict=True))))
    return found


def check_table(table: str, rule: Callable[..., Mapping[str, Any] | Any], relative: float = 1e-6) -> None:
    """Compute every line with `rule`; a line that is not met is told as a story: what was given, what came out, what should have."""
    stories = []
    for line, given, wanted in lines_of(table):
        got = rule(**given)
        results = got if isinstance(got, Mapping) else {name: got for name in wanted}
        for name, value in wanted.items():
            if not same(results[name], value, relative):
                told = ", ".join(f"{key} {one}" for key, one in given.items())
                stories.append(f"{line}\n    given {told}\n    the rule gives {name} {results[name]}, the table says {value}")
    assert not stories, "\n" + "\n".join(stories)


def same(got: Any, wanted: Cell, relative: float) -> bool:
    """Tell whether a result is what the table says."""
    if isinstance(wanted, float) and isinstance(got, (int, float)) and not isinstance(got, bool):
        return got == wanted or math.isclose(got, wanted, rel_tol=relative, abs_tol=1e-9)
    return bool(got == wanted)


def side_of(word: Cell) -> float:
    """Return +1 for long, -1 for short."""
    return {"long": 1.0, "short": -1.0}[str(word)]
