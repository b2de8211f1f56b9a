"""Read a file that holds one section (venue rules, an account) into its class, with file and line in every mistake."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from waxline.scenario.fields import written
from waxline.scenario.problems import Problem, ScenarioProblems
from waxline.scenario.reading import Document, read_document
from waxline.scenario.values import Reader, problems_of

Model = TypeVar("Model", bound=BaseModel)


def read_section(path: Path, model: type[Model], check: Callable[[Model], Iterable[Problem]] | None = None) -> Model:
    """Return the content of a file as `model`; `check` finds what single fields cannot; raises ScenarioProblems, all mistakes at once."""
    return section_from(read_document(path), model, check)


def section_from(document: Document, model: type[Model], check: Callable[[Model], Iterable[Problem]] | None = None) -> Model:
    """Return a document's content as `model`; raises ScenarioProblems with file and line."""
    reader = Reader(model, document.data)
    data = reader.read()
    problems = [problem for _, problem in reader.problems]
    section: Model | None = None
    if not problems:
        try:
            section = model.model_validate(data)
        except ValidationError as error:
            problems = [problem for _, problem in problems_of(error, model, data)]
    if section is not None and check is not None:
        problems = list(check(section))
    if problems or section is None:
        raise ScenarioProblems(placed(problems, document, model))
    return section


def placed(problems: Iterable[Problem], document: Document, model: type[BaseModel]) -> list[Problem]:
    """Return the problems with file and line of their path, or of the nearest section above that is written."""
    lines: dict[str, Any] = {written(model, keys, document.data): line for keys, line in document.lines.items()}
    found = []
    for problem in problems:
        path = problem.path
        while path not in lines and path:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        found.append(replace(problem, file=document.file, line=lines.get(path, 0)))
    return found
