"""As much of JSON Schema as the schema of run reports uses."""

from __future__ import annotations

import json
from typing import Any

from spark_infer.report import report_schema

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}
_KNOWN = {
    *("type", "enum", "minimum", "maximum", "required", "properties", "additionalProperties"),
    *("items", "anyOf", "$ref", "$defs", "$schema", "title", "description"),
}


def check_report(data: dict[str, Any]) -> None:
    """Prove that a report, as it is in its file, fits the schema."""
    schema = json.loads(report_schema())
    fits(json.loads(json.dumps(data, allow_nan=False)), schema, schema, "report")


def fits(data: Any, schema: dict[str, Any], root: dict[str, Any], where: str) -> None:
    """Prove that data fits a schema, whose words are all known here."""
    assert schema.keys() <= _KNOWN, schema.keys() - _KNOWN
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        fits(data, root["$defs"][name], root, where)
    if "anyOf" in schema:
        assert any(_holds(data, option, root, where) for option in schema["anyOf"]), where
    if "enum" in schema:
        assert data in schema["enum"], (where, data)
    if "type" in schema:
        kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        assert any(_is(data, kind) for kind in kinds), (where, data, kinds)
    if isinstance(data, int | float) and not isinstance(data, bool):
        assert schema.get("minimum", data) <= data <= schema.get("maximum", data), (where, data)
    if isinstance(data, list):
        for at, item in enumerate(data):
            fits(item, schema.get("items", {}), root, f"{where}[{at}]")
    if isinstance(data, dict):
        _fits_keys(data, schema, root, where)


def _fits_keys(data: dict[str, Any], schema: dict[str, Any], root: Any, where: str) -> None:
    missing = set(schema.get("required", ())) - data.keys()
    assert not missing, (where, missing)
    known, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    for key, value in data.items():
        fits(value, known.get(key, others), root, f"{where}.{key}")


def _holds(data: Any, schema: dict[str, Any], root: dict[str, Any], where: str) -> bool:
    try:
        fits(data, schema, root, where)
    except AssertionError:
        return False
    return True


def _is(data: Any, kind: str) -> bool:
    return isinstance(data, _TYPES[kind]) and (kind == "boolean" or not isinstance(data, bool))
