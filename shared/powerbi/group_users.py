"""Who has which role in a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.powerbi.answers import Fields, paged
from shared.powerbi.groups import Group
from shared.powerbi.transport import Answer, Transport, path_of

PAGE = 1000


@dataclass(frozen=True)
class Member:
    """A principal of a workspace. `identifier`: a user's UPN, else an object id; in lower case."""

    kind: str
    """`User`, `Group` or `App`."""
    identifier: str
    role: str
    """`Admin`, `Member`, `Contributor` or `Viewer`."""
    profile_id: str = ""
    """Of a service principal profile, which is a member apart from its owner."""

    def body(self) -> dict[str, Any]:
        """As Power BI takes it. (The field for the role is named like no other API's.)"""
        sent: dict[str, Any] = {
            "identifier": self.identifier,
            "principalType": self.kind,
            "groupUserAccessRight": self.role,
        }
        return sent | ({"profile": {"id": self.profile_id}} if self.profile_id else {})


def every_member(transport: Transport, workspace_id: str, *, identity: str, page: int = PAGE) -> Iterator[Member]:
    """All members, page by page as they are asked for.

    Returns  {"value": [{"identifier", "principalType", "groupUserAccessRight", "emailAddress", "profile"}]}
    Source   Groups - Get Group Users: $top, $skip
    """
    path = path_of("groups", workspace_id, "users")

    def call(query: dict[str, str]) -> Answer:
        return transport.call("groupUsers.list", "GET", path, identity=identity, query=query)

    return (_member(fields) for fields in paged(call, page))


def add_member(transport: Transport, group: Group, member: Member, *, identity: str) -> str:
    """Give a role to a principal that has none yet; answers Power BI's request id.

    Raises   Conflict (AddingAlreadyExistsGroupUserNotSupportedError) where it has one, Invalid where nobody knows it
    Source   Groups - Add Group User
    """
    return _send(transport, "groupUsers.add", "POST", group, member, identity=identity)


def update_member(transport: Transport, group: Group, member: Member, *, identity: str) -> str:
    """Another role for a principal that has one; answers Power BI's request id.

    Raises   NotFound where it has none
    Source   Groups - Update Group User
    """
    return _send(transport, "groupUsers.update", "PUT", group, member, identity=identity)


def remove_member(transport: Transport, group: Group, member: Member, *, identity: str) -> str:
    """Take a principal's role away; answers Power BI's request id.

    Raises   NotFound where it has none
    Source   Groups - Delete User In Group
    """
    answer = transport.call(
        "groupUsers.remove",
        "DELETE",
        path_of("groups", group.id, "users", member.identifier),
        identity=identity,
        target=group.target,
        query={"profileId": member.profile_id} if member.profile_id else None,
    )
    return answer.request_id


def _send(transport: Transport, operation: str, method: str, group: Group, member: Member, *, identity: str) -> str:
    answer = transport.call(
        operation,
        method,
        path_of("groups", group.id, "users"),
        identity=identity,
        target=group.target,
        json=member.body(),
    )
    return answer.request_id


def _member(fields: Fields) -> Member:
    kind = fields.text("principalType") or "User"
    identifier = fields.text("identifier") or fields.text("emailAddress")
    return Member(
        kind, identifier.lower(), fields.text("groupUserAccessRight"), fields.object("profile").text("id").lower()
    )
