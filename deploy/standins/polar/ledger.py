"""The append-only book of charges, refunds and reversed refunds: the judge of every "exactly one charge".

The table itself refuses changes, erasures, a second charge of a checkout, and refunds beyond the charge (`schema.py`).
"""

import json

from deploy.standins.polar.state import Document, Standin


def charge(standin: Standin, order: Document) -> None:
    _enter(standin, "charge", order, order["total_amount"], None)


def is_charged(standin: Standin, checkout_id: str) -> bool:
    found = standin.database.row("SELECT 1 FROM ledger WHERE kind = 'charge' AND checkout_id = ?", (checkout_id,))
    return found is not None


def refund(standin: Standin, refund_made: Document, order: Document) -> None:
    _enter(standin, "refund", order, refund_made["amount"], refund_made["id"])


def reverse(standin: Standin, refund_failed: Document, order: Document) -> None:
    """A refund that had gone through comes back: the shop has the money again."""
    _enter(standin, "reversal", order, refund_failed["amount"], refund_failed["id"])


def _enter(standin: Standin, kind: str, order: Document, amount: int, refund_id: str | None) -> None:
    standin.database.execute(
        "INSERT INTO ledger (kind, order_id, checkout_id, refund_id, amount, currency, metadata, at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            kind,
            order["id"],
            order["checkout_id"],
            refund_id,
            amount,
            order["currency"],
            json.dumps(order["metadata"]),
            standin.now_iso(),
        ),
    )


def entries(standin: Standin, metadata: dict[str, str]) -> list[Document]:
    """In the order of writing; with `metadata`, those that carry each of its values."""
    rows = [dict(row) for row in standin.database.rows("SELECT * FROM ledger ORDER BY seq")]
    written = [{**row, "metadata": json.loads(row["metadata"])} for row in rows]
    return [entry for entry in written if all(str(entry["metadata"].get(key)) == metadata[key] for key in metadata)]
