"""What Entra ID's refusals of a token request mean, and what to do about each. Pure.

The meanings are those of Microsoft's page "Microsoft Entra authentication and authorization error codes" where it lists
the code, and of the error's own text where it does not. The names of the codes mislead: 70011 is about the scope and
not about the secret, 700016 is as often the wrong tenant as the wrong application.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared import telemetry
from shared.errors import Evidence, Misconfigured, Retryable, Throttled, Unavailable
from shared.settings import IdentitySettings

OPERATION = "entra.token"
_LOOP_PAUSE = 300.0
_CODE = re.compile(r"AADSTS(\d{4,9})")
_LONGEST_MESSAGE = 500


@dataclass(frozen=True)
class Subject:
    """Whose token was asked for, for the remedy: names only."""

    identity: str
    client_id: str
    tenant_id: str
    shown: str
    """What it proved itself with, by the names that an operator finds it under."""

    @classmethod
    def of(cls, identity: IdentitySettings, tenant_id: str, shown: str) -> Subject:
        return cls(identity.name, identity.client_id, tenant_id, shown)


NOBODY = Subject("app", "unknown", "unknown", "unknown")

_STORE_ANEW = "store its value as a new version of {shown}; a restart is not needed"
_FEDERATE = (
    "give application {client_id} a federated credential with exactly {shown} (upper and lower case count), as "
    "infra/entra/setup.sh federation does. One that was just made takes a few minutes"
)
_RENEWAL = "renew {shown}, and upload the new one to application {client_id}"
_CERTIFICATE = "upload {shown} to application {client_id}, or store the one that is registered there"
_TENANT_CLOUD = "check POWERBI_TENANT_ID ({tenant_id}) and POWERBI_CLOUD"
_USER_FLOW = "use a service principal, as this app does by default: password sign-in can't satisfy it"
_WRONG_SCOPE = "check POWERBI_CLOUD, which decides the scope. It is not the secret: leave that as it is"


def _federation(part: str) -> tuple[str, str]:
    return f"no federated credential of the application matches: {part} of the assertion is another", _FEDERATE


_MEANINGS: Mapping[int, tuple[str, str]] = {
    70011: ("the scope is not valid", _WRONG_SCOPE),
    28002: ("the scope is not valid for an access token", _WRONG_SCOPE),
    700022: ("the request names several resources", _WRONG_SCOPE),
    700016: (
        "there is no application {client_id} in tenant {tenant_id}",
        "check POWERBI_{IDENTITY}_CLIENT_ID and POWERBI_TENANT_ID, and that the application was consented to there",
    ),
    7000215: (
        "the client secret is wrong (often the secret's id was stored instead of its value)",
        _STORE_ANEW,
    ),
    7000222: (
        "the client secret has expired",
        "make a new one on application {client_id} and " + _STORE_ANEW,
    ),
    7000229: (
        "application {client_id} has no service principal (enterprise application) in tenant {tenant_id}",
        "create it: az ad sp create --id {client_id}, or have an administrator consent",
    ),
    70025: ("application {client_id} has no federated credential", _FEDERATE),
    700222: (
        "tenant {tenant_id} does not take tokens of Entra ID as assertions",
        "let managed identity and application be of one tenant that allows it, or use certificate:NAME",
    ),
    700229: (
        "the assertion is not an app-only token, which a federated credential for an Entra issuer requires",
        "let a managed identity or an application sign it, not a user",
    ),
    7000216: ("the request carried no secret or assertion", "check POWERBI_{IDENTITY}_CREDENTIAL"),
    7000218: ("the request carried no secret or assertion", "check POWERBI_{IDENTITY}_CREDENTIAL"),
    700025: (
        "application {client_id} is registered as a public client, which may not have a secret",
        "register it as a confidential client (web), not as mobile or desktop",
    ),
    700027: (
        "the certificate's assertion did not verify: another certificate, one not uploaded, or an expired one",
        _CERTIFICATE,
    ),
    1000502: ("the certificate's time has not begun or is over", _RENEWAL),
    7000274: ("the certificate's time has not begun or is over", _RENEWAL),
    7000214: ("the certificate has been revoked", _RENEWAL),
    7000277: ("the certificate has been revoked", _RENEWAL),
    700024: (
        "the assertion is outside its period of validity: this machine's clock is off",
        "set the clock right",
    ),
    70021: _federation("a part"),
    700211: _federation("the issuer"),
    700212: _federation("the audience"),
    700213: _federation("the subject"),
    7002137: _federation("the subject"),
    7002138: _federation("the subject (perhaps only in upper and lower case)"),
    90002: ("there is no tenant {tenant_id} in this cloud", _TENANT_CLOUD),
    90038: ("tenant {tenant_id} belongs to another national cloud", _TENANT_CLOUD),
    900382: ("tenant {tenant_id} belongs to another national cloud", _TENANT_CLOUD),
    900432: ("tenant {tenant_id} belongs to another national cloud", _TENANT_CLOUD),
    500011: (
        "the Power BI service is not known in tenant {tenant_id}",
        "check POWERBI_CLOUD; if it is right, let somebody sign in to Power BI there once, which creates it",
    ),
    650057: ("the resource is not among the application's declared permissions", "add the permission to {client_id}"),
    65005: ("the resource is not among the application's declared permissions", "add the permission to {client_id}"),
    65001: ("nobody has consented", "an administrator consents to application {client_id}"),
    90094: ("an administrator has to consent", "an administrator consents to application {client_id}"),
    50034: ("the user account is not in this directory", "check the tenant, or invite the user"),
    50126: ("user name or password is wrong", "correct them; trying again would lock the account"),
    50053: ("the account is locked, or the address is blocked", "unblock it in Entra, or wait"),
    50076: ("multi-factor authentication is required", _USER_FLOW),
    50079: ("the user has to register for multi-factor authentication", _USER_FLOW),
    53003: (
        "a Conditional Access policy blocks it",
        "allow application {client_id} in the policy for workload identities, or the addresses this app calls from",
    ),
}

_TENANT_THROTTLED = 90055
_LOOP = 50196
_TRANSIENT = frozenset({50033, 90033, 90024})
_TRANSIENT_WORDS = frozenset({"temporarily_unavailable", "server_error"})


def codes(error: Mapping[str, object]) -> Sequence[int]:
    """The AADSTS numbers of an error: from `error_codes`, and where that says nothing from the description."""
    listed = error.get("error_codes")
    numbers = (
        [int(code) for code in listed if re.fullmatch("[0-9]{1,9}", str(code))] if isinstance(listed, list) else []
    )
    return numbers or [int(code) for code in _CODE.findall(str(error.get("error_description", "")))[:3]]


def explain(
    error: Mapping[str, object],
    *,
    subject: Subject = NOBODY,
    status: int | None = None,
    retry_after: float | None = None,
) -> Retryable:
    """The error that an answer of the token endpoint (`error`, `error_description`, `error_codes`, …) stands for.

    `Throttled` and `Unavailable` pass by themselves; everything else is `Misconfigured`, with who has to do what.
    `status` and `retry_after` (seconds) are those of the HTTP answer, where they are known.
    """
    numbers = codes(error)
    evidence = _evidence(error, numbers, status)
    passing = _passing(numbers, str(error.get("error", "")), status, retry_after, evidence)
    return passing or Misconfigured(_sentence(error, numbers, subject), evidence=evidence)


def _passing(
    numbers: Sequence[int], word: str, status: int | None, retry_after: float | None, evidence: Evidence
) -> Retryable | None:
    if _LOOP in numbers:
        detail = "Entra ID counts our token requests as a loop (AADSTS50196). They pause; nothing has to be done."
        return Throttled(detail, retry_after=max(retry_after or 0, _LOOP_PAUSE), evidence=evidence)
    if status == 429 or _TENANT_THROTTLED in numbers:
        detail = "Entra ID asks us to slow down. It is tried again by itself."
        return Throttled(detail, retry_after=retry_after or 10.0, evidence=evidence)
    if (status or 0) >= 500 or not _TRANSIENT.isdisjoint(numbers) or word in _TRANSIENT_WORDS:
        detail = "Entra ID has a passing fault. It is tried again by itself."
        return Unavailable(detail, retry_after=retry_after or 5.0, evidence=evidence)
    return None


def _sentence(error: Mapping[str, object], numbers: Sequence[int], subject: Subject) -> str:
    number = next((number for number in numbers if number in _MEANINGS), None)
    who = f"Entra ID refuses the identity '{subject.identity}' (client id {subject.client_id})"
    if number is None:
        code = f"AADSTS{numbers[0]}" if numbers else str(error.get("error") or "no code")[:80]
        return (
            f"{who}: {code}. Look the code up on https://login.microsoftonline.com/error; the application's sign-in "
            f"log in Entra says more. It was shown {subject.shown}."
        )
    words = {**vars(subject), "IDENTITY": subject.identity.upper()}
    meaning, remedy = (text.format(**words) for text in _MEANINGS[number])
    return f"{who}: {meaning} (AADSTS{number}). What to do: {remedy}."


def _evidence(error: Mapping[str, object], numbers: Sequence[int], status: int | None) -> Evidence:
    description = str(error.get("error_description") or "").splitlines()
    return Evidence(
        operation=OPERATION,
        status=status,
        code=f"AADSTS{numbers[0]}" if numbers else str(error.get("error") or "")[:80],
        message=telemetry.redact(description[0][:_LONGEST_MESSAGE]) if description else "",
        request_id=str(error.get("trace_id") or error.get("correlation_id") or "")[:80],
    )
