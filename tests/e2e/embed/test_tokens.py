"""What a token holds, and what an embedding page gets with it."""

from __future__ import annotations

import json
import logging
from datetime import timedelta

import pytest

from shared import telemetry
from shared.auth.callers import Caller
from shared.embed.request import EmbedTokenAnswer
from shared.errors import Unknown
from shared.times import from_text, to_text, utc_now
from shared.validation import check
from tests.contract.checks import check_request
from tests.e2e.embed.stage import FOR_EVERYBODY, EmbedStage, as_customer, asked
from tests.seeded import ANALYTICS, BY_CUSTOMER, CALENDAR, MARGIN, OVERVIEW, REFERENCE, SALES


def test_the_answer_is_what_an_embedding_page_needs(stage: EmbedStage, portal: Caller) -> None:
    answer = stage.issued(portal, "margin", **as_customer())
    check(EmbedTokenAnswer, answer)
    report = answer["reports"][0]
    assert answer["tokenType"] == "Embed"
    assert (report["alias"], report["reportId"], report["workspaceId"]) == ("margin", BY_CUSTOMER, ANALYTICS)
    assert (report["datasetId"], report["name"]) == (MARGIN, "Margin by customer")
    assert "config=" in report["embedUrl"], "the address comes from Power BI"
    expiration = from_text(answer["expiration"])
    assert timedelta(minutes=44) < expiration - utc_now() <= timedelta(minutes=60)
    assert answer["renewAfter"] == to_text(expiration - timedelta(minutes=10))


def test_the_token_holds_exactly_what_was_asked_for(stage: EmbedStage, portal: Caller) -> None:
    token = stage.minted(stage.issued(portal, "margin", "sales", **as_customer()))
    assert [(report["id"], report["allowEdit"]) for report in token["reports"]] == [
        (OVERVIEW, False),
        (BY_CUSTOMER, False),
    ]
    assert {dataset["id"] for dataset in token["datasets"]} == {SALES, MARGIN}
    assert token["targetWorkspaces"] == []
    assert token["identities"] == [{"username": "john", "roles": ["Customer"], "datasets": [MARGIN]}]
    assert token["lifetimeInMinutes"] == 60


def test_everything_that_is_granted_can_be_asked_for(stage: EmbedStage, portal: Caller) -> None:
    wide = FOR_EVERYBODY | {"accessLevels": ["View", "Edit"], "saveAsWorkspaces": [ANALYTICS]}
    stage.grants(wide)
    identity = {"username": "john", "roles": ["Customer"], "customData": "north"}
    request = asked("margin", accessLevel="Edit", saveAs=[ANALYTICS], identity=identity, lifetimeMinutes=20)
    answer = stage.service.issue(portal, request)
    token = stage.minted(answer)
    assert token["reports"][0]["allowEdit"]
    assert token["targetWorkspaces"] == [ANALYTICS]
    assert token["identities"][0]["customData"] == "north"
    left = from_text(answer["expiration"]) - utc_now()
    assert timedelta(minutes=19) < left <= timedelta(minutes=20)
    assert from_text(answer["renewAfter"]) - utc_now() < timedelta(minutes=20) * 2 / 3


def test_a_composite_model_brings_the_models_that_it_stands_on(stage: EmbedStage, portal: Caller) -> None:
    datasets = [{"datasetId": SALES, "xmla": "readOnly"}, {"datasetId": MARGIN, "xmla": "readOnly"}]
    composite = {"workspaceId": ANALYTICS, "reportId": OVERVIEW, "datasets": datasets}
    stage.grants(sales=composite)
    token = stage.minted(stage.issued(portal, "sales", **as_customer()))
    assert {dataset["id"]: dataset["xmlaPermissions"] for dataset in token["datasets"]} == {
        SALES: "ReadOnly",
        MARGIN: "ReadOnly",
    }
    assert [identity["datasets"] for identity in token["identities"]] == [[MARGIN]]


def test_a_dataset_in_another_workspace_is_found_where_the_document_says(stage: EmbedStage, portal: Caller) -> None:
    stage.cloud.change(reports={OVERVIEW: {"datasetId": CALENDAR}})
    assert isinstance(stage.refused(portal, "sales"), Unknown)
    datasets = [{"datasetId": CALENDAR, "workspaceId": REFERENCE}]
    stage.grants(sales={"workspaceId": ANALYTICS, "reportId": OVERVIEW, "datasets": datasets})
    answer = stage.issued(portal, "sales", lifetimeMinutes=20)
    assert answer["reports"][0]["datasetId"] == CALENDAR
    assert [dataset["id"] for dataset in stage.minted(answer)["datasets"]] == [CALENDAR]


def test_reports_that_are_read_side_by_side_keep_the_correlation_id(
    stage: EmbedStage, portal: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry.install()
    caplog.set_level(logging.INFO)
    with telemetry.correlation("one-request"):
        stage.issued(portal, "margin", "sales", **as_customer())
    lines = [json.loads(record.getMessage()) for record in caplog.records if "powerbi." in record.getMessage()]
    assert len(lines) == 5
    assert {line["correlationId"] for line in lines} == {"one-request"}
    assert all(line["requestId"] for line in lines)


def test_neither_token_nor_customer_is_logged(
    stage: EmbedStage, portal: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = stage.issued(portal, "margin", **as_customer("john@customer.example"))
    stage.refused(portal, "margin", accessLevel="Edit", **as_customer("john@customer.example"))
    said = "\n".join(record.getMessage() for record in caplog.records)
    assert answer["tokenId"] in said, "a token can be found in the log, by its id"
    assert "embed.issue" in said
    assert answer["token"] not in said
    assert "john@customer.example" not in said


def test_what_power_bi_is_sent_keeps_to_its_contract(stage: EmbedStage, portal: Caller) -> None:
    wide = FOR_EVERYBODY | {"accessLevels": ["Edit"], "saveAsWorkspaces": [ANALYTICS]}
    datasets = [{"datasetId": SALES, "xmla": "readOnly"}]
    composite = {"workspaceId": ANALYTICS, "reportId": OVERVIEW, "datasets": datasets}
    stage.grants(wide, sales=composite)
    identity = {"username": "john", "roles": ["Customer"], "customData": "x"}
    request = asked("margin", "sales", "invoice", accessLevel="Edit", saveAs=[ANALYTICS], identity=identity)
    stage.service.issue(portal, request)
    calls = stage.sent()
    assert {call["method"] for call in calls} == {"GET", "POST"}
    for call in calls:
        path = call["path"].removeprefix("/v1.0/myorg")
        assert check_request(call["method"], path, call["query"], call["body"]) == []
        assert call["notes"] == []
