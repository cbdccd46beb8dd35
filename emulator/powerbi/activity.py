"""The activity log, as the state has it, an hour a page: windows that are longer always take several."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote, unquote

from emulator.clouds import POWERBI_REGION_HOST
from emulator.http import Answer, Json, Refusal
from emulator.powerbi import answers, odata
from emulator.powerbi.admin_items import SCOPES, check_grant
from emulator.powerbi.operation import BASE, Operation, Visit
from emulator.powerbi.times import moment

PAGE = timedelta(hours=1)
_PATH = "/admin/activityevents"


@dataclass(frozen=True)
class _Window:
    """What is still to be told: from `start`, up to and with `end`."""

    start: datetime
    end: datetime
    wanted: str = ""

    @property
    def token(self) -> str:
        """Opaque, and percent-encoded already: clients put it into the next query as it is."""
        parts = [self.start.isoformat(), self.end.isoformat(), self.wanted]
        return quote(base64.b64encode(json.dumps(parts).encode()).decode(), safe="")


def list_events(visit: Visit) -> Answer:
    """A page of events; it may be empty and not the last. Only a null token says that it is."""
    check_grant(visit)
    window = _window(visit)
    ends = window.start + PAGE
    last = ends > window.end
    test = odata.compiled(window.wanted) if window.wanted else None
    found = [
        event
        for event in visit.state.maps["activityEvents"].values()
        if window.start <= moment(event["CreationTime"]) < ends
        and moment(event["CreationTime"]) <= window.end
        and (test is None or test(event))
    ]
    token = None if last else _Window(ends, window.end, window.wanted).token
    return answers.entity(
        "activityevents",
        {
            "activityEventEntities": [_rendered(event) for event in found],
            "continuationUri": token and f"https://{POWERBI_REGION_HOST}{BASE}{_PATH}?continuationToken='{token}'",
            "continuationToken": token,
            "lastResultSet": False,
        },
    )


def _rendered(event: Json) -> Json:
    """PascalCase, and its id is called `Id`."""
    return {"Id": event["id"]} | {name: value for name, value in event.items() if name != "id" and value != ""}


def _window(visit: Visit) -> _Window:
    """That of the token, or that of the two times: quoted, within one day of UTC, no longer ago than is kept."""
    query = visit.call.query
    if query.get("continuationToken"):
        return _continued(_unquoted(query["continuationToken"]))
    try:
        start, end = (moment(_unquoted(query[name])) for name in ("startDateTime", "endDateTime"))
    except (KeyError, ValueError) as fault:
        raise _refused() from fault
    kept = timedelta(days=visit.switch("activityLogDays"))
    if start.date() != end.date() or end < start or start < visit.now - kept:
        raise _refused()
    return _Window(start, end, query.get("$filter", ""))


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != "'" or text[-1] != "'":
        raise _refused()
    return text[1:-1]


def _continued(token: str) -> _Window:
    try:
        start, end, wanted = json.loads(base64.b64decode(unquote(token), validate=True))
        return _Window(moment(start), moment(end), wanted)
    except ValueError as fault:
        raise _refused() from fault


def _refused() -> Refusal:
    """An empty body of bytes."""
    return Refusal(Answer(400, b"", {"Content-Type": "application/octet-stream"}))


OPERATIONS = (Operation("GET", _PATH, list_events, SCOPES),)
