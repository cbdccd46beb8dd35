"""Waiting for what other processes and threads do: asked again and again, until a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(ask: Callable[[], T], good: Callable[[T], object] = bool, patience: float = 60) -> T:
    """What `ask` answers as soon as it is `good`."""
    deadline = time.monotonic() + patience
    while not good(answer := ask()):
        assert time.monotonic() < deadline, f"within {patience:g} s it never came to that: {answer}"
        time.sleep(0.05)
    return answer
