"""Strict JSON: what two readers might understand differently is refused (RFC 7493), and named by its place."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from itertools import islice

from shared.errors import Fault
from shared.validation.places import (
    DEEPEST,
    MOST_DIGITS,
    MOST_FAULTS,
    NO_CHARACTER,
    Place,
    decoded,
    is_text,
    path_of,
    refusal,
    refuse,
)

_BOM = b"\xef\xbb\xbf"
_TOO_DEEP = f"Nested more than {DEEPEST} levels deep."


class _Doubled(dict[str, object]):
    """An object in which a name stands more than once."""

    names: tuple[str, ...] = ()


class _NoNumber:
    """Something in the place of a number that can't be taken as one, and why."""

    def __init__(self, message: str) -> None:
        self.message = message


def parse_json(raw: bytes) -> object:
    """A JSON object as plain values.

    Raises InvalidRequest for anything but one UTF-8 object: syntax, byte order mark, names that stand twice,
    NaN and Infinity, numbers of more than 40 digits, half surrogate pairs, more than 64 levels.
    """
    if raw.startswith(_BOM):
        raise refuse("The text begins with a byte order mark. Send UTF-8 without one.")
    if not raw.strip():
        raise refuse("There is no body. Send a JSON object.")
    value = _loaded(decoded(raw))
    if not isinstance(value, dict):
        raise refuse("Must be a JSON object: { … }.")
    if faults := list(islice(_faults(value), MOST_FAULTS + 1)):
        raise refusal(faults)
    return value


def _loaded(text: str) -> object:
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_number
        )
    except json.JSONDecodeError as error:
        raise refuse(f"Line {error.lineno}, column {error.colno}: not JSON. {error.msg}.") from None
    except RecursionError:
        raise refuse(_TOO_DEEP) from None


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    seen: set[str] = set()
    doubled = _Doubled()
    doubled.names = tuple(dict.fromkeys(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
    for name, value in pairs:  # the first stays, so that faults inside it are told as well
        doubled.setdefault(name, value)
    return doubled


def _constant(name: str) -> _NoNumber:
    return _NoNumber(f"{name} is not JSON. Leave the field out or give a number.")


def _integer(digits: str) -> object:
    return int(digits) if len(digits) <= MOST_DIGITS else _NoNumber(f"A number of more than {MOST_DIGITS} digits.")


def _number(digits: str) -> object:
    value = float(digits)
    return value if math.isfinite(value) else _NoNumber("A number that is too large.")


def _faults(document: object) -> Iterator[Fault]:
    """Everything that the parser let pass, found without recursion."""
    todo: list[tuple[Place, object]] = [((), document)]
    while todo:
        place, value = todo.pop()
        if len(place) >= DEEPEST and isinstance(value, dict | list):
            yield Fault(path_of(place[:3]), _TOO_DEEP)
            return
        yield from _faults_of(place, value)
        todo.extend(reversed([((*place, part), item) for part, item in _parts(value)]))


def _faults_of(place: Place, value: object) -> Iterator[Fault]:
    if isinstance(value, _Doubled):
        for name in value.names:
            yield Fault(path_of((*place, name)), "This name stands more than once. Keep one of them.")
    elif isinstance(value, _NoNumber):
        yield Fault(path_of(place), value.message)
    texts = value if isinstance(value, dict) else [value] if isinstance(value, str) else []
    if not all(is_text(text) for text in texts):
        yield Fault(path_of(place), NO_CHARACTER)


def _parts(value: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
