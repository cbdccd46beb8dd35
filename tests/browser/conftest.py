"""One emulated cloud with the app, one portal and one browser for the tests in this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, sync_playwright

from emulator.demo.browser import chromium_flags, find_chromium
from emulator.demo.site import portal_environment, portal_running
from tests.browser.world import Customer
from tests.cloud import Cloud, running

SHORT_LIVED = {"PORTAL_LIFETIME_MINUTES": "30"}
"""Asked for by the tests with short tokens alone: the app keeps tokens by what was asked for."""


@pytest.fixture(scope="session")
def hosted_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    if find_chromium() is None:
        pytest.skip("No Chromium was found on the PATH: install the package `chromium`, or name one in PORTAL_BROWSER")
    with running(tmp_path_factory.mktemp("browser"), "--host", "bundled") as cloud:
        yield cloud


@pytest.fixture
def hosted(hosted_once: Cloud) -> Cloud:
    """The emulated cloud and the app, as they were seeded."""
    hosted_once.reset()
    return hosted_once


@pytest.fixture(scope="session")
def browser(hosted_once: Cloud) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        flags = ["--disable-gpu", *chromium_flags(hosted_once.described)]
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def portal(hosted_once: Cloud) -> Iterator[str]:
    """The sample portal's address."""
    with portal_running(portal_environment(hosted_once.described)) as address:
        yield address


@pytest.fixture(scope="session")
def short_portal(hosted_once: Cloud) -> Iterator[str]:
    """The portal for tests that make tokens short."""
    with portal_running(portal_environment(hosted_once.described) | SHORT_LIVED) as address:
        yield address


Visit = Callable[[str], Customer]


@pytest.fixture
def visit(hosted: Cloud, browser: Browser) -> Iterator[Visit]:
    """Somebody opens a browser of their own; it is closed when the test is over."""
    with ExitStack() as open_browsers:

        def begin(portal: str) -> Customer:
            customer = Customer(browser, portal)
            open_browsers.callback(customer.context.close)
            return customer

        yield begin
