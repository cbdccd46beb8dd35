"""A sample customer portal: each customer sees its own rows of one Power BI report. `python samples/embed/portal.py`

The browser never says whose data it wants. It has a session; the session belongs to a customer; and this back end, with
an access token of its own from Entra, asks the Power BI automation API for an embed token for that customer.

What is made up here is the sign-in: three customers, no passwords. Everything else is how it is meant to be done.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msal
import requests

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "emulator" / "node_modules" / "powerbi-client" / "dist" / "powerbi.min.js"
CUSTOMERS = {"customer-1042": "Northwind Traders", "customer-2077": "Fabrikam", "customer-3001": "Tailspin Toys"}
COOKIE = "portal-session"
MOST_SESSIONS = 1000
LARGEST_BODY = 4096
SERVED = {"/portal.js": "text/javascript", "/portal.css": "text/css", "/powerbi.min.js": "text/javascript"}
_log = logging.getLogger("portal")


class Refused(Exception):
    """What the browser is told: a status and a sentence. The reason for it is in the log, not in the sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


@dataclass(frozen=True)
class Settings:
    """Where the API is and who this portal is to it; from environment variables, by `from_environment`."""

    api: str
    authority: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    report: str
    report_origin: str
    lifetime_minutes: int
    port: int

    @classmethod
    def from_environment(cls) -> Settings:
        """Raises KeyError, naming the variable, and ValueError for what is no number."""
        return cls(
            api=os.environ["PORTAL_API"].rstrip("/"),
            authority=os.environ.get("PORTAL_AUTHORITY", "https://login.microsoftonline.com").rstrip("/"),
            tenant_id=os.environ["PORTAL_TENANT_ID"],
            client_id=os.environ["PORTAL_CLIENT_ID"],
            client_secret=os.environ["PORTAL_CLIENT_SECRET"],
            scope=os.environ["PORTAL_SCOPE"],
            report=os.environ.get("PORTAL_REPORT", "margin-report"),
            report_origin=os.environ.get("PORTAL_REPORT_ORIGIN", "https://app.powerbi.com"),
            lifetime_minutes=int(os.environ.get("PORTAL_LIFETIME_MINUTES", "60")),
            port=int(os.environ.get("PORTAL_PORT", "0")),
        )


class EmbedApi:
    """The Power BI automation API, called as this portal. It keeps embed tokens by identity: nothing is kept here."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._entra: msal.ConfidentialClientApplication | None = None

    def embed_token(self, customer: str) -> dict[str, Any]:
        """The API's answer, with `renewInSeconds` for a browser whose clock may be wrong; raises Refused."""
        wanted = {
            "reports": [self._settings.report],
            "identity": {"username": customer},
            "lifetimeMinutes": self._settings.lifetime_minutes,
        }
        headers = {"Authorization": f"Bearer {self._access_token()}"}
        try:
            answer = requests.post(f"{self._settings.api}/embed-tokens", json=wanted, headers=headers, timeout=60)
        except requests.RequestException as fault:
            _log.error("The API can't be reached: %s", type(fault).__name__)
            raise Refused(503, "The report can't be opened just now. Please try again in a minute.") from None
        if answer.status_code != 200:
            raise _refusal(answer)
        issued: dict[str, Any] = answer.json()
        until_renewal = datetime.fromisoformat(issued["renewAfter"]) - datetime.now(UTC)
        return issued | {"renewInSeconds": max(0.0, until_renewal.total_seconds())}

    def _access_token(self) -> str:
        """From Entra by client credentials. MSAL keeps it for as long as it lives."""
        try:
            found = self._client().acquire_token_for_client(scopes=[self._settings.scope])
        except (requests.RequestException, ValueError) as fault:
            found = {"error_description": type(fault).__name__}
        if "access_token" not in found:
            _log.error("Entra gives this portal no token: %s", found.get("error_description"))
            raise Refused(503, "The portal can't sign in to Entra just now. Please try again in a minute.")
        return str(found["access_token"])

    def _client(self) -> msal.ConfidentialClientApplication:
        if self._entra is None:
            self._entra = msal.ConfidentialClientApplication(
                self._settings.client_id,
                authority=f"{self._settings.authority}/{self._settings.tenant_id}",
                client_credential=self._settings.client_secret,
            )
        return self._entra


def _refusal(answer: requests.Response) -> Refused:
    """The API's problem details are for those who run this portal; its customers get the number to quote to them."""
    try:
        told = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        told = answer.text[:300]
    _log.error("The API answered %s: %s", answer.status_code, told)
    number = answer.headers.get("x-correlation-id", "none")
    if answer.status_code in (429, 503):
        return Refused(503, f"The report service is busy. Please try again in a minute. (Reference {number})")
    return Refused(502, f"This report is not available to you. Please tell our support. (Reference {number})")


class Sessions:
    """Who is signed in, by a random number that only their browser has. The oldest gives way."""

    def __init__(self) -> None:
        self._customers: OrderedDict[str, str] = OrderedDict()

    def begin(self, customer: str) -> str:
        """A new session's number; raises Refused for somebody who is no customer."""
        if customer not in CUSTOMERS:
            raise Refused(403, "This is no customer of ours.")
        number = secrets.token_urlsafe(32)
        self._customers[number] = customer
        if len(self._customers) > MOST_SESSIONS:
            self._customers.popitem(last=False)
        return number

    def customer(self, number: str) -> str:
        """Whose session it is, or empty."""
        return self._customers.get(number, "")

    def end(self, number: str) -> None:
        """Forget it."""
        self._customers.pop(number, None)


class Portal(BaseHTTPRequestHandler):
    """The portal's pages and its one call. Subclassed with `settings`, `api` and `sessions` when the server starts."""

    settings: Settings
    api: EmbedApi
    sessions: Sessions
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        """The sign-in page or the report's page, and their files."""
        path = urlsplit(self.path).path
        if path == "/":
            self._page()
        elif path in SERVED:
            file = LIBRARY if path == "/powerbi.min.js" else HERE / "static" / path[1:]
            self._send(200, file.read_bytes(), SERVED[path])
        else:
            self._send(404, b"There is no such page.", "text/plain")

    def do_POST(self) -> None:
        """Sign in, sign out, or get a token for the session's customer."""
        try:
            body = self._body()
            self._check_origin()
            self._act(body)
        except Refused as refused:
            self._json(refused.status, {"error": refused.sentence})

    def _act(self, body: bytes) -> None:
        match urlsplit(self.path).path:
            case "/sign-in":
                self._sign_in(parse_qs(body.decode(errors="replace")).get("customer", [""])[0])
            case "/sign-out":
                self._sign_out()
            case "/embed-token":
                self._embed_token()
            case _:
                raise Refused(404, "There is no such page.")

    def _page(self) -> None:
        customer = self._customer()
        buttons = "".join(
            f'<button name="customer" value="{escape(key)}">{escape(name)}<small>{escape(key)}</small></button>'
            for key, name in CUSTOMERS.items()
        )
        template = Template((HERE / "static" / ("report.html" if customer else "sign-in.html")).read_text())
        filled = template.substitute(customer=escape(CUSTOMERS.get(customer, "")), id=escape(customer), buttons=buttons)
        self._send(200, filled.encode(), "text/html")

    def _sign_in(self, customer: str) -> None:
        number = self.sessions.begin(customer)
        self._send(303, b"", "text/plain", {"Location": "/", "Set-Cookie": self._cookie(number)})

    def _sign_out(self) -> None:
        self.sessions.end(self._session_number())
        self._send(303, b"", "text/plain", {"Location": "/", "Set-Cookie": self._cookie("") + "; Max-Age=0"})

    def _embed_token(self) -> None:
        """Whose token it is depends on the session alone: nothing in the request is read."""
        customer = self._customer()
        if not customer:
            raise Refused(401, "Your session has ended. Please sign in again.")
        issued = self.api.embed_token(customer)
        [report] = issued["reports"]
        told = {key: issued[key] for key in ("token", "expiration", "renewInSeconds")}
        self._json(200, told | {"reportId": report["reportId"], "embedUrl": report["embedUrl"]})

    def _customer(self) -> str:
        return self.sessions.customer(self._session_number())

    def _session_number(self) -> str:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(COOKIE)
        except CookieError:
            return ""
        return found.value if found else ""

    @staticmethod
    def _cookie(value: str) -> str:
        """Out of reach of scripts and of other sites. Behind TLS, as a real portal is, add `Secure`."""
        return f"{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict"

    def _check_origin(self) -> None:
        """Only our own pages may post here."""
        if urlsplit(self.headers.get("Origin", "")).netloc != self.headers.get("Host", ""):
            raise Refused(403, "This request does not come from a page of the portal.")

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            self.close_connection = True
            raise Refused(413, "The request is too large.")
        return self.rfile.read(int(length))

    def _json(self, status: int, value: object) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
        """Answer. Power BI's pages are all that may be shown inside ours, and ours may be shown inside nobody's."""
        policy = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            f"frame-src {self.settings.report_origin}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        self.send_response(status)
        headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        for name, value in {**headers, "Referrer-Policy": "same-origin", **(more or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> int:
    """Serve on loopback until it is told to end; prints `READY` with the address."""
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
    try:
        settings = Settings.from_environment()
    except (KeyError, ValueError) as fault:
        print(f"The portal lacks a setting: {fault}. See samples/embed/README.md.", file=sys.stderr)
        return 1
    parts = {"settings": settings, "api": EmbedApi(settings), "sessions": Sessions()}
    with ThreadingHTTPServer(("127.0.0.1", settings.port), type("ThisPortal", (Portal,), parts)) as server:
        print(f"READY http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
