"""The infrastructure keeps our rules, and each rule catches what it is there for: broken on purpose, on copies."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.infra import language_rules as language
from tests.infra import safety_rules as safety
from tests.infra.estate import INFRA, STAGES, Estate, broken, estate

Rule = Callable[[Estate], Iterator[str]]

RULES: tuple[Rule, ...] = (
    language.parses,
    language.names_agree,
    language.modules_fit,
    language.stages_fit,
    language.described,
    language.files_are_there,
    language.versions_published,
    safety.storage_is_closed,
    safety.vault_is_safe,
    safety.app_is_closed,
    safety.keys_are_useless,
    safety.no_secrets,
    safety.nothing_that_flex_refuses,
    safety.roles_are_known,
    safety.assignments_are_narrow,
    safety.everything_is_logged,
    safety.everything_is_tagged,
    safety.one_switch_closes_the_doors,
)

STORAGE, APP, ROLES = "modules/storage.bicep", "modules/function-app.bicep", "modules/roles.bicep"
MAIN, VAULT, LANDING = "main.bicep", "modules/vault.bicep", "modules/landing.bicep"
MONITORING, TOPIC = "modules/monitoring.bicep", "modules/landing-topic.bicep"

CAUGHT: tuple[tuple[Rule, str, str, str, str], ...] = (
    (language.parses, STORAGE, "kind: 'StorageV2'", "kind 'StorageV2'", "line"),
    (language.parses, "prod.bicepparam", "= 2048", "= = 2048", "line"),
    (
        language.names_agree,
        MAIN,
        "location: landingLocation",
        "location: landingRegion",
        "landingRegion is not declared",
    ),
    (language.names_agree, VAULT, "name: name\n", "name: 'kv'\n", "name is not used"),
    (language.names_agree, "dev.bicepparam", "[tenantId]", "[tenant]", "tenant is not declared"),
    (language.modules_fit, MAIN, "queue: storage.outputs.landedQueue", "qeue: storage.outputs.landedQueue", "qeue"),
    (language.modules_fit, MAIN, "storage.outputs.packageUrl", "storage.outputs.packageUri", "no output packageUri"),
    (language.modules_fit, MAIN, "modules/vault.bicep", "modules/vaults.bicep", "there is no modules/vaults.bicep"),
    (language.modules_fit, VAULT, "param workspaceId string", "param workspace string", "workspace is missing"),
    (language.stages_fit, "prod.bicepparam", "instanceMemoryMB = 2048", "instanceMemoryMB = 1024", "must be one of"),
    (language.stages_fit, "prod.bicepparam", "maximumInstanceCount = 40", "maximumInstanceCount = 4000", "too large"),
    (language.stages_fit, "prod.bicepparam", "zoneRedundant = true", "zoneRedundant = 'true'", "is no bool"),
    (language.stages_fit, "test.bicepparam", "param storageSku", "param storageSKU", "no parameter storageSKU"),
    (language.stages_fit, "dev.bicepparam", "param runbookUrl", "var runbookUrl", "runbookUrl is missing"),
    (language.described, MAIN, "@description('Azure region.')\n", "", "location is not described"),
    (language.described, MAIN, "@minValue(1)\n@maxValue(64)\n", "", "httpConcurrency is not bounded"),
    (language.files_are_there, "modules/alerts.bicep", "overdue-work.kql", "overdue.kql", "there is no"),
    (language.versions_published, VAULT, "vaults@2024-11-01", "vaults@2024-11-02", "not 2024-11-01"),
    (safety.storage_is_closed, STORAGE, "TLS1_2", "TLS1_0", "minimumTlsVersion"),
    (safety.storage_is_closed, STORAGE, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", "allowSharedKey"),
    (safety.storage_is_closed, LANDING, "allowBlobPublicAccess: false", "allowBlobPublicAccess: true", "allowBlob"),
    (safety.storage_is_closed, LANDING, "supportsHttpsTrafficOnly: true\n", "", "supportsHttpsTrafficOnly"),
    (safety.storage_is_closed, STORAGE, "publicAccess: 'None'", "publicAccess: 'Blob'", "publicAccess"),
    (
        safety.vault_is_safe,
        VAULT,
        "enablePurgeProtection: true",
        "enablePurgeProtection: null",
        "enablePurgeProtection",
    ),
    (safety.vault_is_safe, VAULT, "enableRbacAuthorization: true", "enableRbacAuthorization: false", "enableRbac"),
    (safety.app_is_closed, APP, "httpsOnly: true", "httpsOnly: false", "httpsOnly"),
    (safety.app_is_closed, APP, "minTlsVersion: '1.2'", "minTlsVersion: '1.0'", "minTlsVersion"),
    (
        safety.app_is_closed,
        APP,
        "name: 'ftp'\n  properties: { allow: false }",
        "name: 'ftp'\n  properties: { allow: true }",
        "passwords",
    ),
    (safety.keys_are_useless, MONITORING, "DisableLocalAuth: true", "DisableLocalAuth: false", "DisableLocalAuth"),
    (
        safety.no_secrets,
        STORAGE,
        "output name string = account.name",
        "output name string = account.listKeys().keys[0].value",
        "listKeys",
    ),
    (
        safety.no_secrets,
        MAIN,
        "param powerbiTenantId",
        "param tenantSecret string = 'x'\nparam powerbiTenantId",
        "tenantSecret",
    ),
    (
        safety.no_secrets,
        MAIN,
        "POWERBI_CLOUD: powerbiCloud",
        "POWERBI_EMBED_SECRET: powerbiCloud",
        "POWERBI_EMBED_SECRET",
    ),
    (safety.no_secrets, MAIN, "'secret:powerbi-embed'", "'hunter2'", "POWERBI_EMBED_CREDENTIAL"),
    (
        safety.nothing_that_flex_refuses,
        APP,
        "PYTHON_THREADPOOL_THREAD_COUNT:",
        "FUNCTIONS_WORKER_RUNTIME:",
        "FUNCTIONS_WORKER_RUNTIME",
    ),
    (safety.nothing_that_flex_refuses, APP, "http20Enabled: true", "alwaysOn: true", "alwaysOn"),
    (safety.roles_are_known, ROLES, "974c5e8b", "974c5e8c", "no role of the table"),
    (
        safety.roles_are_known,
        ROLES,
        "// Key Vault Secrets User",
        "// Key Vault Secrets Officer",
        "Key Vault Secrets User",
    ),
    (
        safety.roles_are_known,
        ROLES,
        "4633458b-17de-408a-b874-0445c86b69e6",
        "b24988ac-6180-42a0-ab88-20f7382dd24c",
        "no role",
    ),
    (safety.assignments_are_narrow, ROLES, "guid(vault.id, appPrincipalId, secretsUser)", "newGuid()", "its name"),
    (
        safety.assignments_are_narrow,
        ROLES,
        "guid(account.id, appPrincipalId",
        "guid(vault.id, appPrincipalId",
        "its name",
    ),
    (safety.assignments_are_narrow, ROLES, "  scope: vault\n", "", "no scope"),
    (safety.assignments_are_narrow, TOPIC, "principalType: 'ServicePrincipal'\n", "", "no principalType"),
    (safety.everything_is_logged, VAULT, "scope: vault", "scope: safe", "vault is not logged"),
    (safety.everything_is_logged, STORAGE, "scope: tableService", "scope: queueService", "tableService is not logged"),
    (safety.everything_is_tagged, TOPIC, "  tags: tags\n", "", "no tags"),
    (
        safety.one_switch_closes_the_doors,
        MAIN,
        "publicAccess: !privateNetworking",
        "publicAccess: true",
        "publicAccess",
    ),
    (
        safety.one_switch_closes_the_doors,
        APP,
        "publicAccess ? 'Enabled' : 'Disabled'",
        "'Enabled'",
        "publicNetworkAccess",
    ),
    (safety.one_switch_closes_the_doors, VAULT, "publicAccess ? 'Allow' : 'Deny'", "'Allow'", "firewall"),
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_infrastructure_keeps_the_rule(rule: Rule) -> None:
    assert list(rule(estate())) == []


@pytest.mark.parametrize(
    ("rule", "path", "old", "new", "said"), CAUGHT, ids=lambda part: getattr(part, "__name__", None)
)
def test_the_rule_catches(rule: Rule, path: str, old: str, new: str, said: str) -> None:
    assert said in "\n".join(rule(broken(path, old, new)))


def test_every_rule_has_been_seen_to_catch_something() -> None:
    assert {rule.__name__ for rule in RULES} == {case[0].__name__ for case in CAUGHT}


bicep = pytest.mark.skipif(shutil.which("bicep") is None, reason="no Bicep compiler on the path")


@bicep
@pytest.mark.parametrize("file", ["main.bicep"])
def test_the_compiler_has_nothing_to_say(file: str, tmp_path: Path) -> None:
    for command in (["build", file, "--outfile", str(tmp_path / "main.json")], ["lint", file]):
        done = subprocess.run(["bicep", *command], cwd=INFRA, capture_output=True, text=True, check=False, timeout=100)
        said = [line for line in (done.stdout + done.stderr).splitlines() if "Warning" in line or "Error" in line]
        assert (done.returncode, said) == (0, [])


@bicep
@pytest.mark.parametrize("stage", STAGES)
def test_the_compiler_takes_the_parameters(stage: str, tmp_path: Path) -> None:
    command = ["bicep", "build-params", f"{stage}.bicepparam", "--outfile", str(tmp_path / "parameters.json")]
    done = subprocess.run(command, cwd=INFRA, capture_output=True, text=True, check=False, timeout=100)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "Warning" in line or "Error" in line]
    assert (done.returncode, said) == (0, [])
