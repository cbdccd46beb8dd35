"""Storage as in Azure: under its production names, over TLS, by managed identity, with no key in any setting."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from emulator import seed
from emulator.demo import __main__ as demo
from emulator.demo.stage import Stage
from tests.cloud import PROJECT, Cloud, running
from tests.contract.checks import check_requests


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """An emulated cloud of its own, whose storage takes the app's managed identity only."""
    with running(tmp_path_factory.mktemp("identity"), "--host", "bundled", "--storage", "identity") as started:
        yield started


@pytest.mark.timeout(240)
def test_the_whole_demo_is_played_with_storage_by_managed_identity(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    demo.play(Stage(cloud.described))
    assert constant(capsys.readouterr().out) == constant(shown_in_readme())
    asked = {call["query"]["resource"].rstrip("/") for call in cloud.calls(path="/msi/token")}
    assert "https://storage.azure.com" in asked
    assert check_requests(cloud.calls()) == []  # all that it sent to Power BI meanwhile is in the contract


def shown_in_readme() -> str:
    """What the README shows of a run, less its first and last line, which tell of the process around it."""
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^the emulated cloud [^\n]*\n(.*?)^DEMO OK", readme, re.DOTALL | re.MULTILINE)
    assert block is not None
    return block.group(1)


def constant(printed: str) -> list[str]:
    """What two runs have in common: seconds, times of day and counts are left out (the demo itself judges them)."""
    return [re.sub(r"\d+", "#", line.rpartition(" | ")[0]) for line in printed.splitlines()]


def test_no_setting_of_the_app_holds_a_key(cloud: Cloud) -> None:
    stores = {name: value for name, value in cloud.settings.items() if name.startswith(("AzureWebJobs", "LANDING"))}
    assert {name.partition("__")[2] for name in stores} == {"accountName", "credential", "clientId"}
    assert set(stores.values()) == {seed.STORAGE_ACCOUNT, "managedidentity", seed.MANAGED_IDENTITY_CLIENT_ID}
    assert not any("AccountKey" in value for value in cloud.settings.values())


def test_without_the_identity_storage_lets_nobody_in(cloud: Cloud, tmp_path: Path) -> None:
    """That the demo ran is the identity's doing: the account takes no call without a token for it."""
    with cloud.session() as session:
        for kind, path in (("blob", "?comp=list"), ("queue", "?comp=list"), ("table", "Tables")):
            url = f"https://{seed.STORAGE_ACCOUNT}.{kind}.core.windows.net/{path}"
            answer = session.get(url, headers={"x-ms-version": "2021-12-02"}, timeout=30)
            assert answer.status_code in (401, 403), (kind, answer.status_code)
