"""pbiapi from PyPI, as its users use it: it posts forms and goes by names; and where it misleads is on record."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.cloud import Cloud
from tests.peers.organisation import BEN, OVERVIEW, SALES_MODEL, TAKEN, client, next_refresh, throttle, until

pbiapi: Any = pytest.importorskip("pbiapi", reason="pbiapi (requirements-peers.txt) is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow")  # which it calls
NEW = "FIN-Peers-DEV"


def _log_in(cloud: Cloud) -> Any:
    return pbiapi.PowerBIAPIClient(cloud.tenant_id, *client(cloud))


@pytest.fixture
def powerbi(cloud: Cloud) -> Any:
    return _log_in(cloud)


def _statuses(powerbi: Any) -> list[str]:
    return [entry["status"] for entry in powerbi.get_dataset_refresh_history(TAKEN, "Sales")]


def test_it_creates_a_workspace_with_its_users_and_deletes_it(powerbi: Any, cloud: Cloud) -> None:
    powerbi.create_workspace(NEW)
    assert NEW in {workspace["name"] for workspace in powerbi.workspaces}
    powerbi.add_user_to_workspace(NEW, {"emailAddress": BEN, "groupUserAccessRight": "Member"})
    users = powerbi.get_users_from_workspace(NEW)
    assert (BEN, "Member") in {(user["identifier"], user["groupUserAccessRight"]) for user in users}
    powerbi.delete_workspace(NEW)
    deleted = [space for space in cloud.state()["workspaces"].values() if space["state"] == "Deleted"]
    assert [space["name"] for space in deleted] == [NEW]


def test_it_lists_datasets_and_reports(powerbi: Any) -> None:
    assert [dataset["name"] for dataset in powerbi.get_datasets_in_workspace(TAKEN)] == ["Sales", "Margin"]
    assert OVERVIEW in {report["id"] for report in powerbi.get_reports_in_workspace(TAKEN)}


def test_it_refreshes_and_follows_the_history_to_its_end(powerbi: Any, cloud: Cloud) -> None:
    next_refresh(cloud, SALES_MODEL)
    powerbi.refresh_dataset_by_name(TAKEN, "Sales")
    assert _statuses(powerbi) == ["Unknown"]
    assert until(lambda: _statuses(powerbi), lambda seen: seen != ["Unknown"]) == ["Completed"]


def test_it_takes_a_dataset_over_and_changes_its_parameters(powerbi: Any, cloud: Cloud) -> None:
    parameter = {"name": "Server", "type": "Text", "isRequired": True, "currentValue": "dev"}
    cloud.change(datasets={SALES_MODEL: {"parameters": [parameter], "owner": BEN}})
    change = [{"name": "Server", "newValue": "prod"}]
    with pytest.raises(requests.HTTPError, match="403"):
        powerbi.update_parameters_in_dataset(TAKEN, "Sales", change)
    powerbi.take_over_dataset(TAKEN, "Sales")
    powerbi.update_parameters_in_dataset(TAKEN, "Sales", change)
    assert powerbi.get_parameters_in_dataset(TAKEN, "Sales")[0]["currentValue"] == "prod"


def test_it_rebinds_and_deletes_what_it_knows_by_name(powerbi: Any, cloud: Cloud) -> None:
    powerbi.rebind_report_in_workspace(TAKEN, "Margin", "Sales overview")
    powerbi.delete_report(TAKEN, "Invoice")
    powerbi.delete_dataset(TAKEN, "Sales")
    state = cloud.state()
    assert SALES_MODEL not in state["datasets"]
    assert [report["name"] for report in state["reports"].values()] == ["Sales overview", "Margin by customer"]


def test_it_raises_where_a_refresh_runs_already(powerbi: Any, cloud: Cloud) -> None:
    next_refresh(cloud, SALES_MODEL, lasts="PT1M")
    powerbi.refresh_dataset_by_name(TAKEN, "Sales")
    with pytest.raises(requests.HTTPError, match="400") as raised:
        powerbi.refresh_dataset_by_name(TAKEN, "Sales")
    assert "Another refresh request is already executing" in raised.value.response.text


# ---- how it misleads its users


def test_pbiapi_calls_a_failed_refresh_done(powerbi: Any, cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    next_refresh(cloud, SALES_MODEL, "Failed")
    powerbi.refresh_dataset_by_name(TAKEN, "Sales")
    assert "was updated!" in caplog.text
    assert until(lambda: _statuses(powerbi), lambda seen: seen != ["Unknown"]) == ["Failed"]


def test_pbiapi_takes_somebody_elses_workspace_of_that_name_for_its_own(powerbi: Any, cloud: Cloud) -> None:
    """It answers the same, nothing, whether it made the workspace or found one."""
    assert powerbi.create_workspace(TAKEN) is None
    assert powerbi.create_workspace(NEW) is None
    assert [call["status"] for call in cloud.calls(path="/groups", method="POST")] == [200]


def test_pbiapi_takes_a_throttled_list_for_an_empty_one(powerbi: Any, cloud: Cloud) -> None:
    throttle(cloud, "/reports$")
    assert powerbi.get_reports_in_workspace(TAKEN) is None


def test_pbiapi_deletes_without_a_word_what_it_does_not_see(powerbi: Any, cloud: Cloud) -> None:
    assert powerbi.delete_workspace("Strangers") is None
    assert cloud.calls(path="/groups", method="DELETE") == []


def test_pbiapi_goes_on_with_names_that_are_gone(powerbi: Any) -> None:
    powerbi.create_workspace(NEW)
    powerbi.delete_workspace(NEW)
    with pytest.raises(requests.HTTPError, match="401 Client Error: Unauthorized"):
        powerbi.delete_workspace(NEW)


def test_pbiapi_believes_that_every_token_lives_for_an_hour(cloud: Cloud) -> None:
    cloud.change(switches={"accessTokenLifetime": "PT2S"})
    powerbi = _log_in(cloud)
    assert powerbi.get_workspaces()
    with pytest.raises(requests.HTTPError, match="403") as raised:
        until(powerbi.get_workspaces, lambda _: False)
    assert raised.value.response.json()["error"]["code"] == "TokenExpired"
    assert len(cloud.calls(host="login.microsoftonline.com", path="/token")) == 1  # it never asks for another


def test_pbiapi_takes_the_first_page_for_all(powerbi: Any, cloud: Cloud) -> None:
    cloud.change(switches={"groupsPageSize": 1})
    assert len(powerbi.get_workspaces()) == 1
