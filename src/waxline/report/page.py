"""Hold the parts of a page: a section is a heading, how to read it, and blocks; a block may show links of the chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from waxline.report.numbers import NONE


@dataclass(frozen=True)
class Heading:
    """Open a named place in a section; `links` are the numbers of the chain's links a reader sees there."""

    anchor: str
    title: str
    links: tuple[int, ...] = ()
    kind: str = "heading"


@dataclass(frozen=True)
class Text:
    """Say something in one paragraph; `tone` is "read" (how to read), "note" or "empty" (nothing to show)."""

    text: str
    tone: str = "note"
    kind: str = "text"


@dataclass(frozen=True)
class Figure:
    """Show one drawing as inline SVG with its caption; `title` is read out by screen readers."""

    svg: str
    title: str
    caption: str = ""
    kind: str = "figure"


@dataclass(frozen=True)
class Cell:
    """Hold a cell that is more than text: places in this page, an explanation on hover, a mark on a strip, or lines of code."""

    text: str
    hint: str = ""
    style: str = ""
    links: tuple[tuple[str, str], ...] = ()
    strip: float | None = None
    code: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Show rows under a header that carries the units; columns in `words` stand left; those in `long` may break anywhere."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str | Cell, ...]]
    caption: str = ""
    words: tuple[int, ...] = (0,)
    long: tuple[int, ...] = ()
    small: bool = False
    kind: str = "table"


@dataclass(frozen=True)
class Tile:
    """Show one number with plain words."""

    number: str
    words: str
    note: str = ""


@dataclass(frozen=True)
class Tiles:
    """Show numbers side by side."""

    tiles: tuple[Tile, ...]
    kind: str = "tiles"


@dataclass(frozen=True)
class Details:
    """Fold a long table away; on paper only its summary is printed."""

    summary: str
    table: Table
    kind: str = "details"


Block = Heading | Text | Figure | Table | Tiles | Details


@dataclass
class Section:
    """Hold one section: anchor, title, how to read it, blocks and the links of the chain seen in it."""

    anchor: str
    title: str
    read: str
    blocks: list[Block] = field(default_factory=list)
    links: tuple[int, ...] = ()

    def add(self, *blocks: Block) -> None:
        """Append blocks."""
        self.blocks.extend(blocks)


def places(sections: Sequence[Section]) -> dict[int, list[tuple[str, str]]]:
    """Return for each link of the chain the places (anchor, title) where it is seen, in the order of the page."""
    found: dict[int, list[tuple[str, str]]] = {}
    for section in sections:
        for link in section.links:
            found.setdefault(link, []).append((section.anchor, section.title))
        for block in section.blocks:
            if isinstance(block, Heading):
                for link in block.links:
                    found.setdefault(link, []).append((block.anchor, block.title))
    return found


def table_or_text(table: Table, empty: str) -> Table | Text:
    """Return the table, or the sentence `empty` when it has no rows."""
    return table if table.rows else Text(empty, "empty")


def or_dash(value: str | None) -> str:
    """Return the text, or a dash for none."""
    return value if value else NONE
