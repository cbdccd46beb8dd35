"""What importing the app costs, beside what the platform's own library costs."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.figures import say

PROJECT = Path(__file__).parents[2]
ROUNDS = 9


def _seconds(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], cwd=PROJECT, check=True)
    return time.perf_counter() - began


def test_importing_the_app() -> None:
    """Side by side and in turns, so that a machine whose speed varies slows both."""
    bare, library, app = [], [], []
    for _ in range(ROUNDS):
        bare.append(_seconds("pass"))
        library.append(_seconds("import azure.functions"))
        app.append(_seconds("import function_app"))
    nothing = statistics.median(bare)
    ratio = (statistics.median(app) - nothing) / (statistics.median(library) - nothing)
    say(
        "import function_app",
        f"{(statistics.median(app) - nothing) * 1000:.0f} ms, {ratio:.2f} times azure.functions alone",
    )
    assert ratio < 2
