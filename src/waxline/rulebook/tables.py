"""Bring tables of tiers and bands, as examples write them, to columns that the rules take."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from waxline.accounts.rules_tiers import NO_END, banded_value, deductions, tier_index
from waxline.rulebook.inputs import Inputs, UnknownInput

Row = list[float | None]


class Tiers(NamedTuple):
    """Hold tiers as columns: floors, caps, maintenance rates, deductions and, where given, largest leverages."""

    floors: list[float]
    caps: list[float]
    rates: list[float]
    deductions: list[float]
    leverages: list[float] | None

    def at(self, notional: float) -> int:
        """Return the tier of a position."""
        return tier_index(notional, self.caps)

    def from_floor(self, notional: float) -> int:
        """Return the tier whose floor a position reaches: exactly at an edge the higher one. Source: freqtrade's tests of Binance's tiers."""
        return max((n for n, floor in enumerate(self.floors) if notional >= floor), default=0)


def tiers_of(inputs: Inputs, name: str) -> Tiers:
    """Return the maintenance tiers of a table: rows of floor, cap, rate, then largest leverage and/or deduction (or by `columns`)."""
    table = inputs.table(name)
    width = len(table[0])
    columns = [str(column) for column in inputs["columns"]] if "columns" in inputs else _columns(table, width)
    if any(len(row) != len(columns) for row in table):
        raise UnknownInput(f"{name}: rows must have {len(columns)} columns: {', '.join(columns)}")
    place = {column: n for n, column in enumerate(columns)}
    for needed in ("floor", "cap", "mmr"):
        if needed not in place:
            raise UnknownInput(f"{name}: has no column {needed}")
    floors = _numbers(table, place["floor"], 0.0)
    caps = _numbers(table, place["cap"], NO_END)
    rates = _numbers(table, place["mmr"], 0.0)
    _refuse_disorder(name, floors, caps)
    leverages = _numbers(table, place["max_leverage"], 1.0) if "max_leverage" in place else None
    _refuse_rates(name, rates)
    for n, (before, after) in enumerate(pairwise(rates), start=1):
        if after < before:
            raise UnknownInput(f"{name}[{n}]: rates of tiers must rise, was {after:g} after {before:g}")
    for n, (leverage, rate) in enumerate(zip(leverages or [], rates, strict=False)):
        if leverage <= 0.0 or 1.0 / leverage < rate - 1e-9:
            raise UnknownInput(f"{name}[{n}]: initial margin, 1 / {leverage:g}, must not be below maintenance {rate:g}")
    return Tiers(floors, caps, rates, deductions(floors, rates), leverages)


def _columns(table: list[Row], width: int) -> list[str]:
    """Return the meaning of the columns: a fourth one that begins with 0 holds deductions, otherwise leverages."""
    known = ["floor", "cap", "mmr"]
    if width == 3:
        return known
    if width == 4:
        return [*known, "cum" if table[0][3] == 0.0 else "max_leverage"]
    if width == 5:
        return [*known, "max_leverage", "cum"]
    raise UnknownInput(f"tiers with {width} columns need `columns` to name them")


def _numbers(table: list[Row], column: int, instead: float) -> list[float]:
    values = [row[column] for row in table]
    return [instead if value is None else value for value in values]


def _refuse_disorder(name: str, floors: list[float], caps: list[float]) -> None:
    if any(after <= before for ends in (floors, caps) for before, after in pairwise(ends)) or any(
        cap <= floor for floor, cap in zip(floors, caps, strict=True)
    ):
        raise UnknownInput(f"{name}: bands must rise")


def _refuse_rates(name: str, rates: list[float]) -> None:
    for n, rate in enumerate(rates):
        if not 0.0 <= rate <= 1.0:
            raise UnknownInput(f"{name}[{n}]: rate must be in [0, 1], was {rate:g}: give a fraction, 0.05 for 5 %")


def banded(inputs: Inputs, name: str, amount: float, multiples: bool = False) -> float:
    """Return the value of an amount in a table of bands (floor, cap or null, rate); negative amounts count in full.

    Above the last cap nothing counts. With `multiples` the rates may be above 1 and the last one goes on above the last cap.
    """
    if amount < 0.0:
        return amount
    table = inputs.table(name)
    if any(len(row) != 3 for row in table):
        raise UnknownInput(f"{name}: rows must be [from, to, rate]")
    floors, caps, rates = _numbers(table, 0, 0.0), _numbers(table, 1, NO_END), _numbers(table, 2, 0.0)
    _refuse_disorder(name, floors, caps)
    if not multiples:
        _refuse_rates(name, rates)
    return banded_value(amount, floors, caps, rates, rates[-1] if multiples else 0.0)


def outputs_named(wanted: frozenset[str], pattern: str, value: object) -> dict[str, object]:
    """Return {result: value} for every published result whose name fits a pattern ("pnl*")."""
    import fnmatch

    return {name: value for name in wanted if fnmatch.fnmatchcase(name, pattern)}
