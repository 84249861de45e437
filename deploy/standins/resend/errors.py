"""Resend's error answers: `{"statusCode": 422, "name": "missing_required_field", "message": "..."}`.

ResendError                    400 unless said otherwise
├── MissingApiKey              401 missing_api_key
├── RestrictedApiKey           401 restricted_api_key
├── InvalidApiKey              403 invalid_api_key
├── Forbidden                  403 validation_error
├── NotFound                   404 not_found
├── KeyUsedForAnotherMail      409 invalid_idempotent_request
├── KeyUnderWay                409 concurrent_idempotent_requests
├── InvalidIdempotencyKey      400 invalid_idempotency_key
├── MissingField               422 missing_required_field
├── InvalidMail                422 validation_error, or the name that is given
├── RateLimited                429 rate_limit_exceeded
├── QuotaExceeded              429 daily_quota_exceeded, monthly_quota_exceeded
└── ServerFailed               500 application_error, internal_server_error
"""

from typing import Any


class ResendError(Exception):
    status = 400
    name = "validation_error"
    message = "The request is invalid."
    retry_after_s: int | None = None

    def __init__(self, message: str = "", name: str = "") -> None:
        super().__init__(message)
        self.message = message or self.message
        self.name = name or self.name

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}

    def body(self) -> dict[str, Any]:
        return {"statusCode": self.status, "name": self.name, "message": self.message}


class MissingApiKey(ResendError):
    status, name, message = 401, "missing_api_key", "Missing API Key"


class RestrictedApiKey(ResendError):
    status, name, message = 401, "restricted_api_key", "This API key is restricted to only send emails"


class InvalidApiKey(ResendError):
    status, name, message = 403, "invalid_api_key", "API key is invalid"


class Forbidden(ResendError):
    status = 403


class NotFound(ResendError):
    status, name, message = 404, "not_found", "Email not found"


class KeyUsedForAnotherMail(ResendError):
    status, name = 409, "invalid_idempotent_request"
    message = "This idempotency key has been used on a request that had a different payload."


class KeyUnderWay(ResendError):
    status, name = 409, "concurrent_idempotent_requests"
    message = "Another request with the same idempotency key is currently in progress."


class InvalidIdempotencyKey(ResendError):
    name, message = "invalid_idempotency_key", "The idempotency key must be between 1 and 256 characters."


class MissingField(ResendError):
    status, name = 422, "missing_required_field"


class InvalidMail(ResendError):
    status = 422


class RateLimited(ResendError):
    status, name, retry_after_s = 429, "rate_limit_exceeded", 1

    def __init__(self, rate_per_s: int) -> None:
        super().__init__(f"Too many requests. You can only make {rate_per_s} requests per second.")


class QuotaExceeded(ResendError):
    status = 429

    def __init__(self, period: str, retry_after_s: int) -> None:
        super().__init__(f"You have reached your {period} email sending quota.", f"{period}_quota_exceeded")
        self.retry_after_s = retry_after_s


class ServerFailed(ResendError):
    status, name, message = 500, "application_error", "An unexpected error occurred."
