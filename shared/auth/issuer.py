"""What everything that gets new tokens has in common."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from shared.errors import Unavailable


@dataclass(frozen=True)
class Issued:
    """A new token and how long it lives from the moment it was asked for, in seconds."""

    value: str = field(repr=False)
    seconds: int


class Issuer(Protocol):
    """Gets new tokens of one identity: `ClientCredentials` or `ManagedIdentityTokens`. One thread at a time."""

    def issue(self, deadline: float) -> Issued:
        """A token as new as Entra gives it. `deadline` is a moment of `time.monotonic`; errors are `Retryable`."""

    def evidence(self) -> str:
        """What the identity proves itself with, looked at now: names, versions and ends, nothing secret.

        For readiness, on any thread. Errors are `Retryable`.
        """


def seconds_left(deadline: float) -> float:
    """Until `deadline`, a moment of `time.monotonic`; raises `Unavailable` when it is over."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise Unavailable("Getting a token from Entra ID took too long. Try again in a moment.")
    return left
