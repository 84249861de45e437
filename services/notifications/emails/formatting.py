"""Days, hours and money as the reader writes them, in the venue's own time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, get_timezone_name
from babel.numbers import format_currency, get_currency_precision
from babel.units import format_unit

LANGUAGES = ("en", "es", "de")
FALLBACK = Locale("en")

MINOR_DIGITS = {"IQD": 3} | dict.fromkeys(
    ("AFN", "ALL", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SLL", "SOS", "SYP", "YER"), 2
)
"""Where the minor unit of ISO 4217 is smaller than what people write, and so than what CLDR, babel's source, knows."""


@dataclass(frozen=True)
class Formats:
    """`of` picks the locale, `zone` is the venue's."""

    locale: Locale
    zone: ZoneInfo

    @classmethod
    def of(cls, tag: str, time_zone: str) -> Formats:
        return cls(reading_locale(tag), ZoneInfo(time_zone))

    def day(self, at: datetime) -> str:
        return format_date(at.astimezone(self.zone), "full", locale=self.locale)

    def moment(self, at: datetime) -> str:
        return f"{self.day(at)}, {self.time(at)}"

    def time(self, at: datetime) -> str:
        return format_time(at, "short", tzinfo=self.zone, locale=self.locale)

    def hours(self, start: datetime, end: datetime) -> str:
        """With the zones when the clock is set in between: 02:30 to 02:30 can be an hour."""
        if start.astimezone(self.zone).utcoffset() == end.astimezone(self.zone).utcoffset():
            return f"{self.time(start)} \N{EN DASH} {self.time(end)}"
        return f"{self.time(start)} ({self.zone_name(start)}) \N{EN DASH} {self.time(end)} ({self.zone_name(end)})"

    def zone_name(self, at: datetime) -> str:
        return get_timezone_name(at.astimezone(self.zone), "long", locale=self.locale)

    def minutes(self, start: datetime, end: datetime) -> str:
        return format_unit((end - start).total_seconds() / 60, "minute", "long", locale=self.locale)

    def whole_hours(self, count: int) -> str:
        return format_unit(count, "hour", "long", locale=self.locale)

    def money(self, minor: int, currency: str) -> str:
        shown = get_currency_precision(currency)
        digits = MINOR_DIGITS.get(currency, shown)
        amount = Decimal(minor).scaleb(-digits)
        return format_currency(amount, currency, locale=self.locale, currency_digits=digits == shown)


def reading_locale(tag: str) -> Locale:
    """The user's own locale, if mails are written in its language: `es-MX` has Mexican formats, `fr` reads English."""
    language = tag.split("-", maxsplit=1)[0].lower()
    if language not in LANGUAGES:
        return FALLBACK
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale(language)
