"""One conversation with Entra ID: a new app-only token for one registration, by its credential, through MSAL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import msal
import requests

from shared import telemetry
from shared.auth import entra_errors
from shared.auth.issuer import Issued
from shared.auth.msal_http import MsalHttp
from shared.errors import Evidence, Retryable, Unavailable
from shared.settings import IdentitySettings, Settings
from shared.times import Now


class Credential(Protocol):
    """How a registration proves who it is: `ClientSecret`, `ClientCertificate` or `FederatedAssertion`.

    Errors are `Misconfigured`, `Throttled` or `Unavailable`; deadlines are moments of `time.monotonic`.
    """

    @property
    def refused_by(self) -> frozenset[int]:
        """The AADSTS codes after which another one may have taken its place."""

    def current(self, deadline: float) -> object:
        """As MSAL takes it; an equal value for as long as it is the same one."""

    def renewed(self, deadline: float) -> object:
        """After Entra refused the current one: as it is now, equal where there is no other."""

    def shown(self) -> str:
        """What was shown to Entra, by the names that an operator finds it under; nothing secret."""

    def evidence(self) -> str:
        """What would be shown now, with versions and ends; on any thread."""


class ClientCredentials:
    """The client-credentials flow for `identity`. Not thread-safe: its owner calls it under a lock.

    The MSAL application is kept, with instance discovery on, until Entra refuses the credential and there is another.
    """

    def __init__(self, settings: Settings, identity: IdentitySettings, credential: Credential, now: Now) -> None:
        self._identity = identity
        self._tenant_id = settings.tenant_id
        self._authority = f"https://{settings.cloud.login_host}/{settings.tenant_id}"
        self._scope = f"{settings.cloud.powerbi_resource}/.default"
        self._credential = credential
        self._now = now
        self._http = MsalHttp()
        self._application: Any = None
        self._in_use: object = None

    def issue(self, deadline: float) -> Issued:
        """A token that Entra issues now. `deadline` is a moment of `time.monotonic`.

        A credential that Entra refuses is renewed, once, and tried once more if it is another one.
        Raises `Misconfigured`, `Throttled` or `Unavailable`.
        """
        self._use(self._credential.current(deadline))
        answer = self._ask(deadline)
        refusal = self._credential.refused_by.intersection(entra_errors.codes(answer))
        if refusal and self._renewed(f"AADSTS{min(refusal)}", deadline):
            answer = self._ask(deadline)
        if "access_token" not in answer:
            raise self._refusal(answer)
        return _issued(answer)

    def evidence(self) -> str:
        """What the registration proves itself with."""
        return self._credential.evidence()

    def _use(self, credential: object) -> None:
        if credential != self._in_use:
            self._in_use = credential
            self._application = None

    def _renewed(self, code: str, deadline: float) -> bool:
        """Whether there is another one by now: if so it is used from here on."""
        telemetry.event("entra.credentialRefused", "looked for another", target=self._identity.name, code=code)
        refused = self._in_use
        self._use(self._credential.renewed(deadline))
        return self._in_use != refused

    def _ask(self, deadline: float) -> Mapping[str, Any]:
        """One request. The dictionary that Entra sent, with an access token or with an error."""
        self._http.begin(deadline)
        try:
            answer = self._connected().acquire_token_for_client([self._scope])
        except Exception as error:  # noqa: BLE001  MSAL raises its own, requests', ValueError, KeyError, RuntimeError
            return self._failed(error)
        return answer if isinstance(answer, dict) else {}

    def _connected(self) -> Any:
        if self._application is None:
            self._application = msal.ConfidentialClientApplication(
                self._identity.client_id,
                authority=self._authority,
                client_credential=self._in_use,
                http_client=self._http,
                http_cache=self._http.replayed,
            )
        _forget_tokens(self._application.token_cache)
        return self._application

    def _failed(self, error: Exception) -> Mapping[str, Any]:
        """The error that Entra sent before MSAL stumbled, where there is one; else raises."""
        refused = self._http.refused
        body = _document(refused.text) if refused else {}
        if "error" in body:
            return body
        if refused is not None and (refused.status_code == 429 or refused.status_code >= 500):
            raise self._refusal({"error": f"HTTP {refused.status_code}"}) from error
        evidence = Evidence(
            entra_errors.OPERATION,
            status=refused.status_code if refused else None,
            code=type(error).__name__,
            message=telemetry.redact(str(error)[:500]),
        )
        raise Unavailable(_WORDS[isinstance(error, requests.RequestException)], evidence=evidence) from error

    def _refusal(self, answer: Mapping[str, Any]) -> Retryable:
        refused = self._http.refused
        return entra_errors.explain(
            answer,
            subject=entra_errors.Subject.of(self._identity, self._tenant_id, self._credential.shown()),
            status=refused.status_code if refused else None,
            retry_after=refused.retry_after(self._now()) if refused else None,
        )


_WORDS = {
    True: "Entra ID did not answer in time, or could not be reached. It is tried again by itself.",
    False: "Entra ID's answer makes no sense (a proxy in between, or a wrong POWERBI_CLOUD). It is tried again.",
}


def _forget_tokens(cache: Any) -> None:
    """What `remove_tokens_for_client` does, without the request for the host's aliases that it begins with."""
    for entry in list(cache.search(msal.TokenCache.CredentialType.ACCESS_TOKEN)):
        cache.remove_at(entry)


def _issued(answer: Mapping[str, Any]) -> Issued:
    try:
        issued = Issued(str(answer["access_token"]), int(answer["expires_in"]))
    except (KeyError, TypeError, ValueError):
        raise Unavailable(_WORDS[False], evidence=Evidence(entra_errors.OPERATION, code="noLifetime")) from None
    return issued


def _document(text: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
