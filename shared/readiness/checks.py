"""What readiness looks at, in the order in which things depend on each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from shared.errors import Misconfigured, SettingsInvalid
from shared.readiness.report import Check
from shared.times import to_text

if TYPE_CHECKING:
    from shared.auth.tokens import AppTokens
    from shared.powerbi.transport import Transport
    from shared.refresh.documents import RefreshDocument
    from shared.settings import IdentitySettings, Settings
    from shared.storage.connection import StorageAccount
    from shared.storage.documents import Documents

ROLES_OF_THE_APP = "the app's managed identity (MANAGED_IDENTITY_CLIENT_ID)"


class Parts(Protocol):
    """The parts of the app that are looked at, each built when it is first asked for."""

    document_names: tuple[str, ...]

    @property
    def settings(self) -> Settings: ...
    @property
    def storage(self) -> StorageAccount: ...
    @property
    def documents(self) -> Documents: ...
    @property
    def tokens(self) -> AppTokens: ...
    @property
    def powerbi(self) -> Transport: ...
    def refresh_document(self) -> RefreshDocument | None: ...


def checks(parts: Parts) -> list[Check]:
    """One for the settings, storage and each document, and three for each identity: credential, token, Power BI."""
    return [
        Check("settings", lambda: _settings(parts), "Set the app settings as the README lists them."),
        Check(
            "storage",
            lambda: _storage(parts),
            f"Give {ROLES_OF_THE_APP} the data roles on the app's storage account, and deploy its containers.",
        ),
        *_documents(parts),
        *(check for identity in parts.settings.identities.values() for check in _identity(parts, identity)),
    ]


def settings_report(fault: SettingsInvalid) -> dict[str, object]:
    """The report when settings are faulty: nothing else can be looked at."""
    faults = "; ".join(f"{one.path}: {one.message}" for one in fault.faults) or fault.detail
    entry = {
        "name": "settings",
        "status": "failed",
        "evidence": faults,
        "remedy": "Mend these app settings; the app reads them again with the next request.",
        "ms": 0,
    }
    return {"status": "notReady", "checks": [entry]}


def _settings(parts: Parts) -> str:
    names = ", ".join(parts.settings.identities)
    return f"All settings are well-formed; cloud {parts.settings.cloud.name}, identities {names}."


def _storage(parts: Parts) -> str:
    from shared.storage.connection import storage_errors

    with storage_errors("readiness.storage"):
        found = {container.name for container in parts.storage.blobs().list_containers()}
    missing = sorted({"config", "config-accepted"} - found)
    if missing:
        raise Misconfigured(f"The storage account has no container {' and none '.join(missing)}.")
    return f"The storage account answers, with {len(found)} containers."


def _documents(parts: Parts) -> Iterator[Check]:
    for name in parts.document_names:

        def look(name: str = name) -> str:
            [state] = [state for state in parts.documents.states() if state.name == name]
            if state.fault:
                raise Misconfigured(f"{name} in the container 'config' is not in force: {state.fault}")
            if state.accepted_at is None:
                raise Misconfigured(f"No {name} has been accepted yet, so everything that it grants is denied.")
            return " ".join([f"In force since {to_text(state.accepted_at)}.", *_remarks(parts, name)])

        yield Check(f"document {name}", look, f"Upload a {name} that validates to the container 'config'.")


def _remarks(parts: Parts, name: str) -> Iterator[str]:
    """What is accepted in a document and yet not, or not quite, what its writer may expect."""
    from shared.refresh.documents import NAME, not_in_effect, warnings

    document = parts.refresh_document() if name == NAME else None
    if document is None:
        return
    waiting = not_in_effect(document)
    if waiting:
        yield f"Accepted, and not in effect in this version: {', '.join(waiting)}."
    yield from warnings(document)


def _identity(parts: Parts, identity: IdentitySettings) -> Iterator[Check]:
    name, client_id = identity.name, identity.client_id

    def token() -> str:
        return f"Entra issues tokens for {client_id}, this one until {to_text(parts.tokens.token(name).expires_at)}."

    def powerbi() -> str:
        from shared.powerbi.groups import list_groups

        seen = list_groups(parts.powerbi, identity=name, top=1)
        return f"Power BI accepts {client_id}" + ("." if seen else ", which is a member of no workspace yet.")

    yield Check(f"credential of {name}", lambda: parts.tokens.evidence(name), _how_to_prove(identity))
    yield Check(f"token of {name}", token, f"Mend the registration or the credential of {client_id}.")
    yield Check(
        f"Power BI for {name}",
        powerbi,
        "Add the service principal to the group that the tenant setting 'Service principals can call Fabric public "
        "APIs' (formerly 'Allow service principals to use Power BI APIs') names.",
    )


def _how_to_prove(identity: IdentitySettings) -> str:
    """What makes the credential of this identity's kind work."""
    kind, stored = identity.credential.kind, identity.credential.vault_name
    if kind == "federated":
        return "Assign the managed identity whose client id MANAGED_IDENTITY_CLIENT_ID holds to this app."
    if kind == "managedIdentity":
        return f"Assign the managed identity {identity.client_id} to this app."
    return f"Give {ROLES_OF_THE_APP} the role Key Vault Secrets User, and store the {kind} '{stored}'."
