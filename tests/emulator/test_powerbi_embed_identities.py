"""GenerateToken and row-level security: every dataset has an identity exactly when it needs one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulator.powerbi_driver import (
    MARGIN_MODEL,
    MARGIN_REPORT,
    PEOPLE,
    SALES_MODEL,
    SALES_REPORT,
    Driver,
    Reply,
)

RLS = "https://learn.microsoft.com/power-bi/developer/embedded/embedded-row-level-security"
PREFIX = f"Creating embed token for accessing dataset {MARGIN_MODEL}"
IDENTITY = {"username": "customer-7", "roles": ["Customer"], "datasets": [MARGIN_MODEL]}


@pytest.fixture
def driver() -> Driver:
    return Driver()


def mint(driver: Driver, *identities: dict[str, Any], who: str = "embed", **more: Any) -> Reply:
    body = {"reports": [{"id": MARGIN_REPORT}], "datasets": [{"id": MARGIN_MODEL}], "identities": list(identities)}
    return driver.call("POST", "/GenerateToken", body | more, who=who)


def refusal(reply: Reply) -> str:
    assert (reply.status, reply.code) == (400, "InvalidRequest"), reply
    return reply.message


@pytest.mark.observed("MicrosoftDocs/powerbi-docs#3306")
def test_a_model_with_roles_needs_an_identity(driver: Driver) -> None:
    assert refusal(mint(driver)) == f"{PREFIX} requires effective identity to be provided"
    assert mint(driver, IDENTITY).status == 200


@pytest.mark.documented(RLS + ": a master user without identity sees its own view")
def test_a_person_may_leave_the_identity_out(driver: Driver) -> None:
    assert mint(driver, who="ana").status == 200


@pytest.mark.observed("six public clients: shouldn't have effective identity")
def test_a_model_without_roles_takes_no_identity(driver: Driver) -> None:
    body = {
        "reports": [{"id": SALES_REPORT}],
        "datasets": [{"id": SALES_MODEL}],
        "identities": [IDENTITY | {"datasets": [SALES_MODEL]}],
    }
    reply = driver.call("POST", "/GenerateToken", body, who="embed")
    expected = f"Creating embed token for accessing dataset {SALES_MODEL} shouldn't have effective identity"
    assert refusal(reply) == expected


@pytest.mark.observed("public clients: text up to the verb; the rest of the second is not on record")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"roles": []}, "requires roles to be included in provided effective identity"),
        ({"roles": None}, "requires roles to be included in provided effective identity"),
        ({"username": ""}, "requires username to be included in provided effective identity"),
        ({"username": None}, "requires username to be included in provided effective identity"),
    ],
)
def test_an_identity_needs_username_and_roles(driver: Driver, change: dict[str, Any], message: str) -> None:
    assert refusal(mint(driver, IDENTITY | change)) == f"{PREFIX} {message}"


@pytest.mark.documented("EmbedToken_GenerateToken, example: an identityBlob without a username")
def test_an_identity_blob_stands_in_for_the_username(driver: Driver) -> None:
    assert mint(driver, IDENTITY | {"username": None, "identityBlob": {"value": "x"}}).status == 200


@pytest.mark.assumed("the words for a role that the model lacks, and whether it is refused (unknownRole)")
def test_roles_are_those_of_the_model(driver: Driver) -> None:
    unknown = IDENTITY | {"roles": ["Customer", "Owner"]}
    assert "Owner" in refusal(mint(driver, unknown))
    assert "customer" in refusal(mint(driver, IDENTITY | {"roles": ["customer"]}))
    driver.switch(unknownRole="accept")
    assert mint(driver, unknown).status == 200


@pytest.mark.documented(
    "EffectiveIdentity of the contract: at most 256 characters and no spaces; roles at most 50 of 50"
)
@pytest.mark.parametrize(
    "change",
    [
        {"username": "x" * 257},
        {"username": "customer 7"},
        {"username": "café"},
        {"roles": ["Customer,Employee"]},
        {"roles": ["x" * 51]},
        {"roles": ["Customer"] * 51},
        {"roles": [""]},
        {"roles": "Customer"},
        {"datasets": ["0d0e0a0d-0000-4000-8000-00000000dead"]},
        {"datasets": [SALES_MODEL]},
        {"reports": [MARGIN_REPORT]},
    ],
)
def test_an_identity_out_of_bounds_is_400(driver: Driver, change: dict[str, Any]) -> None:
    refusal(mint(driver, IDENTITY | change))


@pytest.mark.documented("EffectiveIdentity of the contract")
@pytest.mark.parametrize("username", ["x" * 256, "ana@contoso.com", "a.b-c_d!e#f^g~h"])
def test_usernames_within_bounds_are_taken(driver: Driver, username: str) -> None:
    assert mint(driver, IDENTITY | {"username": username, "roles": ["Customer", "Employee"]}).status == 200


@pytest.mark.documented("EffectiveIdentity of the contract")
def test_fifty_roles_of_fifty_characters_are_taken(driver: Driver) -> None:
    roles = [f"{number:050d}" for number in range(50)]
    driver.patch(datasets={MARGIN_MODEL: {"roles": roles}})
    assert mint(driver, IDENTITY | {"roles": roles}).status == 200


@pytest.mark.assumed("two identities for one dataset are refused in the words of V1; not switchable")
def test_a_dataset_has_one_identity(driver: Driver) -> None:
    message = "Creating embed token with multiple identities is not supported"
    assert refusal(mint(driver, IDENTITY, IDENTITY | {"username": "customer-8"})) == message


@pytest.mark.assumed("an identity that names no dataset (identityWithoutDatasets)")
def test_an_identity_says_for_which_dataset_it_is(driver: Driver) -> None:
    loose = {"username": "customer-7", "roles": ["Customer"]}
    refusal(mint(driver, loose))
    driver.switch(identityWithoutDatasets="all")
    assert mint(driver, loose).status == 200


@pytest.mark.documented(RLS + ": the identity's username is the service principal's object id")
def test_analysis_services_wants_the_callers_own_name(driver: Driver) -> None:
    driver.patch(datasets={MARGIN_MODEL: {"mode": "AnalysisServices", "roles": []}})
    message = "requires effective identity username to be identical to the caller's principal name"
    identity = {"username": "customer-7", "datasets": [MARGIN_MODEL], "customData": "7"}
    assert refusal(mint(driver, identity)) == f"{PREFIX} {message}"
    assert mint(driver, identity | {"username": PEOPLE["ana"].object_id}, who="ana").status == 200


@pytest.mark.documented("Dataset.isEffectiveIdentityRequired and isEffectiveIdentityRolesRequired")
def test_what_the_dataset_says_of_itself_is_what_counts(driver: Driver) -> None:
    def flags(dataset: str) -> tuple[bool, bool]:
        body = driver.call("GET", f"/groups/{driver_workspace(driver, dataset)}/datasets/{dataset}").body
        return body["isEffectiveIdentityRequired"], body["isEffectiveIdentityRolesRequired"]

    assert (flags(MARGIN_MODEL), flags(SALES_MODEL)) == ((True, True), (False, False))
    driver.patch(datasets={MARGIN_MODEL: {"isEffectiveIdentityRolesRequired": False}})
    assert mint(driver, {"username": "customer-7", "datasets": [MARGIN_MODEL]}).status == 200
    driver.patch(datasets={MARGIN_MODEL: {"roles": [], "isEffectiveIdentityRolesRequired": None}})
    assert flags(MARGIN_MODEL) == (False, False)
    assert mint(driver).status == 200
    driver.patch(datasets={MARGIN_MODEL: {"isEffectiveIdentityRequired": True}})
    refusal(mint(driver))


@pytest.mark.assumed("a V2 request that lists no datasets stands for those of its reports; not switchable")
def test_leaving_the_dataset_out_does_not_lift_its_filter(driver: Driver) -> None:
    assert refusal(mint(driver, datasets=[])).endswith("requires effective identity to be provided")


def driver_workspace(driver: Driver, dataset: str) -> str:
    return str(driver.service.state()["datasets"][dataset]["workspaceId"])
