"""A route of function_app.py as data, and what several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from shared.listing import MOST, USUAL

Json = dict[str, Any]

ALWAYS = (401, 403, 500, 503)
"""What any route that needs a role may refuse with."""
READING = (*ALWAYS, 404)
WRITING = (*ALWAYS, 400, 411, 413, 415)


@dataclass(frozen=True)
class Parameter:
    """A parameter in the query, the path or a header."""

    name: str
    description: str
    schema: Json
    place: str = "query"


@dataclass(frozen=True)
class Route:
    """A route. `refusals`: the statuses that it answers with problem details."""

    method: str
    path: str
    operation: str
    summary: str
    answer: type[BaseModel] | None
    """None: a JSON object that is described elsewhere."""
    example: Json
    tag: str
    role: str = ""
    request: type[BaseModel] | None = None
    request_examples: tuple[tuple[str, Json], ...] = ()
    refusals: tuple[int, ...] = ()
    also: tuple[Also, ...] = ()
    status: int = 200
    """Of the answer; 202 carries Location and Retry-After."""
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True)
class Also:
    """What a route may answer besides, with a status of its own."""

    status: int
    told: str
    answer: type[BaseModel]
    example: Json


KEY = Parameter(
    "Idempotency-Key",
    "A repeat with the same key is the same request; another body under it is 409. Kept for 30 days.",
    {"type": "string", "pattern": "^[A-Za-z0-9._-]{8,64}$"},
    place="header",
)
PAGES = (
    Parameter("top", "Entries of a page.", {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}),
    Parameter("continuationToken", "From the page before, with the same filter.", {"type": "string"}),
)


def status_filter(values: list[str]) -> Parameter:
    """The filter that lists have in common."""
    told = "Only those with this status: a page may then be short, or empty, and still carry a token."
    return Parameter("status", told, {"type": "string", "enum": values})


def id_of(what: str) -> Parameter:
    """The id in the path."""
    return Parameter("id", f"The id of {what}.", {"type": "string", "format": "uuid"}, place="path")
