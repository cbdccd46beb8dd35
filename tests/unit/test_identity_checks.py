"""What readiness looks at for each identity: what it proves itself with, in whatever way that is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from shared.errors import Misconfigured
from shared.readiness.checks import checks
from shared.readiness.report import Check
from shared.settings import CredentialSettings, IdentitySettings

CLIENT = "22d7b2c1-64e3-4d1f-8e5f-1b2c3d4e5f02"


def checks_of(credential: CredentialSettings, evidence: Any = lambda name: f"evidence of {name}") -> dict[str, Check]:
    services = SimpleNamespace(
        settings=SimpleNamespace(identities={"operations": IdentitySettings("operations", CLIENT, credential)}),
        document_names=(),
        tokens=SimpleNamespace(evidence=evidence),
    )
    return {check.name: check for check in checks(services)}


@pytest.mark.parametrize(
    ("credential", "remedy"),
    [
        (CredentialSettings("federated"), "managed identity whose client id MANAGED_IDENTITY_CLIENT_ID holds"),
        (CredentialSettings("managedIdentity"), f"managed identity {CLIENT}"),
        (CredentialSettings("certificate", "own-certificate"), "store the certificate 'own-certificate'"),
        (CredentialSettings("secret", "own-secret"), "store the secret 'own-secret'"),
    ],
    ids=lambda given: given.kind if isinstance(given, CredentialSettings) else "",
)
def test_one_check_shows_the_credential_and_what_makes_one_of_its_kind_work(
    credential: CredentialSettings, remedy: str
) -> None:
    found = checks_of(credential)
    assert {name for name in found if name.endswith("operations")} == {
        "credential of operations",
        "token of operations",
        "Power BI for operations",
    }
    check = found["credential of operations"]
    assert check.run() == "evidence of operations"
    assert remedy in check.remedy
    assert ("Key Vault" in check.remedy) == bool(credential.vault_name)


def test_a_credential_that_can_not_be_had_fails_its_check() -> None:
    def away(name: str) -> str:
        raise Misconfigured(f"There is no managed identity to vouch for {name}.")

    with pytest.raises(Misconfigured, match="vouch for operations"):
        checks_of(CredentialSettings("federated"), away)["credential of operations"].run()
