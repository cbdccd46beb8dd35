"""`refresh.yaml`: which datasets are refreshed when which files land, and how patiently."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from shared.errors import Fault
from shared.refresh.document_faults import contradictions
from shared.refresh.patterns import PathPattern, parse_path, placeholders
from shared.validation import Document, Guid, IsoDuration, VersionedDocument, read_document

NAME = "refresh.yaml"
"""Under which name operators upload it."""
SETTLE = timedelta(seconds=30)
"""How long an immediate rule waits for events that were overtaken by its own."""
MARGIN = timedelta(minutes=2)
"""By how much clocks and event times are mistrusted."""
SHARED_CAP = timedelta(hours=2)
"""After this Power BI itself ends a refresh on shared capacity."""
DAY = timedelta(days=1)
LONGEST_DELAY = timedelta(days=7)
"""A queue keeps no message invisible for longer."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Wait = Annotated[IsoDuration, Field(le=DAY)]
LATER = "Accepted, and not yet in effect."


def _path(value: str) -> str:
    parse_path(value)
    return value


def _template(value: str) -> str:
    placeholders(value)
    return value


Template = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_template)]


class Retries(Document):
    """What follows a refresh that failed for a reason that may pass."""

    attempts: Annotated[int, Field(ge=1, le=10)] = Field(3, description="Refreshes of one run, the first included.")
    delay: Annotated[IsoDuration, Field(ge=timedelta(seconds=1), le=DAY)] = Field(
        timedelta(minutes=5), description="Before the second attempt."
    )
    backoff: Annotated[float, Field(ge=1, le=10)] = Field(2, description="By which the delay grows each time.")


class RefreshedDataset(Document):
    """A dataset (semantic model) under the alias that rules and requests use."""

    workspace_id: Guid
    dataset_id: Guid
    capacity: Literal["shared", "premium"] = Field(
        "shared", description="shared: standard refreshes only, no tables or partitions."
    )
    quiet_period: Wait = Field(timedelta(minutes=2), description="Wait until no file has landed for this long …")
    max_wait: Wait = Field(timedelta(minutes=15), description="… but never longer than this.")
    timeout: Annotated[IsoDuration, Field(ge=timedelta(seconds=1), le=DAY)] = Field(
        timedelta(hours=2), description="A refresh that takes longer is given up, and an enhanced one cancelled."
    )
    retries: Retries = Retries()
    paused: bool = Field(False, description="Nothing is refreshed; what lands waits.")
    depends_on: list[Name] = Field([], description=LATER)
    critical: bool = Field(
        False,
        description="Its failure is an alert of its own, the most severe. "
        "That it stops what depends on it is accepted, and not yet in effect.",
    )
    daily_limit: Literal["none"] | Annotated[int, Field(ge=1, le=1000)] | None = Field(None, description=LATER)
    freshness: Annotated[IsoDuration, Field(ge=timedelta(minutes=1))] | None = Field(None, description=LATER)
    notify: list[Name] = Field([], description=LATER)

    @property
    def premium(self) -> bool:
        """On a capacity of one's own, where enhanced refreshes are offered."""
        return self.capacity == "premium"


class RuleObject(Document):
    """A table, or one partition of it; `{name}` is what the path captured."""

    table: Template
    partition: Template | None = None


class Rule(Document):
    """A landed file whose path (container/blob) matches means that the dataset has to be refreshed."""

    path: Annotated[str, AfterValidator(_path)] = Field(
        description="`*` within a segment, `**` for any segments, `{name}` for one. Upper and lower case differ."
    )
    refresh: Name = Field(description="An alias under datasets.")
    objects: Annotated[list[RuleObject], Field(max_length=50)] = Field([], description="Absent: the whole model.")
    immediate: bool = Field(False, description="Wait for a settle time of PT30S instead of the quiet period.")


class Webhook(Document):
    """Somebody to tell."""

    type: Literal["webhook"]
    url_secret: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,127}$")] = Field(
        description="Name of the secret in Key Vault that holds the address."
    )


@dataclass(frozen=True)
class DatasetPolicy:
    """How one dataset is refreshed; ids in lower case."""

    alias: str
    workspace_id: str
    dataset_id: str
    premium: bool
    quiet_period: timedelta
    max_wait: timedelta
    timeout: timedelta
    attempts: int
    retry_delay: timedelta
    backoff: float
    paused: bool
    critical: bool = False
    settle: timedelta = SETTLE
    margin: timedelta = MARGIN


class RefreshDocument(VersionedDocument):
    """refresh.yaml as a whole."""

    datasets: dict[Name, RefreshedDataset] = Field(json_schema_extra={"additionalProperties": False})
    rules: Annotated[list[Rule], Field(max_length=1000)] = Field([])
    notifications: dict[Name, Webhook] = Field({}, json_schema_extra={"additionalProperties": False})

    @cached_property
    def compiled(self) -> tuple[tuple[Rule, PathPattern], ...]:
        """The rules with their patterns, made once for each version of the document."""
        return tuple((rule, parse_path(rule.path)) for rule in self.rules)

    @cached_property
    def _aliases(self) -> Mapping[str, str]:
        return {dataset.dataset_id: alias for alias, dataset in self.datasets.items()}

    def policy(self, dataset_id: str) -> DatasetPolicy | None:
        """How the dataset with this id (in any case) is refreshed; None if the document does not name it."""
        alias = self._aliases.get(dataset_id.lower())
        return self.policy_by_alias(alias) if alias else None

    def policy_by_alias(self, alias: str) -> DatasetPolicy | None:
        """The same by alias."""
        dataset = self.datasets.get(alias)
        return _policy(alias, dataset) if dataset else None


def _policy(alias: str, dataset: RefreshedDataset) -> DatasetPolicy:
    return DatasetPolicy(
        alias=alias,
        workspace_id=dataset.workspace_id,
        dataset_id=dataset.dataset_id,
        premium=dataset.premium,
        quiet_period=dataset.quiet_period,
        max_wait=dataset.max_wait,
        timeout=dataset.timeout,
        attempts=dataset.retries.attempts,
        retry_delay=dataset.retries.delay,
        backoff=dataset.retries.backoff,
        paused=dataset.paused,
        critical=dataset.critical,
        settle=min(SETTLE, dataset.quiet_period),  # "immediate" is never later than what is not
    )


def read_refresh_document(raw: bytes) -> RefreshDocument:
    """The document, or InvalidRequest with every fault of form and of meaning at once."""
    return read_document(NAME, RefreshDocument, raw, in_data=contradictions, in_document=_impatience)


def warnings(document: RefreshDocument) -> list[str]:
    """What is accepted, and perhaps not what was meant; for readiness."""
    told = [
        f"rules[{number}].objects: ignored, for {rule.refresh} is on shared capacity: the whole model is refreshed."
        for number, rule in enumerate(document.rules)
        if rule.objects and not document.datasets[rule.refresh].premium
    ]
    told += [
        f"datasets.{alias}.timeout: Power BI ends a refresh on shared capacity after PT2H."
        for alias, dataset in document.datasets.items()
        if not dataset.premium and dataset.timeout > SHARED_CAP
    ]
    return [*told, *_widened(document)]


def _widened(document: RefreshDocument) -> Iterator[str]:
    """Datasets of which some rules name partitions, and others the whole model or a table of these partitions.

    What lands together is one refresh, as wide as the widest of it. A refresh of the whole follows the model's refresh
    policy (`applyRefreshPolicy` is true unless partitions are named), which leaves older partitions as they are.
    Source: Incremental refresh and real-time data for semantic models (Microsoft Learn)
    """
    for alias, dataset in document.datasets.items():
        rules = [(number, rule) for number, rule in enumerate(document.rules) if rule.refresh == alias]
        tables = {each.table for _, rule in rules for each in rule.objects if each.partition}
        narrow = [number for number, rule in rules if any(each.partition for each in rule.objects)]
        wide = [number for number, rule in rules if _takes_whole(rule, tables)]
        if dataset.premium and narrow and wide:
            yield (
                f"datasets.{alias}: partitions are named by {_rules(narrow)}, the whole model or table is meant by "
                f"{_rules(wide)}. Files of both that land together are one refresh of the whole: if the model has a "
                "refresh policy, a named partition older than its window is then not loaded. Let all of them name "
                "partitions (with a marker in each partition's folder), or do without the wider ones."
            )


def _takes_whole(rule: Rule, tables: Collection[str]) -> bool:
    return not rule.objects or any(not each.partition and each.table in tables for each in rule.objects)


def _rules(numbers: Iterable[int]) -> str:
    return ", ".join(f"rules[{number}]" for number in numbers)


def not_in_effect(document: RefreshDocument) -> list[str]:
    """The settings that the document makes and this version of the app does not follow yet; for readiness."""
    return [
        f"datasets.{alias}.{name}"
        for alias, dataset in document.datasets.items()
        for name, given in (
            ("dependsOn", dataset.depends_on),
            ("critical", dataset.critical),
            ("dailyLimit", dataset.daily_limit),
            ("freshness", dataset.freshness),
            ("notify", dataset.notify),
        )
        if given
    ]


def _impatience(document: RefreshDocument) -> Iterator[Fault]:
    for alias, dataset in document.datasets.items():
        if dataset.max_wait < dataset.quiet_period:
            yield Fault(f"datasets.{alias}.maxWait", "Must not be shorter than quietPeriod.")
        retries = dataset.retries
        if (
            retries.delay.total_seconds() * retries.backoff ** max(0, retries.attempts - 2)
            > LONGEST_DELAY.total_seconds()
        ):
            yield Fault(
                f"datasets.{alias}.retries", "The delay would grow beyond seven days: lessen it or the backoff."
            )
