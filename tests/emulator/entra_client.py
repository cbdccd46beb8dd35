"""What the tests of the emulated Entra have in common: ways to ask it, and the check that an API makes."""

from __future__ import annotations

from typing import Any

import jwt
import msal
import requests

from emulator.seed import TENANT_ID
from tests.cloud import Cloud

POWER_BI = "https://analysis.windows.net/powerbi/api"
LOGIN = "https://login.microsoftonline.com"
CODES = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
CLAIMS = "https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference"
Json = dict[str, Any]


def msal_client(cloud: Cloud, name: str, credential: Any = None, host: str = LOGIN) -> Any:
    known = cloud.described["clients"][name]
    return msal.ConfidentialClientApplication(
        known["clientId"],
        client_credential=credential or known["clientSecret"],
        authority=f"{host}/{TENANT_ID}",
        timeout=10,
    )


def post(cloud: Cloud, path: str = f"{TENANT_ID}/oauth2/v2.0/token", **form: str) -> requests.Response:
    with cloud.session() as session:
        return session.post(f"{LOGIN}/{path}", data=form, timeout=10)


def get(cloud: Cloud, path: str, host: str = LOGIN) -> Json:
    with cloud.session() as session:
        answer = session.get(f"{host}/{path}", timeout=10)
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


def token_form(cloud: Cloud, name: str = "embed", **changes: str | None) -> dict[str, str]:
    known = cloud.described["clients"][name]
    form = {
        "grant_type": "client_credentials",
        "client_id": known["clientId"],
        "client_secret": known["clientSecret"],
        "scope": f"{POWER_BI}/.default",
        **changes,
    }
    return {field: value for field, value in form.items() if value is not None}


def verified(cloud: Cloud, token: str, audience: str) -> Json:
    """The claims, after the check that any API makes: key from the tenant's JWKS, audience, times."""
    keys = jwt.PyJWKClient(f"{LOGIN}/{TENANT_ID}/discovery/v2.0/keys")
    key = keys.get_signing_key_from_jwt(token).key
    claims: Json = jwt.decode(token, key, algorithms=["RS256"], audience=audience)
    return claims
