"""What Power BI says about granted reports and their datasets: kept for a short while, read once for all who ask."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Generic, TypeVar

from shared.embed.documents import GrantedDataset, GrantedReport
from shared.embed.identity import OpenDataset, OpenReport
from shared.errors import Misconfigured, NotFound, Unavailable, Unknown
from shared.flight import FlightCache
from shared.powerbi.datasets import Dataset, get_dataset
from shared.powerbi.embed_tokens import Xmla
from shared.powerbi.reports import Report, get_report
from shared.powerbi.transport import Transport
from shared.times import Now

IDENTITY = "embed"
_READERS = 8
_PATIENCE = 20.0
_XMLA: dict[str, Xmla] = {"readOnly": "ReadOnly", "off": "Off"}

T = TypeVar("T")
Item = TypeVar("Item")


@dataclass(frozen=True)
class _Read(Generic[T]):
    value: T
    at: datetime
    """From before it was asked for: what it says may have been so a little earlier, never later."""


class Facts:
    """Reads reports and datasets, up to eight at a time, and keeps them by their ids."""

    def __init__(self, transport: Transport, now: Now) -> None:
        self._transport = transport
        self._now = now
        self._reports: FlightCache[tuple[str, str], _Read[Report]] = FlightCache("a report", entries=5_000)
        self._datasets: FlightCache[tuple[str, str], _Read[Dataset]] = FlightCache("a dataset", entries=5_000)
        self._pool = ThreadPoolExecutor(_READERS, thread_name_prefix="embed-facts")

    def read(self, granted: dict[str, GrantedReport], since: datetime) -> list[OpenReport]:
        """Each granted report by its alias, as Power BI described it at `since` or later.

        Raises Unknown, naming the alias, where Power BI finds no such report or dataset.
        """
        return self._each(lambda entry: self._open(*entry, since), list(granted.items()))

    def _each(self, read: Callable[[Item], T], items: Sequence[Item]) -> list[T]:
        """One item here and now; several side by side, each with the correlation id of the request."""
        if len(items) == 1:
            return [read(items[0])]
        ends = time.monotonic() + _PATIENCE
        futures = [self._pool.submit(contextvars.copy_context().run, read, item) for item in items]
        try:
            return [_result(future, ends) for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def _open(self, alias: str, granted: GrantedReport, since: datetime) -> OpenReport:
        report = self._found(alias, partial(self._report, granted, since))
        if not report.embed_url:
            raise Unavailable(f"Power BI gives no address to embed report '{alias}' from. Try again later.")
        return OpenReport(
            alias=alias,
            report_id=granted.report_id,  # never what an answer says: the grant names this one
            workspace_id=granted.workspace_id,
            dataset_id=report.dataset_id,
            name=report.name,
            embed_url=report.embed_url,
            paginated=report.paginated,
            datasets=self._open_datasets(alias, granted, report, since),
        )

    def _open_datasets(
        self, alias: str, granted: GrantedReport, report: Report, since: datetime
    ) -> tuple[OpenDataset, ...]:
        """The dataset that the report is bound to, and those that embed.yaml adds."""
        added = {dataset.dataset_id: dataset for dataset in granted.datasets}
        ids = sorted({*added, report.dataset_id} - {""})
        if not ids and not report.paginated:
            detail = (
                f"Power BI names no semantic model for report '{alias}': the embed service principal may lack access "
                "to it, or list it under `datasets` in embed.yaml."
            )
            raise Misconfigured(detail)
        elsewhere = {report.dataset_id: report.dataset_workspace_id}
        opened = []
        for dataset_id in ids:
            entry = added.get(dataset_id)
            workspace_id = (entry and entry.workspace_id) or elsewhere.get(dataset_id) or granted.workspace_id
            dataset = self._found(alias, partial(self._dataset, workspace_id, dataset_id, since))
            opened.append(_opened(dataset_id, entry, dataset))
        return tuple(opened)

    def _report(self, granted: GrantedReport, since: datetime) -> Report:
        def read() -> _Read[Report]:
            at = self._now()
            report = get_report(self._transport, granted.workspace_id, granted.report_id, identity=IDENTITY)
            return _Read(report, at)

        key = (granted.workspace_id, granted.report_id)
        return self._reports.get(key, read, lambda kept: since <= kept.at <= self._now()).value

    def _dataset(self, workspace_id: str, dataset_id: str, since: datetime) -> Dataset:
        def read() -> _Read[Dataset]:
            at = self._now()
            return _Read(get_dataset(self._transport, workspace_id, dataset_id, identity=IDENTITY), at)

        return self._datasets.get((workspace_id, dataset_id), read, lambda kept: since <= kept.at <= self._now()).value

    def _found(self, alias: str, read: Callable[[], T]) -> T:
        try:
            return read()
        except NotFound as error:
            detail = (
                f"Power BI does not find report '{alias}' or its dataset, or the embed service principal may not see "
                "it: embed.yaml needs mending (a dataset in another workspace is named there, with that workspace)."
            )
            raise Unknown(detail, evidence=error.evidence) from error


def _opened(dataset_id: str, entry: GrantedDataset | None, dataset: Dataset) -> OpenDataset:
    """What Power BI leaves open counts as required: without an identity nobody sees anything, the safe mistake."""
    return OpenDataset(
        id=dataset_id,
        xmla=_XMLA[entry.xmla] if entry else None,
        identity_required=dataset.identity_required is not False,
        roles_required=dataset.roles_required is not False,
    )


def _result(future: Future[T], ends: float) -> T:
    try:
        return future.result(timeout=max(0.0, ends - time.monotonic()))
    except TimeoutError:
        raise Unavailable("Reading the reports from Power BI took too long. Try again in a moment.") from None
