"""The script that makes the Entra side of a deployment, run against a stand-in for the Azure CLI."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from emulator import seed
from emulator.clouds import CLOUDS as EMULATED
from emulator.entra.claims import issuer
from shared.clouds import CLOUDS
from tests.infra.azure_cli import VAULT_VALUE, machine_in, run, state
from tests.infra.estate import PROJECT, STAGES

SETUP = PROJECT / "infra/entra/setup.sh"
TENANT = "0b7c3f1e-5f5b-4d6f-8a53-31a8a4d3c001"


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """One on which nothing was run yet, of a tenant in which there is nothing."""
    return machine_in(tmp_path)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What the first registrations printed, and the state that they left."""
    machine = machine_in(tmp_path_factory.mktemp("first"))
    done = run(machine, "bash", str(SETUP), "registrations", "prod")
    assert done.returncode == 0, done.stderr
    return done.stdout, Path(machine["STATE"]).read_text()


@pytest.fixture
def registered(machine: dict[str, str], first: tuple[str, str]) -> dict[str, str]:
    """A machine, and a tenant, where the registrations were made."""
    Path(machine["STATE"]).write_text(first[1])
    return machine


# ---- registrations
MAKING = re.compile(r"ad (app|sp|group) create|ad group member add")


def made(machine: dict[str, str]) -> int:
    return sum(1 for call in state(machine)["calls"] if MAKING.match(call))


def test_registrations_are_made_once_however_often_the_script_runs(
    registered: dict[str, str], first: tuple[str, str]
) -> None:
    before = made(registered)
    second = run(registered, "bash", str(SETUP), "registrations", "prod")
    assert (second.returncode, second.stdout) == (0, first[0])
    assert made(registered) == before == 9
    printed = dict(line.split("=", 1) for line in first[0].splitlines())
    assert set(printed) == {
        *("POWERBI_TENANT_ID", "API_CLIENT_ID", "API_AUDIENCE"),
        *("POWERBI_EMBED_CLIENT_ID", "POWERBI_OPERATIONS_CLIENT_ID"),
    }
    assert len(state(registered)["members"]) == 2  # the two that call Power BI; never the API's own


def sent_about_the_api(machine: dict[str, str]) -> list[dict[str, Any]]:
    patches = [call for call in state(machine)["calls"] if call.startswith("rest --method PATCH")]
    return [json.loads(patch[patch.index("{") :])["api"] for patch in patches]


def test_a_person_needs_no_consent_for_a_token_by_the_azure_cli(registered: dict[str, str]) -> None:
    scopes, then = sent_about_the_api(registered)
    assert "preAuthorizedApplications" not in scopes  # they name scopes, which have to be there
    [trusted] = then["preAuthorizedApplications"]
    assert then == {**scopes, "preAuthorizedApplications": [trusted]}
    assert trusted["delegatedPermissionIds"] == [each["id"] for each in scopes["oauth2PermissionScopes"]]


def test_each_role_is_a_scope_too_with_an_id_of_its_own(registered: dict[str, str]) -> None:
    sent = sent_about_the_api(registered)[0]
    roles = json.loads((PROJECT / "infra/entra/roles.json").read_text())
    assert sent["requestedAccessTokenVersion"] == 2
    assert {each["value"] for each in sent["oauth2PermissionScopes"]} == {role["value"] for role in roles}
    ids = [each["id"] for each in [*sent["oauth2PermissionScopes"], *roles]]
    assert len(ids) == len(set(ids))


# ---- the managed identity vouches
def vouching(machine: dict[str, str]) -> list[str]:
    """Run the script, and the calls that changed what registrations trust."""
    done = run(machine | {"IDENTITY_PRINCIPAL_ID": "5f0c-principal"}, "bash", str(SETUP), "federation", "prod")
    assert done.returncode == 0, done.stderr
    return re.findall(r"federated-credential (?:create|update) --id \S+", "\n".join(state(machine)["calls"]))


def test_the_managed_identity_vouches_once_for_each_registration(registered: dict[str, str]) -> None:
    assert len(vouching(registered)) == len(vouching(registered)) == 2
    trusted = state(registered)["federated"]
    assert set(trusted) == {"id-of-powerbi-automation-prod-embed", "id-of-powerbi-automation-prod-operations"}


@pytest.mark.parametrize(
    ("cloud", "name"), [("AzureCloud", "public"), ("AzureUSGovernment", "usgovhigh"), ("AzureChinaCloud", "china")]
)
def test_what_is_trusted_is_what_the_app_shows_in_each_cloud(registered: dict[str, str], cloud: str, name: str) -> None:
    vouching(registered | {"CLOUD": cloud, "TENANT": TENANT})
    emulated = next(each for each in EMULATED if each.exchange_audience == CLOUDS[name].exchange_audience)
    for trusted in state(registered)["federated"].values():
        assert trusted["subject"] == "5f0c-principal"
        assert trusted["audiences"] == [CLOUDS[name].exchange_audience]
        assert trusted["issuer"] == issuer(emulated, 2).replace(seed.TENANT_ID, TENANT)


def test_a_federated_credential_that_no_longer_matches_is_put_right(registered: dict[str, str]) -> None:
    vouching(registered | {"CLOUD": "AzureChinaCloud"})
    calls = vouching(registered)
    assert [call.split()[1] for call in calls] == ["create", "create", "update", "update"]
    assert [each["audiences"] for each in state(registered)["federated"].values()] == [
        ["api://AzureADTokenExchange"]
    ] * 2
    assert len(vouching(registered)) == 4


def test_federation_before_registrations_says_what_to_do(machine: dict[str, str]) -> None:
    done = run(machine | {"IDENTITY_PRINCIPAL_ID": "p"}, "bash", str(SETUP), "federation", "prod")
    assert done.returncode == 1
    assert "run 'registrations' first" in done.stderr


# ---- secrets, where they are wanted
def test_a_secret_goes_into_the_vault_and_nowhere_else(registered: dict[str, str]) -> None:
    done = run(registered | {"KEY_VAULT_NAME": "kv-1"}, "bash", str(SETUP), "secrets", "prod")
    assert done.returncode == 0, done.stderr
    assert state(registered)["vault"] == dict.fromkeys(("powerbi-embed", "powerbi-operations"), VAULT_VALUE)
    assert VAULT_VALUE not in done.stdout + done.stderr + " ".join(state(registered)["calls"])


def test_nothing_is_stored_unless_that_is_asked_for_by_name(registered: dict[str, str]) -> None:
    vouching(registered)
    assert not [call for call in state(registered)["calls"] if "credential reset" in call or "keyvault" in call]


# ---- what is deployed
@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_starts_without_a_secret(stage: str) -> None:
    parameters = (PROJECT / f"infra/{stage}.bicepparam").read_text()
    assert re.findall(r"credential: '(.+)'", parameters) == ["federated", "federated"]


def test_secrets_have_the_same_names_where_they_are_stored_and_where_people_read_of_them() -> None:
    stored = set(re.findall(r"(?m)^  stored .+ \"(.+)\"$", SETUP.read_text()))
    assert stored == {"powerbi-embed", "powerbi-operations"}
    assert set(re.findall(r"secret:(powerbi-\w+)", (PROJECT / "infra/README.md").read_text())) == stored
