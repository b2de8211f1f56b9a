"""Look into the typed model: what a path of keys leads to, which rows have which key, every field with its declaration."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Keys = tuple[str | int, ...]
ENABLED = "enabled"


class Declared(NamedTuple):
    """Hold one field of the model: its dotted path (lists as `[]`, dictionaries as `{}`), its declaration and its section."""

    path: str
    field: FieldInfo
    section: type[BaseModel]


def without_none(annotation: Any) -> Any:
    """Return the annotation without `| None` and without metadata; a union of several others is returned as it is."""
    if hasattr(annotation, "__metadata__"):
        return without_none(annotation.__origin__)
    if get_origin(annotation) in (Union, types.UnionType):
        rest = [item for item in get_args(annotation) if item is not type(None)]
        return without_none(rest[0]) if len(rest) == 1 else annotation
    return annotation


def section_of(annotation: Any) -> type[BaseModel] | None:
    """Return the section class an annotation stands for, None if it is none."""
    bare = without_none(annotation)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def item_of(annotation: Any) -> Any | None:
    """Return the annotation of the rows of a list, None if it is no list."""
    bare = without_none(annotation)
    return get_args(bare)[0] if get_origin(bare) is list and get_args(bare) else None


def value_of(annotation: Any) -> Any | None:
    """Return the annotation of the values of a dictionary, None if it is no dictionary."""
    bare = without_none(annotation)
    return get_args(bare)[1] if get_origin(bare) is dict and len(get_args(bare)) == 2 else None


def places_of(annotation: Any) -> tuple[Any, ...]:
    """Return the annotations of the places of a tuple of fixed length, () if it is none."""
    bare = without_none(annotation)
    kinds = get_args(bare) if get_origin(bare) is tuple else ()
    return () if Ellipsis in kinds else kinds


def is_number(annotation: Any) -> bool:
    """Tell whether a field holds a number."""
    return without_none(annotation) in (int, float)


def unit_of(field: FieldInfo) -> str:
    """Return the declared unit of a field, "" if it has none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def source_of(field: FieldInfo) -> str:
    """Return the declared source of a field, "" if it has none."""
    extra = field.json_schema_extra
    return str(extra.get("source", "")) if isinstance(extra, dict) else ""


def bounds_of(field: FieldInfo) -> tuple[float | None, float | None]:
    """Return the declared range of a field; None where it has no end."""
    low = high = None
    for rule in field.metadata:
        low = getattr(rule, "ge", low)
        high = getattr(rule, "le", high)
    return low, high


def row_key(section: type[BaseModel] | None, row: Any, place: int) -> str:
    """Return the key by which a list row is named in paths: its class's KEY, else its name, else its place in the list."""
    if isinstance(row, BaseModel):
        row = row.model_dump(mode="json")
    if not isinstance(row, Mapping):
        return str(place)
    pattern = getattr(section, "KEY", None)
    if pattern:
        try:
            return str(pattern).format_map(dict(row))
        except KeyError:
            return str(place)
    return str(row.get("name", place))


def has_keys(section: type[BaseModel] | None) -> bool:
    """Tell whether rows of a class are named by a key rather than by their place."""
    return section is not None and (hasattr(section, "KEY") or "name" in section.model_fields)


def written(model: type[BaseModel], keys: Sequence[str | int], data: Any) -> str:
    """Return keys as a person writes them: ("markets", 3, "depth_usd") gives markets[binance-perp-BTC].depth_usd."""
    text = ""
    annotation: Any = model
    for key in keys:
        section, item, value = section_of(annotation), item_of(annotation), value_of(annotation)
        if section is not None and isinstance(key, str):
            field = section.model_fields.get(key)
            annotation = field.annotation if field is not None else Any
            text += f".{key}" if text else key
        elif isinstance(key, int):
            row = data[key] if isinstance(data, Sequence) and not isinstance(data, str) and key < len(data) else None
            text += f"[{row_key(section_of(item), row, key)}]"
            annotation = item if item is not None else Any
        else:
            text += f".{key}" if text else str(key)
            annotation = value if value is not None else Any
        data = _below(data, key)
    return text


def _below(data: Any, key: str | int) -> Any:
    if isinstance(data, Mapping):
        return data.get(key)
    if isinstance(data, Sequence) and not isinstance(data, str) and isinstance(key, int) and key < len(data):
        return data[key]
    return None


def field_at(model: type[BaseModel], keys: Sequence[str | int]) -> tuple[FieldInfo | None, Any]:
    """Return the field that declares what `keys` lead to (the nearest one above it for list items) and its annotation."""
    annotation: Any = model
    field: FieldInfo | None = None
    for key in keys:
        section, item, value = section_of(annotation), item_of(annotation), value_of(annotation)
        if section is not None and isinstance(key, str) and key in section.model_fields:
            field = section.model_fields[key]
            annotation = field.annotation
        elif item is not None and isinstance(key, int):
            annotation = item
        elif value is not None:
            annotation = value
        else:
            return None, None
    return field, annotation


def declared(model: type[BaseModel], above: str = "") -> Iterator[Declared]:
    """Yield every field below a section class, depth first; the order is that of the declarations."""
    for name, field in model.model_fields.items():
        path = f"{above}.{name}" if above else name
        yield Declared(path, field, model)
        annotation = field.annotation
        if item_of(annotation) is not None:
            path, annotation = f"{path}[]", item_of(annotation)
        elif value_of(annotation) is not None:
            path, annotation = f"{path}{{}}", value_of(annotation)
        inner = section_of(annotation)
        if inner is not None:
            yield from declared(inner, path)


def sections(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, BaseModel]]:
    """Yield every section below a validated value with the keys that lead to it, the value itself first."""
    if isinstance(value, BaseModel):
        yield keys, value
        for name in type(value).model_fields:
            yield from sections(getattr(value, name), (*keys, name))
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from sections(item, (*keys, name))
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield from sections(item, (*keys, place))
