"""Reads what a query of ours looks at: fields of the line, and which operations and outcomes it chooses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.infra.estate import INFRA

QUERIES = INFRA / "queries"
_FIELD = re.compile(r"\bline\.(\w+)")
_NAMED = re.compile(
    r"(?:tostring\(line\.(operation|outcome)\)|\b(operation|outcome)\b)\s*(==|!in|in|startswith|endswith)\s*"
)
_TEXTS = re.compile(r'"([^"]*)"')

Condition = tuple[str, str, tuple[str, ...]]
"""Field, comparison, texts."""


def query_files() -> list[Path]:
    return sorted(QUERIES.glob("*/*.kql"))


def fields(query: str) -> set[str]:
    """Fields of the log line that it reads."""
    return set(_FIELD.findall(query))


def choices(query: str) -> list[list[Condition]]:
    """For each `where`: its alternatives (joined by `or`), each by what it asks of operation and outcome."""
    clauses = re.findall(r"(?ms)^\| where (.+?)(?=^\||^\w|\Z)", query)
    found = [[*map(_conditions, re.split(r"\bor\b", clause))] for clause in clauses]
    return [each for clause in found for each in clause if each]


def _conditions(alternative: str) -> list[Condition]:
    return list(_conditions_of(alternative))


def _conditions_of(alternative: str) -> Iterator[Condition]:
    for match in _NAMED.finditer(alternative):
        rest = alternative[match.end() :]
        texts = _TEXTS.findall(rest[: rest.index(")")] if rest.startswith("(") else rest)
        many = match.group(3) in ("in", "!in")
        yield match.group(1) or match.group(2), match.group(3), tuple(texts if many else texts[:1])


def chosen(conditions: list[Condition], line: dict[str, Any]) -> bool:
    """Whether the line is one that these conditions let through."""
    return all(_holds(str(line.get(field, "")), comparison, texts) for field, comparison, texts in conditions)


def _holds(value: str, comparison: str, texts: tuple[str, ...]) -> bool:
    if comparison in ("==", "in"):
        return value in texts
    if comparison == "!in":
        return value not in texts
    compare = value.lower().startswith if comparison == "startswith" else value.lower().endswith
    return compare(texts[0])
