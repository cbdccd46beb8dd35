"""Whether an embed token opens a report, and as whom: the refusals that the page hands to powerbi-client as errors.

Microsoft's list of what the browser library reports: https://learn.microsoft.com/power-bi/developer/embedded/embedded-troubleshoot
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from emulator.http import Answer, Json, Refusal
from emulator.powerbi.embed_seal import EmbedTokenExpired

EMBED = "1"
"""models.TokenType.Embed, as powerbi-client writes it."""
PAGINATED_PAGE, REPORT_PAGE = "rdlEmbed", "reportEmbed"


@dataclass(frozen=True)
class Wanted:
    """What the page was told to open: by its own address, and by the embedding page."""

    report_id: str
    address: Mapping[str, str]
    """The query of the embed URL: `reportId` and `groupId`."""
    page: str
    token: str
    token_type: str


def opened_report(
    wanted: Wanted, read_token: Callable[[str], Json], find_report: Callable[[str], Json | None]
) -> tuple[Json, Json]:
    """The report's record and what the token grants; raises Refusal."""
    _check_id(wanted)
    grant = _read(wanted, read_token)
    report = find_report(wanted.report_id)
    if report is None or (wanted.page == PAGINATED_PAGE) != (not report["datasetId"]):
        raise refused(404, "LoadReportFailed", f"There is no report {wanted.report_id} for /{wanted.page}.")
    if report["id"] not in {allowed["id"] for allowed in grant["reports"]}:
        raise refused(403, "LoadReportFailed", "The embed token was not made for this report.")
    if wanted.address.get("groupId", "").lower() != report["workspaceId"]:
        raise refused(401, "PowerBINotAuthorizedException", "The report is not in the workspace of its embed URL.")
    return report, grant


def refused(status: int, message: str, why: str) -> Refusal:
    """An error as powerbi-client's `error` event carries it: `errorCode` is the status, in words below it."""
    return Refusal(Answer(status, {"message": message, "detailedMessage": why, "errorCode": str(status), "level": 6}))


def identity_for(report: Json, grant: Json) -> Json | None:
    """The effective identity of the report's dataset, or of the paginated report itself."""
    for identity in grant["identities"]:
        named = {item.lower() for item in (*identity.get("datasets", []), *identity.get("reports", []))}
        if not named or named & {report["id"], report["datasetId"]}:
            return dict(identity)
    return None


def _check_id(wanted: Wanted) -> None:
    try:
        uuid.UUID(wanted.report_id)
    except ValueError:
        raise refused(500, "LoadReportFailed", "The report id is no GUID.") from None
    if wanted.address.get("reportId", "").lower() != wanted.report_id.lower():
        raise refused(404, "LoadReportFailed", "The embed URL belongs to another report.")


def _read(wanted: Wanted, read_token: Callable[[str], Json]) -> Json:
    if wanted.token_type != EMBED:
        raise refused(403, "LoadReportFailed", "Only embed tokens open this page: the token type must be Embed.")
    try:
        return read_token(wanted.token)
    except EmbedTokenExpired:
        raise refused(403, "TokenExpired", "The embed token has expired: get a new one and set it.") from None
    except ValueError as fault:
        raise refused(403, "LoadReportFailed", f"The embed token is not accepted. {fault}.") from None
