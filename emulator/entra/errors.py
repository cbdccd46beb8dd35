"""Entra's errors: codes, texts, statuses and the body they come in.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from emulator.http import Answer, Call, Json, Refusal


@dataclass(frozen=True)
class EntraFault:
    """One AADSTS error. `{}` in the text takes what it is about."""

    error: str
    text: str
    status: int = 0
    """0: 401 for invalid_client, 400 for all others; few are confirmed, so a switch may say otherwise."""


FAULTS: dict[int, EntraFault] = {
    28000: EntraFault("invalid_request", "Provided value for the input parameter scope is not valid because it "
                      "contains more than one resource. Scope {} is not valid."),
    50034: EntraFault("invalid_grant", "The user account {} does not exist in the directory. To sign into this "
                      "application, the account must be added to the directory."),
    50049: EntraFault("invalid_instance", "Unknown or invalid instance."),
    50053: EntraFault("invalid_grant", "The account is locked, you've tried to sign in too many times with an "
                      "incorrect user ID or password."),
    50057: EntraFault("invalid_grant", "The user account is disabled."),
    50059: EntraFault("invalid_request", "No tenant-identifying information found in either the request or implied "
                      "by any provided credentials."),
    50076: EntraFault("invalid_grant", "Due to a configuration change made by your administrator, or because you "
                      "moved to a new location, you must use multi-factor authentication to access '{}'."),
    50126: EntraFault("invalid_grant", "Error validating credentials due to invalid username or password."),
    70003: EntraFault("unsupported_grant_type", "The app requested an unsupported grant type '{}'."),
    70008: EntraFault("invalid_grant", "The provided authorization code or refresh token has expired due to "
                      "inactivity. Send a new interactive authorization request for this user and resource."),
    70011: EntraFault("invalid_scope", "The provided request must include a 'scope' input parameter. The provided "
                      "value for the input parameter 'scope' is not valid. The scope {} is not valid."),
    70025: EntraFault("invalid_client", "The client '{}' has no configured federated identity credentials."),
    90002: EntraFault("invalid_request", "Tenant '{}' not found. Check to make sure you have the correct tenant ID "
                      "and are signing into the correct cloud. Check with your subscription administrator, this may "
                      "happen if there are no active subscriptions for the tenant."),
    500011: EntraFault("invalid_resource", "The resource principal named {} was not found in the tenant named "
                       "Contoso. This can happen if the application has not been installed by the administrator of "
                       "the tenant or consented to by any user in the tenant. You might have sent your authentication "
                       "request to the wrong tenant."),
    50027: EntraFault("invalid_client", "JWT token is invalid or malformed."),
    700016: EntraFault("unauthorized_client", "Application with identifier '{}' was not found in the directory "
                       "'Contoso'. This can happen if the application has not been installed by the administrator of "
                       "the tenant or consented to by any user in the tenant. You may have sent your authentication "
                       "request to the wrong tenant."),
    700021: EntraFault("invalid_client", "Client assertion application identifier doesn't match 'client_id' "
                       "parameter. Review the documentation at https://aka.ms/aadjwtcreds."),
    700023: EntraFault("invalid_client", "Client assertion audience claim does not match Realm issuer. Review the "
                       "documentation at https://aka.ms/aadjwtcreds."),
    700024: EntraFault("invalid_client", "Client assertion is not within its valid time range. {}"),
    700025: EntraFault("invalid_client", "Client is public so neither 'client_assertion' nor 'client_secret' should "
                       "be presented."),
    700027: EntraFault("invalid_client", "The certificate with identifier used to sign the client assertion is not "
                       "registered on application, or the assertion failed signature validation. [Reason - {}]"),
    700211: EntraFault("invalid_client", "No matching federated identity record found for presented assertion issuer "
                       "'{}'. Check your federated identity credential Subject, Audience and Issuer against the "
                       "presented assertion."),
    700212: EntraFault("invalid_client", "No matching federated identity record found for presented assertion "
                       "audience '{}'. Check your federated identity credential Subject, Audience and Issuer against "
                       "the presented assertion."),
    700213: EntraFault("invalid_client", "No matching federated identity record found for presented assertion "
                       "subject '{}'. Check your federated identity credential Subject, Audience and Issuer against "
                       "the presented assertion."),
    700229: EntraFault("invalid_client", "Only app-only tokens can be used as Federated Identity Credentials for "
                       "Entra Id issuer."),
    900144: EntraFault("invalid_request", "The request body must contain the following parameter: '{}'."),
    7000215: EntraFault("invalid_client", "Invalid client secret provided. Ensure the secret being sent in the "
                        "request is the client secret value, not the client secret ID, for a secret added to app "
                        "'{}'.", 401),
    7000216: EntraFault("invalid_client", "'client_assertion', 'client_secret' or 'request' is required for the "
                        "'client_credentials' grant type."),
    7000218: EntraFault("invalid_client", "The request body must contain the following parameter: "
                        "'client_assertion' or 'client_secret'."),
    7000222: EntraFault("invalid_client", "The provided client secret keys for app '{}' are expired. Visit the Azure "
                        "portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using "
                        "certificate credentials for added security: https://aka.ms/certCreds."),
    7000229: EntraFault("invalid_client", "The client application {} is missing service principal in the tenant {}. "
                        "See instructions here: https://go.microsoft.com/fwlink/?linkid=2225119"),
}  # fmt: skip


class EntraRefused(Exception):
    """Raised where a token is refused; the service turns it into an answer."""

    def __init__(self, code: int, *about: object) -> None:
        super().__init__(code)
        self.code = code
        self.about = about

    def answer(self, call: Call, statuses: Json) -> Answer:
        """The answer to this call; `statuses` is the switch that overrides the status for a code."""
        fault = FAULTS[self.code]
        status = statuses.get(str(self.code)) or fault.status or (401 if fault.error == "invalid_client" else 400)
        body = error_body(self.code, fault.error, fault.text.format(*self.about), call)
        return Answer(int(status), body)

    def refusal(self, call: Call, statuses: Json) -> Refusal:
        """The same, to be raised within a handler."""
        return Refusal(self.answer(call, statuses))


def error_body(code: int, error: str, text: str, call: Call) -> Json:
    """The document that Entra answers errors with."""
    correlation_id = call.headers.get("client-request-id") or str(uuid.uuid4())
    timestamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    traces = f"Trace ID: {call.request_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
    return {
        "error": error,
        "error_description": f"AADSTS{code}: {text} {traces}",
        "error_codes": [code],
        "timestamp": timestamp,
        "trace_id": call.request_id,
        "correlation_id": correlation_id,
        "error_uri": f"https://{call.host}/error?code={code}",
    }
