"""Records as table rows and back: pure. JSON is spread over several properties, since one holds 64 KiB."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from shared.refresh.records import DatasetHead, Json, Landing, Run
from shared.storage.tables import LONGEST_TEXT

DOCUMENT = "document"


def text(moment: datetime) -> str:
    """To the microsecond, so that what is read back equals what was written; sorts as the moments do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def head_values(head: DatasetHead) -> Json:
    """A head's row without its keys; `due` and `number` also stand alone, for people who look at the table."""
    return {"due": text(head.due) if head.due else "", "number": head.number, **_spread(head)}


def head_of(entity: Mapping[str, Any], etag: str) -> DatasetHead:
    """The head that was written."""
    head: DatasetHead = _joined(DatasetHead, entity, etag)
    return head


def run_values(run: Run) -> Json:
    """A run's row without its keys."""
    return {"datasetId": run.dataset_id, "status": run.status.value, **_spread(run)}


def run_of(entity: Mapping[str, Any], etag: str) -> Run:
    """The run that was written."""
    run: Run = _joined(Run, entity, etag)
    return run


def landing_values(landing: Landing) -> Json:
    """The row of a landing that waits to be covered, without its keys."""
    return _spread(landing)


def landing_of(entity: Mapping[str, Any]) -> Landing:
    """The landing that was written."""
    landing: Landing = _joined(Landing, entity)
    return landing


def _spread(record: object) -> Json:
    """In properties `document`, `document1`, `document2` …"""
    written = json.dumps(_plain(record), separators=(",", ":"))
    parts = [written[at : at + LONGEST_TEXT] for at in range(0, len(written), LONGEST_TEXT)]
    return {f"{DOCUMENT}{number or ''}": part for number, part in enumerate(parts)}


def _joined(kind: type[Any], entity: Mapping[str, Any], etag: str = "") -> Any:
    parts = [entity[DOCUMENT]]
    while (following := f"{DOCUMENT}{len(parts)}") in entity:
        parts.append(entity[following])
    values = json.loads("".join(parts))
    return _made(kind, {**values, "etag": etag} if etag else values)


def _plain(value: object) -> object:
    """Records, moments and durations as JSON."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value) if each.name != "etag"}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        return text(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value


def _made(kind: Any, value: Any) -> Any:
    """The opposite, by the type that the record's field declares.

    A field that the row lacks has its default: rows outlive the version of the app that wrote them.
    """
    if value is None:
        return None
    if isinstance(kind, UnionType):
        return _made(next(each for each in get_args(kind) if each is not type(None)), value)
    if get_origin(kind) is tuple:
        return tuple(_made(get_args(kind)[0], each) for each in value)
    if isinstance(kind, type) and is_dataclass(kind):
        known = _types(kind)
        return kind(**{name: _made(known[name], each) for name, each in value.items() if name in known})
    if _is_word(kind):
        return kind(value)
    return _READERS[kind](value) if kind in (datetime, timedelta) else value


def _is_word(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)


def _seconds(value: float) -> timedelta:
    return timedelta(seconds=value)


_READERS: Mapping[Any, Callable[[Any], Any]] = {datetime: datetime.fromisoformat, timedelta: _seconds}


@cache
def _types(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)
