"""Queue triggers behave as on the Functions host."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path

import pytest

from tests.emulator.host.conftest import StartHost
from tests.emulator.host.processes import HostProcess, Storage, eventually, write_app

PLAIN = {"messageEncoding": "none", "visibilityTimeout": "00:00:00", "maxPollingInterval": "00:00:00.2"}


def recorder(body: str, queue: str = "%QUEUE%") -> str:
    """A function that tells what it gets, and then does what `body` says."""
    return f'''
@app.queue_trigger("message", "{queue}", "AzureWebJobsStorage")
def record(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    logging.info("got <%s> for the %s. time, id %s", text, message.dequeue_count, message.id)
    {body}
'''


HOLDING = """
def held_until(name):
    deadline = time.monotonic() + 20
    while not pathlib.Path(os.environ["SIGNALS"], name).exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""


class Signals:
    """Lets functions go that wait for a file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.settings = {"SIGNALS": str(folder)}

    def release(self, name: str) -> None:
        (self._folder / name).touch()


@pytest.fixture
def signals(tmp_path: Path) -> Signals:
    return Signals(tmp_path / "signals")


def test_a_message_is_run_once_and_deleted(tmp_path: Path, storage: Storage, start_host: StartHost) -> None:
    queue = storage.queue()
    sent = queue.send_message("hello")
    queue.send_message("")
    app = write_app(tmp_path / "app", recorder("logging.info('%s', message.insertion_time.tzinfo)"), queues=PLAIN)
    host = start_host(app, {**storage.settings, "QUEUE": queue.queue_name.upper()})
    [got] = host.printed(r"got <hello> for the 1\. time, id (.*)")
    assert got[1] == sent.id
    host.printed("got <> for the 1")
    eventually("deleted", lambda: storage.count(queue.queue_name) == 0)
    host.printed('"message": "Executed record"')


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
    host = start_host(app, settings, "--message-lease", "PT1S")
    host.printed("got <long> for the 1")
    began = time.monotonic()
    eventually("two leases", lambda: time.monotonic() - began > 2.2)
    signals.release("go")
    host.printed('"outcome": "succeeded"')
    eventually("deleted", lambda: storage.count(queue.queue_name) == 0)
    assert host.never_printed("for the 2")


def test_after_five_failures_the_body_lies_in_the_poison_queue(
    tmp_path: Path, storage: Storage, start_host: StartHost
) -> None:
    queue = storage.queue()
    sent = queue.send_message("<bad> & worse")
    app = write_app(tmp_path / "app", recorder("raise ValueError('never')"), queues=PLAIN)
    host = start_host(app, {**storage.settings, "QUEUE": queue.queue_name})
    host.printed("moved to .*-poison: it failed 5 times")
    assert len(host.printed(r"got <<bad> & worse>", 5)) == 5
    eventually("deleted", lambda: storage.count(queue.queue_name) == 0)
    poisoned = storage.existing(f"{queue.queue_name}-poison").receive_message()
    assert poisoned is not None
    assert (poisoned.content, poisoned.dequeue_count, poisoned.id != sent.id) == ("<bad> & worse", 1, True)


def test_a_failed_message_stays_away_for_the_visibility_timeout(
    tmp_path: Path, storage: Storage, start_host: StartHost
) -> None:
    queue = storage.queue()
    queue.send_message("again")
    code = recorder("logging.info('at %f', time.monotonic()); 1 / (message.dequeue_count - 1)")
    app = write_app(tmp_path / "app", code, queues={**PLAIN, "visibilityTimeout": "00:00:01"})
    host = start_host(app, {**storage.settings, "QUEUE": queue.queue_name})
    first, second = (float(found[1]) for found in host.printed(r"^at (.*)", 2))
    assert 0.9 < second - first < 5


def test_a_value_without_a_return_binding_is_a_failure(tmp_path: Path, storage: Storage, start_host: StartHost) -> None:
    queue = storage.queue()
    queue.send_message("x")
    app = write_app(tmp_path / "app", recorder("return text"), queues={**PLAIN, "maxDequeueCount": 1})
    host = start_host(app, {**storage.settings, "QUEUE": queue.queue_name})
    host.printed(r"it returned a str, but has no \$return binding")
    host.printed("moved to .*-poison: it failed 1 times")


@pytest.mark.parametrize("encoding", ["base64", "none"])
def test_text_is_decoded_as_host_json_says(
    encoding: str, tmp_path: Path, storage: Storage, start_host: StartHost
) -> None:
    queue = storage.queue()
    coded = base64.b64encode(b'{"a": "b"}').decode()
    for text in (coded, '{"plain": 1}'):
        queue.send_message(text)
    app = write_app(tmp_path / "app", recorder("pass"), queues={**PLAIN, "messageEncoding": encoding})
    host = start_host(app, {**storage.settings, "QUEUE": queue.queue_name})
    if encoding == "none":
        host.printed(f"got <{re.escape(coded)}>")
        host.printed('got <{"plain": 1}>')
    else:
        host.printed('got <{"a": "b"}>')
        host.printed("moved to .*-poison: it is not base64")
        poisoned = storage.existing(f"{queue.queue_name}-poison").receive_message()
        assert poisoned is not None
        assert poisoned.content == '{"plain": 1}'
        assert host.never_printed("got <.*plain")


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


def test_a_missing_queue_counts_as_empty_and_is_not_created(
    tmp_path: Path, storage: Storage, start_host: StartHost
) -> None:
    name = storage.queue_name()
    app = write_app(tmp_path / "app", recorder("pass"), queues=PLAIN)
    host = start_host(app, {**storage.settings, "QUEUE": name})
    host.printed(f"the queue {name} does not exist")
    assert not list(storage.service.list_queues(name_starts_with=name))
    storage.queue(name).send_message("late")
    host.printed("got <late>")


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
