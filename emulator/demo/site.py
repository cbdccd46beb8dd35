"""The sample customer portal (samples/embed), as a customer of the running emulated cloud."""

from __future__ import annotations

import os
import queue
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from emulator.demo.browser import NAMES, chromium_flags, find_chromium
from emulator.demo.stage import PROJECT, DemoFailed, Json
from emulator.processes import dying_with_us

PORTAL = PROJECT / "samples" / "embed" / "portal.py"
LOG = PROJECT / "build" / "portal.log"
_PATIENCE = 30.0


def portal_environment(described: Json) -> dict[str, str]:
    """How the portal finds its Entra, its API and nothing outside; `described` is environment.json."""
    known = described["clients"]["customer-portal"]
    kept = {name: value for name, value in os.environ.items() if name not in described["removeEnvironment"]}
    return {
        **kept,
        **described["environment"],
        "PORTAL_API": f"{described['functionsUrl']}/api",
        "PORTAL_TENANT_ID": described["tenantId"],
        "PORTAL_CLIENT_ID": known["clientId"],
        "PORTAL_CLIENT_SECRET": known["clientSecret"],
        "PORTAL_SCOPE": described["api"]["scope"],
    }


@contextmanager
def portal_running(environment: Mapping[str, str]) -> Iterator[str]:
    """The portal's address, for as long as this lasts. Raises DemoFailed if it does not start."""
    LOG.parent.mkdir(exist_ok=True)
    with (
        LOG.open("a") as log,
        subprocess.Popen(
            dying_with_us([sys.executable, str(PORTAL)]),
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            yield _address(process.stdout)
        finally:
            process.terminate()
            process.wait(10)


def browser_command(described: Json, address: str) -> str:
    """What to type to visit the portal: a browser of its own that sees the emulated hosts and no others."""
    browser = find_chromium() or NAMES[0]
    options = [*chromium_flags(described), address]
    return f'{browser} --user-data-dir="$(mktemp -d)" {shlex.join(options)}'


def _address(out: IO[str]) -> str:
    found: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: found.put(out.readline()), daemon=True).start()
    try:
        line = found.get(timeout=_PATIENCE)
    except queue.Empty:
        line = ""
    if not line.startswith("READY "):
        raise DemoFailed(f"The sample portal did not start; see {LOG}")
    return line.removeprefix("READY ").strip()
