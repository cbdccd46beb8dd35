"""`$filter`, as far as the API uses it: comparisons, string functions, and/or/not, and `any` over a list."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from emulator.http import Json
from emulator.powerbi import answers

Test = Callable[[Json], bool]
Value = Callable[[Json], Any]
_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z_@][\w.]*)|(?P<number>-?\d+)|(?P<mark>[(),/:]))")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: _folded(left) == _folded(right),
    "ne": lambda left, right: _folded(left) != _folded(right),
}
_MATCHES: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
}
_CHANGES: dict[str, Callable[[str], str]] = {"tolower": str.lower, "toupper": str.upper, "trim": str.strip}
_CONSTANTS = {"true": True, "false": False, "null": None}


def compiled(text: str) -> Test:
    """A test of records for a `$filter`; `eq` minds case, but for ids. Raises 400 for what it can't read."""
    parser = _Parser(text)
    test = parser.either()
    if parser.here():
        raise unreadable(text)
    return test


def _folded(value: Any) -> Any:
    """Ids are the same in whatever case."""
    return value.lower() if isinstance(value, str) and _GUID.fullmatch(value) else value


def unreadable(text: str) -> Exception:
    """The refusal of a filter."""
    return answers.invalid(f"Invalid filter clause: {text}")


class _Parser:
    """Recursive descent: `or` binds weaker than `and`, `and` weaker than `not`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split(text)
        self._at = 0
        self._ranges: list[str] = []

    def here(self) -> str:
        """The token at hand, empty at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def either(self) -> Test:
        """`a or b`"""
        test = self._both()
        while self._accept("or"):
            test = _or(test, self._both())
        return test

    def _both(self) -> Test:
        test = self._one()
        while self._accept("and"):
            test = _and(test, self._one())
        return test

    def _one(self) -> Test:
        if self._accept("not"):
            inner = self._one()
            return lambda record: not inner(record)
        if self._accept("("):
            test = self.either()
            self._expect(")")
            return test
        if self.here().lower() in _MATCHES:
            return self._match()
        return self._comparison()

    def _match(self) -> Test:
        matches = _MATCHES[self._take().lower()]
        self._expect("(")
        text = self._value()
        self._expect(",")
        part = self._value()
        self._expect(")")
        return lambda record: matches(str(text(record) or ""), str(part(record)))

    def _comparison(self) -> Test:
        left = self._value()
        if self._accept("/"):
            return self._any(left)
        compare = _COMPARISONS.get(self._take().lower())
        if compare is None:
            raise unreadable(self._text)
        right = self._value()
        return lambda record: compare(left(record), right(record))

    def _any(self, items: Value) -> Test:
        """`users/any()` and `users/any(u: u/right eq Namespace.Enum'Admin')`."""
        if self._take().lower() != "any":
            raise unreadable(self._text)
        self._expect("(")
        if self._accept(")"):
            return lambda record: bool(items(record))
        self._ranges.append(self._take())
        self._expect(":")
        inner = self.either()
        self._expect(")")
        self._ranges.pop()
        return lambda record: any(inner(item) for item in items(record) or [])

    def _value(self) -> Value:
        token = self._take()
        if token.startswith("'"):
            literal = token[1:-1].replace("''", "'")
            return lambda _: literal
        if token.lstrip("-").isdigit():
            number = int(token)
            return lambda _: number
        if token.lower() in _CONSTANTS:
            constant = _CONSTANTS[token.lower()]
            return lambda _: constant
        if token.lower() in _CHANGES:
            return self._changed(_CHANGES[token.lower()])
        if not token or not (token[0].isalpha() or token[0] in "_@"):
            raise unreadable(self._text)
        return self._named(token)

    def _changed(self, change: Callable[[str], str]) -> Value:
        self._expect("(")
        text = self._value()
        self._expect(")")
        return lambda record: change(str(text(record) or ""))

    def _named(self, name: str) -> Value:
        if name in self._ranges:
            self._expect("/")
            return self._value()
        if self.here().startswith("'"):  # an enumeration: its type's name, and then the word
            return self._value()
        return lambda record: record.get(name)

    def _take(self) -> str:
        token = self.here()
        self._at += 1
        return token

    def _accept(self, token: str) -> bool:
        if self.here().lower() != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise unreadable(self._text)

    @staticmethod
    def _split(text: str) -> list[str]:
        tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            matched = _TOKEN.match(text, at)
            if matched is None:
                raise unreadable(text)
            tokens.append(matched.group().strip())
            at = matched.end()
        return tokens


def _or(left: Test, right: Test) -> Test:
    return lambda record: left(record) or right(record)


def _and(left: Test, right: Test) -> Test:
    return lambda record: left(record) and right(record)
