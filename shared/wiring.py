"""Builds the services, each on its first use: only here are the real clock, clients and environment known.

Nothing heavy is imported at the top: a function pays for what it uses (`health` for nothing).
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared import __version__, telemetry
from shared.errors import Misconfigured, SettingsInvalid
from shared.once import once
from shared.times import utc_now

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from shared.auth.callers import Callers
    from shared.auth.tokens import AppTokens
    from shared.auth.vault import Vault
    from shared.embed.service import EmbedTokens
    from shared.idempotency import Keys
    from shared.powerbi.transport import Transport
    from shared.provisioning.from_queue import QueuedRequests
    from shared.provisioning.policy import PolicyDocument
    from shared.provisioning.service import Provisioning
    from shared.provisioning.steps.common import Services as ProvisioningServices
    from shared.queue_watch import QueueWatch
    from shared.readiness.report import Readiness
    from shared.refresh.documents import DatasetPolicy, RefreshDocument
    from shared.refresh.engine import RefreshEngine
    from shared.refresh.service import RefreshRuns
    from shared.refresh.triggers import RefreshTriggers
    from shared.settings import CallerSettings, Settings
    from shared.storage.blobs import Container
    from shared.storage.connection import StorageAccount
    from shared.storage.documents import Documents
    from shared.storage.events import Events
    from shared.storage.queues import Queue
    from shared.workflow.engine import Engine
    from shared.workflow.triggers import Triggers

__all__ = ["VERSION", "Services", "readiness", "services", "watch_readiness"]

VERSION = __version__


class Services:
    """Everything that a trigger may call, built from settings that have been checked."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.document_names: tuple[str, ...] = ("embed.yaml", "policy.yaml", "refresh.yaml")

    @once
    def managed_identity(self) -> TokenCredential:
        """What this app is in Azure: reads the vault and the storage, and vouches for its registrations."""
        from shared.auth.managed_identity import managed_identity

        return managed_identity(self.settings.managed_identity_client_id)

    @once
    def vault(self) -> Vault:
        """Secrets and certificates of the app's identities, where there are any."""
        from shared.auth.vault import Vault

        return Vault(self.settings.key_vault_url, lambda: self.managed_identity)

    @once
    def tokens(self) -> AppTokens:
        """Entra tokens of the app's identities."""
        from shared.auth.credentials.kinds import Issuers
        from shared.auth.tokens import AppTokens

        issuers = Issuers(self.settings, lambda: self.vault, lambda: self.managed_identity, utc_now)
        return AppTokens(issuers.by_name(), utc_now)

    @once
    def callers(self) -> Callers:
        """Who may call us."""
        return _callers(self.settings.callers)

    @once
    def storage(self) -> StorageAccount:
        """The app's own storage account."""
        from shared.storage.connection import StorageAccount

        return StorageAccount(self.settings.app_storage, lambda: self.managed_identity)

    @once
    def documents(self) -> Documents:
        """The operator's documents that are in force."""
        from shared.embed.documents import read_embed_document
        from shared.provisioning.policy import read_policy_document
        from shared.refresh.documents import read_refresh_document
        from shared.storage.documents import Documents

        readers = {
            "embed.yaml": read_embed_document,
            "policy.yaml": read_policy_document,
            "refresh.yaml": read_refresh_document,
        }
        return Documents(self.storage.blobs, readers, utc_now)

    def policy(self) -> PolicyDocument | None:
        """What may be asked for and changed at all; None (deny) where no policy has been accepted."""
        from shared.provisioning.policy import PolicyDocument

        accepted = self.documents.accepted("policy.yaml")
        return accepted.value if accepted and isinstance(accepted.value, PolicyDocument) else None

    @once
    def powerbi(self) -> Transport:
        """The Power BI REST API; what the policy does not let this deployment change is never sent."""
        from shared.powerbi.guardrails import Guard
        from shared.powerbi.transport import Transport

        return Transport(self.settings.cloud, self.tokens, utc_now, Guard(self.policy))

    @once
    def embed(self) -> EmbedTokens:
        """Embed tokens."""
        from shared.embed.service import EmbedTokens

        client_id = self.settings.identities["embed"].client_id
        return EmbedTokens(self.documents, self.powerbi, utc_now, client_id)

    # ---- provisioning
    @once
    def provisioning_services(self) -> ProvisioningServices:
        """What provisioning acts through."""
        from shared.auth.own_identity import OwnIdentity
        from shared.provisioning.steps.common import Services as ProvisioningServices

        return ProvisioningServices(self.powerbi, OwnIdentity(self.tokens, "operations"))

    @once
    def engine(self) -> Engine:
        """The workflow engine, with the kinds of workflow that there are."""
        from shared.provisioning.kinds import kinds
        from shared.provisioning.outside import Told
        from shared.storage.audit import Audit
        from shared.storage.tables import Table
        from shared.workflow.engine import Engine
        from shared.workflow.store import Store, Tables

        workflows, opened, projects, audit = (
            Table(self.storage.tables, name) for name in ("workflows", "open", "projects", "audit")
        )
        store = Store(Tables(workflows, opened, projects), self.container("requests"))
        told = Told(Audit(audit), self.events, utc_now)
        return Engine(store, self.queue("workflow-steps"), told, kinds(self.provisioning_services), utc_now)

    @once
    def provisioning(self) -> Provisioning:
        """Provisioning requests as their callers know them."""
        from shared.provisioning.service import Provisioning

        return Provisioning(self.engine, self.provisioning_services, self.policy, self.keys)

    @once
    def queued_requests(self) -> QueuedRequests:
        """Provisioning requests that other systems put on a queue."""
        from shared.provisioning.from_queue import QueuedRequests

        return QueuedRequests(self.provisioning, self.engine, self.container("rejected"), utc_now)

    @once
    def workflow(self) -> Triggers:
        """The engine's messages and its sweep."""
        from shared.workflow.triggers import Triggers

        return Triggers(self.engine, self.container("rejected"), utc_now)

    # ---- refreshes
    def refresh_document(self) -> RefreshDocument | None:
        """Which datasets are refreshed by what lands where; None where no refresh.yaml has been accepted."""
        from shared.refresh.documents import RefreshDocument

        accepted = self.documents.accepted("refresh.yaml")
        return accepted.value if accepted and isinstance(accepted.value, RefreshDocument) else None

    def _dataset_policy(self, dataset_id: str) -> DatasetPolicy | None:
        document = self.refresh_document()
        if document is None:
            raise Misconfigured("No refresh.yaml is in force: refreshes wait until a valid one has been uploaded.")
        return document.policy(dataset_id)

    def _dataset_ids(self) -> list[str]:
        document = self.refresh_document()
        return [dataset.dataset_id for dataset in document.datasets.values()] if document else []

    @once
    def refreshes(self) -> RefreshEngine:
        """The refresh engine."""
        from shared.powerbi.refreshes import Refreshes
        from shared.refresh.engine import RefreshEngine
        from shared.refresh.outside import Told
        from shared.refresh.store import RefreshStore, RefreshTables
        from shared.storage.audit import Audit
        from shared.storage.batches import BatchTable
        from shared.storage.tables import Table

        tables = self.storage.tables
        kept = RefreshTables(Table(tables, "datasets"), BatchTable(tables, "landings"), Table(tables, "runs"))
        return RefreshEngine(
            RefreshStore(kept, self.container("runs")),
            self.queue("refresh-looks"),
            Refreshes(self.powerbi, "operations", utc_now),
            self._dataset_policy,
            Told(Audit(Table(tables, "audit")), self.events, utc_now),
            utc_now,
            datasets=self._dataset_ids,
        )

    @once
    def refresh_runs(self) -> RefreshRuns:
        """Refresh runs as their callers know them."""
        from shared.refresh.service import RefreshRuns

        return RefreshRuns(self.refreshes, self.refresh_document, self.keys)

    @once
    def refresh_messages(self) -> RefreshTriggers:
        """What lands, looks, and the sweep."""
        from shared.refresh.triggers import RefreshTriggers

        return RefreshTriggers(self.refreshes, self.refresh_document, self.container("rejected"), utc_now)

    # ---- what capabilities share
    @once
    def events(self) -> Events:
        """Where others are told what happened."""
        from shared.storage.events import Events, Topic

        endpoint = self.settings.events_topic_endpoint
        topic = Topic(endpoint, lambda: self.managed_identity) if endpoint else None
        return Events(self.queue("operations-events"), topic)

    @once
    def keys(self) -> Keys:
        """By which requests that come twice are known."""
        from shared.idempotency import Keys
        from shared.storage.tables import Table

        return Keys(Table(self.storage.tables, "idempotency"), utc_now)

    def queue(self, name: str) -> Queue:
        """A queue of the app's account."""
        from shared.storage.queues import Queue

        return Queue(self.storage.queues, name)

    def container(self, name: str) -> Container:
        """A container of the app's account."""
        from shared.storage.blobs import Container

        return Container(self.storage.blobs, name)

    @once
    def queue_watch(self) -> QueueWatch:
        """How long messages wait; in the queue of events only where events go there."""
        from shared.queue_watch import EVENTS_QUEUE, WORKED_QUEUES, QueueWatch

        names = WORKED_QUEUES if self.settings.events_topic_endpoint else (*WORKED_QUEUES, EVENTS_QUEUE)
        return QueueWatch({name: self.queue(name) for name in names})

    @once
    def readiness(self) -> Readiness:
        """Whether all of the above would work now."""
        from shared.readiness.checks import checks
        from shared.readiness.report import Readiness

        return Readiness(checks(self), utc_now)


_building = threading.Lock()
_services: Services | None = None


def services() -> Services:
    """The services of this process. Raises SettingsInvalid, which names every faulty setting; nothing is kept then."""
    global _services  # noqa: PLW0603 - the one place where the process's services live
    with _building:
        if _services is None:
            from shared.settings import Settings

            _services = Services(Settings.from_env(os.environ))
        return _services


def openapi_document() -> object:
    """The description of this API, as it was generated from the models that validate."""
    return json.loads(Path(__file__).with_name("openapi.json").read_text(encoding="utf-8"))


def readiness(authorization: str | None) -> dict[str, object]:
    """The readiness report for a caller with `Operations.Read`; faulty settings are a failed check in it."""
    try:
        built = services()
    except SettingsInvalid as fault:
        return _settings_report(authorization, fault)
    built.callers.verify(authorization, role="Operations.Read")
    return built.readiness.report()


def watch_readiness() -> None:
    """The readiness report into the log, for the alerts: nobody may ask for it while nobody uses the app. Raises
    SettingsInvalid, which is logged as well.
    """
    with telemetry.timed("readiness-watch") as line:
        report: Any = services().readiness.report()
        failed = [check["name"] for check in report["checks"] if check["status"] == "failed"]
        line.update(outcome=report["status"], failed=failed)


def _settings_report(authorization: str | None, fault: SettingsInvalid) -> dict[str, object]:
    """Where the settings that say who may call are themselves faulty nobody can be authenticated: then the names of
    the faulty settings are all that is told, to anybody.
    """
    from shared.readiness.checks import settings_report
    from shared.settings import CallerSettings

    try:
        settings = CallerSettings.from_env(os.environ)
    except SettingsInvalid:
        return settings_report(fault)
    _callers(settings).verify(authorization, role="Operations.Read")
    return settings_report(fault)


def _callers(settings: CallerSettings) -> Callers:
    from shared.auth.callers import Callers
    from shared.auth.signing_keys import SigningKeys

    return Callers(settings, SigningKeys(settings, utc_now), utc_now)
