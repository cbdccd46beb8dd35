"""Drives the emulated Power BI in process: a fake authority, a clock that stands still, calls as clients send them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from emulator import seed
from emulator.clock import Clock
from emulator.entra.tokens import TokenRefused
from emulator.http import Call, Json
from emulator.powerbi.operation import BASE
from emulator.powerbi.service import PowerBI

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKEN_LIFE = timedelta(minutes=60)
APPS = {app.name: app for app in seed.APPLICATIONS}
PEOPLE = {person.upn.partition("@")[0]: person for person in seed.PEOPLE}
WORKSPACES = {workspace.name: workspace.id for workspace in seed.WORKSPACES}
DATASETS = {dataset.name: dataset.id for dataset in seed.DATASETS}
REPORTS = {report.name: report.id for report in seed.REPORTS}
CAPACITIES = {capacity.name: capacity.id for capacity in seed.CAPACITIES}
GROUPS = {group.name: group.object_id for group in seed.GROUPS}
SALES, REFERENCE, STRANGERS = WORKSPACES.values()
CALENDAR_MODEL, SALES_MODEL, MARGIN_MODEL = DATASETS.values()
SALES_REPORT, MARGIN_REPORT, INVOICE = REPORTS.values()
SALES_REFRESHES = f"/groups/{SALES}/datasets/{SALES_MODEL}/refreshes"
SHARED_REFRESHES = f"/groups/{REFERENCE}/datasets/{CALENDAR_MODEL}/refreshes"
ALL_SCOPES = (
    "Workspace.ReadWrite.All Dataset.ReadWrite.All Report.ReadWrite.All "
    "Capacity.ReadWrite.All Dashboard.Read.All App.Read.All Content.Create Tenant.Read.All"
)


class ManualClock(Clock):
    """A clock that only a test moves."""

    def __init__(self) -> None:
        super().__init__()
        self._now = START

    def now(self) -> datetime:
        """Where the test has put it."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move on."""
        self._now += by
        return self._now


class FakeAuthority:
    """Tokens are JSON claims; `refuse` is the reason for which a token is refused."""

    def verify(self, token: str, audiences: Collection[str]) -> Json:
        """The claims."""
        try:
            claims: Json = json.loads(token)
        except ValueError:
            raise TokenRefused("malformed") from None
        if "refuse" in claims:
            raise TokenRefused(claims["refuse"])
        if claims.get("aud", "https://analysis.windows.net/powerbi/api") not in audiences:
            raise TokenRefused("audience")
        return claims


@dataclass(frozen=True)
class Reply:
    """An answer as a client reads it. `body`: parsed JSON, None for an empty one."""

    status: int
    body: Any
    headers: Mapping[str, str]
    notes: list[str]
    client_id: str

    @property
    def code(self) -> str:
        """The error's code, or the reason in the header."""
        error = (self.body or {}).get("error", {})
        return str(error.get("code") or self.headers.get("X-PowerBI-Error-Info", ""))

    @property
    def message(self) -> str:
        """The error's message."""
        return str((self.body or {}).get("error", {}).get("message", ""))

    @property
    def value(self) -> list[Json]:
        """The items of a list."""
        return list(self.body["value"])


@dataclass
class Driver:
    """A Power BI to talk to, and all that was said."""

    clock: ManualClock = field(default_factory=ManualClock)
    exchanges: list[tuple[Call, Any, Reply]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = PowerBI(FakeAuthority(), self.clock, real_now=self.clock.now)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: str = "operations",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        claims: Mapping[str, Any] | None = None,
        host: str = "api.powerbi.com",
    ) -> Reply:
        """Send a request as an application or a person of the seeded organisation, by name."""
        sent = {"authorization": f"Bearer {json.dumps(self.claims(who) | dict(claims or {}))}"}
        if body is not None:
            sent["content-type"] = "application/json"
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        call = Call(method, host, BASE + path, query or {}, {**sent, **(headers or {})}, raw)
        answer = self.service.handle(call)
        payload = answer.payload()
        reply = Reply(
            answer.status, json.loads(payload) if payload else None, answer.headers, call.notes, call.client_id
        )
        self.exchanges.append((call, body, reply))
        return reply

    def claims(self, who: str) -> Json:
        """Those of an app-only token, or of a user's."""
        ends = int((self.clock.now() + TOKEN_LIFE).timestamp())
        if who in APPS:
            return {"oid": APPS[who].object_id, "appid": APPS[who].client_id, "idtyp": "app", "exp": ends}
        person = PEOPLE[who]
        return {"oid": person.object_id, "appid": "client", "upn": person.upn, "scp": ALL_SCOPES, "exp": ends}

    def pass_time(self, **by: float) -> None:
        """Let time pass: `seconds=`, `minutes=`, `hours=`."""
        self.clock.advance(timedelta(**by))

    def patch(self, **maps: Json) -> None:
        """Change the state as the control API does."""
        self.service.merge(maps)

    def switch(self, **values: Any) -> None:
        """Set switches."""
        self.service.merge({"switches": values})

    def new_workspace(self, name: str, who: str = "operations") -> str:
        """Create one; gives its id."""
        reply = self.call("POST", "/groups", {"name": name}, who=who, query={"workspaceV2": "True"})
        assert reply.status == 200, reply
        return str(reply.body["id"])
