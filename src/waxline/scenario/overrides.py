"""Change single values of a scenario: `shock.news.size=0.08`, `markets[binance-*].depth_usd*=0.5`, `shock.news=off`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from pydantic import BaseModel

from waxline.limits import OVERRIDES
from waxline.scenario.fields import (
    ENABLED,
    Keys,
    field_at,
    has_keys,
    is_number,
    item_of,
    row_key,
    section_of,
    value_of,
    without_none,
    written,
)
from waxline.scenario.problems import Problem, ScenarioProblems, nearest
from waxline.scenario.reading import parse_value
from waxline.scenario.values import SWITCH_WORDS, Reader

FORM = re.compile(r"\s*(?P<path>[^=]+?)\s*(?P<how>\*=|=)\s*(?P<value>.*?)\s*", re.DOTALL)
STEP = re.compile(r"\.?([^.\[\]]+)|\[([^\[\]]*)\]")
EXAMPLES = "write path=value or path*=factor, for example shock.news.size=0.08 or markets[binance-*].depth_usd*=0.5"


class Change(NamedTuple):
    """Hold one override: its text, its path (rows as ("[", pattern)), whether it multiplies, its value as written and as read."""

    text: str
    steps: tuple[str | tuple[str, str], ...]
    multiplies: bool
    words: str
    value: Any


def apply_overrides(data: dict[str, Any], overrides: Sequence[str], model: type[BaseModel]) -> dict[Keys, str]:
    """Change `data` (complete plain data of `model`) in place; return which override set which keys; raises ScenarioProblems."""
    OVERRIDES.check(len(overrides), "--set")
    aliases: dict[str, str] = getattr(model, "ALIASES", {})
    problems: list[Problem] = []
    set_by: dict[Keys, str] = {}
    for text in overrides:
        try:
            change = parse_override(text, aliases)
            for keys in find(data, change, model):
                keys, value = _changed(data, keys, change, model)
                _set(data, keys, value)
                set_by[keys] = text
        except ScenarioProblems as error:
            problems += error.problems
    if problems:
        raise ScenarioProblems(problems)
    return set_by


def parse_override(text: str, aliases: dict[str, str]) -> Change:
    """Return an override as steps, operation and value; raises ScenarioProblems where it is none."""
    form = FORM.fullmatch(text)
    if form is None:
        raise _refusal(text, "is not an override", "", EXAMPLES)
    path = form["path"]
    path = aliases.get(path, path)
    steps: list[str | tuple[str, str]] = []
    end = 0
    for match in STEP.finditer(path):
        if match.start() != end:
            raise _refusal(text, "has a path that cannot be read", path, EXAMPLES)
        steps.append(match[1] if match[1] is not None else ("[", match[2]))
        end = match.end()
    if end != len(path) or not steps:
        raise _refusal(text, "has a path that cannot be read", path, EXAMPLES)
    return Change(text, tuple(steps), form["how"] == "*=", form["value"], parse_value(form["value"]))


def find(data: Any, change: Change, model: type[BaseModel]) -> list[Keys]:
    """Return the keys of every place the path of an override leads to; raises ScenarioProblems where there is none."""
    places: list[tuple[Keys, Any]] = [((), data)]
    for done, step in enumerate(change.steps):
        below: list[tuple[Keys, Any]] = []
        for keys, value in places:
            below += list(_next(value, keys, step, field_at(model, keys)[1] if keys else model))
        if not below:
            raise _not_found(change, done, places[0], model, data)
        places = below
    return [keys for keys, _ in places]


def _next(value: Any, keys: Keys, step: str | tuple[str, str], annotation: Any) -> Iterator[tuple[Keys, Any]]:
    if isinstance(step, str):
        if isinstance(value, dict) and step in value:
            yield (*keys, step), value[step]
        elif isinstance(value, dict) and value_of(annotation) is not None:
            yield (*keys, step), None
        elif isinstance(value, list) and step in ("*", ENABLED) and value:
            for place, row in enumerate(value):
                yield from _next(row, (*keys, place), step, item_of(annotation)) if step == ENABLED else [((*keys, place), row)]
        return
    pattern = step[1]
    if isinstance(value, list):
        row_class = section_of(item_of(annotation))
        for place, row in enumerate(value):
            if fnmatchcase(row_key(row_class, row, place), pattern) or str(place) == pattern:
                yield (*keys, place), row
    elif isinstance(value, dict):
        for key, part in value.items():
            if fnmatchcase(key, pattern):
                yield (*keys, key), part


def _not_found(change: Change, done: int, place: tuple[Keys, Any], model: type[BaseModel], data: Any) -> ScenarioProblems:
    keys, value = place
    above = written(model, keys, data) if keys else "the scenario"
    step = change.steps[done]
    word = step if isinstance(step, str) else step[1]
    annotation = field_at(model, keys)[1] if keys else model
    if isinstance(value, list):
        row_class = section_of(item_of(annotation))
        names = [row_key(row_class, row, number) for number, row in enumerate(value)]
        remedy = nearest(word, names) if has_keys(row_class) else (f"its rows are 0 to {len(names) - 1}" if names else "it has no rows")
        if isinstance(step, str) and remedy:
            remedy = f"name a row: {above}[{names[0]}].{word}, or all of them: {above}[*].{word}" if names else "it has no rows"
        return _refusal(change.text, f"finds no row {word} in {above}", "", remedy)
    if isinstance(value, dict):
        return _refusal(change.text, f"finds no {word} in {above}", "", nearest(word, value))
    return _refusal(change.text, f"finds nothing below {above}", "", "it is a single value: end the path there")


def _changed(data: Any, keys: Keys, change: Change, model: type[BaseModel]) -> tuple[Keys, Any]:
    """Return the keys to set and the new value there, in the types of the model."""
    field, annotation = field_at(model, keys)
    path = written(model, keys, data)
    old = _get(data, keys)
    if change.multiplies:
        factor = change.value
        if isinstance(factor, bool) or not isinstance(factor, (int, float)):
            raise _refusal(change.text, "must multiply by a number", f'"{factor}"', "write for example *=0.5")
        if not is_number(annotation) or isinstance(old, bool) or not isinstance(old, (int, float)):
            why = "has no value yet: give one with =" if old is None and is_number(annotation) else "is no number: give a value with ="
            raise _refusal(change.text, f"cannot multiply {path}", "", f"it {why}")
        product = old * factor
        return keys, int(product) if isinstance(old, int) and float(product).is_integer() else product
    value = change.value if without_none(annotation) is not str or change.value is None else change.words
    section = section_of(annotation)
    word = SWITCH_WORDS.get(value.lower()) if isinstance(value, str) else value if isinstance(value, bool) else None
    if section is not None and word is not None:
        if ENABLED not in section.model_fields:
            switches = [name for name, part in section.model_fields.items() if part.annotation is bool]
            remedy = f"switch one of {', '.join(switches)}" if switches else "set single values below it"
            raise _refusal(change.text, f"cannot switch {path} on or off", "", remedy)
        return (*keys, ENABLED), word
    reader = Reader(model, data, (data.get("clock") or {}).get("t0_utc"))
    new = reader.value(value, annotation, field, keys)
    if reader.problems:
        found = [Problem(f"--set {change.text}: {item.path}", item.rule, item.value, item.remedy) for _, item in reader.problems]
        raise ScenarioProblems(found)
    if section is not None and isinstance(new, dict) and isinstance(old, dict):
        new = {**old, **new}
    return keys, new


def _get(data: Any, keys: Keys) -> Any:
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else data[key]
    return data


def _set(data: Any, keys: Keys, value: Any) -> None:
    _get(data, keys[:-1])[keys[-1]] = value


def _refusal(text: str, rule: str, value: str, remedy: str) -> ScenarioProblems:
    return ScenarioProblems([Problem(f"--set {text}:", rule, value, remedy)])
