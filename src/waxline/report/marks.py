"""Choose colours, dashes and hatches once; colours are those of Okabe and Ito, and never the only difference between two marks.

Source of the palette: M. Okabe and K. Ito, Color Universal Design, 2008.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from waxline.results.schema import Cause

BLACK, ORANGE, SKY, GREEN = "#1a1a1a", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, PALE, INK = "#8a8a8a", "#d9d9d9", "#1a1a1a"

Dash = Literal["-"] | tuple[float, tuple[float, ...]]
SOLID: Dash = "-"
DASHED: Dash = (0.0, (4.0, 1.6))
DOTTED: Dash = (0.0, (1.2, 1.4))
DASH_DOT: Dash = (0.0, (6.0, 1.5, 1.2, 1.5))
LONG_DASH: Dash = (0.0, (9.0, 2.0))


class Line(NamedTuple):
    """Describe how a line is drawn."""

    colour: str
    dash: Dash = SOLID
    width: float = 1.1


class Fill(NamedTuple):
    """Describe how an area is filled."""

    colour: str
    hatch: str = ""


VENUE_COLOURS = {"binance": VERMILLION, "bybit": GREEN, "coinbase": BLUE, "hyperliquid": PURPLE, "rest": GREY, "aave": ORANGE}
SPARE_COLOURS = (SKY, ORANGE, BLACK, YELLOW)
FAIR = Line(BLACK, DOTTED, 1.3)

STAGE_FILLS = {
    "close_in_book": Fill(VERMILLION),
    "collateral_sale": Fill(ORANGE, "////"),
    "takeover": Fill(PURPLE, "\\\\\\\\"),
    "deleveraging": Fill(SKY, "xxxx"),
    "pool_liquidation": Fill(GREEN, "++++"),
}
STAGE_LABELS = {
    "close_in_book": "closed in the perpetual book",
    "collateral_sale": "collateral sold in the spot book",
    "takeover": "taken over by fund or vault",
    "deleveraging": "deleveraged against winners",
    "pool_liquidation": "seized by keepers of a lending pool",
}

CLASS_LINES = {
    "btc_eth": Line(BLUE, SOLID, 1.4),
    "major": Line(GREEN, LONG_DASH, 1.3),
    "mid": Line(VERMILLION, SOLID, 1.4),
    "small": Line(ORANGE, DASHED, 1.3),
    "tiny": Line(PURPLE, DASH_DOT, 1.3),
    "claim": Line(BLACK, DOTTED, 1.5),
}
CLASS_LABELS = {
    "btc_eth": "BTC and ETH",
    "major": "majors",
    "mid": "mid coins",
    "small": "small coins",
    "tiny": "tiny coins",
    "claim": "claims",
}


class CauseGroup(NamedTuple):
    """Join causes that are drawn as one."""

    label: str
    causes: tuple[Cause, ...]
    fill: Fill


CAUSE_GROUPS = (
    CauseGroup("news", (Cause.NEWS,), Fill(BLUE)),
    CauseGroup("perp liquidation", (Cause.PERP_LIQUIDATION,), Fill(VERMILLION, "\\\\\\\\")),
    CauseGroup("collateral sale", (Cause.COLLATERAL_LIQUIDATION, Cause.KEEPER), Fill(ORANGE, "////")),
    CauseGroup("deleveraging and fund", (Cause.DELEVERAGING, Cause.FUND_WORKOFF), Fill(PURPLE, "++++")),
    CauseGroup("re-quoting of makers", (Cause.REQUOTING, Cause.MAKER_HEDGING), Fill(GREY)),
    CauseGroup("arbitrage", (Cause.ARBITRAGE,), Fill(SKY, "||||")),
    CauseGroup("trend selling and stop-loss", (Cause.TREND_SELLING, Cause.STOP_LOSS), Fill(YELLOW, "xxxx")),
    CauseGroup("value buying and short covering", (Cause.VALUE_BUYING, Cause.SHORT_COVERING), Fill(GREEN, "----")),
    CauseGroup("other", (Cause.NOISE, Cause.VALUE_SELLING, Cause.NEW_LEVERAGE), Fill(PALE)),
)


def venue_line(venue: str, kind: str = "perp", width: float = 1.1) -> Line:
    """Return the line of a market: the venue gives the colour, perpetuals are solid, spot is dashed."""
    colour = VENUE_COLOURS.get(venue) or SPARE_COLOURS[sum(map(ord, venue)) % len(SPARE_COLOURS)]
    return Line(colour, SOLID if kind == "perp" else DASHED, width)


def spare_lines(number: int) -> list[Line]:
    """Return `number` lines that differ in colour and dash together."""
    colours = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY, BLACK, GREY)
    dashes = (SOLID, DASHED, DASH_DOT, DOTTED)
    return [Line(colours[i % 8], dashes[(i + i // 8) % 4], 1.1) for i in range(number)]
