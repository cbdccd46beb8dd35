"""Calls of HTTP functions, as the platform makes them, and what they answer."""

from __future__ import annotations

import json
from typing import Any

import azure.functions as func


def request(
    body: bytes = b"", headers: dict[str, str] | None = None, url: str = "https://app.example/api/things?code=k"
) -> func.HttpRequest:
    return func.HttpRequest(method="POST", url=url, headers=headers or {}, body=body)


def said(response: func.HttpResponse) -> dict[str, Any]:
    return dict(json.loads(response.get_body()))
