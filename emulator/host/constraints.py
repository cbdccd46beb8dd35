"""The constraints of ASP.NET Core's route templates, as in `{id:guid}` or `{page:range(1,99)}`.

Source: Microsoft Learn, "Routing in ASP.NET Core", route constraint reference. `datetime` is left out: what .NET takes
for a time can't be told here.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Constraint = Callable[[str], bool]

_INTEGER = re.compile(r"\s*[+-]?\d+\s*")
_DECIMAL = re.compile(r"\s*[+-]?(?:\d[\d,]*\.?\d*|\.\d+)\s*")
_HEX = "[0-9a-fA-F]"
_DASHED = f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}"
_GUID = re.compile(rf"\s*(?:{_HEX}{{32}}|{_DASHED}|\{{{_DASHED}\}}|\({_DASHED}\))\s*")


def _integer(value: str, bits: int) -> bool:
    return _INTEGER.fullmatch(value) is not None and -(2 ** (bits - 1)) <= int(value) < 2 ** (bits - 1)


def _number(least: int | None, most: int | None) -> Constraint:
    return lambda value: (
        _integer(value, 64) and (least is None or int(value) >= least) and (most is None or int(value) <= most)
    )


def _length(least: int, most: int | None) -> Constraint:
    return lambda value: (
        least <= len(value.encode("utf-16-le")) // 2 and (most is None or len(value.encode("utf-16-le")) // 2 <= most)
    )


_PLAIN: dict[str, Constraint] = {
    "int": lambda value: _integer(value, 32),
    "long": lambda value: _integer(value, 64),
    "guid": lambda value: _GUID.fullmatch(value) is not None,
    "alpha": lambda value: re.fullmatch("[A-Za-z]*", value) is not None,
    "bool": lambda value: value.strip().lower() in ("true", "false"),
    "decimal": lambda value: _DECIMAL.fullmatch(value) is not None,
    "required": lambda value: value != "",
}


def constraint(text: str) -> Constraint:
    """The test that `text` (such as `int` or `length(1,20)`) stands for; ValueError if there is no such constraint."""
    matched = re.fullmatch(r"(\w+)(?:\((.*)\))?", text, re.DOTALL)
    name, argument = (matched[1].lower(), matched[2]) if matched else ("", None)
    if name == "regex" and argument is not None:
        return _regex(argument)
    found = _PLAIN.get(name) if argument is None else _counted(name, _numbers(argument))
    if found is None:
        raise ValueError(f"{text!r} is not a route constraint that this host knows")
    return found


def _counted(name: str, numbers: list[int]) -> Constraint | None:
    """A constraint with one number or two."""
    least, most = (numbers[0], numbers[-1]) if numbers else (0, 0)
    forms: dict[tuple[str, int], Constraint] = {
        ("min", 1): _number(least, None),
        ("max", 1): _number(None, most),
        ("range", 2): _number(least, most),
        ("minlength", 1): _length(least, None),
        ("maxlength", 1): _length(0, most),
        ("length", 1): _length(most, most),
        ("length", 2): _length(least, most),
    }
    return forms.get((name, len(numbers)))


def _numbers(argument: str) -> list[int]:
    parts = argument.split(",")
    return [int(part) for part in parts] if all(_INTEGER.fullmatch(part) for part in parts) else []


def _regex(pattern: str) -> Constraint:
    """.NET looks for the pattern anywhere in the value, whatever the case."""
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"regex({pattern}) is not a regular expression: {error}") from error
    return lambda value: compiled.search(value) is not None
