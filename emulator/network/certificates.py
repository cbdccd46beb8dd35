"""A throw-away certificate authority, made at every start, and one certificate for every host of the emulated cloud.

The authority's key is never written anywhere; the server's key lies in the state directory while the emulator runs.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Where the files are, and the context with which the TLS servers listen."""

    ca_file: Path
    certificate_file: Path
    key_file: Path
    server_context: ssl.SSLContext

    def remove(self) -> None:
        """Delete the private key: nothing may be left of it when the emulator has ended."""
        self.key_file.unlink(missing_ok=True)


def make_certificates(directory: Path, hosts: Iterable[str]) -> Certificates:
    """Write `ca.pem`, `server.pem` and `server.key` (mode 0600) for these hosts and for loopback."""
    authority = trustme.CA()
    names = sorted({*hosts, "localhost", "127.0.0.1"})
    leaf = authority.issue_cert(*names, common_name="The emulated cloud")
    ca_file, certificate_file, key_file = (directory / name for name in ("ca.pem", "server.pem", "server.key"))
    authority.cert_pem.write_to_path(str(ca_file))
    write_private(certificate_file, b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    write_private(key_file, leaf.private_key_pem.bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    return Certificates(ca_file, certificate_file, key_file, context)


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner may read, never half written, never readable for a moment."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)
