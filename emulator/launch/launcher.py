"""Starts every part in order, keeps them until it is told to end, and ends them in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from emulator import identity, seed
from emulator.clouds import CLOUDS, STORAGE_KINDS, all_host_names
from emulator.control.faults import Faults
from emulator.control.requests_log import RequestsLog
from emulator.control.service import Control
from emulator.launch.bundled_host import BundledHost
from emulator.launch.cloud import CANARY_HOST, Cloud
from emulator.launch.environment import Places, child_environment, describe, write_description
from emulator.launch.local_settings import LocalSettings
from emulator.launch.state_directory import StateDirectory
from emulator.network.certificates import Certificates, make_certificates
from emulator.network.proxy import HostTable, Proxy
from emulator.network.server import Front, Site
from emulator.powerbi.service import PowerBI
from emulator.processes import EmulatorFailed
from emulator.storage import infrastructure
from emulator.storage.azurite import Azurite
from emulator.storage.events import LandingEvents

PROJECT = Path(__file__).parents[2]
DEFAULT_STATE_DIR = ".emulator"
PORTS = ("proxy", "tls", "control", "identity", *STORAGE_KINDS, "functions")
_ENDS_IT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """What the command line asked for; `port_base` None takes free ports."""

    host: str = "bundled"
    storage: str = "key"
    state_dir: Path = Path(DEFAULT_STATE_DIR)
    port_base: int | None = None

    def port(self, name: str) -> int:
        """The port of that part; 0 is any free one."""
        return 0 if self.port_base is None else self.port_base + PORTS.index(name)

    @property
    def is_default_place(self) -> bool:
        """Only one emulator at a time may write into the project's root."""
        return self.state_dir == Path(DEFAULT_STATE_DIR)


class Launcher:
    """One emulator, from its start to its end."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._directory = StateDirectory(options.state_dir)
        self._parts = contextlib.AsyncExitStack()
        """What ends each part that has started, the last one first."""
        self._azurite: Azurite | None = None
        self._host: BundledHost | None = None

    async def run(self) -> None:
        """Start, say READY, and stay until a signal; raises EmulatorFailed."""
        told_to_end = asyncio.Event()
        for number in _ENDS_IT:
            asyncio.get_running_loop().add_signal_handler(number, told_to_end.set)
        starting = asyncio.create_task(self._start())
        ending = asyncio.create_task(told_to_end.wait())
        try:
            await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                return
            starting.result()
            print(f"READY {self._directory.description}", flush=True)
            await self._stay(ending)
        finally:
            starting.cancel()
            ending.cancel()
            await asyncio.gather(starting, ending, return_exceptions=True)
            with contextlib.suppress(Exception):  # a part that fails to end has not kept the others from ending
                await self._parts.aclose()

    async def _stay(self, ending: asyncio.Task[bool]) -> None:
        assert self._azurite is not None
        azurite_ended = asyncio.create_task(self._azurite.child.ended())
        await asyncio.wait({ending, azurite_ended}, return_when=asyncio.FIRST_COMPLETED)
        azurite_ended.cancel()
        if not ending.done():
            raise EmulatorFailed(f"Azurite has ended, and storage with it: {self._azurite.child.last_words()}")

    async def _start(self) -> None:
        self._directory.take()
        self._parts.callback(self._directory.release)
        certificates = make_certificates(self._directory.path, [*all_host_names(), CANARY_HOST, *PowerBI.hosts])
        self._parts.callback(certificates.remove)
        azurite = await self._start_azurite(certificates)
        cloud = Cloud()
        tls, control, managed_identity = await self._start_sites(cloud, certificates)
        infrastructure.load_libraries()
        await azurite.wait_until_ready(certificates.server_context)
        proxy = await self._start_proxy(cloud, tls, azurite)
        await self._furnish(cloud, azurite, certificates.ca_file)
        places = Places(
            proxy_url=f"http://127.0.0.1:{proxy.port}",
            control_url=f"http://127.0.0.1:{control.port}",
            identity_endpoint=f"http://127.0.0.1:{managed_identity.port}{identity.PATH}",
            identity_header=cloud.managed_identity.header,
            ca_file=certificates.ca_file,
            canary=cloud.canary.value,
            storage_connection_string=azurite.connection_string(),
            storage_by_identity=azurite.by_identity,
            functions_url=None,
        )
        if self._options.host == "bundled":
            places = replace(places, functions_url=await self._start_host(places))
        self._publish(cloud, places)

    async def _start_azurite(self, certificates: Certificates) -> Azurite:
        ports = {kind: self._options.port(kind) for kind in STORAGE_KINDS}
        by_identity = self._options.storage == "identity"
        azurite = await Azurite.start(self._directory.log("azurite"), certificates, ports, by_identity=by_identity)
        self._azurite = azurite
        self._parts.push_async_callback(azurite.stop)
        return azurite

    async def _start_sites(self, cloud: Cloud, certificates: Certificates) -> tuple[Site, Site, Site]:
        """TLS for all hosts, plain http for the control API and for the managed identity's endpoint."""
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
        port = self._options.port(name)
        site = await _listening(name, port, Site.start(front.handle, port, context))
        self._parts.push_async_callback(site.stop)
        return site

    async def _start_proxy(self, cloud: Cloud, tls: Site, azurite: Azurite) -> Proxy:
        ports = dict.fromkeys(cloud.hosts.names(), tls.port)
        ports |= {one.storage_host(kind): azurite.tls_ports[kind] for one in CLOUDS for kind in STORAGE_KINDS}
        port = self._options.port("proxy")
        proxy = await _listening("proxy", port, Proxy.start(HostTable(ports).find, port))
        self._parts.callback(proxy.stop)
        return proxy

    async def _furnish(self, cloud: Cloud, azurite: Azurite, ca_file: Path) -> None:
        """What a deployment creates in storage, and Event Grid behind it."""
        text = azurite.connection_string()
        await asyncio.to_thread(infrastructure.create_infrastructure, text, ca_file, PROJECT / "config")
        landings = LandingEvents(text, ca_file, cloud.clock, cloud.events)
        landings.start()
        self._parts.push_async_callback(landings.stop)

    async def _start_host(self, places: Places) -> str:
        """The app in the bundled host; tells its address."""
        environment = child_environment(places, os.environ)
        port = self._options.port("functions")
        self._host = BundledHost(PROJECT, self._directory.log("host"), port, environment)
        self._parts.push_async_callback(self._host.stop)
        await self._host.start()
        return self._host.url

    def _publish(self, cloud: Cloud, places: Places) -> None:
        """Tell everybody where things are."""
        secrets_of = {app.name: cloud.directory.first_secret(app.name) for app in seed.APPLICATIONS}
        passwords = {person.upn: cloud.directory.password(person.upn) for person in seed.PEOPLE}
        self._parts.callback(self._directory.description.unlink, missing_ok=True)
        write_description(self._directory.description, describe(places, secrets_of, passwords))
        local_settings = LocalSettings(PROJECT / "local.settings.json")
        if self._options.is_default_place and local_settings.write(places):
            self._parts.callback(local_settings.remove)

    def _tell_processes(self) -> dict[str, object]:
        told: dict[str, object] = {"emulator": os.getpid()}
        if self._azurite is not None:
            told["azurite"] = self._azurite.child.pid
        if self._host is not None:
            told |= {"host": self._host.child.pid, "hostRestarts": self._host.restarts}
        return told


async def _listening(name: str, port: int, starting: Coroutine[Any, Any, T]) -> T:
    """What listens on that port once it has started; raises EmulatorFailed where the port is not to be had."""
    try:
        return await starting
    except OSError as fault:
        raise EmulatorFailed(f"The {name} port {port} can't be used: {fault.strerror}") from None


def launch(options: Options) -> int:
    """Run until told to end, and give the exit code."""
    try:
        asyncio.run(Launcher(options).run())
    except EmulatorFailed as failed:
        print(f"The emulator failed: {failed}", file=sys.stderr, flush=True)
        return 1
    return 0
