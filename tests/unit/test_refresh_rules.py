"""Which datasets and partitions a landed file concerns."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.refresh.documents import RefreshDocument, read_refresh_document
from shared.refresh.patterns import parse_path
from shared.refresh.rules import Match, RefreshObject, matches
from tests.seeded import ANALYTICS, CALENDAR, SALES


def captured(pattern: str, path: str) -> dict[str, str] | None:
    found = parse_path(pattern).match(path)
    return None if found is None else dict(found)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("landing/a.csv", "landing/a.csv", {}),
        ("landing/a.csv", "landing/A.csv", None),
        ("landing/a.csv", "landing/a.csv/b", None),
        ("landing/*.csv", "landing/.csv", {}),
        ("landing/*.csv", "landing/x/a.csv", None),
        ("landing/*.csv", "landing/a.csv.csv", {}),
        ("landing/a*b*c", "landing/abc", {}),
        ("landing/a*b*c", "landing/acb", None),
        ("landing/ab*ba", "landing/aba", None),
        ("landing/*", "landing/", {}),
        ("landing/{x}", "landing/", None),
        ("landing/{year}/{month}/*.parquet", "landing/2026/11/a.parquet", {"year": "2026", "month": "11"}),
        ("landing/{year}/{month}/*.parquet", "landing/2026/a.parquet", None),
        ("landing/{year}/{month}/*.parquet", "landing/2026/11/x/a.parquet", None),
        ("landing/**", "landing/a/b/c", {}),
        ("landing/**", "landing", None),
        ("landing/**/a.csv", "landing/a.csv", {}),
        ("landing/**/a.csv", "landing/x/y/a.csv", {}),
        ("landing/**/a.csv", "landing/x/y/ba.csv", None),
        ("**/a.csv", "landing/x/a.csv", {}),
        ("landing/**/{day}/a.csv", "landing/x/y/a.csv", {"day": "y"}),
        ("landing/{a}/**/{b}", "landing/1/2/3", {"a": "1", "b": "3"}),
        ("landing/{a}/**/{b}", "landing/1/2", {"a": "1", "b": "2"}),
        ("landing/{a}/**/{b}", "landing/1", None),
        ("landing/**/x/**/y", "landing/x/x/y/y", {}),
        ("landing/**/x/**", "landing/x", None),
        ("landing/a+b (1).csv", "landing/a+b (1).csv", {}),
        ("landing/ü/*", "landing/ü/日本", {}),
    ],
)
def test_a_pattern_matches_as_documented(pattern: str, path: str, expected: dict[str, str] | None) -> None:
    assert captured(pattern, path) == expected


def simply(pattern: list[str], path: list[str], alone: bool = True) -> bool:
    """The same by the definition, one character and segment after the other. `alone`: nothing of `**` is used yet."""
    if not pattern:
        return not path
    if pattern[0] == "**":
        if len(pattern) == 1:
            return bool(path) if alone else True
        return simply(pattern[1:], path) or (bool(path) and simply(pattern, path[1:], False))
    return bool(path) and one(pattern[0], path[0]) and simply(pattern[1:], path[1:])


def one(wanted: str, segment: str) -> bool:
    if wanted.startswith("{"):
        return bool(segment)
    if not wanted:
        return not segment
    if wanted[0] == "*":
        return one(wanted[1:], segment) or (bool(segment) and one(wanted, segment[1:]))
    return bool(segment) and wanted[0] == segment[0] and one(wanted[1:], segment[1:])


SEGMENT = st.one_of(
    st.just("**"), st.just("{x}"), st.text("ab*", min_size=1, max_size=5).filter(lambda text: "**" not in text)
)


@given(
    st.lists(SEGMENT, min_size=2, max_size=6).filter(lambda segments: segments.count("{x}") < 2),
    st.lists(st.text("ab", max_size=4), min_size=1, max_size=7),
)
def test_matching_agrees_with_the_definition(pattern: list[str], path: list[str]) -> None:
    collapsed = [part for at, part in enumerate(pattern) if not (part == "**" and pattern[at - 1 : at] == ["**"])]
    try:
        parsed = parse_path("/".join(pattern))
    except ValueError as fault:
        assert "between two" in str(fault)
        return
    found = parsed.match("/".join(path))
    assert (found is not None) == simply(collapsed, path)
    assert found is None or set(found) == ({"x"} if "{x}" in pattern else set())
    assert not found or found["x"] in path


def test_a_hostile_name_costs_no_more_than_a_long_one() -> None:
    stars = parse_path("landing/" + "*a" * 200 + "b")
    deep = parse_path("landing/**/a/**/a/**/a/**/a/**/a/**/b")
    began = time.perf_counter()
    assert stars.match("landing/" + "a" * 1024) is None
    assert deep.match("landing" + "/a" * 512) is None
    assert time.perf_counter() - began < 0.5


def document(*rules: dict[str, Any]) -> RefreshDocument:
    data = {
        "datasets": {
            "sales": {"workspaceId": ANALYTICS, "datasetId": SALES.upper(), "capacity": "premium"},
            "calendar": {"workspaceId": ANALYTICS, "datasetId": CALENDAR, "capacity": "shared"},
        },
        "rules": list(rules),
    }
    return read_refresh_document(json.dumps(data).encode())


PARTITION = {
    "path": "landing/{year}/{month}/*",
    "refresh": "sales",
    "objects": [{"table": "Sales", "partition": "S-{year}-{month}"}],
}


def test_no_rule_no_match() -> None:
    assert matches(document(PARTITION), "landing/elsewhere.csv") == []
    assert matches(document(), "landing/2026/11/a") == []


def test_a_partition_is_named_by_what_the_path_captured() -> None:
    assert matches(document(PARTITION), "landing/2026/11/a.parquet") == [
        Match(SALES, (RefreshObject("Sales", "S-2026-11"),), False)
    ]


def test_objects_of_all_rules_are_united_and_any_immediate_counts() -> None:
    other = {"path": "landing/**", "refresh": "sales", "objects": [{"table": "Customer"}], "immediate": True}
    assert matches(document(PARTITION, other), "landing/2026/11/a") == [
        Match(SALES, (RefreshObject("Customer"), RefreshObject("Sales", "S-2026-11")), True)
    ]


def test_a_rule_without_objects_makes_it_the_whole_model() -> None:
    whole = {"path": "landing/**", "refresh": "sales"}
    for rules in ((PARTITION, whole), (whole, PARTITION)):
        assert matches(document(*rules), "landing/2026/11/a") == [Match(SALES, (), False)]


def test_a_whole_table_makes_its_partitions_needless() -> None:
    table = {"path": "landing/**", "refresh": "sales", "objects": [{"table": "Sales"}]}
    assert matches(document(PARTITION, table), "landing/2026/11/a") == [Match(SALES, (RefreshObject("Sales"),), False)]


def test_each_dataset_has_its_own_match_and_shared_capacity_no_objects() -> None:
    calendar = {"path": "landing/**", "refresh": "calendar", "objects": [{"table": "Date"}]}
    assert matches(document(calendar, PARTITION), "landing/2026/11/a") == [
        Match(CALENDAR, (), False),
        Match(SALES, (RefreshObject("Sales", "S-2026-11"),), False),
    ]


@pytest.mark.parametrize("odd", ["x" * 300, "a\nb", "a\x00b"])
def test_a_name_that_no_model_can_have_widens_what_is_refreshed(odd: str) -> None:
    assert matches(document(PARTITION), f"landing/{odd}/11/a") == [Match(SALES, (RefreshObject("Sales"),), False)]
    named = {"path": "landing/{table}/*", "refresh": "sales", "objects": [{"table": "{table}"}]}
    assert matches(document(named), f"landing/{odd}/a") == [Match(SALES, (), False)]


def test_what_was_captured_is_never_read_as_a_placeholder() -> None:
    assert matches(document(PARTITION), "landing/{month}/{year}/a") == [
        Match(SALES, (RefreshObject("Sales", "S-{month}-{year}"),), False)
    ]
