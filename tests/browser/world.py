"""Customers in front of a real browser."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page

from tests.cloud import PROJECT

SCREENSHOTS = PROJECT / "build" / "screenshots"
PATIENCE = 15_000
"""Milliseconds within which anything that a test waits for must have happened."""


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
