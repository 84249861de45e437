"""What a failed call to Polar means. The SDK retries nothing and Polar knows no idempotency key, so the question is: was it done?

    what came back                             outcome          raised
    ─────────────────────────────────────────  ───────────────  ─────────────────────────────────────────────────────
    no connection was made                     definitely not   NotDone
    read or write failed, deadline, 5xx        unknown          OutcomeUnknown: look before doing it again
    429, whatever its Retry-After looks like   definitely not   NotDone, not before that time
    409 to a read                              definitely not   NotDone: another request holds the object
    409 to a write                             unknown          OutcomeUnknown: that other request may be ours, still under way
    408                                        unknown          OutcomeUnknown: somebody gave up waiting
    401                                        definitely not   NotDone: the token is refused, not this one call
    another 4xx in any JSON                    definitely not   Refused
    RefundedAlready                            done             DoneBefore
    a 2xx that cannot be read                  done             OutcomeUnknown after a write: it exists, and is looked up
                                                                NotUnderstood after a read
    a 3xx, or a 4xx that is no JSON            unknown          OutcomeUnknown: not Polar, but something before it

The status is that of the answer itself: where the SDK fails at an answer, its exception has lost it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import ClassVar

import httpx
from polar import PolarClientError, PolarDeserializationError, PolarNetworkError, PolarServerError
from polar.base import PolarRateLimitError
from polar.v2026_10.errors import HTTPValidationError, RefundedAlready

from services.chassis.retrying import Fatal, Transient

UNSAID_RETRY_AFTER = timedelta(minutes=1)
"""Polar counts requests per minute."""
LONGEST_RETRY_AFTER = timedelta(days=1)
"""Longer than the ladder of retries: more is an error of whoever wrote it."""
UNAUTHORIZED, TIMED_OUT, CONFLICT, TOO_MANY = 401, 408, 409, 429
WORD_MAX_CHARS = 60

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Outcome(Enum):
    """What is known, after a call failed, of its effect at Polar."""

    DONE = "done"
    DEFINITELY_NOT = "definitely not"
    UNKNOWN = "unknown"


class NotDone(Transient):
    """Nothing came of the call: it may be made again."""

    outcome: ClassVar = Outcome.DEFINITELY_NOT


class OutcomeUnknown(Transient):
    """It may have been done: look before doing it again."""

    outcome: ClassVar = Outcome.UNKNOWN


class Refused(Fatal):
    """Polar will never do it. The message says where and what, never the input: that may be a player's address."""

    outcome: ClassVar = Outcome.DEFINITELY_NOT


class DoneBefore(Fatal):
    """What was asked for had been done."""

    outcome: ClassVar = Outcome.DONE


class NotUnderstood(Fatal):
    """A person must look: Polar says something that this version of its SDK does not know."""

    outcome: ClassVar = Outcome.UNKNOWN


CallFailed = NotDone | OutcomeUnknown | Refused | DoneBefore | NotUnderstood


def classify(error: Exception, answer: httpx.Response | None, now: datetime, *, writes: bool) -> CallFailed:
    """Pure. The table at the top of this file. `answer` is the HTTP answer, if there was one."""
    match error:
        case PolarNetworkError(__cause__=cause) if isinstance(cause, _NEVER_SENT):
            return NotDone("Polar cannot be reached")
        case PolarNetworkError() | TimeoutError():
            return OutcomeUnknown(f"Polar did not answer: {type(error.__cause__ or error).__name__}")
        case PolarServerError():
            return OutcomeUnknown(f"Polar answered {error.status_code}")
        case RefundedAlready():
            return DoneBefore("Polar has refunded this already")
        case _:
            return _of_answer(error, answer, now, writes=writes)


def _of_answer(error: Exception, answer: httpx.Response | None, now: datetime, *, writes: bool) -> CallFailed:
    status = answer.status_code if answer is not None else getattr(error, "status_code", None)
    if status == TOO_MANY or isinstance(error, PolarRateLimitError):
        return NotDone("Polar allows no more requests for now", retry_after=_retry_after(answer, now))
    if status == UNAUTHORIZED:
        return NotDone("Polar does not accept our access token")
    if status in (CONFLICT, TIMED_OUT):
        return _of_a_wait(status, writes=writes)
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return OutcomeUnknown("Polar's answer is not JSON")
    if isinstance(error, PolarClientError) or (answer is not None and answer.is_client_error):
        return Refused(f"Polar refused: {_reason(error, answer)}")
    return _not_understood(error, writes=writes)


def _of_a_wait(status: int, *, writes: bool) -> NotDone | OutcomeUnknown:
    if status == CONFLICT and not writes:
        return NotDone("Polar is busy with this very object")
    return OutcomeUnknown(f"Polar answered {status}")


def _not_understood(error: Exception, *, writes: bool) -> OutcomeUnknown | NotUnderstood:
    kind = type(error.error).__name__ if isinstance(error, PolarDeserializationError) else type(error).__name__
    reason = f"Polar's answer is not what its SDK knows: {kind}"
    return OutcomeUnknown(reason) if writes else NotUnderstood(reason)


def _retry_after(answer: httpx.Response | None, now: datetime) -> timedelta:
    """Seconds, a date, or nothing; what is neither counts as nothing."""
    told = answer.headers.get("retry-after", "") if answer is not None else ""
    if told.isascii() and told.isdecimal():
        return min(timedelta(seconds=min(int(told), 10**9)), LONGEST_RETRY_AFTER)
    try:
        wait = parsedate_to_datetime(told).replace(tzinfo=UTC) - now
    except ValueError:
        return UNSAID_RETRY_AFTER
    return min(max(wait, timedelta(0)), LONGEST_RETRY_AFTER)


def _reason(error: Exception, answer: httpx.Response | None) -> str:
    if isinstance(error, HTTPValidationError) and isinstance(error.error.detail, list):
        places = (f"{'.'.join(map(str, found.loc))}: {found.type}" for found in error.error.detail[:5])
        return f"{error.status_code} {'; '.join(places)}"
    if answer is None:
        return f"{getattr(error, 'status_code', '')} {type(error).__name__}".strip()
    return f"{answer.status_code} {_word(answer) or type(error).__name__}"


def _word(answer: httpx.Response) -> str:
    """Polar's own name for the refusal: `RefundsBlocked`."""
    try:
        word = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    return word if isinstance(word, str) and word.isidentifier() and len(word) <= WORD_MAX_CHARS else ""
