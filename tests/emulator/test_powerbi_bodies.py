"""How a request's body may be written."""

from __future__ import annotations

import pytest

from tests.emulator.powerbi_driver import (
    MARGIN_MODEL,
    MARGIN_REPORT,
    SALES,
    SALES_MODEL,
    SALES_REFRESHES,
    Driver,
    Reply,
)

FORM = {"content-type": "application/x-www-form-urlencoded"}
IDENTITIES = "identities=username&identities=roles&identities=datasets"
"""What `requests` makes of a list with an object in it."""


@pytest.fixture
def driver() -> Driver:
    return Driver()


def post(driver: Driver, path: str, body: bytes, **headers: str) -> Reply:
    return driver.call("POST", path, body, headers={name.replace("_", "-"): text for name, text in headers.items()})


@pytest.mark.observed("microsoft/powerbi-jupyter#20: a body of bytes without a type; the words are the service's")
def test_a_body_without_a_type_is_refused_in_the_services_words(driver: Driver) -> None:
    reply = post(driver, "/groups", b'{"name": "FIN"}', content_type="")
    assert (reply.status, reply.body["message"].partition(".")[0]) == (
        415,
        "The request contains an entity body but no Content-Type header",
    )


@pytest.mark.assumed("the framework's words for any other type")
def test_a_body_of_another_type_is_refused(driver: Driver) -> None:
    reply = post(driver, "/groups", b'{"name": "FIN"}', content_type="text/plain; charset=utf-8")
    assert (reply.status, "'text/plain' is not supported" in reply.body["message"]) == (415, True)


@pytest.mark.observed("pbiapi on PyPI creates workspaces, adds users and refreshes by posted forms")
def test_a_posted_form_does_as_well_as_json(driver: Driver) -> None:
    made = post(driver, "/groups", b"name=FIN-Margin-DEV", **FORM)
    assert (made.status, made.body["name"]) == (200, "FIN-Margin-DEV")
    user = b"emailAddress=dev%40contoso.com&groupUserAccessRight=Viewer"
    assert post(driver, f"/groups/{SALES}/users", user, **FORM).status == 200
    assert post(driver, SALES_REFRESHES, b"notifyOption=NoNotification", **FORM).status == 202


def test_a_posted_form_has_numbers_and_truths_too(driver: Driver) -> None:
    path = f"/groups/{SALES}/datasets/{SALES_MODEL}/GenerateToken"
    assert post(driver, path, b"accessLevel=View&lifetimeInMinutes=10&allowSaveAs=True", **FORM).status == 200
    assert post(driver, path, b"accessLevel=View&lifetimeInMinutes=soon", **FORM).status == 400
    assert post(driver, path, b"accessLevel=View&allowSaveAs=maybe", **FORM).status == 400


@pytest.mark.observed("microsoft/powerbi-jupyter#20: identities in a form arrive as several")
def test_a_posted_form_can_not_say_who_the_viewer_is(driver: Driver) -> None:
    path = f"/groups/{SALES}/reports/{MARGIN_REPORT}/GenerateToken"
    reply = driver.call("POST", path, f"accessLevel=View&{IDENTITIES}".encode(), who="embed", headers=FORM)
    assert (reply.status, reply.message) == (400, "Creating embed token with multiple identities is not supported")
    assert MARGIN_MODEL not in reply.message


def test_json_may_begin_with_a_mark_of_its_encoding(driver: Driver) -> None:
    body = b'\xef\xbb\xbf{"name": "FIN-Margin-DEV"}'
    assert post(driver, "/groups", body, content_type="application/json; charset=utf-8").status == 200
