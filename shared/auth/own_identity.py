"""Who this app's own service principal is, by object id: workspaces know applications by nothing else."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from shared.errors import Misconfigured

if TYPE_CHECKING:
    from shared.auth.tokens import AccessToken

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Tokens(Protocol):
    """Where the access tokens of the app's identities come from."""

    def token(self, identity: str) -> AccessToken: ...


class OwnIdentity:
    """Reads the claim `oid` of our own access token, once.

    A token's content is its audience's business, so this is used with care: the token comes straight from Entra over
    TLS, nothing is granted on the strength of it, and whoever can't read it learns nothing rather than something wrong.
    Settings know the client id only, Microsoft Graph would take a permission that the app does without, and the members
    of a new workspace would tell only after we knew that it is ours.
    """

    def __init__(self, tokens: Tokens, identity: str) -> None:
        self._tokens = tokens
        self._identity = identity
        self._object_id = ""

    def __call__(self) -> str:
        """The object id, in lower case. Raises Misconfigured where the token does not say, and what the token source
        raises."""
        if not self._object_id:
            self._object_id = object_id(self._tokens.token(self._identity).value)
        return self._object_id


def object_id(token: str) -> str:
    """The claim `oid` of our own token; raises Misconfigured where there is none."""
    found = str(own_claims(token).get("oid", "")).lower()
    if not _GUID.fullmatch(found):
        raise Misconfigured(
            "The access token of this app's own identity does not say which service principal it is (claim 'oid'), so "
            "its workspaces can't be told from others'. Report it to the maintainers."
        )
    return found


def own_claims(token: str) -> Mapping[str, object]:
    """What a token that was issued to this app says, unverified; nothing where it can't be read."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}
