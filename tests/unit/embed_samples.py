"""Grants, requests and reports as tests of embed tokens write them; ids are made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.embed.documents import EmbedDocument
from shared.embed.identity import OpenDataset, OpenReport
from shared.embed.request import EmbedTokenRequest
from shared.validation import check

Json = dict[str, Any]
PORTAL, OTHER = "50000000-0000-4000-8000-000000000001", "50000000-0000-4000-8000-000000000002"
WORKSPACE, ARCHIVE = "d4000000-0000-4000-8000-000000000001", "d4000000-0000-4000-8000-000000000002"
REPORT_IDS = {alias: f"f6000000-0000-4000-8000-00000000000{number}" for number, alias in enumerate("abcd")}
MARGIN, SALES = "e5000000-0000-4000-8000-000000000001", "e5000000-0000-4000-8000-000000000002"


@dataclass(frozen=True)
class Who:
    """A verified caller, as far as grants look at it."""

    kind: str = "application"
    client_id: str = PORTAL
    claims: Mapping[str, object] = field(default_factory=dict)


def document(*grants: Json, others: Sequence[Json] = ()) -> EmbedDocument:
    clients: Json = {"portal": {"appIds": [PORTAL], "grants": list(grants)}}
    if others:
        clients["other"] = {"appIds": [OTHER], "grants": list(others)}
    reports = {alias: {"workspaceId": WORKSPACE, "reportId": id_} for alias, id_ in REPORT_IDS.items()}
    return check(EmbedDocument, {"reports": reports, "clients": clients})


def grant(**changes: Any) -> Json:
    identity = {"username": "request", "roles": ["Customer"], "customData": "request"}
    return {"caller": "application", "reports": ["a"], "identity": identity, **changes}


def asked(*reports: str, **more: Any) -> EmbedTokenRequest:
    return check(EmbedTokenRequest, {"reports": list(reports or ("a",)), **more})


def dataset(id_: str = MARGIN, identity: bool = True, roles: bool = True) -> OpenDataset:
    return OpenDataset(id_, None, identity, roles)


def report(alias: str = "a", *datasets: OpenDataset, paginated: bool = False) -> OpenReport:
    bound = datasets[0].id if datasets else ""
    return OpenReport(alias, REPORT_IDS[alias], WORKSPACE, bound, alias, "https://embed", paginated, datasets)
