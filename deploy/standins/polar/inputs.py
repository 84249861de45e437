"""What Polar accepts in a body. A field that the stand-in has no use for is ignored, as Polar ignores unknown ones."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StrictBool, StrictFloat, StrictInt, model_validator

from deploy.standins.polar.money import MINIMUM_MINOR

EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>.]+")


def email_address(text: str) -> str:
    if not EMAIL.fullmatch(text):
        raise ValueError("value is not a valid email address")
    return text


def _web_address(text: str) -> str:
    parts = urlsplit(text)  # not pydantic's URL type: that would escape the braces of {CHECKOUT_ID}
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise ValueError("Input should be a valid URL")
    return text


EmailAddress = Annotated[str, AfterValidator(email_address)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
MetadataKey = Annotated[str, Field(min_length=1, max_length=40)]
MetadataText = Annotated[str, Field(min_length=1, max_length=500)]
Metadata = Annotated[dict[MetadataKey, MetadataText | StrictInt | StrictFloat | StrictBool], Field(max_length=50)]


class FixedPrice(BaseModel):
    """An ad-hoc price: `{"amount_type": "fixed", "price_amount": 2400, "price_currency": "eur"}`, in minor units."""

    amount_type: Literal["fixed"]
    price_amount: Annotated[StrictInt, Field(ge=0, le=99_999_999)]
    price_currency: str = "usd"
    tax_behavior: Literal["location", "inclusive", "exclusive"] | None = None

    @model_validator(mode="after")
    def _chargeable(self) -> "FixedPrice":
        minimum = MINIMUM_MINOR.get(self.price_currency)
        if minimum is None:
            raise ValueError(f"Currency {self.price_currency!r} is not supported")
        if 0 < self.price_amount < minimum:
            raise ValueError(f"Amount must be at least {minimum} in {self.price_currency}")
        return self


class CheckoutCreate(BaseModel):
    products: Annotated[list[UUID], Field(min_length=1)]
    prices: dict[UUID, Annotated[list[FixedPrice], Field(min_length=1)]] = {}
    currency: str | None = None
    customer_email: EmailAddress | None = None
    customer_name: str | None = None
    customer_ip_address: str | None = None
    customer_metadata: Metadata = {}
    external_customer_id: str | None = None
    metadata: Metadata = {}
    success_url: WebAddress | None = None
    return_url: WebAddress | None = None
    embed_origin: str | None = None
    allow_discount_codes: bool = True
    require_billing_address: bool = False
    locale: str | None = None


class CheckoutUpdate(BaseModel):
    customer_email: EmailAddress | None = None
    customer_name: str | None = None
    metadata: Metadata | None = None
    customer_metadata: Metadata | None = None
    success_url: WebAddress | None = None
    return_url: WebAddress | None = None
    allow_discount_codes: bool | None = None


class RefundCreate(BaseModel):
    order_id: UUID
    reason: Literal[
        "duplicate", "fraudulent", "customer_request", "service_disruption", "satisfaction_guarantee", "other"
    ]
    amount: Annotated[StrictInt, Field(gt=0)]
    comment: str | None = None
    metadata: Metadata = {}
    revoke_benefits: bool = False
