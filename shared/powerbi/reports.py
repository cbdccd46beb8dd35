"""Reports of a workspace."""

from __future__ import annotations

from dataclasses import dataclass

from shared.powerbi.answers import one
from shared.powerbi.transport import Transport, path_of


@dataclass(frozen=True)
class Report:
    """A report as Power BI describes it; ids in lower case."""

    id: str
    name: str
    dataset_id: str
    """Empty for a paginated report."""
    dataset_workspace_id: str
    """Empty unless the dataset is known to live in another workspace."""
    paginated: bool
    embed_url: str
    """To be used as it is: it names the cluster that serves the report."""


def get_report(transport: Transport, workspace_id: str, report_id: str, *, identity: str) -> Report:
    """One report.

    Returns  {"id", "name", "datasetId", "reportType": "PowerBIReport" | "PaginatedReport", "embedUrl", ...}
    Raises   NotFound where there is none or the identity may not see it, Forbidden without access to the workspace
    Source   Reports - Get Report In Group
    """
    path = path_of("groups", workspace_id, "reports", report_id)
    answer = transport.call("reports.get", "GET", path, identity=identity)
    fields = one(answer)
    dataset_id, kind = fields.text("datasetId").lower(), fields.text("reportType")
    return Report(
        id=fields.text("id").lower() or report_id.lower(),
        name=fields.text("name"),
        dataset_id=dataset_id,
        dataset_workspace_id=fields.text("datasetWorkspaceId").lower(),
        paginated=kind == "PaginatedReport" or (not dataset_id and kind != "PowerBIReport"),
        embed_url=fields.text("embedUrl"),
    )
