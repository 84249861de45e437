"""Rows 1 to 19: processes that die, stand still or are replaced, and PostgreSQL."""

from __future__ import annotations

from tests.faults.catalogue.row import Row

ROWS = (
    Row(
        1,
        "The API is killed before COMMIT",
        "crash point `hold.asked`, first and second pass",
        "no booking, the client sees a reset, and the same key books once",
        "I1 I9",
        (
            "integration/booking/test_killed_holds.py::test_a_hold_whose_process_is_killed_is_one_booking_when_it_is_asked_for_again",
        ),
    ),
    Row(
        2,
        "The API is killed after COMMIT, before its answer",
        "crash point `hold.committed`, first and second pass",
        "the same key gets the stored answer",
        "I9 I3",
        (
            "integration/booking/test_killed_holds.py::test_a_hold_whose_process_is_killed_is_one_booking_when_it_is_asked_for_again",
        ),
    ),
    Row(
        3,
        "`kill -9` of any service at any moment",
        "SIGKILL while fifty players book and pay; of a mailer and of payments every few seconds",
        "the next process goes on; nothing is lost and nothing doubled",
        "all",
        (
            "e2e/test_one_booking.py::test_a_service_that_is_killed_in_the_middle_loses_and_doubles_nothing",
            "integration/payments/test_storms.py::test_five_hundred_players_on_a_bad_line_are_charged_and_refunded_once_each",
            "integration/notifications/test_outages.py::test_two_thousand_bookings_are_two_thousand_mails_through_faults_and_kills",
        ),
    ),
    Row(
        4,
        "SIGSTOP, then SIGCONT",
        "a worker in the middle of a call and of a transaction, a relay in its own, a refund before its call",
        "locks and partitions pass on; what the sleeper does afterwards does nothing, or is a duplicate",
        "I3 I4 I5",
        (
            "faults/test_consumers_that_stand_still.py::test_a_call_whose_process_sleeps_is_made_by_another_and_noted_once",
            "faults/test_consumers_that_stand_still.py::test_a_transaction_whose_process_sleeps_keeps_others_from_doing_it_twice",
            "integration/chassis/test_relay_processes.py::test_a_standby_takes_over_from_a_relay_that_dies_or_stands_still_in_its_transaction",
            "integration/payments/test_refund_calls.py::test_a_process_that_stood_still_before_its_call_does_not_call_after_another_did",
        ),
        "two minutes are some ten seconds: longer than each lock and each group waits, by what is set",
    ),
    Row(
        5,
        "SIGTERM under load",
        "every process of three services is replaced while players book and pay",
        "each drains; no 5xx, offsets are committed",
        "I3 I12",
        (
            "e2e/test_a_new_release.py::test_a_release_under_load_fails_no_request_and_doubles_no_effect",
            "integration/chassis/test_whole_processes.py::test_a_process_that_is_told_to_stop_ends_its_batch_commits_it_and_leaves",
            "integration/chassis/test_ladder.py::test_a_worker_that_is_told_to_stop_ends_its_batch_and_commits_it",
        ),
    ),
    Row(
        6,
        "The relay is killed after sending, before DELETE",
        "crash point `relay.sent`",
        "a duplicate on the topic, one effect",
        "I3 I4",
        (
            "integration/chassis/test_crash_points.py::test_a_worker_killed_at_any_point_loses_nothing_and_does_nothing_twice",
            "integration/chassis/test_relay.py::test_a_relay_that_dies_between_sending_and_deleting_repeats_and_loses_nothing",
            "integration/payments/test_storms.py::test_a_service_that_dies_on_its_way_charges_and_refunds_once",
        ),
    ),
    Row(
        7,
        "The relay is killed between DELETE and COMMIT",
        "crash point `relay.deleted`; commits that fail",
        "the rows are back and are sent again",
        "I3",
        (
            "integration/chassis/test_crash_points.py::test_a_worker_killed_at_any_point_loses_nothing_and_does_nothing_twice",
            "integration/chassis/test_relay_outages.py::test_events_are_sent_once_though_several_commits_that_delete_them_fail",
        ),
    ),
    Row(
        8,
        "Two relays at once, the old one resumes",
        "SIGSTOP of the active one in its transaction, a standby takes over, SIGCONT",
        "duplicates at most, each first occurrence in order",
        "I4 I11",
        (
            "integration/chassis/test_relay_processes.py::test_a_standby_takes_over_from_a_relay_that_dies_or_stands_still_in_its_transaction",
            "integration/chassis/test_relay_processes.py::test_a_standby_needs_no_more_than_three_seconds",
            "integration/chassis/test_relay.py::test_one_relay_works_and_another_takes_over_when_it_is_gone",
        ),
    ),
    Row(
        9,
        "The relay's connection is terminated",
        "`pg_terminate_backend`, while it looks for rows and while it waits for the broker",
        "it connects again and goes on",
        "I3 I13",
        (
            "integration/chassis/test_relay.py::test_a_relay_whose_connection_is_cut_comes_back",
            "integration/chassis/test_relay_processes.py::test_a_relay_whose_session_is_cut_while_it_waits_for_the_broker_sends_once",
        ),
    ),
    Row(
        10,
        "PostgreSQL crashes",
        "SIGKILL of the server and all its processes under load, `fsync` on",
        "it recovers; what was acknowledged is there; the pools heal",
        "I2 I3",
        (
            "faults/test_postgres_dies.py::test_what_was_promised_before_the_server_ended_is_there_afterwards",
            "integration/chassis/test_watching.py::test_our_own_database_being_away_is_no_stall",
        ),
        "the machine's own end, with what the disk had not written: needs another machine",
    ),
    Row(
        11,
        "PostgreSQL is restarted under load",
        "SIGINT (`fast`) and a start while players book",
        "503 with Retry-After, never 500",
        "I2 I12",
        ("faults/test_postgres_dies.py::test_what_was_promised_before_the_server_ended_is_there_afterwards",),
    ),
    Row(
        12,
        "The answer to COMMIT is lost",
        "a proxy resets the connection in the place of the answer: of the hold's statement, and of COMMIT",
        "503 that claims nothing; the same key tells what happened; no second effect",
        "I9 I1",
        (
            "faults/test_a_bad_line.py::test_a_hold_whose_commit_is_never_answered_is_made_once",
            "faults/test_a_bad_line.py::test_a_cancellation_whose_commit_is_never_answered_is_made_once",
        ),
    ),
    Row(
        13,
        "Every connection is in use, or the server gives no more",
        "a hundred and twenty requests wait for one locked row over pools of two; a connection limit of 0",
        "503 within seconds, and health stays up",
        "I12",
        (
            "faults/test_a_busy_database.py::test_a_crowd_that_waits_for_one_player_is_told_soon_and_the_process_stays_well",
            "faults/test_a_busy_database.py::test_a_crowd_that_waits_for_one_booking_is_told_soon_and_the_process_stays_well",
            "faults/test_a_busy_database.py::test_a_server_without_a_free_connection_is_503_and_then_as_before",
        ),
    ),
    Row(
        14,
        "A long transaction, or one that sleeps",
        "a side connection that changed a booking and does not commit; one that keeps vacuum from the outbox",
        "the server ends ours, whoever wants the same row is told to come again, all others go on; the relay keeps its rate",
        "I13",
        (
            "faults/test_a_busy_database.py::test_who_sleeps_in_a_transaction_holds_up_nobody_but_who_wants_the_same",
            "faults/test_a_busy_database.py::test_a_session_of_ours_that_sleeps_in_a_transaction_is_ended_by_the_server",
            "integration/chassis/test_relay_backlog.py::test_a_pile_of_events_drains_at_a_flat_rate_even_while_nothing_can_be_vacuumed",
        ),
    ),
    Row(
        15,
        "Deadlocks and serialization failures",
        "a trigger that raises 40001 or 40P01 twice; two players who swap courts at once",
        "tried again in place; no 500",
        "I12",
        (
            "faults/test_a_busy_database.py::test_a_transaction_that_loses_twice_is_done_at_its_third_try",
            "integration/booking/test_rescheduling.py::test_two_who_swap_slots_at_once_end_without_overlap",
        ),
    ),
    Row(
        16,
        "A storm on one court",
        "64 players on one slot, 200 on slots and blocks that overlap",
        "one gets it, the others hear 409 and what is free; no deadlock in the server's log",
        "I1",
        (
            "integration/booking/test_races.py::test_sixty_four_race_for_one_court_and_one_gets_it",
            "integration/booking/test_races.py::test_two_hundred_want_one_court_with_blocks_among_them",
            "integration/booking/test_races.py::test_a_crowd_fills_a_day_without_overlap",
        ),
    ),
    Row(
        17,
        "A migration while the club is open",
        "`alembic upgrade` under load, and beside somebody who holds a table",
        "no lost write; a migration that would queue everyone behind it gives up",
        "I2 I12",
        (
            "e2e/test_a_new_release.py::test_a_release_under_load_fails_no_request_and_doubles_no_effect",
            "integration/booking/test_migrations.py::test_the_club_goes_on_booking_while_it_is_migrated",
            "integration/booking/test_migrations.py::test_a_migration_gives_up_its_lock_rather_than_queue_everyone_behind_it",
        ),
    ),
    Row(
        18,
        "PostgreSQL's disk is full",
        "the data on a disk of some megabytes that is filled to its last page under load",
        "503, and bookings go on once there is room; what was acknowledged is there",
        "I2",
        ("faults/test_postgres_dies.py::test_a_disk_that_is_full_is_503_and_books_again_once_there_is_room",),
        "mounts a disk, as root or by `sudo`: left out where neither may; CI fails there",
    ),
    Row(
        19,
        "A dump is restored into a new cluster",
        "`pg_dump` while holds wait in the outbox; hours later all three databases are restored",
        "what happened since is heard again from Kafka; the relay repeats and loses nothing; no second charge or mail",
        "I3",
        (
            "e2e/test_restoring.py::test_what_happened_since_the_dump_is_heard_again_and_nothing_happens_twice",
            "integration/chassis/test_restoring.py::test_what_is_heard_begins_a_day_before_what_the_database_knows",
        ),
    ),
)
