"""The emulator's life: what it leaves when it is ready, and that nothing outlives it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
import requests
from azure.core.credentials import AccessToken
from azure.storage.blob import BlobServiceClient

from emulator.launch.environment import Places, child_environment
from emulator.launch.local_settings import LocalSettings
from emulator.launch.state_directory import StateDirectory
from emulator.processes import EmulatorFailed
from tests.emulator.starting import Started, is_running, start, wait_until

EVERYTHING = {
    "environment",
    "removeEnvironment",
    "settings",
    "functionsUrl",
    "controlUrl",
    "caFile",
    "storageConnectionString",
    "tenantId",
    "api",
    "clients",
    "people",
    "seed",
}
SEEDED_CLIENTS = {"operations", "embed", "admin", "operator", "customer-portal", "auditor", "nobody"}


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_says_where_everything_is_and_ends_cleanly_when_told_to(tmp_path: Path) -> None:
    with start(tmp_path, "--host", "none") as emulator:
        assert emulator.wait_until_ready() == f"READY {tmp_path / 'environment.json'}"
        described = emulator.described
        assert set(described) == EVERYTHING
        assert set(described["clients"]) == SEEDED_CLIENTS
        assert described["functionsUrl"] is None
        assert described["environment"]["https_proxy"] == described["environment"]["HTTPS_PROXY"]
        assert {"http_proxy", "ALL_PROXY"} <= set(described["removeEnvironment"])
        assert _mode(tmp_path) == 0o700
        assert {_mode(tmp_path / name) for name in ("environment.json", "server.key", "azurite.log")} == {0o600}

        processes = emulator.processes()
        emulator.process.send_signal(signal.SIGTERM)
        code, output, _ = emulator.end()

    assert (code, output) == (0, "")
    assert set(processes) == {"emulator", "azurite"}
    wait_until(lambda: not any(map(is_running, processes.values())), "all processes have ended")
    assert not (tmp_path / "environment.json").exists()
    assert not (tmp_path / "server.key").exists()


def test_a_host_that_dies_is_started_again_and_none_survives_the_kill_of_the_emulator(tmp_path: Path) -> None:
    """Under a path that has to be quoted everywhere, and with a home that can't be written to."""
    with start(tmp_path / "a place, à côté", HOME="/proc/nowhere") as emulator:
        emulator.wait_until_ready()
        url = emulator.described["functionsUrl"]
        first = emulator.processes()["host"]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: emulator.processes().get("host", first) != first, "another host")
        wait_until(lambda: _answers(f"{url}/api/health"), "the new host answers under the same address")

        processes = emulator.processes()
        emulator.process.kill()
        emulator.end()

    assert set(processes) == {"emulator", "azurite", "host"}
    wait_until(lambda: not any(map(is_running, processes.values())), "all processes have ended")


def test_it_ends_with_the_reason_when_storage_ends(tmp_path: Path) -> None:
    with start(tmp_path, "--host", "none") as emulator:
        emulator.wait_until_ready()
        _refuses_company(tmp_path)
        os.kill(emulator.processes()["azurite"], signal.SIGKILL)
        code, _, errors = emulator.end()
    assert code == 1
    assert errors.startswith("The emulator failed: Azurite has ended")
    assert len(errors.strip().splitlines()) == 1


def _refuses_company(state_dir: Path) -> None:
    with start(state_dir, "--host", "none") as second:
        code, output, errors = second.end()
    assert (code, output) == (1, "")
    assert "Another emulator uses" in errors


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start(tmp_path, "--host", "none", "--port-base", str(port - 2)) as emulator:
            code, output, errors = emulator.end()
    assert (code, output) == (1, "")
    assert re.search(rf"port ({port - 2}|{port - 1}|{port}) can't be used", errors)  # others may use those before it
    assert len(errors.strip().splitlines()) == 1


def test_a_directory_with_somebody_elses_files_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    tmp_path.chmod(0o755)
    with start(tmp_path, "--host", "none") as emulator:
        code, _, errors = emulator.end()
    assert code == 1
    assert "holds other files" in errors
    assert _mode(tmp_path) == 0o755


def test_what_a_killed_emulator_left_is_removed_before_its_place_is_taken(tmp_path: Path) -> None:
    first, second = StateDirectory(tmp_path / "state"), StateDirectory(tmp_path / "state")
    first.take()
    left = ("environment.json", "server.key", ".environment.json.4711", ".server.key.4711", "host.log")
    for name in left:
        (first.path / name).write_text("of the first")
    with pytest.raises(EmulatorFailed, match="Another emulator uses"):
        second.take()
    assert {path.name for path in first.path.iterdir()} == {"lock", *left}
    first.release()  # as the end of its process does, however it came
    second.take()
    assert {path.name for path in second.path.iterdir()} == {"lock"}
    second.release()


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null"])
def test_a_place_that_can_not_be_used_is_named(place: str) -> None:
    with pytest.raises(EmulatorFailed, match=f"{place} can't be used: "):
        StateDirectory(Path(place)).take()


def _places(tmp_path: Path) -> Places:
    return Places(
        proxy_url="http://127.0.0.1:1",
        control_url="http://127.0.0.1:2",
        identity_endpoint="http://127.0.0.1:3/msi/token",
        identity_header="header",
        ca_file=tmp_path / "ca.pem",
        canary="canary",
        storage_connection_string="UseDevelopmentStorage=true",
        storage_by_identity=False,
        functions_url=None,
    )


def test_local_settings_that_somebody_wrote_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "local.settings.json"
    settings = LocalSettings(path)
    path.write_text('{"Values": {"MINE": "1"}}')
    assert not settings.write(_places(tmp_path))
    settings.remove()
    assert json.loads(path.read_text()) == {"Values": {"MINE": "1"}}


def test_local_settings_of_an_earlier_start_are_replaced_and_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "local.settings.json"
    settings = LocalSettings(path)
    assert settings.write(_places(tmp_path))
    assert settings.write(_places(tmp_path))
    written = json.loads(path.read_text())
    assert written["IsEncrypted"] is False
    assert written["Values"]["POWERBI_EMBED_CREDENTIAL"] == "secret:powerbi-embed-secret"
    assert written["Values"]["https_proxy"] == "http://127.0.0.1:1"
    assert len({name.lower() for name in written["Values"]}) == len(written["Values"])
    assert _mode(path) == 0o600
    settings.remove()
    assert not path.exists()


def test_the_hosts_environment_leads_nowhere_else(tmp_path: Path) -> None:
    outer = {"http_proxy": "http://proxy:3128", "https_proxy": "http://proxy:3128", "ALL_PROXY": "socks://proxy"}
    outer |= {"AzureWebJobsStorage__accountName": "real", "AZURE_CLIENT_SECRET": "real", "PATH": "/bin"}
    inner = child_environment(_places(tmp_path), outer)
    assert inner["https_proxy"] == "http://127.0.0.1:1"
    assert inner["PATH"] == "/bin"
    assert not {"http_proxy", "ALL_PROXY", "AzureWebJobsStorage__accountName", "AZURE_CLIENT_SECRET"} & set(inner)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def test_the_app_reaches_storage_by_its_identity_under_the_accounts_own_names(tmp_path: Path) -> None:
    with start(tmp_path, "--host", "none", "--storage", "identity") as emulator:
        emulator.wait_until_ready()
        names = _containers_by_identity(emulator)
        emulator.process.send_signal(signal.SIGHUP)  # its terminal was closed
        assert emulator.end()[0] == 0
    assert {"config", "config-accepted", "landing"} <= names


def _containers_by_identity(emulator: Started) -> set[str]:
    described = emulator.described
    environment = described["environment"]
    assert described["settings"]["AzureWebJobsStorage__accountName"] == "contosopowerbi"
    answer = requests.get(
        environment["IDENTITY_ENDPOINT"],
        params={
            "api-version": "2019-08-01",
            "resource": "https://storage.azure.com",
            "client_id": described["settings"]["MANAGED_IDENTITY_CLIENT_ID"],
        },
        headers={"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]},
        timeout=20,
    )
    with BlobServiceClient(
        "https://contosopowerbi.blob.core.windows.net",
        credential=_Fixed(answer.json()["access_token"]),
        proxies={"https": environment["https_proxy"]},
        connection_verify=environment["SSL_CERT_FILE"],
        use_env_settings=False,
        retry_total=0,
    ) as client:
        return {container.name for container in client.list_containers()}


class _Fixed:
    """A credential that has its token already."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self._token, 2**31)
