"""What the peers' tests have in common: the seeded organisation by name, and patience with a bound."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from emulator import seed
from tests.cloud import Cloud

API = "https://api.powerbi.com/v1.0/myorg"
RESOURCE = "https://analysis.windows.net/powerbi/api"
SCOPE = f"{RESOURCE}/.default"
SALES, REFERENCE = (workspace.id for workspace in seed.WORKSPACES[:2])
CALENDAR, SALES_MODEL, MARGIN = (dataset.id for dataset in seed.DATASETS)
OVERVIEW, MARGIN_REPORT = (report.id for report in seed.REPORTS[:2])
ANA, BEN = (person.upn for person in seed.PEOPLE[:2])
TAKEN = "Sales Analytics"
LEGACY = f"https://login.microsoftonline.com/{seed.TENANT_ID}"

Found = TypeVar("Found")


def client(cloud: Cloud, name: str = "operations") -> tuple[str, str]:
    """Id and secret of a client of the organisation."""
    known = cloud.described["clients"][name]
    return known["clientId"], known["clientSecret"]


def password(cloud: Cloud, upn: str = ANA) -> str:
    """A person's password."""
    return str(cloud.described["people"][upn])


def until(ask: Callable[[], Found], enough: Callable[[Found], bool], patience: float = 20) -> Found:
    """Ask again and again until it is enough; fails when patience ends."""
    ends = time.monotonic() + patience
    while not enough(found := ask()):
        assert time.monotonic() < ends, f"still {found!r} after {patience} s"
        time.sleep(0.05)
    return found


def next_refresh(cloud: Cloud, dataset_id: str, outcome: str = "Completed", lasts: str = "PT0.5S") -> None:
    """How the next refresh of the dataset goes."""
    cloud.change(datasets={dataset_id: {"nextOutcome": outcome, "refreshDuration": lasts}})


def throttle(cloud: Cloud, path: str, method: str = "GET", seconds: int = 3392, skip: int = 0) -> None:
    """The next such call is answered as a throttled one was seen to be."""
    message = f"You have exceeded the amount of requests allowed in the current time frame. Retry in {seconds} seconds."
    headers = {"Retry-After": str(seconds)}
    cloud.fault("api.powerbi.com", path, method, status=429, headers=headers, body={"message": message}, skip=skip)
