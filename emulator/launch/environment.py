"""How everybody finds their way: environment.json, the environment of a client, the app's settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emulator import seed
from emulator.clouds import PUBLIC
from emulator.http import Json
from emulator.network.certificates import write_private

REMOVED_VARIABLES = (
    # other ways out of this machine
    *("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "ftp_proxy", "FTP_PROXY", "socks_proxy", "SOCKS_PROXY"),
    # other ideas of whom to trust
    *("SSL_CERT_DIR", "NODE_TLS_REJECT_UNAUTHORIZED", "PYTHONHTTPSVERIFY"),
    # other identities, and other places to ask for tokens
    *("AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_USERNAME", "AZURE_PASSWORD"),
    *("AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST", "AZURE_POD_IDENTITY_AUTHORITY_HOST"),
    *("IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET"),
    *("AZURE_REGIONAL_AUTHORITY_NAME", "MSAL_FORCE_REGION", "REGION_NAME"),
)
_APP_PREFIXES = ("AzureWebJobs", "LANDING_STORAGE", "POWERBI_", "EVENTS_TOPIC_ENDPOINT")
"""Settings of the app that a developer's shell may still have from elsewhere."""


@dataclass(frozen=True)
class Places:
    """Where things ended up at this start."""

    proxy_url: str
    control_url: str
    identity_endpoint: str
    identity_header: str
    ca_file: Path
    canary: str
    storage_connection_string: str
    storage_by_identity: bool
    functions_url: str | None


def client_environment(places: Places) -> dict[str, str]:
    """Every variable that a client in whatever language needs, to reach the emulated cloud and nothing else."""
    ca = str(places.ca_file)
    proxied = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), places.proxy_url)
    direct = dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost")
    trusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), ca)
    return {
        **proxied,
        **direct,
        **trusted,
        "NODE_USE_ENV_PROXY": "1",
        "IDENTITY_ENDPOINT": places.identity_endpoint,
        "IDENTITY_HEADER": places.identity_header,
        "AZURE_CLIENT_ID": seed.MANAGED_IDENTITY_CLIENT_ID,
        "AZURE_TOKEN_CREDENTIALS": "managedidentitycredential",
        "EMULATOR_CANARY": places.canary,
        "PYTHONUTF8": "1",
    }


def app_settings(places: Places) -> dict[str, str]:
    """The app's settings, as a deployment to this cloud would have them."""
    settings = {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "PYTHON_THREADPOOL_THREAD_COUNT": "32",  # as deployed: the work waits for other services, not for a core
        "POWERBI_CLOUD": "public",
        "POWERBI_TENANT_ID": seed.TENANT_ID,
        "MANAGED_IDENTITY_CLIENT_ID": seed.MANAGED_IDENTITY_CLIENT_ID,
        "KEY_VAULT_URL": f"https://{PUBLIC.vault_host}/",
        "API_AUDIENCE": f"{seed.API_APP_URI},{seed.API_APP_ID}",
        "API_TENANT_ID": seed.TENANT_ID,
    }
    for app in seed.APPLICATIONS:
        if app.credential:
            settings[f"POWERBI_{app.name.upper()}_CLIENT_ID"] = app.client_id
            settings[f"POWERBI_{app.name.upper()}_CREDENTIAL"] = app.credential
    for name in ("AzureWebJobsStorage", "LANDING_STORAGE"):
        settings |= _storage_settings(name, places)
    return settings


def _storage_settings(name: str, places: Places) -> dict[str, str]:
    if not places.storage_by_identity:
        return {name: places.storage_connection_string}
    return {
        f"{name}__accountName": seed.STORAGE_ACCOUNT,
        f"{name}__credential": "managedidentity",
        f"{name}__clientId": seed.MANAGED_IDENTITY_CLIENT_ID,
    }


def child_environment(places: Places, base: Mapping[str, str]) -> dict[str, str]:
    """What the bundled host runs with: nothing of `base` that would lead elsewhere."""
    kept = {
        name: value
        for name, value in base.items()
        if name not in REMOVED_VARIABLES and not name.startswith(_APP_PREFIXES)
    }
    return {**kept, **client_environment(places), **app_settings(places)}


def describe(places: Places, secrets: Mapping[str, str], passwords: Mapping[str, str]) -> Json:
    """The document environment.json. `secrets`: by application name; `passwords`: by user principal name."""
    return {
        "environment": client_environment(places),
        "removeEnvironment": list(REMOVED_VARIABLES),
        "settings": app_settings(places),
        "functionsUrl": places.functions_url,
        "controlUrl": places.control_url,
        "caFile": str(places.ca_file),
        "storageConnectionString": places.storage_connection_string,
        "tenantId": seed.TENANT_ID,
        "api": {"audience": seed.API_APP_URI, "scope": f"{seed.API_APP_URI}/.default"},
        "clients": {
            app.name: {"clientId": app.client_id, "clientSecret": secrets[app.name], "roles": list(app.roles)}
            for app in seed.APPLICATIONS
        },
        "people": dict(passwords),
        "seed": {
            "workspaces": {workspace.name: workspace.id for workspace in seed.WORKSPACES},
            "datasets": {dataset.name: dataset.id for dataset in seed.DATASETS},
            "reports": {report.name: report.id for report in seed.REPORTS},
            "capacities": {capacity.name: capacity.id for capacity in seed.CAPACITIES},
            "users": {person.upn: person.object_id for person in seed.PEOPLE},
            "groups": {group.name: group.object_id for group in seed.GROUPS},
        },
    }


def write_description(path: Path, document: Json) -> None:
    """Write it for its owner alone: it holds the secrets of the emulated clients."""
    write_private(path, json.dumps(document, indent=2).encode())
