"""Nothing may leave the machine: when the host agrees to start."""

from __future__ import annotations

import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from emulator.host.errors import CannotStart
from emulator.host.safety import cut_off, is_loopback, proxy_faults, require_emulator
from tests.emulator.host.processes import clean_environment

LOOPBACK = {"HTTPS_PROXY": "http://127.0.0.1:8443", "NO_PROXY": "127.0.0.1,localhost,::1,127.0.0.0/8,localhost:80"}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"HTTPS_PROXY": ""}, "HTTPS_PROXY is not set"),
        ({"HTTPS_PROXY": "http://proxy.corp:8080"}, "HTTPS_PROXY does not point to loopback"),
        ({"https_proxy": "http://user:word@proxy.corp:8080"}, "https_proxy does not point to loopback"),
        ({"ALL_PROXY": "socks5://10.0.0.1"}, "ALL_PROXY does not point to loopback"),
        ({"http_proxy": "proxy.corp:8080"}, "http_proxy does not point to loopback"),
        ({"HTTPS_PROXY": "http://127.0.0.1.example.com:1"}, "HTTPS_PROXY does not point to loopback"),
        ({"HTTPS_PROXY": "http://[broken"}, "HTTPS_PROXY does not point to loopback"),
        ({"NO_PROXY": "localhost,.powerbi.com"}, r"NO_PROXY lets \.powerbi\.com past the proxy"),
        ({"no_proxy": "*"}, r"no_proxy lets \* past the proxy"),
    ],
)
def test_variables_that_lead_outside_are_refused(change: dict[str, str], fault: str) -> None:
    assert not proxy_faults(LOOPBACK)
    with pytest.raises(CannotStart, match=fault):
        require_emulator({**LOOPBACK, **change, "EMULATOR_CANARY": "x"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "LOCALHOST.", "::1", "[::1]", "::1%lo"])
def test_these_are_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "localhost.example.com", "1270.0.0.1", "::", "*", "?"])
def test_these_are_not(host: str) -> None:
    assert not is_loopback(host)


class CanaryProxy:
    """A CONNECT proxy that ends TLS itself and answers every request with one JSON document."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("canary.emulator.invalid").configure_cert(self._tls)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.answer: object = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        _read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        body = json.dumps(self.answer).encode()
        try:
            with self._tls.wrap_socket(connection, server_side=True) as inner:
                _read_head(inner)
                inner.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        except OSError:  # the client did not like the certificate
            return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def _read_head(connection: socket.socket) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(4096)
        if not more:
            return
        head += more


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CanaryProxy]:
    proxy = CanaryProxy(tmp_path)
    clean = clean_environment()
    monkeypatch.setattr("os.environ", {**clean, "HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"})
    yield proxy
    proxy.close()


def environment(proxy: CanaryProxy, **more: str) -> dict[str, str]:
    return {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}", **more}


def test_the_right_canary_lets_the_host_start(proxy: CanaryProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "REQUESTS_CA_BUNDLE", str(proxy.ca_file))
    proxy.answer = {"canary": "the-value"}
    require_emulator(environment(proxy, EMULATOR_CANARY="the-value"))


@pytest.mark.parametrize("answer", [{"canary": "another"}, {}, [], {"canary": "the-value", "more": 1}])
def test_another_canary_does_not(answer: object, proxy: CanaryProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "REQUESTS_CA_BUNDLE", str(proxy.ca_file))
    proxy.answer = answer
    with pytest.raises(CannotStart, match="something else than the emulator"):
        require_emulator(environment(proxy, EMULATOR_CANARY="the-value"))


def test_a_proxy_whose_authority_is_unknown_does_not(proxy: CanaryProxy) -> None:
    proxy.answer = {"canary": "the-value"}
    with pytest.raises(CannotStart, match=r"did not answer through the proxy \(SSLError\)"):
        require_emulator(environment(proxy, EMULATOR_CANARY="the-value"))


def test_without_a_value_to_compare_nothing_is_asked(proxy: CanaryProxy) -> None:
    with pytest.raises(CannotStart, match="EMULATOR_CANARY is not set"):
        require_emulator(environment(proxy))


def test_cut_off_leaves_only_a_closed_port() -> None:
    variables = {"https_proxy": "http://proxy.corp:1", "ALL_PROXY": "x", "no_proxy": "*", "OTHER": "stays"}
    cut_off(variables)
    assert not proxy_faults(variables)
    assert set(variables) == {"https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "OTHER"}
    port = int(variables["https_proxy"].rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
