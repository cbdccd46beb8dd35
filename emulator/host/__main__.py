"""`python -m emulator.host --port N --app-dir DIR`: run a function app on this machine."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from emulator.durations import parse_duration
from emulator.host import safety
from emulator.host.errors import CannotStart
from emulator.host.log import carry_app_logs, say


def main(words: Sequence[str]) -> int:
    """Run until stopped; returns the exit code: 0 stopped, 1 could not start, 75 start me again."""
    given = _parser().parse_args(words)
    try:
        safety.fence_in()
        if given.without_cloud:
            safety.cut_off(os.environ)
        else:
            safety.require_emulator(os.environ)
        carry_app_logs()
        return _run(given)
    except CannotStart as refusal:
        for reason in refusal.reasons:
            say(f"the host does not start: {reason}", "error")
        return 1


def _run(given: argparse.Namespace) -> int:
    from emulator.host.host import Arguments, Host

    arguments = Arguments(given.port, given.app_dir.resolve(), given.message_lease, given.drain)

    async def serve() -> int:
        return await Host(arguments, os.environ, lambda: datetime.now(UTC)).run()

    return asyncio.run(serve())


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m emulator.host", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="loopback port to serve; 0 takes a free one")
    parser.add_argument("--app-dir", type=Path, required=True, help="folder of function_app.py and host.json")
    parser.add_argument(
        "--message-lease", type=_duration, default="PT10M", help="how long a fetched message is held (Azure: PT10M)"
    )
    parser.add_argument(
        "--drain", type=_duration, default="PT10S", help="how long a stopping host waits for what still runs"
    )
    parser.add_argument(
        "--without-cloud", action="store_true", help="for tests: cut off every real host name instead of emulating it"
    )
    return parser


if __name__ == "__main__":
    from emulator.host.host import end_process

    end_process(main(sys.argv[1:]))
