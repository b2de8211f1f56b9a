"""Write plain data as YAML that reads back to the same data: sections in blocks, flat rows on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*( [A-Za-z0-9_.-]+)*")
RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan"})
UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
LONG_LINE = 150


def to_yaml(data: dict[str, Any]) -> str:
    """Return a dictionary of texts, numbers, lists and dictionaries as YAML 1.2."""
    return "\n".join(_section(data, 0)) + "\n"


def _section(data: dict[str, Any], indent: int) -> Iterator[str]:
    space = " " * indent
    for key, value in data.items():
        head = f"{space}{scalar(str(key))}:"
        if isinstance(value, dict) and value and not _is_short(value):
            yield head
            yield from _section(value, indent + 2)
        elif isinstance(value, list) and value and not _is_short(value):
            yield head
            for item in value:
                yield from _item(item, indent + 2)
        else:
            yield f"{head} {flow(value)}"


def _item(item: Any, indent: int) -> Iterator[str]:
    space = " " * indent
    if isinstance(item, dict) and any(isinstance(value, (dict, list)) and not _is_short(value) for value in item.values()):
        lines = list(_section(item, indent + 2))
        yield f"{space}- {lines[0].strip()}"
        yield from lines[1:]
    else:
        yield f"{space}- {flow(item)}"


def _is_short(value: Any) -> bool:
    nested = any(isinstance(item, (dict, list)) for item in (value.values() if isinstance(value, dict) else value))
    return not nested and len(flow(value)) <= LONG_LINE


def flow(value: Any) -> str:
    """Return a value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar(str(key))}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return scalar(value)


def scalar(value: Any) -> str:
    """Return one text, number, truth value or null; texts are quoted unless they can only be read as texts."""
    if isinstance(value, str) and PLAIN.fullmatch(value) and value.lower() not in RESERVED:
        return value
    quoted = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted)
