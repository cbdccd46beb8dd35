"""Documents are read strictly, and every fault is told with its place and the way out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from shared.errors import InvalidRequest
from shared.validation import (
    Document,
    Guid,
    IsoDuration,
    VersionedDocument,
    check,
    duration_text,
)

GUID = "D4000000-0000-4000-8000-00000000000A"


class Application(Document):
    caller: Literal["application"]
    access_levels: tuple[Literal["View", "Edit"], ...] = ("View",)


class Delegated(Document):
    caller: Literal["delegated"]
    claim: str


class Entry(Document):
    dataset_id: Guid
    quiet_period: IsoDuration = timedelta(minutes=2)


class Sample(VersionedDocument):
    name: str = ""
    number: Annotated[int, Field(ge=1, le=9)] = 1
    share: float = 0.5
    paused: bool = False
    daily_limit: Literal["none"] | int = "none"
    entries: dict[str, Entry] = Field(default_factory=dict)
    grants: list[Annotated[Application | Delegated, Field(discriminator="caller")]] = Field(default_factory=list)
    tags: Annotated[frozenset[str], Field(min_length=1, max_length=2)] = frozenset({"a"})
    code: Annotated[str, Field(pattern="^[A-Z]+$", max_length=3)] = "A"


def faults_of(data: object) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        check(Sample, data)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_a_good_document_becomes_a_model_with_typed_values() -> None:
    data = {"entries": {"sales": {"datasetId": GUID, "quietPeriod": "PT1H30M"}}, "grants": [{"caller": "application"}]}
    sample = check(Sample, data)
    assert sample.entries["sales"].dataset_id == GUID.lower()
    assert sample.entries["sales"].quiet_period == timedelta(hours=1, minutes=30)
    assert sample.grants == [Application(caller="application")]


def test_documents_do_not_change() -> None:
    with pytest.raises(ValidationError):
        setattr(check(Sample, {}), "name", "other")  # noqa: B010 - a type checker refuses the plain assignment


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ({"name": 5}, "name", "Must be text: put it into quotes."),
        ({"name": ["x"]}, "name", "Must be text."),
        ({"number": "5"}, "number", "Must be a whole number."),
        ({"number": 1.5}, "number", "Must be a whole number."),
        ({"number": True}, "number", "Must be a whole number."),
        ({"number": 0}, "number", "Must be 1 or more."),
        ({"number": 10}, "number", "Must be 9 or less."),
        ({"share": "1"}, "share", "Must be a number."),
        ({"paused": "true"}, "paused", "Must be true or false."),
        ({"paused": 1}, "paused", "Must be true or false."),
        ({"dailyLimit": "some"}, "dailyLimit", "Must be none. Or: Must be a whole number."),
        ({"tags": []}, "tags", "Must have at least 1 item."),
        ({"tags": ["a", "b", "c"]}, "tags", "Must have at most 2 items."),
        ({"tags": "a"}, "tags", "Must be a list: [ … ]."),
        ({"code": "a"}, "code", "Must match ^[A-Z]+$"),
        ({"code": "ABCD"}, "code", "Must have at most 3 characters."),
        ({"entries": []}, "entries", "Must be an object with named fields."),
        ({"entries": {"a b": {}}}, "entries['a b'].datasetId", "Required, and missing."),
        ({"entries": {"sales": {"datasetId": "x"}}}, "entries.sales.datasetId", "Must be a GUID: 8-4-4-4-12 hex"),
        ({"grants": [{"caller": "nobody"}]}, "grants[0].caller", "Must be one of: application, delegated."),
        ({"grants": [{}]}, "grants[0].caller", "Required, and missing."),
        ({"grants": [{"caller": "delegated"}]}, "grants[0].claim", "Required, and missing."),
        (
            {"grants": [{"caller": "application", "accessLevels": ["Own"]}]},
            "grants[0].accessLevels[0]",
            "Must be one of",
        ),
        ({"surplus": 1}, "surplus", "Unknown field. Allowed here: schemaVersion, name, number, share, paused,"),
        (
            {"grants": [{"caller": "application", "claim": "x"}]},
            "grants[0].claim",
            "Unknown field. Allowed here: caller, accessLevels.",
        ),
        (
            {"entries": {"sales": {"datasetId": GUID, "dataset_id": GUID}}},
            "entries.sales.dataset_id",
            "Unknown field. Allowed here: datasetId, quietPeriod.",
        ),
    ],
)
def test_a_fault_says_where_and_what_is_allowed(data: object, path: str, message: str) -> None:
    found = faults_of(data)
    assert list(found) == [path]
    assert found[path].startswith(message)


def test_a_field_goes_by_its_published_name_only() -> None:
    assert set(faults_of({"entries": {"sales": {"dataset_id": GUID}}})) == {
        "entries.sales.datasetId",
        "entries.sales.dataset_id",
    }


def test_all_faults_are_told_at_once() -> None:
    assert set(faults_of({"name": 1, "number": "x", "grants": [{"caller": "delegated"}], "no": 1})) == {
        "name",
        "number",
        "grants[0].claim",
        "no",
    }


def test_the_detail_tells_the_first_fault_and_how_many_follow() -> None:
    with pytest.raises(InvalidRequest, match=r"^Not valid: name: Must be text\. \(and 1 more\)$"):
        check(Sample, {"name": [], "number": "x"})


def test_a_flood_of_faults_is_bounded() -> None:
    assert len(faults_of({f"field{number}": 1 for number in range(5000)})) == 100


def test_what_was_sent_is_not_repeated() -> None:
    found = faults_of({"number": "hunter2hunter2", "dailyLimit": "hunter2hunter2", "grants": [{"caller": "hunter2h"}]})
    assert "hunter2" not in json.dumps(found)


def test_a_long_name_is_cut_in_the_path() -> None:
    [path] = faults_of({"x" * 500: 1})
    assert len(path) < 70


@pytest.mark.parametrize("version", [2, 0, "1", True, 1.0, None])
def test_another_schema_version_than_one_is_refused(version: object) -> None:
    assert faults_of({"schemaVersion": version})["schemaVersion"].startswith("Must be 1, or be left out")


@pytest.mark.parametrize("data", [{}, {"schemaVersion": 1}])
def test_schema_version_one_may_be_left_out(data: object) -> None:
    assert check(Sample, data).schema_version == 1


@pytest.mark.parametrize("data", [[], "text", 5, None])
def test_a_document_that_is_no_object_is_refused(data: object) -> None:
    assert faults_of(data) == {"": "Must be an object with named fields."}


@pytest.mark.parametrize(
    "guid", ["", GUID + "\n", "{" + GUID + "}", GUID.replace("-", ""), GUID[:-1] + "g", GUID + "0"]
)
def test_only_the_usual_form_of_a_guid_is_taken(guid: str) -> None:
    assert "entries.a.datasetId" in faults_of({"entries": {"a": {"datasetId": guid}}})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT2M", 120),
        ("PT0.5S", 0.5),
        ("P1D", 86400),
        ("P2W", 1209600),
        ("P1DT12H", 129600),
        ("PT0S", 0),
        ("PT36H", 129600),
    ],
)
def test_durations_are_iso_8601(text: str, seconds: float) -> None:
    assert _period(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "2M", "PT2M ", "PT2M\n", "P1M", "P1Y", "-PT2M", "PT1H-3M", "120", "PT٢M"]
)
def test_other_texts_are_no_duration(text: str) -> None:
    found = faults_of({"entries": {"a": {"datasetId": GUID, "quietPeriod": text}}})
    assert found["entries.a.quietPeriod"].startswith("Must be a duration in ISO 8601")


def test_a_number_is_no_duration() -> None:
    assert "entries.a.quietPeriod" in faults_of({"entries": {"a": {"datasetId": GUID, "quietPeriod": 120}}})


@given(st.integers(min_value=0, max_value=99_999 * 86_400))
def test_a_duration_survives_being_written_and_read(seconds: int) -> None:
    assert _period(duration_text(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


def _period(text: str) -> timedelta:
    return check(Entry, {"datasetId": GUID, "quietPeriod": text}).quiet_period


def test_models_are_written_as_they_are_read() -> None:
    entry = Entry(dataset_id=GUID, quiet_period=timedelta(minutes=90))
    assert check(Entry, entry.model_dump(mode="json", by_alias=True)) == entry
