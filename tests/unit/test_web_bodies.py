"""Bodies of requests: announced, bounded, read and validated, in this order."""

from __future__ import annotations

from typing import Any

import azure.functions as func
import pytest

from shared import web
from shared.validation import Document
from tests.unit.http_calls import request, said

JSON = {"content-type": "application/json"}


class Order(Document):
    name: str
    copies: int = 1


def ordered(body: bytes, headers: dict[str, str]) -> func.HttpResponse:
    @web.endpoint("orders")
    def function(req: func.HttpRequest) -> func.HttpResponse:
        return web.respond(web.body(req, Order).model_dump())

    return function(request(body, headers))


def sent(body: bytes, **headers: str) -> func.HttpResponse:
    return ordered(body, {**JSON, "content-length": str(len(body)), **headers})


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/vnd.x+json",
    ],
)
@pytest.mark.parametrize("spell", [str.lower, str.title, str.upper])
def test_a_json_body_becomes_the_model(content_type: str, spell: Any) -> None:
    raw = b'{"name": "x"}'
    response = ordered(raw, {spell("content-type"): content_type, spell("content-length"): str(len(raw))})
    assert said(response) == {"name": "x", "copies": 1}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": ""},
        {"content-type": "text/json"},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "application/jsonp"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/json; charset=latin1"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_what_is_not_announced_as_utf_8_json_is_415(headers: dict[str, str]) -> None:
    assert ordered(b"{}", {"content-length": "2", **headers}).status_code == 415


def test_a_body_of_unknown_length_is_411() -> None:
    assert ordered(b"", {**JSON, "transfer-encoding": "chunked"}).status_code == 411


@pytest.mark.parametrize("length", ["x", "", "-1", "+2", "1_0", "2.0", "２", "0x2"])
def test_a_length_that_is_no_number_is_400(length: str) -> None:
    response = sent(b"{}", **{"content-length": length})
    assert response.status_code == 400
    assert said(response)["errors"] == [{"path": "Content-Length", "message": "Must be a number."}]


@pytest.mark.parametrize("length", ["1048577", "9" * 5000, "0" * 10 + "1048577"])
def test_a_body_announced_as_too_large_is_413(length: str) -> None:
    assert sent(b"{}", **{"content-length": length}).status_code == 413


def test_a_body_that_is_larger_than_announced_is_413() -> None:
    assert sent(b'"' + b"x" * 1024 * 1024 + b'"', **{"content-length": "2"}).status_code == 413


def test_a_body_of_exactly_one_mebibyte_is_taken() -> None:
    frame = b'{"name": ""}'
    raw = frame[:-2] + b"x" * (1024 * 1024 - len(frame)) + frame[-2:]
    assert sent(raw).status_code == 200


@pytest.mark.parametrize(
    ("raw", "path", "message"),
    [
        (b"", "", "There is no body."),
        (b"{", "", "Line 1, column 2: not JSON."),
        (b'{"name": "a", "name": "b"}', "name", "This name stands more than once."),
        (b'{"name": "a", "size": 1}', "size", "Unknown field. Allowed here: name, copies."),
        (b'{"copies": 1}', "name", "Required, and missing."),
    ],
)
def test_a_body_that_does_not_validate_is_400_and_says_where(raw: bytes, path: str, message: str) -> None:
    response = sent(raw)
    assert response.status_code == 400
    [fault] = said(response)["errors"]
    assert fault["path"] == path
    assert fault["message"].startswith(message)


def test_checks_come_in_order() -> None:
    large, bad = b"[" * (1024 * 1024 + 1), b"{"
    assert ordered(large, {}).status_code == 415
    assert ordered(large, JSON).status_code == 411
    assert sent(large).status_code == 413
    assert sent(bad).status_code == 400
