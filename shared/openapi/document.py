"""The whole of the API as OpenAPI 3.1: routes as paths, models as schemas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from shared import __version__
from shared.embed.request import EmbedTokenAnswer
from shared.openapi import embed_routes, operations_routes, provisioning_routes, refresh_routes
from shared.openapi.answers import Problem
from shared.openapi.problems import description_of, example_of
from shared.openapi.route import Json, Route

ROUTES = (*embed_routes.ROUTES, *operations_routes.ROUTES, *provisioning_routes.ROUTES, *refresh_routes.ROUTES)
SCHEMA_URI = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/components/schemas/{model}"

_TAGS = {
    "embed": "Tokens with which an application shows reports.",
    "operations": "Whether the app runs and could do its work.",
    "provisioning": "A project's workspaces, as they were asked for.",
    "refresh": "Refreshes of semantic models.",
}
_HEADERS: dict[str, Json] = {
    "x-correlation-id": {
        "description": "The caller's own, if it matches [A-Za-z0-9._-]{1,64}, else a new one.",
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "Seconds; not before.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "How to authenticate: Bearer.", "schema": {"type": "string"}},
    "Location": {"description": "Where to read how it goes on: a path, /api/…", "schema": {"type": "string"}},
    "Cache-Control": {"description": "The answer is a credential: no-store.", "schema": {"type": "string"}},
}
_HEADERS_BY_STATUS = {
    202: ("Location", "Retry-After"),
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_CORRELATION: Json = {
    "name": "x-correlation-id",
    "in": "header",
    "description": "Comes back with the answer and stands in every log line about the request.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}
_ENTRA: Json = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of Entra ID for this API: an application's with the app role that the operation "
    "names, or a user's with the scope of that name and the same role.",
}


class Untitled(GenerateJsonSchema):
    """Without a title for every field, which only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


def openapi() -> Json:
    """The API as OpenAPI 3.1."""
    paths: Json = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": SCHEMA_URI,
        "info": {
            "title": "Power BI automation",
            "version": __version__,
            "description": "Readers of answers ignore fields that they do not know: additions are no breaking change.",
        },
        "servers": [{"url": "/api"}],
        "security": [{"entra": []}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "parameters": {"correlation": _CORRELATION},
            "headers": _HEADERS,
            "securitySchemes": {"entra": _ENTRA},
        },
    }


def _operation(route: Route) -> Json:
    operation: Json = {
        "operationId": route.operation,
        "tags": [route.tag],
        "summary": route.summary,
        "security": [{"entra": [route.role]}] if route.role else [],
        "parameters": [{"$ref": "#/components/parameters/correlation"}, *_parameters(route)],
        "responses": _responses(route),
    }
    return operation | (_request(route) if route.request else {})


def _parameters(route: Route) -> list[Json]:
    return [
        {"name": one.name, "in": one.place, "description": one.description, "schema": one.schema}
        | ({"required": True} if one.place == "path" else {})
        for one in route.parameters
    ]


def _request(route: Route) -> Json:
    examples = {name: {"value": value} for name, value in route.request_examples}
    content = {"schema": _ref(route.request), "examples": examples}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _responses(route: Route) -> Json:
    """By status. A status of both an answer and a refusal (503 of readiness) has two media types."""
    told = "Recorded; it will be carried out." if route.status == 202 else "OK"
    found = {str(route.status): _answer(route.status, told, route.answer, route.example)}
    for also in route.also:
        found[str(also.status)] = _answer(also.status, also.told, also.answer, also.example)
    for status in route.refusals:
        problem = _problem(status)
        found.setdefault(str(status), problem)["content"].update(problem["content"])
    return dict(sorted(found.items()))


def _answer(status: int, told: str, model: type[BaseModel] | None, example: Json) -> Json:
    more = ("Cache-Control",) if model is EmbedTokenAnswer else ()
    content = {"application/json": {"schema": _ref(model), "example": example}}
    return {"description": told, "headers": _headers(status, more), "content": content}


def _problem(status: int) -> Json:
    content = {"application/problem+json": {"schema": _ref(Problem), "example": example_of(status)}}
    return {"description": description_of(status), "headers": _headers(status), "content": content}


def _headers(status: int, more: Sequence[str] = ()) -> Json:
    names = ("x-correlation-id", *more, *_HEADERS_BY_STATUS.get(status, ()))
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _ref(model: type[BaseModel] | None) -> Json:
    return {"$ref": _REF.format(model=model.__name__)} if model else {"type": "object"}


def _schemas() -> Json:
    """What we accept is closed; what we answer may gain fields, so its schemas are open."""
    accepted = [route.request for route in ROUTES if route.request]
    answers = [model for route in ROUTES for model in (route.answer, *(also.answer for also in route.also)) if model]
    answered: list[type[BaseModel]] = [*dict.fromkeys(answers), Problem]
    opened = {name: _open(schema) for name, schema in _definitions(answered, "serialization").items()}
    return dict(sorted((_definitions(accepted, "validation") | opened).items()))


def _definitions(models: Sequence[type[BaseModel]], mode: JsonSchemaMode) -> Json:
    _, schema = models_json_schema([(model, mode) for model in models], ref_template=_REF, schema_generator=Untitled)
    definitions: Json = schema["$defs"]
    return definitions


def _open(schema: Json) -> Json:
    return {name: value for name, value in schema.items() if name != "additionalProperties"}
