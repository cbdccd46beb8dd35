"""What Entra knows: applications with their credentials, people, the managed identity. State only, no protocol."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.x509 import load_pem_x509_certificate

from emulator import seed
from emulator.clouds import CLOUDS, EmulatedCloud
from emulator.durations import parse_duration
from emulator.http import Json
from emulator.merge import merge_patch, refuse_unknown

_HIDDEN = "[hidden]"
_NEW_APPLICATION: Json = {
    "name": "",
    "objectId": "",
    "roles": [],
    "servicePrincipal": True,
    "public": False,
    "publicFlows": False,
    "secrets": {},
    "certificates": {},
    "federatedCredentials": {},
}
_NEW_USER: Json = {
    "objectId": "",
    "displayName": "",
    "roles": [],
    "password": "",
    "enabled": True,
    "mfaRequired": False,
    "locked": False,
}
_SWITCHES: Json = {
    "accessTokenAcceptedVersion": 2,
    "accessTokenLifetime": "PT1H",
    "managedIdentityTokenLifetime": "PT24H",
    "idtyp": False,
    "entraErrorStatus": {},
}


class Directory:
    """The tenant's directory.

    `applications` are keyed by client id, `users` by user principal name. An application's `secrets` are keyed by key
    id: `{"value", "expires": time, if it does}`; its `certificates` are PEM texts by name; its `federatedCredentials`
    have `issuer`, `subject` and `audience`. One that is `public` can keep no secret; one with `publicFlows` has them,
    and does without when people sign in to it.
    """

    def __init__(self) -> None:
        self._at_start = {
            "applications": {app.client_id: _application(app) for app in seed.APPLICATIONS},
            "users": {person.upn: _user(person) for person in seed.PEOPLE},
            "switches": _SWITCHES,
        }
        self._state: Json = {}
        self.reset()

    def reset(self) -> None:
        """Back to the start, secrets included."""
        self._state = deepcopy(self._at_start)

    @property
    def switches(self) -> Json:
        return self._state["switches"]  # type: ignore[no-any-return]

    def application(self, client_id: str) -> Json | None:
        """By client id, in whatever case."""
        found: Json | None = self._state["applications"].get(client_id.lower())
        return None if found is None else {**found, "clientId": client_id.lower()}

    def application_named(self, name: str) -> Json:
        """By its name in the seed; raises ValueError."""
        for client_id, application in self._state["applications"].items():
            if application["name"] == name:
                return {**application, "clientId": client_id}
        raise ValueError(f"There is no application '{name}'")

    def user(self, upn: str) -> Json | None:
        """By user principal name, in whatever case."""
        found: Json | None = self._state["users"].get(upn.lower())
        return None if found is None else {**found, "upn": upn.lower()}

    def first_secret(self, name: str) -> str:
        """The secret with which this application started."""
        [secret] = self._at_start_application(name)["secrets"].values()
        return str(secret["value"])

    def password(self, upn: str) -> str:
        """The password with which this person started."""
        return str(self._at_start["users"][upn]["password"])

    def new_secret(self, name: str, *, keep_old: bool) -> str:
        """Add a client secret, in place of the old ones unless they are kept; raises ValueError."""
        application = self._state["applications"][self.application_named(name)["clientId"]]
        secret = _secret()
        application["secrets"] = {**(application["secrets"] if keep_old else {}), str(uuid.uuid4()): secret}
        return str(secret["value"])

    def expire_secrets(self, name: str) -> None:
        """End the validity of all its secrets; raises ValueError."""
        a_minute_ago = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        for secret in self._state["applications"][self.application_named(name)["clientId"]]["secrets"].values():
            secret["expires"] = a_minute_ago

    def lifetime(self) -> timedelta:
        """How long the next access token lives."""
        chosen = self.switches["accessTokenLifetime"]
        if chosen == "random":
            return timedelta(seconds=3600 + secrets.randbelow(1801))
        return parse_duration(chosen)

    def managed_identity_lifetime(self) -> timedelta:
        """How long the next token of the managed identity lives."""
        return parse_duration(self.switches["managedIdentityTokenLifetime"])

    def state(self) -> Json:
        """All of it, without the values of secrets."""
        shown = deepcopy(self._state)
        for application in shown["applications"].values():
            for secret in application["secrets"].values():
                secret["value"] = _HIDDEN
        for user in shown["users"].values():
            user["password"] = _HIDDEN
        return shown

    def merged(self, patch: Json) -> Json:
        """What a merge patch over `applications`, `users`, `switches` would make of it; raises ValueError."""
        merged: Json = merge_patch(self._state, patch)
        for map_name, new in (("applications", _NEW_APPLICATION), ("users", _NEW_USER)):
            _demand_objects(merged[map_name], map_name)
            entries = {key.lower(): merge_patch(new, entry) for key, entry in merged[map_name].items()}
            for key, entry in entries.items():
                refuse_unknown(entry, new, f"field of {map_name}/{key}")
                entry["objectId"] = entry["objectId"] or str(uuid.uuid5(uuid.NAMESPACE_URL, key))
                _check_types(entry, new, f"{map_name}/{key}")
                _check_credentials(entry, f"{map_name}/{key}")
            merged[map_name] = entries
        _check_switches(merged["switches"])
        return merged

    def adopt(self, merged: Json) -> None:
        """Take what `merged` has made."""
        self._state = merged

    def _at_start_application(self, name: str) -> Json:
        applications: Json = self._at_start["applications"]
        return next(app for app in applications.values() if app["name"] == name)


def _secret() -> Json:
    return {"value": f"{secrets.token_urlsafe(3)}8Q~{secrets.token_urlsafe(24)}"}


def _application(app: seed.Application) -> Json:
    exchanges = {f"managed-identity-{cloud.name}": _exchange(cloud) for cloud in CLOUDS} if app.powerbi else {}
    return {
        **deepcopy(_NEW_APPLICATION),
        "name": app.name,
        "objectId": app.object_id,
        "roles": list(app.roles),
        "publicFlows": app.public_flows,
        "secrets": {str(uuid.uuid4()): _secret()},
        "federatedCredentials": exchanges,
    }


def _exchange(cloud: EmulatedCloud) -> Json:
    """The managed identity may vouch for the registrations that the app acts as."""
    return {
        "issuer": f"{cloud.v2_issuer}{seed.TENANT_ID}/v2.0",
        "subject": seed.MANAGED_IDENTITY_OBJECT_ID,
        "audience": cloud.exchange_audience,
    }


def _user(person: seed.Person) -> Json:
    return {
        **deepcopy(_NEW_USER),
        "objectId": person.object_id,
        "displayName": person.display_name,
        "roles": list(person.roles),
        "password": secrets.token_urlsafe(16),
    }


def _check_types(entry: Json, model: Json, where: str) -> None:
    for name, value in entry.items():
        if type(value) is not type(model[name]):
            raise ValueError(f"{where}/{name} is of type {type(model[name]).__name__}")


def _moment(text: str) -> datetime:
    """A time with its offset; raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset: add Z")
    return moment


def _demand_objects(entries: Json, where: str) -> None:
    for key, entry in entries.items():
        if not isinstance(entry, dict):
            raise ValueError(f"{where}/{key} is an object")  # noqa: TRY004


def _check_credentials(entry: Json, where: str) -> None:
    """What a credential lacks would otherwise show only when somebody tries to use it."""
    for kind, fields in (("secrets", ("value",)), ("federatedCredentials", ("issuer", "subject", "audience"))):
        _demand_objects(entry.get(kind, {}), f"{where}/{kind}")
        for key, credential in entry.get(kind, {}).items():
            if not all(isinstance(credential.get(name), str) for name in fields):
                raise ValueError(f"{where}/{kind}/{key} needs {', '.join(fields)}")
            if credential.get("expires"):
                _moment(credential["expires"])
    for name, pem in entry.get("certificates", {}).items():
        try:
            load_pem_x509_certificate(str(pem).encode())
        except ValueError:
            raise ValueError(f"{where}/certificates/{name} is not a certificate in PEM") from None


_SWITCH_CHECKS: dict[str, Callable[[Any], bool]] = {
    "accessTokenAcceptedVersion": lambda value: value in (1, 2) and not isinstance(value, bool),
    "accessTokenLifetime": lambda value: value == "random" or parse_duration(value) > timedelta(0),
    "managedIdentityTokenLifetime": lambda value: parse_duration(value) > timedelta(0),
    "idtyp": lambda value: isinstance(value, bool),
    "entraErrorStatus": lambda value: isinstance(value, dict) and all(400 <= int(to) < 600 for to in value.values()),
}
ENTRA_SWITCHES = frozenset(_SWITCH_CHECKS)


def _check_switches(switches: Json) -> None:
    refuse_unknown(switches, _SWITCHES, "switch")
    for name, default in _SWITCHES.items():
        switches.setdefault(name, deepcopy(default))
        try:
            fits = _SWITCH_CHECKS[name](switches[name])
        except (ValueError, TypeError):
            fits = False
        if not fits:
            raise ValueError(f"The switch {name} can't be {switches[name]!r}")
