"""SimplePBI from PyPI, as its users use it: it works against the emulator, and misleads them as it does in earnest."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud import Cloud
from tests.peers.organisation import (
    ANA,
    BEN,
    MARGIN,
    OVERVIEW,
    SALES,
    SALES_MODEL,
    TAKEN,
    client,
    next_refresh,
    password,
    throttle,
    until,
)

LIBRARY = "simplepbi (requirements-peers.txt) is not installed"
pytest.importorskip("simplepbi", reason=LIBRARY)


def _module(name: str) -> Any:
    return pytest.importorskip(f"simplepbi.{name}", reason=LIBRARY)


class SimplePBI:
    """What a user's script has after its first lines."""

    def __init__(self, token: str) -> None:
        self.groups = _module("groups").Groups(token)
        self.datasets = _module("datasets").Datasets(token)
        self.reports = _module("reports").Reports(token)
        self.capacities = _module("capacities").Capacities(token)
        self.admin = _module("admin").Admin(token)

    def statuses(self, dataset_id: str = SALES_MODEL) -> list[str]:
        """Of the refreshes, the newest first."""
        return [entry["status"] for entry in self.datasets.get_refresh_history_in_group(SALES, dataset_id)["value"]]


def _log_in(cloud: Cloud, name: str = "operations", secret: str = "") -> Any:
    client_id, right = client(cloud, name)
    token = _module("token").Token(
        tenant_id=cloud.tenant_id,
        power_bi_client_id=client_id,
        power_bi_secret=secret or right,
        use_service_principal=True,
    )
    return token.token


@pytest.fixture
def simplepbi(cloud: Cloud) -> SimplePBI:
    return SimplePBI(_log_in(cloud))


def test_it_logs_in_as_a_service_principal_and_lists_workspaces(simplepbi: SimplePBI) -> None:
    assert {group["name"] for group in simplepbi.groups.get_groups()["value"]} == {TAKEN, "Shared Reference"}


def test_it_logs_in_as_a_master_user_and_lists_workspaces(cloud: Cloud) -> None:
    made = _module("token").Token(
        tenant_id=cloud.tenant_id,
        power_bi_client_id=client(cloud)[0],
        power_bi_username=ANA,
        power_bi_password=password(cloud),
    )
    listed = SimplePBI(made.token).groups.get_groups()["value"]
    assert {group["name"] for group in listed} == {TAKEN, "Shared Reference"}


def test_it_creates_a_workspace_and_adds_a_user(simplepbi: SimplePBI, cloud: Cloud) -> None:
    made = simplepbi.groups.create_group_preview("FIN-Peers-DEV", workspaceV2=True).json()
    assert simplepbi.groups.add_user_group(made["id"], "Member", BEN).status_code == 200
    users = simplepbi.groups.get_groups_users(made["id"])["value"]
    assert {(user["identifier"], user["groupUserAccessRight"]) for user in users} >= {(BEN, "Member")}
    assert simplepbi.groups.delete_user_in_group(made["id"], BEN).status_code == 200
    assert simplepbi.groups.delete_group_preview(made["id"]).status_code == 200
    assert cloud.state()["workspaces"][made["id"]]["state"] == "Deleted"


def test_it_lists_datasets_reports_pages_and_capacities(simplepbi: SimplePBI) -> None:
    assert {one["name"] for one in simplepbi.datasets.get_datasets_in_group(SALES)["value"]} == {"Sales", "Margin"}
    assert OVERVIEW in {one["id"] for one in simplepbi.reports.get_reports_in_group(SALES)["value"]}
    assert simplepbi.reports.get_pages_in_group(SALES, OVERVIEW)["value"][0]["name"] == "ReportSection"
    assert {one["displayName"] for one in simplepbi.capacities.get_capacities()["value"]} >= {"premium-eu"}


def test_the_admin_client_lists_all_workspaces_of_the_tenant(cloud: Cloud) -> None:
    listed = SimplePBI(_log_in(cloud, "admin")).admin.get_groups(top=100)["value"]
    assert "Strangers" in {group["name"] for group in listed}


def test_it_refreshes_and_follows_the_history_to_its_end(simplepbi: SimplePBI, cloud: Cloud) -> None:
    next_refresh(cloud, SALES_MODEL)
    assert simplepbi.datasets.refresh_dataset_in_group(SALES, SALES_MODEL, "NoNotification").status_code == 202
    assert simplepbi.statuses() == ["Unknown"]
    assert until(simplepbi.statuses, lambda seen: seen != ["Unknown"]) == ["Completed"]


def test_it_starts_an_enhanced_refresh(simplepbi: SimplePBI, cloud: Cloud) -> None:
    next_refresh(cloud, MARGIN)
    answer = simplepbi.datasets.enhanced_refresh_dataset_in_group(SALES, MARGIN, [{"table": "Margin"}])
    assert answer.headers["Location"].endswith(answer.headers["x-ms-request-id"])
    assert until(lambda: simplepbi.statuses(MARGIN), lambda seen: seen != ["Unknown"]) == ["Completed"]


# ---- how it misleads its users


def test_simplepbi_calls_a_failed_refresh_done(simplepbi: SimplePBI, cloud: Cloud) -> None:
    """All it answers is the acceptance; whoever does not read the history himself never hears of the failure."""
    next_refresh(cloud, SALES_MODEL, "Failed")
    assert simplepbi.datasets.refresh_dataset_in_group(SALES, SALES_MODEL, "NoNotification").ok
    assert until(simplepbi.statuses, lambda seen: seen != ["Unknown"]) == ["Failed"]


def test_simplepbi_answers_nothing_to_a_throttled_call_and_loses_when_to_try_again(
    simplepbi: SimplePBI, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    throttle(cloud, "/groups$", seconds=3392)
    assert simplepbi.groups.get_groups() is None
    assert "429 Client Error" in capsys.readouterr().out
    assert simplepbi.groups.get_groups() is not None  # it has not waited: nothing kept it from calling at once


def test_simplepbi_gives_the_same_answer_for_a_taken_name_and_for_an_outage(
    simplepbi: SimplePBI, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simplepbi.groups.create_group_preview(TAKEN, workspaceV2=True) is None
    cloud.fault("api.powerbi.com", "/groups$", "POST", status=503)
    assert simplepbi.groups.create_group_preview("FIN-Peers-DEV", workspaceV2=True) is None
    said = capsys.readouterr().out
    assert "PowerBIEntityAlreadyExists" in said
    assert "503 Server Error" in said


def test_simplepbi_answers_nothing_where_a_refresh_runs_already(
    simplepbi: SimplePBI, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    next_refresh(cloud, SALES_MODEL, lasts="PT1M")
    assert simplepbi.datasets.refresh_dataset_in_group(SALES, SALES_MODEL, "NoNotification").ok
    assert simplepbi.datasets.refresh_dataset_in_group(SALES, SALES_MODEL, "NoNotification") is None
    assert "Another refresh request is already executing" in capsys.readouterr().out


def test_simplepbi_goes_on_with_a_token_that_has_expired(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.change(switches={"accessTokenLifetime": "PT2S"})
    simplepbi = SimplePBI(_log_in(cloud))
    assert simplepbi.groups.get_groups() is not None
    until(simplepbi.groups.get_groups, lambda answer: answer is None)
    assert "TokenExpired" in capsys.readouterr().out
    assert len(cloud.calls(host="login.microsoftonline.com", path="/token")) == 1  # it never asks for another


def test_simplepbi_logs_in_without_a_word_when_the_secret_is_wrong(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _log_in(cloud, secret="expired-long-ago") is None
    assert capsys.readouterr().out == ""
    assert SimplePBI(None).groups.get_groups() is None  # type: ignore[arg-type]  # sends "Bearer None"
    assert cloud.calls(path="/groups")[-1]["status"] == 403


def test_simplepbi_takes_the_first_page_for_all(simplepbi: SimplePBI, cloud: Cloud) -> None:
    cloud.change(switches={"groupsPageSize": 1})
    assert len(simplepbi.groups.get_groups()["value"]) == 1


def test_simplepbi_misspells_a_field_which_the_service_ignores(simplepbi: SimplePBI, cloud: Cloud) -> None:
    made = simplepbi.groups.create_group_preview("FIN-Peers-DEV", workspaceV2=True).json()
    simplepbi.groups.add_user_group(made["id"], "Viewer", BEN, displayName="Benjamin")
    assert cloud.calls(path="/users", method="POST")[-1]["notes"] == ["ignored undeclared field diplayName"]
