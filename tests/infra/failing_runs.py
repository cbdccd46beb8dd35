"""The app, really run and made to fail in every way that somebody is told of; what it logged meanwhile."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import azure.functions as func
import pytest

import function_app
from shared import wiring
from tests.cloud import Cloud
from tests.e2e.provisioning_stage import Stage, provision
from tests.refresh.harness import Harness

Json = dict[str, Any]
POWER_BI = "api.powerbi.com"


class Lines(logging.Handler):
    """What the platform would send to Application Insights: the message of each record."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[Json] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith("{"):
            self.read.append(json.loads(message))


@contextmanager
def listening() -> Iterator[Lines]:
    lines = Lines()
    logging.getLogger().addHandler(lines)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(lines)


def failing_runs(cloud: Cloud, patch: pytest.MonkeyPatch) -> list[Json]:
    """Every log line of: embed tokens that succeed, are throttled and fail; a red readiness; a document that is
    refused; a provisioning that fails, one whose message was lost, messages that are poison; refreshes that fail.
    """
    with listening() as lines:
        for run in (_embed_tokens, _readiness, _document, _messages):
            cloud.reset()
            patch.setattr(wiring, "_services", None)
            run(cloud)
        cloud.reset()
        _provisioning(Stage(cloud))
        _refreshes(Harness())
    patch.setattr(wiring, "_services", None)
    return lines.read


def _request(cloud: Cloud, method: str, path: str, client: str, body: Json | None = None) -> func.HttpRequest:
    headers = {"authorization": f"Bearer {cloud.caller_token(client)}", "content-type": "application/json"}
    content = json.dumps(body).encode() if body else b""
    return func.HttpRequest(
        method=method,
        url=f"https://app/api/{path}",
        headers={**headers, "content-length": str(len(content))},
        body=content,
    )


def _embed_tokens(cloud: Cloud) -> None:
    def ask(name: str) -> int:
        body = {"reports": ["margin-report"], "identity": {"username": name, "roles": ["Customer"]}}
        request = _request(cloud, "POST", "embed-tokens", "customer-portal", body)
        return int(function_app.embed_tokens(request).status_code)

    assert ask("first") == 200
    cloud.fault(POWER_BI, "GenerateToken", status=429, headers={"Retry-After": "30"})
    assert ask("second") == 503


def _readiness(cloud: Cloud) -> None:
    cloud.fault(r".*vault\.azure\.net", "/secrets/", status=403, times=10, body={"error": {"code": "Forbidden"}})
    answer = function_app.readiness(_request(cloud, "GET", "readiness", "operator"))
    assert answer.status_code == 503


def _document(cloud: Cloud) -> None:
    """An operator uploads a document that does not validate."""
    from azure.storage.blob import BlobServiceClient

    with BlobServiceClient.from_connection_string(cloud.connection_string) as blobs:
        config = blobs.get_container_client("config")
        good = config.download_blob("embed.yaml").readall()
        config.upload_blob("embed.yaml", b"reports: 7", overwrite=True)
        try:
            function_app.embed_tokens(_request(cloud, "POST", "embed-tokens", "customer-portal", {"reports": ["a"]}))
        finally:
            config.upload_blob("embed.yaml", good, overwrite=True)


def _messages(cloud: Cloud) -> None:
    """One that can never be carried out, and one that the host gave up."""
    lost = json.dumps({"id": "00000000-0000-4000-8000-000000000000", "turn": 1}).encode()
    function_app.provisioning_queue(func.QueueMessage(id="message-1", body=b"no json"))
    function_app.workflow_steps_poison(func.QueueMessage(id="message-2", body=lost))


def _provisioning(stage: Stage) -> None:
    stage.cloud.fault(POWER_BI, "/groups$", "POST", status=403, times=3, body={"error": {"code": "Forbidden"}})
    assert stage.done(provision("FIN-Refused"))["status"] == "failed"
    stage.submit(provision("FIN-Lost"))
    stage.queue.sent.clear()  # its message is lost: the sweep has to bring it back
    stage.settle()


def _refreshes(harness: Harness) -> None:
    harness.world.outcomes.extend([("Failed", "the source can't be reached")] * harness.policy.attempts)
    harness.land("sales.parquet")
    harness.settle()
    harness.clock.advance(timedelta(hours=1))
