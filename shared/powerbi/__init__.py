"""The Power BI REST API: one transport, one small module for each resource, only what is used.

transport   a call with the right identity's token: repeated only where that does no harm
exchange    one exchange over HTTP; `gate`: none while Power BI's Retry-After runs
guardrails  what this deployment may change at all: asked before anything that changes something is sent
errors      what a refusal means; `answers`: reading what came
"""
