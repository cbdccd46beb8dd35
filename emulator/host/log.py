"""What goes to stdout: the host's own lines as JSON, and the app's log records as they are, one a line."""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import Literal

Level = Literal["info", "warning", "error"]

_lock = threading.Lock()


def line(text: str) -> None:
    """Write one line at once, so that lines of several threads never mix."""
    with _lock:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def say(message: str, level: Level = "info", **fields: object) -> None:
    """A line of the host itself: time, level, source "host", message and what else is known."""
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line(json.dumps({"time": time, "level": level, "source": "host", "message": message, **fields}, default=str))


class _OneLine(logging.Formatter):
    """The record's message as it is; what would be further lines (a trace) is kept in the same line."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\r", "\\r").replace("\n", "\\n")


class _ToStdout(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        try:
            line(self.format(record))
        except Exception:  # noqa: BLE001  a record that can't be formatted must not fail the function
            self.handleError(record)


def carry_app_logs() -> None:
    """Give the root logger the handler that the platform's worker would have attached before the app is imported."""
    handler = _ToStdout()
    handler.setFormatter(_OneLine("%(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in ("azure", "urllib3", "aiohttp.access"):  # the host's own storage calls; the real one logs them nowhere
        logging.getLogger(name).setLevel(logging.WARNING)
