"""The table of facts: what Microsoft's OpenAPI file declares for the operations that the emulator has, without prose.

`python -m tests.contract.facts` derives it anew and writes facts.json. The file is named by POWERBI_CONTRACT and stands
beside the project by default; where it is absent, the committed table is all there is.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from emulator.powerbi.operation import BASE
from emulator.powerbi.service import OPERATIONS

Json = dict[str, Any]
FACTS = Path(__file__).with_name("facts.json")
_PROJECT = Path(__file__).parents[2]
_BESIDE = _PROJECT.parent / "shared" / "contracts" / "powerbi-rest-api.swagger.json"
_LIMIT = re.compile(r"([\d,]+) (?:query )?requests per (hour|minute)")
_SECONDS = {"hour": 3600, "minute": 60}
_BOUNDS = ("enum", "minimum", "maximum", "maxLength", "format")


def contract_file() -> Path:
    """Where the contract is, if it is anywhere."""
    return Path(os.environ.get("POWERBI_CONTRACT") or _BESIDE)


def derive(contract: Json) -> Json:
    """The facts: operations by "METHOD /path", and every definition that they reach."""
    operations = {
        operation.name: _operation(contract["paths"][BASE + operation.path][operation.method.lower()])
        for operation in OPERATIONS
    }
    definitions: Json = {}
    for name in _reached(operations):
        _define(contract["definitions"], name, definitions)
    return {"operations": operations, "definitions": dict(sorted(definitions.items()))}


def written(facts: Json) -> str:
    """As the file holds it: a line each, so that a change shows as one."""
    parts = [f'"{part}": {{\n{_lines(facts[part])}\n}}' for part in ("operations", "definitions")]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(entries: Json) -> str:
    return ",\n".join(f"{json.dumps(name)}: {json.dumps(entries[name], sort_keys=True)}" for name in sorted(entries))


def _operation(declared: Json) -> Json:
    parameters = declared.get("parameters", [])
    body = next((parameter for parameter in parameters if parameter["in"] == "body"), None)
    return {
        "path": {item["name"]: _shape(item) for item in parameters if item["in"] == "path"},
        "query": {item["name"]: _shape(item) | _needed(item) for item in parameters if item["in"] == "query"},
        "request": _shape(body["schema"]) | _needed(body) if body else None,
        "answers": {
            status: _shape(answer["schema"]) if "schema" in answer else None
            for status, answer in declared["responses"].items()
        },
    } | _limits(declared["description"])


def _limits(text: str) -> Json:
    """How many calls the operation's text allows in how many seconds; a call per user counts as one of each caller."""
    found = [{"calls": int(calls.replace(",", "")), "seconds": _SECONDS[unit]} for calls, unit in _LIMIT.findall(text)]
    found += [{"calls": 1, "seconds": _SECONDS["hour"]}] if "one call per user per hour" in text else []
    return {"limits": found} if found else {}


def _needed(item: Json) -> Json:
    return {"required": True} if item.get("required") else {}


def _shape(schema: Json) -> Json:
    """A type: `ref` to a definition, `list` of a shape, `fields` of an object, or a JSON type with its bounds."""
    if "$ref" in schema:
        return {"ref": schema["$ref"].rsplit("/", 1)[1]}
    if schema.get("type") == "array":
        return {"list": _shape(schema["items"])}
    if "properties" in schema:
        return {"fields": {name: _shape(part) for name, part in schema["properties"].items()}}
    return {"type": schema.get("type", "object")} | {name: schema[name] for name in _BOUNDS if name in schema}


def _define(declared: Json, name: str, into: Json) -> None:
    """The definition, what it inherits included, and all that it refers to."""
    if name in into:
        return
    schema = declared[name]
    if "properties" not in schema and "allOf" not in schema:
        into[name] = _shape(schema)
        return
    into[name] = {"fields": {}, "required": []}
    into[name] = _flattened(declared, schema)
    for reached in _reached(into[name]):
        _define(declared, reached, into)


def _flattened(declared: Json, schema: Json) -> Json:
    fields = {name: _shape(part) for name, part in schema.get("properties", {}).items()}
    required = list(schema.get("required", []))
    for part in schema.get("allOf", []):
        inner = _flattened(declared, declared[part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part)
        fields = inner["fields"] | fields
        required += inner["required"]
    return {"fields": fields, "required": sorted(set(required))}


def _reached(value: Any) -> list[str]:
    """Names of the definitions to which anything in here refers."""
    if isinstance(value, list):
        return [name for item in value for name in _reached(item)]
    if not isinstance(value, dict):
        return []
    here = [value["ref"]] if isinstance(value.get("ref"), str) else []
    return here + [name for item in value.values() for name in _reached(item)]


def main() -> None:
    """Write the table from the contract."""
    FACTS.write_text(written(derive(json.loads(contract_file().read_text(encoding="utf-8")))), encoding="utf-8")


if __name__ == "__main__":
    main()
