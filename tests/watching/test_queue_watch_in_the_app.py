"""The function `queue-watch` as the app wires it: every queue that there is, and run by a host."""

from __future__ import annotations

import os

import requests
from azure.storage.queue import QueueServiceClient

from shared.queue_watch import EVENTS_QUEUE, WORKED_QUEUES
from shared.settings import Settings
from shared.wiring import Services
from tests.cloud import Cloud
from tests.emulator.host.processes import Watched
from tests.infra import in_use
from tests.infra.log_lines import listening


def watched(**settings: str) -> list[str]:
    """The queues of which one look tells, each with its outcome."""
    with listening() as lines:
        Services(Settings.from_env({**os.environ, **settings})).queue_watch.look()
    assert {line["outcome"] for line in lines.read} == {"ok"}
    return [line["target"] for line in lines.read]


def test_every_queue_of_the_app_is_watched(cloud: Cloud) -> None:
    assert set(WORKED_QUEUES) == in_use.trigger_queues()
    assert watched() == [*WORKED_QUEUES, EVENTS_QUEUE]


def test_where_events_go_to_a_topic_their_queue_is_not_looked_at(cloud: Cloud) -> None:
    assert watched(EVENTS_TOPIC_ENDPOINT="https://events.westeurope-1.eventgrid.azure.net") == list(WORKED_QUEUES)


def test_the_host_runs_it_and_its_lines_reach_the_log(cloud: Cloud, host: Watched) -> None:
    with QueueServiceClient.from_connection_string(cloud.connection_string) as service:
        service.get_queue_client(EVENTS_QUEUE).send_message("{}")  # which nobody takes
    url = host.printed(r"^READY (\S+)$")[0][1]
    assert requests.post(f"{url}/admin/functions/queue-watch", json={}, timeout=30).status_code == 202
    for name in WORKED_QUEUES:
        assert host.printed(f'"operation": "queue-watch", "target": "{name}", "outcome": "ok"')
    told = host.printed(f'"target": "{EVENTS_QUEUE}", "outcome": "ok", .*"count": ([0-9]+)')[0]
    assert int(told[1]) >= 1
