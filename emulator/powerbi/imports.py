"""Imports that were made: list, get. Nothing can be imported through the emulator yet; the state holds what was."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers, datasets, reports
from emulator.powerbi.operation import IN_GROUP, Operation, Visit, both, in_my_workspace
from emulator.powerbi.times import moment, wire


def list_imports(visit: Visit) -> Answer:
    """All of the workspace; there is no paging."""
    found = visit.state.within("imports", visit.workspace()["id"])
    return answers.listing("imports", [_rendered(visit, record) for record in found])


def get_import(visit: Visit) -> Answer:
    """One import; while it is being published it has neither datasets nor reports."""
    return answers.entity("imports", _rendered(visit, visit.item("imports", "importId", visit.workspace())))


def _rendered(visit: Visit, record: Json) -> Json:
    state = visit.state
    made = record["importState"] == "Succeeded"
    shown: Json = {"id": record["id"], "importState": record["importState"], "name": record["name"]}
    shown |= {f"{name}DateTime": wire(moment(record[name])) for name in ("created", "updated") if record[name]}
    models = [state.datasets[key] for key in record["datasets"] if made and key in state.datasets]
    pages = [state.reports[key] for key in record["reports"] if made and key in state.reports]
    return shown | {
        "connectionType": "import",
        "source": "Upload",
        "datasets": [datasets.rendered(model) for model in models],
        "reports": [reports.rendered(page, visit.call.host) for page in pages],
    }


_IN_GROUP = (
    Operation("GET", IN_GROUP + "/imports", list_imports, both("Dataset")),
    Operation("GET", IN_GROUP + "/imports/{importId}", get_import, both("Dataset")),
)
OPERATIONS = (*_IN_GROUP, *in_my_workspace(_IN_GROUP))
