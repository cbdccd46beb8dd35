"""The emulated services with what they share: one clock, one directory, one list of faults and of requests."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from emulator import seed
from emulator.clock import Clock
from emulator.control.faults import Faults
from emulator.control.requests_log import RequestsLog
from emulator.embed_page.service import EmbedPage
from emulator.entra.directory import Directory
from emulator.entra.service import Entra
from emulator.entra.tokens import TokenAuthority
from emulator.http import Answer, Service
from emulator.identity import ManagedIdentity
from emulator.keyvault.service import KeyVault
from emulator.keyvault.store import SecretStore
from emulator.network.server import Front, Hosts
from emulator.powerbi.service import PowerBI
from emulator.storage.events import EventSettings

CANARY_HOST = "canary.emulator.invalid"


class Canary(Service):
    """Tells the value of this start: whoever hears it has come through this proxy."""

    hosts = (CANARY_HOST,)

    def __init__(self) -> None:
        super().__init__()
        self.value = secrets.token_hex(16)
        self.router.add("GET", "/", lambda _: Answer(200, {"canary": self.value}))


@dataclass
class Cloud:
    """The emulated services with what they share."""

    clock: Clock = field(default_factory=Clock)
    faults: Faults = field(default_factory=Faults)
    log: RequestsLog = field(default_factory=RequestsLog)
    authority: TokenAuthority = field(default_factory=TokenAuthority)
    directory: Directory = field(default_factory=Directory)
    canary: Canary = field(default_factory=Canary)
    events: EventSettings = field(default_factory=EventSettings)

    def __post_init__(self) -> None:
        named = {app.vault_secret: app.name for app in seed.APPLICATIONS if app.vault_secret}
        self.store = SecretStore({vault: self.directory.first_secret(name) for vault, name in named.items()})
        self.entra = Entra(self.authority, self.directory)
        self.managed_identity = ManagedIdentity(self.entra)
        self.powerbi = PowerBI(self.authority, self.clock)
        vault, page = KeyVault(self.authority, self.store), EmbedPage(self.powerbi)
        self.hosts = Hosts([self.entra, vault, self.powerbi, page, self.canary])

    def front(self, only: Service | None = None) -> Front:
        """An HTTP front for all services, or for one."""
        return Front(self.hosts, self.faults, self.log, only)
