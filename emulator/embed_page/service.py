"""`https://app.powerbi.com/reportEmbed` and `/rdlEmbed`: a page in static files, and the one call that it makes.

The page speaks powerbi-client's protocol (static/messages.js). What it shows comes from `GET /_emulator/reports/{id}`
with the embed token, as the real page's calls carry it: a token is judged here, and not in the browser.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from emulator.clouds import POWERBI_HOSTS
from emulator.embed_page.opening import PAGINATED_PAGE, REPORT_PAGE, Wanted, identity_for, opened_report
from emulator.embed_page.rows import visible_rows
from emulator.http import Answer, Call, Handler, Json, Service
from emulator.powerbi.service import PowerBI
from emulator.powerbi.times import wire_seconds

DATA = "/_emulator/reports/{reportId}"
STATIC = Path(__file__).parent / "static"
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class EmbedPage(Service):
    """The pages of all clouds' `app.` hosts."""

    hosts = tuple(host for host in POWERBI_HOSTS if host.startswith("app."))

    def __init__(self, powerbi: PowerBI, now: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._powerbi = powerbi
        self._now = now
        for page in (REPORT_PAGE, PAGINATED_PAGE):
            self.router.add("GET", f"/{page}", _file("page.html"))
        for name in ("page.css", "page.js", "messages.js", "drawing.js"):
            self.router.add("GET", f"/_emulator/{name}", _file(name))
        self.router.add("GET", DATA, self._report)

    def finish(self, call: Call, answer: Answer) -> Answer:
        """Any site may embed the page, but the page loads and calls nothing except this host."""
        return Answer(answer.status, answer.body, {**_HEADERS, "RequestId": call.request_id, **answer.headers})

    def _report(self, call: Call) -> Answer:
        report, grant = opened_report(_wanted(call), self._powerbi.read_embed_token, self._powerbi.find_report)
        identity = identity_for(report, grant)
        allowed = next(one for one in grant["reports"] if one["id"] == report["id"])
        shown: Json = {
            "id": report["id"],
            "name": report["name"],
            "canEdit": allowed["allowEdit"],
            "pages": [{"name": page["name"], "displayName": page["displayName"]} for page in report["pages"]],
            "identity": identity and {key: identity.get(key) for key in ("username", "roles", "customData")},
            "expiration": wire_seconds(datetime.fromtimestamp(grant["exp"], UTC)),
            "secondsLeft": grant["exp"] - self._now(),
            "rows": visible_rows(identity),
        }
        return Answer(200, shown)


def _wanted(call: Call) -> Wanted:
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    return Wanted(
        report_id=call.parameters["reportId"],
        address={"reportId": call.query.get("addressReportId", ""), "groupId": call.query.get("groupId", "")},
        page=call.query.get("page", ""),
        token=token if scheme == "EmbedToken" else "",
        token_type=call.query.get("tokenType", ""),
    )


def _file(name: str) -> Handler:
    path = STATIC / name
    headers = {"Content-Type": f"{_KINDS[path.suffix]}; charset=utf-8"}
    return lambda _: Answer(200, path.read_bytes(), dict(headers))
