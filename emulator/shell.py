"""`eval "$(python -m emulator.shell [client])"`: what a shell needs to call the running app as one of its clients."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

STATE_DIR = "EMULATOR_STATE_DIR"
"""Environment variable for an emulator that was started with another --state-dir."""


def variables(described: dict[str, Any], client: str) -> dict[str, str]:
    """Shell variables by name. Raises KeyError for a client that the emulator does not know."""
    known = described["clients"][client]
    return {
        "API": f"{described['functionsUrl']}/api",
        "ENTRA": f"https://login.microsoftonline.com/{described['tenantId']}/oauth2/v2.0/token",
        "SCOPE": described["api"]["scope"],
        "CLIENT_ID": known["clientId"],
        "CLIENT_SECRET": known["clientSecret"],
        "CA": described["caFile"],
        "PROXY": described["environment"]["https_proxy"],
        "CONTROL": f"{described['controlUrl']}/_emulator",
        "STORAGE": described["storageConnectionString"],
    }


def main(arguments: list[str]) -> int:
    """0, or 1 with a sentence where nothing runs or the client is unknown."""
    client = arguments[0] if arguments else "customer-portal"
    environment = Path(os.environ.get(STATE_DIR, ".emulator")) / "environment.json"
    if not environment.exists():
        print("Nothing runs here: start `make run` in another terminal first.", file=sys.stderr)
        return 1
    described = json.loads(environment.read_text())
    if client not in described["clients"]:
        print(f"There is no client '{client}'; known are {', '.join(described['clients'])}.", file=sys.stderr)
        return 1
    for name, value in variables(described, client).items():
        print(f"{name}={shlex.quote(value)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
