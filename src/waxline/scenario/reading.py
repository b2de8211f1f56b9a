"""Read the text of a scenario file (YAML 1.2, JSON or TOML) into plain data, with the line of every key and row."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from waxline.errors import ScenarioError
from waxline.limits import SCENARIO_FILE_BYTES
from waxline.scenario.fields import Keys
from waxline.scenario.problems import Problem, ScenarioProblems, shown

SUFFIXES = (".yaml", ".yml", ".json", ".toml")
NESTING_MAX = 40
VALUES_MAX = 100_000
TOML_HEADER = re.compile(r"\s*\[(\[)?\s*([^\]]+?)\s*\]")
TOML_KEY = re.compile(r"\s*([A-Za-z0-9_.\"-]+)\s*=")


class Document(NamedTuple):
    """Hold what one file says: its name for messages, its data, the line of every key, row and value."""

    file: str
    data: dict[str, Any]
    lines: dict[Keys, int]


def read_document(path: Path) -> Document:
    """Return the content of a scenario file; raises ScenarioError with file and line where it cannot be read."""
    file = str(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ScenarioError(f"{file}: must end in one of {', '.join(SUFFIXES)}, was {path.suffix or 'nothing'}")
    try:
        SCENARIO_FILE_BYTES.check(path.stat().st_size, file)
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ScenarioError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ScenarioError(f"{file}: must be UTF-8 text, byte {error.start} is not: save it as UTF-8") from error
    return parse_document(text, file, path.suffix.lower())


def parse_document(text: str, file: str, suffix: str = ".yaml") -> Document:
    """Return what a text in the format of `suffix` says; raises ScenarioError with file and line."""
    if suffix == ".toml":
        data, lines = _parse_toml(text, file)
    elif suffix == ".json":
        data, lines = _parse_json(text, file)
    else:
        data, lines = _parse_yaml(text, file)
    if not isinstance(data, dict):
        what = "empty" if data is None else shown(data)
        raise ScenarioError(f"{file}: must hold a section, a line for each key such as name: value, was {what}: `waxline scenario copy` gives an example")
    return Document(file, data, lines)


def parse_value(text: str) -> Any:
    """Return the value of one override text: a number, true/false, a text, or a list or dictionary in YAML flow style."""
    try:
        data, _ = _parse_yaml(text, "value")
    except ScenarioError:
        return text
    return data


def _parse_yaml(text: str, file: str) -> tuple[Any, dict[Keys, int]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    yaml = YAML(typ="safe", pure=True)
    _count_while_composing(yaml.composer, file)
    try:
        root = yaml.compose(text)
        reader = _Nodes(yaml.constructor, file)
        data = None if root is None else reader.value(root, ())
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 0
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise ScenarioProblems([Problem("this line", "cannot be read as YAML", "", what, file, line)]) from error
    except (YAMLError, ValueError) as error:
        raise ScenarioError(f"{file}: cannot be read as YAML: {error}") from error
    except RecursionError as error:
        raise ScenarioError(f"{file}: is nested too deeply: at most {NESTING_MAX} levels") from error
    if reader.problems:
        raise ScenarioProblems(reader.problems)
    return data, reader.lines


def _count_while_composing(composer: Any, file: str) -> None:
    """Make `composer` refuse a text that is too deep or too long as soon as that shows: composing the rest can take minutes."""
    compose, nodes, level = composer.compose_node, count(1), 0

    def counted(parent: Any, index: Any) -> Any:
        nonlocal level
        level += 1
        if level > NESTING_MAX + 1 or next(nodes) > VALUES_MAX:
            raise _too_much(file)
        node = compose(parent, index)
        level -= 1
        return node

    composer.compose_node = counted


def _too_much(file: str) -> ScenarioError:
    return ScenarioError(f"{file}: has more than {NESTING_MAX} levels or {VALUES_MAX:,} values: aliases that multiply? Write less into one file")


class _Nodes:
    """Turn YAML nodes into plain data, note lines, and find keys that are written twice."""

    def __init__(self, constructor: Any, file: str) -> None:
        self.constructor = constructor
        self.file = file
        self.lines: dict[Keys, int] = {}
        self.problems: list[Problem] = []
        self.values = 0

    def value(self, node: Any, keys: Keys) -> Any:
        self.lines.setdefault(keys, node.start_mark.line + 1)
        self.values += 1
        if len(keys) > NESTING_MAX or self.values > VALUES_MAX:
            raise _too_much(self.file)
        if node.id == "mapping":
            return self._mapping(node, keys)
        if node.id == "sequence":
            return [self.value(item, (*keys, place)) for place, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: Any, keys: Keys) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if key_node.id == "scalar" else "a list or section"
            if key_node.id != "scalar":
                self.problems.append(Problem(_dotted(keys), "must have plain texts as keys", "", "write key: value", self.file, line))
            elif key in data:
                first = self.lines[(*keys, key)]
                remedy = f"line {first} has it already: remove one of them"
                self.problems.append(Problem(_dotted((*keys, key)), "must be written once", "written twice", remedy, self.file, line))
            else:
                self.lines[(*keys, key)] = line
                data[key] = self.value(value_node, (*keys, key))
        return data

    def _scalar(self, node: Any) -> Any:
        kind = str(node.tag).rsplit(":", 1)[-1]
        if kind == "int":
            return self.constructor.construct_yaml_int(node)
        if kind == "float":
            return self.constructor.construct_yaml_float(node)
        if kind == "bool":
            return node.value.lower() == "true"
        return None if kind == "null" else node.value


def _dotted(keys: Keys) -> str:
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text or "the scenario"


def _parse_json(text: str, file: str) -> tuple[Any, dict[Keys, int]]:
    twice: list[str] = []

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in pairs:
            if key in data:
                twice.append(key)
            data[key] = value
        return data

    try:
        data = json.loads(text, object_pairs_hook=once)
    except json.JSONDecodeError as error:
        problem = Problem("this line", "cannot be read as JSON", "", error.msg, file, error.lineno)
        raise ScenarioProblems([problem]) from error
    except RecursionError as error:
        raise ScenarioError(f"{file}: is nested too deeply: at most {NESTING_MAX} levels") from error
    # JSON is YAML but for tabs, so the YAML reader finds the lines, and keys that are written twice.
    try:
        _, lines = _parse_yaml(text.replace("\t", " "), file)
    except ScenarioProblems:
        if twice:
            raise
        lines = {}
    return data, lines


def _parse_toml(text: str, file: str) -> tuple[Any, dict[Keys, int]]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        problem = Problem("this line", "cannot be read as TOML", "", str(error), file, int(found[1]) if found else 0)
        raise ScenarioProblems([problem]) from error
    return _texts(data), _toml_lines(text.splitlines())


def _texts(data: Any) -> Any:
    """Return TOML data with dates as ISO texts, as the other formats have them."""
    if isinstance(data, dict):
        return {key: _texts(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_texts(value) for value in data]
    return data.isoformat() if hasattr(data, "isoformat") else data


def _toml_lines(lines: Iterable[str]) -> dict[Keys, int]:
    """Return the lines of tables and of keys at the beginning of a line; keys inside inline tables have that of their row."""
    found: dict[Keys, int] = {}
    counts: dict[Keys, int] = {}
    above: Keys = ()
    for number, line in enumerate(lines, start=1):
        header, key = TOML_HEADER.match(line), TOML_KEY.match(line)
        if header:
            above = _toml_path(header[2], counts)
            if header[1]:
                counts[above] = counts.get(above, -1) + 1
                above = (*above, counts[above])
            found.setdefault(above, number)
        elif key:
            found.setdefault((*above, *_toml_path(key[1], {})), number)
    return found


def _toml_path(dotted: str, counts: dict[Keys, int]) -> Keys:
    keys: Keys = ()
    names = [part.strip().strip("\"'") for part in dotted.split(".")]
    for place, name in enumerate(names):
        keys = (*keys, name)
        if keys in counts and place < len(names) - 1:
            keys = (*keys, counts[keys])
    return keys
