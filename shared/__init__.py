"""The app's code. function_app.py holds the triggers; what they call is built by `wiring`, and only there.

    capabilities    provisioning   a project's workspaces, as they were asked for
                    refresh        semantic models, when their data lands
                    embed          tokens with which an application shows reports
    under them      workflow       journalled steps: what was begun is finished, or taken back
                    powerbi        the Power BI REST API: the only code that calls it, behind guardrails
                    auth           the app's identities and secrets, and who may call us
                    storage        tables, queues, blobs, and the operator's documents that are in force
    at the door     web            HTTP: correlation id, bodies, errors as problem details
                    messages       queues and timers: an outage is not a failure
                    listing, idempotency, validation
                                   pages of a list; requests that come twice; what comes from outside as typed values
    everywhere      errors         the error tree: what is tried again, what is final, what is told to whom
                    telemetry, redaction, times
                                   logs; what must never stand in them; time as a value
                    once, flight   each service built once; each value of a cache made by one thread
    operation       settings, credential_settings, setting_reader
                                   from the environment, all faults at once
                    clouds         hosts and audiences of the national clouds
                    readiness      could the app do its work now?
                    queue_watch    how long messages wait
    build time      openapi        openapi.json and config/schema/, from the models that validate

Each file begins with what it is for. Inside a capability rules and plans are apart from what acts: files whose first
line says "Pure" read no clock and call nothing.
"""

__version__ = "0.1.0"
