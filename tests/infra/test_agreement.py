"""Code and infrastructure say the same: nothing that the app uses is missing, and nothing lies about unused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from emulator import seed
from emulator.storage import infrastructure as emulated
from shared.settings import Settings
from tests.infra import in_use
from tests.infra.estate import PROJECT, STAGES, Estate, broken, estate, known
from tests.infra.grants import Grant, grants, told
from tests.infra.safety_rules import credentials, settings
from tests.infra.values import compute

WAITING: dict[str, dict[str, set[str]]] = {
    "content of workspaces": {"queue": set(), "table": set(), "container": {"templates"}},
    "promotion": {"queue": set(), "table": set(), "container": {"archive"}},
    "governance": {"queue": set(), "table": set(), "container": {"reports"}},
}
"""What is deployed before the capability that will use it. Take a name out when its capability is merged."""
GOVERNANCE_SETTINGS = {"POWERBI_ADMIN_CLIENT_ID", "POWERBI_ADMIN_CREDENTIAL"}
"""Read, and deployed with governance."""
OTHER_FORMS = {
    "AzureWebJobsStorage",
    "AzureWebJobsStorage__accountName",
    "LANDING_STORAGE",
    "LANDING_STORAGE__accountName",
}
"""Ways to name a storage account that this deployment does not use: keys, and names in the public cloud."""
OF_THE_PLATFORM = {
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "PYTHON_THREADPOOL_THREAD_COUNT",
}
"""Read by the host and the worker."""
KINDS = ("queue", "table", "container")


def declared(kind: str) -> set[str]:
    names = {"queue": ("workedQueues", "toldQueues"), "table": ("tables",), "container": ("containers",)}
    return {name for variable in names[kind] for name in estate().value(variable)}


def waiting(kind: str) -> set[str]:
    return {name for kinds in WAITING.values() for name in kinds[kind]}


# ---- queues, tables, containers
@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_the_app_uses_is_declared(kind: str) -> None:
    assert in_use.storage_names()[kind] - declared(kind) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_is_declared_is_used_or_waits_for_its_capability(kind: str) -> None:
    assert declared(kind) - in_use.storage_names()[kind] == waiting(kind) - in_use.storage_names()[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_what_waits_for_its_capability_is_not_in_use_yet(kind: str) -> None:
    assert waiting(kind) & in_use.storage_names()[kind] == set(), "take these out of WAITING"


def test_the_emulated_cloud_has_the_same() -> None:
    queues = {*emulated.QUEUES, *(f"{name}-poison" for name in emulated.QUEUES), emulated.EVENTS_QUEUE}
    landing = estate().given("dev")["landing"]["container"]
    assert declared("queue") == queues
    assert declared("table") == set(emulated.TABLES)
    assert declared("container") | {landing} == set(emulated.CONTAINERS)


def test_every_queue_with_a_function_has_a_poison_queue_with_a_function() -> None:
    queues = in_use.trigger_queues()
    plain = {name for name in queues if not name.endswith("-poison")}
    assert queues == plain | {f"{name}-poison" for name in plain}


def test_a_queue_that_is_forgotten_is_caught() -> None:
    left = set(broken("contents.bicep", "'workflow-steps', ", "").value("workedQueues"))
    assert in_use.trigger_queues() - left == {"workflow-steps", "workflow-steps-poison"}


# ---- settings and secrets
def test_every_setting_that_the_app_reads_is_deployed() -> None:
    assert in_use.settings_read() - OTHER_FORMS - GOVERNANCE_SETTINGS - set(settings(estate())) == set()


def test_every_setting_that_is_deployed_is_read() -> None:
    assert set(settings(estate())) - in_use.settings_read() == OF_THE_PLATFORM


def test_a_setting_that_nobody_reads_is_caught() -> None:
    extra = settings(broken("modules/function-app.bicep", "POWERBI_CLOUD:", "POWERBI_CLUOD:"))
    assert set(extra) - in_use.settings_read() - OF_THE_PLATFORM == {"POWERBI_CLUOD"}
    assert in_use.settings_read() - set(extra) - OTHER_FORMS - GOVERNANCE_SETTINGS == {"POWERBI_CLOUD"}


@pytest.mark.parametrize("stage", STAGES)
def test_the_app_accepts_the_settings_as_they_are_deployed(stage: str) -> None:
    deployed = Settings.from_env(environment(stage))
    assert deployed.app_storage.connection_string == deployed.landing_storage.connection_string == ""
    assert deployed.app_storage.queue_url == "https://st.queue.core.windows.net"
    assert deployed.landing_storage.blob_url.startswith("https://stl")
    assert set(deployed.identities) == {"embed", "operations"}


def environment(stage: str) -> dict[str, str]:
    """The app's environment as Azure would make it, with invented addresses."""
    given = estate().given(stage)
    azure = {
        "KEY_VAULT_URL": "https://kv-x.vault.azure.net/",
        "LANDING_STORAGE__blobServiceUri": "https://stlx.blob.core.windows.net",
        "MANAGED_IDENTITY_CLIENT_ID": "00000000-0000-0000-0000-000000000001",
        "EVENTS_TOPIC_ENDPOINT": "",
        **{
            f"AzureWebJobsStorage__{each}ServiceUri": f"https://st.{each}.core.windows.net/"
            for each in ("blob", "queue", "table")
        },
    }
    values = {name: azure.get(name, known(value, given)) for name, value in settings(estate()).items()}
    return {name: str(value) for name, value in values.items() if name not in OF_THE_PLATFORM}


def proofs_without_a_maker(infrastructure: Estate) -> set[str]:
    """Credentials of the stages that infra/entra/setup.sh does not make."""
    script = (PROJECT / "infra/entra/setup.sh").read_text()
    stored = {f"secret:{name}" for name in re.findall(r'"(powerbi-(?:embed|operations))"', script)}
    return set(credentials(infrastructure).values()) - stored - {"federated" if "\nfederation() {" in script else ""}


def test_every_proof_that_a_stage_names_is_made_by_the_script() -> None:
    assert proofs_without_a_maker(estate()) == set()
    misspelt = broken("prod.bicepparam", "'federated'", "'secret:powerbi-embedding'")
    assert proofs_without_a_maker(misspelt) == {"secret:powerbi-embedding"}


# ---- roles
def test_the_role_table_that_people_read_is_what_is_deployed() -> None:
    table = list(told((PROJECT / "infra/README.md").read_text()))
    assert set(table) == grants(estate())
    assert len(table) == len(set(table))


@pytest.mark.parametrize(
    "needed",
    [
        Grant("app", "Storage Blob Data Owner", "storage account"),
        Grant("app", "Storage Queue Data Contributor", "each queue with a function, and its poison queue"),
        Grant("app", "Storage Queue Data Message Sender", "queue operations-events"),
        Grant("app", "Storage Queue Data Reader", "queue operations-events"),
        Grant("app", "Storage Table Data Contributor", "each table"),
        Grant("app", "Storage Blob Data Reader", "landing container"),
        Grant("app", "Key Vault Secrets User", "key vault"),
        Grant("app", "Monitoring Metrics Publisher", "Application Insights"),
        Grant("app", "EventGrid Data Sender", "custom Event Grid topic"),
        Grant("Event Grid", "Storage Queue Data Message Sender", "queue data-landed"),
        Grant("Event Grid", "Storage Blob Data Contributor", "container dead-letters"),
    ],
)
def test_the_role_suffices_for_what_is_done_there(needed: Grant) -> None:
    assert needed in grants(estate())


def test_roles_reach_every_queue_and_table_that_is_made() -> None:
    rights, made = estate().module("roles-app"), estate().module("storage")
    given = {resource.over.text for resource in rights.resources.values() if resource.over and not resource.existing}
    assert given == {"workedQueues", "toldQueues", "tables"}
    assert given <= set(made.imports)
    assert declared("queue") == {*in_use.storage_names()["queue"], *waiting("queue")}


def test_callers_can_be_given_every_role_that_a_route_asks_for() -> None:
    roles = {role["value"] for role in json.loads((PROJECT / "infra/entra/roles.json").read_text())}
    assert in_use.roles_asked_for() <= roles
    assert set(seed.ALL_ROLES) <= roles
    scopes = json.loads((PROJECT / "infra/entra/roles.json").read_text())
    assert all("User" in role["allowedMemberTypes"] and "Application" in role["allowedMemberTypes"] for role in scopes)


# ---- events
def test_event_grid_sends_what_the_app_takes_for_landed_and_nothing_else() -> None:
    from shared.refresh.events import WHOLE

    subscription = estate().one("Microsoft.EventGrid/systemTopics/eventSubscriptions").properties
    [by_operation] = subscription["filter"]["advancedFilters"]
    assert (by_operation["key"], set(by_operation["values"])) == ("data.api", set(WHOLE))
    assert subscription["filter"]["includedEventTypes"] == ["Microsoft.Storage.BlobCreated"]
    assert subscription["filter"]["subjectBeginsWith"].text.endswith("/containers/${container}/'")
    assert subscription["retryPolicy"] == {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}
    for way in ("deliveryWithResourceIdentity", "deadLetterWithResourceIdentity"):
        assert subscription[way]["identity"] == {"type": "SystemAssigned"}
    queue = subscription["deliveryWithResourceIdentity"]["destination"]["properties"]
    assert queue["queueMessageTimeToLiveInSeconds"] == -1


# ---- the host and the plan
HOST: dict[str, Any] = json.loads((PROJECT / "host.json").read_text())


@pytest.mark.parametrize("stage", STAGES)
def test_an_instance_has_a_thread_for_all_that_the_host_gives_it_at_once(stage: str) -> None:
    size, queues = estate().given(stage)["size"], HOST["extensions"]["queues"]
    assert queues["batchSize"] + queues["newBatchThreshold"] <= size["workerThreads"]
    assert size["httpConcurrency"] <= size["workerThreads"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_plan_stays_within_the_regions_quota(stage: str) -> None:
    size = estate().given(stage)["size"]
    cores = {512: 0.25, 2048: 1, 4096: 2}[size["instanceMemoryMB"]]
    assert size["maximumInstanceCount"] * cores <= 250
    assert size["maximumInstanceCount"] * size["instanceMemoryMB"] <= 512_000
    assert sum(each["instanceCount"] for each in size["alwaysReady"]) <= size["maximumInstanceCount"]


@pytest.mark.parametrize("stage", STAGES)
def test_what_is_always_warm_exists_and_is_spread_over_zones_where_that_is_asked(stage: str) -> None:
    size = estate().given(stage)["size"]
    groups = {
        "http",
        *(f"function:{name}" for name, each in in_use.functions().items() if each["type"] != "httpTrigger"),
    }
    assert {each["name"] for each in size["alwaysReady"]} <= groups
    if size["zoneRedundant"]:
        assert min(each["instanceCount"] for each in size["alwaysReady"]) >= 2


def test_the_host_keeps_what_flex_and_the_promises_ask_of_it() -> None:
    seconds = sum(
        int(part) * unit
        for part, unit in zip(HOST["extensions"]["queues"]["maxPollingInterval"].split(":"), (3600, 60, 1), strict=True)
    )
    assert seconds <= 30
    assert HOST["functionTimeout"] == "00:10:00"
    assert HOST["extensionBundle"]["version"].startswith("[4.")
    assert HOST["extensions"]["queues"]["messageEncoding"] == "none"


def test_no_log_line_that_an_alert_counts_is_sampled_away() -> None:
    sampling = HOST["logging"]["applicationInsights"]["samplingSettings"]
    assert {"Request", "Exception", "Trace"} <= set(sampling["excludedTypes"].split(";"))


# ---- names
LIMITS = {
    "storage": r"[a-z0-9]{3,24}",
    "landing": r"[a-z0-9]{3,24}",
    "vault": r"[a-zA-Z][a-zA-Z0-9-]{1,22}[a-zA-Z0-9]",
    "app": r"[a-zA-Z0-9][a-zA-Z0-9-]{0,58}[a-zA-Z0-9]",
    "plan": r"[a-zA-Z0-9-]{1,60}",
    "identity": r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,127}",
    "workspace": r"[a-zA-Z0-9][a-zA-Z0-9-]{2,61}[a-zA-Z0-9]",
    "component": r"[a-zA-Z0-9-]{1,255}",
    "topic": r"[a-zA-Z0-9-]{3,50}",
    "network": r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}[a-zA-Z0-9_]",
    "actions": r"[a-zA-Z0-9-]{1,260}",
    "group": r"[a-zA-Z0-9._()-]{0,89}[a-zA-Z0-9_()-]",
}


@pytest.mark.parametrize("environment_name", ["qa", "a-very-long1", "PROD"])
def test_names_keep_within_each_services_limits(environment_name: str) -> None:
    main = estate().main
    assert len(environment_name) <= main.parameters["environmentName"].decorators["maxLength"]
    names = compute(main.variables["names"], {**main.variables, "environmentName": environment_name})
    assert set(names) == set(LIMITS)
    assert {key: name for key, name in names.items() if not re.fullmatch(LIMITS[key], name)} == {}
