"""The portal as a process, and customers in front of a real browser."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page

from tests.cloud import PROJECT, Cloud

SCREENSHOTS = PROJECT / "build" / "screenshots"
PATIENCE = 15_000
"""Milliseconds within which anything that a test waits for must have happened."""


@contextmanager
def portal_process(environment: Mapping[str, str]) -> Iterator[str]:
    """The sample portal's address, for as long as this lasts."""
    dying_with_us = [sys.executable, "-I", "-S", str(PROJECT / "emulator" / "child.py"), str(os.getpid())]
    command = [*dying_with_us, sys.executable, str(PROJECT / "samples" / "embed" / "portal.py")]
    with subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield _address(process.stdout)
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def portal_running(cloud: Cloud, **settings: str) -> Iterator[str]:
    """The portal for this cloud's customers; `settings` beside those by which it finds the cloud."""
    kept = {name: value for name, value in os.environ.items() if name not in cloud.described["removeEnvironment"]}
    with portal_process({**kept, **cloud.environment, **portal_settings(cloud), **settings}) as address:
        yield address


def portal_settings(cloud: Cloud) -> dict[str, str]:
    known = cloud.described["clients"]["customer-portal"]
    return {
        "PORTAL_API": f"{cloud.functions_url}/api",
        "PORTAL_TENANT_ID": cloud.tenant_id,
        "PORTAL_CLIENT_ID": known["clientId"],
        "PORTAL_CLIENT_SECRET": known["clientSecret"],
        "PORTAL_SCOPE": cloud.described["api"]["scope"],
    }


def _address(out: IO[str], patience: float = 30) -> str:
    found: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: found.put(out.readline()), daemon=True).start()
    line = found.get(timeout=patience)
    assert line.startswith("READY "), f"the portal did not start: {line!r}"
    return line.removeprefix("READY ").strip()


class Customer:
    """Somebody with a browser of their own: no cookies, storage or cache are shared with anybody else."""

    def __init__(self, browser: Browser, portal: str) -> None:
        self.context: BrowserContext = browser.new_context(viewport={"width": 1280, "height": 900})
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        self.portal = portal
        self.complaints: list[str] = []
        """What the browser itself objected to: errors of scripts, violations of a content security policy."""
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)

    def sign_in(self, customer: str) -> None:
        self.page.goto(self.portal)
        self.page.click(f"button[value={customer}]")

    @property
    def report(self) -> FrameLocator:
        """What Power BI's page shows inside the portal's."""
        return self.page.frame_locator("#report iframe")

    def wait_for(self, state: str) -> None:
        """Until the portal's page says so."""
        self.page.wait_for_selector(f'body[data-state="{state}"]')

    def wait_for_report(self, state: str) -> None:
        """Until Power BI's page says so."""
        self.report.locator(f'body[data-state="{state}"]').wait_for()

    def status(self) -> str:
        return self.page.inner_text("#status")

    def shown(self, part: str) -> str:
        return self.report.locator(f"#{part}").inner_text()

    def counts(self) -> tuple[str | None, str | None]:
        """How often the report was loaded, and how often its token was renewed."""
        body = self.report.locator("body")
        return body.get_attribute("data-loads"), body.get_attribute("data-renewals")

    def body_state(self) -> str | None:
        """What the portal's page says of itself."""
        return self.page.get_attribute("body", "data-state")

    def token(self) -> str:
        """What the report is open with now."""
        return str(self.page.evaluate("powerbi.get(document.getElementById('report')).config.accessToken"))

    def in_library(self, act: str, *arguments: str) -> Any:
        """Call powerbi-client's report as a script of the page would: the names of pages, or what an act refused."""
        script = """async ([act, given]) => {
            const report = powerbi.get(document.getElementById("report"));
            try {
                const said = await report[act](...given);
                return Array.isArray(said) ? said.map((page) => page.displayName) : said;
            } catch (refusal) {
                return refusal;
            }
        }"""
        return self.page.evaluate(script, [act, list(arguments)])

    def everything(self) -> str:
        """All text that the pages hold, in sight or not, with what they stored."""
        stored = """() => {
            try {
                return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href]);
            } catch {
                return location.href; // the browser lets a page inside another store nothing
            }
        }"""
        return "".join(frame.content() + str(frame.evaluate(stored)) for frame in self.page.frames)

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
