"""What a caller may ask of refreshes: a run of a dataset, with a body of its own where the capacity allows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic import WithJsonSchema as Described

from shared.idempotency import KEY
from shared.refresh.documents import Name
from shared.validation import Document, Guid, VersionedDocument

TYPES = ("Full", "ClearValues", "Calculate", "DataOnly", "Automatic", "Defragment")
COMMIT_MODES = ("Transactional", "PartialBatch")
MOST_OBJECTS = 500


def _spelled(*words: str) -> BeforeValidator:
    """In whatever case: Microsoft's own examples differ."""
    known = {word.lower(): word for word in words}
    return BeforeValidator(lambda value: known.get(value.lower(), value) if isinstance(value, str) else value)


def _moment(value: str) -> str:
    """A date or a date with a time, as Power BI takes it."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("Must be a date or a time in ISO 8601: 2026-11-22, 2026-11-22T00:00:00Z.") from None
    return value if "T" in value else f"{moment:%Y-%m-%d}T00:00:00Z"


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("Must not hold control characters.")
    return value


def _not_yet(value: bool) -> bool:
    if value:
        raise ValueError("Not supported yet: leave it out, and start the dependents one by one.")
    return value


ObjectName = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_printable)]


class RequestedObject(Document):
    """A table, or one partition of it."""

    table: ObjectName
    partition: ObjectName | None = None


class EnhancedRefresh(Document):
    """The body of an enhanced refresh; only for datasets on premium capacity. At least one field is needed."""

    type: Annotated[
        Literal["Full", "ClearValues", "Calculate", "DataOnly", "Automatic", "Defragment"] | None, _spelled(*TYPES)
    ] = None
    commit_mode: Annotated[Literal["Transactional", "PartialBatch"] | None, _spelled(*COMMIT_MODES)] = None
    max_parallelism: Annotated[int, Field(ge=1, le=1000)] | None = None
    retry_count: Annotated[int, Field(ge=0, le=100)] | None = None
    timeout: Annotated[str, Field(pattern=r"^(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]|24:00:00)$")] | None = Field(
        None, description="Of each attempt: HH:MM:SS, 24 hours at most for all of them."
    )
    objects: Annotated[list[RequestedObject], Field(min_length=1, max_length=MOST_OBJECTS)] | None = Field(
        None, description="Absent: the whole model."
    )
    apply_refresh_policy: bool | None = None
    effective_date: (
        Annotated[
            str,
            AfterValidator(_moment),
            Described({"type": "string", "examples": ["2026-11-22", "2026-11-22T00:00:00Z"]}),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _makes_sense(self) -> EnhancedRefresh:
        if not self.body():
            raise ValueError("Must have at least one field; leave `refresh` out for what refresh.yaml says.")
        if self.commit_mode == "PartialBatch" and self.apply_refresh_policy:
            raise ValueError("commitMode PartialBatch can't be combined with applyRefreshPolicy.")
        return self

    def body(self) -> dict[str, Any]:
        """As Power BI takes it."""
        return self.model_dump(by_alias=True, mode="json", exclude_none=True)


RequestKey = Annotated[str, Field(pattern=f"^{KEY.pattern}$")]


class RefreshRunRequest(VersionedDocument):
    """Refresh a dataset now: by its alias in refresh.yaml, or by ids that stand there."""

    request_id: RequestKey | None = Field(None, description="Idempotency key, if the header Idempotency-Key has none.")
    dataset: Name | None = Field(None, description="An alias in refresh.yaml.")
    workspace_id: Guid | None = None
    dataset_id: Guid | None = None
    refresh: EnhancedRefresh | None = Field(
        None, description="With a body of its own a run queues behind others; without one it joins a queued run."
    )
    with_dependents: Annotated[bool, AfterValidator(_not_yet)] = Field(False, description="Not supported yet.")

    @model_validator(mode="after")
    def _names_one_dataset(self) -> RefreshRunRequest:
        by_ids = self.workspace_id is not None and self.dataset_id is not None
        some_id = self.workspace_id is not None or self.dataset_id is not None
        if (self.dataset is not None) == by_ids or (some_id and not by_ids):
            raise ValueError("Name one dataset: either by `dataset`, or by `workspaceId` and `datasetId`.")
        return self

    def canonical(self) -> dict[str, Any]:
        """What two equal requests share, whatever their keys."""
        return self.model_dump(by_alias=True, mode="json", exclude={"request_id", "schema_version"})
