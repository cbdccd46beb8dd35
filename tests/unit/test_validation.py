"""What comes from outside is read strictly, and every fault is told with its place and the way out."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Annotated, Any, Literal

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
    parse_json,
    parse_yaml,
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


def json_faults(raw: bytes) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_json(raw)
    return {fault.path: fault.message for fault in caught.value.faults}


def yaml_faults(text: str | bytes) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_yaml(text.encode() if isinstance(text, str) else text)
    return {fault.path: fault.message for fault in caught.value.faults}


# --- models ---------------------------------------------------------------------------------------------------------


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


# --- JSON -----------------------------------------------------------------------------------------------------------


def test_json_is_read_as_plain_values() -> None:
    assert parse_json('{"a": [1, 2.5, null, true, "ü"]}'.encode()) == {"a": [1, 2.5, None, True, "ü"]}


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        (b"", "", "There is no body."),
        (b" \n", "", "There is no body."),
        (b"\xef\xbb\xbf{}", "", "The text begins with a byte order mark."),
        (b'{"a":\n "\xff"}', "", "Line 2, byte 8: not UTF-8."),
        ("{}".encode("utf-16"), "", "Line 1, byte 0: not UTF-8."),
        (b'{"a" 1}', "", "Line 1, column 6: not JSON."),
        (b"{} {}", "", "Line 1, column 4: not JSON."),
        (b"[1]", "", "Must be a JSON object"),
        (b'"x"', "", "Must be a JSON object"),
        (b'{"a": NaN}', "a", "NaN is not JSON."),
        (b'{"a": {"b": [1, -Infinity]}}', "a.b[1]", "-Infinity is not JSON."),
        (b'{"a": 1e999}', "a", "A number that is too large."),
        (b'{"a": [' + b"9" * 5000 + b"]}", "a[0]", "A number of more than 40 digits."),
        (b'{"a": 1, "a": 2}', "a", "This name stands more than once."),
        (b'{"x": [{"y": {"a": 1, "b": 2, "a": 1}}]}', "x[0].y.a", "This name stands more than once."),
        (b'{"a": "\\ud800"}', "a", "Holds half a surrogate pair"),
        (b'{"a": {"\\ud800": 1}}', "a", "Holds half a surrogate pair"),
        (b"[" * 100_000, "", "Nested more than 64 levels deep."),
        (b'{"a":' * 100_000, "", "Nested more than 64 levels deep."),
        (b'{"a":' + b"[" * 64 + b"]" * 64 + b"}", "a[0][0]", "Nested more than 64 levels deep."),
        (b'{"a": "' + b"x" * 1024 * 1024 + b'"}', "", "The document must not be larger than 1048576 bytes (1 MiB)."),
    ],
)
def test_what_two_readers_might_understand_differently_is_refused(raw: bytes, path: str, message: str) -> None:
    found = json_faults(raw)
    assert list(found) == [path]
    assert found[path].startswith(message)


def test_all_faults_of_a_json_text_are_told_in_order() -> None:
    assert list(json_faults(b'{"b": NaN, "a": {"c": 1, "c": 2}, "d": 1e999}')) == ["b", "a.c", "d"]


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_an_object_or_a_clear_refusal(raw: bytes) -> None:
    for parse in (parse_json, parse_yaml):
        try:
            assert isinstance(parse(raw), dict)
        except InvalidRequest as refusal:
            assert refusal.faults


PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), PLAIN, max_size=5))
def test_what_json_says_is_what_is_read(data: dict[str, object]) -> None:
    assert parse_json(json.dumps(data).encode()) == data


# --- YAML -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("yes", "no", "on", "off", "Off", "none", "None", "y", "N", "nULL", "tRue")],
        *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
        *[("true", True), ("True", True), ("TRUE", True), ("false", False)],
        *[("8", 8), ("-8", -8), ("+8", 8), ("007", 7), ("0o17", 15), ("0xfF", 255)],
        *[("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("2.", 2.0), ("-1.5E-2", -0.015)],
        *[("12:30", "12:30"), ("1_000", "1_000"), ("0b1", "0b1"), ("1.2.3", "1.2.3"), ("1e", "1e"), (".", ".")],
        *[("2026-11-22", "2026-11-22"), ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"), ("PT2M", "PT2M")],
        ("1234567e-1234-4000-8000-000000000001", "1234567e-1234-4000-8000-000000000001"),
        ("12345678-1234-4000-8000-000000000001", "12345678-1234-4000-8000-000000000001"),
        *[("'8'", "8"), ('"true"', "true"), ("'~'", "~"), ("=", "="), ("|\n  8\n", "8\n")],
    ],
)
def test_scalars_are_resolved_as_yaml_1_2_does(text: str, value: object) -> None:
    found = parse_yaml(f"a: {text}".encode())
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_yaml_is_read_as_plain_values_with_or_without_a_byte_order_mark() -> None:
    text = "a:\n  - {b: [1, {c: }]}\n  - x\nd: {}\n---\n".removesuffix("---\n")
    expected = {"a": [{"b": [1, {"c": None}]}, "x"], "d": {}}
    assert parse_yaml(text.encode()) == parse_yaml(text.encode("utf-8-sig")) == expected


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("", "", "Must be a mapping"),
        ("# nothing\n", "", "Must be a mapping"),
        ("- a", "", "Must be a mapping"),
        ("text", "", "Must be a mapping"),
        ("a: [", "", "Line 1, column 5: not YAML"),
        ("a: 1\n b: 2", "", "Line 2, column 3: not YAML"),
        ("a: 1\n---\nb: 2", "", "Line 2: a second document begins"),
        ("a: &x [1]", "a", "Line 1: Anchors"),
        ("a: &x 1", "a", "Line 1: Anchors"),
        ("b: [1, *x]", "b[1]", "Line 1: Anchors"),
        ("b:\n  <<: {a: 1}", "b['<<']", "Line 2: Anchors"),
        ("a: !!str 1", "a", "Line 1: Tags"),
        ("a: !!python/object/apply:os.system [ls]", "a", "Line 1: Tags"),
        ("a: ! x", "a", "Line 1: Tags"),
        ("a: {b: 1, b: 2}", "a.b", "Line 1: This name stands more than once."),
        ("a:\n  - b: 1\n    'b': 2", "a[0].b", "Line 3: This name stands more than once."),
        ("1: a", "['1']", "Line 1: A key must be text: put it into quotes."),
        ("true: a", "true", "Line 1: A key must be text"),
        ("~: a", "['~']", "Line 1: A key must be text"),
        ("a: {1.5: b}", "a['1.5']", "Line 1: A key must be text"),
        ("[a]: b", "", "Line 1: a key must be text."),
        ("a:\n  {b: 1}: c", "a", "Line 2: a key must be text."),
        ("a: .inf", "a", "Line 1: Infinity and NaN are not supported"),
        ("a: .NaN", "a", "Line 1: Infinity and NaN are not supported"),
        ("a: 1e999", "a", "Line 1: A number that is too large."),
        ("a: " + "9" * 5000, "a", "Line 1: A number of more than 40 digits."),
        ("a: " + "[" * 20_000, "", "Line 1: nested more than 64 levels deep."),
        ('a: "\\ud800"', "a", "Line 1: Holds half a surrogate pair"),
        ('"\\ud800": 1', "['?']", "Line 1: Holds half a surrogate pair"),
        ("a: \x01", "", "Character 3: a control character"),
        ("x" * (1024 * 1024 + 1), "", "The document must not be larger than"),
    ],
)
def test_yaml_that_is_not_plain_is_refused(text: str, path: str, message: str) -> None:
    found = yaml_faults(text)
    assert list(found) == [path]
    assert found[path].startswith(message)


def test_yaml_that_is_not_utf_8_is_refused() -> None:
    assert yaml_faults(b"a: 1\nb: \xff")[""].startswith("Line 2, byte 8: not UTF-8.")


def test_an_alias_bomb_is_refused_before_it_goes_off() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    assert all("Anchors" in message for message in yaml_faults(bomb).values())


PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cn", "Zl", "Zp"]))


@given(
    st.dictionaries(PRINTABLE, st.lists(PRINTABLE | st.integers() | st.none() | st.booleans(), max_size=4), max_size=5)
)
def test_json_is_yaml_and_means_the_same(data: dict[str, object]) -> None:
    text = json.dumps(data, ensure_ascii=False)
    assert parse_yaml(text.encode()) == data
