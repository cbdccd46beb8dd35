"""The organisation that the emulator plays, by the names in which tests speak of it."""

from __future__ import annotations

from emulator import seed

POWER_BI = "api.powerbi.com"
ENTRA = "login.microsoftonline.com"

ANALYTICS, REFERENCE, STRANGERS = (workspace.id for workspace in seed.WORKSPACES)
"""Workspaces; the third one is none of the app's."""
CALENDAR, SALES, MARGIN = (dataset.id for dataset in seed.DATASETS)
"""Datasets. Calendar is in REFERENCE, on shared capacity; the others are in ANALYTICS, on a premium one."""
OVERVIEW, BY_CUSTOMER, INVOICE = (report.id for report in seed.REPORTS)
"""Reports in ANALYTICS: of Sales, of Margin (row-level security), and a paginated one."""
CAPACITY, CAPACITY_OF_OTHERS = (capacity.id for capacity in seed.CAPACITIES)
ANALYSTS, SELLERS = (group.object_id for group in seed.GROUPS)
ANA, BEN, CHLOE = (person.upn for person in seed.PEOPLE[:3])
APPLICATIONS = {application.name: application for application in seed.APPLICATIONS}
OPERATIONS = APPLICATIONS["operations"].object_id
"""The app itself, as a member of workspaces."""
