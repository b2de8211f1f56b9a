"""Show what was assumed, what the report cannot say, and how to repeat the run."""

from __future__ import annotations

import re
from typing import Any

from waxline.report.numbers import NONE, digits
from waxline.report.page import Details, Section, Table, Text, table_or_text
from waxline.report.view import View
from waxline.results.schema import Cause

ASSUMED = "assumed"
LIMITS_OF_ONE_RUN = (
    "One run is one draw. Near the tipping point the outcome is two-valued; ask several seeds: waxline validate SCENARIO --seeds 5.",
    "Agreement with published facts shows that the mechanism can produce such a day, not that it did. What nobody published is assumed, below.",
    "Price accounting books every change to the order or quote that made it. A cause that would have come anyway from "
    "another is still counted here; "
    "only a run with the link removed says what would have happened without it.",
    "Shares of slack say what moved the prices that consumed it, by amount and time; they are book-keeping, not proof.",
    "Markets that stand for many pairs share one price: their numbers are typical, not those of a single coin.",
    "The longer list, with directions of error, is docs/limitations.md.",
)


def assumptions(view: View) -> Section:
    """Return the section of assumptions."""
    section = Section(
        "assumptions",
        "Assumptions",
        "What nobody published is assumed, and marked so in the scenario, with a reason and a range. These are the values "
        "this run used; change one with "
        "--set and look again.",
    )
    sources = top_level(view.run.scenario_yaml, "sources")
    rows = [
        (name, str(words).removeprefix(ASSUMED).lstrip(":; "), str(_uses(view.run.scenario_yaml, name)))
        for name, words in sources.items()
        if str(words).startswith(ASSUMED)
    ]
    section.add(
        table_or_text(
            Table(
                ("assumption", "value, reason, range", "rows"),
                rows,
                "Assumptions of the scenario, and in how many of its rows they are used.",
                words=(0, 1),
                long=(1,),
            ),
            "The scenario names no assumptions of its own.",
        )
    )
    declared = [entry for entry in view.run.manifest.get("assumptions") or [] if isinstance(entry, dict)]
    body = [
        (
            str(entry.get("path", "")),
            _value(entry.get("value")),
            str(entry.get("unit", "")),
            _range(entry.get("range")),
            str(entry.get("meaning", "")),
            str(entry.get("source", "")),
        )
        for entry in declared
    ]
    if body:
        table = Table(
            ("parameter", "value", "unit", "range accepted", "meaning", "source"),
            body,
            words=(0, 2, 3, 4, 5),
            long=(5,),
            small=True,
        )
        section.add(Details(f"Parameters whose source is an assumption: {len(body)}", table))
    return section


def limits(view: View) -> Section:
    """Return the section of limitations."""
    section = Section("limitations", "Limitations", "What this report cannot say, before anybody quotes it.")
    is_not = str(top_level(view.run.scenario_yaml, "is_not").get("is_not", "")).strip()
    if is_not:
        section.add(Text(f"The scenario says what it is not: {is_not}"))
    section.add(*[Text(sentence) for sentence in LIMITS_OF_ONE_RUN])
    rows = [(cause.label, cause.meaning) for cause in Cause]
    section.add(Details("What the causes mean", Table(("cause", "meaning"), rows, words=(0, 1), small=True)))
    return section


def provenance(view: View) -> Section:
    """Return the section that says how the run was made and how to repeat it."""
    section = Section(
        "provenance",
        "Provenance",
        "The same program, scenario and seed give the same files, byte for byte. waxline rerun RUN repeats the run and compares the hashes of its files.",
    )
    manifest = {key: value for key, value in view.run.manifest.items() if key != "assumptions"}
    replay = str(manifest.pop("replay", "") or NONE)
    rows = [("replay", replay), *[(key.replace("_", " "), text) for key, text in _flat(manifest)]]
    ledger = view.run.ledger
    for key in ("checks", "max_relative_error", "worst_asset", "worst_t_s", "long_short_max"):
        if key in ledger:
            value = ledger[key]
            rows.append(
                (
                    f"ledger: {key.replace('_', ' ')}",
                    f"{value:.2e}" if isinstance(value, float) and key != "worst_t_s" else str(value),
                )
            )
    section.add(Table(("what", "value"), rows, words=(0, 1), long=(1,)))
    return section


def top_level(text: str, key: str) -> dict[str, Any]:
    """Return the mapping below the top-level `key` of YAML (or {key: value} of a plain value); {} where there is none.

    Only that part is parsed: a whole resolved scenario takes seconds.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    match = re.search(rf"^{re.escape(key)}:.*(?:\n(?:[ \t-].*)?)*", text, flags=re.M)
    if match is None:
        return {}
    try:
        content = YAML(typ="safe").load(match.group()).get(key)
    except YAMLError:
        return {}
    return content if isinstance(content, dict) else ({} if content is None else {key: content})


def _uses(text: str, name: str) -> int:
    """Return how many lines of the scenario name the assumption, besides its own."""
    return max(len(re.findall(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)) - 1, 0)


def _value(value: Any) -> str:
    return digits(float(value), 4) if isinstance(value, float) else str(value)


def _range(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) == 2:
        return " to ".join(NONE if bound is None else _value(bound) for bound in value)
    return "" if value is None else str(value)


def _flat(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for key, value in manifest.items():
        if isinstance(value, dict):
            out.extend((f"{key}: {name}", str(part)) for name, part in value.items())
        elif isinstance(value, list):
            out.append((key, ", ".join(map(str, value)) or "none"))
        else:
            out.append((key, str(value)))
    return out
