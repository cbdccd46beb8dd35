"""Chromium as a visitor of the emulated cloud: which one there is, and the flags that keep it on this machine."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find_chromium() -> str | None:
    """The first that is on the PATH; PORTAL_BROWSER is tried before."""
    candidates = (os.environ.get("PORTAL_BROWSER", ""), *NAMES)
    return next((found for name in candidates if name and (found := shutil.which(name))), None)


def chromium_flags(described: Mapping[str, Any]) -> list[str]:
    """Flags with which Chromium sees the emulated hosts and no others; `described` is environment.json.

    All but loopback goes through the proxy, names are not looked up, and of unknown certificates only the one that
    was made at this start is trusted.
    """
    root = os.geteuid() == 0
    return [
        f"--proxy-server={described['environment']['https_proxy']}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
        f"--ignore-certificate-errors-spki-list={_key_fingerprint(Path(described['caFile']))}",
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
        *("--no-first-run", "--disable-quic", "--disable-background-networking", "--disable-component-update"),
        *("--disable-sync", "--disable-default-apps", "--no-default-browser-check"),
        *(("--no-sandbox",) if root else ()),  # Chromium refuses to start as root with it
    ]


def _key_fingerprint(ca_file: Path) -> str:
    """Base64 of SHA-256 of the public key in the server's certificate, which lies beside that of its authority."""
    certificate = x509.load_pem_x509_certificate(ca_file.with_name("server.pem").read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(key).digest()).decode()
