"""One seed from its plan to its verdict."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field

from tests.simulation.draining import drain
from tests.simulation.facts import look
from tests.simulation.invariants import breaches
from tests.simulation.plan import Plan
from tests.simulation.playing import play
from tests.simulation.world import World


@dataclass(frozen=True)
class Verdict:
    """`digest` is that of the trace: two runs of one plan have the same. `figures` say what the run was made of."""

    seed: int
    digest: str
    breaches: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        return not self.breaches


async def run(world: World, plan: Plan) -> Verdict:
    try:
        await play(world, plan)
        await drain(world, plan)
        found = breaches(await look(world))
    except Exception as error:  # noqa: BLE001 - whatever the product raises where nothing may be raised is a finding
        told = traceback.format_exception(error, limit=-3)
        found = [f"raised: {type(error).__name__}: {error}\n{''.join(told)}"]
    return Verdict(plan.seed, world.digest(), found, _figures(world))


def _figures(world: World) -> dict[str, int]:
    return {
        "turns": sum(": " in line for line in world.trace),
        "deaths": sum(line.endswith(" died") for line in world.trace),
        "records": len(world.log.in_order),
        "bookings": sum(call.op == "hold" and call.outcome == "ok" and call.repeats is None for call in world.calls),
        "charges": sum(entry["kind"] == "charge" for entry in world.polar.ledger()),
        "refunds": sum(entry["kind"] == "refund" for entry in world.polar.ledger()),
        "mails": len(world.resend.mails()),
    }
