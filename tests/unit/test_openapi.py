"""The committed descriptions of our API and documents say what the code does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from shared import web
from shared.embed.documents import EmbedDocument
from shared.embed.request import EmbedTokenAnswer, EmbedTokenRequest
from shared.errors import InvalidRequest
from shared.openapi.answers import Health, Problem, ReadinessReport
from shared.openapi.document import openapi
from shared.openapi.files import document_schema, generated
from shared.provisioning.answers import DryRun, RequestPage, StatusDocument
from shared.provisioning.request import ProvisioningRequest
from shared.refresh.requests import RefreshRunRequest
from shared.refresh.run_document import RunDocument, RunList
from shared.validation import check

Json = dict[str, Any]

DOCUMENT = openapi()
ANSWERS = (
    *(EmbedTokenAnswer, Health, Problem, ReadinessReport),
    *(StatusDocument, RequestPage, DryRun),
    *(RunDocument, RunList),
)
MODELS = {model.__name__: model for model in (*ANSWERS, EmbedTokenRequest, ProvisioningRequest, RefreshRunRequest)}


@pytest.mark.parametrize("path", generated(), ids=lambda path: path.name)
def test_the_committed_file_is_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated()[path], "run `make schemas`"


def test_every_route_of_the_app_is_described_and_no_other() -> None:
    doors = Path("function_app.py").read_text(encoding="utf-8")
    routes = re.findall(r'@app\.route\("([^"]+)", methods=\["([A-Z]+)"\]', doors)
    described = {(f"/{path}", method.lower()) for path, method in routes}
    assert described == {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}


def test_every_reference_leads_somewhere() -> None:
    for reference in _references(DOCUMENT):
        found: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        assert found


def test_every_example_is_valid_by_the_model_that_validates() -> None:
    checked = 0
    for operation in _operations():
        contents = [answer["content"] for answer in operation["responses"].values()]
        contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
        for media in (media for content in contents for media in content.values()):
            model = MODELS.get(media["schema"].get("$ref", "").rsplit("/", 1)[-1])
            examples = [one["value"] for one in media.get("examples", {}).values()]
            for example in [*examples, *([media["example"]] if "example" in media else [])]:
                if model:
                    check(model, example)
                    checked += 1
    assert checked > 15


def test_a_request_is_closed_and_an_answer_open_to_new_fields() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["EmbedTokenRequest"]["additionalProperties"] is False
    assert all(
        "additionalProperties" not in schemas[name] for name in ("EmbedTokenAnswer", "EmbeddedReport", "Problem")
    )


def test_a_route_without_a_role_needs_no_token_and_all_others_name_theirs() -> None:
    needed = {operation["operationId"]: operation["security"] for operation in _operations()}
    assert needed == {
        "issueEmbedToken": [{"entra": ["Embed.Issue"]}],
        "health": [],
        "readiness": [{"entra": ["Operations.Read"]}],
        "openapi": [],
        "submitProvisioningRequest": [{"entra": ["Provisioning.Write"]}],
        "listProvisioningRequests": [{"entra": ["Provisioning.Read"]}],
        "getProvisioningRequest": [{"entra": ["Provisioning.Read"]}],
        "cancelProvisioningRequest": [{"entra": ["Provisioning.Write"]}],
        "retryProvisioningRequest": [{"entra": ["Provisioning.Write"]}],
        "startRefreshRun": [{"entra": ["Refresh.Write"]}],
        "listRefreshRuns": [{"entra": ["Refresh.Read"]}],
        "getRefreshRun": [{"entra": ["Refresh.Read"]}],
        "cancelRefreshRun": [{"entra": ["Refresh.Write"]}],
    }


def test_problem_details_are_as_described() -> None:
    @web.endpoint("refuse")
    def refuse(req: func.HttpRequest) -> func.HttpResponse:
        return web.respond(web.body(req, EmbedTokenRequest))

    headers = {"content-type": "application/json", "content-length": "2"}
    answer = refuse(func.HttpRequest("POST", "/api/embed-tokens", headers=headers, body=b"{}"))
    told = json.loads(answer.get_body())
    problem = check(Problem, told)
    described = DOCUMENT["paths"]["/embed-tokens"]["post"]["responses"]["400"]["content"]["application/problem+json"]
    assert (problem.type, problem.title) == (described["example"]["type"], described["example"]["title"])
    assert [fault.path for fault in problem.errors] == ["reports"]


def test_the_schema_of_embed_yaml_says_what_is_refused() -> None:
    schema = document_schema("embed.yaml", EmbedDocument)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["clients"]["additionalProperties"] is False
    assert schema["$defs"]["Grant"]["properties"]["reports"]["uniqueItems"] is True
    with pytest.raises(InvalidRequest):
        check(EmbedTokenRequest, {"reports": ["a", "a"]})


def test_the_sample_names_its_schema() -> None:
    first = Path("config/embed.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first.endswith("$schema=schema/embed.json")
    assert Path("config/schema/embed.json").exists()


def _operations() -> Iterator[Json]:
    for methods in DOCUMENT["paths"].values():
        yield from methods.values()


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from _references(part)
    if isinstance(value, list):
        for part in value:
            yield from _references(part)
