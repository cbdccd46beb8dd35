"""Nothing that is known to be a secret, or looks like one, gets into a log line or an answer."""

from __future__ import annotations

import base64
import json
import logging
import secrets
import string
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import redaction, telemetry
from shared.redaction import REDACTED
from tests.unit.log_lines import Lines, fail


def jwt() -> str:
    parts = (json.dumps({"alg": "RS256"}), json.dumps({"aud": "x", "n": secrets.token_hex(8)}), secrets.token_hex(32))
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize(
    "text",
    [
        "https://a.blob.core.windows.net/c/b?sv=2026&sig={}&se=1",
        "GET /api/health?code={} HTTP/1.1",
        "x=1&client_secret={}&grant_type=client_credentials",
        "client_assertion={}&x=1",
        '{{"access_token":"{}","expires_in":3599}}',
        '{{"refresh_token": "{}"}}',
        "{{'password': '{}'}}",
        '{{"body": "{{\\"token\\": \\"{}\\"}}"}}',
        "AccountName=a;AccountKey={};EndpointSuffix=core.windows.net",
        "Endpoint=sb://x/;SharedAccessKey={}",
        "Authorization: Bearer {}",
        "authorization: Basic {}",
        "Authorization: SharedKey account:{}",
        "{{'Authorization': 'Bearer {}'}}",
        "headers: bearer {}",
        "x-functions-key: {}",
        "X-IDENTITY-HEADER: {}",
        "password={}",
        "http://user:{}@proxy:3128/",
        "clientSecret = {}",
    ],
)
@pytest.mark.parametrize("secret", ["A1b2C3d4E5f6", "Zm9v8~Q.x-_abc123", "0123456789abcdef0123456789abcdef"])
def test_credentials_are_cut_out_wherever_they_usually_stand(no_known_secrets: None, text: str, secret: str) -> None:
    redacted = telemetry.redact(text.format(secret))
    assert secret not in redacted
    assert REDACTED in redacted


def test_a_value_in_quotes_goes_as_a_whole(no_known_secrets: None) -> None:
    assert telemetry.redact('{"password": "a \\"b\\", c&d; e", "x": 1}') == '{"password": "[redacted]", "x": 1}'


def test_embed_tokens_and_private_keys_are_cut_out(no_known_secrets: None) -> None:
    token = "H4sI" + secrets.token_urlsafe(60) + "==." + secrets.token_urlsafe(30)
    assert telemetry.redact(f"got {token} back") == "got [redacted] back"
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{secrets.token_hex(40)}\n-----END RSA PRIVATE KEY-----"
    assert telemetry.redact(f"key {key} end") == "key [redacted] end"


@pytest.mark.parametrize(
    "text",
    [
        "POWERBI_EMBED_CREDENTIAL must be secret:NAME.",
        "The secret 'embed-client-secret' in the vault is disabled.",
        "Send a Bearer token. Bearer authentication is used.",
        "code=PowerBIEntityNotFound",
        '{"code": "TokenExpired", "tokenId": "6f"}',
        "POST /v1.0/myorg/GenerateToken answered 403 (PowerBINotAuthorizedException)",
        "d4000000-0000-4000-8000-000000000001",
    ],
)
def test_ordinary_text_stays(no_known_secrets: None, text: str) -> None:
    assert telemetry.redact(text) == text


def test_a_field_that_is_named_like_a_secret_shows_no_text(lines: Lines) -> None:
    telemetry.event("x", "ok", clientSecret="abc", nested={"deep": [{"access_token": "abc"}]}, secretName="named")
    line = lines.only()
    assert line["clientSecret"] == REDACTED
    assert line["nested"] == {"deep": [{"access_token": REDACTED}]}
    assert line["secretName"] == "named"


def test_secrets_in_exceptions_arguments_and_nested_fields_are_cut_out(lines: Lines, no_known_secrets: None) -> None:
    value = secrets.token_urlsafe(24)
    telemetry.keep_secret(value)
    try:
        fail(ValueError(f"refused {value}"), RuntimeError(value))
    except ValueError:
        logging.getLogger("msal").exception("with %s", {"a": [value]})
    telemetry.event(value, value, target=value, more={value: [value, {"x": (value,)}]})
    with pytest.raises(ValueError, match="text"), telemetry.timed("x") as fields:
        fields["found"] = value
        raise ValueError(f"text {value}")
    assert value not in lines.text()
    assert len(lines.all()) == 3


@given(before=st.text(max_size=30), after=st.text(max_size=30), where=st.integers(0, 3))
def test_a_signed_token_never_gets_into_a_line(attached: Lines, before: str, after: str, where: int) -> None:
    attached.clear()
    token = jwt()
    _log_somewhere(where, f"{before}{token}{after}")
    assert token not in attached.text()
    assert token.rsplit(".", 1)[1] not in attached.text()


@given(
    value=st.text(min_size=6, max_size=40).filter(lambda text: text not in REDACTED),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
    where=st.integers(0, 3),
)
def test_a_known_secret_never_gets_into_a_line(
    attached: Lines, value: str, before: str, after: str, where: int
) -> None:
    marked = f"{uuid.uuid4().hex}{value}"  # no ordinary part of a line
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_known", redaction._KnownSecrets())
        telemetry.keep_secret(marked)
        attached.clear()
        _log_somewhere(where, f"{before}{marked}{after}")
    assert marked not in attached.text()
    assert all(marked not in text for line in attached.all() for text in _texts(line))


def _log_somewhere(where: int, text: str) -> None:
    if where == 0:
        logging.getLogger("lib").error(text)
    elif where == 1:
        logging.getLogger("lib").error("%s and %s", "x", [text, {"k": text}])
    elif where == 2:
        telemetry.event("x", "ok", deep={"a": [text], text: 1})
    else:
        try:
            fail(ValueError(text))
        except ValueError:
            logging.getLogger("lib").exception("failed")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("written", [quote_plus, lambda text: quote(text, safe=""), json.dumps, repr])
def test_a_known_secret_is_found_in_the_spellings_of_forms_json_and_python(
    no_known_secrets: None, written: Any
) -> None:
    value = "pa\"ss w\\ord/ü+&'é"
    telemetry.keep_secret(value)
    assert telemetry.redact(f"[{written(value)}]").strip("[]'\"") == REDACTED.strip("[]")


def test_a_secret_that_contains_another_one_goes_as_a_whole(no_known_secrets: None) -> None:
    for value in ("abcdef", "abcdef-ghijkl"):
        telemetry.keep_secret(value)
    assert telemetry.redact("x abcdef-ghijkl y abcdef") == "x [redacted] y [redacted]"


def test_short_values_are_no_secrets(no_known_secrets: None) -> None:
    telemetry.keep_secret("error")
    telemetry.keep_secret("")
    assert telemetry.redact("an error") == "an error"


def test_only_the_newest_secrets_are_kept(no_known_secrets: None) -> None:
    values = [f"value-{number:04}" for number in range(300)]
    for value in values:
        telemetry.keep_secret(value)
    redacted = [telemetry.redact(value) == REDACTED for value in values]
    assert sum(redacted) == 256
    assert all(redacted[-256:])


def test_secrets_may_be_kept_by_many_threads_at_once(no_known_secrets: None) -> None:
    values = ["".join(secrets.choice(string.ascii_letters) for _ in range(20)) for _ in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(telemetry.keep_secret, values))
    assert all(telemetry.redact(value) == REDACTED for value in values)
