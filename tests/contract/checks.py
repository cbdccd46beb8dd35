"""Does a request or an answer keep to the contract? Strictly: no undeclared fields, parameters or words.

`overlay.json` lists the contract's known defects; each entry says what is right instead, and where that is from.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote

from emulator.powerbi.access import RESOURCES
from emulator.powerbi.operation import BASE
from tests.contract.facts import FACTS

Json = dict[str, Any]
Direction = Literal["request", "answer"]
OVERLAY = Path(__file__).with_name("overlay.json")
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
}
_ERRORS: tuple[dict[str, Any], ...] = (
    {"error": {"code": str, "pbi.error": {"code": str, "parameters": dict, "details": list, "exceptionCulprit?": int}}},
    {"error": {"code": str, "message": str, "target?": str}},
    {"message": str},
    {"Message": str},
)
"""No operation of the contract declares an error; these are the shapes on record. A fifth is an empty body."""


@cache
def overlay() -> tuple[Json, ...]:
    """The known defects."""
    return tuple(json.loads(OVERLAY.read_text(encoding="utf-8")))


def check_request(method: str, path: str, query: Mapping[str, str], body: Any = None) -> list[str]:
    """Faults of a request, in words; none if the contract has it. `body`: parsed JSON, None for an empty one."""
    return _rules(overlay()).request(method, path, query, body)


def check_answer(method: str, path: str, status: int, body: Any = None) -> list[str]:
    """Faults of an answer, in words; none if the contract has it. `body`: parsed JSON, None for an empty one."""
    return _rules(overlay()).answer(method, path, status, body)


def check_requests(entries: Iterable[Json]) -> list[str]:
    """Faults of all requests to Power BI in a list as the emulator's control API gives it."""
    return [
        f"request {entry['seq']}, {entry['method']} {entry['path']}: {fault}"
        for entry in entries
        if entry["host"] in RESOURCES
        for fault in check_request(entry["method"], entry["path"], entry["query"], entry["body"])
    ]


class Rules:
    """The facts with a choice of the overlay's entries."""

    def __init__(self, entries: Sequence[Json]) -> None:
        facts = json.loads(FACTS.read_text(encoding="utf-8"))
        self._operations: Json = facts["operations"]
        self._definitions = {
            direction: _corrected(facts["definitions"], entries, direction) for direction in ("request", "answer")
        }
        self._everywhere = {
            name: shape
            for entry in entries
            if entry["definition"] == "*"
            for name, shape in entry.get("add", {}).items()
        }

    def request(self, method: str, path: str, query: Mapping[str, str], body: Any) -> list[str]:
        """See `check_request`."""
        found = self._find(method, path)
        if found is None:
            return [f"the contract, as far as it is in use, has no {method} {path}"]
        operation, values = found
        faults = [fault for name, text in values.items() for fault in _text(name, text, operation["path"][name])]
        faults += _query(query, operation["query"])
        declared = operation["request"]
        if declared is None:
            return faults + (["a body where none is declared"] if body is not None else [])
        if body is None:
            return faults + (["the body is missing"] if declared.get("required") else [])
        return faults + self._value("body", body, declared, "request")

    def answer(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """See `check_answer`."""
        if status >= 400:
            return [] if body is None or any(_is_like(body, shape) for shape in _ERRORS) else ["an unknown error shape"]
        found = self._find(method, path)
        if found is None:
            return [f"the contract, as far as it is in use, has no {method} {path}"]
        answers = found[0]["answers"]
        if str(status) not in answers:
            return [f"status {status} is not declared"]
        declared = answers[str(status)]
        if declared is None:
            return ["a body where none is declared"] if body is not None else []
        if isinstance(body, dict):  # what any single object may carry
            body = {name: value for name, value in body.items() if not self._is_everywhere(name, value)}
        return self._value("body", body, declared, "answer")

    def _is_everywhere(self, name: str, value: Any) -> bool:
        return name in self._everywhere and not self._value(name, value, self._everywhere[name], "answer")

    def _find(self, method: str, path: str) -> tuple[Json, Json] | None:
        """The operation, and the path's parameters; one without parameters wins over one with."""
        path = path.split("?", 1)[0]
        path = path[len(BASE) :] if path.lower().startswith(BASE.lower()) else path
        for name in sorted(self._operations, key=lambda name: name.count("{")):
            declared_method, template = name.split(" ", 1)
            matched = _pattern(template).fullmatch(unquote(path)) if declared_method == method.upper() else None
            if matched:
                return self._operations[name], matched.groupdict()
        return None

    def _value(self, place: str, value: Any, shape: Json, direction: Direction) -> list[str]:
        if "ref" in shape:
            return self._value(place, value, self._definitions[direction][shape["ref"]], direction)
        if "list" in shape:
            if not isinstance(value, list):
                return [f"{place} is not a list"]
            parts = [self._value(f"{place}[{at}]", item, shape["list"], direction) for at, item in enumerate(value)]
            return [fault for part in parts for fault in part]
        if "fields" in shape:
            return self._object(place, value, shape, direction)
        return _plain(place, value, shape)

    def _object(self, place: str, value: Any, shape: Json, direction: Direction) -> list[str]:
        if not isinstance(value, dict):
            return [f"{place} is not an object"]
        faults = [f"{place} lacks {name}" for name in shape.get("required", []) if name not in value]
        for name, item in value.items():
            if name not in shape["fields"]:
                faults.append(f"{place} has an undeclared field {name}")
            else:
                faults += self._value(f"{place}.{name}", item, shape["fields"][name], direction)
        return faults


@cache
def _rules_of(entries: str) -> Rules:
    return Rules(json.loads(entries))


def _rules(entries: Sequence[Json]) -> Rules:
    return _rules_of(json.dumps(entries))


def _corrected(definitions: Json, entries: Sequence[Json], direction: str) -> Json:
    """The definitions as they are on the wire."""
    corrected = deepcopy(definitions)
    for entry in entries:
        if entry.get("direction", direction) != direction:
            continue
        names = list(corrected) if entry["definition"] == "*" else [entry["definition"]]
        for name in names:
            if "fields" in corrected[name]:
                _correct(corrected[name], entry, everywhere=entry["definition"] == "*")
    return corrected


def _correct(definition: Json, entry: Json, *, everywhere: bool) -> None:
    fields = definition["fields"]
    for old, new in entry.get("rename", {}).items():
        if old in fields:
            fields[new] = fields.pop(old)
    if not everywhere:
        fields.update(entry.get("add", {}))
    for name, words in entry.get("words", {}).items():
        fields[name] = fields[name] | {"enum": [*fields[name]["enum"], *words]}
    definition["required"] = [name for name in definition.get("required", []) if name not in entry.get("optional", [])]


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile(
        "".join(f"(?P<{part}>[^/]+)" if at % 2 else re.escape(part) for at, part in enumerate(parts)), re.IGNORECASE
    )


def _query(query: Mapping[str, str], declared: Json) -> list[str]:
    faults = [
        f"query parameter {name} is missing" for name, shape in declared.items() if _is_missing(name, shape, query)
    ]
    for name, text in query.items():
        shape = declared.get(name)
        faults += _text(name, text, shape) if shape else [f"query parameter {name} is not declared"]
    return faults


def _is_missing(name: str, shape: Json, query: Mapping[str, str]) -> bool:
    return bool(shape.get("required")) and name not in query


def _text(name: str, text: str, shape: Json) -> list[str]:
    """A parameter of the path or the query, which is text on the wire."""
    if shape["type"] == "integer":
        return _plain(name, int(text), shape) if text.lstrip("-").isdecimal() else [f"{name} is not a whole number"]
    if shape["type"] == "boolean":
        return [] if text.lower() in ("true", "false") else [f"{name} is not a boolean"]
    return _plain(name, text, shape)


def _plain(place: str, value: Any, shape: Json) -> list[str]:
    kind = shape["type"]
    if value is None and shape.get("nullable"):
        return []
    if not isinstance(value, _JSON_TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{place} is not of type {kind}"]
    faults = [f"{place} is none of {', '.join(shape['enum'])}"] if value not in shape.get("enum", [value]) else []
    if isinstance(value, str) and not _has_format(value, shape.get("format", "")):
        faults.append(f"{place} is not of format {shape['format']}")
    if kind in ("integer", "number") and not shape.get("minimum", value) <= value <= shape.get("maximum", value):
        faults.append(f"{place} is out of bounds")
    return faults


def _has_format(text: str, name: str) -> bool:
    readers: dict[str, Callable[[str], object]] = {"uuid": uuid.UUID, "date-time": datetime.fromisoformat}
    try:
        if name in readers:
            readers[name](text)
    except ValueError:
        return False
    return True


def _is_like(value: Any, shape: Any) -> bool:
    """Exactly the keys of the shape, `?` marking those that may be left out."""
    if isinstance(shape, type):
        return isinstance(value, shape)
    if not isinstance(value, dict):
        return False
    names = {name.rstrip("?"): (name, part) for name, part in shape.items()}
    if set(value) - set(names) or any(
        not full.endswith("?") and name not in value for name, (full, _) in names.items()
    ):
        return False
    return all(_is_like(item, names[name][1]) for name, item in value.items())
