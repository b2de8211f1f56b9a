"""Read a facts file: published figures as measurable quantities with a band each."""

from __future__ import annotations

import difflib
import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

import waxline
from waxline.errors import FactsError
from waxline.limits import FACTS_FILE_BYTES

LIBRARY = Path(waxline.__file__).resolve().parent / "scenario" / "library" / "facts"
REDEMPTION = "redemption"
MOST_S = 1e7
"""Largest time from t = 0 in seconds that a fact may name, either way."""
NUMBERS = ("value", "low", "high", "window_s", "at_s", "threshold", "quantile", "band_bps")


class Fact(BaseModel):
    """Describe one published figure: what to measure, where, when, its value and the band [low, high] that agrees with it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, coerce_numbers_to_str=False)

    id: str = Field(min_length=1)
    quantity: str = Field(min_length=1)
    venue: str = "all"
    market: str = "all"
    asset: str = "all"
    value: float
    low: float
    high: float
    unit: str = ""
    window_s: tuple[float, float] | None = None
    at_s: float | None = None
    against: str | None = None
    after: str | None = None
    threshold: float | None = None
    quantile: float | None = Field(default=None, ge=0.0, le=1.0)
    band_bps: float | None = Field(default=None, gt=0.0)
    source: str = Field(min_length=1)
    note: str | None = None

    @field_validator(*NUMBERS, mode="before")
    @classmethod
    def _plain_numbers(cls, value: Any) -> Any:
        for number in value if isinstance(value, list | tuple) else (value,):
            if isinstance(number, bool | str):
                raise ValueError(f"must be a plain number, was {shown(number)}")
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Fact:
        if self.low > self.high:
            raise ValueError(f"low must not lie above high, was {self.low} and {self.high}")
        if self.window_s is not None and self.window_s[0] > self.window_s[1]:
            raise ValueError(f"window_s must be [from, to] with from <= to, was {list(self.window_s)}")
        if self.window_s is None and self.at_s is None:
            raise ValueError("one of window_s ([from, to] in s) and at_s (an instant in s) must be given")
        for name, times in (("window_s", self.window_s or ()), ("at_s", () if self.at_s is None else (self.at_s,))):
            if any(abs(time) > MOST_S for time in times):
                raise ValueError(f"{name} must lie within {MOST_S:g} s of t = 0, was {', '.join(f'{time:g}' for time in times)}")
        return self


class Facts(BaseModel):
    """Hold the facts of one event, in the order of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    event: str
    t0_utc: str
    sources: dict[str, str] = Field(default_factory=dict)
    facts: tuple[Fact, ...]

    def hash(self) -> str:
        """Return a hash of everything that decides what is measured and how it is judged, 16 hex digits."""
        text = self.model_dump_json(exclude={"sources": True, "facts": {"__all__": {"source", "note"}}})
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_facts(path: str | Path) -> Facts:
    """Read the facts file at `path`; a fact's `source` may be a key of the file's own `sources`.

    Raises FactsError with the fact's id, the field, the rule and the value.
    """
    path = Path(path)
    content = _read(path)
    entries = content.get("facts")
    if not isinstance(entries, list) or not entries:
        raise FactsError(f"{path}: facts must be a list of at least one fact, was {shown(entries)}: write '- id: ...' below it")
    sources = content.get("sources") or {}
    if not isinstance(sources, dict):
        raise FactsError(f"{path}: sources must be a mapping of short names to sources, was {shown(sources)}: write name: address below it")
    facts, seen = [], set()
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise FactsError(f"{path}: facts[{number}] must be a mapping with id, quantity, value, low, high, was {shown(entry)}")
        name = entry["id"] if isinstance(entry.get("id"), str) else f"facts[{number}]"
        if name in seen:
            raise FactsError(f"{path}: {name}: id must be unique, was given twice: rename one")
        seen.add(name)
        source = entry.get("source")
        resolved = {**entry, "source": sources.get(source, source)} if isinstance(source, str) else entry
        try:
            facts.append(Fact.model_validate(resolved))
        except ValidationError as error:
            raise FactsError(_explain(path, name, error)) from None
    try:
        head = {key: value for key, value in content.items() if key != "facts"}
        return Facts.model_validate({**head, "t0_utc": str(content.get("t0_utc", "")), "facts": tuple(facts)})
    except ValidationError as error:
        raise FactsError(_explain(path, "head of the file", error, Facts)) from None


def library_facts(name: str) -> Facts | None:
    """Return the facts shipped for the scenario `name`, None where there are none."""
    path = LIBRARY / f"{name}.yaml"
    return load_facts(path) if path.is_file() else None


def _read(path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        FACTS_FILE_BYTES.check(path.stat().st_size, str(path))
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FactsError(f"{path}: there is no such facts file: give the path of a YAML file") from None
    except OSError as error:
        raise FactsError(f"{path}: cannot be read ({error.strerror or error}): give the path of a YAML file") from error
    except UnicodeDecodeError as error:
        raise FactsError(f"{path}: cannot be read, byte {error.start} is no UTF-8 text: save it as UTF-8") from error
    except MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark is not None else ""
        raise FactsError(f"{path}{line}: is not valid YAML: {' '.join(part for part in (error.context, error.problem) if part)}") from error
    except (YAMLError, ValueError) as error:
        raise FactsError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise FactsError(f"{path}: is nested too deeply: a fact is a mapping of plain values") from error
    if not isinstance(content, dict):
        raise FactsError(f"{path}: must be a mapping with event, t0_utc and facts, was {shown(content)}")
    return content


def shown(value: Any) -> str:
    """Return a value for a message, however large it is."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list | tuple):
        return f"{'a mapping' if isinstance(value, dict) else 'a list'} of {len(value)}"
    return f"{value!r}"[:60]


def _explain(path: Path, name: str, error: ValidationError, model: type[BaseModel] = Fact) -> str:
    """Return one line per mistake: file, id, field, rule, value and, for an unknown field, the nearest spelling."""
    lines = []
    for item in error.errors():
        field = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            near = difflib.get_close_matches(field, list(model.model_fields), n=1)
            hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(model.model_fields)}"
            lines.append(f"{path}: {name}: {field} is not a field of a fact: {hint}")
        elif item["type"] == "missing":
            lines.append(f"{path}: {name}: {field} must be given")
        elif item["type"] == "value_error":
            place = f"{field} " if field else ""
            lines.append(f"{path}: {name}: {place}{item['msg'].removeprefix('Value error, ')}")
        else:
            lines.append(f"{path}: {name}: {field}: {item['msg']}, was {shown(item['input'])}")
    return "\n".join(lines)
