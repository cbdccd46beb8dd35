"""YAML from operators: plain values by YAML 1.2, without what surprises its readers or harms its parser."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequest
from shared.validation import (
    parse_json,
    parse_yaml,
)


def yaml_faults(text: str | bytes) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_yaml(text.encode() if isinstance(text, str) else text)
    return {fault.path: fault.message for fault in caught.value.faults}


@given(st.binary(max_size=40) | st.text(max_size=40).map(str.encode))
def test_any_bytes_are_an_object_or_a_clear_refusal(raw: bytes) -> None:
    for parse in (parse_json, parse_yaml):
        try:
            assert isinstance(parse(raw), dict)
        except InvalidRequest as refusal:
            assert refusal.faults


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
