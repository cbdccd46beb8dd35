"""The Power BI client over real HTTP: throttles, lost answers, refused tokens."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared.errors import Forbidden, Invalid, NotFound, Throttled, Unavailable
from shared.powerbi.datasets import get_dataset
from shared.powerbi.groups import list_groups
from shared.powerbi.guardrails import NOTHING
from shared.powerbi.reports import get_report
from shared.powerbi.transport import Answer, Transport, path_of
from shared.settings import CLOUDS
from tests.cloud import Cloud
from tests.e2e.stage import Stage
from tests.seeded import ANALYTICS, INVOICE, MARGIN, OVERVIEW, POWER_BI, SALES, STRANGERS

REFRESHES = path_of("groups", ANALYTICS, "datasets", MARGIN, "refreshes")


class Client(Stage):
    """The transport with real tokens."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.transport = Transport(self.settings.cloud, self.tokens, self.now)

    def get(self, deadline: float = 30.0) -> Answer:
        return self.transport.call("groups.list", "GET", "/groups", identity="embed", deadline=deadline)

    def start_refresh(self) -> Answer:
        return self.transport.call("refreshes.start", "POST", REFRESHES, identity="operations", target=NOTHING)

    def times(self, path: str = "/groups", method: str = "GET") -> int:
        """How often Power BI was called."""
        return len(self.sent(path, method))


@pytest.fixture
def client(cloud: Cloud) -> Client:
    return Client(cloud)


def test_reports_datasets_and_workspaces_are_read_as_they_are(client: Client) -> None:
    report = get_report(client.transport, ANALYTICS, OVERVIEW, identity="embed")
    assert (report.id, report.name, report.dataset_id) == (OVERVIEW, "Sales overview", SALES)
    assert "config=" in report.embed_url
    assert not report.paginated
    assert get_report(client.transport, ANALYTICS, INVOICE, identity="embed").paginated
    dataset = get_dataset(client.transport, ANALYTICS, MARGIN, identity="embed")
    assert (dataset.id, dataset.identity_required, dataset.roles_required) == (MARGIN, True, True)
    assert ANALYTICS in {group.id for group in list_groups(client.transport, identity="embed", top=10)}
    assert len(list_groups(client.transport, identity="embed", top=1)) == 1


def test_an_answer_carries_power_bis_request_id(client: Client) -> None:
    assert client.get().request_id == client.sent()[-1]["requestId"]


def test_what_is_not_there_and_what_is_not_ours_are_told_apart(client: Client) -> None:
    with pytest.raises(NotFound) as missing:
        get_report(client.transport, ANALYTICS, MARGIN, identity="embed")
    assert missing.value.code == "PowerBIEntityNotFound"
    assert missing.value.request_id
    with pytest.raises(Forbidden) as strange:
        get_report(client.transport, STRANGERS, OVERVIEW, identity="embed")
    assert "role Member" in strange.value.detail
    assert client.token_requests() == 1, "no access is no reason for a new token"


def test_a_tenant_setting_in_the_way_is_named(client: Client) -> None:
    client.cloud.change(switches={"servicePrincipalsMayUseApis": False})
    with pytest.raises(Forbidden, match="Allow service principals to use Power BI APIs"):
        client.get()


def test_nothing_is_sent_before_retry_after_is_over(client: Client) -> None:
    client.cloud.fault(POWER_BI, "/groups$", status=429, headers={"Retry-After": "120"}, body={"message": "slow down"})
    with pytest.raises(Throttled) as throttled:
        client.get()
    assert throttled.value.retry_after == 120
    client.later = timedelta(seconds=100)
    with pytest.raises(Throttled) as still:
        client.get()
    assert 15 < still.value.retry_after <= 20
    assert client.times() == 1
    client.later = timedelta(seconds=121)
    assert client.get().status == 200


def test_a_throttle_holds_for_its_operation_and_identity_only(client: Client) -> None:
    client.cloud.fault(POWER_BI, "/groups$", status=429, headers={"Retry-After": "600"})
    with pytest.raises(Throttled):
        client.get()
    assert get_dataset(client.transport, ANALYTICS, MARGIN, identity="embed")
    assert list_groups(client.transport, identity="operations", top=5)


def test_a_server_error_is_not_repeated(client: Client) -> None:
    client.cloud.fault(POWER_BI, "/groups$", status=500, body="An error has occurred")
    with pytest.raises(Unavailable) as away:
        client.get()
    assert away.value.evidence.status == 500
    assert client.times() == 1


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_read_whose_connection_breaks_is_sent_once_more(client: Client, drop: str) -> None:
    client.get()
    client.cloud.fault(POWER_BI, "/groups$", drop=drop)
    assert client.get().status == 200


def test_a_read_is_sent_twice_at_most(client: Client) -> None:
    client.cloud.fault(POWER_BI, "/groups$", drop="after", times=3)
    with pytest.raises(Unavailable) as away:
        client.get()
    assert not away.value.effect_unknown
    assert client.times() == 2


def test_a_change_that_may_have_been_made_is_never_sent_again(client: Client) -> None:
    client.cloud.fault(POWER_BI, "/refreshes$", method="POST", drop="after")
    with pytest.raises(Unavailable) as away:
        client.start_refresh()
    assert away.value.effect_unknown
    assert client.times("/refreshes", "POST") == 1


@pytest.mark.parametrize(
    "refusal",
    [
        {"status": 403, "body": {"error": {"code": "TokenExpired", "message": "Access token has expired"}}},
        {"status": 403, "headers": {"X-PowerBI-Error-Info": "TokenExpired"}},
        {"status": 403, "headers": {"X-PowerBI-Error-Info": "InvalidToken"}},
        {"status": 403},
        {"status": 401},
    ],
)
def test_a_token_that_is_refused_is_renewed_once_even_for_a_change(client: Client, refusal: dict[str, object]) -> None:
    client.tokens.token("operations")
    client.cloud.fault(POWER_BI, "/refreshes$", method="POST", **refusal)
    assert client.start_refresh().status == 202
    assert client.token_requests() == 2
    assert client.times("/refreshes", "POST") == 2


def test_a_token_that_is_always_refused_ends_after_one_renewal(client: Client) -> None:
    client.cloud.fault(POWER_BI, "/groups$", status=403, headers={"X-PowerBI-Error-Info": "TokenExpired"}, times=9)
    for _ in range(3):
        with pytest.raises(Forbidden, match="clock"):
            client.get()
    assert client.token_requests() == 2, "Entra locks out clients that ask in a loop"


def test_the_deadline_holds_for_the_whole_call(client: Client) -> None:
    client.get()
    client.cloud.fault(POWER_BI, "/groups$", delaySeconds=20)
    began = time.monotonic()
    with pytest.raises(Unavailable, match="took too long"):
        client.get(deadline=0.5)
    assert time.monotonic() - began < 3


def test_an_answer_that_is_not_json_is_unavailable(client: Client) -> None:
    client.cloud.fault(POWER_BI, "/groups$", status=200, body="<html>maintenance</html>")
    with pytest.raises(Unavailable, match="not JSON"):
        list_groups(client.transport, identity="embed", top=1)


def test_a_refusal_says_what_power_bi_said(client: Client) -> None:
    with pytest.raises(Invalid) as refusal:
        client.transport.call(
            "embedTokens.generate",
            "POST",
            "/GenerateToken",
            identity="embed",
            target=NOTHING,
            json={"lifetimeInMinutes": -1},
        )
    assert refusal.value.evidence.message in refusal.value.detail


def test_a_netrc_of_the_machine_does_not_replace_the_token(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {POWER_BI} login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert client.get().status == 200


def test_no_token_is_logged_or_carried_by_an_error(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = client.tokens.token("embed").value
    client.cloud.fault(POWER_BI, "/groups$", drop="before", times=2)
    with pytest.raises(Unavailable) as away:
        client.get()
    assert token not in caplog.text
    assert token not in repr(away.value) + str(away.value.__dict__)


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_a_path_segment_can_not_lead_elsewhere(segment: str) -> None:
    with pytest.raises(ValueError, match="segment"):
        path_of("groups", segment, "reports")
    assert path_of("groups", "a/../b?c#d%") == "/groups/a%2F..%2Fb%3Fc%23d%25"


def test_an_answer_that_drips_does_not_outlast_the_deadline(client: Client) -> None:
    with dripping(forever=b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n") as address:
        transport = Transport(replace(CLOUDS["public"], powerbi_api=address), client.tokens, client.now)
        began = time.monotonic()
        with pytest.raises(Unavailable, match="took too long"):
            transport.call("groups.list", "GET", "/groups", identity="embed", deadline=0.5)
        assert time.monotonic() - began < 3


@contextmanager
def dripping(forever: bytes) -> Iterator[str]:
    """A server that begins its answer so, and then sends a byte every 50 ms until the client has gone."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(forever)
            while not over.wait(0.05):
                connection.sendall(b" ")

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join(10)
