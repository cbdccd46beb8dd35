"""Every trigger of the app. Each parses, makes one call, and answers; what it does is in `shared/`.

Importing this module must stay cheap (it is the cold start) and needs no environment: services are built by
`wiring` on first use.
"""

from __future__ import annotations

import azure.functions as func

from shared import telemetry, web, wiring

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
