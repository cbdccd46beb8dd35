"""The table `audit`: every change made outside has one row, which says what is known of it."""

from __future__ import annotations

import json

from shared.storage.audit import Audit
from tests.doubles.clock import NOON
from tests.doubles.storage import MemoryTable


def record(audit: Audit, act: str = "step-1", decision: str = "createWorkspace done", request_id: str = "r1") -> None:
    audit.record("w1", act, {"clientId": "c"}, "FIN-DEV", decision, request_id, "corr", NOON)


def test_a_change_is_recorded_with_caller_decision_target_and_request_id() -> None:
    table = MemoryTable("audit")
    record(Audit(table))
    [(entity, _)] = list(table.partition("w1"))
    assert {name: entity[name] for name in ("act", "target", "decision", "requestId", "correlationId", "when")} == {
        "act": "step-1",
        "target": "FIN-DEV",
        "decision": "createWorkspace done",
        "requestId": "r1",
        "correlationId": "corr",
        "when": "2026-11-22T12:00:00Z",
    }
    assert json.loads(entity["caller"]) == {"clientId": "c"}


def test_an_act_that_is_told_twice_is_one_row_as_it_was_told_first() -> None:
    table = MemoryTable("audit")
    record(Audit(table))
    record(Audit(table), decision="createWorkspace found", request_id="")
    [(entity, _)] = list(table.partition("w1"))
    assert (entity["decision"], entity["requestId"]) == ("createWorkspace done", "r1")


def test_what_is_learned_later_takes_the_place_of_unknown_and_never_the_other_way_round() -> None:
    table = MemoryTable("audit")
    record(Audit(table), decision="createWorkspace unknown", request_id="")
    record(Audit(table), decision="createWorkspace found", request_id="r2")
    record(Audit(table), decision="createWorkspace unknown", request_id="")
    [(entity, _)] = list(table.partition("w1"))
    assert (entity["decision"], entity["requestId"]) == ("createWorkspace found", "r2")


def test_acts_that_differ_only_in_what_a_key_may_not_hold_are_different_rows() -> None:
    table = MemoryTable("audit")
    for act in ("grant a/b", "grant a#b", "grant a?b", "x" * 5000, "x" * 5001):
        record(Audit(table), act=act)
    assert len(table.rows) == 5


def test_a_long_target_never_makes_the_audit_fail() -> None:
    table = MemoryTable("audit")
    Audit(table).record("w1", "a", {"c": "x" * 90_000}, "y" * 90_000, "z" * 90_000, "r", "c", NOON)
    [(entity, _)] = list(table.partition("w1"))
    assert all(len(value) <= 30_000 for value in entity.values())
