"""Embed tokens: the grant decides, Power BI's facts decide on the identity, and a token is minted or used again."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from shared import telemetry
from shared.embed.documents import NAME, EmbedDocument
from shared.embed.facts import IDENTITY, Facts
from shared.embed.grants import Covered, covering, decide
from shared.embed.identity import OpenReport
from shared.embed.request import EmbeddedReport, EmbedTokenAnswer, EmbedTokenRequest
from shared.errors import Forbidden, Invalid, InvalidRequest, Misconfigured, NotAllowed, NotFound, Unavailable, Unknown
from shared.flight import FlightCache
from shared.powerbi.embed_tokens import EmbedToken, EmbedTokenOrder, generate_token
from shared.powerbi.transport import Transport
from shared.times import Now, to_text

if TYPE_CHECKING:
    from shared.auth.callers import Caller

FACTS_KEPT = timedelta(minutes=5)
"""How old what we know about a report or dataset may be when a token is given out."""
CLOCK_MARGIN = timedelta(minutes=2)
TOKENS_KEPT = 10_000
_RENEW_BEFORE = timedelta(minutes=10)
_SHORT = timedelta(minutes=30)


class Accepted(Protocol):
    """A document that is in force."""

    @property
    def etag(self) -> str: ...
    @property
    def value(self) -> object: ...


class AcceptedDocuments(Protocol):
    """Where the operator's documents come from; None: none has been accepted."""

    def accepted(self, name: str) -> Accepted | None: ...


@dataclass(frozen=True)
class Minted:
    """A token with the moments that matter, by our clock."""

    token: EmbedToken
    at: datetime
    renew_after: datetime

    def serves(self, now: datetime) -> bool:
        """Whether it may still be handed out: half of its life remains, and nobody would have to renew it at once."""
        left = self.token.expiration - now
        return self.at - CLOCK_MARGIN <= now < self.renew_after and left >= (self.token.expiration - self.at) / 2


@dataclass(frozen=True)
class _Asked:
    """One request with the document that it is judged by."""

    caller: Caller
    request: EmbedTokenRequest
    document: EmbedDocument
    etag: str
    covered: Covered


class EmbedTokens:
    """Issues embed tokens; shared by all threads."""

    def __init__(self, documents: AcceptedDocuments, transport: Transport, now: Now, app_client_id: str) -> None:
        self._documents = documents
        self._transport = transport
        self._now = now
        self._app_client_id = app_client_id
        self._facts = Facts(transport, now)
        self._tokens: FlightCache[str, Minted] = FlightCache("an embed token", entries=TOKENS_KEPT)

    def issue(self, caller: Caller, request: EmbedTokenRequest) -> dict[str, Any]:
        """The narrowest token that serves the request, as `EmbedTokenAnswer`.

        Raises  NotAllowed (no grant covers it), InvalidRequest (the caller must say more or less), Unknown (a granted
                report that Power BI does not find), and Retryable errors of Power BI, Entra, Key Vault and storage.
        """
        with telemetry.timed("embed.issue", target=caller.client_id) as line:
            line.update(caller=caller.object_id, callerKind=caller.kind, aliases=list(request.reports))
            asked = self._asked(caller, request)
            line["client"] = asked.covered.client
            opened, minted = self._issue(asked, line)
            line.update(tokenId=minted.token.token_id, expiration=to_text(minted.token.expiration))
            return _answer(opened, minted)

    def _asked(self, caller: Caller, request: EmbedTokenRequest) -> _Asked:
        accepted = self._documents.accepted(NAME)
        if accepted is None or not isinstance(accepted.value, EmbedDocument):
            raise NotAllowed(f"No {NAME} is in force, so nothing is granted. An operator must upload a valid one.")
        covered = covering(accepted.value, caller, request)
        return _Asked(caller, request, accepted.value, accepted.etag, covered)

    def _issue(self, asked: _Asked, line: dict[str, object]) -> tuple[list[OpenReport], Minted]:
        """Decide by what we know; if Power BI's refusal shows that it is out of date, once more by what is true now."""
        opened, order = self._decided(asked, self._now() - FACTS_KEPT)
        looked_at = self._now()
        try:
            return opened, self._minted(asked, order, line)
        except (Invalid, NotFound) as refusal:
            if not _blames_the_model(refusal):
                raise _told(refusal) from refusal
            opened, again = self._decided(asked, looked_at)
            if again == order:
                raise _told(refusal) from refusal
        try:
            return opened, self._minted(asked, again, line)
        except (Invalid, NotFound) as refusal:
            raise _told(refusal) from refusal

    def _decided(self, asked: _Asked, since: datetime) -> tuple[list[OpenReport], EmbedTokenOrder]:
        try:
            opened = self._facts.read(asked.covered.reports, since)
        except Forbidden as refusal:
            raise _closed(refusal) from refusal
        return opened, decide(asked.covered, asked.caller, asked.request, opened)

    def _minted(self, asked: _Asked, order: EmbedTokenOrder, line: dict[str, object]) -> Minted:
        """A kept token for exactly this order, or a new one; one thread mints while the others wait."""
        key = cache_key(asked.covered.client, asked.caller, self._app_client_id, asked.etag, order)
        line.update(source="cache", decision=key[:16], identities=_traces(order))

        def mint() -> Minted:
            line["source"] = "minted"
            return self._mint(order, asked.document.min_token_life)

        return self._tokens.get(key, mint, lambda kept: kept.serves(self._now()))

    def _mint(self, order: EmbedTokenOrder, floor: timedelta) -> Minted:
        at = self._now()
        try:
            token = generate_token(self._transport, order, identity=IDENTITY, floor=floor)
        except Forbidden as refusal:
            raise _closed(refusal) from refusal
        _check_life(token, order, floor, self._now())
        return Minted(token, at, renew_after(at, token.expiration))


def cache_key(client: str, caller: Caller, app_client_id: str, etag: str, order: EmbedTokenOrder) -> str:
    """Everything that a token depends on: who gets it and by which document, and all that it allows and as whom."""
    wanted = [client, caller.client_id, caller.kind, app_client_id, etag, order.body()]
    canonical = json.dumps(wanted, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def renew_after(issued: datetime, expiration: datetime) -> datetime:
    """When the holder should ask for the next one: ten minutes before the end, at two thirds of a short life."""
    life = expiration - issued
    return issued + life * 2 / 3 if life < _SHORT else expiration - _RENEW_BEFORE


def _check_life(token: EmbedToken, order: EmbedTokenOrder, floor: timedelta, now: datetime) -> None:
    """Refuse to hand out a token that is dead or outlives its grant: then a clock or Power BI is wrong."""
    left, granted = token.expiration - now, timedelta(minutes=order.lifetime_minutes)
    told: dict[str, Any] = {
        "tokenId": token.token_id,
        "expiration": to_text(token.expiration),
        "lifetimeMinutes": order.lifetime_minutes,
    }
    if not timedelta(0) < left <= granted + CLOCK_MARGIN:
        telemetry.event("embed.life", "not handed out", level=logging.ERROR, **told)
        detail = "Power BI made a token whose life is not what was asked for: check the clock of this service."
        raise Unavailable(detail, retry_after=60)
    if left < min(granted, floor) - CLOCK_MARGIN:
        telemetry.event("embed.life", "shorter than promised", level=logging.WARNING, **told)


def _answer(opened: Sequence[OpenReport], minted: Minted) -> dict[str, Any]:
    reports = [
        EmbeddedReport(
            alias=report.alias,
            report_id=report.report_id,
            workspace_id=report.workspace_id,
            dataset_id=report.dataset_id or None,
            name=report.name,
            embed_url=report.embed_url,
        )
        for report in opened
    ]
    answer = EmbedTokenAnswer(
        token=minted.token.token,
        token_id=minted.token.token_id,
        expiration=to_text(minted.token.expiration),
        renew_after=to_text(minted.renew_after),
        reports=reports,
    )
    return answer.model_dump(by_alias=True, mode="json")


def _traces(order: EmbedTokenOrder) -> list[dict[str, object]]:
    """The identities for the log: the end of a hash instead of the name, for customers' names are personal data."""
    return [
        {"username": hashlib.sha256(identity.username.encode()).hexdigest()[:12], "roles": list(identity.roles)}
        for identity in order.identities
    ]


def _closed(refusal: Forbidden) -> Misconfigured:
    """Our own identity lacks a right: nothing that the caller could mend."""
    guess = (
        "An operator must give it the role Member on the workspaces of these reports and their datasets; without a "
        "capacity there, the trial tokens may be used up."
    )
    hint = "" if refusal.code else f" {guess}"
    return Misconfigured(
        f"The embed service principal lacks a right. {refusal.detail}{hint}", evidence=refusal.evidence
    )


def _blames_the_model(refusal: Invalid | NotFound) -> bool:
    """Whether the report or its dataset may have changed since we looked."""
    return isinstance(refusal, NotFound) or "effective identity" in refusal.evidence.message


def _told(refusal: Invalid | NotFound) -> InvalidRequest | Unknown:
    """Power BI's refusal to mint, as the caller is told."""
    if isinstance(refusal, NotFound):
        detail = f"Power BI does not find what these reports are made of: {NAME} needs mending. {refusal.detail}"
        return Unknown(detail, evidence=refusal.evidence)
    said = refusal.evidence.message or refusal.evidence.code or "it gives no reason"
    return InvalidRequest(f"Power BI refuses a token for this request: {said}", evidence=refusal.evidence)
