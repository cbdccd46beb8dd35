"""The operator's documents: what lies in `config` is a proposal, what lies in `config-accepted` is in force.

Whoever sees a proposal that it does not know yet validates it and, if it is good, copies it to `config-accepted`, from
where all instances read. So a bad upload changes nothing, and all instances agree on what is in force.

The accepted copy is looked at *before* the proposal's content is read, and replaced only as long as it is unchanged;
and content is only read of the version that was looked at. Otherwise a slow instance could put an older proposal back
over a newer one that another instance accepted meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shared import telemetry
from shared.errors import AppError, Conflict, InvalidRequest, Retryable, Unavailable
from shared.storage.document_blobs import Blob, DocumentBlobs
from shared.times import Now

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

EVERY = timedelta(seconds=30)
AGAIN_AFTER_FAILURE = timedelta(seconds=5)
PATIENCE = 5.0
ROUNDS = 3
LARGEST = 1024 * 1024

Reader = Callable[[bytes], object]


@dataclass(frozen=True)
class Accepted:
    """A document in force: the ETag of the accepted copy, and what the reader made of it."""

    etag: str
    value: object


@dataclass(frozen=True)
class DocumentState:
    """For readiness: what is in force, and what is wrong with what was uploaded (or with storage); empty if nothing."""

    name: str
    etag: str
    accepted_at: datetime | None
    fault: str


@dataclass(frozen=True)
class _Judged:
    """A blob's version that was read and refused, and why."""

    version: str = ""
    fault: str = ""


class Documents:
    """The documents of this process, each looked at anew after `every` at the earliest, by one thread at a time."""

    def __init__(
        self,
        blobs: Callable[[], BlobServiceClient],
        readers: Mapping[str, Reader],
        now: Now,
        every: timedelta = EVERY,
    ) -> None:
        store = DocumentBlobs(blobs)
        self._documents = {name: _Document(name, reader, store, now, every) for name, reader in readers.items()}

    def accepted(self, name: str) -> Accepted | None:
        """The document in force (its blob's name, `embed.yaml`), or None: nothing was accepted, so deny.

        Raises Retryable only as long as storage has never been read: after that the last known state stays.
        """
        return self._documents[name].current()

    def states(self) -> list[DocumentState]:
        """The state of every document, looked at anew if it is time to; never raises."""
        return [document.state() for document in self._documents.values()]


class _Document:
    """One document: what is in force here, and what is known about the blobs."""

    def __init__(self, name: str, reader: Reader, store: DocumentBlobs, now: Now, every: timedelta) -> None:
        self._name = name
        self._reader = reader
        self._store = store
        self._now = now
        self._every = every
        self._looking = threading.Lock()
        self._looked_at: datetime | None = None
        self._failure: Retryable | None = None
        self._known = False
        self._in_force: Accepted | None = None
        self._accepted_at: datetime | None = None
        self._refused = _Judged()
        self._unreadable = _Judged()
        self._absent = ""
        self._told = ""

    def current(self) -> Accepted | None:
        if self._is_due():
            self._look_alone()
        if not self._known and self._failure is not None:
            raise self._failure.with_traceback(None)  # one error for many threads: each begins a trace of its own
        return self._in_force

    def state(self) -> DocumentState:
        try:
            self.current()
        except AppError as error:
            return DocumentState(self._name, "", None, error.detail)
        in_force = self._in_force
        return DocumentState(self._name, in_force.etag if in_force else "", self._accepted_at, self._fault())

    def _is_due(self) -> bool:
        """A clock that was set back makes it due as well."""
        if self._looked_at is None:
            return True
        wait = self._every if self._known else min(self._every, AGAIN_AFTER_FAILURE)
        return not timedelta() <= self._now() - self._looked_at < wait

    def _look_alone(self) -> None:
        """One thread looks; the others go on with what is known, or wait for a first look."""
        if not self._looking.acquire(timeout=0 if self._known else PATIENCE):
            if self._known:
                return
            raise Unavailable(f"Reading {self._name} takes longer than {PATIENCE:g} s. Try again in a moment.")
        try:
            if self._is_due():  # the thread before us may have looked
                self._look()
        finally:
            self._looking.release()

    def _look(self) -> None:
        try:
            self._agree()
        except Retryable as error:
            self._failure = error
        except AppError as error:
            self._failure = Unavailable(error.detail, evidence=error.evidence)
        else:
            self._failure, self._known = None, True
        finally:
            self._looked_at = self._now()
        self._tell()

    def _agree(self) -> None:
        """Bring this process to what is in force, having put a good proposal in force first."""
        for _ in range(ROUNDS):
            try:
                accepted = self._store.accepted(self._name)
                self._use(accepted)
                self._consider(accepted)
            except Conflict:
                continue  # another instance, or the operator, was faster: look again
            return
        raise Unavailable(f"{self._name} keeps changing while it is read. Trying again.")

    def _use(self, accepted: Blob | None) -> None:
        """Take over the accepted copy, if it is another one than before and this version of the app can read it."""
        if accepted is None:
            self._in_force, self._accepted_at, self._unreadable = None, None, _Judged()
            return
        if accepted.version in (self._unreadable.version, self._in_force.etag if self._in_force else ""):
            self._known = True
            return
        value, fault = self._read(self._store.content(accepted))
        if fault:
            self._unreadable = _Judged(accepted.version, fault)
        else:
            self._put_in_force(accepted, value)
        self._known = True

    def _put_in_force(self, accepted: Blob, value: object) -> None:
        self._in_force, self._accepted_at = Accepted(accepted.version, value), accepted.modified
        self._unreadable = _Judged()
        telemetry.event("document", "in force", target=self._name, etag=accepted.version, source=accepted.source)

    def _consider(self, accepted: Blob | None) -> None:
        """Look at the proposal; validate it unless it is the one in force or known to be bad."""
        proposed = self._store.proposed(self._name)
        self._absent = "" if proposed else f"There is no {self._name} in the container config: upload it."
        if proposed is None or (accepted and proposed.version == accepted.source):
            self._refused = _Judged()
        elif proposed.version != self._refused.version:
            self._judge(proposed, accepted)

    def _judge(self, proposed: Blob, accepted: Blob | None) -> None:
        if proposed.size > LARGEST:
            self._refused = _Judged(proposed.version, f"Larger than {LARGEST} bytes (1 MiB).")
            return
        content = self._store.content(proposed)
        value, fault = self._read(content)
        if fault:
            self._refused = _Judged(proposed.version, fault)
            return
        self._put_in_force(self._store.accept(content, proposed, accepted), value)
        self._refused = _Judged()

    def _read(self, content: bytes) -> tuple[object, str]:
        """What the reader makes of it, or why it refuses it."""
        try:
            return self._reader(content), ""
        except InvalidRequest as error:
            told = [f"{fault.path}: {fault.message}" if fault.path else fault.message for fault in error.faults[:10]]
            return None, " ".join(told) or error.detail
        except Exception:  # a defect of the reader must not take away what is in force
            logging.getLogger(telemetry.LOGGER).exception("The reader of %s failed.", self._name)
            return None, "This version of the app failed to read it: see the log."

    def _fault(self) -> str:
        """Everything that an operator should look at, worst first."""
        in_force = self._in_force is not None
        stays = "What was in force stays in force." if in_force else "Nothing is in force: all is denied."
        faults = (
            f"Storage: {self._failure.detail} {stays}" if self._failure else "",
            f"The accepted copy can't be read by this version of the app: {self._unreadable.fault} {stays}"
            if self._unreadable.version
            else "",
            f"The uploaded version is refused: {self._refused.fault} {stays}" if self._refused.version else "",
            f"{self._absent} {stays}" if self._absent else "",
        )
        return " ".join(fault for fault in faults if fault)

    def _tell(self) -> None:
        """Log a state when it changes, not at every look."""
        fault = self._fault()
        if fault == self._told:
            return
        self._told = fault
        evidence: dict[str, Any] = dict(self._failure.evidence.fields()) if self._failure else {}
        level = logging.WARNING if fault else logging.INFO
        outcome = "faulty" if fault else "well again"
        telemetry.event("document", outcome, target=self._name, level=level, message=fault, **evidence)
