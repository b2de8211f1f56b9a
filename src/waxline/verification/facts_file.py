"""Read the facts of the court: one YAML file per family below `facts/`, each fact with its source, inputs, expected figures and tolerance.

A fact that nothing computes yet has `needs` (what is missing) in place of inputs, expected, tolerance and through: it is listed, not skipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

BOUNDS = ("abs", "rel", "standard_errors")


@dataclass(frozen=True)
class Fact:
    """Hold one published or derived result.

    through: the functions of the program it is held against; tolerance: {abs, rel, standard_errors}, or the same by name of a figure; data: the
    folder of data that the check reads, which does not come with the program.
    """

    id: str
    family: str
    title: str
    source: str
    evidence: str = ""
    through: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    expected: Mapping[str, Any] = field(default_factory=dict)
    tolerance: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    needs: str = ""
    data: str = ""

    @property
    def covered(self) -> bool:
        """Tell whether the program computes it."""
        return not self.needs

    def bounds(self, name: str) -> Mapping[str, float]:
        """Return the bounds for a figure: those under its own name, else those for all; a fact without any asks for equality."""
        found = self.tolerance.get(name, self.tolerance)
        return {bound: float(found[bound]) for bound in BOUNDS if bound in found}


@cache
def facts() -> dict[str, Fact]:
    """Return all facts by id, in the order of the files' names and of each file; asserts that ids are unique and facts are whole."""
    found: dict[str, Fact] = {}
    folder = resources.files("waxline.verification") / "facts"
    for path in sorted((entry for entry in folder.iterdir() if entry.name.endswith(".yaml")), key=lambda entry: entry.name):
        family = path.name.removesuffix(".yaml")
        for entry in YAML(typ="safe").load(path.read_text(encoding="utf-8")):
            fact = Fact(family=family, **{**entry, "through": tuple(entry.get("through", ()))})
            assert fact.id not in found, f"{path.name}: {fact.id} stands twice"
            assert fact.covered == bool(fact.expected) == bool(fact.through), f"{path.name}: {fact.id} needs either `needs` or expected and through"
            found[fact.id] = fact
    return found


def listed(wanted: Iterable[Fact]) -> list[dict[str, Any]]:
    """Return id, family, title, source, what each is held against or needs, as plain data for JSON."""
    return [
        {"id": fact.id, "family": fact.family, "covered": fact.covered, "title": fact.title, "source": fact.source}
        | ({"through": list(fact.through)} if fact.covered else {"needs": fact.needs})
        | ({"data": fact.data} if fact.data else {})
        for fact in wanted
    ]
