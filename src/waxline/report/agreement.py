"""Show the table of facts: published value, band, simulated value, verdict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from waxline.analysis.facts import INSIDE, NOT_MEASURED, Judgement, Score, judge, library_facts, measure_all
from waxline.report.numbers import NONE, digits, percent
from waxline.report.page import Cell, Details, Section, Table, Text, Tile, Tiles
from waxline.report.view import View

SYMBOLS = {INSIDE: "✓", NOT_MEASURED: "○"}
OUTSIDE_SYMBOL = "✗"


def agreement(view: View, facts: Score | Sequence[Judgement] | None = None) -> Section:
    """Return the section of facts; without `facts` those shipped for the run's scenario are measured in this run."""
    section = Section(
        "facts",
        "Agreement with what was published",
        "A fact agrees (✓) when the simulated value lies within its band. The strip shows the band in grey and the "
        "simulated value as a mark; a mark "
        "at the edge of the strip lies further out. Figures of the outcome were never an input.",
    )
    score = _score(view, facts)
    if score is None or not score.judgements:
        section.add(Text("No published facts are known for this scenario.", "empty"))
        return section
    section.add(
        Tiles(
            (
                Tile(f"{score.n_inside} of {score.n}", "facts inside their band", percent(score.score, 0)),
                Tile(f"{score.n_measured} of {score.n}", "facts measured", "the others say why not"),
            )
        ),
        _table(score.judgements),
    )
    section.add(*[Text(note) for note in score.notes])
    section.add(_sources(score.judgements))
    return section


def _score(view: View, facts: Score | Sequence[Judgement] | None) -> Score | None:
    if isinstance(facts, Score):
        return facts
    if facts is not None:
        return Score(tuple(facts))
    known = library_facts(str(view.run.manifest.get("scenario", "")))
    return None if known is None else judge(known, [measure_all(view.run, known)])


def _number(value: float | None) -> str:
    if value is None or not np.isfinite(value):
        return NONE
    for scale, letter in ((1e9, " B"), (1e6, " M")):
        if abs(value) >= scale:
            return digits(value / scale) + letter
    return digits(value, 4 if abs(value) >= 100.0 else 3)


def _place(judgement: Judgement) -> float | None:
    """Return where the simulated value lies on the strip, 0 to 100; the band takes 30 to 70."""
    fact, value = judgement.fact, judgement.median
    if value is None or not np.isfinite(value):
        return None
    width = fact.high - fact.low
    if not width > 0.0:
        return 50.0 if value == fact.low else (2.0 if value < fact.low else 98.0)
    return float(np.clip(30.0 + 40.0 * (value - fact.low) / width, 2.0, 98.0))


def _what(judgement: Judgement) -> str:
    fact = judgement.fact
    where = " ".join(part for part in (fact.venue, fact.market, fact.asset) if part != "all") or "everything"
    when = f"{fact.window_s[0]:g} to {fact.window_s[1]:g} s" if fact.window_s else f"at {fact.at_s:g} s"
    return f"{fact.quantity.replace('_', ' ')}: {where}, {when}"


def _table(judgements: Sequence[Judgement]) -> Table:
    spread = any(j.p05 is not None and j.p05 != j.p95 for j in judgements)
    rows: list[tuple[str | Cell, ...]] = []
    for judgement in judgements:
        fact = judgement.fact
        simulated = _number(judgement.median)
        cells: list[str | Cell] = [
            fact.id,
            Cell(_what(judgement), hint=fact.note or ""),
            _number(fact.value),
            f"{_number(fact.low)} to {_number(fact.high)}",
            simulated,
        ]
        if spread:
            cells.append(NONE if judgement.p05 is None else f"{_number(judgement.p05)} to {_number(judgement.p95)}")
        verdict = f"{SYMBOLS.get(judgement.verdict, OUTSIDE_SYMBOL)} {judgement.verdict}"
        cells += [
            Cell("", strip=_place(judgement)),
            Cell(verdict, hint=judgement.reason or "", style=judgement.verdict.replace(" ", "-")),
            fact.unit,
        ]
        rows.append(tuple(cells))
    header = (
        "fact",
        "what is measured",
        "published",
        "band",
        "simulated",
        *(("5 to 95 % over seeds",) if spread else ()),
        "",
        "verdict",
        "unit",
    )
    last = len(header) - 1
    return Table(header, rows, words=(0, 1, last - 1, last), small=True)


def _sources(judgements: Sequence[Judgement]) -> Details:
    rows: list[tuple[str | Cell, ...]] = []
    seen: dict[str, list[str]] = {}
    for judgement in judgements:
        seen.setdefault(judgement.fact.source, []).append(judgement.fact.id)
    for source, ids in seen.items():
        rows.append((", ".join(ids), source))
    return Details("Sources of the published values, as text", Table(("facts", "source"), rows, words=(0, 1), long=(1,), small=True))
