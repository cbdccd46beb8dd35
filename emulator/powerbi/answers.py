"""The shapes in which Power BI says no, and the headers that every answer carries.

Five shapes are on record; which one comes depends on which layer of the service refuses. Each function raises or gives
exactly one of them, so that a reader of a handler sees which.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from emulator.clouds import POWERBI_REGION_HOST
from emulator.http import Answer, Refusal

ERROR_INFO = "X-PowerBI-Error-Info"
JSON_TYPE = "application/json; charset=utf-8"


def region_config() -> str:
    """What embed URLs carry in their `config`: where the tenant's region is."""
    config = json.dumps({"clusterUrl": f"https://{POWERBI_REGION_HOST}"}).encode()
    return base64.b64encode(config).decode().replace("=", "%3D")


def domain(status: int, code: str, *, culprit: bool = True) -> Refusal:
    """Shape A: a code and its `pbi.error` twin, no message. The domain's own errors."""
    twin: dict[str, Any] = {"code": code, "parameters": {}, "details": []}
    if culprit:
        twin["exceptionCulprit"] = 1
    return Refusal(Answer(status, {"error": {"code": code, "pbi.error": twin}}))


def invalid(message: str, *, status: int = 400, code: str = "InvalidRequest", target: str = "") -> Refusal:
    """Shape B: a code and a message. Validation."""
    error = {"code": code, "message": message}
    return Refusal(Answer(status, {"error": error | ({"target": target} if target else {})}))


def throttled(seconds: int) -> Refusal:
    """Shape C: a bare message, 429 and Retry-After."""
    message = (
        "You have exceeded the amount of requests allowed in the current time frame and further requests will fail. "
        f"Retry in {seconds} seconds."
    )
    return Refusal(Answer(429, {"message": message}, {"Retry-After": str(seconds)}))


def unsupported_media(message: str) -> Refusal:
    """Shape C for a body of the wrong kind."""
    return Refusal(Answer(415, {"message": message}))


def not_for_applications(status: int = 401) -> Refusal:
    """Shape D: capital M, no wrapper."""
    return Refusal(Answer(status, {"Message": "API is not accessible for application"}))


def header_only(status: int, info: str = "") -> Refusal:
    """Shape E: no body; the reason, if any, is in a header."""
    return Refusal(Answer(status, None, {ERROR_INFO: info} if info else {}))


def not_found() -> Refusal:
    """An item that does not exist, or on which the caller may do nothing."""
    return domain(404, "PowerBIEntityNotFound")


def not_authorized(status: int = 401) -> Refusal:
    """A caller who may not do this."""
    return domain(status, "PowerBINotAuthorizedException")


def already_exists() -> Refusal:
    """A name that is taken somewhere in the organisation."""
    return domain(400, "PowerBIEntityAlreadyExists", culprit=False)


def listing(kind: str, value: list[dict[str, Any]], **annotations: Any) -> Answer:
    """A list: `value` and the context, whose host is that of the tenant's region."""
    context = f"http://{POWERBI_REGION_HOST}/v1.0/myorg/$metadata#{kind}"
    return Answer(200, {"@odata.context": context, **annotations, "value": value})


def entity(kind: str, value: dict[str, Any], status: int = 200) -> Answer:
    """One object, bare, with its context."""
    context = f"http://{POWERBI_REGION_HOST}/v1.0/myorg/$metadata#{kind}/$entity"
    return Answer(status, {"@odata.context": context, **value})


def instance(kind: str, value: dict[str, Any]) -> Answer:
    """One object that is not of a set, known by the name of its type."""
    context = f"http://{POWERBI_REGION_HOST}/v1.0/myorg/$metadata#Microsoft.PowerBI.ServiceContracts.Api.V1.{kind}"
    return Answer(200, {"@odata.context": context, **value})


def in_group(answer: Answer, group_id: str) -> Answer:
    """The answer with a context that names the workspace, as that of everything in one does."""
    if isinstance(answer.body, dict) and "@odata.context" in answer.body:
        context = answer.body["@odata.context"].replace("/$metadata#", f"/groups/{group_id}/$metadata#")
        answer.body = answer.body | {"@odata.context": context}
    return answer


def done() -> Answer:
    """A change that returns nothing: 200 with an empty body."""
    return Answer(200)


def complete(answer: Answer, request_id: str) -> Answer:
    """The answer as it leaves the service: with the headers that are on each one."""
    headers = {
        "Cache-Control": "no-store, must-revalidate, no-cache",
        "Pragma": "no-cache",
        "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "RequestId": request_id,
        "Access-Control-Expose-Headers": "RequestId",
        "request-redirected": "true",
        "home-cluster-uri": f"https://{POWERBI_REGION_HOST}/",
    }
    if answer.body is not None and not isinstance(answer.body, bytes):
        headers["Content-Type"] = JSON_TYPE
        return Answer(answer.status, json.dumps(answer.body, ensure_ascii=False).encode(), headers | answer.headers)
    return Answer(answer.status, answer.body, headers | answer.headers)
