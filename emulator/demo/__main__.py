"""`python -m emulator.demo [--stay] [--storage identity]`: start everything and do the main job.

Prints a line for each step (what, outcome, seconds), and `DEMO OK` at the end.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path

from emulator.demo import embedding, provisioning, refreshing
from emulator.demo.site import browser_command, portal_environment, portal_running
from emulator.demo.stage import DemoFailed, Stage, expect, line, raised, step

SCENES = (provisioning.play, refreshing.play, embedding.play)


def main() -> int:
    """0 when every step did what it should."""
    parser = argparse.ArgumentParser(prog="python -m emulator.demo", description=__doc__)
    parser.add_argument("--stay", action="store_true", help="stay up when the programme is over, until Ctrl-C")
    parser.add_argument("--state-dir", type=Path, default=Path(".emulator"))
    parser.add_argument("--storage", choices=("key", "identity"), default="key", help="how the app reaches storage")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the emulator is ended as well
    began = time.monotonic()
    try:
        with raised(options.state_dir, options.storage) as stage:
            line("the emulated cloud and the app have started", stage.api, time.monotonic() - began)
            play(stage)
            print(f"DEMO OK {time.monotonic() - began:.1f}", flush=True)
            if options.stay:
                _stay(stage, options.state_dir)
    except DemoFailed as failure:
        print(f"DEMO FAILED {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def play(stage: Stage) -> None:
    """The programme: a line for each step. Raises DemoFailed where one does not do what it should."""
    step("the app says that it is ready", lambda: _ready(stage))
    for scene in SCENES:
        scene(stage)


def _ready(stage: Stage) -> str:
    answer = stage.app("GET", "readiness", stage.caller_token("operator"))
    report = answer.json()
    faults = [f"{check['name']}: {check['evidence']}" for check in report["checks"] if check["status"] == "failed"]
    expect(answer.status_code == 200, "not ready: " + "; ".join(faults))
    passed = [check["name"] for check in report["checks"] if check["status"] == "passed"]
    return f"{len(passed)} checks passed, the last of them '{passed[-1]}'"


def _stay(stage: Stage, state_dir: Path) -> None:
    with portal_running(portal_environment(stage.described)) as portal:
        print(f"Staying up: {stage.api}\nEverything a client needs is in {state_dir}/environment.json. Ctrl-C ends it.")
        print(f"A sample portal: {portal}. Reports come from an emulated host, so visit it with this browser:")
        print(browser_command(stage.described, portal), flush=True)
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
