"""Reading Power BI's JSON with the doubt it deserves: any field may be missing, and casing varies by cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.powerbi.transport import Answer

Json = dict[str, Any]

MOST_PAGES = 1_000


class Fields:
    """One JSON object. Names are compared without case: Microsoft's schema and its examples disagree about it."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = dict(raw)
        self._raw = {name.lower(): value for name, value in raw.items()}

    def text(self, name: str) -> str:
        """The string of that name, or empty."""
        value = self._raw.get(name.lower())
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool | None:
        """The boolean of that name; None where the answer leaves it open."""
        value = self._raw.get(name.lower())
        return value if isinstance(value, bool) else None

    def object(self, name: str) -> Fields:
        """The object of that name; an empty one where there is none."""
        value = self._raw.get(name.lower())
        return Fields(value if isinstance(value, dict) else {})

    def objects(self, name: str) -> list[Fields]:
        """The objects in the list of that name; none where there is no list."""
        value = self._raw.get(name.lower())
        return [Fields(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def one(answer: Answer) -> Fields:
    """An answer that is one object; raises Unavailable where it is not."""
    document = answer.json()
    if not isinstance(document, dict):
        raise answer.odd("not an object")
    return Fields(document)


def several(answer: Answer) -> Iterator[Fields]:
    """An answer of the form `{"value": [{…}]}`; raises Unavailable where it is not."""
    document = answer.json()
    values = document.get("value") if isinstance(document, dict) else None
    if not isinstance(values, list):
        raise answer.odd("not a list")
    return (Fields(value) for value in values if isinstance(value, dict))


def paged(call: Callable[[dict[str, str]], Answer], page: int) -> Iterator[Fields]:
    """Every entry of a list that is read by $top and $skip, page by page as they are asked for; `call` takes these two.

    The end is an empty page, one that is shorter than asked for, or the same one again: that comes from a service which
    does not page. Raises Unavailable where the list does not end.
    """
    last: list[Json] = []
    skip = 0
    for _ in range(MOST_PAGES):
        answer = call({"$top": str(page), "$skip": str(skip)})
        found = [*several(answer)]
        entries = [fields.raw for fields in found]
        if entries == last:
            return
        yield from found
        if len(found) < page:
            return
        skip, last = skip + len(found), entries
    raise answer.odd("a list without an end")
