"""One driver for each function of our client: calls it in every way that changes what is sent.

`test_our_requests_fit_the_contract` names each function that lacks one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from emulator import seed
from shared.powerbi import capacities, datasets, embed_tokens, group_users, groups, refreshes, reports
from shared.powerbi.embed_tokens import EffectiveIdentity, EmbedTokenOrder
from shared.powerbi.group_users import Member
from shared.powerbi.groups import Group
from shared.powerbi.transport import Transport, path_of

OPERATIONS = "operations"
SALES = Group(seed.WORKSPACES[0].id, seed.WORKSPACES[0].name, seed.CAPACITIES[0].id)
REFERENCE = Group(seed.WORKSPACES[1].id, seed.WORKSPACES[1].name, "")
CALENDAR, SALES_MODEL, MARGIN = (dataset.id for dataset in seed.DATASETS)
OVERVIEW, MARGIN_REPORT, INVOICE = (report.id for report in seed.REPORTS)
ANALYSTS = Member("Group", seed.GROUPS[0].object_id, "Viewer")


@dataclass(frozen=True)
class World:
    """What a driver has: a transport, and a way to prepare what the function is about without being counted."""

    transport: Transport
    prepare: Transport

    def new_group(self, name: str) -> Group:
        """A workspace of the test's own."""
        return groups.create_group(self.prepare, name, identity=OPERATIONS)[0]

    def new_profile(self, name: str) -> str:
        """A service principal profile of `operations`."""
        made = self.prepare.call(
            "profiles.create",
            "POST",
            path_of("profiles"),
            identity=OPERATIONS,
            target=SALES.target,
            json={"displayName": name},
        )
        return str(made.json()["id"])

    def running_refresh(self, dataset_id: str) -> str:
        """The request id of an enhanced refresh that runs."""
        return refreshes.start_refresh(self.prepare, SALES.target, dataset_id, {"type": "Full"}, identity=OPERATIONS)


Driver = Callable[[World], object]


def _assign(world: World) -> None:
    capacities.assign_to_capacity(world.transport, REFERENCE, seed.CAPACITIES[0].id, identity=OPERATIONS)
    capacities.assign_to_capacity(world.transport, world.new_group("contract-assign"), "", identity=OPERATIONS)


def _generate_token(world: World) -> None:
    orders = [
        EmbedTokenOrder((OVERVIEW,), {SALES_MODEL: None}, (), (), edit=False, lifetime_minutes=30),
        EmbedTokenOrder(
            reports=(MARGIN_REPORT, INVOICE),
            datasets={MARGIN: "ReadOnly"},
            identities=(EffectiveIdentity("customer-7", ("Customer",), "7", (MARGIN,), (INVOICE,)),),
            target_workspaces=(SALES.id,),
            edit=True,
            lifetime_minutes=30,
        ),
    ]
    for order in orders:
        embed_tokens.generate_token(world.transport, order, identity="embed", floor=timedelta(minutes=45))


def _add_member(world: World) -> None:
    group = world.new_group("contract-add")
    profile = Member("App", seed.APPLICATIONS[0].object_id, "Viewer", world.new_profile("Customer 7"))
    for member in (ANALYSTS, Member("User", "dev@contoso.com", "Member"), profile):
        group_users.add_member(world.transport, group, member, identity=OPERATIONS)


def _update_member(world: World) -> None:
    group = world.new_group("contract-update")
    group_users.add_member(world.prepare, group, ANALYSTS, identity=OPERATIONS)
    contributor = Member(ANALYSTS.kind, ANALYSTS.identifier, "Contributor")
    group_users.update_member(world.transport, group, contributor, identity=OPERATIONS)


def _remove_member(world: World) -> None:
    group = world.new_group("contract-remove")
    profile = Member("App", seed.APPLICATIONS[0].object_id, "Viewer", world.new_profile("Customer 8"))
    for member in (ANALYSTS, profile):
        group_users.add_member(world.prepare, group, member, identity=OPERATIONS)
        group_users.remove_member(world.transport, group, member, identity=OPERATIONS)


def _holds_content(world: World) -> None:
    """An empty workspace: only then are both of its lists asked for."""
    groups.holds_content(world.transport, world.new_group("contract-holds").id, identity=OPERATIONS)


def _set_storage_format(world: World) -> None:
    groups.set_storage_format(world.transport, SALES, "Large", identity=OPERATIONS)


def _start_refresh(world: World) -> None:
    refreshes.start_refresh(world.transport, REFERENCE.target, CALENDAR, None, identity=OPERATIONS)
    everything = {
        "type": "Full",
        "commitMode": "Transactional",
        "maxParallelism": 2,
        "retryCount": 1,
        "timeout": "01:00:00",
        "objects": [{"table": "Sales", "partition": "Sales-2026-11"}, {"table": "Date"}],
        "applyRefreshPolicy": False,
    }
    refreshes.start_refresh(world.transport, SALES.target, SALES_MODEL, everything, identity=OPERATIONS)


def _refresh_details(world: World) -> None:
    """While it runs, and when it has ended."""
    request_id = world.running_refresh(MARGIN)
    refreshes.details(world.transport, SALES.id, MARGIN, request_id, identity=OPERATIONS)
    refreshes.cancel(world.prepare, SALES.target, MARGIN, request_id, identity=OPERATIONS)
    refreshes.details(world.transport, SALES.id, MARGIN, request_id, identity=OPERATIONS)


def _cancel_refresh(world: World) -> None:
    request_id = world.running_refresh(MARGIN)
    refreshes.cancel(world.transport, SALES.target, MARGIN, request_id, identity=OPERATIONS)


DRIVERS: dict[str, Driver] = {
    "capacities.assign_to_capacity": _assign,
    "capacities.assignment_status": lambda world: capacities.assignment_status(
        world.transport, SALES.id, identity=OPERATIONS
    ),
    "datasets.get_dataset": lambda world: datasets.get_dataset(world.transport, SALES.id, MARGIN, identity="embed"),
    "embed_tokens.generate_token": _generate_token,
    "group_users.add_member": _add_member,
    "group_users.every_member": lambda world: [
        *group_users.every_member(world.transport, SALES.id, identity=OPERATIONS, page=2)
    ],
    "group_users.remove_member": _remove_member,
    "group_users.update_member": _update_member,
    "groups.create_group": lambda world: groups.create_group(world.transport, "contract-new", identity=OPERATIONS),
    "groups.delete_group": lambda world: groups.delete_group(
        world.transport, world.new_group("contract-old"), identity=OPERATIONS
    ),
    "groups.every_group": lambda world: [*groups.every_group(world.transport, identity=OPERATIONS, page=1)],
    "groups.find_group": lambda world: groups.find_group(world.transport, "Sales' Analytics", identity=OPERATIONS),
    "groups.get_group": lambda world: groups.get_group(world.transport, SALES.id, identity=OPERATIONS),
    "groups.holds_content": _holds_content,
    "groups.list_groups": lambda world: groups.list_groups(world.transport, identity=OPERATIONS, top=3),
    "groups.set_storage_format": _set_storage_format,
    "refreshes.cancel": _cancel_refresh,
    "refreshes.details": _refresh_details,
    "refreshes.history": lambda world: refreshes.history(world.transport, SALES.id, MARGIN, identity=OPERATIONS),
    "refreshes.start_refresh": _start_refresh,
    "reports.get_report": lambda world: reports.get_report(world.transport, SALES.id, OVERVIEW, identity="embed"),
}
