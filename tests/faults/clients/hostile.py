"""What attackers try. Their ids are known to the checker: nothing in any database may come of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from deploy import tokens
from tests.faults.clients.client import Client
from tests.faults.clients.scene import Person, Scene
from tests.faults.plan.plan import Operation

Attack = Callable[[Scene, Client, Operation], Awaitable[object]]


async def is_hostile(scene: Scene, visit: Operation) -> None:
    attacker = scene.client(scene.person(f"mallory{visit.player}"))
    assert attacker.user
    scene.hostile.add(attacker.user)
    await ATTACKS[visit.arguments["attack"] % len(ATTACKS)](scene, attacker, visit)


async def reads_of_others(scene: Scene, attacker: Client, visit: Operation) -> object:
    booking_id = _a_booking_of_somebody(scene, visit)
    path, arguments = f"/v1/bookings/{booking_id}", {"booking_id": booking_id}
    await attacker.ask("get", "GET", path, arguments=arguments)
    return await attacker.ask("checkout", "GET", f"{path}/checkout", arguments=arguments)


async def cancels_of_others(scene: Scene, attacker: Client, visit: Operation) -> object:
    booking_id = _a_booking_of_somebody(scene, visit)
    path, arguments = f"/v1/bookings/{booking_id}/cancel", {"booking_id": booking_id}
    return await attacker.ask("cancel", "POST", path, body={}, arguments=arguments, key=str(uuid4()))


async def moves_of_others(scene: Scene, attacker: Client, visit: Operation) -> object:
    booking_id, body = _a_booking_of_somebody(scene, visit), scene.slot(visit.slot).where
    path, arguments = f"/v1/bookings/{booking_id}/reschedule", {"booking_id": booking_id, **body}
    return await attacker.ask("reschedule", "POST", path, body=body, arguments=arguments, key=str(uuid4()))


async def forges_a_token(scene: Scene, attacker: Client, visit: Operation) -> object:
    """Signed by a key of the attacker's own, and says that it is the club's."""
    attacker.token = _forged(scene, scene.person(f"mallory{visit.player}"))
    return await _hold(scene, attacker, visit)


async def signs_with_nothing(scene: Scene, attacker: Client, visit: Operation) -> object:
    """`alg: none`, which some libraries once took."""
    assert attacker.token
    claims = attacker.token.split(".")[1]
    header = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').rstrip(b"=").decode()
    attacker.token = f"{header}.{claims}."
    return await _hold(scene, attacker, visit)


async def comes_without_a_token(scene: Scene, attacker: Client, visit: Operation) -> object:
    attacker.token = None
    return await _hold(scene, attacker, visit)


async def names_the_price(scene: Scene, attacker: Client, visit: Operation) -> object:
    return await _hold(scene, attacker, visit, price_minor=1, status="confirmed")


async def plays_staff(scene: Scene, attacker: Client, visit: Operation) -> object:
    await _hold(scene, attacker, visit, without_payment=True)
    slot = scene.slot(visit.slot)
    path = f"/v1/venues/{slot.venue_id}/blocked-slots"
    ends_at = slot.hours_later(1)
    body = {"court_ids": [slot.court_id], "starts_at": slot.starts_at, "ends_at": ends_at, "reason": "Mine"}
    return await attacker.ask("block", "POST", path, body=body, arguments=body, key=str(uuid4()))


async def forges_a_webhook(scene: Scene, attacker: Client, visit: Operation) -> object:
    """Of a payment that never was, signed with a secret that was guessed."""
    url = f"{scene.system.url('payments-api')}/webhooks/polar"
    body = {"type": "order.paid", "data": {"id": str(uuid4()), "metadata": {"booking_id": str(uuid4())}}}
    return await attacker.ask("forge", "POST", url, body=body, arguments={}, headers=_signature(body))


def _signature(body: object) -> dict[str, str]:
    """Standard Webhooks', over the bytes that are sent, with the wrong secret."""
    webhook_id, stamp = str(uuid4()), str(int(time.time()))
    payload = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    signed = hmac.digest(b"guessed", f"{webhook_id}.{stamp}.{payload}".encode(), hashlib.sha256)
    signature = f"v1,{base64.b64encode(signed).decode()}"
    return {"webhook-id": webhook_id, "webhook-timestamp": stamp, "webhook-signature": signature}


def _forged(scene: Scene, person: Person) -> str:
    good = scene.system.token(person.email, person.name, tokens.Role.ADMIN)
    claims = jwt.decode(good, options={"verify_signature": False})
    return jwt.encode(claims, Ed25519PrivateKey.generate(), "EdDSA", headers=jwt.get_unverified_header(good))


async def _hold(scene: Scene, attacker: Client, visit: Operation, **more: object) -> object:
    body = scene.slot(visit.slot).where | more
    return await attacker.ask("hold", "POST", "/v1/bookings", body=body, arguments=body, key=str(uuid4()))


def _a_booking_of_somebody(scene: Scene, visit: Operation) -> str:
    return scene.seen[visit.slot % len(scene.seen)] if scene.seen else str(uuid4())


ATTACKS: tuple[Attack, ...] = (
    reads_of_others,
    cancels_of_others,
    moves_of_others,
    forges_a_token,
    signs_with_nothing,
    comes_without_a_token,
    names_the_price,
    plays_staff,
    forges_a_webhook,
)
