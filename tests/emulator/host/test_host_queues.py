"""Queue triggers behave as on the Functions host."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from emulator.host.indexing import Function
from emulator.host.invocation import Invoker
from emulator.host.options import parse
from emulator.host.queues import BackOff, Listener, poison_name, queue_name
from emulator.host.threads import HostThreads
from tests.emulator.host.conftest import StartHost
from tests.emulator.host.messages import HOLDING, PLAIN, Signals, recorder
from tests.emulator.host.processes import HostProcess, Storage, eventually, write_app


class Shared:
    """One host for the tests that need nothing special: a function on each of a few queues."""

    def __init__(self, folder: Path, storage: Storage) -> None:
        self.storage = storage
        self.names = {use: storage.queue_name() for use in ("RUNS", "FAILS", "RETURNS", "MISSING")}
        for use in ("RUNS", "FAILS", "RETURNS"):
            storage.queue(self.names[use])
        code = recorder("logging.info('zone %s', message.insertion_time.tzinfo)", "%RUNS%", "runs")
        code += recorder("raise ValueError('never')", "%FAILS%", "fails")
        code += recorder("return text", "%RETURNS%", "returns") + recorder("pass", "%MISSING%", "missing")
        upper = {use: name.upper() for use, name in self.names.items()}
        self.host = HostProcess(write_app(folder, code, queues=PLAIN), {**storage.settings, **upper})

    def queue(self, use: str) -> QueueClient:
        return self.storage.existing(self.names[use])

    def emptied(self, use: str) -> bool:
        return eventually("deleted", lambda: self.storage.count(self.names[use]) == 0)

    def poisoned(self, use: str) -> QueueMessage:
        poison = self.storage.existing(f"{self.names[use]}-poison")
        return eventually("poisoned", lambda: _received(poison))


def _received(queue: QueueClient) -> QueueMessage | None:
    try:
        return queue.receive_message()
    except ResourceNotFoundError:
        return None


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, storage: Storage) -> Iterator[Shared]:
    shared = Shared(tmp_path_factory.mktemp("shared"), storage)
    yield shared
    shared.host.kill()


def test_a_message_is_run_once_and_deleted(shared: Shared) -> None:
    sent = [shared.queue("RUNS").send_message(text) for text in ("hello", "")]
    [got] = shared.host.printed(r"got <hello> for the 1\. time, id (.*)")
    assert got[1] == sent[0].id
    shared.host.printed("got <> for the 1")
    shared.host.printed("zone UTC")
    shared.host.printed('"message": "Executed runs"')
    assert shared.emptied("RUNS")


def test_after_five_failures_the_body_lies_in_the_poison_queue(shared: Shared) -> None:
    sent = shared.queue("FAILS").send_message("<bad> & worse")
    shared.host.printed("moved to .*-poison: it failed 5 times")
    assert len(shared.host.printed("got <<bad> & worse>", 5)) == 5
    assert shared.emptied("FAILS")
    found = shared.poisoned("FAILS")
    assert (found.content, found.dequeue_count, found.id != sent.id) == ("<bad> & worse", 1, True)


def test_a_value_without_a_return_binding_is_a_failure(shared: Shared) -> None:
    shared.queue("RETURNS").send_message("x")
    shared.host.printed(r"it returned a str, but has no \$return binding")
    assert shared.poisoned("RETURNS").content == "x"


def test_a_missing_queue_counts_as_empty_and_is_not_created(shared: Shared) -> None:
    name = shared.names["MISSING"]
    shared.host.printed(f"the queue {name} does not exist")
    assert not list(shared.storage.service.list_queues(name_starts_with=name))
    shared.storage.queue(name).send_message("late")
    shared.host.printed("got <late>")


CODED = base64.b64encode(b'{"a": "b"}').decode()


def test_without_an_encoding_text_arrives_as_it_is(shared: Shared) -> None:
    for text in (CODED, '{"plain": 1}'):
        shared.queue("RUNS").send_message(text)
        shared.host.printed(f"got <{re.escape(text)}>")


def test_with_base64_text_is_decoded_and_what_is_none_goes_straight_to_poison(
    tmp_path: Path, storage: Storage, start_host: StartHost
) -> None:
    queue = storage.queue()
    for text in (CODED, '{"plain": 1}'):
        queue.send_message(text)
    app = write_app(tmp_path / "app", recorder("pass"), queues={**PLAIN, "messageEncoding": "base64"})
    host = start_host(app, {**storage.settings, "QUEUE": queue.queue_name})
    host.printed('got <{"a": "b"}>')
    host.printed("moved to .*-poison: it is not base64")
    poisoned = storage.existing(f"{queue.queue_name}-poison").receive_message()
    assert poisoned is not None
    assert poisoned.content == '{"plain": 1}'
    assert host.never_printed("got <.*plain")


def test_killed_in_the_middle_the_message_comes_back_with_its_second_dequeue(
    tmp_path: Path, storage: Storage, start_host: StartHost, signals: Signals
) -> None:
    queue = storage.queue()
    queue.send_message("work")
    app = write_app(tmp_path / "app", HOLDING + recorder("held_until('go')"), queues=PLAIN)
    settings = {**storage.settings, **signals.settings, "QUEUE": queue.queue_name}
    first = start_host(app, settings, "--message-lease", "PT2S")
    first.printed("got <work> for the 1")
    first.kill()
    signals.release("go")
    second = start_host(app, settings, "--message-lease", "PT2S")
    second.printed("got <work> for the 2")
    eventually("deleted", lambda: storage.count(queue.queue_name) == 0)


def test_a_lease_is_renewed_as_long_as_the_function_runs(
    tmp_path: Path, storage: Storage, start_host: StartHost, signals: Signals
) -> None:
    queue = storage.queue()
    queue.send_message("long")
    app = write_app(tmp_path / "app", HOLDING + recorder("held_until('go')"), queues=PLAIN)
    settings = {**storage.settings, **signals.settings, "QUEUE": queue.queue_name}
    host = start_host(app, settings, "--message-lease", "PT2S")
    host.printed("got <long> for the 1")
    began = time.monotonic()
    eventually("longer than the lease", lambda: time.monotonic() - began > 3)
    signals.release("go")
    host.printed('"outcome": "succeeded"')
    eventually("deleted", lambda: storage.count(queue.queue_name) == 0)
    assert host.never_printed("for the 2")


def test_a_failed_message_stays_away_for_the_visibility_timeout(
    tmp_path: Path, storage: Storage, start_host: StartHost
) -> None:
    queue = storage.queue()
    queue.send_message("again")
    code = recorder("logging.info('at %f', time.monotonic()); 1 / (message.dequeue_count - 1)")
    app = write_app(tmp_path / "app", code, queues={**PLAIN, "visibilityTimeout": "00:00:01"})
    host = start_host(app, {**storage.settings, "QUEUE": queue.queue_name})
    first, second = (float(found[1]) for found in host.printed(r"^at (.*)", 2))
    assert second - first > 0.9


def test_a_poison_queue_has_no_poison_queue_and_is_polled_as_soon_as_something_lands(
    tmp_path: Path, storage: Storage, start_host: StartHost
) -> None:
    queue = storage.queue()
    poison = storage.queue(f"{queue.queue_name}-poison")
    second = """
@app.queue_trigger("message", "%QUEUE%-poison", "")
def on_poison(message: func.QueueMessage) -> None:
    raise RuntimeError("in the poison queue too")
"""
    options = {**PLAIN, "maxDequeueCount": 1, "maxPollingInterval": "00:10:00"}
    app = write_app(tmp_path / "app", recorder("raise ValueError(1)") + second, queues=options)
    host = start_host(app, {**storage.settings, "QUEUE": queue.queue_name})
    assert host.url
    queue.send_message("bad")
    host.printed(f"a message of {poison.queue_name} is left where it is: it failed 1 times")
    assert storage.count(poison.queue_name) == 1
    assert not list(storage.service.list_queues(name_starts_with=f"{poison.queue_name}-"))


def listener_in_process(service: QueueServiceClient, queue: str, call: Callable[..., object]) -> Listener:
    trigger = {"type": "queueTrigger", "name": "message"}
    return Listener(
        function=Function("f", call, trigger, {}, wants_context=False, directory=""),
        queue=queue,
        service=service,
        options=parse({"version": "2.0", "extensions": {"queues": PLAIN}}, {}).queues,
        lease=timedelta(minutes=10),
        invoker=Invoker({}, None),
        threads=HostThreads(2),
        wake=lambda _: None,
    )


def test_a_listener_that_is_woken_does_not_wait_for_its_interval() -> None:
    async def run() -> None:
        nothing = SimpleNamespace(get_queue_client=lambda _: None)
        listener = listener_in_process(cast(QueueServiceClient, nothing), "q", print)
        waiting = asyncio.ensure_future(listener._sleep(600))
        await asyncio.sleep(0)
        assert not waiting.done()
        listener.wake()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(run())


def test_a_message_that_was_fetched_too_often_before_is_poisoned_without_being_run(storage: Storage) -> None:
    queue = storage.queue()
    queue.send_message("worn out")
    for _ in range(5):
        fetched = queue.receive_message(visibility_timeout=30)
        assert fetched is not None
        queue.update_message(fetched.id, pop_receipt=fetched.pop_receipt, visibility_timeout=0)
    runs: list[object] = []

    def note(message: object) -> None:
        runs.append(message)

    async def run() -> None:
        listener = listener_in_process(storage.service, queue.queue_name, note)
        polling = asyncio.ensure_future(listener.run())
        poison = storage.existing(f"{queue.queue_name}-poison")
        found = await asyncio.to_thread(eventually, "poisoned", lambda: _received(poison))
        listener.stop()
        await asyncio.wait_for(polling, 30)
        assert found.content == "worn out"

    asyncio.run(run())
    assert runs == []
    assert storage.count(queue.queue_name) == 0


def test_the_wait_between_empty_polls_grows_to_its_limit_and_starts_anew() -> None:
    back_off = BackOff(timedelta(seconds=5))
    assert back_off.next(found=True) == 0.1
    waits = [back_off.next(found=False) for _ in range(12)]
    for wait, grown in zip(waits, (0.1 * 2**n for n in range(12)), strict=True):
        assert min(0.1 + 0.8 * grown, 5) <= wait <= min(0.1 + 1.2 * grown, 5)
    assert waits[-1] == 5
    assert back_off.next(found=True) == 0.1


@pytest.mark.parametrize("name", ["Ab", "under_score", "-a-b", "a--b", "x" * 64, "%MISSING%"])
def test_what_no_queue_can_be_called_is_refused(name: str) -> None:
    assert queue_name("%PREFIX%-Work", {"PREFIX": "A"}) == "a-work"
    with pytest.raises(ValueError, match=r"is not a queue name|is missing"):
        queue_name(name, {})


def test_a_name_that_is_too_long_for_a_poison_queue_has_none() -> None:
    assert poison_name("x" * 56) == "x" * 56 + "-poison"
    assert poison_name("x" * 57) is None
    assert poison_name("work-poison") is None


def test_a_batch_is_fetched_only_when_few_enough_are_in_flight(
    tmp_path: Path, storage: Storage, start_host: StartHost, signals: Signals
) -> None:
    queue = storage.queue()
    for number in range(6):
        queue.send_message(str(number))
    options = {**PLAIN, "batchSize": 2, "newBatchThreshold": 1}
    app = write_app(tmp_path / "app", HOLDING + recorder("held_until(text)"), queues=options)
    settings = {
        **storage.settings,
        **signals.settings,
        "QUEUE": queue.queue_name,
        "PYTHON_THREADPOOL_THREAD_COUNT": "8",
    }
    host = start_host(app, settings)
    _let_go_one_by_one(host, signals)
    eventually("deleted", lambda: storage.count(queue.queue_name) == 0)


def _let_go_one_by_one(host: HostProcess, signals: Signals) -> None:
    """With batches of 2 and a threshold of 1, at most 3 run, and an end of the second of two fetches two more."""
    ended: set[str] = set()
    for begun_by_then in (2, 4, 4, 6, 6, 6):
        begun = [found[1] for found in host.printed("got <(.)>", begun_by_then)]
        assert len(begun) == begun_by_then
        one = next(text for text in begun if text not in ended)
        signals.release(one)
        ended.add(one)
        host.printed('"outcome": "succeeded"', len(ended))
