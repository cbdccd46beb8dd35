"""The doubles and the real storage service keep the same rules: every assertion here runs against both."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.errors import Invalid, Misconfigured
from shared.storage.batches import BatchTable
from shared.storage.blobs import Container
from shared.storage.connection import StorageAccount
from shared.storage.queues import Queue
from shared.storage.tables import Stale, Table
from tests.doubles.storage import MemoryContainer, MemoryQueue, MemoryTable


class Waiting:
    """A queue and how to look at what is in it: (text, hidden for how many seconds)."""

    def __init__(self, queue: Queue, look: Callable[[], list[str]]) -> None:
        self.queue = queue
        self.look = look


class Real:
    def __init__(self, account: StorageAccount, name: str) -> None:
        self.account, self.name = account, name

    def table(self) -> BatchTable:
        self.account.tables().create_table(self.name)
        return BatchTable(self.account.tables, self.name)

    def container(self) -> Container:
        self.account.blobs().create_container(self.name)
        return Container(self.account.blobs, self.name)

    def queue(self) -> Waiting:
        client = self.account.queues().create_queue(self.name)
        return Waiting(
            Queue(self.account.queues, self.name),
            lambda: [message.content for message in client.receive_messages(max_messages=32)],
        )


class Double:
    def table(self) -> BatchTable:
        return MemoryTable("t")

    def container(self) -> Container:
        return MemoryContainer("c")

    def queue(self) -> Waiting:
        queue = MemoryQueue(lambda: datetime(2026, 11, 22, tzinfo=UTC))
        return Waiting(queue, lambda: [message.body.decode() for message in queue.visible()])


@pytest.fixture(params=["real", "double"])
def storage(request: pytest.FixtureRequest, unique: str) -> Real | Double:
    if request.param == "double":
        return Double()
    return Real(request.getfixturevalue("account"), unique)


@pytest.fixture
def table(storage: Real | Double) -> BatchTable:
    return storage.table()


def values(entity: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entity.items() if name not in ("PartitionKey", "RowKey")}


def keys(table: Table) -> list[str]:
    return [entity["RowKey"] for entity, _ in table.partition("p")]


class TestTable:
    def test_a_row_that_is_not_there_is_none(self, table: Table) -> None:
        assert table.get("p", "r") is None

    def test_what_was_inserted_is_read_with_its_etag_and_its_types(self, table: Table) -> None:
        etag = table.insert("p", "r", {"text": "ä {}", "number": 7, "flag": False, "empty": ""})
        found = table.get("p", "r")
        assert found is not None
        assert values(found[0]) == {"text": "ä {}", "number": 7, "flag": False, "empty": ""}
        assert (found[0]["PartitionKey"], found[0]["RowKey"], found[1]) == ("p", "r", etag)

    def test_a_second_insert_of_a_key_is_stale_and_changes_nothing(self, table: Table) -> None:
        table.insert("p", "r", {"a": 1})
        with pytest.raises(Stale):
            table.insert("p", "r", {"a": 2})
        assert values(table.get("p", "r")[0]) == {"a": 1}  # type: ignore[index]

    def test_a_replacement_by_the_etag_that_was_read_gives_a_new_etag(self, table: Table) -> None:
        first = table.insert("p", "r", {"a": 1, "b": 1})
        second = table.replace("p", "r", {"a": 2}, first)
        assert second != first
        assert values(table.get("p", "r")[0]) == {"a": 2}, "the whole row is replaced"  # type: ignore[index]

    def test_a_replacement_by_an_old_etag_is_stale_and_changes_nothing(self, table: Table) -> None:
        first = table.insert("p", "r", {"a": 1})
        table.replace("p", "r", {"a": 2}, first)
        with pytest.raises(Stale):
            table.replace("p", "r", {"a": 3}, first)
        assert values(table.get("p", "r")[0]) == {"a": 2}  # type: ignore[index]

    def test_the_same_values_written_again_still_change_the_etag(self, table: Table) -> None:
        first = table.insert("p", "r", {"a": 1})
        assert table.replace("p", "r", {"a": 1}, first) != first

    def test_a_replacement_by_etag_of_a_row_that_was_removed_is_stale(self, table: Table) -> None:
        etag = table.insert("p", "r", {"a": 1})
        table.delete("p", "r")
        with pytest.raises(Stale):
            table.replace("p", "r", {"a": 2}, etag)
        assert table.get("p", "r") is None

    def test_a_row_that_was_removed_and_made_again_has_another_etag(self, table: Table) -> None:
        etag = table.insert("p", "r", {"a": 1})
        table.delete("p", "r")
        table.insert("p", "r", {"a": 1})
        with pytest.raises(Stale):
            table.replace("p", "r", {"a": 2}, etag)

    def test_a_replacement_without_an_etag_writes_whatever_is_there(self, table: Table) -> None:
        table.replace("p", "r", {"a": 1})
        table.replace("p", "r", {"b": 2})
        assert values(table.get("p", "r")[0]) == {"b": 2}  # type: ignore[index]

    def test_a_deletion_by_an_old_etag_is_stale(self, table: Table) -> None:
        first = table.insert("p", "r", {"a": 1})
        second = table.replace("p", "r", {"a": 2}, first)
        with pytest.raises(Stale):
            table.delete("p", "r", first)
        table.delete("p", "r", second)
        assert table.get("p", "r") is None

    @pytest.mark.parametrize("etag", ["", "W/\"datetime'2026-11-22T00%3A00%3A00.0000000Z'\""])
    def test_deleting_what_is_not_there_is_no_error(self, table: Table, etag: str) -> None:
        table.delete("p", "r", etag)

    def test_a_partition_is_read_in_the_order_of_its_keys_without_its_neighbours(self, table: Table) -> None:
        for partition, row in (("p", "b"), ("p", "a"), ("q", "c"), ("p", "c"), ("p", "B")):
            table.insert(partition, row, {"x": row})
        assert [entity["RowKey"] for entity, _ in table.partition("p")] == ["B", "a", "b", "c"]
        assert [entity["RowKey"] for entity, _ in table.partition("p", after="a")] == ["b", "c"]
        assert [entity["RowKey"] for entity, _ in table.partition("p", after="B", below="c")] == ["a", "b"]
        assert [entity["RowKey"] for entity, _ in table.partition("p", top=1)] == ["B", "a", "b", "c"]
        assert list(table.partition("nobody")) == []

    def test_etags_of_a_partition_are_those_of_the_rows(self, table: Table) -> None:
        etag = table.insert("p", "r", {"a": 1})
        assert [found for _, found in table.partition("p")] == [etag]

    def test_quotes_in_a_key_are_no_syntax(self, table: Table) -> None:
        table.insert("p' or 'a' eq 'a", "r", {})
        table.insert("p", "r", {})
        assert len(list(table.partition("p' or 'a' eq 'a"))) == 1


class TestTransactions:
    def test_rows_are_written_and_removed_together(self, table: BatchTable) -> None:
        table.together("p", {"a": {"n": 1}, "b": {"n": 2}})
        table.together("p", {"c": {"n": 3}}, ["a", "b"])
        assert keys(table) == ["c"]
        table.together("p", {}, [])

    def test_one_row_that_is_there_already_refuses_all(self, table: BatchTable) -> None:
        table.together("p", {"a": {"n": 1}})
        with pytest.raises(Stale):
            table.together("p", {"b": {"n": 2}, "a": {"n": 2}})
        assert keys(table) == ["a"]

    def test_one_row_that_is_not_there_refuses_all(self, table: BatchTable) -> None:
        table.together("p", {"a": {"n": 1}})
        with pytest.raises(Stale):
            table.together("p", {"b": {"n": 2}}, ["a", "gone"])
        assert keys(table) == ["a"]


class TestContainer:
    def test_a_blob_that_is_not_there_is_none(self, storage: Real | Double) -> None:
        assert storage.container().get("id/hash") is None

    def test_what_was_put_is_read_and_the_last_one_wins(self, storage: Real | Double) -> None:
        container = storage.container()
        container.put("id/hash", b"one")
        container.put("id/hash", "ä".encode())
        assert container.get("id/hash") == "ä".encode()


class TestQueue:
    def test_a_message_is_plain_json_that_any_queue_takes(self, storage: Real | Double) -> None:
        waiting = storage.queue()
        message = {"id": "w", "text": "ä <&> \x00 \ud800 ￿", "turn": 1}
        waiting.queue.send(message)
        assert [json.loads(text) for text in waiting.look()] == [message]

    def test_a_message_with_a_delay_is_not_seen_yet(self, storage: Real | Double) -> None:
        waiting = storage.queue()
        waiting.queue.send({"n": 1}, timedelta(seconds=30))
        waiting.queue.send({"n": 2}, timedelta(days=30))
        assert waiting.look() == []

    def test_a_delay_that_is_over_already_is_none(self, storage: Real | Double) -> None:
        waiting = storage.queue()
        waiting.queue.send({"n": 1}, timedelta(seconds=-5))
        assert len(waiting.look()) == 1

    def test_64_kib_fit_and_one_byte_more_is_refused_clearly(self, storage: Real | Double) -> None:
        waiting = storage.queue()
        waiting.queue.send({"t": "x" * (65536 - 8)})
        assert len(waiting.look()[0]) == 65536
        with pytest.raises(Invalid, match="64 KiB"):
            waiting.queue.send({"t": "x" * (65536 - 7)})


class TestWhatTheInfrastructureForgot:
    def test_a_missing_table_is_never_an_empty_one(self, account: StorageAccount, unique: str) -> None:
        table = BatchTable(account.tables, unique)
        for attempt in (
            lambda: table.together("p", {"a": {}}),
            lambda: table.get("p", "r"),
            lambda: table.insert("p", "r", {}),
            lambda: table.replace("p", "r", {}),
            lambda: table.replace("p", "r", {}, "W/\"datetime'2026-11-22T00%3A00%3A00.0000000Z'\""),
            lambda: list(table.partition("p")),
        ):
            with pytest.raises(Misconfigured):
                attempt()

    def test_a_missing_container_is_never_an_absent_blob(self, account: StorageAccount, unique: str) -> None:
        container = Container(account.blobs, unique)
        with pytest.raises(Misconfigured):
            container.get("id")
        with pytest.raises(Misconfigured):
            container.put("id", b"")

    def test_a_missing_queue_is_told(self, account: StorageAccount, unique: str) -> None:
        with pytest.raises(Misconfigured):
            Queue(account.queues, unique).send({})
