"""Nothing may leave the machine: the app runs with its production host names, so this is checked before it is loaded.

Three fences, one behind the other: the proxy variables must point to loopback; the emulator must answer through that
proxy with the value that it gave to its children; and this process can't connect to, or look up, anything but loopback.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from collections.abc import Mapping, MutableMapping
from urllib.parse import urlsplit

from emulator.host.errors import CannotStart

CANARY = "https://canary.emulator.invalid/"
_PROXIES = (
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "ftp_proxy",
    "FTP_PROXY",
)
_HTTPS = ("https_proxy", "HTTPS_PROXY")
_EXCEPTIONS = ("no_proxy", "NO_PROXY")
_START = "start the host through the emulator (python -m emulator), whose environment leads there"


def is_loopback(host: str) -> bool:
    """Whether `host` is a name or address of this machine only."""
    if host.lower().rstrip(".") in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]").partition("%")[0]).is_loopback
    except ValueError:
        return False


def require_emulator(environment: Mapping[str, str]) -> None:
    """Raise CannotStart unless all traffic leads to the emulator, and it answers."""
    faults = proxy_faults(environment)
    if not faults:
        fault = _canary_fault(environment.get("EMULATOR_CANARY", ""))
        faults = [fault] if fault else []
    if faults:
        raise CannotStart([f"{fault}. The host only runs against the emulated cloud: {_START}" for fault in faults])


def proxy_faults(environment: Mapping[str, str]) -> list[str]:
    """What in these variables would let a request past the emulator's proxy."""
    faults = []
    if not any(environment.get(name) for name in _HTTPS):
        faults.append("HTTPS_PROXY is not set")
    for name in _PROXIES:
        if environment.get(name) and not is_loopback(_host(environment[name])):
            faults.append(f"{name} does not point to loopback")
    for name in _EXCEPTIONS:
        hosts = [host.strip() for host in environment.get(name, "").split(",") if host.strip()]
        if strange := [host for host in hosts if not is_loopback(host) and not is_loopback(_host(host))]:
            faults.append(f"{name} lets {', '.join(strange)} past the proxy")
    return faults


def _host(address: str) -> str:
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname or "?"
    except ValueError:
        return "?"


def _canary_fault(expected: str) -> str:
    import requests

    if not expected:
        return "EMULATOR_CANARY is not set"
    try:
        answer = requests.get(CANARY, timeout=10)
        found = answer.json()
    except requests.RequestException as error:
        return f"the canary {CANARY} did not answer through the proxy ({type(error).__name__})"
    if answer.status_code != 200 or found != {"canary": expected}:
        return f"the canary {CANARY} answered something else than the emulator that set EMULATOR_CANARY would"
    return ""


def cut_off(environment: MutableMapping[str, str]) -> None:
    """For tests without a cloud: every request to a real host name ends at a closed port of this machine."""
    for name in (*_PROXIES, *_EXCEPTIONS):
        environment.pop(name, None)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    for name in _HTTPS:
        environment[name] = f"http://127.0.0.1:{port}"
    for name in _EXCEPTIONS:
        environment[name] = "127.0.0.1,localhost"


def fence_in() -> None:
    """From now on this process can connect to loopback only, whatever its libraries think of proxy variables."""
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not is_loopback(str(address[0])):
            raise OSError(errno.ENETUNREACH, f"{os.strerror(errno.ENETUNREACH)}: {address[0]} is not loopback")
    elif event == "socket.getaddrinfo" and arguments[0] is not None:
        name = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0])
        if not is_loopback(name):
            raise socket.gaierror(socket.EAI_NONAME, f"{name} is not loopback, and nothing may leave the machine")
