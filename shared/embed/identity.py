"""As whom the reports of a token are read: the effective identity, or the refusal to go without one. Pure.

Power BI refuses an identity for a dataset that requires none, and an RLS model without one; a dataset about which it
does not say counts as requiring one, for the mistake to be made is the one that shows nobody anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.embed.documents import Grant, GrantIdentity
from shared.embed.fields import is_custom_data, is_username
from shared.embed.request import RequestedIdentity
from shared.errors import Fault, InvalidRequest, NotAllowed
from shared.powerbi.embed_tokens import EffectiveIdentity, Xmla

Claims = Mapping[str, object]
"""The claims of a caller's verified token."""


@dataclass(frozen=True)
class OpenDataset:
    """A dataset that a token must carry."""

    id: str
    xmla: Xmla | None
    identity_required: bool
    roles_required: bool


@dataclass(frozen=True)
class OpenReport:
    """A granted report with what Power BI says about it. Ids in lower case."""

    alias: str
    report_id: str
    workspace_id: str
    dataset_id: str
    """The dataset that the report is bound to; empty for a paginated one."""
    name: str
    embed_url: str
    paginated: bool
    datasets: tuple[OpenDataset, ...]


def effective_identities(
    grant: Grant, claims: Claims, asked: RequestedIdentity | None, opened: Sequence[OpenReport]
) -> tuple[EffectiveIdentity, ...]:
    """One identity for the datasets that require one, and one for paginated reports; () where there is neither.

    `asked` is within the grant already. Raises NotAllowed where an identity is required that the grant does not give,
    InvalidRequest where the caller must say who, or said it though nobody wants to know.
    """
    required = {dataset.id: dataset for report in opened for dataset in report.datasets if dataset.identity_required}
    paginated = sorted({report.report_id for report in opened if report.paginated})
    granted = _identity_of(grant, bool(required), paginated)
    if asked is not None:
        _refuse_unwanted(asked, required, bool(paginated and granted))
    if granted is None or not (required or paginated):
        return ()
    username = _username(granted, claims, asked)
    identities = []
    if required:
        roles = _roles(granted, asked)
        _check_roles(roles, list(required.values()))
        custom_data = _custom_data(granted, claims, asked)
        identities.append(EffectiveIdentity(username, roles, custom_data, datasets=tuple(sorted(required))))
    if paginated:
        identities.append(EffectiveIdentity(username, reports=tuple(paginated)))
    return tuple(identities)


def _identity_of(grant: Grant, required: bool, paginated: Sequence[str]) -> GrantIdentity | None:
    """The grant's identity, or None where it has none and none is needed."""
    if isinstance(grant.identity, GrantIdentity):
        return grant.identity
    if required:
        raise NotAllowed("A semantic model behind these reports requires an identity, and the grant gives none.")
    if paginated and grant.identity != "none":
        message = "the grant must have an identity, or say `identity: none`"
        raise NotAllowed(f"A paginated report is asked for: {message}.")
    return None


def _refuse_unwanted(asked: RequestedIdentity, required: Mapping[str, OpenDataset], paginated: bool) -> None:
    if required:
        return
    if not paginated:
        message = "none of the reports takes an identity: leave it out"
        raise InvalidRequest("No report that is asked for takes an identity.", faults=[Fault("identity", message)])
    given = {"roles": asked.roles, "customData": asked.custom_data}
    faults = [
        Fault(f"identity.{part}", "none of the semantic models takes it: leave it out")
        for part, value in given.items()
        if value is not None
    ]
    if faults:
        raise InvalidRequest("Paginated reports take a username only.", faults=faults)


def _username(granted: GrantIdentity, claims: Claims, asked: RequestedIdentity | None) -> str:
    if granted.username != "request":
        username = _fixed_or_claimed(granted.username, claims)
        if not is_username(username):
            raise NotAllowed(f"The username from '{granted.username}' has spaces or characters that Power BI refuses.")
        return username
    if asked is None or asked.username is None:
        fault = Fault("identity.username", "say whose rows the reports are to show")
        raise InvalidRequest("A semantic model behind these reports requires an identity.", faults=[fault])
    return asked.username


def _custom_data(granted: GrantIdentity, claims: Claims, asked: RequestedIdentity | None) -> str | None:
    if granted.custom_data is None:
        return None
    if granted.custom_data == "request":
        return asked.custom_data if asked else None
    custom_data = _fixed_or_claimed(granted.custom_data, claims)
    if not is_custom_data(custom_data):
        raise NotAllowed(f"The custom data from '{granted.custom_data}' is too long or has control characters.")
    return custom_data


def _fixed_or_claimed(source: str, claims: Claims) -> str:
    """The text of `fixed:TEXT`, or the verified token's claim of `claim:NAME`: a text and nothing else."""
    kind, _, text = source.partition(":")
    if kind == "fixed":
        return text
    claim = claims.get(text)
    if not isinstance(claim, str) or not claim:
        raise NotAllowed(f"The caller's token has no claim '{text}' that is a text, and the grant takes it from there.")
    return claim


def _roles(granted: GrantIdentity, asked: RequestedIdentity | None) -> tuple[str, ...]:
    if asked is not None and asked.roles:
        return tuple(sorted(asked.roles))
    if len(granted.roles) > 1:
        fault = Fault("identity.roles", f"say which of: {', '.join(granted.roles)}")
        raise InvalidRequest("The grant has several roles and the request names none.", faults=[fault])
    return tuple(granted.roles)


def _check_roles(roles: Sequence[str], datasets: Sequence[OpenDataset]) -> None:
    if not roles and any(dataset.roles_required for dataset in datasets):
        raise NotAllowed("A semantic model behind these reports requires a role, and the grant has none.")
