"""Microsoft's clouds: where Entra, Power BI, Key Vault and storage are in each.

Sources: Microsoft's "Embed content … for government and national clouds" (Power BI hosts and resources), "National
clouds" (Entra authorities), "Workload identity federation" (assertion audiences), each service's endpoint tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Cloud:
    """One cloud. `…_host` are bare host names, `powerbi_api` is a URL without a trailing slash."""

    name: str
    login_host: str
    powerbi_api: str
    powerbi_resource: str
    """Append `/.default` for the scope."""
    app_host: str
    """Where reports are shown: the host of embed URLs."""
    exchange_audience: str
    """Audience of the managed identity's token when it vouches for a registration (`federated`)."""
    vault_suffix: str
    storage_suffix: str
    issuers: tuple[str, ...] = field(repr=False)
    """Templates of the `iss` claim, for v1 and v2 tokens."""

    def token_issuers(self, tenant_id: str) -> frozenset[str]:
        """The `iss` values of tokens that this cloud's Entra issues for the tenant: version 1 and version 2."""
        return frozenset(template.format(tenant=tenant_id) for template in self.issuers)


_COMMERCIAL = {
    "login_host": "login.microsoftonline.com",
    "exchange_audience": "api://AzureADTokenExchange",
    "vault_suffix": "vault.azure.net",
    "storage_suffix": "core.windows.net",
}
_COMMERCIAL_ISSUERS = ("https://sts.windows.net/{tenant}/", "https://login.microsoftonline.com/{tenant}/v2.0")
_GOVERNMENT = {
    "login_host": "login.microsoftonline.us",
    "exchange_audience": "api://AzureADTokenExchangeUSGov",
    "vault_suffix": "vault.usgovcloudapi.net",
    "storage_suffix": "core.usgovcloudapi.net",
}
_GOVERNMENT_ISSUERS = ("https://sts.windows.net/{tenant}/", "https://login.microsoftonline.us/{tenant}/v2.0")

_ALL = (
    Cloud(
        name="public",
        powerbi_api="https://api.powerbi.com",
        powerbi_resource="https://analysis.windows.net/powerbi/api",
        app_host="app.powerbi.com",
        issuers=_COMMERCIAL_ISSUERS,
        **_COMMERCIAL,
    ),
    Cloud(  # GCC: Power BI of its own, but commercial Entra and Azure
        name="usgov",
        powerbi_api="https://api.powerbigov.us",
        powerbi_resource="https://analysis.usgovcloudapi.net/powerbi/api",
        app_host="app.powerbigov.us",
        issuers=_COMMERCIAL_ISSUERS,
        **_COMMERCIAL,
    ),
    Cloud(  # GCC High
        name="usgovhigh",
        powerbi_api="https://api.high.powerbigov.us",
        powerbi_resource="https://high.analysis.usgovcloudapi.net/powerbi/api",
        app_host="app.high.powerbigov.us",
        issuers=_GOVERNMENT_ISSUERS,
        **_GOVERNMENT,
    ),
    Cloud(  # DoD
        name="usgovmil",
        powerbi_api="https://api.mil.powerbigov.us",
        powerbi_resource="https://mil.analysis.usgovcloudapi.net/powerbi/api",
        app_host="app.mil.powerbigov.us",
        issuers=_GOVERNMENT_ISSUERS,
        **_GOVERNMENT,
    ),
    Cloud(  # 21Vianet; its authority has two names, and tokens may carry either as their issuer
        name="china",
        login_host="login.chinacloudapi.cn",
        powerbi_api="https://api.powerbi.cn",
        powerbi_resource="https://analysis.chinacloudapi.cn/powerbi/api",
        app_host="app.powerbi.cn",
        exchange_audience="api://AzureADTokenExchangeChina",
        vault_suffix="vault.azure.cn",
        storage_suffix="core.chinacloudapi.cn",
        issuers=(
            "https://sts.chinacloudapi.cn/{tenant}/",
            "https://login.chinacloudapi.cn/{tenant}/v2.0",
            "https://login.partner.microsoftonline.cn/{tenant}/v2.0",
        ),
    ),
)

CLOUDS: Mapping[str, Cloud] = MappingProxyType({cloud.name: cloud for cloud in _ALL})
