"""The engine on real tables, queues and blobs: what the doubles can't show."""

from __future__ import annotations

from datetime import timedelta

from shared.storage.blobs import Container
from shared.storage.connection import StorageAccount
from shared.storage.queues import Queue
from shared.storage.tables import Table
from shared.workflow.engine import Engine
from shared.workflow.records import Status
from shared.workflow.store import Store, Tables
from shared.workflow.triggers import Triggers
from tests.workflow.harness import Harness


def test_a_workflow_goes_from_acceptance_to_failure_to_retry_to_success(account: StorageAccount, unique: str) -> None:
    h = Harness()
    names = [f"{unique}{part}" for part in ("workflows", "open", "projects")]
    for name in names:
        account.tables().create_table(name)
    account.blobs().create_container(unique)
    client = account.queues().create_queue(unique)
    store = Store(Tables(*(Table(account.tables, name) for name in names)), Container(account.blobs, unique))
    queue = Queue(account.queues, unique)
    engine = Engine(store, queue, h.told, h.kinds, h.clock)
    triggers = Triggers(engine, h.rejected, h.clock)
    h.world.holder = None

    def deliver() -> None:
        for message in client.receive_messages(max_messages=32):
            triggers.go_on(message.content.encode())
            client.delete_message(message)

    h.world.refused.add("add")
    engine.accept(h.request())
    deliver()
    failed = store.head("w1")
    assert failed is not None
    assert (failed.status, h.alive(), store.project("FIN").order) == (Status.FAILED, [], ())
    h.world.refused.clear()
    engine.retry("w1")
    deliver()
    head, rows = store.journal("w1")
    assert head is not None
    assert (head.status, len(rows), h.alive()) == (Status.SUCCEEDED, 2, [("FIN-DEV", ["ana", "app"])])
    assert store.opened("w1") is None
    assert [id for _, id in store.listed("fin", top=1)] == ["w1"]


def test_a_lost_message_is_found_by_the_sweep(account: StorageAccount, unique: str) -> None:
    h = Harness()
    for part in ("workflows", "open", "projects"):
        account.tables().create_table(f"{unique}{part}")
    tables = Tables(*(Table(account.tables, f"{unique}{part}") for part in ("workflows", "open", "projects")))
    store = Store(tables, h.requests)
    engine = Engine(store, h.queue, h.told, h.kinds, h.clock)
    engine.accept(h.request())
    h.queue.sent.clear()
    h.clock.advance(timedelta(minutes=1, seconds=1))
    assert engine.sweep() == 1
    assert [message["turn"] for message in h.queue.messages()] == [1]
