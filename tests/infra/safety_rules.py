"""What a security review would say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.infra.estate import Estate
from tests.infra.syntax import Expression, texts

ROLES = {
    "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1": "Storage Blob Data Reader",
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "19e7f393-937e-4f77-808e-94535e297925": "Storage Queue Data Reader",
    "8a0f0c08-91a1-4084-bc3d-661d67233fed": "Storage Queue Data Message Processor",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a": "Storage Queue Data Message Sender",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "76199698-9eea-4c19-bc75-cec21354c6b6": "Storage Table Data Reader",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
    "d5a91429-5739-47e2-a06b-3470a27159e7": "EventGrid Data Sender",
}
"""Data roles only: none that manages resources or other people's rights."""

REFUSED_SETTINGS = """
    ENABLE_ORYX_BUILD FUNCTIONS_EXTENSION_VERSION FUNCTIONS_MAX_HTTP_CONCURRENCY
    FUNCTIONS_WORKER_DYNAMIC_CONCURRENCY_ENABLED FUNCTIONS_WORKER_PROCESS_COUNT FUNCTIONS_WORKER_RUNTIME
    FUNCTIONS_WORKER_RUNTIME_VERSION SCM_DO_BUILD_DURING_DEPLOYMENT TZ WEBSITE_CONTENTAZUREFILECONNECTIONSTRING
    WEBSITE_CONTENTOVERVNET WEBSITE_CONTENTSHARE WEBSITE_DNS_SERVER WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT
    WEBSITE_NODE_DEFAULT_VERSION WEBSITE_RUN_FROM_PACKAGE WEBSITE_SKIP_CONTENTSHARE_VALIDATION WEBSITE_TIME_ZONE
    WEBSITE_VNET_ROUTE_ALL
"""
REFUSED_PROPERTIES = """
    alwaysOn containerSize ftpsState functionAppScaleLimit healthCheckPath isReserved javaVersion linuxFxVersion
    preWarmedInstanceCount use32BitWorkerProcess vnetRouteAllEnabled
"""
"""Functions' documentation names both as deprecated or refused on Flex Consumption."""
LOGGED = (
    "Microsoft.EventGrid/systemTopics",
    "Microsoft.KeyVault/vaults",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/queueServices",
    "Microsoft.Storage/storageAccounts/tableServices",
    "Microsoft.Web/sites",
)
TAGGED = (
    "Microsoft.EventGrid/systemTopics",
    "Microsoft.Insights/actionGroups",
    "Microsoft.Insights/components",
    "Microsoft.Insights/metricAlerts",
    "Microsoft.Insights/scheduledQueryRules",
    "Microsoft.Insights/workbooks",
    "Microsoft.KeyVault/vaults",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/privateDnsZones",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.Resources/resourceGroups",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Web/serverfarms",
    "Microsoft.Web/sites",
)
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KEY = re.compile(
    r"(?i)\blist(?:account)?(?:keys|sas|secrets?)\(|AccountKey=|SharedAccessSignature|\bsig=|InstrumentationKey="
)
_SECRET_NAME = re.compile(r"(?i)secret|password|passwd|pwd|accesskey|apikey|token$|connectionstring$")


def storage_is_closed(estate: Estate) -> Iterator[str]:
    """TLS 1.2, https only, no shared keys, nothing public, no local users."""
    wanted = {
        "minimumTlsVersion": "TLS1_2",
        "supportsHttpsTrafficOnly": True,
        "allowSharedKeyAccess": False,
        "allowBlobPublicAccess": False,
        "allowCrossTenantReplication": False,
        "defaultToOAuthAuthentication": True,
        "isLocalUserEnabled": False,
    }
    for place, account in estate.resources("Microsoft.Storage/storageAccounts"):
        yield from _differs(place, account.properties, wanted)
    for place, container in estate.resources("Microsoft.Storage/storageAccounts/blobServices/containers"):
        yield from _differs(place, container.properties, {"publicAccess": "None"})


def vault_is_safe(estate: Estate) -> Iterator[str]:
    """Rights by roles, and nothing is lost by deleting."""
    wanted = {"enableRbacAuthorization": True, "enableSoftDelete": True, "enablePurgeProtection": True}
    for place, vault in estate.resources("Microsoft.KeyVault/vaults"):
        yield from _differs(place, vault.properties, {**wanted, "softDeleteRetentionInDays": 90})
        if "accessPolicies" in vault.properties:
            yield f"{place}: access policies are there"


def app_is_closed(estate: Estate) -> Iterator[str]:
    """https only, TLS 1.2, no passwords for publishing."""
    for place, site in estate.resources("Microsoft.Web/sites"):
        yield from _differs(place, site.properties, {"httpsOnly": True})
        yield from _differs(place, site.properties["siteConfig"], {"minTlsVersion": "1.2", "scmMinTlsVersion": "1.2"})
    policies = dict(estate.resources("Microsoft.Web/sites/basicPublishingCredentialsPolicies"))
    closed = {each.body["name"] for each in policies.values() if each.properties.get("allow") is False}
    if closed != {"scm", "ftp"}:
        yield "function-app: passwords for publishing are not off"


def keys_are_useless(estate: Estate) -> Iterator[str]:
    """Telemetry is taken with Entra ID tokens only."""
    for place, component in estate.resources("Microsoft.Insights/components"):
        yield from _differs(place, component.properties, {"DisableLocalAuth": True})
    for place, workspace in estate.resources("Microsoft.OperationalInsights/workspaces"):
        yield from _differs(place, workspace.properties.get("features", {}), {"disableLocalAuth": True})


def no_secrets(estate: Estate) -> Iterator[str]:
    """No key is read, no secret stands in a default, a setting or an output."""
    for path, template in estate.templates.items():
        for found in _KEY.findall(template.text):
            yield f"{path}: reads or holds a key ({found})"
        for name, parameter in template.parameters.items():
            if "secure" in parameter.decorators and parameter.optional:
                yield f"{path}: the secure parameter {name} has a default"
            if _SECRET_NAME.search(name) and "secure" not in parameter.decorators:
                yield f"{path}: the parameter {name} is named like a secret"
        for name in template.outputs:
            if _SECRET_NAME.search(name):
                yield f"{path}: the output {name} is named like a secret"
    for name in settings(estate):
        if _SECRET_NAME.search(name) and name != "APPLICATIONINSIGHTS_CONNECTION_STRING":
            yield f"the setting {name} is named like a secret"
    for place, credential in credentials(estate).items():
        if not re.fullmatch(r"(secret|certificate):[A-Za-z0-9-]{1,127}|federated|managedIdentity", credential):
            yield f"{place}: the credential is not the name of a secret"


def settings(estate: Estate) -> dict[str, Any]:
    """Every app setting: the whole set stands in one place, for a deployment replaces all of it."""
    sets = [each for _, each in estate.resources("Microsoft.Web/sites/config") if each.body["name"] == "appsettings"]
    return sets[0].properties


def credentials(estate: Estate) -> dict[str, str]:
    """How each registration proves itself, in each stage."""
    return {
        f"{stage}: {name}": each["credential"]
        for stage in estate.stages
        for name, each in estate.given(stage)["powerbi"].items()
        if isinstance(each, dict)
    }


def nothing_that_flex_refuses(estate: Estate) -> Iterator[str]:
    """None of the settings and properties that belong to other plans."""
    for name in sorted(set(settings(estate)) & set(REFUSED_SETTINGS.split())):
        yield f"the setting {name} is refused on Flex Consumption"
    for place, site in estate.resources("Microsoft.Web/sites"):
        for name in sorted(set(texts(site.properties)) & set(REFUSED_PROPERTIES.split())):
            yield f"{place}: {name} is refused on Flex Consumption"


def roles_are_known(estate: Estate) -> Iterator[str]:
    """Every role id is one of the table, and the comment beside it says its name."""
    for path, template in estate.templates.items():
        for line in template.text.splitlines():
            for guid in _GUID.findall(line):
                if not line.strip().endswith(f"// {ROLES.get(guid, '?')}"):
                    yield f"{path}: {guid} is {ROLES.get(guid, 'no role of the table')}"


def assignments_are_narrow(estate: Estate) -> Iterator[str]:
    """A role is assigned on one resource, under a name that is the same at every run."""
    for place, assignment in estate.resources("Microsoft.Authorization/roleAssignments"):
        scope, name = assignment.body.get("scope"), assignment.body.get("name")
        principal, role = assignment.properties.get("principalId"), assignment.properties.get("roleDefinitionId")
        if scope is None:
            yield f"{place}: no scope, so it holds for the resource group"
            continue
        role_name = re.findall(r"(\w+)\)$", _text(role))
        if _text(name) != f"guid({_text(scope)}.id, {_text(principal)}, {''.join(role_name)})":
            yield f"{place}: its name is not made of its own scope, principal and role"
        if not assignment.properties.get("principalType"):
            yield f"{place}: no principalType"


def everything_is_logged(estate: Estate) -> Iterator[str]:
    """Every resource that has logs or figures sends them to the workspace."""
    for path, template in estate.templates.items():
        logged = {
            _text(each.body.get("scope"))
            for each in template.resources.values()
            if each.type == "Microsoft.Insights/diagnosticSettings"
            and "workspaceId" in each.properties
            and (each.properties.get("logs") or each.properties.get("metrics"))
        }
        for resource in template.resources.values():
            if not resource.existing and resource.type in LOGGED and resource.symbol not in logged:
                yield f"{path}: {resource.symbol} is not logged"


def everything_is_tagged(estate: Estate) -> Iterator[str]:
    """Whatever takes tags has them."""
    for place, resource in estate.resources(*TAGGED):
        if "ags" not in _text(resource.body.get("tags")):
            yield f"{place}: no tags"


def one_switch_closes_the_doors(estate: Estate) -> Iterator[str]:
    """With private networking on, nothing that holds data or serves callers can be reached from the internet."""
    for path, module, _ in estate.modules():
        followed = "!networking.private" if path == "main.bicep" else "publicAccess"
        if "publicAccess" in module.params and _text(module.params["publicAccess"]) != followed:
            yield f"{module.symbol}: publicAccess does not follow the switch"
    kinds = ("Microsoft.Storage/storageAccounts", "Microsoft.KeyVault/vaults", "Microsoft.Web/sites")
    for place, resource in estate.resources(*kinds):
        if _text(resource.properties.get("publicNetworkAccess")) != "publicAccess ? 'Enabled' : 'Disabled'":
            yield f"{place}: publicNetworkAccess does not follow publicAccess"
        rules = resource.properties.get("networkAcls")
        if isinstance(rules, dict) and _text(rules.get("defaultAction")) != "publicAccess ? 'Allow' : 'Deny'":
            yield f"{place}: the firewall does not follow publicAccess"


def stages_are_closed_and_apart(estate: Estate) -> Iterator[str]:
    """Beside dev, every stage is private and checks tokens before the app does; networks don't overlap."""
    prefixes = [estate.given(stage)["networking"]["addressPrefix"] for stage in estate.stages]
    if len(set(prefixes)) < len(prefixes):
        yield f"networks overlap: {prefixes}"
    for stage in estate.stages.keys() - {"dev"}:
        given = estate.given(stage)
        if not given["networking"]["private"]:
            yield f"{stage} has a public door"
        if not given["api"]["platformAuthentication"]:
            yield f"{stage} lets requests without a token into the app"


def what_is_closed_can_still_be_reached(estate: Estate) -> Iterator[str]:
    """Behind closed doors the app has a way to all its data, in an existing account too, and Event Grid to queues."""
    [network] = estate.uses("network")
    targets = _text(network.params["targets"])
    for name, service in [
        ("names.storage", "blob"),
        ("names.storage", "queue"),
        ("names.storage", "table"),
        ("names.vault", "vault"),
        ("landingAccount", "blob"),
    ]:
        if not re.search(rf"(?m)^\s*{{ name: {name}, service: '{service}'", targets):
            yield f"network: no endpoint for {service} of {name}"
    for path in ("storage", "landing-account"):
        account = next(each for each in estate.module(path).resources.values() if each.symbol == "account")
        if account.properties["networkAcls"].get("bypass") != "AzureServices":
            yield f"{path}: Event Grid, a trusted service, is shut out"
    for place, topic in estate.resources("Microsoft.EventGrid/systemTopics"):
        if topic.body.get("identity") != {"type": "SystemAssigned"}:
            yield f"{place}: a firewall lets no other than a system-assigned identity deliver"


def platform_authentication_lets_callers_in(estate: Estate) -> Iterator[str]:
    """App Service checks one issuer: the callers' tenant, which is not always Power BI's, and never more than one."""
    for _, config in estate.resources("Microsoft.Web/sites/config"):
        if config.body["name"] != "authsettingsV2":
            continue
        directory = config.properties["identityProviders"]["azureActiveDirectory"]
        if "${api.tenantIds[0]}" not in _text(directory["registration"]["openIdIssuer"]):
            yield "function-app: the issuer is not the callers' tenant"
        if config.properties["globalValidation"].get("unauthenticatedClientAction") != "Return401":
            yield "function-app: callers without a token are not refused"
    for stage in estate.stages:
        api = estate.given(stage)["api"]
        if api["platformAuthentication"] and len(api["tenantIds"]) != 1:
            yield f"{stage}: platform authentication lets in one tenant, not {len(api['tenantIds'])}"


def _differs(place: str, properties: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    for name, value in wanted.items():
        if properties.get(name) != value:
            yield f"{place}: {name} is {properties.get(name)}, not {value}"


def _text(value: Any) -> str:
    return value.text if isinstance(value, Expression) else str(value)
