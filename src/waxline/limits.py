"""Name every limit of the program once, with what to do when it is reached."""

from __future__ import annotations

from dataclasses import dataclass

from waxline.errors import WaxlineError

SEED_MOST = 2**63 - 1
"""Largest seed: it is held as a signed 64-bit number."""


class LimitError(WaxlineError):
    """Report that a named limit was reached; the text says which, what was asked and what to do instead."""

    exit_status = 3


@dataclass(frozen=True)
class Limit:
    """Hold one limit: `most` of `what` (counted in `unit`) is accepted, beyond that `advice` is given."""

    what: str
    most: int
    unit: str
    advice: str

    def check(self, asked: int, where: str = "") -> int:
        """Return `asked` if it is within the limit, otherwise raise LimitError; `where` names the field or file that asked."""
        if asked <= self.most:
            return asked
        place = f"{where}: " if where else ""
        raise LimitError(f"{place}{asked:,} {self.unit} asked, the limit on {self.what} is {self.most:,}. {self.advice}")


ACCOUNTS = Limit(
    "accounts of a population",
    20_000_000,
    "accounts",
    "Let an account stand for more people (population weight), or split the venue into several runs.",
)
ASSETS = Limit("assets of a scenario", 1_000, "assets", "Put the smallest coins together into one that stands for several pairs.")
MARKETS = Limit("markets of a scenario", 2_000, "markets", "Put the smallest coins together into one that stands for several pairs.")
STEPS = Limit("steps of a run", 200_000, "steps", "Use a longer step (step_s) or a shorter window.")
MARKET_STEPS = Limit(
    "markets times steps of a run, all held in memory",
    40_000_000,
    "market-steps",
    "Use fewer markets, a longer step (step_s) or a shorter window.",
)
BOOK_LEVELS = Limit("price levels of one side of a book", 20_000, "levels", "Use a wider price grid (level_bps) or a nearer end of the ladder.")
SEEDS = Limit("seeds of one command", 10_000, "seeds", "Start several commands with different first seeds.")
OVERRIDES = Limit("overrides of one command", 1_000, "overrides", "Copy the scenario with `waxline scenario copy` and edit the file.")
SCENARIO_FILE_BYTES = Limit(
    "the size of a scenario or rule file",
    10_000_000,
    "bytes",
    "Move long tables into CSV or Parquet files and refer to them.",
)
EXAMPLES = Limit("worked examples of a file", 100_000, "examples", "Split the file.")
FACTS_FILE_BYTES = Limit("the size of a facts file", 10_000_000, "bytes", "Split the facts into several files.")
REPORT_BYTES = Limit("the size of a report", 3_000_000, "bytes", "Show fewer markets in the report.")
DEPTH_LINES = Limit("lines of a depth file", 20_000_000, "lines", "Cut the file to a shorter time.")
LIQUIDATION_ROWS = Limit(
    "rows of the liquidation record of a run",
    50_000_000,
    "rows",
    "Use fewer accounts with more weight, or a shorter window.",
)

ALL: tuple[Limit, ...] = (
    ACCOUNTS,
    ASSETS,
    MARKETS,
    STEPS,
    MARKET_STEPS,
    BOOK_LEVELS,
    SEEDS,
    OVERRIDES,
    SCENARIO_FILE_BYTES,
    EXAMPLES,
    FACTS_FILE_BYTES,
    REPORT_BYTES,
    DEPTH_LINES,
    LIQUIDATION_ROWS,
)
