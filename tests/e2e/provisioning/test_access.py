"""Who is let into a workspace, who is put out of it, and that somebody always owns it."""

from __future__ import annotations

from tests.e2e.provisioning.stage import GHOST, ProvisioningStage, access, provision, step
from tests.seeded import ANA, BEN, CHLOE, OPERATIONS, SELLERS


def test_exact_removes_who_is_not_named_after_everybody_is_in(stage: ProvisioningStage) -> None:
    stage.done(provision(access=[access(BEN, "Admin"), access(SELLERS, "Viewer", "Group")]))
    stage.forget()
    document = stage.done(provision(owners=[CHLOE], exact=True))
    assert document["status"] == "succeeded"
    assert stage.members("FIN-Margin-DEV") == {CHLOE: "Admin"}
    assert OPERATIONS in stage.workspace("FIN-Margin-DEV")["members"]
    assert [call.split()[0] for call in stage.mutating()] == ["POST", "DELETE", "DELETE", "DELETE"]
    removed = {each["principal"] for each in document["environments"]["dev"]["access"] if each["status"] == "removed"}
    assert removed == {ANA, BEN, SELLERS}


def test_many_strangers_are_removed_in_portions(stage: ProvisioningStage) -> None:
    stage.done(provision())
    id = stage.workspace("FIN-Margin-DEV")["id"]
    people = {f"a9000000-0000-4000-8000-{number:012}": f"user{number}@contoso.com" for number in range(90)}
    stage.cloud.change(
        principals={id: {"kind": "User", "upn": upn} for id, upn in people.items()},
        workspaces={id: {"members": {upn: {"right": "Viewer", "since": ""} for upn in people.values()}}},
    )
    assert stage.done(provision(exact=True))["status"] == "succeeded"
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}


def test_access_is_granted_and_revoked(stage: ProvisioningStage) -> None:
    stage.done(provision(environments="dev prod"))
    grant = {"operation": "grantAccess", "project": "FIN-Margin", "access": [access(BEN, "Viewer")]}
    document = stage.done(grant)
    assert document["status"] == "succeeded"
    assert stage.members("FIN-Margin-PROD") == {ANA: "Admin", BEN: "Viewer"}
    assert step(document, "test", "access")["status"] == "skipped"  # the project has no such environment

    revoke = {"operation": "revokeAccess", "project": "fin-margin", "access": [access(BEN, None, environments="prod")]}
    document = stage.done(revoke)
    assert document["environments"]["prod"]["access"][0]["status"] == "removed"
    assert stage.members("FIN-Margin-PROD") == {ANA: "Admin"}
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin", BEN: "Viewer"}


def test_the_last_owner_is_not_removed(stage: ProvisioningStage) -> None:
    stage.done(provision())
    revoke = {"operation": "revokeAccess", "project": "FIN-Margin", "access": [access(ANA, None)]}
    document = stage.done(revoke)
    assert document["status"] == "succeededWithWarnings"
    assert "owners" in document["environments"]["dev"]["access"][0]["error"]
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}


def test_access_to_a_project_that_does_not_exist_fails(stage: ProvisioningStage) -> None:
    document = stage.done({"operation": "grantAccess", "project": "FIN-None", "access": [access(BEN)]})
    assert (document["status"], document["error"]["code"]) == ("failed", "notVisible")
    stage.done(provision())
    grant = {"operation": "grantAccess", "project": "FIN-Margin", "access": [access(BEN, environments="prod")]}
    assert stage.done(grant)["error"]["code"] == "notVisible"


def test_exact_leaves_the_last_owner_where_the_one_to_replace_them_is_refused(stage: ProvisioningStage) -> None:
    stage.done(provision())
    document = stage.done(provision(owners=[GHOST], exact=True))
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}
    assert document["status"] == "succeededWithWarnings"
    told = {
        entry["principal"]: (entry["status"], entry["error"]) for entry in document["environments"]["dev"]["access"]
    }
    assert told[GHOST][0] == "failed" and "Power BI refused it" in told[GHOST][1]
    assert told[ANA][0] == "failed" and "fewer owners" in told[ANA][1]


def test_nobody_is_lowered_in_favour_of_an_owner_who_is_refused(stage: ProvisioningStage) -> None:
    stage.done(provision())
    stage.done(provision(owners=[GHOST], access=[access(ANA, "Viewer")]))
    assert stage.members("FIN-Margin-DEV") == {ANA: "Admin"}


def test_who_was_accepted_takes_the_place_of_who_was_there(stage: ProvisioningStage) -> None:
    stage.done(provision())
    document = stage.done(provision(owners=[GHOST, BEN], exact=True))
    assert stage.members("FIN-Margin-DEV") == {BEN: "Admin"}
    assert document["status"] == "succeededWithWarnings"
