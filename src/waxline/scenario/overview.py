"""A scenario as a page of text: what it holds, what it is not, what is assumed, where its figures come from."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from waxline.scenario.schema import Scenario
from waxline.scenario.world import Market, MarketKind
from waxline.units import format_duration, format_usd

WIDTH = 110


def overview(scenario: Scenario) -> str:
    """Return title, clock, sizes per venue, classes of assets, pledged collateral and sources of a scenario as text."""
    return "\n".join(_lines(scenario))


def _lines(scenario: Scenario) -> Iterator[str]:
    clock = scenario.clock
    yield f"{scenario.name}: {scenario.title}"
    yield from _paragraph(scenario.description)
    if scenario.is_not:
        yield from _paragraph(f"It is not: {scenario.is_not}")
    span = f"{clock.start_utc:%Y-%m-%d %H:%M:%S} UTC for {format_duration(clock.duration_s)}"
    yield f"\nclock        {span}, {clock.steps:,} steps of {clock.step_s:g} s; t = 0 at {clock.t0_utc:%H:%M:%S}"
    yield f"seed, hash   {scenario.seed}, {scenario.hash()}"
    classes = Counter(str(asset.size_class) for asset in scenario.assets)
    yield f"assets       {len(scenario.assets)}: " + ", ".join(f"{number} {name}" for name, number in classes.items())
    yield ""
    yield _row("venue", "kind", "margin", "spot", "perps", "depth 1 %", "open interest", "fund", "vault")
    for venue in scenario.venues:
        rows = [market for market in scenario.markets if market.venue == venue.name]
        yield _row(venue.name, venue.kind, venue.margin, *_sizes(rows), _usd([venue.fund_usd]), _usd([venue.vault_usd]))
    yield _row("all", "", "", *_sizes(scenario.markets), "", "")
    for venue in scenario.venues:
        pledged = [row for row in scenario.collateral if row.venue == venue.name]
        if pledged:
            makers, holders = _usd(row.maker_pledged_usd for row in pledged), _usd(row.holder_pledged_usd for row in pledged)
            yield f"\npledged at {venue.name}: {makers} by makers, {holders} by holders, in {len(pledged)} assets (USD)"
    if scenario.sources:
        assumed = sum(1 for reason in scenario.sources.values() if reason.startswith("assumed"))
        yield f"\nsources ({len(scenario.sources)}, of these {assumed} are assumptions with a reason and a range)"
        for name, reason in scenario.sources.items():
            yield from _paragraph(f"{name}: {reason}", "  ")
    yield f"\nEvery value: waxline scenario show {scenario.name} --json. Your own copy: waxline scenario copy {scenario.name}"


def _row(*cells: str) -> str:
    widths = (-14, -15, -10, 5, 7, 12, 15, 10, 10)
    return "".join(f"{cell:<{-width}}" if width < 0 else f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


def _sizes(rows: Sequence[Market]) -> tuple[str, str, str, str]:
    """Return numbers of spot books and perps, depth on one side and open interest in USD."""
    counts = [str(sum(1 for row in rows if row.kind is kind)) for kind in (MarketKind.SPOT, MarketKind.PERP)]
    return counts[0], counts[1], _usd(row.depth_usd for row in rows), _usd(row.open_interest_usd for row in rows)


def _paragraph(text: str, indent: str = "") -> list[str]:
    below = indent + "  " if indent else ""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=below, break_long_words=False, break_on_hyphens=False)


def _usd(amounts: Iterable[float]) -> str:
    total = sum(amounts)
    return format_usd(total) if total else "-"
