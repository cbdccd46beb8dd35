"""Datasets (semantic models) of a workspace."""

from __future__ import annotations

from dataclasses import dataclass

from shared.powerbi.answers import one
from shared.powerbi.transport import Transport, path_of


@dataclass(frozen=True)
class Dataset:
    """What of a dataset decides about embedding; the id in lower case."""

    id: str
    name: str
    identity_required: bool | None
    """Whether an embed token needs an effective identity; None where Power BI does not say."""
    roles_required: bool | None
    """Whether that identity needs roles; None where Power BI does not say."""


def get_dataset(transport: Transport, workspace_id: str, dataset_id: str, *, identity: str) -> Dataset:
    """One dataset.

    Returns  {"id", "name", "isEffectiveIdentityRequired", "isEffectiveIdentityRolesRequired", ...}
    Raises   NotFound where there is none or the identity may not see it, Forbidden without access to the workspace
    Source   Datasets - Get Dataset In Group
    """
    path = path_of("groups", workspace_id, "datasets", dataset_id)
    answer = transport.call("datasets.get", "GET", path, identity=identity)
    fields = one(answer)
    return Dataset(
        id=fields.text("id").lower() or dataset_id.lower(),
        name=fields.text("name"),
        identity_required=fields.flag("isEffectiveIdentityRequired"),
        roles_required=fields.flag("isEffectiveIdentityRolesRequired"),
    )
