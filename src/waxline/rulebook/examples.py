"""Read a file of worked examples: id, venue, topic, inputs, expected, tolerance."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from waxline.errors import WaxlineError
from waxline.limits import EXAMPLES, SCENARIO_FILE_BYTES
from waxline.scenario.problems import shown

KEYS = ("id", "venue", "topic", "inputs", "expected", "tolerance")
ALSO = ("formula", "source", "note", "evidence")


class ExamplesError(WaxlineError):
    """Report a file of worked examples that cannot be read."""

    exit_status = 2


@dataclass(frozen=True)
class Example:
    """Hold one worked example; `absolute` and `relative` are None when the numbers must agree exactly."""

    id: str
    venue: str
    topic: str
    inputs: dict[str, Any]
    expected: dict[str, Any]
    absolute: float | None = None
    relative: float | None = None
    source: str = ""
    note: str = ""
    published: dict[str, Any] = field(default_factory=dict)


def load_examples(path: Path) -> list[Example]:
    """Return the examples of a YAML or JSON file, a list or a section with the key `examples`; raises ExamplesError with the place."""
    try:
        SCENARIO_FILE_BYTES.check(path.stat().st_size, str(path))
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ExamplesError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ExamplesError(f"{path}: must be UTF-8 text, byte {error.start} is not: save it as UTF-8") from error
    data = _parsed(text, path)
    rows = data.get("examples") if isinstance(data, dict) else data
    if not isinstance(rows, list) or not rows:
        raise ExamplesError(f"{path}: must hold a list of examples, each with {', '.join(KEYS)}")
    EXAMPLES.check(len(rows), str(path))
    examples = [_example(row, n, path) for n, row in enumerate(rows)]
    _refuse_twice(examples, path)
    return [_with_published(example, examples) for example in examples]


def _parsed(text: str, path: Path) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if path.suffix.lower() == ".json":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ExamplesError(f"{path}:{error.lineno}: cannot be read as JSON: {error.msg}") from error
        except RecursionError as error:
            raise ExamplesError(f"{path}: is nested too deeply") from error
        except ValueError as error:
            raise ExamplesError(f"{path}: cannot be read as JSON: {error}") from error
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise ExamplesError(f"{path}{line}: cannot be read as YAML: {getattr(error, 'problem', None) or error}") from error
    except RecursionError as error:
        raise ExamplesError(f"{path}: is nested too deeply") from error
    except ValueError as error:
        raise ExamplesError(f"{path}: cannot be read as YAML: {error}") from error


def _example(row: Any, place: int, path: Path) -> Example:
    where = f"{path}: example {place + 1}"
    if not isinstance(row, dict):
        raise ExamplesError(f"{where}: must be a section with {', '.join(KEYS)}")
    if isinstance(row.get("id"), str):
        where = f"{path}: {row['id']}"
    for key in KEYS:
        if key not in row:
            raise ExamplesError(f"{where}: {key} is required, missing")
    for key in row:
        if key not in KEYS + ALSO:
            raise ExamplesError(f"{where}: {key} is not a known key: one of {', '.join(KEYS + ALSO)}")
    for key, kind in (("inputs", dict), ("expected", dict), ("venue", str), ("topic", str)):
        if not isinstance(row[key], kind):
            raise ExamplesError(f"{where}: {key} must be a {'section' if kind is dict else 'text'}, was {shown(row[key])}")
    if not isinstance(row["id"], (str, int)) or isinstance(row["id"], bool) or row["id"] == "":
        raise ExamplesError(f"{where}: id must be a text, was {shown(row['id'])}")
    if not row["expected"]:
        raise ExamplesError(f"{where}: expected must hold at least one published result, was an empty section")
    absolute, relative = _tolerance(row["tolerance"], where)
    inputs = {str(key): value for key, value in row["inputs"].items()}
    expected = {str(key): value for key, value in row["expected"].items()}
    return Example(str(row["id"]), row["venue"], row["topic"], inputs, expected, absolute, relative, str(row.get("source", "")), str(row.get("note", "")))


def _tolerance(value: Any, where: str) -> tuple[float | None, float | None]:
    if value == "exact":
        return None, None
    if isinstance(value, dict) and value and set(value) <= {"abs", "rel"}:
        try:
            bounds = {key: float(bound) for key, bound in value.items()}
        except (TypeError, ValueError) as error:
            raise ExamplesError(f"{where}: tolerance must hold numbers, was {value}") from error
        if all(0.0 <= bound < math.inf for bound in bounds.values()) and not any(isinstance(bound, (bool, str)) for bound in value.values()):
            return bounds.get("abs"), bounds.get("rel")
    was = str(value)[:60] if isinstance(value, dict) else shown(value)
    raise ExamplesError(f"{where}: tolerance must be exact, {{abs: number}} or {{rel: number}} not below 0, was {was}")


def _refuse_twice(examples: list[Example], path: Path) -> None:
    seen: set[str] = set()
    for example in examples:
        if example.id in seen:
            raise ExamplesError(f"{path}: the id {example.id} is used twice: rename one")
        seen.add(example.id)


def _with_published(example: Example, examples: list[Example]) -> Example:
    """Return the example with what others of the same venue and source publish, where they agree."""
    values: dict[str, Any] = {}
    doubtful: set[str] = set()
    for other in examples:
        if other.id == example.id or other.venue != example.venue or not other.source or other.source != example.source:
            continue
        for name, value in other.expected.items():
            if name in values and values[name] != value:
                doubtful.add(name)
            values[name] = value
    kept = {name: value for name, value in values.items() if name not in doubtful}
    return Example(**{**example.__dict__, "published": kept})
