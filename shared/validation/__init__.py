"""What comes from outside as typed values: strict JSON and YAML, and models whose faults are sentences."""

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
