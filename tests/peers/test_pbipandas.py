"""pbipandas from PyPI, as its users use it: everything as a table; and where it misleads is on record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud import Cloud
from tests.peers.organisation import (
    ANA,
    BEN,
    MARGIN,
    REFERENCE,
    SALES,
    SALES_MODEL,
    TAKEN,
    client,
    next_refresh,
    throttle,
    until,
)

pbipandas: Any = pytest.importorskip("pbipandas", reason="pbipandas (requirements-peers.txt) is not installed")
SOURCE = {"datasourceType": "Sql", "connectionDetails": {"server": "sql.contoso.com", "database": "sales"}}


@pytest.fixture
def powerbi(cloud: Cloud) -> Any:
    return pbipandas.PowerBIClient(cloud.tenant_id, *client(cloud))


def _statuses(powerbi: Any, dataset_id: str = SALES_MODEL) -> list[str]:
    found = powerbi.get_dataset_refresh_history_by_id(SALES, dataset_id)
    return [] if found.empty else list(found["status"])


def test_it_lists_workspaces_with_their_users_datasets_and_reports(powerbi: Any) -> None:
    assert set(powerbi.get_all_workspaces()["name"]) == {TAKEN, "Shared Reference"}
    assert ANA in set(powerbi.get_workspace_users_by_id(SALES)["identifier"])
    assert set(powerbi.get_all_datasets()["name"]) == {"Calendar", "Sales", "Margin"}
    assert set(powerbi.get_all_reports()["workspaceName"]) == {TAKEN}
    assert ANA in set(powerbi.get_dataset_users_by_id(SALES, MARGIN)["identifier"])


def test_it_refreshes_and_follows_the_history_to_its_end(powerbi: Any, cloud: Cloud) -> None:
    next_refresh(cloud, SALES_MODEL)
    powerbi.refresh_dataset(SALES, SALES_MODEL)
    assert _statuses(powerbi) == ["Unknown"]
    assert until(lambda: _statuses(powerbi), lambda seen: seen != ["Unknown"]) == ["Completed"]


def test_it_refreshes_tables(powerbi: Any, cloud: Cloud) -> None:
    next_refresh(cloud, MARGIN)
    powerbi.refresh_tables_from_dataset(SALES, MARGIN, ["Margin"])
    assert cloud.calls(path="/refreshes", method="POST")[-1]["body"] == {"objects": [{"table": "Margin"}]}
    assert until(lambda: _statuses(powerbi, MARGIN), lambda seen: seen != ["Unknown"]) == ["Completed"]


@pytest.mark.filterwarnings("ignore:Passing a list to DataFrame.from_dict")  # as it does
def test_it_reads_sources_schedules_and_queries_and_changes_parameters(powerbi: Any, cloud: Cloud) -> None:
    parameter = {"name": "Server", "type": "Text", "isRequired": True, "currentValue": "dev"}
    result = {"EVALUATE VALUES(Customer[Name])": [{"Customer[Name]": "Adatum"}]}
    cloud.change(datasets={SALES_MODEL: {"datasources": [SOURCE], "parameters": [parameter], "queryResults": result}})
    assert list(powerbi.get_all_dataset_sources()["server"]) == ["sql.contoso.com"]
    assert list(powerbi.get_dataset_refresh_schedule_by_id(SALES, SALES_MODEL)["enabled"]) == [False]
    (row,) = powerbi.execute_query(SALES, SALES_MODEL, "EVALUATE VALUES(Customer[Name])").to_dict("records")
    assert row == {"CustomerName": "Adatum"}
    assert powerbi.update_dataset_parameters(SALES, SALES_MODEL, {"Server": "prod"}).status_code == 200
    assert cloud.state()["datasets"][SALES_MODEL]["parameters"][0]["currentValue"] == "prod"


# ---- how it misleads its users


def test_pbipandas_shows_an_organisation_without_workspaces_when_it_is_throttled(powerbi: Any, cloud: Cloud) -> None:
    """And without datasets, and so on: whoever compares two days sees everything deleted."""
    throttle(cloud, "/groups/?$")
    assert powerbi.get_all_workspaces().empty
    throttle(cloud, f"/groups//{SALES}/datasets$")
    assert set(powerbi.get_all_datasets()["name"]) == {"Calendar"}


def test_pbipandas_answers_nothing_whether_a_refresh_was_accepted_or_refused(
    powerbi: Any, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    next_refresh(cloud, SALES_MODEL, lasts="PT1M")
    assert powerbi.refresh_dataset(SALES, SALES_MODEL) is None
    assert powerbi.refresh_dataset(SALES, SALES_MODEL) is None
    assert f"Failed to refresh dataset {SALES_MODEL}. Status code: 400" in capsys.readouterr().out


def test_pbipandas_calls_a_failed_refresh_started(
    powerbi: Any, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    next_refresh(cloud, SALES_MODEL, "Failed")
    powerbi.refresh_dataset(SALES, SALES_MODEL)
    assert capsys.readouterr().out == f"Start refreshing dataset {SALES_MODEL}\n"
    assert until(lambda: _statuses(powerbi), lambda seen: seen != ["Unknown"]) == ["Failed"]


def test_pbipandas_shows_no_rows_for_a_query_that_is_wrong(powerbi: Any) -> None:
    assert powerbi.execute_query(SALES, SALES_MODEL, "EVALUATE Nothing").empty


def test_pbipandas_logs_in_anew_for_every_call(powerbi: Any, cloud: Cloud) -> None:
    """Entra calls that a loop, and refuses whoever goes on with it."""
    powerbi.get_all_datasets()
    assert len(cloud.calls(host="login.microsoftonline.com", path="/token")) == 3


def test_pbipandas_hides_what_entra_says_about_a_wrong_secret(cloud: Cloud) -> None:
    client_id, _ = client(cloud)
    powerbi = pbipandas.PowerBIClient(cloud.tenant_id, client_id, "expired-long-ago")
    with pytest.raises(KeyError, match="access_token"):
        powerbi.get_all_workspaces()


def test_pbipandas_leaves_it_to_its_user_to_see_that_a_change_was_refused(powerbi: Any, cloud: Cloud) -> None:
    cloud.change(datasets={SALES_MODEL: {"owner": BEN}})
    assert powerbi.update_dataset_parameters(SALES, SALES_MODEL, {"Server": "prod"}).status_code == 403


def test_pbipandas_takes_the_first_page_for_all(powerbi: Any, cloud: Cloud) -> None:
    cloud.change(switches={"groupsPageSize": 1})
    assert len(powerbi.get_all_workspaces()) == 1
    assert REFERENCE not in set(powerbi.get_all_datasets()["workspaceId"])
