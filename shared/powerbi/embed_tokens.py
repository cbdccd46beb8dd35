"""Embed tokens, version 2 of the operation: several reports and datasets in one token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from shared.powerbi.answers import one
from shared.powerbi.guardrails import NOTHING
from shared.powerbi.transport import Transport, path_of
from shared.times import from_text

MOST_DATASETS = 50
"""Datasets in one token; the same limit holds for reports and for target workspaces."""

Xmla = Literal["Off", "ReadOnly"]


@dataclass(frozen=True)
class EffectiveIdentity:
    """As whom the listed datasets and paginated reports are read."""

    username: str
    roles: tuple[str, ...] = ()
    custom_data: str | None = None
    datasets: tuple[str, ...] = ()
    reports: tuple[str, ...] = ()
    """Paginated reports only."""

    def body(self) -> dict[str, Any]:
        """As GenerateToken takes it; what is empty is left out."""
        wanted: dict[str, Any] = {
            "roles": list(self.roles),
            "customData": self.custom_data,
            "datasets": list(self.datasets),
            "reports": list(self.reports),
        }
        return {"username": self.username} | {name: value for name, value in wanted.items() if value}


@dataclass(frozen=True)
class EmbedTokenOrder:
    """What a token is to allow."""

    reports: tuple[str, ...]
    datasets: Mapping[str, Xmla | None]
    """Id and permission for the XMLA endpoint; None leaves it out, which is "Off"."""
    identities: tuple[EffectiveIdentity, ...]
    target_workspaces: tuple[str, ...]
    """Where the viewer may save new reports."""
    edit: bool
    lifetime_minutes: int
    """At most; the life of the Entra token that mints it is the other bound."""

    def body(self) -> dict[str, Any]:
        """As GenerateToken takes it; empty lists are left out."""
        lists: dict[str, Sequence[object]] = {
            "datasets": [
                {"id": dataset} | ({"xmlaPermissions": xmla} if xmla else {}) for dataset, xmla in self.datasets.items()
            ],
            "targetWorkspaces": [{"id": workspace} for workspace in self.target_workspaces],
            "identities": [identity.body() for identity in self.identities],
        }
        return {
            "reports": [{"id": report, "allowEdit": self.edit} for report in self.reports],
            **{name: values for name, values in lists.items() if values},
            "lifetimeInMinutes": self.lifetime_minutes,
        }


@dataclass(frozen=True)
class EmbedToken:
    """A token for a browser. `token_id` is what Microsoft's audit log knows it by."""

    token: str = field(repr=False)
    token_id: str
    expiration: datetime


def generate_token(transport: Transport, order: EmbedTokenOrder, *, identity: str, floor: timedelta) -> EmbedToken:
    """Mint a token. It dies with the Entra token that it is minted with, so that one has `floor` left at least.

    Sends    {"reports": [{"id", "allowEdit"}], "datasets": [{"id", "xmlaPermissions"}], "targetWorkspaces": [{"id"}],
              "identities": [{"username", "roles", "customData", "datasets", "reports"}], "lifetimeInMinutes"}
    Returns  {"token", "tokenId", "expiration"}
    Limits   50 each of reports, datasets and target workspaces
    Raises   Invalid where a dataset needs an identity and got none, or got one and needs none
    Source   Embed Token - Generate Token. Minting twice does no harm, so it is repeated when the connection breaks.
    """
    answer = transport.call(
        "embedTokens.generate",
        "POST",
        path_of("GenerateToken"),
        identity=identity,
        target=NOTHING,
        json=order.body(),
        repeatable=True,
        floor=floor,
    )
    fields = one(answer)
    token, expiration = fields.text("token"), fields.text("expiration")
    if not token or not expiration:
        raise answer.odd("without a token or its expiration")
    try:
        return EmbedToken(token, fields.text("tokenId"), from_text(expiration))
    except ValueError:
        raise answer.odd("with an expiration that is not a time") from None
