"""Descriptions of what we accept and answer, made from the models that validate: `python -m shared.openapi`.

Writes `shared/openapi.json` (OpenAPI 3.1; the app serves it as it is) and `config/schema/*.json` (JSON Schemas with
which an editor completes and checks the operator's documents). Both are committed; a test fails when one is stale.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from shared import __version__
from shared.answers import Health, Problem, ReadinessReport
from shared.embed.documents import EmbedDocument
from shared.embed.request import EmbedTokenAnswer, EmbedTokenRequest
from shared.errors import (
    AppError,
    Fault,
    InvalidRequest,
    LengthRequired,
    NotAllowed,
    RequestFault,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unknown,
    UnsupportedMediaType,
)
from shared.telemetry import words
from shared.web import InternalError

Json = dict[str, Any]

PROJECT = Path(__file__).parents[1]
SCHEMA_URI = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/components/schemas/{model}"


class _Untitled(GenerateJsonSchema):
    """Without a title for every field, which only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False


@dataclass(frozen=True)
class Route:
    """A route of function_app.py. `refusals`: the statuses that it answers with problem details."""

    method: str
    path: str
    operation: str
    summary: str
    answer: type[BaseModel] | None
    """None: a JSON object that is described elsewhere."""
    example: Json
    role: str = ""
    request: type[BaseModel] | None = None
    request_examples: tuple[tuple[str, Json], ...] = ()
    refusals: tuple[int, ...] = ()
    also: tuple[int, ...] = ()
    """Further statuses with the same answer."""


_EMBED_EXAMPLE: Json = {
    "token": "H4sI…",
    "tokenId": "49ae3742-54c0-4c29-af52-619ff93b5c80",
    "expiration": "2026-11-02T11:00:00Z",
    "renewAfter": "2026-11-02T10:50:00Z",
    "tokenType": "Embed",
    "reports": [
        {
            "alias": "margin-report",
            "reportId": "f6000000-0000-4000-8000-000000000002",
            "workspaceId": "d4000000-0000-4000-8000-000000000001",
            "datasetId": "e5000000-0000-4000-8000-000000000003",
            "name": "Margin by customer",
            "embedUrl": "https://app.powerbi.com/reportEmbed?reportId=f6000000-0000-4000-8000-000000000002&config=…",
        }
    ],
}
_EMBED_REQUESTS: tuple[tuple[str, Json], ...] = (
    ("plain", {"reports": ["sales-overview"]}),
    ("as a customer", {"reports": ["margin-report"], "identity": {"username": "customer-4711", "roles": ["Customer"]}}),
    ("to edit, for half an hour", {"reports": ["sales-overview"], "accessLevel": "Edit", "lifetimeMinutes": 30}),
)
_CHECK_EXAMPLE: Json = {
    "name": "storage",
    "status": "passed",
    "evidence": "The storage account answers.",
    "remedy": "Give the app's managed identity the data roles on the storage account.",
    "ms": 12,
}

ROUTES = (
    Route(
        "post",
        "/embed-tokens",
        "issueEmbedToken",
        "Issue the narrowest embed token that the caller's grant allows",
        EmbedTokenAnswer,
        _EMBED_EXAMPLE,
        role="Embed.Issue",
        request=EmbedTokenRequest,
        request_examples=_EMBED_REQUESTS,
        refusals=(400, 401, 403, 404, 411, 413, 415, 500, 503),
    ),
    Route("get", "/health", "health", "Is the app running?", Health, {"status": "ok", "version": __version__}),
    Route(
        "get",
        "/readiness",
        "readiness",
        "Could the app do its work now?",
        ReadinessReport,
        {"status": "ready", "checks": [_CHECK_EXAMPLE]},
        role="Operations.Read",
        refusals=(401, 403, 500, 503),
        also=(503,),
    ),
    Route("get", "/openapi.json", "openapi", "This description", None, {"openapi": "3.1.0"}),
)

_PROBLEMS: tuple[AppError, ...] = (
    InvalidRequest(
        "The body does not validate, or the caller must say more or less; `errors` names every place.",
        faults=[Fault("identity.username", "Required, and missing.")],
    ),
    Unauthenticated("No valid token of Entra ID."),
    NotAllowed("The role or the grant is missing: says which. An unknown alias is refused like one not granted."),
    Unknown("A granted report that Power BI does not find."),
    LengthRequired("The length of the body is not announced."),
    TooLarge("The body is larger than 1 MiB."),
    UnsupportedMediaType("The body is not announced as JSON."),
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
    "noStore": {"description": "The answer is a credential: no-store.", "schema": {"type": "string"}},
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


def embed_schema() -> Json:
    """JSON Schema of embed.yaml."""
    return {"$schema": SCHEMA_URI, **EmbedDocument.model_json_schema(schema_generator=_Untitled), "title": "embed.yaml"}


def documents() -> dict[Path, str]:
    """Every generated file with its text."""
    made = {
        PROJECT / "shared" / "openapi.json": openapi(),
        PROJECT / "config" / "schema" / "embed.json": embed_schema(),
    }
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in made.items()}


def _operation(route: Route) -> Json:
    answers = {str(status): _answer(route, status) for status in (200, *route.also)}
    for status in route.refusals:
        problem = _problem(status)
        known = answers.setdefault(str(status), problem)
        known["content"].update(problem["content"])
    operation: Json = {
        "operationId": route.operation,
        "summary": route.summary,
        "security": [{"entra": [route.role]}] if route.role else [],
        "parameters": [{"$ref": "#/components/parameters/correlation"}],
        "responses": dict(sorted(answers.items())),
    }
    return operation | (_request(route) if route.request else {})


def _request(route: Route) -> Json:
    examples = {name: {"value": value} for name, value in route.request_examples}
    content = {"schema": _ref(route.request), "examples": examples}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _answer(route: Route, status: int) -> Json:
    content: Json = {"schema": _ref(route.answer)}
    if status == 200:
        content["example"] = route.example
    headers = ["correlation", *(["noStore"] if route.answer is EmbedTokenAnswer else []), *_extra_headers(status)]
    told = "OK" if status == 200 else _BY_STATUS[status].detail
    return {"description": told, "headers": _header_refs(headers), "content": {"application/json": content}}


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
    return {401: ["authenticate"], 503: ["retryAfter"]}.get(status, [])


def _header_refs(names: Sequence[str]) -> Json:
    wire = {"correlation": "x-correlation-id", "retryAfter": "Retry-After", "authenticate": "WWW-Authenticate"}
    return {wire.get(name, "Cache-Control"): {"$ref": f"#/components/headers/{name}"} for name in names}


def _ref(model: type[BaseModel] | None) -> Json:
    return {"$ref": _REF.format(model=model.__name__)} if model else {"type": "object"}


def _schemas() -> Json:
    """What we accept is closed; what we answer may gain fields, so its schemas are open."""
    accepted = [route.request for route in ROUTES if route.request]
    answered: list[type[BaseModel]] = [*(route.answer for route in ROUTES if route.answer), Problem]
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
