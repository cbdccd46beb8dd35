"""Which datasets a landed file concerns, and which parts of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.refresh.patterns import filled

if TYPE_CHECKING:
    from shared.refresh.documents import RefreshDocument, RuleObject

LONGEST_NAME = 256
"""Characters; a longer name for a table or partition is somebody's joke."""


@dataclass(frozen=True, order=True)
class RefreshObject:
    """A table, or one partition of it."""

    table: str
    partition: str = ""


@dataclass(frozen=True)
class Match:
    """A dataset that has to be refreshed; no objects are the whole model."""

    dataset_id: str
    objects: tuple[RefreshObject, ...]
    immediate: bool


def matches(document: RefreshDocument, path: str) -> list[Match]:
    """What a file at `path` (container/blob, decoded) concerns: one match for each dataset, in the document's order.

    All rules count: their objects are united, one rule without objects makes it the whole model, and one that is
    immediate makes it immediate.
    """
    found: dict[str, list[tuple[tuple[RefreshObject, ...], bool]]] = {}
    for rule, pattern in document.compiled:
        captured = pattern.match(path)
        if captured is not None:
            dataset = document.datasets[rule.refresh]
            wanted = rule.objects if dataset.premium else []
            objects = tuple(_objects(wanted, captured))
            found.setdefault(dataset.dataset_id, []).append((objects, rule.immediate))
    return [
        Match(dataset_id, united(objects for objects, _ in parts), any(immediate for _, immediate in parts))
        for dataset_id, parts in found.items()
    ]


def united(parts: Iterable[tuple[RefreshObject, ...]]) -> tuple[RefreshObject, ...]:
    """Everything in the parts, of which an empty one is the whole model; a whole table makes its partitions needless.

    The result is sorted; for no parts at all it is empty as well.
    """
    seen: set[RefreshObject] = set()
    for objects in parts:
        if not objects:
            return ()
        seen.update(objects)
    whole = {one.table for one in seen if not one.partition}
    return tuple(sorted(one for one in seen if not one.partition or one.table not in whole))


def _objects(wanted: Iterable[RuleObject], captured: Mapping[str, str]) -> Iterator[RefreshObject]:
    """A name that no model can have widens what is refreshed, for the file has to be covered all the same."""
    made = [(filled(one.table, captured), filled(one.partition or "", captured)) for one in wanted]
    if not all(_is_name(table) for table, _ in made):
        return
    for table, partition in made:
        yield RefreshObject(table, partition if _is_name(partition) else "")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST_NAME and text.isprintable()
