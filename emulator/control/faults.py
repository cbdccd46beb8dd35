"""Faults that a test asks for: the next matching calls are delayed, answered otherwise, or lose their connection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from emulator.http import Answer, Call, Json
from emulator.merge import refuse_unknown

_MATCHES = ("host", "method", "path", "query", "body")
_KNOWN = ("match", "skip", "times", "status", "headers", "body", "delaySeconds", "delayWhen", "drop")
_LONGEST_DELAY = 600.0


@dataclass
class Fault:
    """One fault.

    Without `status` the service itself answers. `drop` ends the connection without an answer: `before` the service
    has seen the call, or `after` it has carried it out. `delay` passes before the service sees the call, or, with
    `late_answer`, between what the service does and its answer: a time-out whose effect has happened.
    """

    id: str
    patterns: dict[str, re.Pattern[str]] = field(default_factory=dict)
    skip: int = 0
    times: int = 1
    answer: Answer | None = None
    delay: float = 0.0
    late_answer: bool = False
    drop: str = ""

    def matches(self, call: Call) -> bool:
        """Do all patterns occur in the call? Method and host must match as a whole; case is ignored."""
        return all(self._matches_part(part, pattern, call) for part, pattern in self.patterns.items())

    @staticmethod
    def _matches_part(part: str, pattern: re.Pattern[str], call: Call) -> bool:
        if part in ("host", "method"):
            return pattern.fullmatch(call.host if part == "host" else call.method) is not None
        texts = {
            "path": call.path,
            "query": "&".join(f"{name}={value}" for name, value in call.query.items()),
            "body": call.body.decode("utf-8", "replace"),
        }
        return pattern.search(texts[part]) is not None


class Faults:
    """The faults that wait for their calls, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._waiting: dict[str, Fault] = {}
        self._made = 0

    def add(self, wanted: Any) -> str:
        """Take a fault as the control API describes it, and tell its id; raises ValueError with a sentence."""
        self._made += 1
        fault = _parse(f"fault-{self._made}", wanted)
        self._waiting[fault.id] = fault
        return fault.id

    def remove(self, fault_id: str) -> bool:
        """Take one back; False if it is used up or never was."""
        return self._waiting.pop(fault_id, None) is not None

    def clear(self) -> None:
        """Take all back."""
        self._waiting.clear()

    def waiting(self) -> Json:
        """Those that have not been used up, for the control API's state."""
        return {fault.id: {"skip": fault.skip, "times": fault.times} for fault in self._waiting.values()}

    def take(self, call: Call) -> Fault | None:
        """The fault that strikes this call, if any: the first that matches and has nothing left to skip."""
        for fault in self._waiting.values():
            if fault.matches(call):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    del self._waiting[fault.id]
                return fault
        return None


def _parse(fault_id: str, wanted: Any) -> Fault:
    if not isinstance(wanted, dict):
        raise ValueError("A fault is a JSON object")  # noqa: TRY004 the caller of the control API sees one kind of error
    refuse_unknown(wanted, _KNOWN, "field")
    match = wanted.get("match", {})
    if not isinstance(match, dict):
        raise ValueError("match is an object with regular expressions")  # noqa: TRY004
    refuse_unknown(match, _MATCHES, "field of match")
    drop, when, status = wanted.get("drop", ""), wanted.get("delayWhen", "before"), wanted.get("status")
    if drop not in ("", "before", "after"):
        raise ValueError("drop is 'before' or 'after' (the effect)")
    if when not in ("before", "after"):
        raise ValueError("delayWhen is 'before' or 'after' (the effect)")
    if status is not None and drop:
        raise ValueError("A fault has a status or drops the connection, not both")
    if status is None and ("headers" in wanted or "body" in wanted):
        raise ValueError("headers and body need a status")
    delay = _number(wanted, "delaySeconds", 0, _LONGEST_DELAY)
    if status is None and not drop and not delay:
        raise ValueError("A fault needs a status, drop or delaySeconds")
    return Fault(
        id=fault_id,
        patterns={part: _pattern(part, text) for part, text in match.items()},
        skip=int(_number(wanted, "skip", 0, 1_000_000)),
        times=int(_number(wanted, "times", 1, 1_000_000, least=1)),
        answer=None if status is None else _answer(wanted),
        delay=delay,
        late_answer=when == "after",
        drop=drop,
    )


def _pattern(part: str, text: Any) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except (re.error, TypeError) as fault:
        raise ValueError(f"match.{part} is not a regular expression: {fault}") from None


def _number(wanted: Json, name: str, default: float, most: float, least: float = 0) -> float:
    value = wanted.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise ValueError(f"{name} is a number from {least:g} to {most:g}")
    return float(value)


def _answer(wanted: Json) -> Answer:
    headers = wanted.get("headers", {})
    if not isinstance(headers, dict):
        raise ValueError("headers is an object")  # noqa: TRY004
    body = wanted.get("body")
    content = body.encode() if isinstance(body, str) else body
    status = int(_number(wanted, "status", 200, 599, least=200))
    return Answer(status, content, {name: str(value) for name, value in headers.items()})
