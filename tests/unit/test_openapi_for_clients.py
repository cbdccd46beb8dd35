"""What somebody needs who has nothing but the description: to read it, and to generate a client from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shared.openapi.document import openapi

Json = dict[str, Any]

DOCUMENT = openapi()
OPERATIONS = [operation for methods in DOCUMENT["paths"].values() for operation in methods.values()]


def everything(value: object, name: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield name, value
        for part, inner in value.items():
            yield from everything(inner, part)
    if isinstance(value, list):
        for inner in value:
            yield from everything(inner, name)


def test_every_answer_and_every_body_has_an_example() -> None:
    for operation in OPERATIONS:
        for answer in operation["responses"].values():
            assert all("example" in media for media in answer["content"].values()), operation["operationId"]
        for media in operation.get("requestBody", {"content": {}})["content"].values():
            assert media["examples"]


def test_every_parameter_is_explained_and_those_in_the_path_are_declared() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for operation in methods.values():
            own = [one for one in operation["parameters"] if "$ref" not in one]
            assert all(one["description"] and one["schema"]["type"] for one in own)
            assert ("{id}" in path) == any(one["in"] == "path" and one["required"] for one in own)


def test_every_operation_belongs_to_a_group_that_is_explained() -> None:
    explained = {tag["name"] for tag in DOCUMENT["tags"]}
    assert {tag for operation in OPERATIONS for tag in operation["tags"]} == explained


def test_every_time_is_marked_as_one() -> None:
    names = {"expiration", "renewAfter", "createdAt", "updatedAt", "startedAt", "endedAt", "queuedAt"}
    found = [(name, schema) for name, schema in everything(DOCUMENT["components"]["schemas"]) if name in names]
    assert {name for name, _ in found} == names
    for name, schema in found:
        formats = {schema.get("format"), *(one.get("format") for one in schema.get("anyOf", []))}
        assert "date-time" in formats, name


def test_no_alternative_is_a_constant_which_generated_clients_refuse_all_else_for() -> None:
    for name, schema in everything(DOCUMENT["components"]["schemas"]):
        assert not any("const" in alternative for alternative in schema.get("anyOf", [])), name
