"""Every trigger of the app. Each parses, makes one call, and answers; what it does is in `shared/`.

Importing this module must stay cheap (it is the cold start) and needs no environment: services are built by
`wiring` on first use.
"""

from __future__ import annotations

import azure.functions as func

from shared import messages, telemetry, web, wiring

telemetry.install()

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.function_name("health")
@app.route("health", methods=["GET"])
@web.endpoint("health")
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Is the app itself running? Touches nothing else."""
    return web.respond({"status": "ok", "version": wiring.VERSION})


@app.function_name("readiness")
@app.route("readiness", methods=["GET"])
@web.endpoint("readiness")
def readiness(req: func.HttpRequest) -> func.HttpResponse:
    """Could the app do its work now? One line for each thing that it depends on, with evidence and remedy."""
    report = wiring.readiness(req.headers.get("authorization"))
    return web.respond(report, status=200 if report["status"] == "ready" else 503)


@app.function_name("openapi")
@app.route("openapi.json", methods=["GET"])
@web.endpoint("openapi")
def openapi(req: func.HttpRequest) -> func.HttpResponse:
    """The description of this API."""
    return web.respond(wiring.openapi_document())


@app.function_name("embed-tokens")
@app.route("embed-tokens", methods=["POST"])
@web.endpoint("embed-tokens")
def embed_tokens(req: func.HttpRequest) -> func.HttpResponse:
    """Issue the narrowest embed token that the caller's grant allows."""
    from shared.embed.request import EmbedTokenRequest

    services = wiring.services()
    caller = services.callers.verify(req.headers.get("authorization"), role="Embed.Issue")
    issued = services.embed.issue(caller, web.body(req, EmbedTokenRequest))
    return web.respond(issued, headers={"Cache-Control": "no-store"})


# ---- provisioning
@app.function_name("provisioning-submit")
@app.route("provisioning-requests", methods=["POST"])
@web.endpoint("provisioning-submit")
def provisioning_submit(req: func.HttpRequest) -> func.HttpResponse:
    """Record a provisioning request, which is then carried out; with `?dryRun=true` only say what would be."""
    from shared.provisioning.request import ProvisioningRequest

    services = wiring.services()
    caller = services.callers.verify(req.headers.get("authorization"), role="Provisioning.Write")
    request, dry_run = web.body(req, ProvisioningRequest), web.flag(req, "dryRun")
    document = services.provisioning.submit(caller, request, req.headers.get("idempotency-key"), dry_run)
    return web.respond(document) if dry_run else web.accepted("provisioning-requests", document)


@app.function_name("provisioning-get")
@app.route("provisioning-requests/{id}", methods=["GET"])
@web.endpoint("provisioning-get")
def provisioning_get(req: func.HttpRequest) -> func.HttpResponse:
    """The status document of a provisioning request."""
    services = wiring.services()
    services.callers.verify(req.headers.get("authorization"), role="Provisioning.Read")
    return web.respond(services.provisioning.get(req.route_params["id"]))


@app.function_name("provisioning-list")
@app.route("provisioning-requests", methods=["GET"])
@web.endpoint("provisioning-list")
def provisioning_list(req: func.HttpRequest) -> func.HttpResponse:
    """Provisioning requests, the newest first, page by page."""
    from shared.listing import read_query
    from shared.provisioning.service import FILTERS

    services = wiring.services()
    services.callers.verify(req.headers.get("authorization"), role="Provisioning.Read")
    return web.respond(services.provisioning.list(read_query(req.params, FILTERS)))


@app.function_name("provisioning-cancel")
@app.route("provisioning-requests/{id}/cancel", methods=["POST"])
@web.endpoint("provisioning-cancel")
def provisioning_cancel(req: func.HttpRequest) -> func.HttpResponse:
    """Take back what a request has made so far."""
    services = wiring.services()
    caller = services.callers.verify(req.headers.get("authorization"), role="Provisioning.Write")
    key = req.headers.get("idempotency-key")
    return web.accepted("provisioning-requests", services.provisioning.cancel(caller, req.route_params["id"], key))


@app.function_name("provisioning-retry")
@app.route("provisioning-requests/{id}/retry", methods=["POST"])
@web.endpoint("provisioning-retry")
def provisioning_retry(req: func.HttpRequest) -> func.HttpResponse:
    """Begin a failed request again."""
    services = wiring.services()
    caller = services.callers.verify(req.headers.get("authorization"), role="Provisioning.Write")
    key = req.headers.get("idempotency-key")
    return web.accepted("provisioning-requests", services.provisioning.retry(caller, req.route_params["id"], key))


@app.function_name("provisioning-queue")
@app.queue_trigger("message", "provisioning-requests", "AzureWebJobsStorage")
@messages.endpoint("provisioning-requests", key="requestId")
def provisioning_queue(message: func.QueueMessage) -> None:
    """A provisioning request that another system put on the queue."""
    wiring.services().queued_requests.take(message.id or "", message.get_body())


@app.function_name("provisioning-queue-poison")
@app.queue_trigger("message", "provisioning-requests-poison", "AzureWebJobsStorage")
@messages.endpoint("provisioning-requests-poison")
def provisioning_queue_poison(message: func.QueueMessage) -> None:
    """One that failed again and again: recorded, so that its sender can read it."""
    wiring.services().queued_requests.poisoned(message.id or "", message.get_body())


@app.function_name("workflow-steps")
@app.queue_trigger("message", "workflow-steps", "AzureWebJobsStorage")
@messages.endpoint("workflow-steps")
def workflow_steps(message: func.QueueMessage) -> None:
    """Go on with one workflow."""
    wiring.services().workflow.go_on(message.get_body())


@app.function_name("workflow-steps-poison")
@app.queue_trigger("message", "workflow-steps-poison", "AzureWebJobsStorage")
@messages.endpoint("workflow-steps-poison")
def workflow_steps_poison(message: func.QueueMessage) -> None:
    """An invocation that failed again and again: a strike against its workflow, which goes on."""
    wiring.services().workflow.poisoned(message.get_body())


@app.function_name("workflow-sweep")
@app.timer_trigger("timer", "0 * * * * *")
@messages.timer("workflow-sweep")
def workflow_sweep(timer: func.TimerRequest) -> None:
    """Each minute: find workflows whose message was lost or whose worker died."""
    wiring.services().workflow.sweep()


# ---- refreshes
@app.function_name("refresh-runs-start")
@app.route("refresh-runs", methods=["POST"])
@web.endpoint("refresh-runs-start")
def refresh_runs_start(req: func.HttpRequest) -> func.HttpResponse:
    """Refresh a dataset; a run that is queued already is joined."""
    from shared.refresh.requests import RefreshRunRequest

    services = wiring.services()
    caller = services.callers.verify(req.headers.get("authorization"), role="Refresh.Write")
    request = web.body(req, RefreshRunRequest)
    return web.accepted(
        "refresh-runs", services.refresh_runs.start(caller, request, req.headers.get("idempotency-key"))
    )


@app.function_name("refresh-runs-get")
@app.route("refresh-runs/{id}", methods=["GET"])
@web.endpoint("refresh-runs-get")
def refresh_runs_get(req: func.HttpRequest) -> func.HttpResponse:
    """The run document of a refresh run."""
    services = wiring.services()
    services.callers.verify(req.headers.get("authorization"), role="Refresh.Read")
    return web.respond(services.refresh_runs.get(req.route_params["id"]))


@app.function_name("refresh-runs-list")
@app.route("refresh-runs", methods=["GET"])
@web.endpoint("refresh-runs-list")
def refresh_runs_list(req: func.HttpRequest) -> func.HttpResponse:
    """Refresh runs, the newest first, page by page."""
    from shared.listing import read_query
    from shared.refresh.service import FILTERS

    services = wiring.services()
    services.callers.verify(req.headers.get("authorization"), role="Refresh.Read")
    return web.respond(services.refresh_runs.list(read_query(req.params, FILTERS)))


@app.function_name("refresh-runs-cancel")
@app.route("refresh-runs/{id}/cancel", methods=["POST"])
@web.endpoint("refresh-runs-cancel")
def refresh_runs_cancel(req: func.HttpRequest) -> func.HttpResponse:
    """Ask for the end of a run; it is cancelled once Power BI says so."""
    services = wiring.services()
    caller = services.callers.verify(req.headers.get("authorization"), role="Refresh.Write")
    key = req.headers.get("idempotency-key")
    return web.accepted("refresh-runs", services.refresh_runs.cancel(caller, req.route_params["id"], key))


@app.function_name("data-landed")
@app.queue_trigger("message", "data-landed", "AzureWebJobsStorage")
@messages.endpoint("data-landed")
def data_landed(message: func.QueueMessage) -> None:
    """Event Grid tells that a file has landed."""
    wiring.services().refresh_messages.land(message.get_body())


@app.function_name("data-landed-poison")
@app.queue_trigger("message", "data-landed-poison", "AzureWebJobsStorage")
@messages.endpoint("data-landed-poison")
def data_landed_poison(message: func.QueueMessage) -> None:
    """A landing that could not be recorded: tried once more, for a file hangs on it, else kept and told."""
    wiring.services().refresh_messages.landed_poisoned(message.get_body())


@app.function_name("refresh-looks")
@app.queue_trigger("message", "refresh-looks", "AzureWebJobsStorage")
@messages.endpoint("refresh-looks")
def refresh_looks(message: func.QueueMessage) -> None:
    """Look at one dataset: is a refresh to be started, has one ended?"""
    wiring.services().refresh_messages.look(message.get_body())


@app.function_name("refresh-looks-poison")
@app.queue_trigger("message", "refresh-looks-poison", "AzureWebJobsStorage")
@messages.endpoint("refresh-looks-poison")
def refresh_looks_poison(message: func.QueueMessage) -> None:
    """A look that failed again and again: a strike, and the dataset is looked at all the same."""
    wiring.services().refresh_messages.look_poisoned(message.get_body())


@app.function_name("refresh-sweep")
@app.timer_trigger("timer", "30 * * * * *")
@messages.timer("refresh-sweep")
def refresh_sweep(timer: func.TimerRequest) -> None:
    """Each minute: find datasets whose look was lost."""
    wiring.services().refresh_messages.sweep()


# ---- watching
@app.function_name("queue-watch")
@app.timer_trigger("timer", "45 * * * * *")
@messages.timer("queue-watch")
def queue_watch(timer: func.TimerRequest) -> None:
    """Each minute: how long messages have been waiting in each queue."""
    wiring.services().queue_watch.look()


@app.function_name("readiness-watch")
@app.timer_trigger("timer", "15 */5 * * * *")
@messages.timer("readiness-watch")
def readiness_watch(timer: func.TimerRequest) -> None:
    """Every five minutes: whether everything that the app depends on works, and until when its secrets are good."""
    wiring.watch_readiness()
