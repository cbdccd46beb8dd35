"""Records (frozen dataclasses) in a table: one property for each field, written only over what was read.

A row outlives the version of the app that wrote it: a field that the row lacks has its default, and a property that is
no field is passed over. What is neither text, number, word nor moment is JSON, and spread over several properties,
since one holds 64 KiB.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, ClassVar, Generic, Protocol, TypeVar, get_args, get_origin, get_type_hints

from shared import telemetry
from shared.storage.tables import LONGEST_TEXT, Entity, Table, cut


class Record(Protocol):
    """A frozen dataclass that knows the ETag under which it was read; empty for a new one."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def etag(self) -> str: ...


R = TypeVar("R", bound=Record)


class Records(Generic[R]):
    """The records of one kind in a table."""

    def __init__(self, table: Table, kind: type[R]) -> None:
        self._table = table
        self._kind = kind

    def get(self, partition: str, row: str) -> R | None:
        """The record as it is now."""
        found = self._table.get(partition, row)
        return record_of(self._kind, *found) if found else None

    def put(self, partition: str, row: str, record: R) -> R:
        """Write a new one, or over the one that was read; answers it with its ETag. Stale if somebody was faster."""
        return replace(record, etag=self._table.put(partition, row, values_of(record), record.etag))

    def partition(self, partition: str, *, after: str = "", below: str = "") -> Iterator[R]:
        """The records of a partition in the order of their keys. One that this version of the app can't read (another
        wrote a word that this one does not know) is logged, and stands in nobody's way.
        """
        for entity, etag in self._table.partition(partition, after=after, below=below):
            try:
                record: R = record_of(self._kind, entity, etag)
            except (ValueError, TypeError, KeyError):
                logging.getLogger(telemetry.LOGGER).exception("The row %s can't be read.", entity["RowKey"])
            else:
                yield record


# ---- a record as a row and back: pure
def values_of(record: object) -> Entity:
    """A record's row without its keys."""
    values: Entity = {}
    for name, kind in _types(type(record)).items():
        if name != "etag":
            values |= _properties(_property(name), kind, getattr(record, name))
    return values


def record_of(kind: type[Any], entity: Mapping[str, Any], etag: str = "") -> Any:
    """The record that was written."""
    known = _types(kind)
    values = {name: _value(of, entity, _property(name)) for name, of in known.items() if _property(name) in entity}
    return kind(**values, **({"etag": etag} if "etag" in known else {}))


def sortable(moment: datetime) -> str:
    """To the microsecond, so that what is read back equals what was written; sorts as the moments do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _properties(name: str, kind: Any, value: Any) -> Entity:
    only = _without_none(kind)
    if only is datetime:
        return {name: sortable(value) if value else ""}
    if _is_word(only):
        return {name: value.value}
    if only in (str, int, bool):
        return {name: cut(value) if only is str else value}
    written = json.dumps(_json(value), separators=(",", ":"))
    parts = [written[at : at + LONGEST_TEXT] for at in range(0, len(written), LONGEST_TEXT)]
    return {f"{name}{number or ''}": part for number, part in enumerate(parts)}


def _value(kind: Any, entity: Mapping[str, Any], name: str) -> Any:
    only = _without_none(kind)
    if only is datetime:
        return datetime.fromisoformat(entity[name]) if entity[name] else None
    if only in (str, int, bool) or _is_word(only):
        return only(entity[name])
    parts = [entity[name]]
    while (following := f"{name}{len(parts)}") in entity:
        parts.append(entity[following])
    return _made(kind, json.loads("".join(parts)))


def _json(value: object) -> object:
    """Records, moments and durations within a property."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _json(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_json(each) for each in value]
    if isinstance(value, datetime):
        return sortable(value)
    return value.total_seconds() if isinstance(value, timedelta) else value


def _made(kind: Any, value: Any) -> Any:
    """The opposite of `_json`, by the type that the field declares."""
    only = _without_none(kind)
    if value is None:
        return None
    if get_origin(only) is tuple:
        return tuple(_made(get_args(only)[0], each) for each in value)
    if isinstance(only, type) and is_dataclass(only):
        known = _types(only)
        return only(**{name: _made(known[name], each) for name, each in value.items() if name in known})
    if only is datetime:
        return datetime.fromisoformat(value)
    if only is timedelta:
        return timedelta(seconds=value)
    return only(value) if _is_word(only) else value


def _declared(kind: Any) -> Mapping[str, Any]:
    """The types of a record's fields."""
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


_types: Callable[[Any], Mapping[str, Any]] = cache(_declared)


@cache
def _property(field: str) -> str:
    """`leaseUntil` for `lease_until`: as everywhere outside Python."""
    first, *others = field.split("_")
    return first + "".join(part.title() for part in others)


def _without_none(kind: Any) -> Any:
    """`datetime` for `datetime | None`."""
    if isinstance(kind, UnionType):
        return next(each for each in get_args(kind) if each is not type(None))
    return kind


def _is_word(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)
