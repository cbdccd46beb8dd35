"""What lies in the vault, and who may do what with it. State only, no protocol."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulator import seed
from emulator.http import Json
from emulator.merge import refuse_unknown

_NAME = re.compile(r"[0-9A-Za-z-]{1,127}")
_ROLES_AT_START = {
    seed.MANAGED_IDENTITY_OBJECT_ID: "reader",
    next(app.object_id for app in seed.APPLICATIONS if app.name == "operator"): "officer",
}
_FIELDS = ("value", "enabled", "expires", "notBefore")


@dataclass
class Secret:
    """One version of a secret; times are seconds since 1970."""

    name: str
    value: str = field(repr=False)
    version: str = field(default_factory=lambda: uuid.uuid4().hex)
    enabled: bool = True
    created: int = field(default_factory=lambda: int(time.time()))
    updated: int = field(default_factory=lambda: int(time.time()))
    expires: int | None = None
    not_before: int | None = None
    content_type: str | None = None
    tags: Json | None = None


class SecretStore:
    """Secrets by lower-case name, each with its versions, oldest first.

    `roles`: what a principal (by object id) may do: `reader` is Key Vault Secrets User, `officer` may write as well.
    """

    def __init__(self, at_start: Mapping[str, str]) -> None:
        self._at_start = dict(at_start)
        self.secrets: dict[str, list[Secret]] = {}
        self.roles: dict[str, str] = {}
        self.reset()

    def reset(self) -> None:
        """Back to the start."""
        self.secrets = {}
        self.roles = dict(_ROLES_AT_START)
        for name, value in self._at_start.items():
            self.put(name, value)

    def put(self, name: str, value: str) -> Secret:
        """A new version."""
        secret = Secret(name, value)
        self.secrets.setdefault(name.lower(), []).append(secret)
        return secret

    def find(self, name: str, version: str = "") -> Secret | None:
        """That version, or the newest."""
        versions = self.secrets.get(name.lower(), [])
        if not version:
            return versions[-1] if versions else None
        return next((secret for secret in versions if secret.version == version.lower()), None)

    def state(self) -> Json:
        """For the control API, without values."""
        return {
            "secrets": {
                versions[-1].name: {
                    "version": versions[-1].version,
                    "versions": len(versions),
                    "enabled": versions[-1].enabled,
                    "expires": versions[-1].expires,
                    "notBefore": versions[-1].not_before,
                }
                for versions in self.secrets.values()
            },
            "vaultRoles": dict(self.roles),
        }

    def check(self, patch: Json) -> None:
        """Raises ValueError where `merge` could not do what the patch says."""
        for name, change in patch.get("secrets", {}).items():
            self._check(name, change)
        for principal, role in patch.get("vaultRoles", {}).items():
            if role not in ("reader", "officer", None):
                raise ValueError(f"vaultRoles/{principal} is 'reader', 'officer' or null")

    def merge(self, patch: Json) -> None:
        """A checked merge patch over `secrets` (a `value` makes a new version) and `vaultRoles`."""
        roles = patch.get("vaultRoles", {})
        for name, change in patch.get("secrets", {}).items():
            self._change(name, change)
        self.roles = {who: what for who, what in {**self.roles, **roles}.items() if what is not None}

    def _check(self, name: str, change: Any) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"'{name}' is no name for a secret: letters, digits and hyphens")
        if change is None:
            return
        if not isinstance(change, dict):
            raise ValueError(f"secrets/{name} is an object or null")  # noqa: TRY004
        refuse_unknown(change, _FIELDS, f"field of secrets/{name}")
        if "value" in change and not isinstance(change["value"], str):
            raise ValueError(f"secrets/{name}/value is a text")
        if self.find(name) is None and "value" not in change:
            raise ValueError(f"There is no secret '{name}', and without a value none can be made")

    def _change(self, name: str, change: Json | None) -> None:
        if change is None:
            self.secrets.pop(name.lower(), None)
            return
        secret = self.put(name, change["value"]) if "value" in change else self.secrets[name.lower()][-1]
        secret.enabled = bool(change.get("enabled", secret.enabled))
        secret.expires = change.get("expires", secret.expires)
        secret.not_before = change.get("notBefore", secret.not_before)
