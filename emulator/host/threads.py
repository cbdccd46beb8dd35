"""Threads for the host's own blocking calls, apart from those in which functions run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class HostThreads:
    """Runs calls to storage beside the event loop."""

    def __init__(self, count: int = 16) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="host")

    async def call(self, work: Callable[[], T]) -> T:
        """The result of `work`, run in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
