"""The real Azurite for tests, in memory and on free ports."""

from __future__ import annotations

import base64
import os
import queue
import re
import secrets
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, NoReturn

from emulator.toolchain import azurite_command
from shared.settings import StorageSettings
from shared.storage.connection import StorageAccount

_OPTIONS = ("--silent", "--disableTelemetry", "--skipApiVersionCheck", "--inMemoryPersistence")
_KINDS = ("blob", "queue", "table")
_LISTENS = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at http://127\.0\.0\.1:(\d+)")


@dataclass
class Azurite:
    """A running Azurite with accounts of the test's naming."""

    keys: dict[str, str] = field(repr=False)
    ports: dict[str, int] = field(default_factory=dict)

    def connection_string(self, account: str, key: str = "") -> str:
        """By account key, on loopback."""
        endpoints = "".join(
            f"{kind.capitalize()}Endpoint=http://127.0.0.1:{port}/{account};" for kind, port in self.ports.items()
        )
        key = key or self.keys[account]
        return f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={key};{endpoints}"


@contextmanager
def azurite(*accounts: str) -> Iterator[Azurite]:
    """Start it with these accounts and random keys; ended with the block."""
    keys = {account: base64.b64encode(secrets.token_bytes(64)).decode() for account in accounts}
    environment = {**os.environ, "AZURITE_ACCOUNTS": ";".join(f"{name}:{key}" for name, key in keys.items())}
    ports = [option for kind in _KINDS for option in (f"--{kind}Host", "127.0.0.1", f"--{kind}Port", "0")]
    command = [*azurite_command(), *_OPTIONS, *ports]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Azurite(keys, _ports(process))
        finally:
            process.kill()
            process.wait(10)


def _ports(process: subprocess.Popen[str], patience: float = 45) -> dict[str, int]:
    """Where it listens, as it says; what it prints later is read as well, so that the pipe never fills."""
    found: queue.Queue[tuple[str, int] | None] = queue.Queue()

    def read(stream: IO[str]) -> None:
        for line in stream:
            if listens := _LISTENS.search(line):
                found.put((listens[1].lower(), int(listens[2])))
        found.put(None)

    assert process.stdout is not None
    threading.Thread(target=read, args=(process.stdout,), daemon=True).start()
    ports: dict[str, int] = {}
    while len(ports) < len(_KINDS):
        listens = found.get(timeout=patience)
        assert listens, f"Azurite ended with {process.wait(10)}"
        ports.update([listens])
    return ports


def account_of(connection_string: str) -> StorageAccount:
    """The app's way to an account by connection string."""

    def no_identity() -> NoReturn:
        raise AssertionError("a connection string needs no identity")

    return StorageAccount(StorageSettings(connection_string, "", "", ""), no_identity)
