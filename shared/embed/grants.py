"""Whether a caller's grants cover what it asks for. Pure.

Two questions, because the second needs facts from Power BI and the first must not: which grants cover the request as
far as the documents tell (`covering`), and which of these, if any, gives a token once it is known what the reports are
made of (`decide`). A refusal is explained by the grant that comes nearest, and only ever by the caller's own grants.
An alias that does not exist and one that is not granted can't be told apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.embed.documents import Client, EmbedDocument, Grant, GrantedReport, GrantIdentity
from shared.embed.identity import Claims, OpenReport, effective_identities
from shared.embed.request import EmbedTokenRequest
from shared.errors import Fault, InvalidRequest, NotAllowed, RequestFault
from shared.powerbi.embed_tokens import MOST_DATASETS, EmbedTokenOrder, Xmla


class GrantCaller(Protocol):
    """What of a verified caller decides about grants."""

    @property
    def kind(self) -> str: ...
    @property
    def client_id(self) -> str: ...
    @property
    def claims(self) -> Claims: ...


@dataclass(frozen=True)
class Covered:
    """The client that asks, its grants that cover the request so far, and the reports behind the aliases."""

    client: str
    grants: Sequence[Grant]
    reports: dict[str, GrantedReport]


def covering(document: EmbedDocument, caller: GrantCaller, request: EmbedTokenRequest) -> Covered:
    """The grants that cover the request, in the document's order, at least one; raises NotAllowed, naming what
    goes too far.
    """
    name, client = document.client_of(caller.client_id) or ("", None)
    weighed = [(list(_excess(grant, request)), grant) for grant in _grants_for(client, caller)]
    if not weighed:
        raise NotAllowed(f"No grant in embed.yaml is for this application's {caller.kind} tokens.")
    grants = [grant for excess, grant in weighed if not excess]
    if not grants:
        nearest = min((excess for excess, _ in weighed), key=len)
        raise NotAllowed(f"No one grant covers the request: {_summary(nearest)}.", faults=nearest)
    return Covered(name, grants, {alias: document.reports[alias] for alias in request.reports})


def decide(
    covered: Covered, caller: GrantCaller, request: EmbedTokenRequest, opened: Sequence[OpenReport]
) -> EmbedTokenOrder:
    """What to ask of Power BI, by the first grant that allows it now that it is known what the reports are made of.

    Raises InvalidRequest where the caller has to say more, or less, and NotAllowed where no grant goes so far.
    """
    refusals: list[RequestFault] = []
    for grant in covered.grants:
        try:
            return _order(grant, caller, request, opened)
        except RequestFault as refusal:
            refusals.append(refusal)
    raise min(refusals, key=lambda refusal: refusal.status)  # what the caller itself can mend comes nearest


def _grants_for(client: Client | None, caller: GrantCaller) -> list[Grant]:
    return [grant for grant in client.grants if grant.caller == caller.kind] if client else []


def _excess(grant: Grant, request: EmbedTokenRequest) -> Iterator[Fault]:
    """What of the request the grant lacks, as far as the documents tell."""
    for number, alias in enumerate(request.reports):
        if alias not in grant.reports:
            yield Fault(f"reports[{number}]", f"report '{alias}' is not granted")
    if request.access_level not in grant.access_levels:
        yield Fault("accessLevel", f"access level {request.access_level} is not granted")
    for number, workspace in enumerate(request.save_as):
        if workspace not in grant.save_as_workspaces:
            yield Fault(f"saveAs[{number}]", f"saving into workspace {workspace} is not granted")
    if request.lifetime_minutes is not None and request.lifetime_minutes > grant.max_lifetime_minutes:
        yield Fault("lifetimeMinutes", f"a lifetime above {grant.max_lifetime_minutes} minutes is not granted")
    if isinstance(grant.identity, GrantIdentity):
        yield from _identity_excess(grant.identity, request)


def _identity_excess(granted: GrantIdentity, request: EmbedTokenRequest) -> Iterator[Fault]:
    asked = request.identity
    if asked is None:
        return
    if asked.username is not None and granted.username != "request":
        yield Fault("identity.username", "the username is not the caller's to choose")
    if asked.custom_data is not None and granted.custom_data != "request":
        yield Fault("identity.customData", "custom data is not the caller's to choose")
    for number, role in enumerate(asked.roles or ()):
        if role not in granted.roles:
            yield Fault(f"identity.roles[{number}]", f"role '{role}' is not granted")


def _summary(faults: Sequence[Fault], most: int = 5) -> str:
    more = f"; and {len(faults) - most} more" if len(faults) > most else ""
    return "; ".join(fault.message for fault in faults[:most]) + more


def _order(
    grant: Grant, caller: GrantCaller, request: EmbedTokenRequest, opened: Sequence[OpenReport]
) -> EmbedTokenOrder:
    """Sorted throughout, so that equal wishes are equal orders."""
    identities = effective_identities(grant, caller.claims, request.identity, opened)
    return EmbedTokenOrder(
        reports=tuple(sorted({report.report_id for report in opened})),
        datasets=_datasets(opened),
        identities=identities,
        target_workspaces=tuple(sorted(request.save_as)),
        edit=request.access_level == "Edit",
        lifetime_minutes=request.lifetime_minutes or grant.max_lifetime_minutes,
    )


def _datasets(opened: Sequence[OpenReport]) -> dict[str, Xmla | None]:
    """Every dataset of every report; the wider XMLA permission where two reports of the request name one dataset."""
    width: dict[Xmla | None, int] = {None: 0, "Off": 1, "ReadOnly": 2}
    found: dict[str, Xmla | None] = {}
    for dataset in sorted((part for report in opened for part in report.datasets), key=lambda part: part.id):
        found[dataset.id] = max(found.get(dataset.id), dataset.xmla, key=width.__getitem__)
    if len(found) > MOST_DATASETS:
        message = f"the reports stand on {len(found)} datasets; Power BI takes {MOST_DATASETS} in one token"
        raise InvalidRequest("Ask for fewer reports in one token.", faults=[Fault("reports", message)])
    return found
