"""Groups, which everybody else calls workspaces."""

from __future__ import annotations

from dataclasses import dataclass

from shared.powerbi.answers import several
from shared.powerbi.transport import Transport, path_of


@dataclass(frozen=True)
class Group:
    """A workspace that the identity can see; ids in lower case."""

    id: str
    name: str
    capacity_id: str
    """Empty on shared capacity."""


def list_groups(transport: Transport, *, identity: str, top: int, deadline: float = 30.0) -> list[Group]:
    """The first `top` workspaces that the identity is a member of; none is an empty list, not an error.

    Returns  {"value": [{"id", "name", "isOnDedicatedCapacity", "capacityId", ...}]}
    Raises   Forbidden where the tenant's settings do not let the service principal in
    Source   Groups - Get Groups
    """
    answer = transport.call(
        "groups.list", "GET", path_of("groups"), identity=identity, query={"$top": str(top)}, deadline=deadline
    )
    return [
        Group(fields.text("id").lower(), fields.text("name"), fields.text("capacityId").lower())
        for fields in several(answer)
    ]
