"""The app as it is, in a hurry: what takes minutes in production takes a second here, so that a test can wait."""

from __future__ import annotations

import functools
import importlib.util
from datetime import timedelta
from pathlib import Path

from shared.provisioning.steps import workspace
from shared.refresh import engine as refreshes
from shared.refresh import timing as refresh_timing
from shared.workflow import engine as workflows
from shared.workflow import timing as workflow_timing

PROJECT = Path(__file__).parents[3]
SECOND = timedelta(seconds=1)

quick_workflows = functools.partial(
    workflow_timing.Timing,
    budget=2 * SECOND,
    lease=3 * SECOND,
    grace=SECOND,
    turn_after_project=SECOND,
    parked=SECOND,
    woken=2 * SECOND,
    strikes=1000,
    after_strike=SECOND,
)
quick_refreshes = functools.partial(
    refresh_timing.Timing,
    overdue=SECOND,
    post_within=SECOND,
    call=SECOND,
    claim_after_post=SECOND,
    appears=4 * SECOND,
    after_adopted=4 * SECOND,
    executing=SECOND,
    incident=SECOND,
    longest_incident=SECOND,
    first_look=SECOND,
    after_strike=SECOND,
    longest_strike=SECOND,
)
for module, quick in ((workflows, quick_workflows), (refreshes, quick_refreshes)):
    assert hasattr(module, "Timing")
    setattr(module, "Timing", quick)  # noqa: B010 - a class in whose place a function stands
for name, value in {
    "CALL_DEADLINE": SECOND,
    "LATE_EFFECT": SECOND,
    "LATE_NAMES": 20 * SECOND,
    "LOOK_AGAIN": 1.0,
}.items():
    assert hasattr(workspace, name)
    setattr(workspace, name, value)

_found = importlib.util.spec_from_file_location("the_app", PROJECT / "function_app.py")
assert _found is not None
assert _found.loader is not None
_module = importlib.util.module_from_spec(_found)
_found.loader.exec_module(_module)
app = _module.app
