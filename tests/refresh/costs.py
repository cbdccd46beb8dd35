"""What the refresh engine costs, as numbers: for tests that hold it to them, and for the benchmarks."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import timedelta

from shared.powerbi.refreshes import RefreshDetails, RefreshEntry
from shared.refresh.records import Json
from shared.refresh.rules import Match
from tests.doubles.clock import HOUR, MINUTE, SECOND
from tests.refresh.harness import DATASET, SHARED, Event, Harness
from tests.refresh.world import World

LOOKED_AT = ("table", "queue", "blob")


@dataclass(frozen=True)
class Fleet:
    """A world for each dataset."""

    worlds: dict[str, World]

    def start(self, workspace_id: str, dataset_id: str, body: Json | None, *, deadline: float) -> str:
        return self.worlds[dataset_id].start(workspace_id, dataset_id, body, deadline=deadline)

    def history(self, workspace_id: str, dataset_id: str) -> list[RefreshEntry]:
        return self.worlds[dataset_id].history(workspace_id, dataset_id)

    def details(self, workspace_id: str, dataset_id: str, request_id: str) -> RefreshDetails:
        return self.worlds[dataset_id].details(workspace_id, dataset_id, request_id)

    def cancel(self, workspace_id: str, dataset_id: str, request_id: str) -> None:
        self.worlds[dataset_id].cancel(workspace_id, dataset_id, request_id)


@dataclass(frozen=True)
class Burst:
    """Many events for a few datasets inside the quiet period. `operations`: storage calls of the event functions."""

    events: int
    operations: int
    refreshes: int
    uncovered: int
    events_a_second: float
    """On the double, with one thread: the engine's own share of the time."""

    @property
    def operations_per_event(self) -> float:
        """Storage calls of each event."""
        return self.operations / self.events


def burst(events: int = 10_000, datasets: int = 10, within: timedelta = MINUTE) -> Burst:
    """So many files land within a minute, evenly; then everything takes its course."""
    h = Harness()
    ids = [f"{DATASET[:-4]}{number:04}" for number in range(datasets)]
    h.policies = {id: replace(SHARED, dataset_id=id, alias=f"dataset{at}") for at, id in enumerate(ids)}
    worlds = {id: World(h.clock) for id in ids}
    h.outside_world = Fleet(worlds)
    engine, files = h.engine(), []
    began = time.perf_counter()
    for number in range(events):
        name = f"f{number}"
        files.append(Event(name, h.clock(), dataset_id=ids[number % datasets]))
        worlds[files[-1].dataset_id].lands(name)
        engine.land(files[-1].landed, [Match(files[-1].dataset_id, (), False)])
        h.clock.advance(within / events)
    seconds = time.perf_counter() - began
    operations = sum(count for name, count in h.operations.items() if name.startswith(LOOKED_AT))
    h.settle(HOUR)
    pending = {key for id in ids for key in h.pending(id)}
    uncovered = [each for each in files if each.key in pending or not worlds[each.dataset_id].truly_covered(each.file)]
    refreshes = sum(len(world.ours()) for world in worlds.values())
    return Burst(events, operations, refreshes, len(uncovered), events / seconds)


@dataclass(frozen=True)
class Watched:
    """One refresh. `calls` to Power BI, the POST and the history before it included; `delay` until its end is seen."""

    duration: timedelta
    calls: int
    delay: timedelta

    @property
    def share(self) -> float:
        """The delay as a part of the duration."""
        return self.delay / self.duration


def watched(duration: timedelta, *, learned: bool = True) -> Watched:
    """One refresh that takes so long, after three that took about as long (or as the first ever)."""
    h = Harness()
    h.change_policy(timeout=24 * HOUR)
    for number, factor in enumerate((0.97, 1.02, 1.0) if learned else ()):
        h.world.lasts = duration * factor
        h.land(f"before{number}")
        h.settle()
    h.world.lasts = duration
    before = sum(h.world.calls.values())
    h.land("f")
    h.settle()
    ended = h.world.ours()[-1].ended
    assert ended is not None
    return Watched(duration, sum(h.world.calls.values()) - before, h.told.at[-1] - ended)


DURATIONS = (10 * SECOND, 10 * MINUTE, 2 * HOUR)
