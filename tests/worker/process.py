"""Microsoft's worker library with this app, in a process of its own: `python -m process APP`.

Reads a command in JSON a line on standard input, and answers each with one on standard output.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import resource
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class Worker:
    """The library, indexed and ready to invoke."""

    def __init__(self, app: Path) -> None:
        protos = importlib.import_module("protos")  # in the worker's folder, beside this file
        self._library = importlib.import_module("azure_functions_runtime")
        self._message, self._protos = protos.Message, protos.Protos
        self._app = app
        self._ids: dict[str, str] = {}
        self._triggers: dict[str, Json] = {}

    async def answer(self, command: Json) -> Json:
        """Do what a command says."""
        return dict(await getattr(self, f"_do_{command.pop('do')}")(**command))

    async def _do_index(self) -> Json:
        """What a host asks of a worker that it has started for an app."""
        began = time.perf_counter()
        await self._init(self._app)
        return await self._found(began)

    async def _do_specialise(self, placeholder: str, environment: Json) -> Json:
        """What a host asks of a worker that was started before it had an app: now it gets one, with its settings."""
        await self._init(Path(placeholder))
        began = time.perf_counter()
        wanted = self._message(environment_variables=environment, function_app_directory=str(self._app))
        asked = self._request(function_environment_reload_request=wanted)
        self._expect((await self._library.function_environment_reload_request(asked)).result)
        return await self._found(began)

    async def _init(self, folder: Path) -> None:
        self._library.start_threadpool_executor()
        asked = self._request(worker_init_request=self._message(capabilities={}, function_app_directory=str(folder)))
        self._expect((await self._library.worker_init_request(asked)).result)

    async def _found(self, began: float) -> Json:
        """The functions that the library has found, and how many milliseconds it took."""
        found = await self._library.functions_metadata_request(self._request())
        functions = found.function_metadata_results or []
        self._ids = {one.name: one.function_id for one in functions}
        self._triggers = {one.name: _trigger(one.raw_bindings) for one in functions}
        return {"functions": self._triggers, "milliseconds": (time.perf_counter() - began) * 1000}

    async def _do_invoke(self, function: str, **given: Any) -> Json:
        began = time.perf_counter()
        answer = await self._invoke(function, given)
        told = {"milliseconds": (time.perf_counter() - began) * 1000, "error": ""}
        if answer.result.status != self._protos.StatusResult.Success:
            return told | {"error": answer.result.exception.message, "trace": answer.result.exception.stack_trace}
        if answer.return_value is None:
            return told
        http = answer.return_value.http
        body = http.body.bytes if http.body.bytes is not None else http.body.string
        text = body.decode() if isinstance(body, bytes) else body
        return told | {"status": int(http.status_code), "headers": dict(http.headers), "body": text}

    async def _do_repeat(self, function: str, times: int, together: int, **given: Any) -> Json:
        """The same call so many times, so many at once; how long it took and how much memory that left behind."""
        before, began, left = _resident(), time.perf_counter(), iter(range(times))

        async def work() -> None:
            for _ in left:
                self._expect((await self._invoke(function, given)).result)

        await asyncio.gather(*(work() for _ in range(together)))
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "before": before, "after": _resident(), "peak": _peak()}

    async def _do_import(self, module: str) -> Json:
        try:
            return {"found": importlib.util.find_spec(module) is not None}
        except ModuleNotFoundError:
            return {"found": False}

    async def _do_loaded(self) -> Json:
        """The file of every module that has been imported so far, by the module's name."""
        files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
        return {"files": {name: file for name, file in files.items() if file}, "path": sys.path}

    async def _invoke(self, function: str, given: Json) -> Any:
        trigger = self._triggers[function]
        data, metadata = self._input(trigger["type"], given)
        request = self._message(
            invocation_id=str(uuid.uuid4()),
            function_id=self._ids[function],
            input_data=[self._protos.ParameterBinding(name=trigger["name"], data=data)],
            trigger_metadata=metadata,
            trace_context=self._message(trace_parent="", trace_state="", attributes={}),
            retry_context=self._message(retry_count=0, max_retry_count=0, exception=None),
        )
        return await self._library.invocation_request(self._request(invocation_request=request))

    def _input(self, kind: str, given: Json) -> tuple[Any, Json]:
        """What the host sends for a trigger of that kind, and the metadata beside it."""
        typed = self._protos.TypedData
        if kind == "httpTrigger":
            body = typed(bytes=given.get("body", "").encode())
            parts = {name: given.get(name, {}) for name in ("headers", "query", "params")}
            url, method = given.get("url", "http://localhost/api"), given.get("method", "GET")
            return typed(http=self._protos.RpcHttp(method=method, url=url, body=body, **parts)), {}
        if kind == "timerTrigger":
            schedule = {"Last": "0001-01-01T00:00:00", "Next": "0001-01-01T00:00:00", "LastUpdated": "0001-01-01"}
            return typed(json=json.dumps({"IsPastDue": False, "Schedule": schedule})), {}
        if kind == "queueTrigger":
            ids = {"Id": typed(string=str(uuid.uuid4())), "PopReceipt": typed(string="receipt")}
            return typed(string=given["message"]), {**ids, "DequeueCount": typed(json=str(given.get("count", 1)))}
        raise NotImplementedError(f"No test knows what the host sends to a {kind}")

    def _request(self, **parts: Any) -> Any:
        properties = {"host": "127.0.0.1", "protos": self._protos}
        return self._message(request=self._message(**parts), properties=properties)

    def _expect(self, result: Any) -> None:
        if result.status != self._protos.StatusResult.Success:
            raise RuntimeError(f"{result.exception.message}\n{result.exception.stack_trace}")


def _trigger(raw_bindings: Sequence[str]) -> Json:
    bindings = [json.loads(binding) for binding in raw_bindings]
    return dict(next(binding for binding in bindings if binding["type"].lower().endswith("trigger")))


def _resident() -> float:
    """MiB of this process in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Answer commands until the input ends."""
    app = Path(sys.argv[1])
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints to standard output is none of our answers
    worker: Worker | None = None
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            try:
                worker = worker or Worker(app)
                reply = runner.run(worker.answer(json.loads(line)))
            except Exception as fault:  # noqa: BLE001 - told to whoever asked
                reply = {"fault": f"{type(fault).__name__}: {fault}"}
            print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
