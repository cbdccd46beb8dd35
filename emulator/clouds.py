"""The national clouds that the emulator plays: which hosts belong to which, and what each calls its resources.

Hosts and resources of Power BI: https://learn.microsoft.com/power-bi/developer/embedded/embed-sample-for-customers-national-clouds
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulator.seed import KEY_VAULT_NAME, STORAGE_ACCOUNT


@dataclass(frozen=True)
class EmulatedCloud:
    """One cloud. The first login host is the one to which its documents point."""

    name: str
    login_hosts: tuple[str, ...]
    v1_issuer: str
    """Issuer of version 1 tokens, before the tenant and a slash."""
    v2_issuer: str
    """Issuer of version 2 tokens, before the tenant and `/v2.0`."""
    powerbi: Mapping[str, str]
    """Where Power BI is reached (`api.` and `app.` before it), and the host that its resource is called after."""
    vault_suffix: str
    storage_suffix: str
    management: str
    exchange_audience: str

    @property
    def vault_host(self) -> str:
        """The one vault that exists in this cloud."""
        return f"{KEY_VAULT_NAME}.{self.vault_suffix}"

    @property
    def vault_resource(self) -> str:
        """The audience of tokens for Key Vault."""
        return f"https://{self.vault_suffix}"

    def storage_host(self, kind: str) -> str:
        """The host of the one storage account; `kind` is blob, queue or table."""
        return f"{STORAGE_ACCOUNT}.{kind}.{self.storage_suffix}"

    def resources(self) -> tuple[str, ...]:
        """Every resource, other than our own API, for which Entra issues tokens here; without a slash at the end."""
        storage = ("https://storage.azure.com", *(f"https://{self.storage_host(kind)}" for kind in STORAGE_KINDS))
        powerbi = (f"https://{analysis}/powerbi/api" for analysis in self.powerbi.values())
        apis = (f"https://api.{domain}" for domain in self.powerbi)
        return (*powerbi, *apis, self.vault_resource, *storage, self.management)


STORAGE_KINDS = ("blob", "queue", "table")
EXCHANGE_APP_ID = "fb60f99c-7a34-4190-8149-302f77469936"
"""Entra's own application behind the exchange audience: what stands in `aud` of a token asked for that audience."""

PUBLIC = EmulatedCloud(
    name="public",
    login_hosts=("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"),
    v1_issuer="https://sts.windows.net/",
    v2_issuer="https://login.microsoftonline.com/",
    powerbi={
        "powerbi.com": "analysis.windows.net",
        "powerbigov.us": "analysis.usgovcloudapi.net",  # GCC lives behind the commercial authority
    },
    vault_suffix="vault.azure.net",
    storage_suffix="core.windows.net",
    management="https://management.azure.com",
    exchange_audience="api://AzureADTokenExchange",
)
US_GOVERNMENT = EmulatedCloud(
    name="usgovernment",
    login_hosts=("login.microsoftonline.us", "login.usgovcloudapi.net"),
    v1_issuer="https://sts.windows.net/",
    v2_issuer="https://login.microsoftonline.us/",
    powerbi={
        "high.powerbigov.us": "high.analysis.usgovcloudapi.net",
        "mil.powerbigov.us": "mil.analysis.usgovcloudapi.net",
    },
    vault_suffix="vault.usgovcloudapi.net",
    storage_suffix="core.usgovcloudapi.net",
    management="https://management.usgovcloudapi.net",
    exchange_audience="api://AzureADTokenExchangeUSGov",
)
CHINA = EmulatedCloud(
    name="china",
    login_hosts=("login.chinacloudapi.cn", "login.partner.microsoftonline.cn"),
    v1_issuer="https://sts.chinacloudapi.cn/",
    v2_issuer="https://login.partner.microsoftonline.cn/",
    powerbi={"powerbi.cn": "analysis.chinacloudapi.cn"},
    vault_suffix="vault.azure.cn",
    storage_suffix="core.chinacloudapi.cn",
    management="https://management.chinacloudapi.cn",
    exchange_audience="api://AzureADTokenExchangeChina",
)
CLOUDS = (PUBLIC, US_GOVERNMENT, CHINA)

POWERBI_HOSTS = tuple(f"{kind}.{domain}" for kind in ("api", "app") for cloud in CLOUDS for domain in cloud.powerbi)
POWERBI_REGION_HOST = "wabi-west-europe-redirect.analysis.windows.net"
"""The home of the tenant in Power BI, to which answers point: contexts, embed URLs, the log's next page."""


def cloud_of_login(host: str) -> EmulatedCloud:
    """The cloud to which a login host belongs; raises KeyError."""
    return next(cloud for cloud in CLOUDS if host in cloud.login_hosts)


def all_host_names() -> list[str]:
    """Every name that the emulator's certificate has to carry, whichever service answers it."""
    names = [*POWERBI_HOSTS, POWERBI_REGION_HOST]
    for cloud in CLOUDS:
        names += [*cloud.login_hosts, f"*.{cloud.vault_suffix}"]
        names += [f"*.{kind}.{cloud.storage_suffix}" for kind in STORAGE_KINDS]
    return names
