"""What all operations have in common: a declaration, and the way from a call to its handler."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from emulator.http import Answer, Call, Json, Refusal
from emulator.powerbi import access, answers
from emulator.powerbi.access import Caller
from emulator.powerbi.state import State

BASE = "/v1.0/myorg"


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
        """The workspace of the path; refuses a caller who does not see it or whose right in it is too weak."""
        found = self.state.workspaces.get(self.parameter("groupId"))
        right = self.right(found) if found and found["state"] == "Active" else "None"
        if found is None or right == "None":
            raise self._no_workspace()
        if not access.is_at_least(right, needed):
            raise answers.not_authorized(self.switch("insufficientRoleStatus"))
        return found

    def dataset(self, workspace: Json) -> Json:
        """The dataset of the path, in that workspace."""
        return self._item(self.state.datasets, "datasetId", workspace)

    def report(self, workspace: Json) -> Json:
        """The report of the path, in that workspace."""
        return self._item(self.state.reports, "reportId", workspace)

    def whole_number(self, name: str, default: int, lowest: int = 0) -> int:
        """A query parameter that is a whole number; 400 if it is something else."""
        text = self.call.query.get(name)
        if text is None:
            return default
        if not text.strip().isdecimal() or int(text) < lowest:
            raise answers.invalid(f"Parameter {name} is missing or invalid")
        return int(text)

    def page(self, records: list[Json], size: int) -> list[Json]:
        """The records that `$skip` and `$top` ask for; no more than `size` without `$top`."""
        start = self.whole_number("$skip", 0)
        return records[start : start + self.whole_number("$top", size)]

    def _item(self, records: dict[str, Json], name: str, workspace: Json) -> Json:
        found = records.get(self.parameter(name))
        if found is None or found["workspaceId"] != workspace["id"]:
            raise answers.not_found()
        return found

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


def both(area: str) -> tuple[str, ...]:
    """The scopes of reading: a scope to write includes it."""
    return f"{area}.Read.All", f"{area}.ReadWrite.All"


def writing(area: str) -> tuple[str, ...]:
    """The scope of writing."""
    return (f"{area}.ReadWrite.All",)
