"""A safe and small YAML: text, numbers, true/false, null, lists and mappings, read as YAML 1.2 reads them.

PyYAML alone would take `no` for false, `2026-11-22` for a date and `12:30` for a number in base 60, keep the last of
two equal keys, and follow aliases that blow up. So only its parser is used, and the document is built here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from shared.errors import Fault
from shared.validation.places import (
    DEEPEST,
    MOST_DIGITS,
    NO_CHARACTER,
    Place,
    decoded,
    is_text,
    path_of,
    refusal,
    refuse,
)

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGERS = {10: re.compile(r"[-+]?[0-9]+"), 8: re.compile(r"0o[0-7]+"), 16: re.compile(r"0x[0-9a-fA-F]+")}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

_ANCHOR = "Anchors (&name), aliases (*name) and merge keys (<<) are not supported: write the value out."
_TAG = "Tags (!name) are not supported: put text into quotes, and leave numbers without."


def parse_yaml(raw: bytes) -> object:
    """A YAML mapping as plain values.

    Raises InvalidRequest for anything but one document of at most 1 MiB of UTF-8 that is a mapping with text keys:
    syntax, keys that stand twice, anchors, aliases, merge keys, tags, more than 64 levels, numbers that are none.
    """
    builder = _Builder()
    try:
        for event in yaml.parse(decoded(raw, "utf-8-sig"), Loader=yaml.SafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise refuse(_said(error)) from None
    except yaml.reader.ReaderError as error:
        raise refuse(f"Character {error.position}: a control character that YAML does not allow.") from None
    if builder.faults:
        raise refusal(builder.faults)
    if not isinstance(builder.document, dict):
        raise refuse("Must be a mapping: names with values. The document is empty or something else.")
    return builder.document


def _said(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"Line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    why = " ".join(part for part in (error.context, error.problem) if part)
    return f"{where}not YAML: {why}."


@dataclass
class _Open:
    """A list or mapping that is being built, and the key whose value comes next."""

    holder: dict[str, object] | list[object]
    place: Place
    key: str | None = None
    waiting_for_key: bool = field(init=False)

    def __post_init__(self) -> None:
        self.waiting_for_key = isinstance(self.holder, dict)

    def next_place(self) -> Place:
        part = len(self.holder) if isinstance(self.holder, list) else self.key
        return self.place if part is None else (*self.place, part)


class _Builder:
    """Builds the document from the parser's events, without recursion."""

    def __init__(self) -> None:
        self.document: object = None
        self.faults: list[Fault] = []
        self._open: list[_Open] = []
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        """Raises InvalidRequest only where going on makes no sense; other faults are collected."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._another_document(event)
        elif isinstance(event, yaml.NodeEvent):
            self._look_at_properties(event)
            self._node(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()

    def _another_document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents > 1:
            raise refuse(f"Line {_line(event)}: a second document begins (---). Only one is allowed.")

    def _look_at_properties(self, event: yaml.NodeEvent) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self._fault(event, _ANCHOR)
        elif getattr(event, "tag", None) is not None:
            self._fault(event, _TAG)

    def _node(self, event: yaml.NodeEvent) -> None:
        if self._open and self._open[-1].waiting_for_key:
            self._key(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        else:
            self._put(self._scalar(event))

    def _key(self, event: yaml.NodeEvent) -> None:
        mapping = self._open[-1]
        if not isinstance(event, yaml.ScalarEvent):
            raise refuse(f"Line {_line(event)}: a key must be text.", mapping.place)
        mapping.key, mapping.waiting_for_key = event.value, False
        if event.value == "<<" and event.implicit[0]:
            self._fault(event, _ANCHOR)
        elif not is_text(event.value):
            self._fault(event, NO_CHARACTER)
        elif not isinstance(_resolved(event), str):
            self._fault(event, "A key must be text: put it into quotes.")
        elif event.value in mapping.holder:
            self._fault(event, "This name stands more than once. Keep one of them.")

    def _begin(self, event: yaml.CollectionStartEvent) -> None:
        if len(self._open) >= DEEPEST:
            raise refuse(f"Line {_line(event)}: nested more than {DEEPEST} levels deep.")
        holder: dict[str, object] | list[object] = {} if isinstance(event, yaml.MappingStartEvent) else []
        place = self._open[-1].next_place() if self._open else ()
        self._put(holder)
        self._open.append(_Open(holder, place))

    def _scalar(self, event: yaml.NodeEvent) -> object:
        if not isinstance(event, yaml.ScalarEvent):
            return None  # an alias, which is a fault already
        value = _resolved(event)
        if isinstance(value, _NoNumber):
            self._fault(event, value.message)
            return None
        if not is_text(event.value):
            self._fault(event, NO_CHARACTER)
        return value

    def _put(self, value: object) -> None:
        if not self._open:
            self.document = value
            return
        above = self._open[-1]
        if isinstance(above.holder, list):
            above.holder.append(value)
        else:
            above.holder.setdefault(str(above.key), value)
            above.key, above.waiting_for_key = None, True

    def _fault(self, event: yaml.Event, message: str) -> None:
        place = self._open[-1].next_place() if self._open else ()
        self.faults.append(Fault(path_of(place), f"Line {_line(event)}: {message}"))


@dataclass(frozen=True)
class _NoNumber:
    message: str


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _resolved(event: yaml.ScalarEvent) -> object:
    """The scalar by YAML 1.2's core schema; whatever is quoted, and all the rest, is text."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    return next(_numbers(text), text)


def _numbers(text: str) -> Iterator[object]:
    if _NO_NUMBER.fullmatch(text):
        yield _NoNumber("Infinity and NaN are not supported: give a number.")
    for base, pattern in _INTEGERS.items():
        if pattern.fullmatch(text):
            too_long = _NoNumber(f"A number of more than {MOST_DIGITS} digits. Put text into quotes.")
            yield int(text, base) if len(text) <= MOST_DIGITS else too_long
    if _FLOAT.fullmatch(text):
        value = float(text)
        yield value if math.isfinite(value) else _NoNumber("A number that is too large. Put text into quotes.")
