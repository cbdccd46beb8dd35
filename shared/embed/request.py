"""What an application asks for, and what it gets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from shared.embed.fields import (
    MOST_REPORTS,
    MOST_ROLES,
    MOST_WORKSPACES,
    AccessLevel,
    CustomData,
    Distinct,
    Role,
    Username,
)
from shared.validation import Document, Guid, TimeText, VersionedDocument

Alias = Annotated[str, Field(min_length=1, max_length=64, description="A report's name in embed.yaml.")]


class RequestedIdentity(Document):
    """As whom the reports are to be read; only as far as the grant leaves it to the request."""

    username: Username | None = Field(None, description="Whose rows are shown; where the grant says `request`.")
    roles: Annotated[list[Role], Field(min_length=1, max_length=MOST_ROLES), Distinct] | None = Field(
        None, description="Roles of the semantic model; may be left out where the grant has only one."
    )
    custom_data: CustomData | None = Field(None, description="For models that use CUSTOMDATA().")


class EmbedTokenRequest(VersionedDocument):
    """A request for one token. One grant of the caller's must cover all of it."""

    reports: Annotated[list[Alias], Field(min_length=1, max_length=MOST_REPORTS), Distinct]
    access_level: AccessLevel = "View"
    save_as: Annotated[list[Guid], Field(max_length=MOST_WORKSPACES), Distinct] = Field(
        [], description="Ids of workspaces into which the viewer may save copies."
    )
    identity: RequestedIdentity | None = None
    lifetime_minutes: Annotated[int, Field(ge=1)] | None = Field(
        None, description="A ceiling; the grant has one as well."
    )


class EmbeddedReport(Document):
    """One report of a token, as the embedding page needs it."""

    alias: str
    report_id: str
    workspace_id: str
    dataset_id: str | None = Field(description="null for a paginated report")
    name: str
    embed_url: str


class EmbedTokenAnswer(Document):
    """An embed token. It is a credential: hand it to the one browser it is for, and store it nowhere."""

    token: str
    token_id: str = Field(description="What Power BI's audit log knows the token by.")
    expiration: TimeText
    renew_after: TimeText = Field(description="When to ask for a new one and give it to the report without reloading.")
    token_type: Literal["Embed"] = "Embed"  # noqa: S105 - what the browser library calls this kind
    reports: list[EmbeddedReport]
