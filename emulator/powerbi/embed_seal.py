"""The value of an embed token: looks like the real one, and says who made it and that nobody changed it since."""

from __future__ import annotations

import base64
import binascii
import gzip
import hashlib
import hmac
import json
from datetime import datetime

from emulator.http import Json


class EmbedTokenExpired(ValueError):
    """The token was good, and is no longer."""


def seal(grant: Json, key: bytes) -> str:
    """`H4sI…`: base64 of gzip of JSON, with an HMAC over the grant."""
    sealed = {"grant": grant, "mac": _mac(grant, key)}
    return base64.b64encode(gzip.compress(json.dumps(sealed).encode(), mtime=0)).decode()


def unseal(token: str, key: bytes, now: datetime) -> Json:
    """What the token grants: `exp` in epoch seconds, the rest as it was made.

    Raises  ValueError for what is forged or no token, EmbedTokenExpired for what is too old.
    """
    try:
        sealed = json.loads(gzip.decompress(base64.b64decode(token, validate=True)))
        grant, mac = sealed["grant"], sealed["mac"]
    except (binascii.Error, OSError, EOFError, ValueError, KeyError, TypeError) as fault:
        raise ValueError("This is not an embed token") from fault
    if not isinstance(grant, dict) or not hmac.compare_digest(str(mac), _mac(grant, key)):
        raise ValueError("This embed token was not made by this emulator, or was changed")
    if now.timestamp() >= grant["exp"]:
        raise EmbedTokenExpired("This embed token has expired")
    return grant


def fingerprint(token: str) -> str:
    """What the state keeps in place of the token."""
    return hashlib.sha256(token.encode()).hexdigest()


def _mac(grant: Json, key: bytes) -> str:
    text = json.dumps(grant, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
