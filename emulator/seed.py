"""The organisation that the emulator plays: fixed ids, so that `config/` and tests can name them. No secrets here."""

from __future__ import annotations

from dataclasses import dataclass

TENANT_ID = "3b6f2f0e-8d4c-4b6a-9a51-6c1f0e7d2a90"  # no such tenant exists: nothing sent by mistake could be accepted
TENANT_DOMAIN = "contoso.com"

API_APP_ID = "a0c3d6e9-41f7-4d52-8b7e-90d1c2f3a4b5"
API_APP_URI = "api://powerbi-automation"
MANAGED_IDENTITY_CLIENT_ID = "c1a7e5b3-2f64-4e0d-8f3b-5b9c7d1e2f30"
MANAGED_IDENTITY_OBJECT_ID = "c2b8f6c4-3075-4f1e-9a4c-6cad8e2f3041"
KEY_VAULT_NAME = "contoso-powerbi"
STORAGE_ACCOUNT = "contosopowerbi"

ALL_ROLES = (
    "Provisioning.Write",
    "Provisioning.Read",
    "Provisioning.Admin",
    "Refresh.Write",
    "Refresh.Read",
    "Embed.Issue",
    "Promotion.Write",
    "Promotion.Read",
    "Governance.Read",
    "Operations.Read",
)


@dataclass(frozen=True)
class Application:
    """An app registration with its service principal."""

    name: str
    client_id: str
    object_id: str
    roles: tuple[str, ...] = ()
    """Roles of our API that are assigned to its service principal."""
    credential: str = ""
    """As the app's settings say it, where the app acts as it: `federated`, or `secret:` and a name in the vault."""
    powerbi: bool = False
    """Member of the group that the tenant settings of Power BI name."""
    public_flows: bool = False
    """Entra's "Allow public client flows": people may sign in to it by name and password without its secret."""

    @property
    def vault_secret(self) -> str:
        """The name under which its client secret lies in Key Vault; empty where it lies nowhere."""
        kind, _, name = self.credential.partition(":")
        return name if kind == "secret" else ""


APPLICATIONS = (
    Application(
        name="operations",
        client_id="11c6a1b0-53d2-4c0e-9d4e-0a1b2c3d4e01",
        object_id="11c6a1b0-53d2-4c0e-9d4e-0a1b2c3d4eff",
        credential="federated",
        powerbi=True,
        public_flows=True,
    ),
    Application(
        name="embed",
        client_id="22d7b2c1-64e3-4d1f-8e5f-1b2c3d4e5f02",
        object_id="22d7b2c1-64e3-4d1f-8e5f-1b2c3d4e5fff",
        credential="secret:powerbi-embed-secret",
        powerbi=True,
        public_flows=True,
    ),
    Application(
        name="admin",
        client_id="33e8c3d2-75f4-4e20-9f60-2c3d4e5f6003",
        object_id="33e8c3d2-75f4-4e20-9f60-2c3d4e5f60ff",
        credential="secret:powerbi-admin-secret",
        powerbi=True,
    ),
    Application(
        name="operator",
        client_id="44f9d4e3-8605-4f31-a071-3d4e5f607104",
        object_id="44f9d4e3-8605-4f31-a071-3d4e5f6071ff",
        roles=ALL_ROLES,
    ),
    Application(
        name="customer-portal",
        client_id="550ae5f4-9716-4042-b182-4e5f60718205",
        object_id="550ae5f4-9716-4042-b182-4e5f607182ff",
        roles=("Embed.Issue",),
    ),
    Application(
        name="auditor",
        client_id="661bf605-a827-4153-8293-5f6071829306",
        object_id="661bf605-a827-4153-8293-5f60718293ff",
        roles=("Provisioning.Read", "Refresh.Read", "Promotion.Read", "Governance.Read", "Operations.Read"),
    ),
    Application(
        name="nobody",
        client_id="772c0716-b938-4264-93a4-60718293a407",
        object_id="772c0716-b938-4264-93a4-60718293a4ff",
    ),
)


@dataclass(frozen=True)
class Person:
    """A user of the tenant. `roles`: roles of our API that are assigned to the user."""

    upn: str
    object_id: str
    display_name: str
    roles: tuple[str, ...] = ()


PEOPLE = (
    Person("ana@contoso.com", "a1000000-0000-4000-8000-000000000001", "Ana Ruiz", ("Embed.Issue",)),
    Person("ben@contoso.com", "a1000000-0000-4000-8000-000000000002", "Ben Okafor"),
    Person("chloe@contoso.com", "a1000000-0000-4000-8000-000000000003", "Chloé Martin"),
    Person("dev@contoso.com", "a1000000-0000-4000-8000-000000000004", "Dev Patel"),
)


@dataclass(frozen=True)
class Group:
    """A security group."""

    name: str
    object_id: str


GROUPS = (
    Group("finance-analysts", "b2000000-0000-4000-8000-000000000001"),
    Group("sales-analysts", "b2000000-0000-4000-8000-000000000002"),
)


@dataclass(frozen=True)
class Capacity:
    """A capacity; the applications named in `assign` have the Assign right on it."""

    name: str
    id: str
    sku: str
    region: str = "West Europe"
    assign: tuple[str, ...] = ("operations",)


CAPACITIES = (
    Capacity("premium-eu", "c3000000-0000-4000-8000-000000000001", "P1"),
    Capacity("embedded-eu", "c3000000-0000-4000-8000-000000000002", "A1"),
)


@dataclass(frozen=True)
class Workspace:
    """A workspace; `capacity` is a capacity's name, empty for shared. Members are applications and people by name."""

    name: str
    id: str
    capacity: str
    admins: tuple[str, ...] = ("operations", "ana@contoso.com")
    members: tuple[str, ...] = ("embed",)


WORKSPACES = (
    Workspace("Sales Analytics", "d4000000-0000-4000-8000-000000000001", "premium-eu"),
    Workspace("Shared Reference", "d4000000-0000-4000-8000-000000000002", ""),
    Workspace("Strangers", "d4000000-0000-4000-8000-000000000003", "premium-eu", ("ben@contoso.com",), ()),
)


@dataclass(frozen=True)
class Dataset:
    """A dataset (semantic model) in the workspace of that name. With `roles` it has row-level security."""

    name: str
    id: str
    workspace: str
    roles: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    partitions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Table name and its partitions."""


DATASETS = (
    Dataset("Calendar", "e5000000-0000-4000-8000-000000000001", "Shared Reference", tables=("Date",)),
    Dataset(
        "Sales",
        "e5000000-0000-4000-8000-000000000002",
        "Sales Analytics",
        tables=("Sales", "Customer", "Date"),
        partitions=(("Sales", ("Sales-2026-09", "Sales-2026-10", "Sales-2026-11")),),
    ),
    Dataset(
        "Margin",
        "e5000000-0000-4000-8000-000000000003",
        "Sales Analytics",
        roles=("Customer", "Employee"),
        tables=("Margin", "Customer"),
    ),
)


@dataclass(frozen=True)
class Report:
    """A report; without a dataset it is a paginated one."""

    name: str
    id: str
    workspace: str
    dataset: str


REPORTS = (
    Report("Sales overview", "f6000000-0000-4000-8000-000000000001", "Sales Analytics", "Sales"),
    Report("Margin by customer", "f6000000-0000-4000-8000-000000000002", "Sales Analytics", "Margin"),
    Report("Invoice", "f6000000-0000-4000-8000-000000000003", "Sales Analytics", ""),
)
