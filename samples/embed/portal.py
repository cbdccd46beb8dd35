"""A sample customer portal: each customer sees its own rows of one Power BI report. `python samples/embed/portal.py`

The browser never says whose data it wants. It has a session; the session belongs to a customer; and this back end, with
an access token of its own from Entra, asks the Power BI automation API for an embed token for that customer.

What is made up here is the sign-in: three customers, no passwords. Everything else is how it is meant to be done.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import dataclass, replace
from html import escape
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from urllib.parse import parse_qs, urlsplit

from embed_api import ApiSettings, EmbedApi, Refused
from sessions import LIFETIME, Sessions

HERE = Path(__file__).parent
LIBRARY = HERE.parents[1] / "emulator" / "node_modules" / "powerbi-client" / "dist" / "powerbi.min.js"
CUSTOMERS = {"customer-1042": "Northwind Traders", "customer-2077": "Fabrikam", "customer-3001": "Tailspin Toys"}
LARGEST_BODY = 4096
SERVED = {"/portal.js": "text/javascript", "/portal.css": "text/css", "/powerbi.min.js": "text/javascript"}
_log = logging.getLogger("portal")


@dataclass(frozen=True)
class Settings:
    """Where the portal is and where its reports come from; from environment variables, by `from_environment`."""

    api: ApiSettings
    report_origin: str
    port: int
    url: str
    """The address that browsers see; empty: this very server's."""

    @classmethod
    def from_environment(cls) -> Settings:
        """Raises KeyError, naming the variable, and ValueError for what is no number."""
        return cls(
            api=ApiSettings(
                api=os.environ["PORTAL_API"].rstrip("/"),
                authority=os.environ.get("PORTAL_AUTHORITY", "https://login.microsoftonline.com").rstrip("/"),
                tenant_id=os.environ["PORTAL_TENANT_ID"],
                client_id=os.environ["PORTAL_CLIENT_ID"],
                client_secret=os.environ["PORTAL_CLIENT_SECRET"],
                scope=os.environ["PORTAL_SCOPE"],
                report=os.environ.get("PORTAL_REPORT", "margin-report"),
                lifetime_minutes=int(os.environ.get("PORTAL_LIFETIME_MINUTES", "60")),
            ),
            report_origin=os.environ.get("PORTAL_REPORT_ORIGIN", "https://app.powerbi.com"),
            port=int(os.environ.get("PORTAL_PORT", "0")),
            url=os.environ.get("PORTAL_URL", "").rstrip("/"),
        )

    @property
    def is_behind_tls(self) -> bool:
        return self.url.startswith("https://")

    @property
    def cookie(self) -> str:
        """The session cookie's name; browsers take one with `__Host-` only over TLS, and from this host alone."""
        return "__Host-portal-session" if self.is_behind_tls else "portal-session"


class Portal(BaseHTTPRequestHandler):
    """The portal's pages and its one call. Subclassed with `settings`, `api` and `sessions` when the server starts."""

    settings: Settings
    api: EmbedApi
    sessions: Sessions
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "portal", ""
    timeout = 60

    def do_GET(self) -> None:
        """The sign-in page or the report's page, and their files."""
        path = urlsplit(self.path).path
        if self.headers.get("Host", "") != urlsplit(self.settings.url).netloc:
            self._send(421, f"This portal is at {self.settings.url}".encode(), "text/plain")
        elif path == "/":
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
        except Exception:  # noqa: BLE001 whatever it is, the browser gets a sentence
            _log.exception("The portal failed at %s", urlsplit(self.path).path)
            self._json(500, {"error": "The portal has a fault. Please tell our support."})

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
        """Always a new session: a number that was there before might be known to somebody else."""
        if customer not in CUSTOMERS:
            raise Refused(403, "This is no customer of ours.")
        self.sessions.end(self._session_number())
        self._to_the_page(self._cookie(self.sessions.begin(customer), LIFETIME))

    def _sign_out(self) -> None:
        self.sessions.end(self._session_number())
        self._to_the_page(self._cookie("", 0))

    def _to_the_page(self, cookie: str) -> None:
        self._send(303, b"", "text/plain", {"Location": "/", "Set-Cookie": cookie})

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
            found = SimpleCookie(self.headers.get("Cookie", "")).get(self.settings.cookie)
        except CookieError:
            return ""
        return found.value if found else ""

    def _cookie(self, value: str, seconds: float) -> str:
        """Out of reach of scripts, of other sites and, behind TLS, of whoever listens on the way."""
        secure = "; Secure" if self.settings.is_behind_tls else ""
        return f"{self.settings.cookie}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds:.0f}{secure}"

    def _check_origin(self) -> None:
        """Only our own pages may post here. A browser says so itself; what it says can't be forged by a page."""
        if self.headers.get("Origin", "") != self.settings.url:
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
        self.send_response(status)
        for name, value in {**self._guards(), **(more or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _guards(self) -> dict[str, str]:
        """Power BI's pages are all that may be shown inside ours, and ours may be shown inside nobody's."""
        policy = (
            f"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            f"frame-src {self.settings.report_origin}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        )
        always_tls = {"Strict-Transport-Security": "max-age=31536000"} if self.settings.is_behind_tls else {}
        return {
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-store",
            **always_tls,
        }


def main() -> int:
    """Serve on loopback until it is told to end; prints `READY` with the address."""
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
    try:
        settings = Settings.from_environment()
    except (KeyError, ValueError) as fault:
        print(f"The portal lacks a setting: {fault}. See samples/embed/README.md.", file=sys.stderr)
        return 1
    if not LIBRARY.exists():
        print(f"powerbi-client is not installed: {LIBRARY} is missing. See samples/embed/README.md.", file=sys.stderr)
        return 1
    with ThreadingHTTPServer(("127.0.0.1", settings.port), Portal) as server:
        here = f"http://127.0.0.1:{server.server_port}"
        parts = {
            "settings": replace(settings, url=settings.url or here),
            "api": EmbedApi(settings.api),
            "sessions": Sessions(),
        }
        server.RequestHandlerClass = type("ThisPortal", (Portal,), parts)
        print(f"READY {here}", flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
