"""When the service refuses to make an embed token: pure rules over the items asked for and the identities sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator.http import Json
from emulator.powerbi import answers
from emulator.powerbi.datasets import needs_identity, needs_roles
from emulator.powerbi.reports import PAGINATED, kind_of

MOST_ITEMS = 50
MOST_ROLES, LONGEST_ROLE, LONGEST_USERNAME = 50, 50, 256


@dataclass
class Wanted:
    """What a token is asked for, resolved to records."""

    reports: list[Json] = field(default_factory=list)
    editable: set[str] = field(default_factory=set)
    """Ids of the reports that the token may change."""
    datasets: list[Json] = field(default_factory=list)
    xmla: dict[str, str] = field(default_factory=dict)
    """xmlaPermissions by dataset id."""
    targets: list[Json] = field(default_factory=list)
    """Workspaces in which reports may be saved."""
    identities: list[Json] = field(default_factory=list)
    lifetime: int = 0
    version: int = 2
    creates: bool = False
    """A V1 token for a report that does not exist yet."""


def check_limits(body: Json, status: int) -> None:
    """At most fifty of each."""
    for name in ("reports", "datasets", "targetWorkspaces"):
        if len(body.get(name, [])) > MOST_ITEMS:
            raise answers.invalid(f"Parameter {name} has more than {MOST_ITEMS} items", status=status)
    if not body.get("reports") and not body.get("datasets"):
        raise answers.invalid("Parameter reports is missing or invalid")
    check_lifetime(body)


def check_lifetime(body: Json) -> None:
    """Minutes: positive, or 0 for the default."""
    if body.get("lifetimeInMinutes", 0) < 0:
        raise answers.invalid("Parameter lifetimeInMinutes is missing or invalid")


def check_identities(wanted: Wanted, *, by_app: bool, object_id: str, switches: Mapping[str, Any]) -> None:
    """Every identity is well formed and belongs to an item; every dataset has one exactly when it needs one."""
    for identity in wanted.identities:
        _check_form(identity)
        _check_belongs(identity, wanted, switches)
    for dataset in wanted.datasets:
        _check_dataset(dataset, _for(dataset, wanted, switches), by_app=by_app, object_id=object_id, switches=switches)


def _check_form(identity: Json) -> None:
    username, roles = identity.get("username", ""), identity.get("roles", [])
    if len(username) > LONGEST_USERNAME or " " in username or not username.isascii():
        raise answers.invalid("Parameter identities.username is missing or invalid")
    if len(roles) > MOST_ROLES or any(not role or len(role) > LONGEST_ROLE or "," in role for role in roles):
        raise answers.invalid("Parameter identities.roles is missing or invalid")


def _check_belongs(identity: Json, wanted: Wanted, switches: Mapping[str, Any]) -> None:
    """The ids that it names are among those of the request; reports are paginated ones."""
    datasets, reports = _ids(identity.get("datasets", [])), _ids(identity.get("reports", []))
    if not datasets and not reports and switches["identityWithoutDatasets"] == "refuse":
        raise answers.invalid("Parameter identities.datasets is missing or invalid")
    if datasets - {dataset["id"] for dataset in wanted.datasets}:
        raise answers.invalid("Parameter identities.datasets names a dataset that is not in the request")
    if reports - {report["id"] for report in wanted.reports if kind_of(report) == PAGINATED}:
        raise answers.invalid("Parameter identities.reports names a report that is no paginated report of the request")


def _for(dataset: Json, wanted: Wanted, switches: Mapping[str, Any]) -> list[Json]:
    """The identities that apply to the dataset."""
    loose = switches["identityWithoutDatasets"] == "all"
    return [
        identity
        for identity in wanted.identities
        if dataset["id"] in _ids(identity.get("datasets", []))
        or (loose and not identity.get("datasets") and not identity.get("reports"))
    ]


def _check_dataset(
    dataset: Json, identities: list[Json], *, by_app: bool, object_id: str, switches: Mapping[str, Any]
) -> None:
    prefix = f"Creating embed token for accessing dataset {dataset['id']}"
    if not needs_identity(dataset):
        if identities:
            raise answers.invalid(f"{prefix} shouldn't have effective identity")
        return
    if not identities:
        if by_app:
            raise answers.invalid(f"{prefix} requires effective identity to be provided")
        return  # a master user sees its own, unfiltered view
    if len(identities) > 1:
        raise answers.invalid("Creating embed token with multiple identities is not supported")
    _check_identity(prefix, dataset, identities[0], object_id, switches)


def _check_identity(prefix: str, dataset: Json, identity: Json, object_id: str, switches: Mapping[str, Any]) -> None:
    if not identity.get("username") and not identity.get("identityBlob"):
        raise answers.invalid(f"{prefix} requires username to be included in provided effective identity")
    if dataset["mode"] == "AnalysisServices" and identity.get("username") != object_id:
        message = "requires effective identity username to be identical to the caller's principal name"
        raise answers.invalid(f"{prefix} {message}")
    if needs_roles(dataset) and not identity.get("roles"):
        raise answers.invalid(f"{prefix} requires roles to be included in provided effective identity")
    unknown = set(identity.get("roles", [])) - set(dataset["roles"])
    if dataset["roles"] and unknown and switches["unknownRole"] == "refuse":
        raise answers.invalid(f"{prefix} with roles {', '.join(sorted(unknown))} that the dataset does not define")


def _ids(values: Iterable[str]) -> set[str]:
    return {value.lower() for value in values}
