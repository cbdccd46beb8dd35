"""Who may be given access, and with which roles: the words that requests, policy and plans share. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["Admin", "Member", "Contributor", "Viewer"]
PrincipalType = Literal["User", "Group", "App"]

ROLES: tuple[Role, ...] = ("Viewer", "Contributor", "Member", "Admin")
"""Weakest first."""
ADMIN: Role = "Admin"


@dataclass(frozen=True, order=True)
class Principal:
    """A user by UPN, a group or an application's service principal by object id; in lower case, as they are compared.

    `profile`: the id of a service principal profile, which is a member of its own.
    """

    kind: str
    id: str
    profile: str = ""

    @property
    def key(self) -> str:
        """One text for it, as journals keep it: `User:ana@contoso.com`."""
        return f"{self.kind}:{self.id}|{self.profile}" if self.profile else f"{self.kind}:{self.id}"

    @property
    def is_people(self) -> bool:
        """Somebody who can be asked: an application owns nothing."""
        return self.kind in ("User", "Group")


def principal_of(key: str) -> Principal:
    """The principal that `key` stands for."""
    kind, _, rest = key.partition(":")
    identifier, _, profile = rest.partition("|")
    return Principal(kind, identifier, profile)


@dataclass(frozen=True)
class Grant:
    """A role for a principal in one workspace."""

    principal: Principal
    role: str


def rank(role: str) -> int:
    """How much a role allows; no role, or one that we do not know, is less than any."""
    return ROLES.index(role) if role in ROLES else -1
