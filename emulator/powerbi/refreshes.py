"""Refreshes: start (standard or enhanced), history, details, cancel."""

from __future__ import annotations

from datetime import datetime, timedelta

from emulator.http import Answer, Json
from emulator.powerbi import answers, refresh_runs
from emulator.powerbi.access import capacity_of, is_dedicated
from emulator.powerbi.datasets import LIVE_MODES
from emulator.powerbi.operation import BASE, Operation, Visit, both, in_my_workspace, writing
from emulator.powerbi.refresh_runs import ENHANCED, Run
from emulator.powerbi.refresh_start import DEDICATED_CAP, SHARED_CAP, Start, begin
from emulator.powerbi.state import State
from emulator.powerbi.times import clock_duration, moment, stored

ALREADY_EXECUTING = "Invalid dataset refresh request. Another refresh request is already executing"
OVER_DAILY_LIMIT = "Invalid dataset refresh request. Number of refresh requests in last 24 hours exceeded limit"
NOT_A_MODEL = "Invalid dataset. This API can only be called on a Model-based dataset"
COUNTED = ("ViaApi", "Scheduled")
"""What the allowance of shared capacity counts; the portal's "Refresh now" is not in it."""
KEPT, KEPT_LONG, RECENT = 60, 20, timedelta(days=3)
_BODY: Json = {
    "notifyOption": ("NoNotification", "MailOnFailure", "MailOnCompletion"),
    "type": ("Full", "ClearValues", "Calculate", "DataOnly", "Automatic", "Defragment"),
    "commitMode": ("Transactional", "PartialBatch"),
    "maxParallelism": "integer",
    "retryCount": "integer",
    "timeout": "string",
    "objects": [{"table": "string", "partition": "string"}],
    "applyRefreshPolicy": "boolean",
    "effectiveDate": "string",
}


def all_runs(state: State, now: datetime, dataset_id: str = "") -> list[Run]:
    """All refreshes, or those of one dataset, as they are now, newest first."""
    start, cancel = state.lasts("refreshStart"), state.lasts("cancelDuration")
    records = [record for record in state.refreshes.values() if dataset_id in ("", record["datasetId"])]
    runs = [refresh_runs.run_at(record, now, start=start, cancel=cancel) for record in records]
    return sorted(runs, key=lambda run: run.started, reverse=True)


def check_model(dataset: Json) -> None:
    """Refresh operations are for models that hold data."""
    if dataset["mode"] == "Push":
        raise answers.invalid(NOT_A_MODEL, status=415)
    if dataset["mode"] in LIVE_MODES:
        raise answers.invalid("Invalid dataset refresh request. The dataset holds no data of its own")


def start_refresh(visit: Visit) -> Answer:
    """202 with an empty body: accepted, not done. Any field beyond notifyOption makes it an enhanced one."""
    workspace = visit.workspace("Contributor")
    dataset = visit.dataset(workspace)
    check_model(dataset)
    request = {name: value for name, value in visit.body.items() if name != "notifyOption"}
    _check_notification(visit, request)
    dedicated = is_dedicated(workspace, visit.now)
    if request:
        _check_enhanced(visit, request, dedicated=dedicated)
    runs = all_runs(visit.state, visit.now, dataset["id"])
    waits_for = next((run.ends for run in runs if run.running), None)
    if waits_for and visit.switch("refreshWhileRunning") == "refuse":
        raise answers.invalid(ALREADY_EXECUTING)
    if not dedicated:
        _check_allowance(visit, runs)
    if not waits_for or (visit.switch("refreshWhileRunning") == "queue" and _nothing_waits(runs, visit.now)):
        kind = ENHANCED if request else "ViaApi"
        start = Start(
            kind,
            visit.now,
            waits_for or visit.now,
            _cap(request, dedicated=dedicated),
            request,
            paused=_is_paused(visit, workspace),
        )
        begin(visit.state, dataset, start, visit.call.request_id)
    return Answer(202, None, _headers(visit, workspace, dataset) if request else {})


def from_portal(state: State, workspace_id: str, dataset_id: str, now: datetime) -> str:
    """Somebody presses "Refresh now". LookupError: no such dataset; ValueError: it is being refreshed."""
    dataset = state.datasets.get(dataset_id)
    if dataset is None or dataset["workspaceId"] != workspace_id:
        raise LookupError(f"There is no dataset {dataset_id} in workspace {workspace_id}")
    if any(run.running for run in all_runs(state, now, dataset_id)):
        raise ValueError(ALREADY_EXECUTING)
    return str(begin(state, dataset, Start("OnDemand", now, now))["id"])


def _check_notification(visit: Visit, request: Json) -> None:
    option = visit.body.get("notifyOption")
    if option and request and visit.switch("notifyOptionWithEnhanced") == "refuse":
        raise answers.invalid("Invalid dataset refresh request. notifyOption can't be combined with other options")
    mails = option not in (None, "NoNotification")
    if mails and visit.caller.is_app and visit.switch("mailByServicePrincipal") == "refuse":
        raise answers.invalid(f"Invalid NotifyOption value '{option}' for app only owner requests")


def _check_enhanced(visit: Visit, request: Json, *, dedicated: bool) -> None:
    if not dedicated:
        message = "Invalid dataset refresh request. Enhanced refresh needs a workspace on dedicated capacity"
        raise answers.invalid(message, status=visit.switch("enhancedOnSharedStatus"))
    for name in ("maxParallelism", "retryCount"):
        if request.get(name, 1) < (name == "maxParallelism"):
            raise answers.invalid(f"Parameter {name} is missing or invalid")
    if any(not item.get("table") for item in request.get("objects", [])):
        raise answers.invalid("Parameter objects.table is missing or invalid")
    _check_times(request)


def _check_times(request: Json) -> None:
    for name, read in (("timeout", clock_duration), ("effectiveDate", datetime.fromisoformat)):
        try:
            if name in request:
                read(request[name])
        except ValueError as fault:
            raise answers.invalid(f"Parameter {name} is missing or invalid") from fault


def _check_allowance(visit: Visit, runs: list[Run]) -> None:
    since = visit.now - timedelta(days=1)
    if visit.switch("dailyLimitWindow") == "day":
        since = visit.now.replace(hour=0, minute=1, second=0, microsecond=0)
    spent = sum(1 for run in runs if run.record["refreshType"] in COUNTED and moment(run.record["started"]) > since)
    if spent >= visit.switch("dailyRefreshLimit"):
        raise answers.invalid(OVER_DAILY_LIMIT, status=visit.switch("dailyLimitStatus"))


def _nothing_waits(runs: list[Run], now: datetime) -> bool:
    return all(run.started <= now for run in runs)


def _cap(request: Json, *, dedicated: bool) -> timedelta:
    """How long one attempt may take."""
    if "timeout" in request:
        return clock_duration(request["timeout"])
    return DEDICATED_CAP if dedicated else SHARED_CAP


def _is_paused(visit: Visit, workspace: Json) -> bool:
    capacity = visit.state.capacities.get(capacity_of(workspace, visit.now))
    return capacity is not None and capacity["state"] != "Active"


def _headers(visit: Visit, workspace: Json, dataset: Json) -> dict[str, str]:
    """Where an enhanced refresh is found."""
    request_id = visit.call.request_id
    group = f"/groups/{workspace['id']}" if "groupId" in visit.call.parameters else ""
    path = f"{BASE}{group}/datasets/{dataset['id']}/refreshes/{request_id}"
    return {"x-ms-request-id": request_id, "Location": f"https://{visit.call.host}{path}"}


def history(visit: Visit) -> Answer:
    """Newest first; sixty at most, twenty of those that are older than three days."""
    dataset = visit.dataset(visit.workspace())
    if dataset["mode"] == "Push":
        raise answers.invalid(NOT_A_MODEL, status=415)
    lag = visit.state.lasts("historyLag")
    runs = [
        run
        for run in all_runs(visit.state, visit.now, dataset["id"])
        if run.started <= visit.now and _accepted(run) + lag <= visit.now
    ]
    kept = [run for at, run in enumerate(runs[:KEPT]) if at < KEPT_LONG or visit.now - run.started < RECENT]
    top = visit.whole_number("$top", KEPT, lowest=1)
    shown = kept if visit.switch("historyIgnoresTop") else kept[:top]
    return answers.listing("refreshes", [refresh_runs.history_entry(run) for run in shown])


def _accepted(run: Run) -> datetime:
    return moment(run.record["accepted"] or run.record["started"])


def refresh_details(visit: Visit) -> Answer:
    """202 while it runs, 200 afterwards, with the same body; only for enhanced refreshes."""
    dataset = visit.dataset(visit.workspace())
    run = _run(visit, dataset)
    if run.record["refreshType"] != ENHANCED:
        raise _not_enhanced(visit)
    shown = refresh_runs.details(run, _objects(dataset, run.record["request"]))
    return answers.entity("refreshDetail", shown, 202 if run.running else 200)


def cancel_refresh(visit: Visit) -> Answer:
    """200 with an empty body; an enhanced refresh that still runs ends as Cancelled."""
    run = _run(visit, visit.dataset(visit.workspace("Contributor")))
    if run.record["refreshType"] != ENHANCED or not run.running:
        raise _not_enhanced(visit)
    run.record["cancelled"] = run.record["cancelled"] or stored(visit.now)
    return answers.done()


def _run(visit: Visit, dataset: Json) -> Run:
    wanted = visit.parameter("refreshId")
    runs = all_runs(visit.state, visit.now, dataset["id"])
    found = next((run for run in runs if run.record["id"] == wanted), None)
    if found is None:
        raise answers.not_found()
    return found


def _not_enhanced(visit: Visit) -> Exception:
    message = "Invalid dataset refresh request. The refresh is not an enhanced one in progress"
    return answers.invalid(message, status=visit.switch("notEnhancedStatus"))


def _objects(dataset: Json, request: Json) -> list[Json]:
    """The partitions that a refresh works on: those asked for, else all of the model."""
    asked = request.get("objects") or [{"table": table} for table in dataset["tables"]]
    shown = []
    for item in asked:
        table = item.get("table", "")
        names = [item["partition"]] if item.get("partition") else dataset["partitions"].get(table) or [table]
        shown += [{"table": table, "partition": name} for name in names]
    return shown


_REFRESHES = "/groups/{groupId}/datasets/{datasetId}/refreshes"
_IN_GROUP = (
    Operation("POST", _REFRESHES, start_refresh, writing("Dataset"), _BODY, body_required=False),
    Operation("GET", _REFRESHES, history, both("Dataset")),
    Operation("GET", _REFRESHES + "/{refreshId}", refresh_details, both("Dataset")),
    Operation("DELETE", _REFRESHES + "/{refreshId}", cancel_refresh, writing("Dataset")),
)
OPERATIONS = (*_IN_GROUP, *in_my_workspace(_IN_GROUP))
