"""pbipy from PyPI, as its users use it with azure-identity: it works, and where it misleads is on record."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from azure.identity import ClientSecretCredential

from tests.cloud import Cloud
from tests.peers.organisation import (
    BEN,
    MARGIN,
    OVERVIEW,
    SALES,
    SALES_MODEL,
    SCOPE,
    TAKEN,
    client,
    next_refresh,
    throttle,
    until,
)

pbipy: Any = pytest.importorskip("pbipy", reason="pbipy (requirements-peers.txt) is not installed")
AT_ONCE = 0
"""Seconds between two looks at a refresh; users take the default of thirty."""


def _log_in(cloud: Cloud, name: str = "operations") -> Any:
    token = ClientSecretCredential(cloud.tenant_id, *client(cloud, name)).get_token(SCOPE).token
    return pbipy.PowerBI(token)


@pytest.fixture
def powerbi(cloud: Cloud) -> Any:
    return _log_in(cloud)


def test_it_lists_and_finds_workspaces(powerbi: Any) -> None:
    assert {group.name for group in powerbi.groups()} == {TAKEN, "Shared Reference"}
    (found,) = powerbi.groups(filter=f"name eq '{TAKEN}'")
    assert (found.id, powerbi.group(SALES).name) == (SALES, TAKEN)
    assert [group.name for group in powerbi.groups(top=1, skip=1)] == ["Shared Reference"]


def test_it_creates_a_workspace_with_its_users(powerbi: Any, cloud: Cloud) -> None:
    made = powerbi.create_group("FIN-Peers-DEV", workspace_v2=True)
    made.add_user(BEN, "User", "Viewer")
    made.update_user(BEN, "User", "Member")
    assert (BEN, "Member") in {(user["identifier"], user["groupUserAccessRight"]) for user in made.users()}
    made.delete_user(BEN)
    assert made.update(name="FIN-Peers-TEST").name == "FIN-Peers-TEST"
    assert powerbi.group(made.id).name == "FIN-Peers-TEST"
    powerbi.delete_group(made)
    assert cloud.state()["workspaces"][made.id]["state"] == "Deleted"


def test_it_lists_datasets_and_reports_and_generates_an_embed_token(powerbi: Any) -> None:
    assert {dataset.name for dataset in powerbi.datasets(group=SALES)} == {"Sales", "Margin"}
    assert OVERVIEW in {report.id for report in powerbi.reports(group=SALES)}
    report = powerbi.report(OVERVIEW, group=SALES)
    assert report.pages()[0]["name"] == "ReportSection"
    assert report.generate_token(access_level="View").token.startswith("H4sI")


def test_it_refreshes_and_follows_the_history_to_its_end(powerbi: Any, cloud: Cloud) -> None:
    next_refresh(cloud, SALES_MODEL)
    dataset = powerbi.dataset(SALES_MODEL, group=SALES)
    request_id = dataset.refresh()
    (ended,) = until(dataset.refresh_history, lambda seen: seen[0]["status"] != "Unknown")
    assert (ended["requestId"], ended["status"], ended["refreshType"]) == (request_id, "Completed", "ViaApi")


def test_it_waits_for_an_enhanced_refresh(powerbi: Any, cloud: Cloud) -> None:
    next_refresh(cloud, MARGIN)
    dataset = powerbi.dataset(MARGIN, group=SALES)
    dataset.refresh_and_wait(type="Full", objects=[{"table": "Margin"}], check_interval=AT_ONCE)
    assert dataset.refresh_history(top=1)[0]["status"] == "Completed"


@pytest.mark.parametrize("outcome", ["Failed", "TimedOut", "Cancelled"])
def test_it_says_so_when_a_refresh_that_it_waits_for_does_not_succeed(powerbi: Any, cloud: Cloud, outcome: str) -> None:
    next_refresh(cloud, MARGIN, outcome)
    dataset = powerbi.dataset(MARGIN, group=SALES)
    with pytest.raises(Exception, match="did not complete successfully") as raised:
        dataset.refresh_and_wait(type="Full", check_interval=AT_ONCE)
    assert raised.value.refresh_details["extendedStatus"] == outcome  # type: ignore[attr-defined]


def test_it_tells_power_bis_own_code_when_a_call_is_refused(powerbi: Any) -> None:
    with pytest.raises(requests.HTTPError, match="PowerBIEntityAlreadyExists"):
        powerbi.create_group(TAKEN, workspace_v2=True)


# ---- how it misleads its users


def test_pbipy_gives_an_id_for_a_refresh_that_fails(powerbi: Any, cloud: Cloud) -> None:
    next_refresh(cloud, SALES_MODEL, "Failed")
    dataset = powerbi.dataset(SALES_MODEL, group=SALES)
    request_id = dataset.refresh()
    (ended,) = until(dataset.refresh_history, lambda seen: seen[0]["status"] != "Unknown")
    assert (ended["requestId"], ended["status"]) == (request_id, "Failed")


def test_pbipy_gives_a_refresh_up_when_a_look_at_it_is_throttled(powerbi: Any, cloud: Cloud) -> None:
    """The refresh goes on and succeeds, while the user's script has ended with an error."""
    next_refresh(cloud, MARGIN)
    dataset = powerbi.dataset(MARGIN, group=SALES)
    throttle(cloud, "/refreshes/", skip=1)
    with pytest.raises(requests.HTTPError, match="429 Client Error"):
        dataset.refresh_and_wait(type="Full", check_interval=AT_ONCE)
    ended = until(dataset.refresh_history, lambda seen: seen[0]["status"] != "Unknown")
    assert ended[0]["status"] == "Completed"


def test_pbipy_gives_a_refresh_up_when_its_token_expires_meanwhile(cloud: Cloud) -> None:
    cloud.change(switches={"accessTokenLifetime": "PT2S"})
    next_refresh(cloud, MARGIN, lasts="PT1H")
    dataset = _log_in(cloud).dataset(MARGIN, group=SALES)
    with pytest.raises(requests.HTTPError, match="TokenExpired"):
        dataset.refresh_and_wait(type="Full", check_interval=AT_ONCE)
    assert cloud.calls(path="/refreshes/")[-1]["status"] == 403
    assert {run["status"] for run in cloud.state()["refreshes"].values() if run["datasetId"] == MARGIN} == {"Unknown"}


def test_pbipy_can_not_use_the_session_that_its_manual_offers(powerbi: Any) -> None:
    """The only way to have it retry, as its manual says; the argument is never looked at."""
    with pytest.raises(AttributeError, match="session"):
        pbipy.PowerBI("token", session=requests.Session())


def test_pbipy_takes_the_first_page_for_all(powerbi: Any, cloud: Cloud) -> None:
    cloud.change(switches={"groupsPageSize": 1})
    assert len(powerbi.groups()) == 1


def test_pbipy_loses_the_users_of_a_dataset_behind_a_field_of_the_answer(powerbi: Any) -> None:
    with pytest.raises(TypeError, match="not callable"):
        powerbi.dataset(MARGIN, group=SALES).users()
