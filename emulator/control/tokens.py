"""Odd callers' tokens: a valid token for our API, but for what a test wants to be wrong with it."""

from __future__ import annotations

from typing import get_args

from emulator.clouds import PUBLIC
from emulator.entra.claims import Grant, application_claims, user_claims
from emulator.entra.resources import Wanted
from emulator.entra.service import Entra
from emulator.entra.tokens import Sign
from emulator.http import Json
from emulator.seed import ALL_ROLES, API_APP_URI, PEOPLE


def odd_token(wanted: Json, entra: Entra) -> str:
    """A token such as `operator` gets for our API, with the claims and header of `wanted` merged in (null removes).

    `client` names another application; with `delegated` it is the token of `user` (the first of the seed by default)
    with all scopes. Raises ValueError with a sentence.
    """
    sign, claims, header = wanted.get("sign", "right"), wanted.get("claims", {}), wanted.get("header", {})
    if sign not in get_args(Sign):
        raise ValueError(f"sign is one of {', '.join(get_args(Sign))}")
    if not isinstance(claims, dict) or not isinstance(header, dict):
        raise ValueError("claims and header are objects")  # noqa: TRY004
    merged = {name: value for name, value in {**_usual(wanted, entra), **claims}.items() if value is not None}
    return entra.authority.issue(merged, sign=sign, header=header)


def _usual(wanted: Json, entra: Entra) -> Json:
    directory = entra.directory
    application = directory.application_named(str(wanted.get("client", "operator")))
    version = int(directory.switches["accessTokenAcceptedVersion"])
    user = directory.user(str(wanted.get("user", PEOPLE[0].upn))) if wanted.get("delegated") else None
    if wanted.get("delegated") and user is None:
        raise ValueError(f"There is no user '{wanted.get('user')}'")
    grant = Grant(
        PUBLIC,
        version,
        Wanted(API_APP_URI).audience(version),
        application["clientId"],
        "1",
        directory.lifetime(),
        idtyp=bool(directory.switches["idtyp"]),
        roles=tuple((user or application)["roles"]),
    )
    if user is not None:
        return user_claims(grant, user, " ".join(ALL_ROLES))
    return application_claims(grant, application["objectId"])
