"""Storage: the real Azurite as a child process, under the account's production names as well."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import secrets
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from emulator.clouds import STORAGE_KINDS
from emulator.network.certificates import Certificates
from emulator.network.proxy import copy_both_ways
from emulator.processes import Child, EmulatorFailed
from emulator.seed import STORAGE_ACCOUNT
from emulator.storage.table_front import TableFront
from emulator.toolchain import ToolMissing, azurite_command

_LISTENS = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at https?://127\.0\.0\.1:(\d+)")
_PATIENCE = 45.0


@dataclass
class Azurite:
    """A running Azurite. `ports`: where it listens, by kind; `tls_ports`: where the production names lead."""

    child: Child
    key: str = field(repr=False)
    by_identity: bool
    ports: dict[str, int] = field(default_factory=dict)
    tls_ports: dict[str, int] = field(default_factory=dict)
    _terminators: list[asyncio.Server] = field(default_factory=list)
    _tables: TableFront | None = None

    @classmethod
    async def start(
        cls, log_file: Path, certificates: Certificates, ports: dict[str, int], *, by_identity: bool
    ) -> Azurite:
        """Start the process without waiting for it. `ports` of 0 are free ones; raises EmulatorFailed."""
        try:
            command = azurite_command()
        except ToolMissing as missing:
            raise EmulatorFailed(str(missing)) from None
        command += ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence"]
        for kind in STORAGE_KINDS:
            command += [f"--{kind}Host", "127.0.0.1", f"--{kind}Port", str(ports[kind])]
        if by_identity:
            command += ["--oauth", "basic"]
            command += ["--cert", str(certificates.certificate_file), "--key", str(certificates.key_file)]
        key = base64.b64encode(secrets.token_bytes(64)).decode()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        environment = {**kept, "AZURITE_ACCOUNTS": f"{STORAGE_ACCOUNT}:{key}"}
        child = Child("Azurite", command, log_file, environment)
        await child.start(log_file.parent)
        return cls(child, key, by_identity)

    async def wait_until_ready(self, tls: ssl.SSLContext) -> None:
        """Wait until it listens, then put TLS before it where it has none; raises EmulatorFailed."""
        output = await self.child.wait_for_output(
            *(f"Azurite {kind.capitalize()} service is successfully listening" for kind in STORAGE_KINDS),
            patience=_PATIENCE,
        )
        self.ports = {kind.lower(): int(port) for kind, port in _LISTENS.findall(output)}
        self._tables = await TableFront.start(self.ports["table"], tls, upstream_tls=self.by_identity)
        self.tls_ports = dict(self.ports) if self.by_identity else await self._behind_tls(tls)
        self.tls_ports["table"] = self._tables.port

    async def _behind_tls(self, tls: ssl.SSLContext) -> dict[str, int]:
        for kind in ("blob", "queue"):
            self._terminators.append(await copy_both_ways(self.ports[kind], tls))
        blob, queue = (server.sockets[0].getsockname()[1] for server in self._terminators)
        return {"blob": blob, "queue": queue}

    def connection_string(self) -> str:
        """By account key, on loopback."""
        scheme = "https" if self.by_identity else "http"
        endpoints = "".join(
            f"{kind.capitalize()}Endpoint={scheme}://127.0.0.1:{self.ports[kind]}/{STORAGE_ACCOUNT};"
            for kind in STORAGE_KINDS
        )
        account = f"AccountName={STORAGE_ACCOUNT};AccountKey={self.key};"
        return f"DefaultEndpointsProtocol={scheme};{account}{endpoints}"

    async def stop(self) -> None:
        """End it."""
        for server in self._terminators:
            server.close()
        if self._tables is not None:
            await self._tables.stop()
        await self.child.stop()
