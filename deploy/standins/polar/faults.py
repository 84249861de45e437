"""The faults that only Polar has: its own refusals, and refunds that take another course."""

from collections.abc import MutableMapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from deploy.standins.faults import Faults
from deploy.standins.line import Line, answer
from deploy.standins.polar.errors import (
    CheckoutLocked,
    CustomerExternalIdMismatch,
    InvalidInput,
    InvalidToken,
    NotOpenCheckout,
    NotPermitted,
    PolarError,
    RateLimited,
    RefundDisputedPayment,
    RefundedAlready,
    RefundsBlocked,
    ResourceNotFound,
)
from deploy.standins.polar.refunds import Course, End
from deploy.standins.polar.state import Standin
from deploy.standins.request_faults import AnyRequestFault, RequestFault, Seconds

REFUSALS: dict[str, PolarError] = {
    "InvalidInput": InvalidInput("body", "struck", msg="A fault that a test has asked for."),
    **{
        error.__name__: error()
        for error in (
            CustomerExternalIdMismatch, InvalidToken, NotPermitted, NotOpenCheckout, RefundedAlready, RefundsBlocked,
            RefundDisputedPayment, ResourceNotFound, CheckoutLocked, RateLimited,
        )
    },
}  # fmt: skip
COURSE = "courtside.course"


def _known(name: str) -> str:
    if name not in REFUSALS:
        raise ValueError(f"must be one of {', '.join(REFUSALS)}")
    return name


class Refuse(RequestFault):
    """Nothing done; one of Polar's own refusals, by its name."""

    action: Literal["refuse"]
    name: Annotated[str, AfterValidator(_known)]

    async def strike(self, line: Line) -> None:
        refused = REFUSALS[self.name]
        await line.answer(answer(refused.status, refused.body()))


class RefundCourse(RequestFault):
    """The refund that is asked for is pending so long (null: until a lever is pulled) and ends so."""

    action: Literal["refund_course"]
    pending_s: Seconds | None = None
    ends: End = "succeeded"

    async def strike(self, line: Line) -> None:
        line.scope[COURSE] = Course(self.pending_s, self.ends)
        await line.pass_on()


Shape: TypeAdapter[RequestFault] = TypeAdapter(
    Annotated[AnyRequestFault | Refuse | RefundCourse, Field(discriminator="action")]
)


def request_faults(standin: Standin) -> Faults[RequestFault]:
    return Faults("request", Shape, standin.database, standin.clock)


def course_of(scope: MutableMapping[str, Any], standin: Standin) -> Course:
    """As a fault has said; else as the settings say."""
    course: Course = scope.get(COURSE) or Course(standin.settings.refund_s, "succeeded")
    return course
