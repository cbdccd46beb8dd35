"""The app, really run: once as it should go, and once for each way of going wrong that somebody is told of."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import azure.functions as func
import pytest

import function_app
from shared import wiring
from shared.queue_watch import QueueWatch
from shared.storage.queues import Front
from tests.cloud import Cloud
from tests.doubles.clock import HOUR, MINUTE
from tests.e2e.provisioning.stage import ProvisioningStage, provision
from tests.infra.log_lines import Json, listening
from tests.refresh.harness import SHARED, Harness
from tests.seeded import POWER_BI

TICK: Any = None
"""What a timer gives its function, which looks at none of it."""
SLOW = 100
"""Milliseconds within which an embed token is promised here; the app has to be seen to be slower."""
Run = Callable[[Cloud, pytest.MonkeyPatch], None]


# ---- what callers do
def _request(cloud: Cloud, method: str, path: str, client: str, body: Json | None = None) -> func.HttpRequest:
    headers = {"authorization": f"Bearer {cloud.caller_token(client)}", "content-type": "application/json"}
    content = json.dumps(body).encode() if body else b""
    return func.HttpRequest(
        method=method,
        url=f"https://app/api/{path}",
        headers={**headers, "content-length": str(len(content))},
        body=content,
    )


def _ask(cloud: Cloud, customer: str) -> int:
    """For an embed token, as the customers' portal does."""
    body = {"reports": ["margin-report"], "identity": {"username": customer, "roles": ["Customer"]}}
    request = _request(cloud, "POST", "embed-tokens", "customer-portal", body)
    return int(function_app.embed_tokens(request).status_code)


def _message(body: bytes, id: str = "message-1") -> func.QueueMessage:
    return func.QueueMessage(id=id, body=body)


# ---- a good day
def good_day(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """Tokens, timers, a project, a landed file that leads to a refresh, and a transient fault that nobody notices."""
    _forget_messages(cloud)
    for customer in ("first", "second", "first"):
        assert _ask(cloud, customer) == 200
    assert function_app.readiness(_request(cloud, "GET", "readiness", "operator")).status_code == 200
    function_app.readiness_watch(TICK)
    function_app.workflow_sweep(TICK)
    function_app.refresh_sweep(TICK)
    for _ in range(5):
        function_app.queue_watch(TICK)
    stage = ProvisioningStage(cloud)
    stage.cloud.fault(POWER_BI, "/groups$", "POST", status=503, times=1)
    assert stage.done(provision("FIN-Good"))["status"] == "succeeded"
    harness = Harness(replace(SHARED, critical=True))
    harness.world.outcomes.append(("Failed", "the source can't be reached"))  # and the next attempt completes
    harness.land("sales.parquet")
    harness.settle()
    assert [str(run.status) for run in harness.all_runs()] == ["completed"]


def _forget_messages(cloud: Cloud) -> None:
    """What other tests have left in the queues is not of this run."""
    from azure.storage.queue import QueueServiceClient

    with QueueServiceClient.from_connection_string(cloud.connection_string) as service:
        for queue in service.list_queues():
            service.get_queue_client(queue).clear_messages()


# ---- messages
def rejected_message(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """Of another system, and it is no request."""
    function_app.provisioning_queue(_message(b"no json"))


def rejected_event(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    function_app.data_landed(_message(b'{"eventType": "Microsoft.Storage.BlobCreated", "data": 7}'))


def strange_message(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """In a queue to which only this app sends."""
    function_app.workflow_steps(_message(b"{}"))


def poison_message(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """One that the host gave up."""
    lost = json.dumps({"id": "00000000-0000-4000-8000-000000000000", "turn": 1}).encode()
    function_app.workflow_steps_poison(_message(lost))


def recovered_poison_message(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """One that the host gave up, and that is worked off in the end: five deliveries of it failed all the same."""
    function_app.data_landed_poison(_message(b"[]"))


def untaken_message(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """One in a queue whose function does not run; seen by storage's clock from six minutes later on."""

    class Later:
        def __init__(self, minutes: int) -> None:
            self.minutes = minutes

        def front(self) -> Front:
            seen = wiring.services().queue("data-landed").front()
            return replace(seen, seen_at=seen.seen_at + self.minutes * MINUTE)

    _forget_messages(cloud)
    wiring.services().queue("data-landed").send({"eventType": "nobody takes this"})
    for minute in range(6, 11):
        QueueWatch({"data-landed": Later(minute)}).look()
    _forget_messages(cloud)


def lost_messages(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """A workflow whose messages get lost, again and again: the sweep has to bring it back."""
    stage = ProvisioningStage(cloud)
    stage.submit(provision("FIN-Lost"))
    for _ in range(6):
        stage.queue.sent.clear()
        stage.advance(HOUR)
        stage.sweep()


# ---- work that fails
def failed_provisioning(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    stage = ProvisioningStage(cloud)
    stage.cloud.fault(POWER_BI, "/groups$", "POST", status=403, times=3, body={"error": {"code": "Forbidden"}})
    assert stage.done(provision("FIN-Refused"))["status"] == "failed"


def failed_refresh(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    _failed_refresh(critical=False)


def failed_critical_refresh(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    _failed_refresh(critical=True)


def _failed_refresh(*, critical: bool) -> None:
    harness = Harness(replace(SHARED, critical=critical))
    harness.world.outcomes.extend([("Failed", "the source can't be reached")] * harness.policy.attempts)
    harness.land("sales.parquet")
    harness.settle()
    assert "failed" in [str(run.status) for run in harness.all_runs()]


# ---- embed tokens
def failing_tokens(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    assert _ask(cloud, "first") == 200
    cloud.fault(POWER_BI, "GenerateToken", status=500, times=5)
    assert _ask(cloud, "second") == 503


def broken_tokens(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """A defect of ours: the caller is answered 500."""
    patch.setattr(wiring.services().embed, "issue", None)
    assert _ask(cloud, "first") == 500


def slow_tokens(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """Two of twenty."""
    cloud.fault(POWER_BI, "GenerateToken", delaySeconds=2 * SLOW / 1000, times=2)
    assert [_ask(cloud, name) for name in ("first", "second", *["first"] * 18)] == [200] * 20


def throttled_tokens(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    cloud.fault(POWER_BI, "GenerateToken", status=429, headers={"Retry-After": "30"}, times=10)
    assert [_ask(cloud, f"customer-{number}") for number in range(10)] == [503] * 10


# ---- what the app depends on
def closed_vault(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    cloud.fault(r".*vault\.azure\.net", "/secrets/", status=403, times=10, body={"error": {"code": "Forbidden"}})
    function_app.readiness_watch(TICK)


def power_bi_away(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """For two looks at least: one would be a hiccup."""
    cloud.fault(POWER_BI, ".*", status=503, times=50)
    for _ in range(2):
        function_app.readiness_watch(TICK)
        patch.setattr(wiring, "_services", None)  # the report is kept for a minute


def refused_document(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """An operator uploads one that does not validate."""
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient.from_connection_string(cloud.connection_string) as blobs:
        config = blobs.get_container_client("config")
        good = config.download_blob("embed.yaml").readall()
        config.upload_blob("embed.yaml", b"reports: 7", overwrite=True)
        try:
            function_app.readiness_watch(TICK)
        finally:
            config.upload_blob("embed.yaml", good, overwrite=True)


def missing_setting(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("POWERBI_TENANT_ID")
    function_app.readiness_watch(TICK)


def expiring_secret(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """In ten days; nobody has asked for a token yet."""
    cloud.change(secrets={"powerbi-embed-secret": {"expires": int(time.time()) + 10 * 86_400}})
    function_app.readiness_watch(TICK)


def rotated_secret(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """The same, and then somebody stores another one."""
    expiring_secret(cloud, patch)
    patch.setattr(wiring, "_services", None)  # the report is kept for a minute
    cloud.change(secrets={"powerbi-embed-secret": {"expires": int(time.time()) + 365 * 86_400}})
    function_app.readiness_watch(TICK)


def timers_in_vain(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """They tick, and none can do anything."""
    patch.delenv("POWERBI_TENANT_ID")
    for tick in (function_app.workflow_sweep, function_app.refresh_sweep, function_app.queue_watch):
        tick(TICK)


def one_timer_gone(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """On the platform each timer is a listener of its own: the others go on."""
    _forget_messages(cloud)
    function_app.workflow_sweep(TICK)
    function_app.queue_watch(TICK)


def nothing_at_all(cloud: Cloud, patch: pytest.MonkeyPatch) -> None:
    """The app does not run, or its log does not arrive."""


FIRES: dict[str, tuple[Run, ...]] = {
    "poison-messages": (poison_message, recovered_poison_message),
    "rejected-messages": (rejected_message, rejected_event, strange_message),
    "oldest-message": (untaken_message,),
    "overdue-work": (lost_messages,),
    "sweep-silent": (timers_in_vain, one_timer_gone, nothing_at_all),
    "provisioning-failed": (failed_provisioning,),
    "refresh-failed": (failed_refresh,),
    "critical-refresh-failed": (failed_critical_refresh,),
    "embed-errors": (failing_tokens, broken_tokens),
    "embed-latency": (slow_tokens,),
    "powerbi-throttled": (throttled_tokens,),
    "not-ready": (closed_vault, power_bi_away, refused_document, missing_setting),
    "secret-expiry": (expiring_secret,),
}
"""Each alert, and the runs that set it off."""
SILENT: dict[str, tuple[Run, ...]] = {
    "poison-messages": (rejected_message, rejected_event, strange_message),
    "rejected-messages": (poison_message, recovered_poison_message),
    "refresh-failed": (failed_critical_refresh,),
    "critical-refresh-failed": (failed_refresh,),
    "oldest-message": (nothing_at_all,),
    "secret-expiry": (rotated_secret,),
}
"""Runs that go wrong and are told by another alert."""


class Runs:
    """The log lines of each run, made when they are first asked for."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._made: dict[str, list[Json]] = {}

    def lines(self, run: Run) -> list[Json]:
        """What the app logged from the beginning of the run to its end."""
        if run.__name__ not in self._made:
            self._made[run.__name__] = self._lines(run)
        return self._made[run.__name__]

    def _lines(self, run: Run) -> list[Json]:
        self.cloud.reset()
        with pytest.MonkeyPatch.context() as patch, listening() as lines:
            patch.setattr(wiring, "_services", None)
            run(self.cloud, patch)
        return lines.read

    def all(self) -> list[Json]:
        """The lines of all runs."""
        every = [good_day, *(run for runs in FIRES.values() for run in runs)]
        return [line for run in every for line in self.lines(run)]
