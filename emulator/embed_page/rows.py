"""Made-up sales, the same at every start, and which of them row-level security lets an identity see."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from emulator.http import Json

PRODUCTS = ("Bicycles", "Helmets", "Jerseys", "Tyres")
MONTHS = ("2026-06", "2026-07", "2026-08", "2026-09", "2026-10", "2026-11")
CUSTOMERS = ("customer-1042", "customer-2077", "customer-3001")
SEES_ITS_OWN = "Customer"
"""The role whose filter is `[Customer] = USERNAME()`; every other role sees all rows."""


def visible_rows(identity: Json | None) -> list[Json]:
    """What the identity may see; without one, the model has no row-level security.

    Gives    [{"customer", "month", "product", "revenue", "margin"}], money in whole euros
    """
    roles = identity.get("roles", []) if identity else []
    if identity and roles and set(roles) <= {SEES_ITS_OWN}:
        return _rows_of([identity["username"]])
    return _rows_of(CUSTOMERS)


def _rows_of(customers: Sequence[str]) -> list[Json]:
    return [_row(customer, month, product) for customer in customers for product in PRODUCTS for month in MONTHS]


def _row(customer: str, month: str, product: str) -> Json:
    digest = hashlib.sha256(f"{customer}/{month}/{product}".encode()).digest()
    revenue = 4_000 + int.from_bytes(digest[:2], "big") % 26_000
    margin = revenue * (12 + digest[2] % 25) // 100
    return {"customer": customer, "month": month, "product": product, "revenue": revenue, "margin": margin}
