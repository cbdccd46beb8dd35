"""`embed.yaml`: which application may open which reports, and as whom. What it does not grant is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from shared.embed.fields import (
    CUSTOM_DATA_PATTERN,
    MOST_ROLES,
    MOST_WORKSPACES,
    USERNAME_PATTERN,
    AccessLevel,
    Distinct,
    Role,
)
from shared.errors import Fault
from shared.powerbi.embed_tokens import MOST_DATASETS
from shared.validation import Document, Guid, IsoDuration, VersionedDocument, read_document

NAME = "embed.yaml"
"""Under which name operators upload it."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
UsernameSource = Annotated[str, Field(pattern=rf"^(?:request|claim:\S{{1,120}}|fixed:{USERNAME_PATTERN})$")]
CustomDataSource = Annotated[str, Field(pattern=rf"^(?:request|claim:\S{{1,120}}|fixed:{CUSTOM_DATA_PATTERN})$")]


class GrantedDataset(Document):
    """A semantic model that a token for the report must carry besides, or instead, of what Power BI names."""

    dataset_id: Guid
    workspace_id: Guid | None = Field(None, description="Where it lives, if not in the report's workspace.")
    xmla: Literal["readOnly", "off"] = Field(
        "off", description="readOnly for every model that a composite model is built on."
    )


class GrantedReport(Document):
    """A report under the alias that applications ask for."""

    workspace_id: Guid
    report_id: Guid
    datasets: Annotated[list[GrantedDataset], Field(max_length=MOST_DATASETS)] = Field(
        [], description="For composite models and for models in other workspaces."
    )


class GrantIdentity(Document):
    """As whom reports are read where the model requires an effective identity."""

    username: UsernameSource = Field(
        description="request: the calling application says it; claim:NAME: from the user's verified token; fixed:TEXT."
    )
    roles: Annotated[list[Role], Field(max_length=MOST_ROLES), Distinct] = Field(
        [], description="All roles that may be asked for. Power BI grants the union of the roles in a token."
    )
    custom_data: CustomDataSource | None = Field(None, description="request, claim:NAME or fixed:TEXT.")


def _kind_of_identity(value: object) -> str:
    return "given" if isinstance(value, dict | GrantIdentity) else "none"


class Grant(Document):
    """One way in which a client may open reports; a request must be covered by one grant as a whole."""

    caller: Literal["application", "delegated"] = Field(
        description="application: the client itself, with its own token; delegated: a user signed in to the client."
    )
    reports: Annotated[list[Name], Field(min_length=1), Distinct]
    access_levels: Annotated[list[AccessLevel], Field(min_length=1), Distinct] = Field(["View"])
    save_as_workspaces: Annotated[list[Guid], Field(max_length=MOST_WORKSPACES), Distinct] = Field(
        [], description="Workspaces into which the viewer may save copies."
    )
    max_lifetime_minutes: Annotated[int, Field(ge=1, le=60)] = 60
    identity: (
        Annotated[
            Annotated[GrantIdentity, Tag("given")] | Annotated[Literal["none"], Tag("none")],
            Discriminator(_kind_of_identity),
        ]
        | None
    ) = Field(None, description="none must be said for a paginated report that is opened without an identity.")


class Client(Document):
    """An application that may ask for tokens, by the client ids of its registrations."""

    app_ids: Annotated[list[Guid], Field(min_length=1), Distinct]
    grants: Annotated[list[Grant], Field(min_length=1)]


class EmbedDocument(VersionedDocument):
    """embed.yaml as a whole."""

    min_token_life: Annotated[IsoDuration, Field(ge=timedelta(minutes=5), le=timedelta(minutes=50))] = Field(
        timedelta(minutes=45),
        description="Least remaining life of the Entra token that an embed token is made with, for it dies with it.",
    )
    reports: dict[Name, GrantedReport] = Field(json_schema_extra={"additionalProperties": False})
    clients: dict[Name, Client] = Field(json_schema_extra={"additionalProperties": False})

    def client_of(self, app_id: str) -> tuple[str, Client] | None:
        """Name and entry of the client with this app id (in lower case), or None."""
        for name, client in self.clients.items():
            if app_id.lower() in client.app_ids:
                return name, client
        return None


def read_embed_document(raw: bytes) -> EmbedDocument:
    """The document, or InvalidRequest with every fault of form and of meaning at once."""
    return read_document(NAME, EmbedDocument, raw, in_data=_contradictions)


def _contradictions(data: object) -> Iterator[Fault]:
    """What no field shows by itself. Works on the raw data, so that it also finds these in a document with other
    faults.
    """
    clients = _map(_map(data).get("clients"))
    yield from _shared_app_ids(clients)
    known = _map(_map(data).get("reports"))
    for name, client in clients.items():
        for number, grant in enumerate(_list(_map(client).get("grants"))):
            yield from _grant_faults(f"clients.{name}.grants[{number}]", _map(grant), known)


def _shared_app_ids(clients: Mapping[str, Any]) -> Iterator[Fault]:
    owned = {
        name: {str(app_id).lower() for app_id in _list(_map(client).get("appIds"))} for name, client in clients.items()
    }
    owners = Counter(app_id for app_ids in owned.values() for app_id in app_ids)
    for name, client in clients.items():
        for number, app_id in enumerate(_list(_map(client).get("appIds"))):
            if owners[str(app_id).lower()] > 1:
                yield Fault(f"clients.{name}.appIds[{number}]", "Belongs to two clients. Give it to one.")


def _grant_faults(path: str, grant: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Fault]:
    for number, alias in enumerate(_list(grant.get("reports"))):
        if isinstance(alias, str) and alias not in known:
            yield Fault(f"{path}.reports[{number}]", "No such alias under reports.")
    caller, identity = grant.get("caller"), _map(grant.get("identity"))
    for part in ("username", "customData"):
        source = str(identity.get(part, ""))
        if caller == "delegated" and source == "request":
            message = "A user must not say who it is: take it from its token (claim:NAME) or fix it (fixed:TEXT)."
            yield Fault(f"{path}.identity.{part}", message)
        if caller == "application" and source.startswith("claim:"):
            message = "An application's token has no user's claims: use request or fixed:TEXT."
            yield Fault(f"{path}.identity.{part}", message)


def _map(value: object) -> Mapping[str, Any]:
    return {str(name): entry for name, entry in value.items()} if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
