"""Groups, which everybody else calls workspaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shared.errors import Unavailable
from shared.powerbi.answers import Fields, one, paged, several
from shared.powerbi.guardrails import Target
from shared.powerbi.transport import Answer, Transport, path_of

PAGE = 100


@dataclass(frozen=True)
class Group:
    """A workspace that the identity can see; ids in lower case."""

    id: str
    name: str
    capacity_id: str
    """Empty on shared capacity."""
    storage_format: str = ""
    """`Small` or `Large`; empty on shared capacity, where Power BI does not say."""

    @property
    def target(self) -> Target:
        """What a call changes that changes this workspace."""
        return Target(workspace_id=self.id, workspace_name=self.name)


def list_groups(transport: Transport, *, identity: str, top: int, deadline: float = 30.0) -> list[Group]:
    """The first `top` workspaces that the identity is a member of; none is an empty list, not an error.

    Returns  {"value": [{"id", "name", "isOnDedicatedCapacity", "capacityId", ...}]}
    Raises   Forbidden where the tenant's settings do not let the service principal in
    Source   Groups - Get Groups
    """
    answer = transport.call(
        "groups.list", "GET", path_of("groups"), identity=identity, query={"$top": str(top)}, deadline=deadline
    )
    return [_group(fields) for fields in several(answer)]


def every_group(transport: Transport, *, identity: str, where: str = "", page: int = PAGE) -> Iterator[Group]:
    """All workspaces that the identity is a member of, page by page as they are asked for.

    `where`  an OData filter, as `named` makes it
    Source   Groups - Get Groups: $filter, $top, $skip. The documentation names no largest page.
    """
    wanted = {"$filter": where} if where else {}

    def call(query: dict[str, str]) -> Answer:
        return transport.call("groups.list", "GET", path_of("groups"), identity=identity, query=query | wanted)

    return (_group(fields) for fields in paged(call, page))


def find_group(transport: Transport, name: str, *, identity: str) -> Group | None:
    """The workspace of that name if the identity can see it. Names are unique in the organisation, in any case."""
    wanted = name.casefold()
    quoted = name.lower().replace("'", "''")
    seen = every_group(transport, identity=identity, where=f"tolower(name) eq '{quoted}'")
    return next((group for group in seen if group.name.casefold() == wanted), None)


def get_group(transport: Transport, workspace_id: str, *, identity: str) -> Group:
    """One workspace.

    Raises   Forbidden (401) or NotFound where there is none or the identity has no role in it: Power BI does not say
             which, and a role that was given a moment ago may not count yet
    Source   Groups - Get Group
    """
    return _group(one(transport.call("groups.get", "GET", path_of("groups", workspace_id), identity=identity)))


def create_group(transport: Transport, name: str, *, identity: str) -> tuple[Group, str]:
    """A new workspace on shared capacity whose only Admin is the identity, and Power BI's request id.

    Sends    {"name"}; nothing else can be set here
    Raises   Conflict where the name is taken anywhere in the organisation; Forbidden where the tenant's settings keep
             service principals from creating workspaces, or the identity holds a thousand already
    Source   Groups - Create Group: the new group comes bare, although the examples wrap it into a list
    """
    answer = transport.call(
        "groups.create",
        "POST",
        path_of("groups"),
        identity=identity,
        target=Target(workspace_name=name),
        query={"workspaceV2": "True"},
        json={"name": name},
    )
    try:
        group = _group(one(answer))
    except Unavailable as error:
        error.effect_unknown = True
        raise
    if not group.id:
        odd = answer.odd("without an id")
        odd.effect_unknown = True
        raise odd
    return Group(group.id, group.name or name, group.capacity_id, group.storage_format), answer.request_id


def set_storage_format(transport: Transport, group: Group, storage_format: str, *, identity: str) -> str:
    """The default format of the workspace's datasets; answers Power BI's request id.

    Raises   Invalid on shared capacity
    Source   Groups - Update Group. Sending it twice does no harm.
    """
    answer = transport.call(
        "groups.update",
        "PATCH",
        path_of("groups", group.id),
        identity=identity,
        target=group.target,
        json={"defaultDatasetStorageFormat": storage_format},
        repeatable=True,
    )
    return answer.request_id


def delete_group(transport: Transport, group: Group, *, identity: str) -> str:
    """Delete the workspace with all that is in it; answers Power BI's request id.

    Source   Groups - Delete Group
    """
    path = path_of("groups", group.id)
    answer = transport.call("groups.delete", "DELETE", path, identity=identity, target=group.target)
    return answer.request_id


def holds_content(transport: Transport, workspace_id: str, *, identity: str) -> bool:
    """Whether there is any dataset, report, dashboard or dataflow in the workspace.

    Source   Datasets - Get Datasets In Group, Reports - Get Reports In Group, Dashboards - Get Dashboards In Group,
             Dataflows - Get Dataflows. No operation of Power BI shows what only Fabric knows, such as notebooks.
    """
    for kind in ("datasets", "reports", "dashboards", "dataflows"):
        path = path_of("groups", workspace_id, kind)
        if any(several(transport.call(f"{kind}.list", "GET", path, identity=identity))):
            return True
    return False


def _group(fields: Fields) -> Group:
    return Group(
        id=fields.text("id").lower(),
        name=fields.text("name"),
        capacity_id=fields.text("capacityId").lower(),
        storage_format=fields.text("defaultDatasetStorageFormat"),
    )
