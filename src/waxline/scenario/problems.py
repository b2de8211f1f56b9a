"""A mistake in a scenario: where it is, the rule, the value, what to do; and the error that carries all of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from waxline.errors import ScenarioError

SHOWN_MAX = 20


@dataclass(frozen=True)
class Problem:
    """Hold one mistake; `line` is 0 where there is none to name."""

    path: str
    rule: str
    value: str = ""
    remedy: str = ""
    file: str = ""
    line: int = 0

    def text(self) -> str:
        """Return the mistake as one line: place, field, rule, value, remedy."""
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        was = f", was {self.value}" if self.value else ""
        remedy = f": {self.remedy}" if self.remedy else ""
        return f"{place}{self.path} {self.rule}{was}{remedy}".strip()

    def as_dict(self) -> dict[str, str | int]:
        """Return the mistake as plain data for JSON."""
        return asdict(self)


class ScenarioProblems(ScenarioError):
    """Report every mistake found in one reading of a scenario, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the problems; the text shows the first `SHOWN_MAX`."""
        self.problems = list(problems)
        lines = [problem.text() for problem in self.problems[:SHOWN_MAX]]
        if len(self.problems) > SHOWN_MAX:
            lines.append(f"... and {len(self.problems) - SHOWN_MAX} more")
        super().__init__("\n".join(lines))


def nearest(word: str, choices: Iterable[str], few: int = 8) -> str:
    """Return a remedy: the nearest spelling of `word` among `choices`, or the choices themselves when they are `few`."""
    names = sorted(set(choices))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if not close:
        folded = {name.lower(): name for name in names}
        close = [folded[found] for found in difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.6)]
    if close:
        return f"did you mean {close[0]}?"
    if not names:
        return ""
    shown = ", ".join(names) if len(names) <= few else ", ".join(names[:few]) + ", ..."
    return f"choose one of {shown}"


def shown(value: object, longest: int = 60) -> str:
    """Return `value` short enough for a message, texts in quotes."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a section" if value else "an empty section"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    plain = f'"{value}"' if isinstance(value, str) else f"{value:g}" if isinstance(value, float) else str(value)
    return plain if len(plain) <= longest else plain[: longest - 3] + "..."
