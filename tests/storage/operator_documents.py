"""Operator documents as a test uploads them, and instances of the app that accept them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.errors import Fault, InvalidRequest
from shared.storage.documents import Documents
from tests.azurite import account_of
from tests.doubles.clock import Clock

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient

NAME = "embed.yaml"
CONTAINERS = ("config", "config-accepted")


def read(raw: bytes) -> object:
    """The version of the app that the tests run: documents that begin with `bad` are none."""
    if raw.startswith(b"bad"):
        raise InvalidRequest("bad", faults=[Fault("reports[0]", "Must be good.")])
    return raw.decode()


def older(raw: bytes) -> object:
    """An older version of the app, which does not know what `new` means."""
    if raw.startswith(b"new"):
        raise InvalidRequest("old", faults=[Fault("new", "Unknown field.")])
    return read(raw)


def upload(blobs: BlobServiceClient, text: str) -> None:
    blobs.get_blob_client("config", NAME).upload_blob(text.encode(), overwrite=True)


def delete(blobs: BlobServiceClient, container: str) -> None:
    client = blobs.get_blob_client(container, NAME)
    if client.exists():
        client.delete_blob()


def accepted_text(blobs: BlobServiceClient) -> str:
    return blobs.get_blob_client("config-accepted", NAME).download_blob().readall().decode()


def instance(blobs: BlobServiceClient, clock: Clock, reader: Callable[[bytes], object] = read) -> Documents:
    """One instance of the app."""
    return Documents(lambda: blobs, {NAME: reader}, clock)


def value(documents: Documents) -> object:
    """What is in force there."""
    found = documents.accepted(NAME)
    return found.value if found else None


def fault(documents: Documents) -> str:
    """What readiness would say."""
    return documents.states()[0].fault


class Away:
    """Storage that goes away: nothing listens behind its address then."""

    def __init__(self, blobs: BlobServiceClient) -> None:
        self._there = blobs
        self.away = True
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._nothing = account_of(address(port))

    def __call__(self) -> BlobServiceClient:
        return self._nothing.blobs() if self.away else self._there


def address(port: int) -> str:
    """A connection string to whatever is at that port."""
    endpoints = "".join(f"{kind}Endpoint=http://127.0.0.1:{port}/a;" for kind in ("Blob", "Queue", "Table"))
    return f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey=AAAA;{endpoints}"
