"""What a refresh takes in: the tables and partitions of what has landed, or the whole model. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shared.refresh.records import Json, Landing, Queued
from shared.refresh.rules import RefreshObject, united
from shared.refresh.timing import Timing

if TYPE_CHECKING:
    from shared.refresh.documents import DatasetPolicy


@dataclass(frozen=True)
class Extent:
    """What a refresh takes in, and the body that asks for it (None: a standard refresh)."""

    body: Json | None
    objects: tuple[RefreshObject, ...] = ()
    """Empty: the whole model, or what the caller's own body says."""


def extent(entry: Queued, landings: Sequence[Landing], policy: DatasetPolicy, timing: Timing) -> Extent:
    """The tables and partitions of the landings; all of the model where one of them, the capacity, or somebody who
    asked without saying more, wants that.
    """
    if not policy.premium:
        return Extent(None)
    objects = () if entry.asked or not landings else united(each.objects for each in landings)
    if entry.to_tables:
        objects = _tables(objects)
    named = any(each.partition for each in objects)
    if len(objects) > timing.most_objects:
        objects = _tables(objects)
    if len(objects) > timing.most_objects:
        objects = ()
    return Extent(_body(policy, objects, as_they_are=named), objects)


def _tables(objects: Sequence[RefreshObject]) -> tuple[RefreshObject, ...]:
    return tuple(sorted({replace(each, partition="") for each in objects}))


def _body(policy: DatasetPolicy, objects: Sequence[RefreshObject], *, as_they_are: bool) -> Json:
    """An enhanced refresh that is all or nothing. Power BI ends an attempt after five hours unless it is told to wait.

    Partitions that rules name are refreshed `as_they_are`, also where so many are named that it is their tables: a
    refresh policy would replace them, and leave the older ones out.
    Source: Datasets - Refresh Dataset In Group; asynchronous refresh (Microsoft Learn)
    """
    body: Json = {"type": "Full", "commitMode": "Transactional"}
    if objects:
        body["objects"] = [
            {"table": each.table, **({"partition": each.partition} if each.partition else {})} for each in objects
        ]
    if as_they_are:
        body["applyRefreshPolicy"] = False
    hours, rest = divmod(int(policy.timeout.total_seconds()), 3600)
    if hours >= 5:
        body["timeout"] = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    return body
