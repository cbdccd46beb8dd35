"""host.json, with the overrides that app settings give it, checked as strictly as is possible.

The real host takes wrong values silently (a mistyped time span becomes days) or ignores a misspelt key; here the first
is a fault at start and the second a remark, because otherwise production would be the first to find out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from emulator.host.errors import CannotStart
from emulator.host.timespans import timespan

T = TypeVar("T")
Json = dict[str, Any]
Encoding = Literal["base64", "none"]

_OVERRIDE = "azurefunctionsjobhost__"
_QUEUE_KEYS = ("maxPollingInterval", "visibilityTimeout", "batchSize", "newBatchThreshold", "maxDequeueCount")
_KNOWN = {
    "extensions.queues": (*_QUEUE_KEYS, "messageEncoding"),
    "extensions.http": (
        "routePrefix",
        "maxOutstandingRequests",
        "maxConcurrentRequests",
        "dynamicThrottlesEnabled",
        "hsts",
        "customHeaders",
    ),
}


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues`: of all queue triggers together, there is none per function."""

    max_polling_interval: timedelta
    visibility_timeout: timedelta
    """How long a message that failed stays away; not the lease of one that is being worked on."""
    batch_size: int
    new_batch_threshold: int
    max_dequeue_count: int
    encoding: Encoding


@dataclass(frozen=True)
class HostOptions:
    """What this host heeds of host.json."""

    route_prefix: str
    function_timeout: timedelta | None
    queues: QueueOptions
    remarks: tuple[str, ...]
    """Keys that the real host would ignore as well."""


def load(path: Path, environment: Mapping[str, str]) -> HostOptions:
    """Read host.json; raises CannotStart with every fault at once."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise CannotStart([f"{path.name} can't be read: {error.strerror}"]) from error
    except ValueError as error:
        raise CannotStart([f"{path.name} is not JSON: {error}"]) from error
    if not isinstance(document, dict):
        raise CannotStart([f"{path.name} is not a JSON object"])
    return parse(document, environment)


def parse(document: Json, environment: Mapping[str, str]) -> HostOptions:
    """The options in a host.json document under these app settings; raises CannotStart with every fault at once."""
    reader = _Reader(_overridden(document, environment))
    if document.get("version") != "2.0":
        reader.faults.append('host.json: version must be "2.0"')
    options = HostOptions(
        route_prefix=reader.value("extensions.http.routePrefix", "api", _text).strip("/"),
        function_timeout=_function_timeout(reader),
        queues=_queues(reader, environment),
        remarks=tuple(_unknown(reader)),
    )
    if reader.faults:
        raise CannotStart(reader.faults)
    return options


def _function_timeout(reader: _Reader) -> timedelta | None:
    default: timedelta | None = timedelta(minutes=30)
    return reader.value("functionTimeout", default, _limit)


def _queues(reader: _Reader, environment: Mapping[str, str]) -> QueueOptions:
    development = environment.get("AZURE_FUNCTIONS_ENVIRONMENT", "").lower() == "development"
    longest = timedelta(seconds=2) if development else timedelta(minutes=1)
    batch = reader.value("extensions.queues.batchSize", 16, _whole(1, 32))
    threshold = (batch // 2) * (os.cpu_count() or 1)
    return QueueOptions(
        max_polling_interval=reader.value("extensions.queues.maxPollingInterval", longest, _polling),
        visibility_timeout=reader.value("extensions.queues.visibilityTimeout", timedelta(0), _visibility),
        batch_size=batch,
        new_batch_threshold=reader.value("extensions.queues.newBatchThreshold", threshold, _whole(0)),
        max_dequeue_count=reader.value("extensions.queues.maxDequeueCount", 5, _whole(1)),
        encoding=reader.value("extensions.queues.messageEncoding", "base64", _encoding),
    )


class _Reader:
    """Looks values up by dotted name, whatever their case, and collects what is wrong with them."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self.faults: list[str] = []

    def value(self, name: str, default: T, read: Callable[[object], T]) -> T:
        found = self.find(name)
        if found is None:
            return default
        try:
            return read(found)
        except ValueError as error:
            self.faults.append(f"host.json: {name}: {error}")
            return default

    def find(self, name: str) -> object:
        found: object = self.document
        for part in name.split("."):
            found = _get(found, part) if isinstance(found, dict) else None
        return found


def _get(section: Json, name: str) -> object:
    return next((value for key, value in section.items() if key.lower() == name.lower()), None)


def _overridden(document: Json, environment: Mapping[str, str]) -> Json:
    """The document with `AzureFunctionsJobHost__section__key` settings put over it."""
    merged: Json = json.loads(json.dumps(document))
    for name, value in environment.items():
        if name.lower().startswith(_OVERRIDE):
            _put(merged, name[len(_OVERRIDE) :].split("__"), value)
    return merged


def _put(section: Json, path: list[str], value: str) -> None:
    key = next((known for known in section if known.lower() == path[0].lower()), path[0])
    if len(path) == 1:
        section[key] = value
        return
    if not isinstance(section.get(key), dict):
        section[key] = {}
    _put(section[key], path[1:], value)


def _unknown(reader: _Reader) -> list[str]:
    remarks = []
    for section, known in _KNOWN.items():
        found = reader.find(section)
        names = {name.lower() for name in known}
        if isinstance(found, dict):
            strange = [key for key in found if key.lower() not in names]
            remarks += [f"host.json: {section}.{key} is not known and has no effect" for key in strange]
    return remarks


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text")  # noqa: TRY004  one kind of error for all faults of the document
    return value


def _span(value: object) -> timedelta:
    return timespan(_text(value))


def _polling(value: object) -> timedelta:
    if (span := _span(value)) < timedelta(milliseconds=100):
        raise ValueError("must be at least 00:00:00.1")
    return span


def _visibility(value: object) -> timedelta:
    if (span := _span(value)) > timedelta(days=7):
        raise ValueError("storage allows at most 7 days")
    return span


def _limit(value: object) -> timedelta | None:
    if str(value) == "-1":
        return None
    if (span := _span(value)) < timedelta(seconds=1):
        raise ValueError("must be at least one second, or -1 for none")
    return span


def _encoding(value: object) -> Encoding:
    encodings: dict[str, Encoding] = {"base64": "base64", "none": "none"}
    found = encodings.get(str(value).lower())
    if found is None:
        raise ValueError(f"{value!r} is neither base64 nor none")
    return found


def _whole(least: int, most: int | None = None) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool) or not str(value).isdecimal():
            raise ValueError(f"{value!r} is not a whole number")
        number = int(str(value))
        if number < least or (most is not None and number > most):
            raise ValueError(f"{number} is not {f'from {least} to {most}' if most else f'at least {least}'}")
        return number

    return read
