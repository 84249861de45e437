"""Who pays. A customer is known by the e-mail address; the shop's own id is kept only from the first purchase."""

import json

from deploy.standins.polar import shapes
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
    if standin.database.row("SELECT 1 FROM customers WHERE external_id = ?", (external_id,)):
        external_id = None
    customer = shapes.customer(standin, {**checkout, "external_customer_id": external_id})
    standin.database.execute(
        "INSERT INTO customers (id, email, external_id, doc) VALUES (?, ?, ?, ?)",
        (customer["id"], email, external_id, json.dumps(customer)),
    )
    announce(standin, "customer.created", customer)
    return customer
