"""What the customer sees: the checkout page. Plain HTML and forms, no script."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.standins.clock import seconds
from deploy.standins.polar import checkouts, ledger, money
from deploy.standins.polar.errors import ExpiredCheckout, InvalidInput, NotOpenCheckout, PolarError, ResourceNotFound
from deploy.standins.polar.inputs import EMAIL
from deploy.standins.polar.parts import Standin
from deploy.standins.polar.state import Document

router = APIRouter(default_response_class=HTMLResponse)
templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
templates.filters["money"] = money.readable
templates.filters["moment"] = lambda text: f"{datetime.fromtimestamp(seconds(text), UTC):%-d %B %Y, %H:%M} UTC"

# No script runs here. Forms are not restricted: Chromium would also stop the redirect to the club after Pay.
SAFETY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}
Email = Annotated[str, Form()]


@router.get("/checkout/{client_secret}")
async def show(standin: Standin, client_secret: str) -> Response:
    return _page(standin, _checkout(standin, client_secret))


@router.post("/checkout/{client_secret}/pay")
async def pay(standin: Standin, client_secret: str, email: Email = "") -> Response:
    checkout = _checkout(standin, client_secret)
    try:
        paid = await checkouts.pay(standin, checkout["id"], _well_formed(email))
    except InvalidInput as invalid:
        return _page(standin, checkout, message=invalid.msg, status=422)
    return RedirectResponse(paid["success_url"].replace("{CHECKOUT_ID}", paid["id"]), 303)


@router.post("/checkout/{client_secret}/pay-slowly")
async def pay_slowly(standin: Standin, client_secret: str, email: Email = "") -> Response:
    """As with 3-D Secure: the customer returns to the club before the money is there."""
    checkout = _checkout(standin, client_secret)
    try:
        with standin.confirming(checkout["id"]):
            slow_s = standin.settings.slow_charge_s
            checkouts.confirm(standin, checkout["id"], settles_after_s=slow_s, email=_well_formed(email))
    except InvalidInput as invalid:
        return _page(standin, checkout, message=invalid.msg, status=422)
    return RedirectResponse(checkout["success_url"].replace("{CHECKOUT_ID}", checkout["id"]), 303)


@router.post("/checkout/{client_secret}/decline")
async def decline(standin: Standin, client_secret: str) -> Response:
    checkout = checkouts.decline(standin, _checkout(standin, client_secret)["id"])
    message = "Your card was declined. You have not been charged. Try again, or use another card."
    return _page(standin, checkout, message=message, status=402)


@router.get("/")
async def overview(standin: Standin) -> Response:
    entries = ledger.entries(standin, {})[::-1][:50]
    rows = standin.database.rows("SELECT id FROM checkouts ORDER BY seq DESC LIMIT 50")
    latest = [standin.document("checkouts", row["id"]) for row in rows]
    return _html("overview.html", entries=entries, checkouts=latest, organization=standin.settings.organization)


def refusal(request: Request, error: PolarError) -> Response:
    """The page in place of the JSON that the API would give; the status is the same."""
    standin = request.app.state.standin
    try:
        checkout = _checkout(standin, request.path_params["client_secret"])
    except ResourceNotFound:
        return _html("unknown.html", status=error.status, organization=standin.settings.organization)
    if isinstance(error, ExpiredCheckout | NotOpenCheckout):
        return _page(standin, checkout, status=error.status)
    return _html("locked.html", status=error.status, checkout=checkout, organization=standin.settings.organization)


def _checkout(standin: Standin, client_secret: str) -> Document:
    return standin.document("checkouts", client_secret, "client_secret")


def _page(standin: Standin, checkout: Document, *, message: str = "", status: int = 200) -> Response:
    """The page of the state that the checkout is in."""
    now, expires_at = standin.clock.now(), seconds(checkout["expires_at"])
    facts = {
        "checkout": checkout,
        "organization": standin.settings.organization,
        "message": message,
        "minutes_left": max(0, int((expires_at - now) // 60)),
        "slow_s": round(standin.settings.slow_charge_s),
        "back": (checkout["return_url"] or checkout["success_url"]).replace("{CHECKOUT_ID}", checkout["id"]),
        "onward": checkout["success_url"].replace("{CHECKOUT_ID}", checkout["id"]),
    }
    if checkout["status"] in {"succeeded", "confirmed"}:
        return _html(f"{checkout['status']}.html", status=status, **facts)
    if checkouts.is_past_expiry(standin, checkout):
        return _html("expired.html", status=ExpiredCheckout.status, **facts)
    return _html("checkout.html", status=status, **facts)


def _well_formed(email: str) -> str | None:
    return email if EMAIL.fullmatch(email) else None


def _html(template: str, status: int = 200, **facts: Any) -> Response:
    return HTMLResponse(templates.get_template(template).render(**facts), status, SAFETY)
