"""Lists of Power BI are read to their end, whatever the service does with $top and $skip, and never for ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from shared.errors import Unavailable
from shared.powerbi.answers import MOST_PAGES
from shared.powerbi.group_users import every_member
from shared.powerbi.groups import every_group
from shared.powerbi.transport import Answer

Serve = Callable[[int, int], list[dict[str, Any]]]

MANY = [{"id": f"w-{number}", "identifier": f"p-{number}", "principalType": "App"} for number in range(250)]


class Service:
    """In the place of the transport: lists by whatever `serve` makes of $top and $skip."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.calls = 0

    def call(self, operation: str, method: str, path: str, *, query: Mapping[str, str], **more: Any) -> Answer:
        self.calls += 1
        value = self._serve(int(query["$top"]), int(query["$skip"]))
        return Answer(operation, 200, "r-1", {}, json.dumps({"value": value}).encode())


def groups(service: Service) -> list[str]:
    return [group.id for group in every_group(service, identity="operations", page=100)]  # type: ignore[arg-type]


def members(service: Service) -> list[str]:
    found = every_member(service, "w", identity="operations", page=100)  # type: ignore[arg-type]
    return [member.identifier for member in found]


@pytest.mark.parametrize(
    ("serve", "calls"),
    [
        (lambda top, skip: MANY[skip : skip + top], 3),
        (lambda top, skip: MANY[:200][skip : skip + top], 3),
        (lambda top, skip: MANY, 2),  # a service that knows neither parameter
        (lambda top, skip: MANY[:top], 2),  # nor this one
        (lambda top, skip: [], 1),
    ],
)
def test_every_entry_is_given_once(serve: Serve, calls: int) -> None:
    service = Service(serve)
    found = groups(service)
    assert service.calls == calls
    assert len(found) == len(set(found))
    assert members(Service(serve)) == [group.replace("w-", "p-") for group in found]


def test_a_list_that_does_not_end_is_given_up() -> None:
    endless = Service(lambda top, skip: [{"id": f"w-{skip + number}"} for number in range(top)])
    with pytest.raises(Unavailable, match="without an end"):
        groups(endless)
    assert endless.calls == MOST_PAGES
