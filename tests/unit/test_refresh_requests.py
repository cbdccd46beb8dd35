"""What a caller may ask of refreshes."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import InvalidRequest
from shared.refresh.requests import RefreshRunRequest
from shared.validation import check
from tests.seeded import ANALYTICS, SALES

Json = dict[str, Any]
DATASET = SALES.upper()


def read(**body: Any) -> RefreshRunRequest:
    return check(RefreshRunRequest, body)


def faults(**body: Any) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as refusal:
        read(**body)
    return {fault.path: fault.message for fault in refusal.value.faults}


def test_a_dataset_is_named_by_its_alias_or_by_both_ids() -> None:
    assert read(dataset="sales").dataset == "sales"
    assert read(workspaceId=ANALYTICS, datasetId=DATASET).dataset_id == DATASET.lower()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"workspaceId": ANALYTICS},
        {"datasetId": DATASET},
        {"dataset": "sales", "workspaceId": ANALYTICS, "datasetId": DATASET},
        {"dataset": "sales", "datasetId": DATASET},
    ],
)
def test_no_dataset_or_two_are_refused(body: Json) -> None:
    assert "one dataset" in faults(**body)[""]


def test_dependents_are_refused_for_now() -> None:
    assert "Not supported yet" in faults(dataset="sales", withDependents=True)["withDependents"]
    assert read(dataset="sales", withDependents=False).refresh is None


def test_an_enhanced_body_goes_to_power_bi_as_it_spells_things() -> None:
    sent = {
        "type": "full",
        "commitMode": "partialBatch",
        "maxParallelism": 2,
        "retryCount": 1,
        "timeout": "02:00:00",
        "objects": [{"table": "Sales", "partition": "Sales-2026-11"}, {"table": "Customer"}],
        "applyRefreshPolicy": False,
        "effectiveDate": "2026-11-22",
    }
    refresh = read(dataset="sales", refresh=sent).refresh
    assert refresh is not None
    expected = {"type": "Full", "commitMode": "PartialBatch", "effectiveDate": "2026-11-22T00:00:00Z"}
    assert refresh.body() == sent | expected


@pytest.mark.parametrize(
    ("refresh", "place"),
    [
        ({}, "refresh"),
        ({"type": "add"}, "refresh.type"),
        ({"type": 1}, "refresh.type"),
        ({"notifyOption": "NoNotification"}, "refresh.notifyOption"),
        ({"commitMode": "half"}, "refresh.commitMode"),
        ({"maxParallelism": 0}, "refresh.maxParallelism"),
        ({"retryCount": -1}, "refresh.retryCount"),
        ({"timeout": "25:00:00"}, "refresh.timeout"),
        ({"timeout": "2h"}, "refresh.timeout"),
        ({"objects": []}, "refresh.objects"),
        ({"objects": [{"partition": "x"}]}, "refresh.objects[0].table"),
        ({"objects": [{"table": "a\nb"}]}, "refresh.objects[0].table"),
        ({"effectiveDate": "tomorrow"}, "refresh.effectiveDate"),
        ({"commitMode": "PartialBatch", "applyRefreshPolicy": True}, "refresh"),
    ],
)
def test_a_body_that_power_bi_would_refuse_is_refused_at_once(refresh: Json, place: str) -> None:
    assert list(faults(dataset="sales", refresh=refresh)) == [place]


def test_equal_requests_are_equal_whatever_their_keys() -> None:
    first = read(dataset="sales", requestId="first-key", schemaVersion=1)
    second = read(dataset="sales", requestId="other-key", withDependents=False)
    assert first.canonical() == second.canonical()
    assert first.canonical() != read(dataset="sales", refresh={"type": "Full"}).canonical()
