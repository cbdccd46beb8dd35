"""Logs: every record of the process, whoever made it, leaves as one line of JSON without secrets in it.

The work is done where records are made and not in a handler, because the platform attaches handlers of its own, and
what a library logs must be as clean as what we log. (The Functions host loses custom dimensions of Python records, so
the fields stand in the message.)
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime

from shared.errors import AppError, RequestFault
from shared.redaction import REDACTED, keep_secret, names_a_secret, redact
from shared.times import to_text

__all__ = ["correlation", "correlation_id", "event", "install", "keep_secret", "redact", "timed", "words"]

LOGGER = "app"
LONGEST_TEXT = 8_000
LONGEST_EXCEPTION = 16_000
DEEPEST = 6
MOST_ITEMS = 200

_RESERVED = ("time", "level", "logger", "correlationId", "message", "exception")
_LARGEST = 2**63  # no reader keeps more digits; infinity and NaN are no JSON at all
_QUIET = ("azure", "msal", "urllib3", "requests")
_correlation: ContextVar[str] = ContextVar("correlation", default="")
_traces = logging.Formatter()


class _Fields(dict[str, object]):
    """A record's message that is fields from the start."""

    def __str__(self) -> str:
        return json.dumps(_clean(self))


def install() -> None:
    """Make every record of this process a line of JSON; a second call changes nothing."""
    make = logging.getLogRecordFactory()
    if not getattr(make, "makes_lines", False):
        logging.setLogRecordFactory(_line_maker(make))
    logging.captureWarnings(True)
    logging.getLogger(LOGGER).setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def correlation(correlation_id: str) -> Iterator[None]:
    """Everything logged inside (in this thread or task) carries this id."""
    before = _correlation.set(correlation_id)
    try:
        yield
    finally:
        _correlation.reset(before)


def correlation_id() -> str:
    """The id of the current work, or empty."""
    return _correlation.get()


def event(
    operation: str,
    outcome: str,
    *,
    target: str = "",
    level: int = logging.INFO,
    milliseconds: float | None = None,
    **fields: object,
) -> None:
    """One line about something that happened; `fields` are added to it by their names."""
    _log(level, {"operation": operation, "outcome": outcome, "target": target, "milliseconds": milliseconds, **fields})


@contextmanager
def timed(operation: str, target: str = "") -> Iterator[dict[str, object]]:
    """One line when the work ends: its outcome, how long it took, and whatever was put into the dict meanwhile.

    An error gives the outcome (its class in words) and its evidence, and goes on; one that nobody raised on purpose is
    logged with its trace.
    """
    fields: dict[str, object] = {}
    began = time.perf_counter()
    level, trace = logging.INFO, False
    try:
        yield fields
    except AppError as error:
        level = logging.INFO if isinstance(error, RequestFault) else logging.WARNING
        fields.update(outcome=words(error), status=error.status, message=str(error), **error.evidence.fields())
        raise
    except BaseException as error:
        level, trace = logging.ERROR, True
        fields.update(outcome=words(error))
        raise
    finally:
        took = round((time.perf_counter() - began) * 1000, 1)
        _log(level, {"operation": operation, "target": target, "outcome": "ok", "milliseconds": took, **fields}, trace)


def words(error: BaseException) -> str:
    """The error's class as words: `SettingsInvalid` is "settings invalid"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type(error).__name__).lower()


def _log(level: int, fields: Mapping[str, object], trace: bool = False) -> None:
    known = {name: value for name, value in fields.items() if value is not None and value != ""}
    logging.getLogger(LOGGER).log(level, _Fields(known), exc_info=trace)


def _line_maker(make: Callable[..., logging.LogRecord]) -> Callable[..., logging.LogRecord]:
    """A record factory that writes the line at once, in the thread whose correlation id it carries."""

    def line(*args: object, **kwargs: object) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.msg = _line(record)
        record.args = ()
        # said in the line; a formatter would append them once more, with newlines and unredacted
        record.exc_info = record.exc_text = record.stack_info = None
        return record

    line.makes_lines = True  # type: ignore[attr-defined]
    return line


def _line(record: logging.LogRecord) -> str:
    head: dict[str, object] = {
        "time": to_text(datetime.fromtimestamp(record.created, UTC)),
        "level": record.levelname.lower(),
        "logger": redact(str(record.name)),
        "correlationId": _correlation.get() or None,
    }
    try:
        said = _said(record)
    except Exception as error:  # noqa: BLE001 - logging must not break the work it tells of
        said = {"message": f"A log record that could not be written ({type(error).__name__})."}
    line = {**head, **said, "exception": _trace(record)}
    return json.dumps({name: value for name, value in line.items() if value is not None})


def _said(record: logging.LogRecord) -> dict[str, object]:
    if isinstance(record.msg, _Fields):
        cleaned = {str(name): _named(str(name), value, DEEPEST) for name, value in record.msg.items()}
        return {
            f"{name}_" if name in _RESERVED and name != "message" else name: value for name, value in cleaned.items()
        }
    return {"message": _short(redact(_message(record)), LONGEST_TEXT)}


def _message(record: logging.LogRecord) -> str:
    """The message as the caller meant it; arguments that do not fit its text are put behind it."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - the caller's mistake, or an argument whose own text fails
        return f"{_text_of(record.msg)} {_text_of(record.args)}"


def _trace(record: logging.LogRecord) -> str | None:
    try:
        trace = _traces.formatException(record.exc_info) if record.exc_info and record.exc_info[0] else ""
    except Exception as error:  # noqa: BLE001 - an exception whose own text fails
        trace = f"(no trace: {type(error).__name__})"
    told = "\n".join(part for part in (trace, record.stack_info or "") if part)
    return _short(redact(told), LONGEST_EXCEPTION, keep_end=True) if told else None


def _clean(value: object, deepest: int = DEEPEST) -> object:
    """The value as JSON can say it, without secrets, and bounded in depth, number and length."""
    if value is None or isinstance(value, bool) or (isinstance(value, int | float) and -_LARGEST < value < _LARGEST):
        return value
    if isinstance(value, str):
        return _short(redact(value), LONGEST_TEXT)
    if deepest and isinstance(value, Mapping):
        return {
            redact(_text_of(name)): _named(_text_of(name), item, deepest - 1) for name, item in _some(value.items())
        }
    if deepest and isinstance(value, list | tuple | set | frozenset):
        return [_clean(item, deepest - 1) for item in _some(value)]
    return _short(redact(_plain(value)), LONGEST_TEXT)


def _named(name: str, value: object, deepest: int) -> object:
    """The value of a field of that name: a field that is named like a secret never shows its text."""
    return REDACTED if names_a_secret(name) and value else _clean(value, deepest)


def _plain(value: object) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return to_text(value)
    return value.isoformat() if isinstance(value, date) else _text_of(value)


def _text_of(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a foreign object whose own text fails
        return f"<{type(value).__name__}>"


def _some(items: Iterable[object]) -> Iterable:  # type: ignore[type-arg]
    for number, item in enumerate(items):
        if number == MOST_ITEMS:
            return
        yield item


def _short(text: str, longest: int, keep_end: bool = False) -> str:
    """Cut after redaction, so that no half of a secret is left."""
    if len(text) <= longest:
        return text
    return f"… {text[-longest:]}" if keep_end else f"{text[:longest]} …"
