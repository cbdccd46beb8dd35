"""What the app logs while something runs, as the platform would send it to Application Insights."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from shared import telemetry

Json = dict[str, Any]


class Lines(logging.Handler):
    """The message of each record, if it is a line of JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[Json] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message.startswith("{"):
            self.read.append(json.loads(message))


@contextmanager
def listening() -> Iterator[Lines]:
    """The lines of all threads until the end of the block."""
    telemetry.install()
    lines = Lines()
    logging.getLogger().addHandler(lines)
    try:
        yield lines
    finally:
        logging.getLogger().removeHandler(lines)
