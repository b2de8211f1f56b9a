"""Bring the values of a scenario file or an override to the types of the model: units, switches, unknown keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from waxline.scenario.fields import (
    ENABLED,
    Keys,
    bounds_of,
    field_at,
    is_number,
    item_of,
    places_of,
    section_of,
    unit_of,
    value_of,
    without_none,
    written,
)
from waxline.scenario.problems import Problem, nearest, shown
from waxline.units import UnitError, parse_bps, parse_clock_s, parse_duration_s, parse_frac, parse_usd

SWITCH_WORDS = {"on": True, "off": False, "true": True, "false": False}
MOMENTS = ("from_s", "to_s", "start_s", "end_s", "at_s")
TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
FRACTION_REMEDY = "give a fraction, 0.05 for 5 %"


class Reader:
    """Bring data to the types of a section class; problems are collected, not raised."""

    def __init__(self, model: type[BaseModel], data: Any, t0_utc: Any = None) -> None:
        """Keep the class and the whole data; `t0_utc` gives times of day such as "21:12" their meaning."""
        self.model = model
        self.data = data
        self.t0_utc = t0_utc
        self.problems: list[tuple[Keys, Problem]] = []

    def read(self) -> Any:
        """Return the data with every value brought to its type as far as that is possible."""
        return self.value(self.data, self.model, None, ())

    def value(self, value: Any, annotation: Any, field: FieldInfo | None, keys: Keys) -> Any:
        """Return one value at `keys` brought to `annotation`; `field` declares unit and range."""
        if value is None:
            return None
        section, item, inner = section_of(annotation), item_of(annotation), value_of(annotation)
        if section is not None:
            return self._section(value, section, keys)
        kinds = places_of(annotation)
        if isinstance(value, list) and len(value) == len(kinds):
            return [self.value(part, kind, field, (*keys, place)) for place, (part, kind) in enumerate(zip(value, kinds, strict=True))]
        if item is not None and isinstance(value, list):
            return [self.value(row, item, field, (*keys, place)) for place, row in enumerate(value)]
        if inner is not None and isinstance(value, dict):
            return {str(key): self.value(part, inner, field, (*keys, key)) for key, part in value.items()}
        if without_none(annotation) is bool:
            return self._switch(value, keys)
        if is_number(annotation):
            return self._number(value, without_none(annotation), field, keys)
        return value

    def _section(self, value: Any, section: type[BaseModel], keys: Keys) -> Any:
        switch = value if isinstance(value, bool) else SWITCH_WORDS.get(value.lower()) if isinstance(value, str) else None
        if switch is not None and ENABLED in section.model_fields:
            return {ENABLED: switch}
        if not isinstance(value, dict):
            choices = list(section.model_fields)
            rest = ", ..." if len(choices) > 6 else ""
            self._refuse(keys, "must be a section", value, f"write its keys below it: {', '.join(choices[:6])}{rest}")
            return value
        data = {}
        for key, part in value.items():
            field = section.model_fields.get(key)
            if field is None:
                self._refuse((*keys, key), "is not a known key", part, nearest(key, section.model_fields))
            else:
                data[key] = self.value(part, field.annotation, field, (*keys, key))
        return data

    def _switch(self, value: Any, keys: Keys) -> Any:
        if isinstance(value, str) and value.lower() in SWITCH_WORDS:
            return SWITCH_WORDS[value.lower()]
        if not isinstance(value, bool):
            self._refuse(keys, "must be on or off", value, "write on, off, true or false")
        return value

    def _number(self, value: Any, kind: type, field: FieldInfo | None, keys: Keys) -> Any:
        unit = unit_of(field) if field is not None else ""
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            self._refuse(keys, f"must be a number{_in_unit(unit)}", value, "write a number")
            return 0
        if isinstance(value, str):
            try:
                value = self._parse(value, unit, str(keys[-1]))
            except UnitError as error:
                self._refuse(keys, f"must be a number{_in_unit(unit)}", value, _advice(error))
                return 0
        if kind is int and isinstance(value, float) and value.is_integer():
            return int(value)
        return value

    def _parse(self, text: str, unit: str, name: str) -> float:
        if name in MOMENTS and self.t0_utc is not None and TIME_OF_DAY.fullmatch(text.strip()):
            return parse_clock_s(text, self.t0_utc)
        parser = parser_of(unit)
        if parser is not None:
            return parser(text)
        try:
            return float(text)
        except ValueError as error:
            raise UnitError(f"{text!r}: write a plain number{_in_unit(unit)}") from error

    def _refuse(self, keys: Keys, rule: str, value: Any, remedy: str) -> None:
        self.problems.append((keys, Problem(written(self.model, keys, self.data), rule, shown(value), remedy)))


def parser_of(unit: str) -> Callable[[str], float] | None:
    """Return the function that reads texts such as "5 %" in a declared unit; None for units that take plain numbers only."""
    if unit == "s":
        return parse_duration_s
    if unit == "bps":
        return parse_bps
    if unit == "USD":
        return parse_usd
    if unit == "fraction" or (unit.startswith("fraction of ") and " per " not in unit):
        return parse_frac
    return None


def _in_unit(unit: str) -> str:
    return f" ({unit})" if unit not in ("", "1") else ""


def _advice(error: UnitError) -> str:
    return str(error).split(": ", 1)[-1]


def problems_of(error: ValidationError, model: type[BaseModel], data: Any) -> list[tuple[Keys, Problem]]:
    """Return the mistakes of a failed validation, with the keys that lead to each; conflicts have empty keys."""
    found: list[tuple[Keys, Problem]] = []
    for detail in error.errors(include_url=False):
        if detail["type"] == "scenario_conflict":
            found += [((), problem) for problem in detail["ctx"]["problems"]]
        else:
            keys = tuple(detail["loc"])
            found.append((keys, _problem(detail, keys, model, data)))
    return found


def _problem(detail: ErrorDetails, keys: Keys, model: type[BaseModel], data: Any) -> Problem:
    field, annotation = field_at(model, keys)
    path = written(model, keys, data)
    value = shown(detail["input"])
    unit = unit_of(field) if field is not None else ""
    meaning = (field.description or "") if field is not None else ""
    kind = detail["type"]
    if kind == "missing":
        return Problem(path, "is required", "missing", f"add it: {meaning}{_in_unit(unit)}" if meaning else "add it")
    if kind == "extra_forbidden":
        section = section_of(field_at(model, keys[:-1])[1])
        return Problem(path, "is not a known key", value, nearest(str(keys[-1]), section.model_fields if section else ()))
    if kind in ("greater_than_equal", "less_than_equal") and field is not None:
        low, high = bounds_of(field)
        remedy = FRACTION_REMEDY if unit.startswith("fraction") else meaning
        return Problem(path, f"must be in [{_end(low, '-inf')}, {_end(high, 'inf')}]{_in_unit(unit)}", value, remedy)
    if kind == "enum":
        choices = [str(choice.value) for choice in without_none(annotation)]
        return Problem(path, f"must be one of {', '.join(choices)}", value, nearest(str(detail["input"]), choices))
    if kind.startswith(("datetime", "timezone")):
        return Problem(path, "must be a time in UTC", value, "write for example 2025-10-10T20:50:00Z")
    if kind == "string_pattern_mismatch":
        return Problem(path, f"must match {detail['ctx']['pattern']}", value, meaning)
    if kind == "string_type":
        return Problem(path, "must be a text", value, "put it in quotes")
    if kind == "int_from_float":
        return Problem(path, f"must be a whole number{_in_unit(unit)}", value, meaning)
    if kind == "finite_number":
        return Problem(path, f"must be a finite number{_in_unit(unit)}", value, meaning)
    if kind in ("float_type", "int_type") and detail["input"] is None:
        return Problem(path, f"must be a number{_in_unit(unit)}", "nothing", meaning)
    return Problem(path, detail["msg"][:1].lower() + detail["msg"][1:], value, meaning)


def _end(bound: float | None, otherwise: str) -> str:
    return otherwise if bound is None else f"{bound:g}"
