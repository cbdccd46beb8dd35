"""What a caller may ask for: `provision`, `grantAccess` and `revokeAccess`. What comes later is refused by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, RootModel
from pydantic import WithJsonSchema as Described

from shared.idempotency import body_hash
from shared.provisioning.principals import Role
from shared.validation import Document, Guid, VersionedDocument
from shared.workflow.store import project_key

MOST_OWNERS = 10
MOST_ACCESS = 50
MOST_ENVIRONMENTS = 10
LONGEST_PROJECT = 198
LONGEST_PROJECT_KEY = 400
"""Characters of a table's key: it holds 512, and a prefix comes before it."""
LONGEST_UPN = 113
"""Entra ID's own limit."""

_UPN = re.compile(r"[^@\s\x00-\x1f\x7f/\\?%:|]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
TOO_LONG = "Too long: letters outside a-z count for up to twelve characters."
_LATER = "Not supported yet: leave it out."


def _upn(value: str) -> str:
    lowered = value.lower()
    if len(value) > LONGEST_UPN or not _UPN.fullmatch(value):
        raise ValueError(f"Must be a user principal name: name@domain, {LONGEST_UPN} characters at most.")
    return lowered


def _project(value: str) -> str:
    if value != value.strip() or any(not character.isprintable() for character in value):
        raise ValueError("Must not begin or end with a space or hold control characters.")
    if not fits_a_key(value):
        raise ValueError(TOO_LONG)
    return value


def fits_a_key(project: str) -> bool:
    """Whether storage can hold the project: a name that it can't is nobody's."""
    return len(project_key(project)) <= LONGEST_PROJECT_KEY


def _each_once(values: list[Any]) -> list[Any]:
    keys = [getattr(value, "name", value) for value in values]
    doubled = sorted({str(key) for key in keys if keys.count(key) > 1})
    if doubled:
        raise ValueError(f"Name each only once; doubled: {', '.join(doubled)}.")
    return values


def _not_yet(value: Any) -> Any:
    if value:
        raise ValueError(_LATER)
    return value


UserPrincipalName = Annotated[
    str, AfterValidator(_upn), Described({"type": "string", "maxLength": LONGEST_UPN, "examples": ["ana@contoso.com"]})
]
ProjectName = Annotated[str, Field(min_length=1, max_length=LONGEST_PROJECT), AfterValidator(_project)]
EnvironmentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{0,19}$", description="An environment of the policy.")]
Environments = Annotated[
    list[EnvironmentName], Field(min_length=1, max_length=MOST_ENVIRONMENTS), AfterValidator(_each_once)
]
RequestKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{8,64}$")]
StorageFormat = Literal["Small", "Large"]
Operation = Literal["provision", "grantAccess", "revokeAccess"]
Absent = Annotated[Any, AfterValidator(_not_yet), Described({"type": "null", "description": _LATER})]


class EnvironmentRequest(Document):
    """One environment of the project: one workspace."""

    name: EnvironmentName
    capacity: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None, description="A capacity's name in the policy, or `shared`; absent: what the policy says."
    )


class _User(Document):
    principal: UserPrincipalName
    principal_type: Literal["User"]


class _Group(Document):
    principal: Guid = Field(description="The group's object id.")
    principal_type: Literal["Group"]


class _App(Document):
    principal: Guid = Field(description="The enterprise application's object id, not its client id.")
    principal_type: Literal["App"]


class _Granted(Document):
    role: Role
    environments: Environments | None = Field(None, description="Absent: all of the request's, or the project's.")


class _Revoked(Document):
    role: Role | None = Field(None, description="Only a label: whatever role the principal has is taken away.")
    environments: Environments | None = Field(None, description="Absent: all of the project's.")


class UserGrant(_User, _Granted):
    """Access for a user."""


class GroupGrant(_Group, _Granted):
    """Access for a security group."""


class AppGrant(_App, _Granted):
    """Access for an application."""


class UserRevocation(_User, _Revoked):
    """A user's access is taken away."""


class GroupRevocation(_Group, _Revoked):
    """A group's access is taken away."""


class AppRevocation(_App, _Revoked):
    """An application's access is taken away."""


AccessGrant = Annotated[UserGrant | GroupGrant | AppGrant, Discriminator("principal_type")]
AccessRevocation = Annotated[UserRevocation | GroupRevocation | AppRevocation, Discriminator("principal_type")]


class _Request(VersionedDocument):
    request_id: RequestKey | None = Field(None, description="Idempotency key, if the header Idempotency-Key has none.")
    project: ProjectName
    requested_by: Annotated[str, Field(max_length=200)] | None = Field(
        None, description="A label; the verified caller is recorded beside it."
    )


class ProvisionRequest(_Request):
    """Create the project's workspaces, or bring them to this state."""

    operation: Literal["provision"]
    description: Annotated[str, Field(max_length=4000)] | None = None
    environments: Annotated[
        list[EnvironmentRequest], Field(min_length=1, max_length=MOST_ENVIRONMENTS), AfterValidator(_each_once)
    ]
    owners: Annotated[list[UserPrincipalName], Field(max_length=MOST_OWNERS), AfterValidator(_each_once)] = Field(
        [], description="Become Admin in every environment."
    )
    access: Annotated[list[AccessGrant], Field(max_length=MOST_ACCESS)] = Field([])
    content: Annotated[list[Any], AfterValidator(_not_yet)] = Field([], description=_LATER)
    deployment_pipeline: Annotated[bool, AfterValidator(_not_yet)] = Field(False, description=_LATER)
    storage_format: StorageFormat | None = Field(None, description="Absent: left as it is. Large needs a capacity.")
    adopt: bool = Field(False, description="Take over a workspace that this app did not create; Provisioning.Admin.")
    exact: bool = Field(False, description="Members that are not named here lose their access.")
    callback_url: Absent = None


class GrantAccessRequest(_Request):
    """Give access to the project's workspaces."""

    operation: Literal["grantAccess"]
    access: Annotated[list[AccessGrant], Field(min_length=1, max_length=MOST_ACCESS)]
    callback_url: Absent = None


class RevokeAccessRequest(_Request):
    """Take access to the project's workspaces away."""

    operation: Literal["revokeAccess"]
    access: Annotated[list[AccessRevocation], Field(min_length=1, max_length=MOST_ACCESS)]
    callback_url: Absent = None


AnyRequest = ProvisionRequest | GrantAccessRequest | RevokeAccessRequest
OPERATIONS: tuple[str, ...] = get_args(Operation)


class ProvisioningRequest(RootModel[Annotated[AnyRequest, Discriminator("operation")]]):
    """Any of the operations."""


def canonical(request: AnyRequest) -> dict[str, Any]:
    """The request as JSON with every default written out and without its key: what two equal requests share."""
    return request.model_dump(by_alias=True, mode="json", exclude={"request_id"})


def request_hash(request: AnyRequest) -> str:
    """Equal for requests that ask for the same."""
    return body_hash(canonical(request))


def workspace_name(project: str, environment: str) -> str:
    """`FIN-Margin` and `dev` make `FIN-Margin-DEV`: environments have no hyphen, so no two projects share a name."""
    return f"{project}-{environment.upper()}"


def environments_of(request: AnyRequest, otherwise: Sequence[str]) -> list[str]:
    """The environments that the request names, `otherwise` for an entry that leaves them open; each once, in order."""
    if isinstance(request, ProvisionRequest):
        return [environment.name for environment in request.environments]
    named = (name for entry in request.access for name in (entry.environments or otherwise))
    return list(dict.fromkeys(named))
