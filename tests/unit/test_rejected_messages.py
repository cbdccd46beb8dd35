"""Messages of the app's own queues that it can't have written: never tried again, kept with the reason."""

from __future__ import annotations

import base64
import json

import pytest

from shared.storage.rejected import own_message
from tests.workflow.harness import Harness


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"id": "w"}', b'{"id": "w", "turn": true}', b'{"id": 1, "turn": 1}'],
    ids=["empty", "broken", "list", "null", "deep", "field missing", "boolean", "number for text"],
)
def test_what_the_app_did_not_write_is_kept_and_not_tried_again(body: bytes) -> None:
    h = Harness()
    h.triggers().go_on(body)
    h.triggers().go_on(body)
    ((name, kept),) = h.rejected.blobs.items()
    assert name.startswith("workflow-steps/")
    assert json.loads(kept)["message"] == body.decode()
    assert json.loads(kept)["reason"] == "Not a message of this app."


def test_a_message_is_read_as_it_is_and_in_base64() -> None:
    body = b'{"id": "w1", "turn": 3, "more": 1}'
    assert own_message(body, id=str, turn=int) == own_message(base64.b64encode(body), id=str, turn=int) == ("w1", 3)
