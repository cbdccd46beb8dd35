"""What owners and readers do with a model beside refreshing it: parameters, data sources, queries, taking over."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.tour_of_content import DATASOURCE, FLOW, PARAMETER, QUERY, furnish
from tests.emulator.powerbi_driver import APPS, MARGIN_MODEL, MARGIN_REPORT, SALES, SALES_MODEL, Driver, Reply

MODEL = f"/groups/{SALES}/datasets/{SALES_MODEL}"


@pytest.fixture
def driver() -> Driver:
    made = Driver()
    furnish(made)
    return made


def update(driver: Driver, *changes: dict[str, Any], who: str = "operations") -> Reply:
    return driver.call("POST", f"{MODEL}/Default.UpdateParameters", {"updateDetails": list(changes)}, who=who)


def query(driver: Driver, text: str = QUERY, who: str = "operations", **more: Any) -> Reply:
    return driver.call("POST", f"{MODEL}/executeQueries", {"queries": [{"query": text}]} | more, who=who)


def rows(reply: Reply) -> list[dict[str, Any]]:
    return list(reply.body["results"][0]["tables"][0]["rows"])


@pytest.mark.documented("Datasets_GetParametersInGroup")
def test_parameters_are_those_that_the_test_gave(driver: Driver) -> None:
    assert driver.call("GET", f"{MODEL}/parameters").value == [PARAMETER]


@pytest.mark.documented("Datasets_UpdateParametersInGroup")
def test_an_updated_parameter_has_its_new_value(driver: Driver) -> None:
    reply = update(driver, {"name": "Server", "newValue": "prod"})
    assert (reply.status, reply.body) == (200, None)
    assert driver.call("GET", f"{MODEL}/parameters").value[0]["currentValue"] == "prod"


@pytest.mark.observed("pbiapi on PyPI leaves the prefix out of UpdateParameters and TakeOver")
@pytest.mark.parametrize("action", ["UpdateParameters", "updateparameters", "default.updateParameters"])
def test_an_action_needs_no_prefix_and_has_no_case(driver: Driver, action: str) -> None:
    body = {"updateDetails": [{"name": "Server", "newValue": "prod"}]}
    assert driver.call("POST", f"{MODEL}/{action}", body).status == 200


@pytest.mark.documented("Datasets_UpdateParametersInGroup: limitations")
@pytest.mark.parametrize(
    "changes",
    [
        [],
        [{"name": "Server", "newValue": ""}],
        [{"name": "Server", "newValue": "a"}, {"name": "Server", "newValue": "b"}],
        [{"name": "Year", "newValue": "soon"}],
        [{"name": "Live", "newValue": "yes"}],
        [{"name": "File", "newValue": "x"}],
        [{"newValue": "x"}],
        [{"name": f"P{number}", "newValue": "x"} for number in range(101)],
    ],
    ids=["none", "required", "twice", "not a number", "not logical", "binary", "nameless", "too many"],
)
def test_an_update_that_breaks_a_rule_changes_nothing(driver: Driver, changes: list[dict[str, Any]]) -> None:
    others = [("Year", "Number"), ("Live", "Logical"), ("File", "Binary")]
    known = [PARAMETER, *({"name": name, "type": kind, "isRequired": False} for name, kind in others)]
    driver.patch(datasets={SALES_MODEL: {"parameters": known}})
    assert update(driver, *changes).status == 400
    assert driver.call("GET", f"{MODEL}/parameters").value == known


@pytest.mark.observed("a public client: 404 ItemNotFound names the positions; names mind their case")
def test_an_unknown_parameter_is_told_by_its_position(driver: Driver) -> None:
    reply = update(driver, {"name": "Server", "newValue": "prod"}, {"name": "server", "newValue": "prod"})
    assert (reply.status, reply.code, reply.body["error"]["target"]) == (404, "ItemNotFound", SALES_MODEL)
    assert reply.message == f"Dataset parameters at positions 2 cannot be found in {SALES_MODEL}"
    assert driver.call("GET", f"{MODEL}/parameters").value == [PARAMETER]


@pytest.mark.documented("Datasets_UpdateParametersInGroup, Datasets_TakeOverInGroup: owners only, whoever took over")
def test_whoever_is_not_the_owner_takes_over_first(driver: Driver) -> None:
    change = {"name": "Server", "newValue": "prod"}
    assert update(driver, change, who="ana").status == 403
    took = driver.call("POST", f"{MODEL}/Default.TakeOver", who="ana")
    assert (took.status, took.body) == (200, None)
    assert driver.call("GET", MODEL).body["configuredBy"] == "ana@contoso.com"
    assert update(driver, change, who="ana").status == 200
    assert update(driver, change).status == 403


def test_a_viewer_takes_nothing_over(driver: Driver) -> None:
    driver.patch(workspaces={SALES: {"members": {"dev@contoso.com": {"right": "Viewer"}}}})
    assert driver.call("POST", f"{MODEL}/Default.TakeOver", who="dev").status == 403


@pytest.mark.documented("Datasets_PostDatasetUserInGroup, Datasets_PutDatasetUserInGroup and their limitations")
def test_a_dataset_is_shared_with_people_to_read(driver: Driver) -> None:
    def change(method: str, who: str, right: str, kind: str = "User") -> int:
        body = {"identifier": who, "principalType": kind, "datasetUserAccessRight": right}
        return driver.call(method, f"{MODEL}/users", body).status

    def rights() -> dict[str, str]:
        listed = driver.call("GET", f"{MODEL}/users").value
        return {user["identifier"]: user["datasetUserAccessRight"] for user in listed}

    by_role = rights()
    assert by_role["ana@contoso.com"] == "ReadWriteReshareExplore"
    assert (change("POST", "dev@contoso.com", "Read"), rights()["dev@contoso.com"]) == (200, "Read")
    assert (change("PUT", "dev@contoso.com", "ReadExplore"), rights()["dev@contoso.com"]) == (200, "ReadExplore")
    assert (change("PUT", "dev@contoso.com", "None"), rights()) == (200, by_role)
    assert change("PUT", "dev@contoso.com", "Read") == 404
    assert change("POST", "dev@contoso.com", "ReadWrite") == 400
    assert change("POST", APPS["admin"].object_id, "Read", "App") == 400
    assert change("PUT", "ana@contoso.com", "Read") == 400
    assert rights() == by_role


@pytest.mark.documented("Datasets_GetDatasetUsersInGroup: for who may share it")
def test_whoever_may_not_share_does_not_see_with_whom_it_is(driver: Driver) -> None:
    driver.patch(workspaces={SALES: {"members": {"dev@contoso.com": {"right": "Contributor"}}}})
    assert driver.call("GET", f"{MODEL}/users", who="dev").status == 403


@pytest.mark.documented("Datasets_GetDatasourcesInGroup")
def test_data_sources_are_those_that_the_test_gave(driver: Driver) -> None:
    assert driver.call("GET", f"{MODEL}/datasources").value == [DATASOURCE]
    assert driver.call("GET", f"/groups/{SALES}/datasets/{MARGIN_MODEL}/datasources").value == []


@pytest.mark.documented("Datasets_GetDatasetToDataflowsLinksInGroup")
def test_a_dataset_tells_which_dataflow_feeds_it(driver: Driver) -> None:
    links = driver.call("GET", f"/groups/{SALES}/datasets/upstreamDataflows").value
    assert links == [{"datasetObjectId": SALES_MODEL, "dataflowObjectId": FLOW, "workspaceObjectId": SALES}]


@pytest.mark.documented("Datasets_DeleteDatasetInGroup")
@pytest.mark.assumed("the reports upon it go with it, as in the portal")
def test_a_deleted_dataset_takes_its_reports_along(driver: Driver) -> None:
    assert driver.call("DELETE", f"/groups/{SALES}/datasets/{MARGIN_MODEL}").status == 200
    assert driver.call("GET", f"/groups/{SALES}/datasets/{MARGIN_MODEL}").status == 404
    assert driver.call("GET", f"/groups/{SALES}/reports/{MARGIN_REPORT}").status == 404
    assert len(driver.call("GET", f"/groups/{SALES}/reports").value) == 2


@pytest.mark.documented("Datasets_ExecuteQueriesInGroup")
def test_a_query_gets_the_rows_that_the_state_has_for_it(driver: Driver) -> None:
    assert rows(query(driver)) == [{"Customer[Name]": "Adatum"}]
    assert rows(query(driver, "evaluate\n  values( Customer[Name])".replace("( ", "("))) == rows(query(driver))


@pytest.mark.documented("Datasets_ExecuteQueriesInGroup: errors in DAX are 400")
def test_any_other_query_is_an_error_in_dax(driver: Driver) -> None:
    reply = query(driver, "EVALUATE Nothing")
    assert (reply.status, reply.code) == (400, "DatasetExecuteQueriesError")


@pytest.mark.documented("Datasets_ExecuteQueriesInGroup: includeNulls, false unless asked for")
def test_empty_columns_are_left_out_unless_asked_for(driver: Driver) -> None:
    driver.patch(datasets={SALES_MODEL: {"queryResults": {QUERY: [{"Customer[Name]": None, "[N]": 1}]}}})
    assert rows(query(driver)) == [{"[N]": 1}]
    assert rows(query(driver, serializerSettings={"includeNulls": True})) == [{"Customer[Name]": None, "[N]": 1}]


@pytest.mark.documented("Datasets_ExecuteQueriesInGroup: 100,000 rows or 1,000,000 values, 200 with a word about it")
def test_a_result_that_is_too_long_is_cut_and_says_so(driver: Driver) -> None:
    wide = {f"[C{number}]": number for number in range(100)}
    driver.patch(datasets={SALES_MODEL: {"queryResults": {QUERY: [wide] * 10_001}}})
    reply = query(driver)
    assert (reply.status, len(rows(reply))) == (200, 10_000)
    assert "10000 rows" in reply.body["results"][0]["tables"][0]["error"]["message"]


@pytest.mark.documented("Datasets_ExecuteQueriesInGroup: one query; not by service principals with row-level security")
@pytest.mark.assumed("the status of the latter (queryRefusedStatus)")
def test_a_query_that_is_not_possible_is_refused(driver: Driver) -> None:
    two = {"queries": [{"query": QUERY}] * 2}
    assert driver.call("POST", f"{MODEL}/executeQueries", two).status == 400
    driver.patch(datasets={SALES_MODEL: {"roles": ["Customer"]}})
    assert query(driver).code == "DatasetExecuteQueriesError"
    assert query(driver, who="ana").status == 200
    driver.switch(queryRefusedStatus=401)
    assert query(driver).status == 401


@pytest.mark.observed("public clients: without Build 404, without the workspace 401")
def test_whoever_may_only_view_can_not_query(driver: Driver) -> None:
    driver.patch(workspaces={SALES: {"members": {"dev@contoso.com": {"right": "Viewer"}}}})
    assert (query(driver, who="dev").status, query(driver, who="chloe").status) == (404, 401)


@pytest.mark.documented("Datasets_ExecuteQueriesInGroup: a tenant setting, and 120 queries a minute for each user")
def test_queries_can_be_off_and_are_limited(driver: Driver) -> None:
    assert [query(driver).status for _ in range(121)] == [200] * 120 + [429]
    assert query(driver, who="ana").status == 200
    driver.pass_time(seconds=61)
    driver.switch(datasetExecuteQueries=False)
    assert query(driver).status == 401
