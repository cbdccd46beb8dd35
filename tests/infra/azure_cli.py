"""A machine whose Azure CLI is a stand-in that keeps its state in a file, and how to run a script there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

STAND_IN = Path(__file__).with_name("azure_cli_stand_in.py")
VAULT_VALUE = "from-one-program-to-the-next"
"""What it gives out as a new client secret."""


def machine_in(folder: Path) -> dict[str, str]:
    """Its environment."""
    program = folder / "az"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -IS "{STAND_IN}" "$@"\n')
    program.chmod(0o755)
    return {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "STATE": str(folder / "state.json"),
        "STORAGE_ACCOUNT_NAME": "st1",
        "CONFIG_CONTAINER": "config",
        "API_SCOPE": "api://x/.default",
        "DEPLOYMENT_PATIENCE_SECONDS": "2",
        "DEPLOYMENT_PAUSE_SECONDS": "0.02",
        "no_proxy": "*",
    }


def state(machine: dict[str, str]) -> dict[str, Any]:
    """What the stand-in knows by now."""
    found: dict[str, Any] = json.loads(Path(machine["STATE"]).read_text())
    return found


def run(machine: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Until it ends, well or badly."""
    return subprocess.run(list(command), env=machine, capture_output=True, text=True, check=False, timeout=30)
