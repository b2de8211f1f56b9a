"""The JSON Schema of scenario files: completion, units, ranges and meanings in editors."""

from __future__ import annotations

import json
from typing import Any

from waxline.scenario.fields import ENABLED
from waxline.scenario.schema import Scenario
from waxline.scenario.values import parser_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SWITCHES: list[bool | str] = [True, False, "on", "off"]
UNITS_WITH_TEXT = {"s": "15m, 90s, 1h30m", "bps": "2.5bps, 0.025 %", "USD": "188 M, 250k", "fraction": "5 %, 500bps"}


def scenario_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a scenario file, made from the declarations of the model."""
    schema = Scenario.model_json_schema(mode="validation")
    for definition in [schema, *schema["$defs"].values()]:
        _complete(definition)
    whole = list(schema.pop("required"))
    own = schema["properties"]
    own["based_on"] = {
        "type": "string",
        "description": "scenario (name or file) that this one changes; rows are matched by their names",
    }
    own["$schema"] = {"type": "string"}
    return {"$schema": DIALECT, **schema, "anyOf": [{"required": ["name", "based_on"]}, {"required": whole}]}


def schema_text() -> str:
    """Return the schema as the text of the file that is shipped."""
    return json.dumps(scenario_schema(), indent=1, ensure_ascii=False) + "\n"


def _complete(definition: dict[str, Any]) -> None:
    """Accept texts with units and on/off, show units, let rows of a scenario that is based on another be partial."""
    properties = definition.get("properties")
    if properties is None:
        return
    for name, declared in properties.items():
        unit = declared.get("unit", "")
        if unit and unit not in ("1", "on/off"):
            declared["description"] = f"{declared.get('description', '')} ({unit})"
        if declared.get("type") == "boolean":
            del declared["type"]
            declared["enum"] = SWITCHES
        elif declared.get("type") == "number" and parser_of(unit) is not None:
            number = {key: declared.pop(key) for key in ("type", "minimum", "maximum") if key in declared}
            declared["anyOf"] = [number, {"type": "string"}]
            declared["examples"] = UNITS_WITH_TEXT["fraction" if unit.startswith("fraction") else unit].split(", ")
        properties[name] = declared
    if ENABLED in properties:
        definition["type"] = ["object", "boolean", "string"]
    if "source" in properties:
        definition["required"] = [key for key in definition.get("required", []) if key in ("symbol", "name", "venue", "asset", "kind")]
