"""The base of every document and request, and the types that several of them need."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator
from pydantic import WithJsonSchema as Described
from pydantic.alias_generators import to_camel

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DURATION = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W|(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,7})M)?(?:(?P<seconds>\d{1,9}(?:\.\d{1,6})?)S)?)?)",
    re.ASCII,
)


class Document(BaseModel):
    """A document or request: nothing is converted, unknown fields are refused, names are camelCase, values stay.

    Use it through `check`, which reads the camelCase names only; code may build one by the field's own names.
    """

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        hide_input_in_errors=True,
    )


def _version_one(value: object) -> object:
    if type(value) is not int or value != 1:  # `true` and 1.0 equal 1 in Python
        raise ValueError("Must be 1, or be left out: this service knows no other version.")
    return value


class VersionedDocument(Document):
    """A document that may say which version of its form it follows: there is one so far, and absent means that one."""

    schema_version: Annotated[Literal[1], BeforeValidator(_version_one)] = 1


def _guid(value: str) -> str:
    lowered = value.lower()
    if not _GUID.fullmatch(lowered):
        raise ValueError("Must be a GUID: 8-4-4-4-12 hexadecimal digits.")
    return lowered


Guid = Annotated[
    str,
    AfterValidator(_guid),
    Described({"type": "string", "format": "uuid", "pattern": "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"}),
]
"""A GUID in either case, kept in lower case, in which GUIDs are compared."""

TimeText = Annotated[str, Described({"type": "string", "format": "date-time"})]
"""A time in an answer, as `times.to_text` writes it."""


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    parts = {name: float(number) for name, number in found.groupdict().items() if number} if found else {}
    if not parts:
        raise ValueError("Must be a duration in ISO 8601: PT30S, PT2M, PT1H30M, P7D (no months or years).")
    return timedelta(**parts)


def duration_text(value: timedelta) -> str:
    """ISO 8601, in whole seconds: `PT2M`, `P1DT12H`; nothing is `PT0S`."""
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    clock = "".join(f"{number}{unit}" for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if number)
    day = f"{value.days}D" if value.days else ""
    return f"P{day}T{clock}" if clock else f"P{day or 'T0S'}"


IsoDuration = Annotated[
    timedelta,
    PlainValidator(_duration),
    PlainSerializer(duration_text, when_used="json"),
    Described({"type": "string", "format": "duration", "examples": ["PT2M"]}),
]
"""A span of time written as ISO 8601 (`PT2M`), never negative."""
