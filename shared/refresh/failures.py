"""What a failed refresh means: its class, whether trying again may help, and what somebody should do. Pure.

Power BI says why in `serviceExceptionJson`, a JSON text {"errorCode", "errorDescription"?} of the refresh or of one of
its attempts, and for enhanced refreshes in the messages of the details, {"code": "0x…", "message"}. Codes are stable
and come first; descriptions are for people, and decide only where the code says nothing ("processing error").
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared.errors import AppError, Conflict, Forbidden, Invalid, Misconfigured, NotFound, Retryable, Throttled
from shared.powerbi.guardrails import Observed, OutsideTouch
from shared.powerbi.refreshes import RefreshDetails, RefreshEntry

Kind = Literal["credentials", "source", "gateway", "capacity", "model", "timeout", "throttle", "unknown"]
LONGEST_MESSAGE = 2000

ALREADY_EXECUTING = re.compile(r"another refresh request is already executing", re.IGNORECASE)
DAILY_LIMIT = re.compile(r"number of refresh requests in last 24 hours exceeded limit", re.IGNORECASE)


@dataclass(frozen=True)
class Failure:
    """One failure, in the words of the run document."""

    code: str
    """Power BI's, or ours where it gave none."""
    kind: Kind
    message: str
    retryable: bool
    remedy: str

    def document(self) -> dict[str, Any]:
        """As `error` of the run document."""
        return {
            "code": self.code,
            "class": self.kind,
            "message": self.message,
            "retryable": self.retryable,
            "remedy": self.remedy,
        }


_REMEDIES: dict[Kind, str] = {
    "credentials": "Renew the credentials of the data source in the settings of the semantic model.",
    "source": "Check that the data source is reachable and holds what the model's queries ask for.",
    "gateway": "Check that the data gateway is online, up to date and bound to the data source.",
    "capacity": "The capacity lacks memory or is paused: resume or enlarge it, or refresh less at a time.",
    "model": "Mend the semantic model or the data that it loads, and publish it again.",
    "timeout": "The refresh took too long: refresh partitions or incrementally, or make the source answer faster.",
    "throttle": "Power BI took no more refreshes: it is tried again later. Fewer refreshes a day would avoid it.",
    "unknown": "Look up the message in Power BI's refresh history; with the request id Microsoft's support finds it.",
}
_RETRYABLE: frozenset[Kind] = frozenset({"source", "gateway", "capacity", "timeout", "throttle", "unknown"})

_BY_CODE: tuple[tuple[str, Kind], ...] = (
    (
        r"Credential|OAuthToken|ImpersonationError|AccessUnauthorized|AccessForbidden|LogonFail|Unauthorized",
        "credentials",
    ),
    (r"Timeout|TimedOut|0xC112001[12]", "timeout"),
    (r"DataSourceAccessError|MashupDataAccess|DataSource(NotFound|Error)|DataFormat|UnsupportedDataSource", "source"),
    (r"^(DM_GWPipeline|DMTS)_|Gateway", "gateway"),
    (r"Capacity|OutOfMemory|ResourceGovern|MemoryLimit|Evict|0xC11C0020|0xC13E000[0-9A-F]", "capacity"),
    (r"Throttl|TooManyRequests|RequestLimit", "throttle"),
    (r"DuplicateKey|Relationship|PartitionNotFound|TableNotFound|ColumnNotFound|0xC1430014|0xC11F000[0-9A-F]", "model"),
)
"""Read in this order: a gateway's code that speaks of credentials is about credentials."""
_BY_TEXT: tuple[tuple[str, Kind], ...] = (
    (
        r"credential|access token (has )?expired|login failed|not authori[sz]ed|unauthori[sz]ed|access (is|was) denied"
        r"|\b401\b|\b403\b|forbidden|password",
        "credentials",
    ),
    (r"last 24 hours exceeded|too many requests|throttl|\b429\b", "throttle"),
    (
        r"memory|resource governing|capacity|evict|0x0000DEAD|exited unexpectedly|more than 1 hour",
        "capacity",
    ),
    (r"gateway (is|was|has|cluster|not|could|can't|cannot|unreachable|offline)|on-premises data gateway", "gateway"),
    (r"time(d)?[ -]?out|timeout|took too long|operation was cancel", "timeout"),
    (
        r"duplicate (value|key)|relationship|circular|syntax for|has no (table|partition)"
        r"|(column|table|partition|model)\b.*\b(does not|doesn't) exist|(can'?t|cannot) find (table|partition|column)"
        r"|commitmode|refresh policy|not a legal oleaut|cannot convert|type mismatch|formula\.firewall"
        r"|combine data|unsupported data source",
        "model",
    ),
    (
        r"data ?source|network|connection|could not connect|unable to connect|server was not found|dns|bad gateway"
        r"|service unavailable|\b50[0234]\b|file not found|could not find file|\b404\b",
        "source",
    ),
)
_SAYS_NOTHING = re.compile(r"^(ModelRefresh(Failed|_ShortMessage_ProcessingError)?|DM_GWPipeline_UnknownError)?$")
_SECRETIVE = re.compile(r"</?(?:ccon|pii|oii|euii)>", re.IGNORECASE)


def failure_of(entry: RefreshEntry) -> Failure:
    """Why a refresh that did not complete failed, from all that the history or the details say of it."""
    status = entry.extended_status or entry.status
    code, message = _best(_said(entry))
    if status == "Cancelled":
        return Failure("cancelled", "unknown", message or "The refresh was cancelled.", False, "Start it again.")
    if status == "Disabled":
        remedy = "The model's refresh is disabled by selective refresh: enable it, or take the dataset out."
        return Failure(code or "disabled", "model", message or "Power BI did not run the refresh.", False, remedy)
    kind = _kind(code, message)
    if status == "TimedOut" and kind == "unknown":
        kind = "timeout"
    told = message or (f"Power BI reports {code}." if code else "Power BI gives no reason.")
    return _failure(code or kind, kind, told)


def failure_of_refusal(error: AppError) -> Failure:
    """Why Power BI, or whatever stands before it, refused to start a refresh."""
    said = error.evidence.message or error.detail
    code = error.code or type(error).__name__[:1].lower() + type(error).__name__[1:]
    for refused, kind, retryable, remedy in _REFUSALS:
        if isinstance(error, refused):
            return Failure(code, kind, error.detail[:LONGEST_MESSAGE], retryable, remedy)
    if is_daily_limit(error):
        return _failure("dailyLimit", "throttle", said)
    if is_already_executing(error):
        return _failure("alreadyExecuting", "throttle", said)
    if isinstance(error, Invalid):
        kind, remedy = _invalid(error)
        return Failure(code, kind, error.detail[:LONGEST_MESSAGE], False, remedy)
    return Failure(code, "unknown", error.detail[:LONGEST_MESSAGE], False, _REMEDIES["unknown"])


def took_too_long(said: str = "") -> Failure:
    """The refresh was cancelled by us, because it took longer than its timeout."""
    return _failure("timeout", "timeout", said or "It took longer than its timeout in refresh.yaml, and was cancelled.")


def is_already_executing(error: AppError) -> bool:
    """Power BI refreshes that dataset already, whoever asked for it."""
    return bool(ALREADY_EXECUTING.search(error.evidence.message))


def is_daily_limit(error: AppError) -> bool:
    """Shared capacity gives each dataset so many refreshes a day, and they are used up."""
    return bool(DAILY_LIMIT.search(error.evidence.message))


_GONE = (
    "Check that the dataset and its workspace exist, that refresh.yaml names them rightly, and that the operations "
    "service principal is a Contributor there."
)
_REFUSALS: tuple[tuple[type[AppError], Kind, bool, str], ...] = (
    (OutsideTouch, "unknown", False, "Widen `touch` in policy.yaml, or take the dataset out of refresh.yaml."),
    (Observed, "unknown", False, "Set `mode: act` in policy.yaml where refreshes are wanted."),
    (NotFound, "model", False, _GONE),
    (Forbidden, "credentials", False, _GONE),
    (Throttled, "throttle", True, _REMEDIES["throttle"]),
    (Misconfigured, "credentials", True, "Mend the settings or credentials of this app: see /readiness."),
    (Retryable, "unknown", True, "Power BI was away; it is tried again."),
    (Conflict, "throttle", True, _REMEDIES["throttle"]),
)


def _invalid(error: Invalid) -> tuple[Kind, str]:
    if re.search(r"enhanced refresh|capacity|premium", error.evidence.message, re.IGNORECASE):
        return (
            "capacity",
            "The workspace is on shared capacity: say `capacity: shared` for the dataset in refresh.yaml.",
        )
    return (
        "model",
        "Power BI does not take this refresh for this model: mend the objects, or the dataset in refresh.yaml.",
    )


def _failure(code: str, kind: Kind, message: str) -> Failure:
    return Failure(code, kind, message[:LONGEST_MESSAGE], kind in _RETRYABLE, _REMEDIES[kind])


def _kind(code: str, message: str) -> Kind:
    """By the code if it says anything, else by the words, else by what is left of the code."""
    return (
        (None if _SAYS_NOTHING.match(code) else _first(_BY_CODE, code))
        or _first(_BY_TEXT, message)
        or _first(_BY_CODE, code)
        or "unknown"
    )


def _first(table: Iterable[tuple[str, Kind]], text: str) -> Kind | None:
    return next((kind for pattern, kind in table if re.search(pattern, text, re.IGNORECASE)), None)


def _best(said: Iterator[tuple[str, str]]) -> tuple[str, str]:
    """The first code that says something, and the first message; what came first where none does."""
    everything = [(code, message) for code, message in said if code or message]
    telling = [one for one in everything if not _SAYS_NOTHING.match(one[0])]
    code = next((code for code, _ in [*telling, *everything] if code), "")
    message = next((message for _, message in [*telling, *everything] if message), "")
    return code, message


def _said(entry: RefreshEntry) -> Iterator[tuple[str, str]]:
    """Code and message of the refresh, of its attempts (the last first) and of the details."""
    yield _exception(entry.service_exception)
    for attempt in reversed(entry.attempts):
        fields = {str(name).lower(): value for name, value in attempt.items()}
        yield _exception(fields.get("serviceexceptionjson"))
    for message in entry.messages if isinstance(entry, RefreshDetails) else ():
        if str(message.get("type", "Error")).lower() != "warning":
            code, text = _text(message.get("code")), _clean(message.get("message"))
            yield (code, text) if " " in text else (code or text, "")


def _exception(text: object) -> tuple[str, str]:
    """Of `serviceExceptionJson`; a text that is no JSON is a message."""
    if not isinstance(text, str) or not text.strip():
        return "", ""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "", _clean(text)
    if not isinstance(document, dict):
        return "", _clean(document)
    fields: Mapping[str, Any] = {str(name).lower(): value for name, value in document.items()}
    return _text(fields.get("errorcode")), _clean(fields.get("errordescription"))


def _text(value: object) -> str:
    return value.strip()[:200] if isinstance(value, str) else ""


def _clean(value: object) -> str:
    """One line, without the marks that Power BI puts around what it holds to be personal or customers' data."""
    return " ".join(_SECRETIVE.sub("", value).split())[:LONGEST_MESSAGE] if isinstance(value, str) else ""
