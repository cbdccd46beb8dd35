"""A customer's back end exchanges its Entra token for an embed token with row-level security."""

from __future__ import annotations

import base64
import json
from typing import Any

from emulator.demo.stage import Json, Stage, expect, step

CUSTOMER = "customer-1042"
OTHER_CUSTOMER = "customer-2077"


def play(stage: Stage) -> None:
    """Every fact in the outcomes is read back from Power BI, not from our own answers."""
    tokens: dict[str, Json] = {}
    entra: dict[str, str] = {}

    def sign_in() -> str:
        entra["token"] = stage.caller_token("customer-portal")
        claims = _claims(entra["token"])
        return f"app-only token, roles {', '.join(claims['roles'])}"

    def exchange(customer: str) -> str:
        answer = _ask(stage, entra["token"], customer)
        expect(answer.status_code == 200, f"expected 200, got {answer.status_code}: {answer.text}")
        tokens[customer] = answer.json()
        return _as_power_bi_has_it(stage, tokens[customer]["tokenId"])

    def again() -> str:
        before = stage.upstream_calls()
        answer = _ask(stage, entra["token"], CUSTOMER).json()
        expect(answer["tokenId"] == tokens[CUSTOMER]["tokenId"], "expected the same token for the same identity")
        return f"same token, {stage.upstream_calls() - before} calls to Entra and Power BI"

    step("the portal's back end signs in to Entra", sign_in)
    step(f"it asks for an embed token for {CUSTOMER}", lambda: exchange(CUSTOMER))
    step(f"and for one for {OTHER_CUSTOMER}", lambda: exchange(OTHER_CUSTOMER))
    step(f"the next page view of {CUSTOMER}", again)
    step("it asks to edit, which nobody granted", lambda: _refused(stage, entra["token"], {"accessLevel": "Edit"}))
    step("it asks for the role of an employee", lambda: _refused(stage, entra["token"], _identity(roles=["Employee"])))
    step("a client without a grant asks", lambda: _refused(stage, stage.caller_token("nobody"), {}))
    step("somebody without a token asks", lambda: _refused(stage, "", {}, 401))


def _identity(username: str = CUSTOMER, **more: Any) -> Json:
    return {"identity": {"username": username, **more}}


def _ask(stage: Stage, token: str, customer: str) -> Any:
    return stage.app("POST", "embed-tokens", token, {"reports": ["margin-report"], **_identity(customer)})


def _refused(stage: Stage, token: str, more: Json, status: int = 403) -> str:
    answer = stage.app("POST", "embed-tokens", token, {"reports": ["margin-report"], **_identity(), **more})
    expect(answer.status_code == status, f"expected {status}, got {answer.status_code}: {answer.text}")
    return f"{status} {answer.json()['detail']}"


def _as_power_bi_has_it(stage: Stage, token_id: str) -> str:
    made = stage.control("GET", "state")["embedTokens"].get(token_id)
    expect(made is not None, f"Power BI knows no embed token {token_id}")
    names = {id: name for name, id in stage.described["seed"]["reports"].items()}
    reports = ", ".join(names[report["id"]] for report in made["reports"])
    who = "; ".join(f"{one['username']} as {', '.join(one['roles'])}" for one in made["identities"])
    return f"Power BI issued it for '{reports}', {who}, until {made['expiration']}"


def _claims(token: str) -> Json:
    payload = token.split(".")[1]
    claims: Json = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
