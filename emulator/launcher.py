"""Starts every part in order, keeps them until it is told to end, and ends them in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from emulator import identity, infrastructure, seed
from emulator.azurite import Azurite
from emulator.bundled_host import BundledHost
from emulator.certificates import Certificates, make_certificates
from emulator.clock import Clock
from emulator.clouds import CLOUDS, STORAGE_KINDS, all_host_names
from emulator.control import Control
from emulator.embed_page.service import EmbedPage
from emulator.entra import Entra
from emulator.entra_directory import Directory
from emulator.entra_tokens import TokenAuthority
from emulator.environment import LocalSettings, Places, child_environment, describe, write_description
from emulator.events import EventSettings, LandingEvents
from emulator.faults import Faults
from emulator.http import Answer, Service
from emulator.identity import ManagedIdentity
from emulator.keyvault import KeyVault
from emulator.keyvault_store import SecretStore
from emulator.powerbi.service import PowerBI
from emulator.processes import EmulatorFailed
from emulator.proxy import HostTable, Proxy
from emulator.requests_log import RequestsLog
from emulator.server import Front, Hosts, Site

PROJECT = Path(__file__).parents[1]
DEFAULT_STATE_DIR = ".emulator"
CANARY_HOST = "canary.emulator.invalid"
_PORTS = ("proxy", "tls", "control", "identity", *STORAGE_KINDS, "functions")


@dataclass(frozen=True)
class Options:
    """What the command line asked for; `port_base` None takes free ports."""

    host: str = "bundled"
    storage: str = "key"
    state_dir: Path = Path(DEFAULT_STATE_DIR)
    port_base: int | None = None

    def port(self, name: str) -> int:
        """The port of that part; 0 is any free one."""
        return 0 if self.port_base is None else self.port_base + _PORTS.index(name)

    @property
    def is_default_place(self) -> bool:
        """Only one emulator at a time may write into the project's root."""
        return self.state_dir == Path(DEFAULT_STATE_DIR)


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


class Launcher:
    """One emulator, from its start to its end."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._state_dir = options.state_dir.absolute()
        self._ends: list[Callable[[], Awaitable[None]]] = []
        self._processes: dict[str, object] = {"emulator": os.getpid()}
        self._host: BundledHost | None = None
        self._azurite: Azurite | None = None

    async def run(self) -> None:
        """Start, say READY, and stay until a signal; raises EmulatorFailed."""
        told_to_end = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
        starting = asyncio.create_task(self._start())
        ending = asyncio.create_task(told_to_end.wait())
        try:
            await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return
            starting.result()
            print(f"READY {self._description_file}", flush=True)
            await self._stay(ending)
        finally:
            starting.cancel()
            ending.cancel()
            await asyncio.gather(starting, ending, return_exceptions=True)
            await self._stop()

    @property
    def _description_file(self) -> Path:
        return self._state_dir / "environment.json"

    async def _stay(self, ending: asyncio.Task[bool]) -> None:
        assert self._azurite is not None
        azurite_ended = asyncio.create_task(self._azurite.child.ended())
        await asyncio.wait({ending, azurite_ended}, return_when=asyncio.FIRST_COMPLETED)
        azurite_ended.cancel()
        if not ending.done():
            raise EmulatorFailed(f"Azurite has ended, and storage with it: {self._azurite.child.last_words()}")

    async def _start(self) -> None:
        self._take_state_dir()
        cloud_names = [*all_host_names(), CANARY_HOST, *PowerBI.hosts]
        certificates = make_certificates(self._state_dir, cloud_names)
        self._ends.append(_later(certificates.remove))
        azurite = await self._start_azurite(certificates)
        cloud = Cloud()
        tls, control, managed_identity = await self._start_sites(cloud, certificates)
        infrastructure.load_libraries()
        await azurite.wait_until_ready(certificates.server_context)
        proxy = await self._start_proxy(cloud, tls, azurite)
        await asyncio.to_thread(
            infrastructure.create_infrastructure,
            azurite.connection_string(),
            certificates.ca_file,
            PROJECT / "config",
        )
        self._watch_landings(azurite.connection_string(), certificates.ca_file, cloud)
        await self._publish(
            cloud,
            Places(
                proxy_url=f"http://127.0.0.1:{proxy.port}",
                control_url=f"http://127.0.0.1:{control.port}",
                identity_endpoint=f"http://127.0.0.1:{managed_identity.port}{identity.PATH}",
                identity_header=cloud.managed_identity.header,
                ca_file=certificates.ca_file,
                canary=cloud.canary.value,
                storage_connection_string=azurite.connection_string(),
                storage_by_identity=azurite.by_identity,
                functions_url=None,
            ),
        )

    def _take_state_dir(self) -> None:
        """Make the directory ours alone, and remove what an earlier start left there."""
        lock_file = self._state_dir / "lock"
        try:
            self._state_dir.mkdir(parents=True, exist_ok=True)
            if any(self._state_dir.iterdir()) and not lock_file.exists():
                raise EmulatorFailed(f"{self._state_dir} holds other files: give the emulator a directory of its own")
            self._state_dir.chmod(0o700)
            lock = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as fault:
            raise EmulatorFailed(f"{self._state_dir} can't be used: {fault.strerror}") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise EmulatorFailed(
                f"Another emulator uses {self._state_dir}: give this one its own --state-dir"
            ) from None
        self._ends.append(_later(lambda: os.close(lock)))
        for name in ("environment.json", "azurite.log", "host.log"):
            (self._state_dir / name).unlink(missing_ok=True)
        self._ends.append(_later(lambda: self._description_file.unlink(missing_ok=True)))

    async def _start_azurite(self, certificates: Certificates) -> Azurite:
        ports = {kind: self._options.port(kind) for kind in STORAGE_KINDS}
        by_identity = self._options.storage == "identity"
        azurite = await Azurite.start(self._state_dir, certificates, ports, by_identity=by_identity)
        self._azurite = azurite
        self._ends.append(azurite.stop)
        return azurite

    async def _start_sites(self, cloud: Cloud, certificates: Certificates) -> tuple[Site, Site, Site]:
        control = Control(
            entra=cloud.entra,
            vault=cloud.store,
            powerbi=cloud.powerbi,
            clock=cloud.clock,
            faults=cloud.faults,
            log=cloud.log,
            events=cloud.events,
            processes=self._tell_processes,
        )
        own = Front(cloud.hosts, Faults(), RequestsLog(), control)  # what steers is neither listed nor struck
        tls = await self._site("tls", cloud.front(), certificates)
        return tls, await self._site("control", own), await self._site("identity", cloud.front(cloud.managed_identity))

    async def _site(self, name: str, front: Front, certificates: Certificates | None = None) -> Site:
        context = certificates.server_context if certificates else None
        try:
            site = await Site.start(front.handle, self._options.port(name), context)
        except OSError as fault:
            raise EmulatorFailed(
                f"The {name} port {self._options.port(name)} can't be used: {fault.strerror}"
            ) from None
        self._ends.append(site.stop)
        return site

    async def _start_proxy(self, cloud: Cloud, tls: Site, azurite: Azurite) -> Proxy:
        ports = dict.fromkeys(cloud.hosts.names(), tls.port)
        ports |= {one.storage_host(kind): azurite.tls_ports[kind] for one in CLOUDS for kind in STORAGE_KINDS}
        try:
            proxy = await Proxy.start(HostTable(ports).find, self._options.port("proxy"))
        except OSError as fault:
            raise EmulatorFailed(f"The proxy's port can't be used: {fault.strerror}") from None
        self._ends.append(_later(proxy.stop))
        return proxy

    def _watch_landings(self, connection_string: str, ca_file: Path, cloud: Cloud) -> None:
        landings = LandingEvents(connection_string, ca_file, cloud.clock, cloud.events)
        landings.start()
        self._ends.append(landings.stop)

    async def _publish(self, cloud: Cloud, places: Places) -> None:
        """Start the host, if it is wanted, and tell everybody where things are."""
        if self._options.host == "bundled":
            log_file = self._state_dir / "host.log"
            environment = child_environment(places, os.environ)
            self._host = BundledHost(PROJECT, log_file, self._options.port("functions"), environment)
            places = Places(**{**places.__dict__, "functions_url": self._host.url})
            self._ends.append(self._host.stop)
            await self._host.start()
        secrets_of = {app.name: cloud.directory.first_secret(app.name) for app in seed.APPLICATIONS}
        passwords = {person.upn: cloud.directory.password(person.upn) for person in seed.PEOPLE}
        write_description(self._description_file, describe(places, secrets_of, passwords))
        if self._options.is_default_place:
            local_settings = LocalSettings(PROJECT / "local.settings.json")
            if local_settings.write(places):
                self._ends.append(_later(local_settings.remove))

    def _tell_processes(self) -> dict[str, object]:
        told = dict(self._processes)
        if self._azurite is not None:
            told["azurite"] = self._azurite.child.pid
        if self._host is not None:
            told |= {"host": self._host.child.pid, "hostRestarts": self._host.restarts}
        return told

    async def _stop(self) -> None:
        """End the parts, the last one first; one that fails to end does not keep the others alive."""
        for end in reversed(self._ends):
            with contextlib.suppress(Exception):
                await end()


def _later(act: Callable[[], object]) -> Callable[[], Awaitable[None]]:
    async def end() -> None:
        act()

    return end


def launch(options: Options) -> int:
    """Run until told to end, and give the exit code."""
    try:
        asyncio.run(Launcher(options).run())
    except EmulatorFailed as failed:
        print(f"The emulator failed: {failed}", file=sys.stderr, flush=True)
        return 1
    return 0
