"""The error tree: what is tried again, what is final, and what our caller is told.

    AppError                    every error that this app raises on purpose
      Retryable                 the same call may succeed later; never a failure of the work itself (HTTP 503)
        Throttled               a service asked us to slow down, and said for how long
        Unavailable             no answer, a 5xx, or a wait that took too long
        Misconfigured           settings or credentials that an operator has to mend
          SettingsInvalid       … every faulty setting by name
      Rejected                  a service refused, and will refuse the same call again
        Invalid, Forbidden, NotFound, Conflict
      RequestFault              our caller's request can't be served as it is
        InvalidRequest (400), Unauthenticated (401), NotAllowed (403), Unknown (404), Ended (409),
        LengthRequired (411), TooLarge (413), UnsupportedMediaType (415), TooManyRequests (429)

`detail` is a sentence for the caller: what happened and what to do. It never holds a token or a secret. What only an
operator may see goes into `evidence`, which is logged and not answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a document or a request: where (`environments[0].name`), and what to do about it."""

    path: str
    message: str


@dataclass(frozen=True)
class Evidence:
    """What a service said, for the log: its name for the operation, status, error code, message and request id."""

    operation: str = ""
    status: int | None = None
    code: str = ""
    message: str = ""
    request_id: str = ""

    def fields(self) -> dict[str, str | int]:
        """The parts that are known, as fields of a log line."""
        known = {
            "upstreamOperation": self.operation,
            "upstreamStatus": self.status,
            "upstreamCode": self.code,
            "upstreamMessage": self.message,
            "requestId": self.request_id,
        }
        return {name: value for name, value in known.items() if value}


@dataclass(eq=False)
class AppError(Exception):
    """Base of all errors raised on purpose; `status` and `title` are what our HTTP caller sees."""

    detail: str
    evidence: Evidence = field(default_factory=Evidence, kw_only=True)

    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __str__(self) -> str:
        return self.detail

    @property
    def code(self) -> str:
        """The service's error code (`PowerBIEntityNotFound`, `AADSTS7000222`), or empty."""
        return self.evidence.code

    @property
    def request_id(self) -> str:
        """The id under which the service that refused or failed knows the call, or empty."""
        return self.evidence.request_id


@dataclass(eq=False)
class Retryable(AppError):
    """The same call may succeed in `retry_after` seconds, and must not be sent before."""

    retry_after: float = field(default=5.0, kw_only=True)

    status: ClassVar[int] = 503
    title: ClassVar[str] = "Temporarily unavailable"


class Throttled(Retryable):
    """A service asked us to slow down; `retry_after` is its own figure."""

    title: ClassVar[str] = "Throttled"


@dataclass(eq=False)
class Unavailable(Retryable):
    """No answer, or a 5xx. `effect_unknown`: the call may have been carried out all the same."""

    effect_unknown: bool = field(default=False, kw_only=True)


@dataclass(eq=False)
class Misconfigured(Retryable):
    """Somebody has to mend a setting, a credential or a permission; work waits for that and is not lost."""

    retry_after: float = field(default=300.0, kw_only=True)

    title: ClassVar[str] = "Not ready"


@dataclass(eq=False)
class SettingsInvalid(Misconfigured):
    """Settings that are missing or wrong, each by its name; values are never repeated."""

    faults: Sequence[Fault] = field(default=(), kw_only=True)


@dataclass(eq=False)
class Rejected(AppError):
    """A service refused the call and would refuse it again."""

    status: ClassVar[int] = 503
    title: ClassVar[str] = "Refused by the service"


class Invalid(Rejected):
    """The service says that the call itself is wrong (400, 415 …)."""


class Forbidden(Rejected):
    """The identity that we used lacks a right."""


class NotFound(Rejected):
    """It does not exist, or our identity may not see it."""

    status: ClassVar[int] = 404
    title: ClassVar[str] = "Not found"


class Conflict(Rejected):
    """Something of that name is there already, or the state has moved on."""


@dataclass(eq=False)
class RequestFault(AppError):
    """Our caller's request can't be served as it is; `faults` lists every one of them."""

    faults: Sequence[Fault] = field(default=(), kw_only=True)

    status: ClassVar[int] = 400
    title: ClassVar[str] = "Invalid request"


class InvalidRequest(RequestFault):
    """The body or a parameter does not validate, or the policy does not allow it."""


class Unauthenticated(RequestFault):
    """No token, or one that does not verify."""

    status: ClassVar[int] = 401
    title: ClassVar[str] = "Not authenticated"


class NotAllowed(RequestFault):
    """The caller is who it says, and lacks the role, the grant or the ownership."""

    status: ClassVar[int] = 403
    title: ClassVar[str] = "Not allowed"


class Unknown(RequestFault):
    """No such id or alias."""

    status: ClassVar[int] = 404
    title: ClassVar[str] = "Not found"


class Ended(RequestFault):
    """The thing has ended, or the idempotency key was used for another body."""

    status: ClassVar[int] = 409
    title: ClassVar[str] = "Conflict"


class LengthRequired(RequestFault):
    """A body whose length is not announced."""

    status: ClassVar[int] = 411
    title: ClassVar[str] = "Length required"


class TooLarge(RequestFault):
    """A body over the limit."""

    status: ClassVar[int] = 413
    title: ClassVar[str] = "Body too large"


class UnsupportedMediaType(RequestFault):
    """A body that is not announced as JSON."""

    status: ClassVar[int] = 415
    title: ClassVar[str] = "Unsupported media type"


@dataclass(eq=False)
class TooManyRequests(RequestFault):
    """Our own limit for this client; it may come again in `retry_after` seconds."""

    retry_after: float = field(default=1.0, kw_only=True)

    status: ClassVar[int] = 429
    title: ClassVar[str] = "Too many requests"
