"""JSON from outside: what two readers might understand differently is refused, and every fault is told at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequest
from shared.validation import (
    parse_json,
)


def json_faults(raw: bytes) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        parse_json(raw)
    return {fault.path: fault.message for fault in caught.value.faults}


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
