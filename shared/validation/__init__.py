"""What comes from outside as typed values: strict JSON and YAML, and models whose faults are sentences.

json_text, yaml_text   plain values out of text; `places`: where in it something is
models                 the base of every document, and types that several need
reporting              plain values as a model, every fault a sentence; `allowed_names`: what is known there
operator_documents     the three of them together, for what operators write
"""

from shared.validation.json_text import parse_json
from shared.validation.models import Document, Guid, IsoDuration, TimeText, VersionedDocument, duration_text
from shared.validation.operator_documents import read_document
from shared.validation.reporting import check
from shared.validation.yaml_text import parse_yaml

__all__ = [
    "Document",
    "Guid",
    "IsoDuration",
    "TimeText",
    "VersionedDocument",
    "check",
    "duration_text",
    "parse_json",
    "parse_yaml",
    "read_document",
]
