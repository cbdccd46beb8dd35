"""Deployment pipelines as they are read: list, get, stages. Nothing is deployed through the emulator yet."""

from __future__ import annotations

from emulator.http import Answer, Json
from emulator.powerbi import answers
from emulator.powerbi.operation import Operation, Visit, both
from emulator.powerbi.state import State


def rendered(pipeline: Json) -> Json:
    """A Pipeline without its stages."""
    return {name: pipeline[name] for name in ("id", "displayName", "description")}


def stages_of(state: State, pipeline: Json) -> list[Json]:
    """In their order; one to which a workspace is assigned names it."""
    stages = sorted(pipeline["stages"], key=lambda stage: int(stage["order"]))
    names = [state.workspaces.get(stage.get("workspaceId", ""), {}).get("name") for stage in stages]
    return [
        stage | ({"workspaceName": name} if name is not None else {}) for stage, name in zip(stages, names, strict=True)
    ]


def list_pipelines(visit: Visit) -> Answer:
    """Those that the caller administers."""
    return answers.listing("pipelines", [rendered(pipeline) for pipeline in _own(visit)])


def get_pipeline(visit: Visit) -> Answer:
    """One of them, with its stages if they are asked for."""
    pipeline = _one(visit)
    stages = visit.call.query.get("$expand", "").strip().lower() == "stages"
    shown = rendered(pipeline) | ({"stages": stages_of(visit.state, pipeline)} if stages else {})
    return answers.entity("pipelines", shown)


def list_stages(visit: Visit) -> Answer:
    """Development is 0, test 1, production 2."""
    return answers.listing("stages", stages_of(visit.state, _one(visit)))


def _own(visit: Visit) -> list[Json]:
    return [pipeline for pipeline in visit.state.maps["pipelines"].values() if visit.caller.key in pipeline["admins"]]


def _one(visit: Visit) -> Json:
    wanted = visit.parameter("pipelineId")
    found = next((pipeline for pipeline in _own(visit) if pipeline["id"] == wanted), None)
    if found is None:
        raise answers.not_found()
    return found


OPERATIONS = (
    Operation("GET", "/pipelines", list_pipelines, both("Pipeline")),
    Operation("GET", "/pipelines/{pipelineId}", get_pipeline, both("Pipeline")),
    Operation("GET", "/pipelines/{pipelineId}/stages", list_stages, both("Pipeline")),
)
