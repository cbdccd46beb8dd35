"""The files that are generated from models. They are committed; a test fails when one is stale.

`shared/openapi.json` is what the app serves, as it is. With `config/schema/*.json` an editor completes and checks the
operator's documents.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel

from shared.embed.documents import EmbedDocument
from shared.openapi.document import SCHEMA_URI, Untitled, openapi
from shared.openapi.route import Json
from shared.provisioning.policy import PolicyDocument
from shared.refresh.documents import RefreshDocument

PROJECT = Path(__file__).parents[2]
OPERATORS_DOCUMENTS: dict[str, type[BaseModel]] = {
    "embed": EmbedDocument,
    "policy": PolicyDocument,
    "refresh": RefreshDocument,
}


def generated() -> dict[Path, str]:
    """Every generated file with its text."""
    schemas = {f"{name}.json": document_schema(f"{name}.yaml", model) for name, model in OPERATORS_DOCUMENTS.items()}
    made = {PROJECT / "shared" / "openapi.json": openapi()}
    made |= {PROJECT / "config" / "schema" / file: schema for file, schema in schemas.items()}
    return {path: json.dumps(document, indent=2, ensure_ascii=False) + "\n" for path, document in made.items()}


def document_schema(name: str, model: type[BaseModel]) -> Json:
    """JSON Schema of an operator's document."""
    return {"$schema": SCHEMA_URI, **model.model_json_schema(schema_generator=Untitled), "title": name}
