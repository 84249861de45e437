"""From a seed to a plan. Each matter draws from a stream of its own, so that more faults do not change the visits."""

from __future__ import annotations

from collections import Counter
from random import Random

from tests.faults.plan.kinds import KINDS, Kind
from tests.faults.plan.plan import LONGEST_FACTOR, Fault, Operation, Plan, Point
from tests.faults.plan.visits import VISITS, Visit

VISITS_PER_SECOND = 9.0
"""What two cores carry beside their faults. More of them make everybody wait, and look again and again whether the page is there."""
RATES = {"ok hold": 0.4, "ok pay": 0.27, "ok cancel": 0.06}
"""For each visit, what a machine that keeps up comes to in a storm: whence the points."""
SECONDS_PER_FAULT = 3.5
CALM_BEFORE_SECONDS, CALM_AFTER_SECONDS = 4.0, 6.0
"""At the beginning, and at the end of the storm, in which no fault begins."""
LATE_FACTOR = 1.15
"""A point that was not reached comes about so much later than was expected."""
HOT_SLOTS = 80
HOT_SHARE = 0.15
"""So many of all visits are after the few slots that everybody wants."""


def plan(seed: int, minutes: float, visits_per_second: float = VISITS_PER_SECOND) -> Plan:
    """Fewer visits for a machine that is busy with other things, too."""
    visits = _visits(stream(seed, "visits"), minutes, visits_per_second)
    return Plan(seed, minutes, tuple(visits), tuple(_faults(seed, minutes, visits_per_second)))


def stream(seed: int, name: str) -> Random:
    return Random(f"{seed}:{name}")  # noqa: S311 - no secret, and must come again


def _visits(chance: Random, minutes: float, per_second: float) -> list[Operation]:
    count = round(minutes * 60 * LONGEST_FACTOR * per_second)
    kinds = chance.choices(VISITS, [visit.weight for visit in VISITS], k=count)
    return [_visit(chance, kind, number, round(number / per_second, 2)) for number, kind in enumerate(kinds)]


def _visit(chance: Random, kind: Visit, number: int, second: float) -> Operation:
    wanted = chance.randrange(HOT_SLOTS) if chance.random() < HOT_SHARE else chance.randrange(HOT_SLOTS, 100_000)
    player = number if chance.random() < kind.new_players else chance.randrange(max(1, number))
    return Operation(kind.story, player, wanted, second, kind.arguments(chance))


def _faults(seed: int, minutes: float, visits_per_second: float) -> list[Fault]:
    last_second = minutes * 60 - CALM_AFTER_SECONDS
    count = max(1, round((last_second - CALM_BEFORE_SECONDS) / SECONDS_PER_FAULT))
    chance = stream(seed, "faults")
    gap = (last_second - CALM_BEFORE_SECONDS) / count
    kinds = _kinds(chance, count, minutes)
    return [
        _fault(chance, kind, CALM_BEFORE_SECONDS + gap * (number + chance.random()), visits_per_second)
        for number, kind in enumerate(kinds)
    ]


def _kinds(chance: Random, count: int, minutes: float) -> list[Kind]:
    """Each kind once before any comes twice, and then by weight."""
    chosen = chance.sample(list(KINDS.values()), k=min(count, len(KINDS)))
    so_often = Counter(kind.name for kind in chosen)
    while len(chosen) < count:
        [kind] = chance.choices(list(KINDS.values()), [kind.weight for kind in KINDS.values()])
        if so_often[kind.name] < kind.most * max(1.0, minutes / 5):
            so_often[kind.name] += 1
            chosen.append(kind)
    chance.shuffle(chosen)
    return chosen


def _fault(chance: Random, kind: Kind, second: float, visits_per_second: float) -> Fault:
    arguments = {"target": chance.choice(kind.targets), **kind.arguments(chance)}
    return Fault(kind.name, kind.row, _point(chance, second, visits_per_second), arguments)


def _point(chance: Random, second: float, visits_per_second: float) -> Point:
    rates = {name: rate * visits_per_second for name, rate in RATES.items()} | {"second": 1.0}
    [after] = chance.choices(list(rates), [6, 2, 1, 1])
    return Point(after, round(second * rates[after]), round(second * LATE_FACTOR, 1))
