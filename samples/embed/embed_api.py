"""How an application asks the Power BI automation API for embed tokens: what to copy into a back end of your own."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msal
import requests

Json = dict[str, Any]
_log = logging.getLogger("portal.api")


class Refused(Exception):
    """What the browser is told: a status and a sentence. The reason for it is in the log, not in the sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


@dataclass(frozen=True)
class ApiSettings:
    """Where the API is, and who this application is to it."""

    api: str
    authority: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str
    report: str
    lifetime_minutes: int


class EmbedApi:
    """The API, called as this application. It keeps embed tokens by identity: nothing of them is kept here."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings
        self._entra: msal.ConfidentialClientApplication | None = None
        self._making = threading.Lock()

    def embed_token(self, customer: str) -> Json:
        """The API's answer, with `renewInSeconds` for a browser whose clock may be wrong; raises Refused."""
        wanted = {
            "reports": [self._settings.report],
            "identity": {"username": customer},
            "lifetimeMinutes": self._settings.lifetime_minutes,
        }
        headers = {"Authorization": f"Bearer {self._access_token()}"}
        url = f"{self._settings.api}/embed-tokens"
        try:
            answer = requests.post(url, json=wanted, headers=headers, timeout=60, allow_redirects=False)
        except requests.RequestException as fault:
            _log.error("The API can't be reached: %s", type(fault).__name__)
            raise Refused(503, "The report can't be opened just now. Please try again in a minute.") from None
        if answer.status_code != 200:
            raise _refusal(answer)
        issued: Json = answer.json()
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
        """One for all threads, so that they share its tokens; made at the first call, since MSAL asks Entra for it."""
        with self._making:
            if self._entra is None:
                self._entra = msal.ConfidentialClientApplication(
                    self._settings.client_id,
                    authority=f"{self._settings.authority}/{self._settings.tenant_id}",
                    client_credential=self._settings.client_secret,
                    timeout=30,
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
