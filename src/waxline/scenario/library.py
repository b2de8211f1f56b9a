"""The scenarios that come with the program, by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from waxline.errors import ScenarioError
from waxline.scenario.problems import nearest

FOLDER = Path(__file__).resolve().parent / "library"
SCHEMA_FILE = FOLDER / "scenario.schema.json"
TITLE = re.compile(r"^title:\s*(.+?)\s*$", re.MULTILINE)


class Shipped(NamedTuple):
    """Hold one scenario of the library: its name, its title, its file."""

    name: str
    title: str
    path: Path


def names() -> list[str]:
    """Return the names of the library in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def path_of(name: str) -> Path:
    """Return the file of a scenario of the library; raises ScenarioError with the nearest name."""
    path = FOLDER / f"{name}.yaml"
    if name not in names():
        raise ScenarioError(f'scenario "{name}" is neither a file nor in the library: {nearest(name, names())}')
    return path


def shipped() -> list[Shipped]:
    """Return every scenario of the library with its title, read without validating the file."""
    found = []
    for name in names():
        path = path_of(name)
        title = TITLE.search(path.read_text(encoding="utf-8"))
        found.append(Shipped(name, title[1].strip("\"'") if title else "", path))
    return found
