"""The public keys with which Entra ID signs our callers' tokens."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm
from jwt.exceptions import InvalidKeyError

from shared import telemetry
from shared.auth.entra_http import EntraHttp, Reply
from shared.errors import Evidence, Retryable, Throttled, Unavailable
from shared.settings import CallerSettings
from shared.times import Now

OPERATION = "entra.keys"

_FRESH = timedelta(days=1)
_USABLE = timedelta(days=7)  # with Entra away: longer than any outage so far, shorter than the life of a key
_SPACING = timedelta(minutes=1)
_FIRST_SPACING = timedelta(seconds=5)  # while there is no key at all nobody can be let in
_SECONDS = 5.0
_PATIENCE = 5.0
_SMALLEST = 2048


class SigningKeys:
    """Keys by tenant and key id, read from `https://<login>/<tenant>/discovery/v2.0/keys`.

    A key id that is not known makes Entra be asked once a minute at most: whoever sends made-up ids causes no traffic.
    """

    def __init__(self, settings: CallerSettings, now: Now) -> None:
        self._login_host = settings.cloud.login_host
        self._now = now
        self._http = EntraHttp()
        self._tenants = {tenant.lower(): _Tenant() for tenant in settings.tenants}

    def key(self, tenant: str, key_id: str) -> RSAPublicKey | None:
        """The key, or None where the tenant has none of that id (or is not one of ours).

        Raises `Unavailable` or `Throttled` when it can't be told since Entra does not answer.
        """
        kept = self._tenants.get(tenant.lower())
        if kept is None:
            return None
        known = kept.keys
        ours = known.by_id.get(key_id) if known is not None and known.age(self._now()) < _USABLE else None
        if ours is not None and known is not None and known.age(self._now()) < _FRESH:
            return ours
        return self._after_reading(kept, tenant.lower(), key_id, ours)

    def _after_reading(self, kept: _Tenant, tenant: str, key_id: str, old: RSAPublicKey | None) -> RSAPublicKey | None:
        """Reads if that is due. Who has an old key to go on with does not wait while another thread reads."""
        if not kept.lock.acquire(timeout=_PATIENCE if old is None else 0):
            if old is not None:
                return old
            raise Unavailable("Waiting for the signing keys of Entra ID took too long. Try again in a moment.")
        try:
            if kept.due(key_id, self._now()):
                self._read(kept, tenant)
            return kept.answer(key_id, self._now())
        finally:
            kept.lock.release()

    def _read(self, kept: _Tenant, tenant: str) -> None:
        kept.tried_at = self._now()
        try:
            with telemetry.timed(OPERATION, target=tenant) as line:
                kept.keys = _Keys(_parse(self._fetch(tenant)), self._now())
                line["keys"] = len(kept.keys.by_id)
        except Retryable as error:
            kept.error = error
        else:
            kept.error = None

    def _fetch(self, tenant: str) -> Reply:
        url = f"https://{self._login_host}/{tenant}/discovery/v2.0/keys"
        try:
            reply = self._http.send("GET", url, deadline=time.monotonic() + _SECONDS)
        except requests.RequestException as error:
            evidence = Evidence(OPERATION, code=type(error).__name__, message=telemetry.redact(str(error)[:500]))
            detail = "Entra ID did not give its signing keys in time, so that no token can be checked. Try again soon."
            raise Unavailable(detail, evidence=evidence) from error
        if reply.status_code != 200:
            evidence = Evidence(OPERATION, status=reply.status_code)
            kind = Throttled if reply.status_code == 429 else Unavailable
            detail = "Entra ID refused to give its signing keys, so that no token can be checked. Try again soon."
            raise kind(detail, retry_after=reply.retry_after(self._now()) or 5.0, evidence=evidence)
        return reply


@dataclass(frozen=True)
class _Keys:
    by_id: Mapping[str, RSAPublicKey]
    read_at: datetime

    def age(self, now: datetime) -> timedelta:
        return now - self.read_at


class _Tenant:
    """The keys of one tenant. Reading `keys` takes no lock; all else happens under `lock`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.keys: _Keys | None = None
        self.tried_at: datetime | None = None
        self.error: Retryable | None = None

    def due(self, key_id: str, now: datetime) -> bool:
        """Whether Entra is to be asked now, for the sake of this key."""
        known = self.keys
        if known is not None and key_id in known.by_id and known.age(now) < _FRESH:
            return False
        return self.tried_at is None or now - self.tried_at >= self._spacing()

    def answer(self, key_id: str, now: datetime) -> RSAPublicKey | None:
        """The key from what is known; an old one serves while Entra is away."""
        if self.keys is not None and self.keys.age(now) < _USABLE:
            known = self.keys.by_id.get(key_id)
            if known is not None or self.error is None:
                return known
        if self.error is None or self.tried_at is None:
            raise Unavailable("The signing keys of Entra ID are too old to be relied on. Try again soon.")
        left = self._spacing() - (now - self.tried_at)
        raise replace(self.error, retry_after=max(left.total_seconds(), 1.0))

    def _spacing(self) -> timedelta:
        least = _SPACING if self.keys is not None else _FIRST_SPACING
        asked = timedelta(seconds=self.error.retry_after if self.error else 0)
        return max(least, min(asked, timedelta(hours=1)))


def _parse(reply: Reply) -> Mapping[str, RSAPublicKey]:
    """RSA keys for signatures by id; anything else in the document is left aside."""
    try:
        listed = json.loads(reply.text)["keys"]
        keys = {str(entry["kid"]): key for entry in listed if (key := _public_key(entry)) is not None}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unavailable(_NONSENSE, evidence=Evidence(OPERATION, status=reply.status_code)) from error
    if not keys:
        raise Unavailable(_NONSENSE, evidence=Evidence(OPERATION, status=reply.status_code))
    return keys


_NONSENSE = "Entra ID's list of signing keys holds none that can be used (a proxy in between, perhaps). Try again soon."


def _public_key(entry: Mapping[str, object]) -> RSAPublicKey | None:
    if entry.get("kty") != "RSA" or entry.get("use") != "sig" or not entry.get("kid"):
        return None
    try:
        key = RSAAlgorithm.from_jwk({name: entry[name] for name in ("kty", "n", "e")})  # never a private part
    except (InvalidKeyError, KeyError, ValueError, TypeError):
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= _SMALLEST else None
