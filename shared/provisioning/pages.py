"""Lists page by page: a token that says where to go on, and is good only for the filter that it was given for. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass

from shared.errors import Fault, InvalidRequest
from shared.workflow.records import Status

MOST, USUAL = 200, 50
_PLACE = re.compile(r"\d{15}-[0-9a-f-]{36}")
_TOKEN = "continuationToken"  # noqa: S105 - a parameter's name


@dataclass(frozen=True)
class Query:
    """What is asked of a list."""

    status: str = ""
    project: str = ""
    top: int = USUAL
    after: str = ""
    """The place of the last one on the page before."""

    @property
    def filter_hash(self) -> str:
        """The same for the same filter."""
        return hashlib.sha256(f"{self.status}\n{self.project.casefold()}".encode()).hexdigest()[:16]

    def token(self, after: str) -> str:
        """What continues behind `after`."""
        text = json.dumps([after, self.filter_hash], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_query(status: str | None, project: str | None, top: str | None, token: str | None) -> Query:
    """The query's parameters, None where one is not given. Raises InvalidRequest with every fault."""
    faults = []
    allowed = [known.value for known in Status]
    if status and status not in allowed:
        faults.append(Fault("status", f"Must be one of: {', '.join(allowed)}."))
    number = int(top) if top and re.fullmatch(r"[0-9]{1,3}", top) else 0
    if top is not None and not 1 <= number <= MOST:
        faults.append(Fault("top", f"Must be a whole number from 1 to {MOST}."))
    query = Query(status or "", (project or "").strip(), number or USUAL)
    after = _after(token, query) if token else ""
    if after is None:
        faults.append(Fault(_TOKEN, "Must be the token of the page before, with the same status and project."))
    if faults:
        raise InvalidRequest("The list can't be given as it was asked for.", faults=faults)
    return Query(query.status, query.project, query.top, after or "")


def _after(token: str, query: Query) -> str | None:
    """Where to go on; None for a token that is none, or another filter's."""
    try:
        found = json.loads(base64.urlsafe_b64decode(token[:500] + "=" * (-len(token) % 4)))
        after, filter_hash = found
    except (ValueError, TypeError):
        return None
    good = isinstance(after, str) and _PLACE.fullmatch(after) and filter_hash == query.filter_hash
    return after if good else None
