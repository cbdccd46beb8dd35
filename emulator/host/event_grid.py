"""Event Grid triggers: the webhook to which Event Grid delivers, `POST /runtime/webhooks/eventgrid?functionName=NAME`.

Source of the behaviour: Microsoft Learn, "Receive events to an HTTP endpoint" and "CloudEvents v1.0 schema" (the two
forms of validation), and the extension's public source (EventGridExtensionConfigProvider).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from emulator.host.converters import converter, datum
from emulator.host.indexing import Function
from emulator.host.invocation import Invoker
from emulator.host.log import say

PATH = ("runtime", "webhooks", "eventgrid")
_VALIDATION, _NOTIFICATION = "SubscriptionValidation", "Notification"


class EventGridWebhook:
    """Takes what Event Grid sends; a delivery of which one event failed is refused as a whole, and comes again."""

    def __init__(self, functions: Iterable[Function], invoker: Invoker) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._invoker = invoker

    async def answer(self, request: web.Request) -> web.Response:
        """200 to a validation, 202 to events that were all dealt with, 500 where one failed."""
        function = self._functions.get(request.query.get("functionName", "").lower())
        if function is None:
            return web.Response(status=404)
        if request.method == "OPTIONS":
            return _allow(request.headers.get("WebHook-Request-Origin", ""))
        try:
            events = _events(await request.read())
        except ValueError as fault:
            return web.Response(status=400, text=str(fault))
        kind = request.headers.get("aeg-event-type", "")
        if request.method != "POST" or kind not in (_VALIDATION, _NOTIFICATION) or not events:
            return web.Response(status=400)
        return _validated(events[0]) if kind == _VALIDATION else await self._deliver(function, events)

    async def _deliver(self, function: Function, events: list[dict[str, Any]]) -> web.Response:
        """One invocation per event, side by side."""
        succeeded = await asyncio.gather(*(self._run(function, event) for event in events))
        return web.Response(status=202 if all(succeeded) else 500)

    async def _run(self, function: Function, event: dict[str, Any]) -> bool:
        try:
            argument = converter("eventGridTrigger").decode(datum(json.dumps(event), "json"), trigger_metadata=None)
        except (KeyError, TypeError, ValueError) as fault:
            say(f"{function.name} failed: its event can't be read ({type(fault).__name__}: {fault})", "error")
            return False
        outcome = await self._invoker.run(function, argument, shown={"eventId": event.get("id")})
        return outcome.succeeded


def _allow(origin: str) -> web.Response:
    """CloudEvents' validation: who asks may send."""
    if not origin:
        return web.Response(status=400)
    return web.Response(status=200, headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})


def _validated(event: dict[str, Any]) -> web.Response:
    """Event Grid's own validation: its code, sent back."""
    data = event.get("data")
    code = data.get("validationCode") if isinstance(data, dict) else None
    return web.json_response({"validationResponse": code}) if code else web.Response(status=400)


def _events(body: bytes) -> list[dict[str, Any]]:
    """An array of events, or the one event alone; raises ValueError for anything else."""
    found = json.loads(body) if body else []
    events = found if isinstance(found, list) else [found]
    if not all(isinstance(event, dict) for event in events):
        raise ValueError("An event is a JSON object")
    return events
