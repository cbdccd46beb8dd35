"""`python -m emulator`: the cloud on one machine, for development and tests."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from emulator.launch.launcher import DEFAULT_STATE_DIR, Options, launch


def parse(arguments: list[str]) -> Options:
    """The command line; exits with 2 on a fault in it."""
    parser = argparse.ArgumentParser(prog="python -m emulator", description=__doc__)
    parser.add_argument(
        "--host", choices=("bundled", "none"), default="bundled", help="run the app in the bundled host"
    )
    parser.add_argument("--storage", choices=("key", "identity"), default="key", help="how the app reaches storage")
    parser.add_argument("--state-dir", type=Path, default=Path(DEFAULT_STATE_DIR), help="environment.json, CA, logs")
    parser.add_argument("--port-base", type=int, help="first of eight fixed ports; free ones without it")
    given = parser.parse_args(arguments)
    if given.port_base is not None and not 1024 <= given.port_base <= 65000:
        parser.error("--port-base is a number from 1024 to 65000")
    return Options(given.host, given.storage, given.state_dir, given.port_base)


if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("EMULATOR_LOG_LEVEL", "WARNING"))
    sys.exit(launch(parse(sys.argv[1:])))
