"""Write who paid what was missing as a text table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from waxline.analysis.payers import CENTS, VenuePayers
from waxline.analysis.summary_text import text_table

HEAD = ("venue", "events", "shortfall", "= fund", "+ vault", "+ deleveraging", "+ socialised", "+ bad debt", "fund enough")


def payers_text(rows: Sequence[VenuePayers]) -> str:
    """Return the table, USD to the cent: the middle columns add up to the shortfall."""
    body = [
        [row.venue, f"{row.events:,}", *map(usd, (row.shortfall, row.fund, row.vault, row.deleveraging, row.socialised, row.bad_debt, row.enough))]
        for row in rows
    ]
    return text_table("Who paid what was missing, USD", HEAD, body)


def enough_text(enough: Mapping[str, float], paths: int, confidence: float) -> str:
    """Return the fund per venue that is enough in `confidence` of the paths."""
    rows = [[venue, f"{amount:,.2f}"] for venue, amount in enough.items()]
    return text_table(f"Fund that pays all in {confidence:.0%} of {paths} paths, USD", ("venue", "fund enough"), rows)


def usd(cents: int) -> str:
    """Return whole cents as USD with all digits."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // CENTS:,}.{abs(cents) % CENTS:02d}"
