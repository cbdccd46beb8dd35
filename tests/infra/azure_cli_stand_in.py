"""Stands in for the Azure CLI: keeps a tenant, and every call, in the file STATE. `azure_cli` installs it."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

ASKED = sys.argv[1:]
STATE = Path(os.environ.get("STATE", "state.json"))
EMPTY: dict[str, Any] = {"apps": {}, "sps": [], "groups": [], "members": [], "federated": {}, "calls": [], "vault": {}}
KNOWN: dict[str, Any] = json.loads(STATE.read_text()) if STATE.exists() else EMPTY


def value(name: str) -> str:
    """Of an option, or nothing."""
    return ASKED[ASKED.index(name) + 1] if name in ASKED else ""


def end(text: str = "", status: int = 0) -> NoReturn:
    """Keep what is known, answer and exit."""
    KNOWN["calls"].append(" ".join(ASKED))
    written = STATE.with_name(f"state.{os.getpid()}")
    written.write_text(json.dumps(KNOWN))
    written.replace(STATE)  # whole, for the shell runs two of these at once
    if text:
        print(text)
    sys.exit(status)


def cloud() -> NoReturn:
    named = os.environ.get("CLOUD", "AzureCloud")
    logins = {
        "AzureUSGovernment": "https://login.microsoftonline.us",
        "AzureChinaCloud": "https://login.chinacloudapi.cn",
    }
    facts = {
        "name": named,
        "endpoints.activeDirectory": logins.get(named, "https://login.microsoftonline.com"),
        "endpoints.microsoftGraphResourceId": "https://graph.microsoft.com/",
    }
    end(facts[value("--query")])


def upload() -> NoReturn:
    """Refused as often as REFUSALS says."""
    KNOWN["failures"] = KNOWN.get("failures", int(os.environ.get("REFUSALS", "0"))) - 1
    end(status=1 if KNOWN["failures"] >= 0 else 0)


def create_application() -> NoReturn:
    name = value("--display-name")
    KNOWN["apps"][name] = f"id-of-{name}"
    end(KNOWN["apps"][name])


def added(kind: str, one: str) -> NoReturn:
    KNOWN[kind].append(one)
    end()


def list_federated() -> NoReturn:
    """The one that a registration has, if it meets the query's conditions."""
    kept = KNOWN["federated"].get(value("--id"))
    conditions = re.findall(r"(issuer|subject|audiences)(?:\[0\])?=='(.+?)'", value("--query"))
    meets = kept and all(kept[field] in (wanted, [wanted]) for field, wanted in conditions)
    end(f"credential-of-{value('--id')}" if meets else "")


def keep_federated() -> NoReturn:
    KNOWN["federated"][value("--id")] = json.loads(value("--parameters"))
    end()


def keep_secret() -> NoReturn:
    KNOWN["vault"][value("--name")] = sys.stdin.read()
    end()


ANSWERS: dict[str, Callable[[], NoReturn]] = {
    "account show": lambda: end(os.environ.get("TENANT", "tenant-1")),
    "account get-access-token": lambda: end("a-token"),
    "cloud show": cloud,
    "storage blob upload": upload,
    "ad app list": lambda: end(KNOWN["apps"].get(value("--display-name"), "")),
    "ad app create": create_application,
    "ad app show": lambda: end(f"object-{value('--id')}"),
    "ad sp show": lambda: end(
        f"sp-{value('--id')}" if value("--query") else "", 0 if value("--id") in KNOWN["sps"] else 3
    ),
    "ad sp create": lambda: added("sps", value("--id")),
    "ad group show": lambda: end(status=0 if value("--group") in KNOWN["groups"] else 3),
    "ad group create": lambda: added("groups", value("--display-name")),
    "ad group member check": lambda: end(str(value("--member-id") in KNOWN["members"]).lower()),
    "ad group member add": lambda: added("members", value("--member-id")),
    "ad app federated-credential list": list_federated,
    "ad app federated-credential create": keep_federated,
    "ad app federated-credential update": keep_federated,
    "ad app credential reset": lambda: end("from-one-program-to-the-next"),
    "keyvault secret set": keep_secret,
}

if __name__ == "__main__":
    said = " ".join(ASKED)
    for command, answer in ANSWERS.items():
        if said.startswith(command):
            answer()
    end()
