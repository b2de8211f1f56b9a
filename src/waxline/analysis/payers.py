"""Say who paid what was missing: per venue, shortfall = fund + vault + deleveraging + socialised + bad debt, to the cent.

Every event settles its shortfall through one payer. Each amount is rounded to cents once, then only whole cents are added, so that the columns
of a row add up exactly. What winners bore is what the fund's or vault's positions had lost: it is taken off the fund's (vault's) column.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from waxline.results.run_result import REFERENCE_T_S, RunResult

CENTS = 100


@dataclass(frozen=True)
class VenuePayers:
    """Hold one venue's account of what was missing, in whole cents; `events` settled it.

    enough_cents: the fund that would have paid all on this path without running out: the largest fall of the fund (with bad debt) since t = 0.
    """

    venue: str
    events: int
    shortfall: int
    fund: int
    vault: int
    deleveraging: int
    socialised: int
    bad_debt: int
    enough: int

    def adds_up(self) -> bool:
        """Tell whether the payers' parts are the shortfall, to the cent."""
        return self.shortfall == self.fund + self.vault + self.deleveraging + self.socialised + self.bad_debt

    def as_dict(self) -> dict[str, Any]:
        """Return amounts in USD."""
        names = ("shortfall", "fund", "vault", "deleveraging", "socialised", "bad_debt", "enough")
        return {"venue": self.venue, "events": self.events} | {f"{name}_usd": getattr(self, name) / CENTS for name in names}


def payers_of(run: RunResult) -> list[VenuePayers]:
    """Return one account per venue, in the order of names; venues where nothing was missing have zeros."""
    rows = run.liquidations.filter(pl.col("shortfall_usd") > 0.0)
    found = []
    for venue in sorted(run.venues["venue"].unique()):
        mine = rows.filter(pl.col("venue") == venue)
        series = run.venue_series(venue)
        part = {payer: _cents(mine.filter(pl.col("payer") == payer)) for payer in ("fund", "vault", "winners", "users", "nobody")}
        has_vault = bool((series["vault_usd"] != 0.0).any())
        borne = part["winners"]
        fund, vault = part["fund"] - (0 if has_vault else borne), part["vault"] - (borne if has_vault else 0)
        whole = _cents(mine.filter(pl.col("payer") != "winners"))
        found.append(VenuePayers(venue, mine.height, whole, fund, vault, borne, part["users"], part["nobody"], _enough(series, has_vault)))
    return found


def _cents(rows: pl.DataFrame) -> int:
    return sum(round(amount * CENTS) for amount in rows["shortfall_usd"].to_list())


def _enough(series: pl.DataFrame, has_vault: bool) -> int:
    """Return the largest fall of the fund (of the vault where there is one), less what bad debt added to it, from t = 0 on, in cents."""
    after = series.filter(pl.col("t_s") >= REFERENCE_T_S)
    if after.height == 0:
        return 0
    left = (after["vault_usd" if has_vault else "fund_usd"] - after["bad_debt_usd"]).to_numpy()
    return round(float(np.max(left[0] - left)) * CENTS)
