"""Access tokens of the app's own identities for Power BI: one request to Entra however many threads ask."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared import telemetry
from shared.auth.entra_errors import OPERATION
from shared.auth.issuer import Issuer
from shared.errors import Misconfigured, Retryable, Unavailable
from shared.settings import identity_setting
from shared.times import Now, to_text

CALL_FLOOR = timedelta(minutes=5)
"""Least remaining life of a token for calling Power BI."""

PATIENCE = 5.0
"""Seconds that a thread waits while another one asks Entra."""

_LAST_RESORT = timedelta(minutes=1)  # with Entra away, a token for calling is used until so near its end
_SPACING = timedelta(minutes=1)  # a floor never makes us ask more often than this
_FORCED_SPACING = timedelta(seconds=30)
_REFUSAL_KEPT = 30.0
_LONGEST_KEPT = 3600.0
_WARNED_AGAIN = timedelta(hours=1)


@dataclass(frozen=True)
class AccessToken:
    """A token of the identity of that name. `expires_at` is counted from before it was asked for."""

    value: str = field(repr=False)
    expires_at: datetime
    identity: str


@dataclass(frozen=True)
class Held:
    """A token in hand and the length of its whole life."""

    token: AccessToken
    life: timedelta

    def serves(self, floor: timedelta, now: datetime) -> bool:
        """Whether it is good enough for somebody who wants `floor` of remaining life.

        Where Entra gives no token that long (the tenant's policy), asking each time would bring nothing but the
        refusal of a request loop (AADSTS50196): such a token serves until half of its life is over.
        """
        left = self.token.expires_at - now
        return left >= floor or (self.short(floor) and left >= self.life / 2)

    def short(self, floor: timedelta) -> bool:
        """Whether a new token would be below `floor` at once, or within a minute."""
        return self.life < floor + _SPACING


@dataclass(frozen=True)
class _Refusal:
    """Why there is no token, and for how long nobody is asked again."""

    error: Retryable
    at: datetime
    kept: timedelta

    def left(self, now: datetime) -> float:
        """Seconds that it is still kept; a clock that was set back ends it."""
        age = now - self.at
        return (self.kept - age).total_seconds() if age >= timedelta(0) else 0.0


class AppTokens:
    """Tokens of the identities that `issuers` names, each with its own lock; all errors are `Retryable`."""

    def __init__(self, issuers: Mapping[str, Issuer], now: Now) -> None:
        self._of = {name: _IdentityTokens(name, issuer, now) for name, issuer in issuers.items()}

    def token(self, identity: str, *, floor: timedelta = CALL_FLOOR, timeout: float = 10.0) -> AccessToken:
        """A token of `identity` that lives for `floor` at least; within `timeout` seconds.

        Minting embed tokens takes a higher floor than calling, for they die with the token they were made with. A
        tenant whose tokens are shorter than the floor gets what there is, and a warning in the log.
        """
        return self._identity(identity).token(floor, timeout)

    def renewed(self, refused: AccessToken, *, timeout: float = 10.0) -> AccessToken:
        """Another token than `refused`, which Power BI found at fault.

        Asks Entra twice a minute at most; in between it gives what there is, be it `refused` itself.
        """
        return self._identity(refused.identity).renewed(refused, timeout)

    def evidence(self, identity: str) -> str:
        """What this identity proves itself with, looked at now; nothing secret."""
        return self._identity(identity).issuer.evidence()

    def _identity(self, name: str) -> _IdentityTokens:
        tokens = self._of.get(name)
        if tokens is None:
            needed = " and ".join(identity_setting(name, part) for part in ("CLIENT_ID", "CREDENTIAL"))
            raise Misconfigured(f"The identity '{name}' is not set up: set {needed}.")
        return tokens


class _IdentityTokens:
    """One identity. Reading the token in hand takes no lock; replacing it does.

    A refusal is kept for as long as Entra says, 30 s where an operator has to act: a thousand requests with an expired
    secret are one question to Entra and one to Key Vault each half minute.
    """

    def __init__(self, name: str, issuer: Issuer, now: Now) -> None:
        self._name = name
        self.issuer = issuer
        self._now = now
        self._lock = threading.Lock()
        self._held: Held | None = None
        self._refusal: _Refusal | None = None
        self._forced_at: datetime | None = None
        self._warned_at: datetime | None = None

    def token(self, floor: timedelta, timeout: float) -> AccessToken:
        held = self._held
        if held is not None and held.serves(floor, self._now()):
            return held.token
        spare = self._last_resort(floor)
        try:
            return self._alone(lambda deadline: self._fetched(floor, deadline), timeout, 0 if spare else PATIENCE)
        except Retryable:
            if spare is None:
                raise
            return spare

    def renewed(self, refused: AccessToken, timeout: float) -> AccessToken:
        return self._alone(lambda deadline: self._replaced(refused, deadline), timeout, PATIENCE)

    def _last_resort(self, floor: timedelta) -> AccessToken | None:
        """What still serves for a call while another thread asks, or while Entra is away; never for minting."""
        held = self._held
        usable = held is not None and floor <= CALL_FLOOR and held.token.expires_at - self._now() >= _LAST_RESORT
        return held.token if held is not None and usable else None

    def _alone(self, work: Callable[[float], AccessToken], timeout: float, patience: float) -> AccessToken:
        deadline = time.monotonic() + timeout
        if not self._lock.acquire(timeout=min(patience, timeout)):
            detail = f"Waiting for a token of the identity '{self._name}' took too long. Try again in a moment."
            raise Unavailable(detail, retry_after=PATIENCE)
        try:
            return work(deadline)
        finally:
            self._lock.release()

    def _fetched(self, floor: timedelta, deadline: float) -> AccessToken:
        held = self._held
        if held is None or not held.serves(floor, self._now()):
            held = self._ask(deadline)
            self._warn_if_short(held, floor)
        return held.token

    def _replaced(self, refused: AccessToken, deadline: float) -> AccessToken:
        held, now = self._held, self._now()
        if held is not None and held.token.expires_at > now:
            recently = self._forced_at is not None and now - self._forced_at < _FORCED_SPACING
            if recently or held.token.value != refused.value:
                return held.token
        self._forced_at = now
        return self._ask(deadline).token

    def _ask(self, deadline: float) -> Held:
        self._raise_kept()
        asked_at = self._now()
        try:
            with telemetry.timed(OPERATION, target=self._name) as line:
                issued = self.issuer.issue(deadline)
                line["expiresIn"] = issued.seconds
        except Retryable as error:
            self._keep(error)
            raise
        life = timedelta(seconds=issued.seconds)
        self._refusal = None
        self._held = Held(AccessToken(issued.value, asked_at + life, self._name), life)
        return self._held

    def _keep(self, error: Retryable) -> None:
        seconds = _REFUSAL_KEPT if isinstance(error, Misconfigured) else min(error.retry_after, _LONGEST_KEPT)
        self._refusal = _Refusal(error, self._now(), timedelta(seconds=seconds))

    def _raise_kept(self) -> None:
        if self._refusal is None:
            return
        left = self._refusal.left(self._now())
        if left > 0:
            error = self._refusal.error
            raise replace(error, retry_after=error.retry_after if isinstance(error, Misconfigured) else max(left, 1.0))

    def _warn_if_short(self, held: Held, floor: timedelta) -> None:
        now = self._now()
        if not held.short(floor) or (self._warned_at is not None and now - self._warned_at < _WARNED_AGAIN):
            return
        self._warned_at = now
        telemetry.event(
            "entra.shortToken",
            "used all the same",
            target=self._name,
            level=logging.WARNING,
            lifeSeconds=int(held.life.total_seconds()),
            wantedSeconds=int(floor.total_seconds()),
            expiresAt=to_text(held.token.expires_at),
            message="The tenant's policy makes access tokens shorter than the app promises: lengthen "
            "AccessTokenLifetime for this application, or lower minTokenLife.",
        )
