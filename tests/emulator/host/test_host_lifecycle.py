"""How the host starts, refuses to start, stops, and loses its worker."""

from __future__ import annotations

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from emulator.host.host import EXIT_CANNOT_START, EXIT_STOPPED, EXIT_WORKER_LOST
from tests.emulator.host.conftest import StartHost
from tests.emulator.host.messages import HOLDING, PLAIN, Signals, recorder
from tests.emulator.host.processes import HostProcess, Storage, Watched, clean_environment, eventually, write_app

SLOW_ANSWER = """
@app.route("slow")
def slow(req: func.HttpRequest) -> func.HttpResponse:
    logging.info("answering")
    held_until("go")
    return func.HttpResponse("done")

@app.route("quick")
def quick(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("quick")
"""


def test_a_stop_lets_what_runs_end_and_begins_nothing(
    tmp_path: Path, storage: Storage, start_host: StartHost, signals: Signals
) -> None:
    queue = storage.queue()
    queue.send_message("work")
    app = write_app(tmp_path / "app", HOLDING + SLOW_ANSWER + recorder("held_until('go')"), queues=PLAIN)
    settings = {**storage.settings, **signals.settings, "QUEUE": queue.queue_name}
    host = start_host(app, settings, "--drain", "PT1M")
    host.printed("got <work>")
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(requests.get, f"{host.url}/api/slow", timeout=20)
        host.printed("^answering")
        host.terminate()
        host.printed("stopping")
        queue.send_message("too late")
        eventually("no new connections", lambda: not _answers(host))
        signals.release("go")
        assert answer.result().text == "done"
    assert host.exit_code() == EXIT_STOPPED
    assert host.never_printed("too late")
    assert storage.count(queue.queue_name) == 1


def test_what_outlasts_the_drain_is_left_to_the_end_of_its_lease(
    tmp_path: Path, storage: Storage, start_host: StartHost, signals: Signals
) -> None:
    queue = storage.queue()
    queue.send_message("work")
    app = write_app(tmp_path / "app", HOLDING + recorder("held_until('go')"), queues=PLAIN)
    settings = {**storage.settings, **signals.settings, "QUEUE": queue.queue_name}
    host = start_host(app, settings, "--message-lease", "PT2S", "--drain", "PT0.2S")
    host.printed("got <work>")
    began = time.monotonic()
    host.terminate()
    assert host.exit_code() == EXIT_STOPPED
    assert time.monotonic() - began < 8
    host.printed("did not end in time")
    back = eventually("back again", lambda: queue.receive_message(visibility_timeout=30))
    assert back.dequeue_count == 2


def test_a_function_over_its_time_limit_fails_and_costs_the_worker(
    tmp_path: Path, storage: Storage, start_host: StartHost, signals: Signals
) -> None:
    queue = storage.queue()
    queue.send_message("endless")
    code = HOLDING + SLOW_ANSWER + recorder("held_until('never')")
    app = write_app(tmp_path / "app", code, queues=PLAIN, functionTimeout="00:00:01")
    host = start_host(app, {**storage.settings, **signals.settings, "QUEUE": queue.queue_name})
    host.printed("got <endless>")
    assert requests.get(f"{host.url}/api/slow", timeout=20).status_code == 500
    assert host.exit_code() == EXIT_WORKER_LOST
    host.printed("exceeded the functionTimeout of 1 s")
    back = eventually("given back at once", lambda: queue.receive_message(visibility_timeout=30))
    assert back.dequeue_count == 2


def test_storage_that_is_away_stops_neither_http_nor_the_end(tmp_path: Path, start_host: StartHost) -> None:
    app = write_app(tmp_path / "app", HOLDING + SLOW_ANSWER + recorder("pass"), queues=PLAIN)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/a"
    away = f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=;QueueEndpoint={address};"
    host = start_host(app, {"AzureWebJobsStorage": away, "QUEUE": "away"})
    assert requests.get(f"{host.url}/api/quick", timeout=5).text == "quick"
    host.printed("polling away failed: ServiceRequestError", 2)
    host.terminate()
    assert host.exit_code() == EXIT_STOPPED


def test_a_broken_app_says_why(tmp_path: Path, start_host: StartHost) -> None:
    host = start_host(write_app(tmp_path / "app", "import a_module_that_is_missing"), {})
    assert host.exit_code() == EXIT_CANNOT_START
    [line] = host.host_lines()
    assert "No module named 'a_module_that_is_missing'" in line["message"]
    assert host.never_printed("READY")


def test_every_fault_is_told_at_once(tmp_path: Path, start_host: StartHost) -> None:
    code = recorder("pass", queue="%ABSENT%") + (
        '@app.timer_trigger("timer", "61 * * * * *")\ndef tick(timer: func.TimerRequest) -> None: ...\n'
    )
    host = start_host(write_app(tmp_path / "app", code), {"AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    assert host.exit_code() == EXIT_CANNOT_START
    host.printed("function record: '%ABSENT%' names the setting ABSENT, which is missing")
    host.printed("function tick: '61' is not a second from 0 to 59")


def test_without_the_emulator_the_host_refuses_to_start(tmp_path: Path) -> None:
    app = write_app(tmp_path / "app", "raise SystemExit('the app was loaded')")
    command = [sys.executable, "-m", "emulator.host", "--port", "0", "--app-dir", str(app)]
    host = Watched(command, clean_environment())
    try:
        assert host.exit_code() == EXIT_CANNOT_START
        host.printed("HTTPS_PROXY is not set. The host only runs against the emulated cloud")
        assert host.never_printed("the app was loaded")
    finally:
        host.kill()


def _answers(host: HostProcess) -> bool:
    try:
        return requests.get(f"{host.url}/api/quick", timeout=5).ok
    except requests.ConnectionError:
        return False
