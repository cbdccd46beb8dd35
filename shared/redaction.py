"""What must never stand in a log line or an answer: tokens, keys and secrets are cut out of any text."""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"
SHORTEST_SECRET = 6
KNOWN_SECRETS = 256

_NAMES = (
    r"client[_-]?secret|client[_-]?assertion|assertion|password|passwd|pwd"
    r"|(?:access|refresh|id|embed|sas|session|security)[_-]?token"
    r"|account[_-]?key|shared[_-]?access[_-]?(?:key|signature)|access[_-]?key|api[_-]?key"
    r"|x-functions-key|subscription[_-]?key|x-identity-header|identity[_-]header|authorization|sig"
)
_WORDS = r"secret|token"  # prose as well: they count only as `secret=…` or with a quoted name
_VALUE = (
    r"""(?!\[redacted\])(?:(?P<quote>\\*["'])(?:(?!(?<!\\)(?P=quote)).)*"""
    r"""|(?:(?:bearer|basic|sharedkey|sharedkeylite)\s+)?[^\s&;,"'<>\\)\]}]+)"""
)

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # a private key in PEM, to its end or to the end of the text
    (re.compile(r"(?s)-----BEGIN [A-Z ]{0,20}PRIVATE KEY.*?(?:-----END [A-Z ]{0,20}PRIVATE KEY-----|\Z)"), REDACTED),
    # a signed or encrypted token (JWT), also one that was cut off
    (re.compile(r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_=+/-]*)*"), REDACTED),
    # an embed token of Power BI: gzip in base64, then a part that names the cluster
    (re.compile(r"H4sI[A-Za-z0-9+/_=-]{8,}(?:\.[A-Za-z0-9_=+/-]*)*"), REDACTED),
    # user:password@ in an address
    (re.compile(r"""(?<=://)[^/\s:@"']{1,256}:[^/\s@"']{1,256}(?=@)"""), REDACTED),
    # name=value, name: value, "name": "value"; a value in quotes that never close goes to the end of the text
    (
        re.compile(rf"""(?is)(?P<name>(?:{_NAMES})(?:\\*["'])?\s{{0,4}}[=:]\s{{0,4}}){_VALUE}"""),
        rf"\g<name>\g<quote>{REDACTED}",
    ),
    (
        re.compile(rf"""(?is)(?P<name>(?:{_WORDS})(?:=|\\*["']\s{{0,4}}[=:]\s{{0,4}})){_VALUE}"""),
        rf"\g<name>\g<quote>{REDACTED}",
    ),
    # a function key or an authorization code in a query
    (re.compile(r"""(?i)(?P<name>[?&]code=)[^\s&"'<>]+"""), rf"\g<name>{REDACTED}"),
    # Bearer …, unless a plain word of prose follows
    (
        re.compile(
            r"""(?P<name>(?i:bearer)[ :]{1,4})(?=[a-z]{0,64}(?:[A-Z0-9_~+/-]|\.[A-Za-z0-9])|[a-z]{16})"""
            r"""[A-Za-z0-9._~+/-]{6,}={0,2}(?![A-Za-z"=])"""
        ),
        rf"\g<name>{REDACTED}",
    ),
)

_SENSITIVE_ENDINGS = (
    *("secret", "password", "passwd", "pwd", "token", "assertion", "authorization", "accountkey", "accesskey"),
    *("apikey", "sharedaccesssignature", "connectionstring", "cookie", "privatekey", "functionskey"),
)


class _KnownSecrets:
    """The texts that are known to be secret, each in the spellings in which it may appear; oldest out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, frozenset[str]] = OrderedDict()
        self.spellings: tuple[str, ...] = ()

    def add(self, value: str) -> None:
        with self._lock:
            self._kept[value] = _spellings(value)
            self._kept.move_to_end(value)
            while len(self._kept) > KNOWN_SECRETS:
                self._kept.popitem(last=False)
            together = frozenset[str]().union(*self._kept.values())
            # the longest first: a secret that contains another one goes as a whole
            self.spellings = tuple(sorted(together, key=lambda text: (-len(text), text)))


def _spellings(value: str) -> frozenset[str]:
    """As it is, in an address or a form, in JSON, and in Python's own notation."""
    safe = value.encode("utf-8", "replace").decode()
    written = {
        value,
        quote(safe, safe=""),
        quote_plus(safe),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
    }
    return frozenset(text for text in written if len(text) >= SHORTEST_SECRET)


_known = _KnownSecrets()


def keep_secret(value: str) -> None:
    """From now on exactly this text is replaced wherever it appears.

    Texts under 6 characters are ignored (they would eat ordinary words); the newest 256 are kept.
    """
    if len(value) >= SHORTEST_SECRET:
        _known.add(value)


def redact(text: str) -> str:
    """The text without anything that is known to be a secret or looks like a credential."""
    for secret in _known.spellings:
        if secret in text:
            text = text.replace(secret, REDACTED)
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def names_a_secret(name: str) -> bool:
    """Whether a field of this name holds a secret (`clientSecret`, `access_token`); `secretName` does not."""
    plain = re.sub(r"[^a-z]", "", name.lower())
    return plain == "sig" or plain.endswith(_SENSITIVE_ENDINGS)
