"""What the app logs, as the platform's own handler would get it."""

from __future__ import annotations

import io
import json
import logging
from typing import Any, NoReturn


class Lines(logging.StreamHandler[io.StringIO]):
    """A handler as the platform attaches it: it knows nothing of ours."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.setFormatter(logging.Formatter())

    def text(self) -> str:
        return self.stream.getvalue()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]

    def clear(self) -> None:
        self.stream.seek(0)
        self.stream.truncate()

    def only(self) -> dict[str, Any]:
        [line] = self.all()
        return line


def fail(error: Exception, cause: Exception | None = None) -> NoReturn:
    raise error from cause
