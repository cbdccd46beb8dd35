"""The refresh schedule of a dataset. It is kept and checked, but nothing is refreshed by it."""

from __future__ import annotations

import re

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.access import is_dedicated
from emulator.powerbi.datasets import check_owner
from emulator.powerbi.operation import Operation, Visit, both, in_my_workspace, writing
from emulator.powerbi.refreshes import check_model

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SLOTS_SHARED, SLOTS_DEDICATED = 8, 48
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
_HALF_HOURS = ("00", "30")
_INITIAL: Json = {
    "days": [],
    "times": [],
    "enabled": False,
    "localTimeZoneId": "UTC",
    "notifyOption": "NoNotification",
}
_BODY: Json = {
    "value": {
        "days": [DAYS],
        "times": ["string"],
        "enabled": "boolean",
        "localTimeZoneId": "string",
        "notifyOption": ("NoNotification", "MailOnFailure"),
    }
}


def get_schedule(visit: Visit) -> Answer:
    """The schedule, not wrapped."""
    dataset = visit.dataset(visit.workspace())
    check_model(dataset)
    return answers.entity("refreshSchedule", _INITIAL | dataset["schedule"])


def update_schedule(visit: Visit) -> Answer:
    """Only the owner; what the body (which is wrapped in `value`) leaves out stays."""
    workspace = visit.workspace("Contributor")
    dataset = visit.dataset(workspace)
    check_model(dataset)
    check_owner(visit, dataset)
    change = visit.body.get("value")
    if not change:
        raise answers.invalid("Parameter value is missing or invalid")
    _check(visit, change, _INITIAL | dataset["schedule"] | change)
    slots = SLOTS_DEDICATED if is_dedicated(workspace, visit.now) else SLOTS_SHARED
    if len(change.get("times", [])) > slots:
        raise answers.invalid(f"Parameter times has more than {slots} items")
    if change.get("times") == []:
        change = change | {"times": ["00:00"]}  # the service picks one
    dataset["schedule"] = _INITIAL | dataset["schedule"] | change
    return answers.done()


def _check(visit: Visit, change: Json, result: Json) -> None:
    if change.get("enabled") is False and len(change) > 1:
        raise answers.invalid("A request that disables the schedule should contain no other changes")
    if (result["enabled"] or "days" in change) and not result["days"]:
        raise answers.invalid("Parameter days is missing or invalid")
    for text in change.get("times", []):
        matched = _TIME.fullmatch(text)
        odd = matched is not None and matched[2] not in _HALF_HOURS and visit.switch("scheduleTimes") == "halfHours"
        if matched is None or odd:
            raise answers.invalid("Parameter times is missing or invalid")
    option = change.get("notifyOption", "NoNotification")
    if option != "NoNotification" and visit.caller.is_app:
        raise answers.invalid(f"Invalid NotifyOption value '{option}' for app only owner requests")


_SCHEDULE = "/groups/{groupId}/datasets/{datasetId}/refreshSchedule"
_IN_GROUP = (
    Operation("GET", _SCHEDULE, get_schedule, both("Dataset")),
    Operation("PATCH", _SCHEDULE, update_schedule, writing("Dataset"), _BODY),
)
OPERATIONS = (*_IN_GROUP, *in_my_workspace(_IN_GROUP))
