"""What goes on between the services: relays, consumers and jobs of the clock, and what a broker does to them."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

from services.chassis.breaker import ProviderLeftAlone
from services.chassis.retrying import Failure
from services.chassis.subscribing import Record
from tests.simulation.groups import Group
from tests.simulation.memory_log import Place
from tests.simulation.moving import Happening, let, one_of
from tests.simulation.offices import Office
from tests.simulation.turns import Actor, Process
from tests.simulation.world import World


async def _relay(world: World, n: tuple[int, ...]) -> Actor | None:
    office = one_of(n[0], [one for one in world.offices.values() if one.has_something_to_say])
    return relay(world, office, n[1]) if office else None


async def _work(world: World, n: tuple[int, ...]) -> None:
    """A while in which nothing is held up: relays and consumers take turns, in an order that the numbers say."""
    order = Random(n[0])  # noqa: S311 - it must come out the same again
    for _ in range(2 + n[1] % 12):
        speaking = [one for one in world.offices.values() if one.has_something_to_say]
        waiting = deliverable(world)
        number = order.randrange(max(1, len(speaking) + len(waiting)))
        if number < len(speaking):
            await let(world, relay(world, speaking[number], 0))
        elif waiting:
            await let(world, deliver(world, *waiting[number - len(speaking)]))


def relay(world: World, office: Office, number: int) -> Actor:
    worker = office.workers[number % len(office.workers)]
    free = [one for one in office.workers if not _is_busy(world, one.process, "relay")]
    worker = worker if worker in free or not free else free[0]
    if worker not in free:
        return next(one for one in world.turns.going_on() if one.name == "relay" and one.process is worker.process)
    return world.turns.begin("relay", worker.process, lambda: office.publish(worker))


async def _deliver(world: World, n: tuple[int, ...]) -> Actor | None:
    waiting = deliverable(world)
    found = one_of(n[0], waiting)
    return deliver(world, *found, 1 + n[1] % 6) if found else None


def deliverable(world: World) -> list[tuple[Office, Group, Place]]:
    """Where something is next that nobody has in hand."""
    busy = {one.name for one in world.turns.going_on()}
    return [
        (office, group, place)
        for office in world.offices.values()
        for group in office.groups
        for place in world.log.places(group.topics)
        if world.log.has_more(group.name, place)
        and office.ready(group, place)
        and _line(office, group, place) not in busy
    ]


def deliver(world: World, office: Office, group: Group, place: Place, number: int = 1_000) -> Actor:
    records = office.ready(group, place)[:number]
    worker = office.worker_at(place)
    name = _line(office, group, place)
    return world.turns.begin(name, worker.process, lambda: office.consume(worker, group, place, records))


def _line(office: Office, group: Group, place: Place) -> str:
    return f"{group.name} {place[0]} {place[1]} {office.generation}"


def _is_busy(world: World, process: Process, name: str) -> bool:
    return any(one.name == name and one.process is process for one in world.turns.going_on())


async def _deliver_again(world: World, n: tuple[int, ...]) -> None:
    """Offsets go back: a commit was lost."""
    office = list(world.offices.values())[n[0] % 3]
    spots = [(group, place) for group in office.groups for place in world.log.places(group.topics)]
    if spot := one_of(n[1], [one for one in spots if world.log.offsets.get((one[0].name, one[1]))]):
        office.generation += 1
        world.log.go_back(spot[0].name, spot[1], 1 + n[2] % 4)


async def _copy(world: World, n: tuple[int, ...]) -> None:
    """An old record comes once more, behind all that came since."""
    main: list[Record] = [one for one in world.log.in_order if ".retry." not in one.topic and ".dlt" not in one.topic]
    if record := one_of(n[0], main):
        world.log.append_copy(record)


async def _rebalance(world: World, n: tuple[int, ...]) -> None:
    list(world.offices.values())[n[0] % 3].generation += 1


async def _go_on(world: World, n: tuple[int, ...]) -> Actor | None:
    return one_of(n[0], list(world.turns.going_on()))


async def _cron(world: World, n: tuple[int, ...]) -> Actor:
    office = list(world.offices.values())[n[0] % 3]
    return cron(world, office, n[1], n[2])


def cron(world: World, office: Office, number: int, which: int) -> Actor:
    worker = office.workers[number % len(office.workers)]
    name = sorted(worker.crons)[which % len(worker.crons)]
    job = worker.crons[name]

    async def fire() -> None:
        try:
            await job.fire(office.chassis.unit_of_work)
        except (Failure, ProviderLeftAlone) as error:
            world.trace.append(f"{name}: {type(error).__name__}")

    return world.turns.begin(name, worker.process, fire)


HAPPENINGS: Mapping[str, Happening] = {
    "relay": _relay,
    "work": _work,
    "deliver": _deliver,
    "deliver again": _deliver_again,
    "copy": _copy,
    "rebalance": _rebalance,
    "go on": _go_on,
    "cron": _cron,
}
