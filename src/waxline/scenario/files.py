"""Load a scenario by name or from a file, with overrides; everything wrong with it is reported at once, with file and line."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from waxline.errors import ScenarioError
from waxline.scenario import library
from waxline.scenario.fields import Keys, has_keys, item_of, row_key, section_of, value_of, written
from waxline.scenario.overrides import apply_overrides
from waxline.scenario.problems import Problem, ScenarioProblems, shown
from waxline.scenario.reading import SUFFIXES, Document, parse_document, read_document
from waxline.scenario.schema import Scenario
from waxline.scenario.values import Reader, problems_of

BASED_ON = "based_on"
BASES_MAX = 5
Origins = list[Document]


def load_scenario(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Scenario:
    """Return a scenario of the library or of a file, changed by `overrides`; raises ScenarioError (all mistakes at once)."""
    return build_scenario(read_document(find_file(name_or_path)), overrides)


def parse_scenario(text: str, overrides: Sequence[str] = (), file: str = "scenario.yaml") -> Scenario:
    """Return a scenario from a text in the format of the ending of `file`; raises ScenarioError."""
    return build_scenario(parse_document(text, file, Path(file).suffix), overrides)


def find_file(name_or_path: str | Path) -> Path:
    """Return the file that a name of the library or a path stands for; raises ScenarioError."""
    path = Path(name_or_path)
    if path.suffix.lower() in SUFFIXES or len(path.parts) > 1:
        if os.path.isdir(path):
            raise ScenarioError(f"{path}: is a folder: name a scenario file in it, ending in one of {', '.join(SUFFIXES)}")
        if not os.path.isfile(path):
            raise ScenarioError(f"{path}: no such file; names of the library are {', '.join(library.names())}")
        return path
    return library.path_of(str(name_or_path))


def build_scenario(document: Document, overrides: Sequence[str] = ()) -> Scenario:
    """Return the scenario that a document asks for, its base read and `overrides` applied; raises ScenarioError."""
    data, origins = _resolve(document, ())
    scenario = _validate(data, origins)
    if not overrides:
        return scenario
    changed = scenario.plain()
    set_by = apply_overrides(changed, overrides, Scenario)
    try:
        return Scenario.model_validate(changed)
    except ValidationError as error:
        raise ScenarioProblems([_of_override(keys, problem, set_by) for keys, problem in problems_of(error, Scenario, changed)]) from error


def _of_override(keys: Keys, problem: Problem, set_by: dict[Keys, str]) -> Problem:
    """Return the problem with the override that caused it in front: the one that set the value, all of them for a conflict."""
    causes = [text for place, text in set_by.items() if place[: len(keys)] == keys or keys[: len(place)] == place]
    texts = ", ".join(dict.fromkeys(causes if keys else set_by.values()))
    return replace(problem, path=f"--set {texts}: {problem.path}")


def _resolve(document: Document, above: tuple[str, ...]) -> tuple[dict[str, Any], Origins]:
    """Return the data of a document merged over that of its base, and the documents it comes from, the base first."""
    own = {key: value for key, value in document.data.items() if key not in (BASED_ON, "$schema")}
    clock = own.get("clock")
    reader = Reader(Scenario, own, clock.get("t0_utc") if isinstance(clock, dict) else None)
    read = reader.read()
    if reader.problems:
        raise ScenarioProblems(_placed([problem for _, problem in reader.problems], [document]))
    if BASED_ON not in document.data:
        return read, [document]
    base_name = str(document.data[BASED_ON])
    line = document.lines.get((BASED_ON,), 0)
    if base_name in above or len(above) >= BASES_MAX:
        raise ScenarioProblems([Problem(BASED_ON, "must not lead back to itself", base_name, "", document.file, line)])
    if "name" not in read:
        remedy = "a scenario based on another needs its own name"
        raise ScenarioProblems([Problem("name", "is required", "missing", remedy, document.file, line)])
    if not isinstance(document.data[BASED_ON], str):
        remedy = "write the name of a scenario of the library, or a file"
        raise ScenarioProblems([Problem(BASED_ON, "must be a text", shown(document.data[BASED_ON]), remedy, document.file, line)])
    try:
        base_file = _base_file(base_name, document)
    except ScenarioError as error:
        raise ScenarioProblems([Problem(BASED_ON, "must be a scenario", f'"{base_name}"', str(error), document.file, line)]) from error
    base, origins = _resolve(read_document(base_file), (*above, base_name))
    return merge(base, read, Scenario), [*origins, document]


def _base_file(base_name: str, document: Document) -> Path:
    beside = Path(document.file).parent / base_name
    return beside if beside.suffix.lower() in SUFFIXES and beside.is_file() else find_file(base_name)


def _validate(data: dict[str, Any], origins: Origins) -> Scenario:
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioProblems(_placed([problem for _, problem in problems_of(error, Scenario, data)], origins)) from error


def _placed(problems: Sequence[Problem], origins: Origins) -> list[Problem]:
    """Return the problems with file and line of their paths, or of the nearest section above that is written; last file wins."""
    marks = {written(Scenario, keys, document.data): (document.file, line) for document in origins for keys, line in document.lines.items()}
    placed = []
    for problem in problems:
        path = problem.path
        while path not in marks and path:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        file, line = marks.get(path, (origins[-1].file, 0))
        placed.append(replace(problem, file=file, line=line))
    return placed


def merge(base: Any, change: Any, annotation: Any) -> Any:
    """Return `base` changed by `change`: sections key by key, named rows by their names, dictionaries by key, all else replaced."""
    section, item = section_of(annotation), item_of(annotation)
    if isinstance(base, Mapping) and isinstance(change, Mapping) and (section is not None or value_of(annotation) is not None):
        merged = dict(base)
        for key, value in change.items():
            inner = section.model_fields[key].annotation if section is not None else value_of(annotation)
            merged[key] = merge(base[key], value, inner) if key in base else value
        return merged
    row_class = section_of(item)
    if isinstance(base, list) and isinstance(change, list) and has_keys(row_class):
        return _merge_rows(base, change, row_class)
    return change


def _merge_rows(base: list[Any], change: list[Any], row_class: type[BaseModel] | None) -> list[Any]:
    merged = list(base)
    places = {row_key(row_class, row, place): place for place, row in enumerate(base)}
    for row in change:
        key = row_key(row_class, row, -1)
        if key in places:
            merged[places[key]] = merge(base[places[key]], row, row_class)
        else:
            merged.append(row)
    return merged
