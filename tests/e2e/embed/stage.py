"""The embedding side of the app on a stage: real callers' tokens, the operator's document, what Power BI was asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator import seed
from shared.auth.callers import Caller, Callers
from shared.auth.signing_keys import SigningKeys
from shared.embed.documents import read_embed_document
from shared.embed.request import EmbedTokenRequest
from shared.embed.service import EmbedTokens
from shared.errors import AppError
from shared.powerbi.transport import Transport
from shared.storage.documents import Accepted
from shared.times import utc_now
from shared.validation import check
from tests.cloud import Cloud
from tests.e2e.stage import Json, Stage
from tests.seeded import ANA, ANALYTICS, APPLICATIONS, BY_CUSTOMER, INVOICE, OVERVIEW

GENERATE = "/GenerateToken"
PORTAL = APPLICATIONS["customer-portal"].client_id
USER_ID = seed.PEOPLE[0].object_id
"""The user who signs in."""
REPORTS = {"margin": BY_CUSTOMER, "sales": OVERVIEW, "invoice": INVOICE, "secret": OVERVIEW}
"""By their aliases in the operator's document; nobody is granted the last one."""
CUSTOMER = {"username": "request", "roles": ["Customer"], "customData": "request"}
FOR_EVERYBODY = {"caller": "application", "reports": ["margin", "sales", "invoice"], "identity": CUSTOMER}
FOR_EMPLOYEES = {
    "caller": "delegated",
    "reports": ["margin", "sales"],
    "maxLifetimeMinutes": 30,
    "identity": {"username": "claim:oid", "roles": ["Employee"]},
}


def granting(*grants: Json, **reports: Json) -> Json:
    """A document with these grants for the portal, or with both of the above."""
    portal = {
        "appIds": [APPLICATIONS["customer-portal"].client_id],
        "grants": [*grants] or [FOR_EVERYBODY, FOR_EMPLOYEES],
    }
    known = {alias: {"workspaceId": ANALYTICS, "reportId": id} for alias, id in REPORTS.items()}
    return {"reports": known | reports, "clients": {"portal": portal}}


def asked(*reports: str, **more: Any) -> EmbedTokenRequest:
    return check(EmbedTokenRequest, {"reports": list(reports), **more})


def as_customer(name: str = "john") -> Json:
    return {"identity": {"username": name}}


class InForce:
    """The operator's document, without the storage that it usually comes from."""

    def __init__(self) -> None:
        self.document: Accepted | None = None

    def accepted(self, name: str) -> Accepted | None:
        assert name == "embed.yaml"
        return self.document


class EmbedStage(Stage):
    """One deployment of the service."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._in_force = InForce()
        self.grants()
        transport = Transport(self.settings.cloud, self.tokens, self.now)
        self.service = EmbedTokens(self._in_force, transport, self.now, self.settings.identities["embed"].client_id)
        self.callers = Callers(self.settings.callers, SigningKeys(self.settings.callers, utc_now), utc_now)

    # ---- the operator
    def grants(self, *grants: Json, **reports: Json) -> None:
        """Another version of the document is in force."""
        version = str(int(self._in_force.document.etag) + 1) if self._in_force.document else "1"
        raw = json.dumps(granting(*grants, **reports)).encode()
        self._in_force.document = Accepted(version, read_embed_document(raw))

    def grants_nothing(self) -> None:
        """No document is in force."""
        self._in_force.document = None

    # ---- callers
    def application(self, name: str = "customer-portal") -> Caller:
        return self.callers.verify(f"Bearer {self.cloud.caller_token(name)}", role="Embed.Issue")

    def user(self) -> Caller:
        return self.callers.verify(f"Bearer {self.cloud.user_token(ANA)}", role="Embed.Issue")

    def issued(self, caller: Caller, *reports: str, **more: Any) -> Json:
        return self.service.issue(caller, asked(*reports, **more))

    def refused(self, caller: Caller, *reports: str, **more: Any) -> AppError:
        with pytest.raises(AppError) as refusal:
            self.issued(caller, *reports, **more)
        return refusal.value

    # ---- what there is at Power BI
    def minted(self, answer: Json) -> Json:
        """What Power BI knows about the token that was answered."""
        known: Json = self.cloud.state()["embedTokens"][answer["tokenId"]]
        return known

    def generated(self) -> int:
        return len(self.sent(GENERATE))

    def reads(self) -> int:
        return len(self.sent(method="GET"))
