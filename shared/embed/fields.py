"""Texts that both the operator's document and a caller's request may hold, with Power BI's limits on them."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

MOST_ROLES = 50
MOST_REPORTS = 50
MOST_WORKSPACES = 50
LONGEST_CUSTOM_DATA = 1024

USERNAME_PATTERN = r"[!-~]{1,256}"
"""Printable ASCII without spaces: what Power BI takes as the username of an effective identity."""
CUSTOM_DATA_PATTERN = rf"[^\x00-\x1f\x7f]{{1,{LONGEST_CUSTOM_DATA}}}"

AccessLevel = Literal["View", "Edit"]
Role = Annotated[
    str,
    Field(pattern=r"^[^,\x00-\x1f\x7f]{1,50}$", description="A role of the semantic model; 50 characters, no comma."),
]
Username = Annotated[
    str, Field(pattern=f"^{USERNAME_PATTERN}$", description="Printable ASCII without spaces, 256 characters at most.")
]
CustomData = Annotated[str, Field(pattern=f"^{CUSTOM_DATA_PATTERN}$")]

_Items = TypeVar("_Items", bound=Sequence[Hashable])


def _each_once(items: _Items) -> _Items:
    if len(set(items)) != len(items):
        raise PydanticCustomError("repeated", "Name each entry only once.")
    return items


class _Distinct:
    """Checks, and says so in the JSON Schema."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_each_once, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "uniqueItems": True}


Distinct = _Distinct()
"""For a list whose entries may not repeat."""


def is_username(text: str) -> bool:
    """Whether Power BI takes it as the username of an effective identity."""
    return re.fullmatch(USERNAME_PATTERN, text) is not None


def is_custom_data(text: str) -> bool:
    """Whether it may be sent as custom data."""
    return re.fullmatch(CUSTOM_DATA_PATTERN, text) is not None
