"""I1 to I17: each a pure function from the facts of a run to what is wrong in it, in a file of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.faults.checker.facts import Facts
from tests.faults.checker.invariants import (
    i01_one_player_a_court,
    i02_answers_are_true,
    i03_no_lost_event,
    i04_one_effect,
    i05_no_double_charge,
    i06_money_closes,
    i07_convergence,
    i08_nothing_vanishes,
    i09_one_key_one_effect,
    i10_offsets,
    i11_order,
    i12_errors,
    i13_liveness,
    i14_in_time,
    i15_rights,
    i16_slots,
    i17_nothing_personal,
)
from tests.faults.checker.verdict import Finding

INVARIANTS: Mapping[str, Callable[[Facts], Finding]] = {
    "I1": i01_one_player_a_court.examine,
    "I2": i02_answers_are_true.examine,
    "I3": i03_no_lost_event.examine,
    "I4": i04_one_effect.examine,
    "I5": i05_no_double_charge.examine,
    "I6": i06_money_closes.examine,
    "I7": i07_convergence.examine,
    "I8": i08_nothing_vanishes.examine,
    "I9": i09_one_key_one_effect.examine,
    "I10": i10_offsets.examine,
    "I11": i11_order.examine,
    "I12": i12_errors.examine,
    "I13": i13_liveness.examine,
    "I14": i14_in_time.examine,
    "I15": i15_rights.examine,
    "I16": i16_slots.examine,
    "I17": i17_nothing_personal.examine,
}
