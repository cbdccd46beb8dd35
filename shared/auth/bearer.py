"""Takes a bearer token apart before anything in it is believed. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.errors import Unauthenticated

ALGORITHM = "RS256"
"""The only one that Entra ID signs access tokens with; what the token says only decides whether it is refused."""

_LONGEST = 16 * 1024
_PART = re.compile(r"[A-Za-z0-9_-]+")
_KEY_SOURCES = frozenset({"jku", "jwk", "x5u", "x5c"})
_UNREADABLE = "The bearer token is not a signed token (JWT). Send an access token from Entra ID."
_LATEST = 253_402_300_799.0  # the last second of the year 9999


@dataclass(frozen=True)
class Claims:
    """Claims with their types checked at the moment they are asked for."""

    all: Mapping[str, object] = field(repr=False)

    def text(self, name: str, otherwise: str | None = None) -> str:
        """A claim that is text and not empty; absent, it is `otherwise`, or the token is refused."""
        if name not in self.all and otherwise is not None:
            return otherwise
        value = self.all.get(name)
        if not isinstance(value, str) or not (value or otherwise is not None):
            raise _wrong(name)
        return value

    def texts(self, name: str) -> frozenset[str]:
        """A claim that is a list of texts; absent, it is empty."""
        value = self.all.get(name, [])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise _wrong(name)
        return frozenset(value)

    def time(self, name: str) -> float:
        """A claim that is a time in seconds since 1970."""
        value = self.all.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(name)
        if not 0 <= value <= _LATEST:  # and not NaN, which compares with nothing
            raise _wrong(name)
        return float(value)


@dataclass(frozen=True)
class Token:
    """An unverified token: `text` is what was sent."""

    text: str = field(repr=False)
    key_id: str
    claims: Claims


def parse(authorization: str | None) -> Token:
    """The token of an `Authorization` header, not yet verified.

    Raises `Unauthenticated` unless it is one JWS in compact form, signed with RS256, that has a key id and names no
    other place to take a key from.
    """
    text = _bearer(authorization)
    parts = text.split(".")
    if len(parts) != 3 or not all(_PART.fullmatch(part) for part in parts):
        raise Unauthenticated(_UNREADABLE)
    header, claims = _object(parts[0]), _object(parts[1])
    _bytes(parts[2])
    if "crit" in header or not _KEY_SOURCES.isdisjoint(header):
        raise Unauthenticated("The token's header asks for something that is not supported here.")
    if header.get("alg") != ALGORITHM:
        raise Unauthenticated(f"The token is not signed with {ALGORITHM}.")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not key_id:
        raise Unauthenticated("The token does not say which key signed it.")
    return Token(text, key_id, Claims(claims))


def _bearer(authorization: str | None) -> str:
    if not authorization:
        raise Unauthenticated(
            "This needs an access token from Entra ID, sent as a bearer token in the Authorization header."
        )
    words = authorization.split(" ")
    if len(words) != 2 or words[0].lower() != "bearer":
        raise Unauthenticated("The Authorization header has to hold one bearer token and nothing else.")
    if len(words[1]) > _LONGEST:
        raise Unauthenticated("The token is too long.")
    return words[1]


def _object(part: str) -> Mapping[str, object]:
    try:
        value = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise Unauthenticated(_UNREADABLE) from None
    if not isinstance(value, dict):
        raise Unauthenticated(_UNREADABLE)
    return value


def _bytes(part: str) -> bytes:
    """Decodes base64url strictly: one text for the same bytes, so that a token can't be altered unnoticed."""
    try:
        value = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except (ValueError, binascii.Error):
        value = b""
    if not value or base64.urlsafe_b64encode(value).rstrip(b"=").decode() != part:
        raise Unauthenticated("The bearer token is damaged.")
    return value


def _wrong(claim: str) -> Unauthenticated:
    return Unauthenticated(f"The token's claim '{claim}' is missing or not of its type.")
