"""What an operator may write in refresh.yaml, and what is said about the rest."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InvalidRequest
from shared.refresh.documents import (
    DatasetPolicy,
    RefreshDocument,
    not_in_effect,
    read_refresh_document,
    warnings,
)
from tests.seeded import ANALYTICS, CALENDAR, MARGIN, SALES

Json = dict[str, Any]


def dataset(dataset_id: str = SALES, **changes: Any) -> Json:
    return {"workspaceId": ANALYTICS, "datasetId": dataset_id, "capacity": "premium", **changes}


def rule(**changes: Any) -> Json:
    return {"path": "landing/sales/{year}/*.csv", "refresh": "sales", **changes}


def document(*rules: Json, **datasets: Json) -> Json:
    return {"datasets": datasets or {"sales": dataset()}, "rules": list(rules or (rule(),))}


def read(data: Json) -> RefreshDocument:
    return read_refresh_document(json.dumps(data).encode())


def faults(data: Json) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refusal:
        read(data)
    return {fault.path: fault.message for fault in refusal.value.faults}


def test_the_sample_is_valid_and_only_its_marker_is_warned_of() -> None:
    sample = read_refresh_document(Path("config/refresh.yaml").read_bytes())
    assert set(sample.datasets) == {"calendar", "sales", "margin"}
    (widened,) = warnings(sample)
    assert widened.startswith("datasets.sales: partitions are named by rules[1], the whole model")
    assert not_in_effect(sample) == []


def test_what_is_left_out_has_the_documented_defaults() -> None:
    policy = read(document(sales={"workspaceId": ANALYTICS, "datasetId": SALES.upper()})).policy_by_alias("sales")
    assert policy == DatasetPolicy(
        alias="sales",
        workspace_id=ANALYTICS,
        dataset_id=SALES,
        premium=False,
        quiet_period=timedelta(minutes=2),
        max_wait=timedelta(minutes=15),
        timeout=timedelta(hours=2),
        attempts=3,
        retry_delay=timedelta(minutes=5),
        backoff=2,
        paused=False,
        settle=timedelta(seconds=30),
        margin=timedelta(minutes=2),
    )


def test_everything_that_the_contract_shows_is_read() -> None:
    text = f"""
schemaVersion: 1
datasets:
  calendar: {{workspaceId: {ANALYTICS}, datasetId: {CALENDAR}, capacity: shared}}
  sales:
    workspaceId: {ANALYTICS}
    datasetId: {SALES}
    dependsOn: [calendar]
    capacity: premium
    quietPeriod: PT3M
    maxWait: PT20M
    timeout: PT3H
    retries: {{attempts: 5, delay: PT1M, backoff: 1.5}}
    dailyLimit: none
    freshness: PT24H
    critical: true
    paused: true
    notify: [operations]
rules:
  - path: landing/sales/{{year}}/{{month}}/*.parquet
    refresh: sales
    objects: [{{table: Sales, partition: "Sales-{{year}}-{{month}}"}}]
  - path: landing/sales/_SUCCESS
    refresh: sales
    immediate: true
notifications:
  operations: {{type: webhook, urlSecret: operations-webhook-url}}
"""
    read_document = read_refresh_document(text.encode())
    policy = read_document.policy(SALES.upper())
    assert policy is not None
    assert (policy.quiet_period, policy.max_wait, policy.timeout) == (
        timedelta(minutes=3),
        timedelta(minutes=20),
        timedelta(hours=3),
    )
    assert (policy.attempts, policy.retry_delay, policy.backoff) == (5, timedelta(minutes=1), 1.5)
    assert policy.paused
    assert policy.premium
    assert not_in_effect(read_document) == [
        "datasets.sales.dependsOn",
        "datasets.sales.critical",
        "datasets.sales.dailyLimit",
        "datasets.sales.freshness",
        "datasets.sales.notify",
    ]


def test_an_immediate_rule_never_waits_longer_than_the_quiet_period() -> None:
    policy = read(document(sales=dataset(quietPeriod="PT2S"))).policy_by_alias("sales")
    assert policy is not None
    assert policy.settle == timedelta(seconds=2)


def test_a_dataset_that_is_not_named_has_no_policy() -> None:
    assert read(document()).policy(MARGIN) is None
    assert read(document()).policy_by_alias("margin") is None


def test_two_aliases_for_one_dataset_are_refused_whatever_the_case() -> None:
    told = faults(document(sales=dataset(), again=dataset(SALES.upper())))
    assert told == {"datasets.again.datasetId": "The same dataset as sales: keep one alias."}


def test_a_rule_for_an_unknown_dataset_is_refused() -> None:
    assert faults(document(rule(refresh="sale"))) == {"rules[0].refresh": "No such alias under datasets."}


def test_a_dependency_on_an_unknown_dataset_or_on_itself_is_refused() -> None:
    assert faults(document(sales=dataset(dependsOn=["calendar"]))) == {
        "datasets.sales.dependsOn[0]": "No such name under datasets."
    }
    assert "circle" in faults(document(sales=dataset(dependsOn=["sales"])))["datasets.sales.dependsOn"]


def test_a_circle_is_told_where_it_is_and_not_where_it_leads() -> None:
    told = faults(
        document(
            sales=dataset(dependsOn=["margin"]),
            margin=dataset(MARGIN, dependsOn=["sales"]),
            calendar=dataset(CALENDAR, dependsOn=["sales"]),
        )
    )
    assert told == {
        f"datasets.{alias}.dependsOn": "Depends on itself: margin, sales form a circle."
        for alias in ("sales", "margin")
    }


def test_dependencies_that_form_no_circle_are_fine() -> None:
    diamond = document(
        sales=dataset(dependsOn=["margin", "calendar"]),
        margin=dataset(MARGIN, dependsOn=["calendar"]),
        calendar=dataset(CALENDAR),
    )
    assert not_in_effect(read(diamond)) == ["datasets.sales.dependsOn", "datasets.margin.dependsOn"]


def test_somebody_to_notify_has_to_be_known() -> None:
    assert faults(document(sales=dataset(notify=["operations"]))) == {
        "datasets.sales.notify[0]": "No such name under notifications."
    }


def test_objects_on_shared_capacity_are_a_warning() -> None:
    shared = document(rule(objects=[{"table": "Sales"}]), sales=dataset(capacity="shared"))
    assert warnings(read(shared)) == [
        "rules[0].objects: ignored, for sales is on shared capacity: the whole model is refreshed."
    ]


PARTITION: Json = {"table": "Sales", "partition": "Sales-{year}"}
SUCCESS = "landing/sales/_SUCCESS"


@pytest.mark.parametrize(
    "wider",
    [
        rule(path=SUCCESS, immediate=True),
        rule(path=SUCCESS, objects=[{"table": "Sales"}]),
        rule(path=SUCCESS, objects=[{"table": "Calendar"}, {"table": "Sales"}]),
    ],
)
def test_a_rule_that_widens_what_another_names_is_a_warning(wider: Json) -> None:
    (told,) = warnings(read(document(rule(objects=[PARTITION]), rule(objects=[PARTITION]), wider)))
    assert told.startswith(
        "datasets.sales: partitions are named by rules[0], rules[1], the whole model or table is meant by rules[2]."
    )
    assert "refresh policy" in told
    assert "marker in each partition's folder" in told


@pytest.mark.parametrize(
    "beside",
    [
        rule(path="landing/sales/{year}/_SUCCESS", objects=[PARTITION], immediate=True),
        rule(path=SUCCESS, objects=[{"table": "Calendar"}]),
        rule(path=SUCCESS, refresh="margin"),
    ],
)
def test_a_rule_beside_partitions_that_widens_nothing_is_none(beside: Json) -> None:
    both = {"sales": dataset(), "margin": dataset(MARGIN)}
    assert warnings(read(document(rule(objects=[PARTITION]), beside, **both))) == []


def test_on_shared_capacity_where_all_is_the_whole_model_nothing_is_widened() -> None:
    told = warnings(read(document(rule(objects=[PARTITION]), rule(path=SUCCESS), sales=dataset(capacity="shared"))))
    assert [each.split(":")[0] for each in told] == ["rules[0].objects"]


def test_whole_tables_without_partitions_are_no_warning() -> None:
    assert warnings(read(document(rule(objects=[{"table": "Sales"}]), rule(path=SUCCESS)))) == []


def test_a_timeout_that_power_bi_does_not_wait_for_is_a_warning() -> None:
    assert "PT2H" in warnings(read(document(sales=dataset(capacity="shared", timeout="PT3H"))))[0]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("landing", "container/path"),
        ("", "container/path"),
        ("/landing/x", "empty segment"),
        ("landing/x/", "empty segment"),
        ("landing//x", "empty segment"),
        ("landing/**.csv", "alone between slashes"),
        ("landing/sales-{year}.csv", "whole segment"),
        ("landing/{year", "whole segment"),
        ("landing/{}", "whole segment"),
        ("landing/{1}", "whole segment"),
        ("landing/{a}/{a}/x", "only once"),
        ("landing/**/{a}/**/x", "between two"),
        ("landing/" + "x" * 600, "512 characters"),
        ("landing" + "/x" * 40, "32 segments"),
    ],
)
def test_a_path_that_is_no_pattern_is_refused(path: str, said: str) -> None:
    assert said in faults(document(rule(path=path)))["rules[0].path"]


def test_a_placeholder_that_the_path_does_not_capture_is_refused() -> None:
    told = faults(document(rule(objects=[{"table": "Sales", "partition": "Sales-{year}-{month}"}])))
    assert told == {"rules[0].objects[0].partition": "The path does not capture {month}."}


@pytest.mark.parametrize("template", ["Sales-{year", "Sales-year}", "{a-b}", "{{year}}"])
def test_a_brace_without_its_partner_is_refused(template: str) -> None:
    assert "brace" in faults(document(rule(objects=[{"table": template}])))["rules[0].objects[0].table"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quietPeriod", "2 minutes"),
        ("quietPeriod", 120),
        ("quietPeriod", "P2D"),
        ("maxWait", "PT1M"),
        ("timeout", "PT0S"),
        ("timeout", "P2D"),
        ("capacity", "Premium"),
        ("paused", "no"),
        ("dailyLimit", 0),
        ("dailyLimit", "many"),
        ("freshness", "daily"),
        ("dependsOn", "calendar"),
        ("unknown", 1),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_at_its_place(field: str, value: Any) -> None:
    assert list(faults(document(sales=dataset(**{field: value})))) == [f"datasets.sales.{field}"]


@pytest.mark.parametrize(
    "retries",
    [{"attempts": 0}, {"attempts": 11}, {"delay": "PT0S"}, {"backoff": 0.5}, {"attempts": 10, "backoff": 10}],
)
def test_retries_that_would_never_come_or_never_end_are_refused(retries: Json) -> None:
    assert next(iter(faults(document(sales=dataset(retries=retries))))).startswith("datasets.sales.retries")


def test_all_faults_are_told_at_once() -> None:
    broken = document(
        rule(path="landing", refresh="nobody"),
        sales=dataset(dependsOn=["sales"], quietPeriod="soon"),
        again=dataset(),
    )
    assert list(faults(broken)) == [
        "datasets.sales.quietPeriod",
        "rules[0].path",
        "datasets.again.datasetId",
        "datasets.sales.dependsOn",
        "rules[0].refresh",
    ]
    with pytest.raises(InvalidRequest, match=r"refresh\.yaml is not valid: .*; and 2 more"):
        read(broken)


def test_anything_else_than_a_document_is_refused_and_breaks_nothing() -> None:
    odds: list[Json] = [
        {"datasets": [], "rules": {}},
        {"datasets": {"a": None, "b": {"dependsOn": [{}, ["b"]]}}, "rules": [None, {"objects": [7]}]},
        {"datasets": {}, "rules": [], "schemaVersion": 2},
    ]
    for odd in odds:
        assert faults(odd)


def test_no_datasets_is_a_document_that_refreshes_nothing() -> None:
    assert read({"datasets": {}}).rules == []
