"""Who pays. A customer is known by the e-mail address; the shop's own id is kept only from the first purchase."""

import json

from deploy.standins.polar import shapes
from deploy.standins.polar.errors import CustomerExternalIdMismatch
from deploy.standins.polar.state import Document, Standin
from deploy.standins.polar.webhooks import announce


def of(standin: Standin, checkout: Document) -> Document:
    """An address that is known keeps its customer, and so its old external id, whatever the checkout says."""
    email = checkout["customer_email"].casefold()
    known = standin.database.value("SELECT doc FROM customers WHERE email = ?", (email,))
    if known is not None:
        customer: Document = json.loads(known)
        return customer
    external_id = checkout["external_customer_id"]
    customer = shapes.customer(standin, checkout)
    standin.database.execute(
        "INSERT INTO customers (id, email, external_id, doc) VALUES (?, ?, ?, ?)",
        (customer["id"], email, external_id, json.dumps(customer)),
    )
    announce(standin, "customer.created", customer)
    return customer


def check_identity(standin: Standin, checkout: Document) -> None:
    """CustomerExternalIdMismatch when the shop's id is known with another address (polarsource/polar #10260)."""
    known = standin.database.value(
        "SELECT email FROM customers WHERE external_id = ?", (checkout["external_customer_id"],)
    )
    if known is not None and known != checkout["customer_email"].casefold():
        raise CustomerExternalIdMismatch
