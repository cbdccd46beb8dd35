"""Descriptions of what we accept and answer, made from the models that validate: `python -m shared.openapi`.

Writes `shared/openapi.json` (OpenAPI 3.1; the app serves it as it is) and `config/schema/*.json` (JSON Schemas with
which an editor completes and checks the operator's documents). Both are committed; a test fails when one is stale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from shared import __version__
from shared.answers import Problem
from shared.embed.documents import EmbedDocument
from shared.embed.request import EmbedTokenAnswer
from shared.errors import (
    AppError,
    Ended,
    Fault,
    InvalidRequest,
    LengthRequired,
    NotAllowed,
    RequestFault,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unknown,
    UnsupportedMediaType,
)
from shared.openapi_refresh import REFRESHING
from shared.openapi_routes import ROUTES as OTHER_ROUTES
from shared.openapi_routes import Parameter, Route
from shared.provisioning.policy import PolicyDocument
from shared.refresh.documents import RefreshDocument
from shared.telemetry import words
from shared.web import InternalError

Json = dict[str, Any]

PROJECT = Path(__file__).parents[1]
ROUTES = (*OTHER_ROUTES, *REFRESHING)
SCHEMA_URI = "https://json-schema.org/draft/2020-12/schema"
OPERATORS_DOCUMENTS: dict[str, type[BaseModel]] = {
    "embed": EmbedDocument,
    "policy": PolicyDocument,
    "refresh": RefreshDocument,
}
_REF = "#/components/schemas/{model}"


class _Untitled(GenerateJsonSchema):
    """Without a title for every field, which only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


_PROBLEMS: tuple[AppError, ...] = (
    InvalidRequest(
        "The body does not validate, or the caller must say more or less; `errors` names every place.",
        faults=[Fault("identity.username", "Required, and missing.")],
    ),
    Unauthenticated("No valid token of Entra ID."),
    NotAllowed("The role or the grant is missing: says which. An unknown alias is refused like one not granted."),
    Unknown("No such id or alias, or a granted report that Power BI does not find."),
    Ended("It has ended already, or the idempotency key was used for another body."),
    LengthRequired("The length of the body is not announced."),
    TooLarge("The body is larger than 1 MiB."),
    UnsupportedMediaType("The body is not announced as JSON."),
    TooManyRequests("Too much of this waits already; come again later."),
    InternalError("A fault of this service; quote the correlation id."),
    Unavailable("Power BI, Entra, Key Vault or storage throttles or is away, or settings are faulty."),
)
_BY_STATUS = {problem.status: problem for problem in _PROBLEMS}
_HEADERS: Json = {
    "correlation": {
        "description": "The caller's own, if it matches [A-Za-z0-9._-]{1,64}, else a new one.",
        "schema": {"type": "string"},
    },
    "retryAfter": {"description": "Seconds; not before.", "schema": {"type": "integer", "minimum": 1}},
    "authenticate": {"description": "How to authenticate: Bearer.", "schema": {"type": "string"}},
    "location": {"description": "Where to read how it goes on.", "schema": {"type": "string"}},
    "noStore": {"description": "The answer is a credential: no-store.", "schema": {"type": "string"}},
}
_ON_THE_WIRE = {
    "correlation": "x-correlation-id",
    "retryAfter": "Retry-After",
    "authenticate": "WWW-Authenticate",
    "location": "Location",
    "noStore": "Cache-Control",
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
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "parameters": {"correlation": _CORRELATION},
            "headers": _HEADERS,
            "securitySchemes": {"entra": _ENTRA},
        },
    }


def document_schema(name: str, model: type[BaseModel]) -> Json:
    """JSON Schema of an operator's document."""
    return {"$schema": SCHEMA_URI, **model.model_json_schema(schema_generator=_Untitled), "title": name}


def documents() -> dict[Path, str]:
    """Every generated file with its text."""
    schemas = {f"{name}.json": document_schema(f"{name}.yaml", model) for name, model in OPERATORS_DOCUMENTS.items()}
    made = {PROJECT / "shared" / "openapi.json": openapi()}
    made |= {PROJECT / "config" / "schema" / file: schema for file, schema in schemas.items()}
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in made.items()}


def _operation(route: Route) -> Json:
    answers = {str(status): _answer(route, status) for status in (route.status, *route.also)}
    if route.dry_run:
        answers["200"] = _described("The plan, for a dry run; nothing has been done.", route.dry_run, ["correlation"])
    for status in route.refusals:
        problem = _problem(status)
        known = answers.setdefault(str(status), problem)
        known["content"].update(problem["content"])
    operation: Json = {
        "operationId": route.operation,
        "summary": route.summary,
        "security": [{"entra": [route.role]}] if route.role else [],
        "parameters": [{"$ref": "#/components/parameters/correlation"}, *_parameters(route)],
        "responses": dict(sorted(answers.items())),
    }
    return operation | (_request(route) if route.request else {})


def _parameters(route: Route) -> list[Json]:
    in_path = [Parameter(name, "", {"type": "string"}, "path") for name in re.findall(r"\{(\w+)\}", route.path)]
    return [
        {"name": one.name, "in": one.place, "schema": one.schema}
        | ({"description": one.description} if one.description else {})
        | ({"required": True} if one.place == "path" else {})
        for one in (*in_path, *route.parameters)
    ]


def _request(route: Route) -> Json:
    examples = {name: {"value": value} for name, value in route.request_examples}
    content = {"schema": _ref(route.request), "examples": examples}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _answer(route: Route, status: int) -> Json:
    headers = ["correlation", *(["noStore"] if route.answer is EmbedTokenAnswer else []), *_extra_headers(status)]
    told = {200: "OK", 202: "Recorded; it will be carried out."}.get(status) or _BY_STATUS[status].detail
    described = _described(told, route.answer, headers)
    if status == route.status:
        described["content"]["application/json"]["example"] = route.example
    return described


def _described(told: str, model: type[BaseModel] | None, headers: Sequence[str]) -> Json:
    content = {"application/json": {"schema": _ref(model)}}
    return {"description": told, "headers": _header_refs(headers), "content": content}


def _problem(status: int) -> Json:
    problem = _BY_STATUS[status]
    example: Json = {
        "type": "urn:problem-type:" + words(problem).replace(" ", "-"),
        "title": problem.title,
        "status": status,
        "detail": problem.detail,
        "instance": "/api/…",
        "correlationId": "3f0c9a52-7d1e-4b8a-9c66-0e5d2f1a7b43",
    }
    if isinstance(problem, RequestFault) and problem.faults:
        example["errors"] = [{"path": fault.path, "message": fault.message} for fault in problem.faults]
    content = {"application/problem+json": {"schema": _ref(Problem), "example": example}}
    headers = _header_refs(["correlation", *_extra_headers(status)])
    return {"description": problem.detail, "headers": headers, "content": content}


def _extra_headers(status: int) -> list[str]:
    return {202: ["location", "retryAfter"], 401: ["authenticate"], 429: ["retryAfter"], 503: ["retryAfter"]}.get(
        status, []
    )


def _header_refs(names: Sequence[str]) -> Json:
    return {_ON_THE_WIRE[name]: {"$ref": f"#/components/headers/{name}"} for name in names}


def _ref(model: type[BaseModel] | None) -> Json:
    return {"$ref": _REF.format(model=model.__name__)} if model else {"type": "object"}


def _schemas() -> Json:
    """What we accept is closed; what we answer may gain fields, so its schemas are open."""
    accepted = [route.request for route in ROUTES if route.request]
    answers = [model for route in ROUTES for model in (route.answer, route.dry_run) if model]
    answered: list[type[BaseModel]] = [*dict.fromkeys(answers), Problem]
    opened = {name: _open(schema) for name, schema in _definitions(answered, "serialization").items()}
    return dict(sorted((_definitions(accepted, "validation") | opened).items()))


def _definitions(models: Sequence[type[BaseModel]], mode: JsonSchemaMode) -> Json:
    _, schema = models_json_schema([(model, mode) for model in models], ref_template=_REF, schema_generator=_Untitled)
    definitions: Json = schema["$defs"]
    return definitions


def _open(schema: Json) -> Json:
    return {name: value for name, value in schema.items() if name != "additionalProperties"}


def main() -> None:
    """Write every generated file."""
    for path, text in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
