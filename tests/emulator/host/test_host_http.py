"""HTTP triggers behave as on the Functions host."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import requests

from emulator.host import http_server
from emulator.host.event_grid import EventGridWebhook
from emulator.host.http_server import HttpServer, Routes
from emulator.host.indexing import Function
from emulator.host.invocation import Invoker, thread_count
from tests.emulator.host.processes import HostProcess, write_app

APP = """
import asyncio, json, socket, threading
import requests

def answer(**facts):
    return func.HttpResponse(json.dumps(facts), mimetype="application/json")

@app.route("items/recent", methods=["GET"])
def b_recent(req: func.HttpRequest) -> func.HttpResponse:
    return answer(function="b_recent")

@app.route("items/{id}", methods=["GET"])
def a_item(req: func.HttpRequest) -> func.HttpResponse:
    return answer(function="a_item", **req.route_params)

@app.route("things/{id:int}")
def a_number(req: func.HttpRequest) -> func.HttpResponse:
    return answer(function="a_number", **req.route_params)

@app.route("things/{name}")
def b_name(req: func.HttpRequest) -> func.HttpResponse:
    return answer(function="b_name", **req.route_params)

@app.route("pages/{page:int=1}/{size?}")
def pages(req: func.HttpRequest) -> func.HttpResponse:
    return answer(**req.route_params)

@app.route("files/{*path}")
def files(req: func.HttpRequest) -> func.HttpResponse:
    return answer(**req.route_params)

@app.route("echo", auth_level=func.AuthLevel.ADMIN)
def echo(req: func.HttpRequest) -> func.HttpResponse:
    return answer(method=req.method, url=req.url, headers=dict(req.headers), params=dict(req.params),
                  body=req.get_body().decode())

@app.route("raises")
def raises(req: func.HttpRequest) -> func.HttpResponse:
    raise LookupError("the reason")

@app.route("exits")
def exits(req: func.HttpRequest) -> func.HttpResponse:
    raise SystemExit(3)

@app.route("cancels")
async def cancels(req: func.HttpRequest) -> func.HttpResponse:
    raise asyncio.CancelledError

@app.route("text")
def text(req: func.HttpRequest) -> str:
    return "plain"

@app.route("nothing")
def nothing(req: func.HttpRequest) -> func.HttpResponse:
    return None

@app.route("number")
def number(req: func.HttpRequest):
    return 5

@app.route("out", binding_arg_name="res")
def out(req: func.HttpRequest, res: func.Out[func.HttpResponse]) -> None:
    if "set" in req.params:
        res.set(func.HttpResponse("given", status_code=201))

@app.route("out-then-raises", binding_arg_name="res")
def out_then_raises(req: func.HttpRequest, res: func.Out[func.HttpResponse]) -> None:
    res.set(func.HttpResponse("given", status_code=201))
    raise LookupError("the reason")

@app.route("cookies")
def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse("x")
    response.headers.add("Set-Cookie", "a=1; Path=/")
    response.headers.add("Set-Cookie", "b=2; HttpOnly")
    return response

@app.route("asynchronous")
async def asynchronous(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    await asyncio.sleep(0)
    return answer(thread=threading.current_thread().name, id=context.invocation_id)

@app.route("context")
def context_of(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return answer(thread=threading.current_thread().name, id=context.invocation_id,
                  local=context.thread_local_storage.invocation_id, name=context.function_name,
                  trace=context.trace_context.trace_parent, tries=context.retry_context.retry_count)

@app.route("logs")
def logs(req: func.HttpRequest) -> func.HttpResponse:
    logging.getLogger("anything").info("first line\\nsecond line")
    return func.HttpResponse("")

@app.route("outside")
def outside(req: func.HttpRequest) -> func.HttpResponse:
    found = {}
    try:
        socket.create_connection(("192.0.2.1", 443), timeout=1)
    except OSError as error:
        found["connect"] = str(error)
    try:
        socket.getaddrinfo("example.com", 443)
    except OSError as error:
        found["lookup"] = str(error)
    try:
        requests.get("https://api.powerbi.com/", timeout=5)
    except requests.exceptions.ProxyError as error:
        found["proxy"] = "refused"
    return answer(**found)

@app.timer_trigger("timer", "0 0 0 1 1 *", use_monitor=False)
def by_hand(timer: func.TimerRequest) -> None:
    logging.info("ran by hand, past due: %s", timer.past_due)
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostProcess]:
    host = HostProcess(write_app(tmp_path_factory.mktemp("app"), APP), {})
    yield host
    host.kill()


@pytest.fixture
def api(host: HostProcess) -> str:
    return f"{host.url}/api"


def test_routes_are_tried_in_the_order_of_function_names_not_by_precedence(api: str) -> None:
    answer = requests.get(f"{api}/items/recent", timeout=5).json()
    assert answer == {"function": "a_item", "id": "recent"}


def test_a_constraint_lets_the_next_route_have_its_turn(api: str) -> None:
    assert requests.get(f"{api}/things/12", timeout=5).json() == {"function": "a_number", "id": "12"}
    assert requests.get(f"{api}/things/x12", timeout=5).json() == {"function": "b_name", "name": "x12"}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "items/1"),
        ("OPTIONS", "items/1"),
        ("GET", "items"),
        ("GET", "items/1/2"),
        ("GET", "../echo"),
        ("GET", ""),
    ],
)
def test_a_wrong_method_is_not_found_like_a_wrong_path(api: str, method: str, path: str) -> None:
    answer = requests.request(method, f"{api}/{path}", timeout=5)
    assert (answer.status_code, answer.content) == (404, b"")


def test_without_methods_a_route_takes_every_method_and_ignores_case(api: str) -> None:
    for method in ("GET", "POST", "DELETE", "PATCH"):
        assert requests.request(method, f"{api.replace('/api', '/API')}/Echo", timeout=5).json()["method"] == method


def test_optional_and_default_values_may_be_left_out(api: str) -> None:
    assert requests.get(f"{api}/pages", timeout=5).json() == {"page": "1"}
    assert requests.get(f"{api}/pages/4/20/", timeout=5).json() == {"page": "4", "size": "20"}
    assert requests.get(f"{api}/pages/x", timeout=5).status_code == 404


def test_a_catch_all_takes_the_rest_and_an_encoded_slash_stays_encoded(api: str) -> None:
    assert requests.get(f"{api}/files/a/b%20c/d%2Fe", timeout=5).json() == {"path": "a/b c/d%2Fe"}
    assert requests.get(f"{api}/files", timeout=5).json() == {}


def test_header_names_arrive_in_lower_case_and_repeated_values_joined(api: str) -> None:
    at = urlsplit(api)
    request = f"GET /api/echo?a=1&a=2&b= HTTP/1.1\r\nHost: {at.netloc}\r\nX-Odd-Name: 1\r\nx-odd-name: 2\r\n"
    with socket.create_connection((at.hostname, at.port or 80), timeout=5) as connection:
        connection.sendall(f"{request}Connection: close\r\n\r\n".encode())
        raw = b"".join(iter(lambda: connection.recv(65536), b""))
    answer = json.loads(raw.partition(b"\r\n\r\n")[2])
    assert answer["headers"]["x-odd-name"] == "1,2"
    assert answer["params"] == {"a": "1,2", "b": ""}
    assert answer["url"] == f"{api}/echo?a=1&a=2&b="


def test_a_body_arrives_with_a_length_and_is_empty_when_chunked(api: str) -> None:
    assert requests.post(f"{api}/echo", data=b"sent", timeout=5).json()["body"] == "sent"
    assert requests.post(f"{api}/echo", data=iter([b"se", b"nt"]), timeout=5).json()["body"] == ""


def test_a_body_over_100_mib_is_refused_before_it_is_read(api: str) -> None:
    at = urlsplit(api)
    with socket.create_connection((at.hostname, at.port or 80), timeout=5) as connection:
        connection.sendall(b"POST /api/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 104857601\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")


def test_an_exception_is_an_empty_500_and_its_trace_is_logged(api: str, host: HostProcess) -> None:
    answer = requests.get(f"{api}/raises?code=hidden", timeout=5)
    assert (answer.status_code, answer.content) == (500, b"")
    host.printed("raises failed: LookupError: the reason")
    line = next(line for line in host.host_lines() if line.get("function") == "raises")
    assert "function_app.py" in line["exception"]
    assert (line["level"], line["outcome"], line["path"]) == ("error", "failed", "/api/raises")
    assert host.never_printed("hidden")


@pytest.mark.parametrize("way", ["exits", "cancels"])
def test_a_function_that_ends_oddly_fails_alone(way: str, api: str) -> None:
    assert requests.get(f"{api}/{way}", timeout=5).status_code == 500
    assert requests.get(f"{api}/text", timeout=5).text == "plain"


def test_what_a_function_gives_back_becomes_the_answer(api: str) -> None:
    assert requests.get(f"{api}/nothing", timeout=5).status_code == 204
    assert requests.get(f"{api}/number", timeout=5).status_code == 500
    given = requests.get(f"{api}/out?set=1", timeout=5)
    assert (given.status_code, given.text) == (201, "given")
    assert requests.get(f"{api}/out", timeout=5).status_code == 204


def test_what_a_function_set_before_it_failed_is_not_sent(api: str) -> None:
    answer = requests.get(f"{api}/out-then-raises", timeout=5)
    assert (answer.status_code, answer.content) == (500, b"")


def test_each_cookie_has_its_own_header(api: str) -> None:
    answer = requests.get(f"{api}/cookies", timeout=5)
    assert [value for name, value in answer.raw.headers.items() if name == "Set-Cookie"] == [
        "a=1; Path=/",
        "b=2; HttpOnly",
    ]
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_plain_functions_run_in_worker_threads_and_async_ones_on_the_loop(api: str) -> None:
    plain = requests.get(f"{api}/context", headers={"traceparent": "00-1-2-01"}, timeout=5).json()
    assert plain["thread"].startswith("worker")
    assert plain["local"] == plain["id"]
    assert (plain["name"], plain["trace"], plain["tries"]) == ("context_of", "00-1-2-01", 0)
    asynchronous = requests.get(f"{api}/asynchronous", timeout=5).json()
    assert asynchronous["thread"] == "MainThread"
    assert asynchronous["id"] != plain["id"]


def test_a_log_record_of_the_app_is_one_line_as_it_is(api: str, host: HostProcess) -> None:
    requests.get(f"{api}/logs", timeout=5)
    host.printed(r"^first line\\nsecond line$")


def test_nothing_leaves_the_machine(api: str) -> None:
    found = requests.get(f"{api}/outside", timeout=20).json()
    assert "not loopback" in found["connect"]
    assert "not loopback" in found["lookup"]
    assert found["proxy"] == "refused"


def test_any_other_function_can_be_run_by_hand(host: HostProcess) -> None:
    admin = f"{host.url}/admin/functions"
    assert requests.post(f"{admin}/by_hand", json={"input": ""}, timeout=5).status_code == 202
    host.printed("ran by hand, past due: False")
    assert requests.post(f"{admin}/by_hand", data="no json", timeout=5).status_code == 400
    assert requests.post(f"{admin}/unknown", json={"input": ""}, timeout=5).status_code == 404
    assert requests.get(f"{admin}/by_hand", timeout=5).status_code == 404


@pytest.mark.parametrize(
    "setting", [{}, {"PYTHON_THREADPOOL_THREAD_COUNT": "0"}, {"PYTHON_THREADPOOL_THREAD_COUNT": "x"}]
)
def test_threads_are_as_many_as_python_would_start_unless_a_setting_says_how_many(setting: dict[str, str]) -> None:
    assert thread_count(setting) == min(32, (os.cpu_count() or 1) + 4)
    assert thread_count({"PYTHON_THREADPOOL_THREAD_COUNT": "3"}) == 3


def test_an_answer_for_which_the_balancer_would_not_have_waited_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(http_server, "BALANCER_CUT_OFF", 0)
    asyncio.run(_one_request())
    assert "slow took longer than the 230 s after which Azure drops a request" in capsys.readouterr().out


async def _one_request() -> None:
    trigger = {"type": "httpTrigger", "name": "req"}
    slow = Function("slow", lambda req: "late", trigger, {"$return": "http"}, wants_context=False, directory="")
    invoker = Invoker({}, None)
    server = HttpServer(Routes([slow], "api"), [], invoker, lambda *_: None, EventGridWebhook([], invoker))
    port = await server.start(0)
    answer = await asyncio.to_thread(requests.get, f"http://127.0.0.1:{port}/api/slow", timeout=5)
    assert answer.text == "late"
    await server.close()
