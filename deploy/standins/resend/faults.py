"""The faults that only Resend has: its own refusals."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from deploy.standins.faults import Faults
from deploy.standins.line import Line, answer
from deploy.standins.request_faults import AnyRequestFault, RequestFault
from deploy.standins.resend import errors
from deploy.standins.resend.state import Outbox

REFUSALS: dict[str, errors.ResendError] = {
    **{
        error.name: error
        for error in (
            errors.MissingApiKey(), errors.RestrictedApiKey(), errors.InvalidApiKey(), errors.NotFound(),
            errors.KeyUsedForAnotherMail(), errors.KeyUnderWay(), errors.InvalidIdempotencyKey(),
            errors.MissingField("Missing `to` field."), errors.InvalidMail("The mail is invalid."),
            errors.InvalidMail("The attachment is invalid.", "invalid_attachment"),
            errors.InvalidMail("The sender is invalid.", "invalid_from_address"),
            errors.RateLimited(5), errors.QuotaExceeded("daily", 3600), errors.QuotaExceeded("monthly", 86_400),
            errors.ServerFailed(), errors.ServerFailed(name="internal_server_error"),
        )
    },
    "domain_not_verified": errors.Forbidden("The domain is not verified. Please, add and verify your domain."),
}  # fmt: skip
"""By Resend's own names; only what it calls a `validation_error` three times has a name of ours for the 403."""


def _known(name: str) -> str:
    if name not in REFUSALS:
        raise ValueError(f"must be one of {', '.join(REFUSALS)}")
    return name


class Refuse(RequestFault):
    """Nothing done; one of Resend's own refusals, by its name."""

    action: Literal["refuse"]
    name: Annotated[str, AfterValidator(_known)]
    retry_after_s: int | None = None

    async def strike(self, line: Line) -> None:
        refused = REFUSALS[self.name]
        told = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        await line.answer(answer(refused.status, refused.body(), {**refused.headers, **told}))


Shape: TypeAdapter[RequestFault] = TypeAdapter(Annotated[AnyRequestFault | Refuse, Field(discriminator="action")])


def request_faults(outbox: Outbox) -> Faults[RequestFault]:
    return Faults("request", Shape, outbox.database, outbox.clock)
