"""Lists page by page: `?top=&continuationToken=` and filters. A token is good only for its own filter. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from shared.errors import Fault, InvalidRequest

MOST, USUAL = 200, 50
MOST_SCANNED = 200
"""How many items one page of a filtered list looks at: it may come back short, or empty, with a token."""
LONGEST_TOKEN = 500
TOP, TOKEN = "top", "continuationToken"
_PLACE = re.compile(r"\d{15}-[0-9a-f-]{36}")

T = TypeVar("T")


@dataclass(frozen=True)
class Query:
    """What is asked of a list. `after`: the place of the last item on the page before; empty for the first page."""

    filters: Mapping[str, str] = field(default_factory=dict)
    top: int = USUAL
    after: str = ""

    def token(self, after: str) -> str:
        """What continues behind `after`."""
        text = json.dumps([after, _hash(self.filters)], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_query(parameters: Mapping[str, str], allowed: Mapping[str, Sequence[str]]) -> Query:
    """The query's parameters. `allowed`: the filters by name, with the values that each may have (none: any).

    Raises InvalidRequest with every fault.
    """
    faults = [
        Fault(name, f"Unknown parameter. Allowed here: {', '.join((*allowed, TOP, TOKEN))}.")
        for name in parameters
        if name not in {*allowed, TOP, TOKEN}
    ]
    filters = {name: parameters[name] for name in allowed if parameters.get(name)}
    for name, value in filters.items():
        if allowed[name] and value not in allowed[name]:
            faults.append(Fault(name, f"Must be one of: {', '.join(allowed[name])}."))
    top = parameters.get(TOP, str(USUAL))
    number = int(top) if re.fullmatch(r"[0-9]{1,3}", top) else 0
    if not 1 <= number <= MOST:
        faults.append(Fault(TOP, f"Must be a whole number from 1 to {MOST}."))
    after = _after(parameters.get(TOKEN, ""), filters)
    if after is None:
        faults.append(Fault(TOKEN, "Must be the token of the page before, with the same filter."))
    if faults:
        raise InvalidRequest("The list can't be given as it was asked for.", faults=faults)
    return Query(filters, number, after or "")


def page(
    query: Query,
    more: Callable[[str, int], Sequence[tuple[str, T | None]]],
    shown: Callable[[T], Any],
) -> dict[str, Any]:
    """`{"value": […], "continuationToken": …}`.

    `more(after, number)` gives the next places in the list with what stands there, None for nothing that is wanted;
    fewer than `number` are the end of the list.
    """
    found: list[Any] = []
    after, scanned = query.after, 0
    while len(found) < query.top and scanned < MOST_SCANNED:
        number = min(query.top, MOST_SCANNED - scanned)
        places = more(after, number)
        for place, item in places:
            after, scanned = place, scanned + 1
            if item is not None:
                found.append(shown(item))
            if len(found) == query.top:
                break
        else:
            if len(places) < number:
                return {"value": found, TOKEN: None}
    return {"value": found, TOKEN: query.token(after)}


def _hash(filters: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(filters, sort_keys=True).encode()).hexdigest()[:16]


def _after(token: str, filters: Mapping[str, str]) -> str | None:
    """Where to go on, empty without a token; None for one that is none, or another filter's."""
    if not token:
        return ""
    try:
        after, filter_hash = json.loads(base64.urlsafe_b64decode(token[:LONGEST_TOKEN] + "=" * (-len(token) % 4)))
    except (ValueError, TypeError, RecursionError):
        return None
    good = isinstance(after, str) and _PLACE.fullmatch(after) and filter_hash == _hash(filters)
    return after if good else None
