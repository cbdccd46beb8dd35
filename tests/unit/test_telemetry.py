"""Every log record leaves as one line of JSON, and nothing secret is in it."""

from __future__ import annotations

import base64
import io
import json
import logging
import secrets
import string
import threading
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, NoReturn
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import redaction, telemetry
from shared.errors import Evidence, NotAllowed, SettingsInvalid, Throttled
from shared.redaction import REDACTED


class Lines(logging.StreamHandler[io.StringIO]):
    """A handler as the platform attaches it: it knows nothing of ours."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.setFormatter(logging.Formatter())

    def text(self) -> str:
        return self.stream.getvalue()

    def all(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]

    def clear(self) -> None:
        self.stream.seek(0)
        self.stream.truncate()

    def only(self) -> dict[str, Any]:
        [line] = self.all()
        return line


@pytest.fixture(scope="module")
def _attached() -> Iterator[Lines]:
    factory, root = logging.getLogRecordFactory(), logging.getLogger()
    level = root.level
    levels = {name: logging.getLogger(name).level for name in ("app", "azure", "msal", "urllib3", "requests")}
    handler = Lines()
    telemetry.install()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)
    logging.setLogRecordFactory(factory)
    logging.captureWarnings(False)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.fixture
def lines(_attached: Lines) -> Lines:
    _attached.clear()
    return _attached


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret is known, and none stays known afterwards."""
    monkeypatch.setattr(redaction, "_known", redaction._KnownSecrets())


def jwt() -> str:
    parts = (json.dumps({"alg": "RS256"}), json.dumps({"aud": "x", "n": secrets.token_hex(8)}), secrets.token_hex(32))
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def fail(error: Exception, cause: Exception | None = None) -> NoReturn:
    raise error from cause


# --- the line -------------------------------------------------------------------------------------------------------


def test_a_record_of_any_library_becomes_one_line_of_json(lines: Lines) -> None:
    logging.getLogger("azure.storage").warning("retry %d of %s\nsoon", 1, "two")
    line = lines.only()
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warning", "logger": "azure.storage", "message": "retry 1 of two\nsoon"}


def test_libraries_speak_only_of_trouble(lines: Lines) -> None:
    for name in ("azure.core", "msal.application", "urllib3.connectionpool"):
        logging.getLogger(name).info("chatter")
    assert lines.all() == []


def test_an_event_has_its_fields_and_leaves_out_the_empty_ones(lines: Lines) -> None:
    telemetry.event(
        "refresh", "ok", target="sales", milliseconds=1.5, attempts=2, when=datetime(2026, 1, 2, tzinfo=UTC)
    )
    line = lines.only()
    del line["time"]
    assert line == {
        "level": "info",
        "logger": "app",
        "operation": "refresh",
        "outcome": "ok",
        "target": "sales",
        "milliseconds": 1.5,
        "attempts": 2,
        "when": "2026-01-02T00:00:00Z",
    }


def test_fields_can_not_pose_as_the_lines_own(lines: Lines) -> None:
    telemetry.event("x", "ok", time="never", logger="mine", exception="none")
    line = lines.only()
    assert (line["time_"], line["logger_"], line["exception_"], line["logger"]) == ("never", "mine", "none", "app")


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("%d files", ("many",)),
        ("%s", ()),
        ("%s", ("a", "b")),
        ("%(name)s", ({"other": 1},)),
        ("100%", ("x",)),
        ({"a": 1}, ()),
    ],
)
def test_a_logging_call_with_wrong_arguments_is_a_line_all_the_same(lines: Lines, message: Any, arguments: Any) -> None:
    logging.getLogger("lib").error(message, *arguments)
    assert lines.only()["level"] == "error"


def test_objects_whose_own_text_fails_do_not_break_the_work(lines: Lines) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

        __repr__ = __str__

    logging.getLogger("lib").error("%s", Broken())
    telemetry.event("x", "ok", thing=Broken(), deep={Broken(): [Broken()]})
    try:
        fail(Broken())
    except Broken:
        logging.getLogger("lib").exception("failed")
    assert len(lines.all()) == 3


def test_odd_values_are_bounded_and_plain(lines: Lines) -> None:
    loop: list[object] = []
    loop.append(loop)
    telemetry.event("x", "ok", loop=loop, big=10**5000, nan=float("nan"), long="x" * 20_000, many=list(range(5000)))
    line = lines.only()
    assert len(json.dumps(line)) < 20_000
    assert line["nan"] == "nan"


def test_an_exception_is_in_the_line_with_its_trace(lines: Lines) -> None:
    try:
        fail(KeyError("what\nwas missing"))
    except KeyError:
        logging.getLogger("lib").exception("failed", stack_info=True)
    line = lines.only()
    assert "KeyError" in line["exception"]
    assert "test_telemetry.py" in line["exception"]


def test_warnings_are_lines_too(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)  # pytest records warnings itself
        logging.captureWarnings(True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
    assert "old thing" in lines.only()["message"]


@given(st.text())
def test_every_message_is_one_line_that_parses(_attached: Lines, text: str) -> None:
    _attached.clear()
    logging.getLogger("lib").error("%s", text)
    assert len(_attached.text().splitlines()) == 1
    assert _attached.text().isascii()
    assert _attached.only()["level"] == "error"


def test_installing_twice_changes_nothing(lines: Lines) -> None:
    telemetry.install()
    telemetry.install()
    logging.getLogger("lib").error("once")
    assert lines.only()["message"] == "once"


# --- the correlation id ---------------------------------------------------------------------------------------------


def test_lines_carry_the_correlation_id_of_the_work(lines: Lines) -> None:
    with telemetry.correlation("outer"):
        with telemetry.correlation("inner"):
            logging.getLogger("azure").error("x")
        telemetry.event("y", "ok")
        assert telemetry.correlation_id() == "outer"
    logging.getLogger("lib").error("z")
    assert [line.get("correlationId") for line in lines.all()] == ["inner", "outer", None]


def test_threads_do_not_mix_their_correlation_ids(lines: Lines) -> None:
    meet = threading.Barrier(8)

    def work(name: str) -> None:
        with telemetry.correlation(name):
            for number in range(20):
                meet.wait(10)
                telemetry.event("work", "ok", target=name, number=number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, [f"id-{number}" for number in range(8)]))
    found = lines.all()
    assert len(found) == 160
    assert all(line["correlationId"] == line["target"] for line in found)


# --- timed ----------------------------------------------------------------------------------------------------------


def test_timed_work_is_one_line_with_what_was_learned(lines: Lines) -> None:
    with telemetry.timed("mint", "report") as fields:
        fields["requestId"] = "r1"
    line = lines.only()
    assert (line["operation"], line["target"], line["outcome"], line["requestId"]) == ("mint", "report", "ok", "r1")
    assert line["milliseconds"] >= 0


def test_an_error_raised_on_purpose_gives_outcome_and_evidence_without_a_trace(lines: Lines) -> None:
    evidence = Evidence(operation="Groups_GetGroups", status=429, code="TooMany", message="slow", request_id="r2")
    with pytest.raises(Throttled), telemetry.timed("list"):
        raise Throttled("Wait.", evidence=evidence)
    line = lines.only()
    assert (line["level"], line["outcome"], line["message"], line["requestId"]) == (
        "warning",
        "throttled",
        "Wait.",
        "r2",
    )
    assert line["upstreamCode"] == "TooMany"
    assert "exception" not in line


def test_the_outcome_is_the_errors_class_in_words(lines: Lines) -> None:
    for error in (SettingsInvalid("x"), NotAllowed("y")):
        with pytest.raises(type(error)), telemetry.timed("call"):
            raise error
    assert [(line["outcome"], line["level"]) for line in lines.all()] == [
        ("settings invalid", "warning"),
        ("not allowed", "info"),
    ]


def test_an_unexpected_error_is_logged_with_its_trace(lines: Lines) -> None:
    with pytest.raises(ZeroDivisionError), telemetry.timed("call"):
        divmod(1, 0)
    line = lines.only()
    assert (line["level"], line["outcome"]) == ("error", "zero division error")
    assert "Traceback" in line["exception"]


# --- redaction ------------------------------------------------------------------------------------------------------


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
def test_credentials_are_cut_out_wherever_they_usually_stand(known: None, text: str, secret: str) -> None:
    redacted = telemetry.redact(text.format(secret))
    assert secret not in redacted
    assert REDACTED in redacted


def test_a_value_in_quotes_goes_as_a_whole(known: None) -> None:
    assert telemetry.redact('{"password": "a \\"b\\", c&d; e", "x": 1}') == '{"password": "[redacted]", "x": 1}'


def test_embed_tokens_and_private_keys_are_cut_out(known: None) -> None:
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
def test_ordinary_text_stays(known: None, text: str) -> None:
    assert telemetry.redact(text) == text


def test_a_field_that_is_named_like_a_secret_shows_no_text(lines: Lines) -> None:
    telemetry.event("x", "ok", clientSecret="abc", nested={"deep": [{"access_token": "abc"}]}, secretName="named")
    line = lines.only()
    assert line["clientSecret"] == REDACTED
    assert line["nested"] == {"deep": [{"access_token": REDACTED}]}
    assert line["secretName"] == "named"


def test_secrets_in_exceptions_arguments_and_nested_fields_are_cut_out(lines: Lines, known: None) -> None:
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
def test_a_signed_token_never_gets_into_a_line(_attached: Lines, before: str, after: str, where: int) -> None:
    _attached.clear()
    token = jwt()
    _log_somewhere(where, f"{before}{token}{after}")
    assert token not in _attached.text()
    assert token.rsplit(".", 1)[1] not in _attached.text()


@given(
    value=st.text(min_size=6, max_size=40).filter(lambda text: text not in REDACTED),
    before=st.text(max_size=20),
    after=st.text(max_size=20),
    where=st.integers(0, 3),
)
def test_a_known_secret_never_gets_into_a_line(
    _attached: Lines, value: str, before: str, after: str, where: int
) -> None:
    marked = f"{uuid.uuid4().hex}{value}"  # no ordinary part of a line
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redaction, "_known", redaction._KnownSecrets())
        telemetry.keep_secret(marked)
        _attached.clear()
        _log_somewhere(where, f"{before}{marked}{after}")
    assert marked not in _attached.text()
    assert all(marked not in text for line in _attached.all() for text in _texts(line))


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
def test_a_known_secret_is_found_in_the_spellings_of_forms_json_and_python(known: None, written: Any) -> None:
    value = "pa\"ss w\\ord/ü+&'é"
    telemetry.keep_secret(value)
    assert telemetry.redact(f"[{written(value)}]").strip("[]'\"") == REDACTED.strip("[]")


def test_a_secret_that_contains_another_one_goes_as_a_whole(known: None) -> None:
    for value in ("abcdef", "abcdef-ghijkl"):
        telemetry.keep_secret(value)
    assert telemetry.redact("x abcdef-ghijkl y abcdef") == "x [redacted] y [redacted]"


def test_short_values_are_no_secrets(known: None) -> None:
    telemetry.keep_secret("error")
    telemetry.keep_secret("")
    assert telemetry.redact("an error") == "an error"


def test_only_the_newest_secrets_are_kept(known: None) -> None:
    values = [f"value-{number:04}" for number in range(300)]
    for value in values:
        telemetry.keep_secret(value)
    redacted = [telemetry.redact(value) == REDACTED for value in values]
    assert sum(redacted) == 256
    assert all(redacted[-256:])


def test_secrets_may_be_kept_by_many_threads_at_once(known: None) -> None:
    values = ["".join(secrets.choice(string.ascii_letters) for _ in range(20)) for _ in range(200)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(telemetry.keep_secret, values))
    assert all(telemetry.redact(value) == REDACTED for value in values)
