"""Write the report: one self-contained HTML document that can be e-mailed and printed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from waxline.report.numbers import version_of
from waxline.report.page import Section, places
from waxline.results.run_result import RunResult

if TYPE_CHECKING:
    from waxline.analysis.facts import Judgement, Score

TEMPLATES = Path(__file__).resolve().parent / "templates"


def write_report(run: RunResult, path: Path, facts: Score | Sequence[Judgement] | None = None) -> None:
    """Write the report of `run` to `path`; the file appears under its name only when it is complete.

    `facts` are judged facts; without them those shipped for the run's scenario are measured. Raises OSError when the file
    cannot be written.
    """
    write_page(render(run, facts), Path(path))


def write_page(text: str, path: Path) -> None:
    """Write a page; the file appears under its name only when it is complete. Raises OSError when it cannot be written."""
    unfinished = path.with_name(f"{path.name}.partial-{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def render(run: RunResult, facts: Score | Sequence[Judgement] | None = None) -> str:
    """Return the report of `run` as one HTML text; the same run gives the same text."""
    return page(run, sections_of(run, facts))


REPORT_SUB = "Who is liquidated when prices fall, what their forced selling does to the next ones, and what stops it. A simulated run, not a record."


def page(run: RunResult, sections: Sequence[Section], *, title: str | None = None, sub: str = REPORT_SUB) -> str:
    """Return `sections` about `run` as one HTML text; `title` and the line below it, without them those of the report."""
    import jinja2

    seen = places(sections)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    name = str(run.manifest.get("scenario", "run"))
    return environment.get_template("report.html.j2").render(
        title=title or f"{name}, seed {run.manifest.get('seed', '–')}",
        sub=sub,
        scenario=name,
        version=version_of(run.manifest),
        manifest=run.manifest,
        sections=sections,
        n_links=len(seen),
    )


def sections_of(run: RunResult, facts: Score | Sequence[Judgement] | None = None) -> list[Section]:
    """Return the sections of the report in their order."""
    from waxline.report.agreement import agreement
    from waxline.report.before import before
    from waxline.report.buyers import buyers
    from waxline.report.causes import causes
    from waxline.report.chain import chain
    from waxline.report.closing import assumptions, limits, provenance
    from waxline.report.contagion import spread
    from waxline.report.depth import depth
    from waxline.report.drawing import drawing
    from waxline.report.gaps import gaps
    from waxline.report.headline import headline
    from waxline.report.loop import loop
    from waxline.report.losses import losses
    from waxline.report.news import news
    from waxline.report.prices import prices
    from waxline.report.slack import slack
    from waxline.report.view import View
    from waxline.report.waterfall import waterfall

    view = View(run)
    with drawing():
        drawn = [part(view) for part in (headline, news, prices, before, waterfall, loop, causes, spread, depth, gaps, slack, losses, buyers)]
    drawn.append(agreement(view, facts))
    return [*drawn, chain(drawn, str(run.manifest.get("scenario", "SCENARIO"))), assumptions(view), limits(view), provenance(view)]
