"""Show the chain link by link: what the link says, where it is seen in this report, and the override that removes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from waxline.report.numbers import NONE
from waxline.report.page import Cell, Section, Table, places


class Link(NamedTuple):
    """Hold one link of the chain: number, what it says, what is seen, and the overrides that remove it."""

    number: int
    says: str
    seen: str
    overrides: tuple[str, ...]
    remark: str = ""


LINKS = (
    Link(1, "Outside news turns investors from risk: all coins fall, small ones more.", "fair value per asset", ("shock.news=off",)),
    Link(
        2,
        "Makers pledge coins, also small ones, at 50 % and quote with the borrowed stablecoins.",
        "makers' balance sheets before the shock",
        ("makers.pledge=off",),
    ),
    Link(3, "Makers are neutral in contracts and long on the balance sheet.", "delta by leg and in total", (), "follows from 2"),
    Link(
        4,
        "The pledged value shrinks and health nears the line, while contract legs lose too.",
        "slack of makers and whales in time, by cause",
        ("collateral.reprice=off",),
    ),
    Link(5, "Margin cannot be added any more.", "calls, top-ups, exhausted reserves", ("topups=off",)),
    Link(
        6,
        "The engine takes the pledged coins and sells them in spot at any price to repay the debt.",
        "collateral sales by coin and second",
        ("liquidation.collateral=off",),
    ),
    Link(
        7,
        "Perpetuals follow spot; positions of makers and of everyone else are closed.",
        "basis, perpetual liquidations",
        ("arbitrage=off", "liquidation.perps=off"),
    ),
    Link(
        8,
        "Closes push perpetuals, perpetuals pull spot, collateral falls again.",
        "loop with volumes on its arrows, amplification",
        ("feedback=off",),
    ),
    Link(
        9,
        "Makers' protection fails: depth vanishes and some coins print near zero.",
        "depth in time, lowest prints, seconds without bids",
        ("makers.funding_cap=off", "makers.withdraw=off"),
    ),
    Link(
        10,
        "Whales with illiquid coins and claims live close to the line by small top-ups.",
        "distribution of slack, top-ups per hour before the shock",
        ("whales=off",),
    ),
    Link(
        11,
        "Two variables hit them, contract losses and collateral; either alone may be survivable.",
        "accounts by what consumed their slack",
        (),
        "a property of unified accounts",
    ),
    Link(
        12,
        "Each large account is a bomb for the next: two lines of liquidation at once.",
        "contagion from named accounts, engine and arbitrage sales side by side",
        ("whales.named[NAME]=off",),
        "per account: put its name, or * for all",
    ),
    Link(
        13,
        "The risks of two markets resonate.",
        "spectral radius of the coupled blocks against each alone",
        (),
        "a property of 6 and 7 together",
    ),
    Link(14, "Buyers are drained, then return.", "buyers' cash in time, recovery", ("value_buyers=off",)),
    Link(
        15,
        "Collateral priced on the venue's own book breaks there only; links between venues are cut.",
        "price of claims and coins per venue, halts shaded",
        ("collateral_price=off", "halts=off"),
    ),
    Link(
        16,
        "Winners are deleveraged and hedges become naked.",
        "deleveraged legs and what their owners did next",
        ("deleveraging=off",),
    ),
    Link(
        17,
        "A structure of extreme leverage is fragile before anything happens.",
        "liquidation map, registered notional against bids",
        ("population.leverage_scale=0.5",),
        "halves all leverages",
    ),
)


def chain(sections: Sequence[Section], scenario: str) -> Section:
    """Return the section of the chain; the places come from the headings of `sections`, so that none can be forgotten."""
    section = Section(
        "chain",
        "The chain, link by link",
        "The same run without one link: add the override to the command and compare. An override changes only what it "
        "names; all other random draws stay "
        "as they were.",
    )
    where = places(sections)
    rows: list[tuple[str | Cell, ...]] = []
    for link in LINKS:
        found = where.get(link.number, [])
        seen = Cell("; ".join(title for _, title in found) or NONE, links=tuple(found))
        removed = Cell(link.remark or NONE, code=tuple(f"--set {override}" for override in link.overrides), hint=link.remark)
        rows.append((str(link.number), link.says, link.seen, seen, removed))
    section.add(
        Table(
            ("link", "what happens", "seen as", "where in this report", "removed by"),
            rows,
            f"Example: waxline run {scenario} --set {LINKS[5].overrides[0]}",
            words=(0, 1, 2, 3, 4),
        )
    )
    return section
