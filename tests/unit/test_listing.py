"""Lists page by page."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping, Sequence

import pytest

from shared.errors import InvalidRequest
from shared.listing import Query, page, read_query

FILTERS = {"dataset": (), "status": ("queued", "failed")}
ITEMS = [(f"{number:015}-{uuid.UUID(int=number)}", number) for number in range(500)]


def more(after: str, number: int) -> Sequence[tuple[str, int | None]]:
    return [item for item in ITEMS if item[0] > after][:number]


def read(**parameters: str) -> Query:
    return read_query(parameters, FILTERS)


def faults(**parameters: str) -> set[str]:
    with pytest.raises(InvalidRequest) as refusal:
        read(**parameters)
    return {fault.path for fault in refusal.value.faults}


def pages(parameters: Mapping[str, str], least: int = 0) -> list[list[int]]:
    def wanted(after: str, number: int) -> Sequence[tuple[str, int | None]]:
        return [(place, item if item is not None and item >= least else None) for place, item in more(after, number)]

    found = []
    token: str | None = ""
    while token is not None:
        given = {**parameters, **({"continuationToken": token} if token else {})}
        one = page(read_query(given, FILTERS), wanted, lambda item: item)
        found.append(one["value"])
        token = one["continuationToken"]
    return found


def test_every_item_comes_once_and_in_order() -> None:
    found = pages({"top": "120"})
    assert [len(one) for one in found] == [120, 120, 120, 120, 20]
    assert [item for one in found for item in one] == list(range(500))


def test_fifty_come_where_nothing_is_said() -> None:
    assert len(page(read(), more, lambda item: item)["value"]) == 50


def test_a_filtered_page_may_be_short_or_empty_and_still_carry_a_token() -> None:
    found = pages({"status": "failed"}, least=450)
    assert found[0] == []
    assert [item for one in found for item in one] == list(range(450, 500))


def test_what_is_gone_is_left_out_and_ends_nothing() -> None:
    gone = [(place, None if item < 60 else item) for place, item in ITEMS[:70]]
    one = page(read(), lambda after, number: [i for i in gone if i[0] > after][:number], lambda i: i)
    assert one == {"value": list(range(60, 70)), "continuationToken": None}


def test_a_token_is_good_only_for_its_own_filter() -> None:
    token = page(read(status="failed"), more, lambda item: item)["continuationToken"]
    assert read(status="failed", top="7", continuationToken=token).after == ITEMS[49][0]
    assert faults(status="queued", continuationToken=token) == {"continuationToken"}
    assert faults(continuationToken=token) == {"continuationToken"}


@pytest.mark.parametrize("token", ["x", "é", "AAAA", "[" * 600, base64.urlsafe_b64encode(b"[1,2]").decode(), "bnVsbA"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    assert faults(continuationToken=token) == {"continuationToken"}


def test_a_place_that_is_none_is_refused_even_with_the_right_filter() -> None:
    known = json.loads(base64.urlsafe_b64decode(read().token(ITEMS[0][0]) + "=="))
    forged = base64.urlsafe_b64encode(json.dumps(["' or 1 eq 1", known[1]]).encode()).decode().rstrip("=")
    assert faults(continuationToken=forged) == {"continuationToken"}


@pytest.mark.parametrize("top", ["0", "201", "-1", "1.5", "many", "", "9999", "１"])
def test_a_top_out_of_bounds_is_refused(top: str) -> None:
    assert faults(top=top) == {"top"}


def test_all_faults_come_at_once_and_a_misspelt_filter_is_one() -> None:
    assert faults(status="lost", top="0", continuationToken="x", datset="y") == {
        "status",
        "top",
        "continuationToken",
        "datset",
    }
