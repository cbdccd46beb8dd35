"""What happened, told to others as CloudEvents 1.0: to a queue, or to an Event Grid topic where one is set.

At least once: whoever tells again tells the same id, by which a reader knows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from shared.errors import Invalid, Misconfigured, Throttled, Unavailable
from shared.storage.queues import Queue
from shared.times import to_text

if TYPE_CHECKING:
    import requests
    from azure.core.credentials import TokenCredential

SOURCE = "/powerbi-automation"
TOPIC_SCOPE = "https://eventgrid.azure.net/.default"
TOPIC_PATH = "/api/events?api-version=2018-01-01"
CONNECT_AND_READ = (2.0, 8.0)
LONGEST_WAIT = 3600.0

Json = dict[str, Any]


def cloud_event(type: str, subject: str, id: str, data: Mapping[str, Any], when: datetime) -> Json:
    """One event in structured mode. `type` is ours (`provisioning.succeeded`), `id` the same for every repeat."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": type,
        "subject": subject,
        "time": to_text(when),
        "datacontenttype": "application/json",
        "data": dict(data),
    }


class Events:
    """Tells through the queue `operations-events`, or the topic instead if there is one."""

    def __init__(self, queue: Queue, topic: Topic | None = None) -> None:
        self._queue = queue
        self._topic = topic

    def tell(self, type: str, subject: str, id: str, data: Mapping[str, Any], when: datetime) -> None:
        """Raises Retryable where nobody could be told: tell again, with the same `id`."""
        event = cloud_event(type, subject, id, data, when)
        if self._topic:
            self._topic.publish(event)
        else:
            self._queue.send(event)


class Topic:
    """A custom Event Grid topic that takes the CloudEvents schema, reached with the app's managed identity."""

    def __init__(self, endpoint: str, credential: Callable[[], TokenCredential]) -> None:
        self._url = endpoint.rstrip("/").removesuffix("/api/events") + TOPIC_PATH
        self._credential = credential
        self._session: requests.Session | None = None

    def publish(self, event: Json) -> None:
        """One event. Raises Throttled, Unavailable, Misconfigured (identity or topic), or Invalid (too large)."""
        answer = self._post(json.dumps([event]).encode(), self._token())
        if answer.status_code >= 300:
            raise _refused(answer.status_code, answer.headers.get("Retry-After", ""))

    def _post(self, body: bytes, token: str) -> requests.Response:
        import requests

        self._session = self._session or requests.Session()
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/cloudevents-batch+json; charset=utf-8",
        }
        try:
            return self._session.post(
                self._url, data=body, headers=headers, timeout=CONNECT_AND_READ, allow_redirects=False
            )
        except requests.RequestException as error:
            raise Unavailable("The Event Grid topic can't be reached. Trying again.", effect_unknown=True) from error

    def _token(self) -> str:
        from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError

        try:
            return self._credential().get_token(TOPIC_SCOPE).token
        except (ServiceRequestError, ServiceResponseError) as error:
            raise Unavailable("The managed identity's endpoint can't be reached. Trying again.") from error
        except AzureError as error:
            detail = "The app's managed identity got no token for Event Grid. Check MANAGED_IDENTITY_CLIENT_ID."
            raise Misconfigured(detail) from error


def _refused(status: int, retry_after: str) -> Exception:
    """Why the topic did not take the event. A redirect is one of the answers that mean a wrong endpoint."""
    if status == 429:
        asked = float(retry_after) if retry_after.isascii() and retry_after.isdigit() else 5.0
        return Throttled("Event Grid asks for fewer events. Trying again.", retry_after=min(asked, LONGEST_WAIT))
    if status >= 500 or status == 408:
        return Unavailable("The Event Grid topic failed to take an event. Trying again.", effect_unknown=True)
    if status in (401, 403):
        remedy = "Assign the role EventGrid Data Sender on the topic to the app's identity."
        return Misconfigured(f"The Event Grid topic refused this app ({status}). {remedy}")
    if status in (400, 413):
        return Invalid(f"The Event Grid topic refused an event ({status}): it has to take the CloudEvents schema.")
    return Misconfigured(f"The Event Grid topic answered {status}. Check EVENTS_TOPIC_ENDPOINT.")
