"""The answers that are not a resource, in the shapes that Polar gives them.

PolarError
├── InvalidInput           422, a list of places
├── CustomerExternalIdMismatch  422, a sentence in the place of the list
├── Unauthorized           401
│   └── InvalidToken
├── NotPermitted           403
├── NotOpenCheckout        403
├── RefundedAlready        403
├── RefundsBlocked         403
├── RefundDisputedPayment  403
├── ResourceNotFound       404
├── CheckoutLocked         409
├── ExpiredCheckout        410
└── RateLimited            429
"""

from collections.abc import Iterable, Mapping
from typing import Any


class PolarError(Exception):
    status = 500
    error = "InternalServerError"
    detail = "Internal Server Error"

    def body(self) -> dict[str, Any]:
        return {"error": self.error, "detail": self.detail}


class InvalidInput(PolarError):
    status = 422

    def __init__(self, *loc: str | int, msg: str) -> None:
        super().__init__(msg)
        self.loc, self.msg = loc, msg

    def body(self) -> dict[str, Any]:
        return validation_body(
            [{"loc": self.loc, "msg": self.msg, "type": "value_error"}], "PolarRequestValidationError"
        )


class CustomerExternalIdMismatch(PolarError):
    status, error = 422, "CheckoutCustomerExternalIdMismatch"
    detail = "The email address of the checkout is not that of the customer with this external ID."


class Unauthorized(PolarError):
    status, error, detail = 401, "Unauthorized", "Unauthorized"


class InvalidToken(Unauthorized):
    def body(self) -> dict[str, Any]:
        described = "The access token provided is expired, revoked, malformed, or invalid for other reasons."
        return {"error": "invalid_token", "error_description": described}


class ResourceNotFound(PolarError):
    status, error, detail = 404, "ResourceNotFound", "Not found"


class NotOpenCheckout(PolarError):
    status, error, detail = 403, "NotOpenCheckout", "Checkout is not open."


class RefundedAlready(PolarError):
    status, error, detail = 403, "RefundedAlready", "Order is already fully refunded."


class RefundsBlocked(PolarError):
    status, error, detail = 403, "RefundsBlocked", "Refunds are blocked for this order."


class RefundDisputedPayment(PolarError):
    status, error, detail = 403, "RefundDisputedPayment", "This payment is disputed and cannot be refunded."


class NotPermitted(PolarError):
    status, error, detail = 403, "NotPermitted", "Not permitted"


class CheckoutLocked(PolarError):
    status, error, detail = 409, "CheckoutLocked", "Checkout is being processed by another request."


class ExpiredCheckout(PolarError):
    status, error, detail = 410, "ExpiredCheckoutError", "This checkout session has expired."


class RateLimited(PolarError):
    status, error, detail = 429, "TooManyRequests", "Too many requests"


def validation_body(errors: Iterable[Mapping[str, Any]], error: str = "RequestValidationError") -> dict[str, Any]:
    detail = [{"loc": list(place["loc"]), "msg": place["msg"], "type": place["type"]} for place in errors]
    return {"error": error, "detail": detail}
