"""What all operations have in common: a declaration, and the way from a call to its handler."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from emulator.http import Answer, Call, Json, Refusal
from emulator.powerbi import access, answers, odata
from emulator.powerbi.access import Caller
from emulator.powerbi.state import State

BASE = "/v1.0/myorg"
IN_GROUP = "/groups/{groupId}"


@dataclass
class Visit:
    """One authenticated call on its way through a handler. `body` holds declared fields only."""

    call: Call
    caller: Caller
    state: State
    now: datetime
    real_now: datetime
    key: bytes = field(repr=False)
    """With which embed tokens are sealed."""
    body: Json = field(default_factory=dict)

    def parameter(self, name: str) -> str:
        """A part of the path; ids are compared in lower case."""
        return self.call.parameters[name].lower()

    def switch(self, name: str) -> Any:
        """The value of a switch."""
        return self.state.switches[name]

    def right(self, workspace: Json) -> str:
        """The caller's right in the workspace."""
        return access.right_in(self.state, workspace, self.caller, self.now)

    def workspace(self, needed: str = "Viewer") -> Json:
        """The workspace of the path; refuses a caller who does not see it or whose right in it is too weak.

        A path without a group means the caller's own, "My workspace", which applications don't have.
        """
        if "groupId" not in self.call.parameters:
            return self._my_workspace()
        found = self.state.workspaces.get(self.parameter("groupId"))
        right = self.right(found) if found and found["state"] == "Active" else "None"
        if found is None or right == "None":
            raise self._no_workspace()
        if not access.is_at_least(right, needed):
            raise answers.not_authorized(self.switch("insufficientRoleStatus"))
        return found

    def dataset(self, workspace: Json) -> Json:
        """The dataset of the path, in that workspace."""
        return self.item("datasets", "datasetId", workspace)

    def report(self, workspace: Json) -> Json:
        """The report of the path, in that workspace."""
        return self.item("reports", "reportId", workspace)

    def dashboard(self, workspace: Json) -> Json:
        """The dashboard of the path, in that workspace."""
        return self.item("dashboards", "dashboardId", workspace)

    def buildable_dataset(self, dataset_id: str) -> Json:
        """The dataset of that id, wherever it lies, if the caller may build upon it; 404 as for one there isn't."""
        found = self.state.datasets.get(dataset_id.lower())
        home = self.state.workspaces.get(found["workspaceId"]) if found else None
        if found is None or home is None or not access.is_at_least(self.right(home), "Contributor"):
            raise answers.not_found()
        return found

    def whole_number(self, name: str, default: int, lowest: int = 0) -> int:
        """A query parameter that is a whole number; 400 if it is something else."""
        text = self.call.query.get(name)
        if text is None:
            return default
        if not text.strip().isdecimal() or int(text) < lowest:
            raise answers.invalid(f"Parameter {name} is missing or invalid")
        return int(text)

    def filtered(self, records: list[Json]) -> list[Json]:
        """The records that pass `$filter`; all without one."""
        text = self.call.query.get("$filter")
        return list(filter(odata.compiled(text), records)) if text else records

    def page(self, records: list[Json], size: int) -> list[Json]:
        """The records that `$skip` and `$top` ask for; no more than `size` without `$top`."""
        start = self.whole_number("$skip", 0)
        return records[start : start + self.whole_number("$top", size)]

    def item(self, kind: str, name: str, workspace: Json) -> Json:
        """The record of that kind which the path names, if it lies in the workspace."""
        found = self.state.maps[kind].get(self.parameter(name))
        if found is None or found["workspaceId"] != workspace["id"]:
            raise answers.not_found()
        return found

    def _my_workspace(self) -> Json:
        if self.caller.is_app:
            raise answers.not_for_applications(self.switch("myWorkspaceForApplicationsStatus"))
        return access.personal_workspace(self.state, self.caller)

    def _no_workspace(self) -> Refusal:
        form = self.switch("noWorkspaceAccess")
        if form == "GroupNotAccessible":
            return answers.header_only(401, form)
        return answers.not_found() if form == "PowerBIEntityNotFound" else answers.not_authorized()


@dataclass(frozen=True)
class Operation:
    """One operation: method, path below the base, what handles it, and what holds before the handler is asked.

    `body`: the shape of the declared fields; None if it takes no body. `scopes`: a user's token needs one of them.
    """

    method: str
    path: str
    handler: Callable[[Visit], Answer]
    scopes: tuple[str, ...] = ()
    body: dict[str, Any] | None = None
    body_required: bool = True

    @property
    def name(self) -> str:
        """As the rate limits call it."""
        return f"{self.method} {self.path}"

    @property
    def lies_in_group(self) -> bool:
        """Whether it is about something in a workspace."""
        return self.path.startswith(f"{IN_GROUP}/")

    @property
    def spellings(self) -> set[str]:
        """The path as clients write it: some encode quotes, old ones leave out an action's `Default.`."""
        return {self.path, self.path.replace("'", "%27"), self.path.replace("/Default.", "/")}


def in_my_workspace(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Their twins without a group, which are about the caller's own workspace."""
    return tuple(replace(operation, path=operation.path.removeprefix(IN_GROUP)) for operation in operations)


def both(area: str) -> tuple[str, ...]:
    """The scopes of reading: a scope to write includes it."""
    return f"{area}.Read.All", f"{area}.ReadWrite.All"


def writing(area: str) -> tuple[str, ...]:
    """The scope of writing."""
    return (f"{area}.ReadWrite.All",)
