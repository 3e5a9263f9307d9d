"""Dates of ISO 8601, with and without dashes, and columns of times of unknown kind."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone

_DAY = (
    r"(?P<year>\d{4})(?:"
    r"-(?P<month>\d\d)(?:-(?P<day>\d\d))?|(?P<month2>\d\d)(?P<day2>\d\d)"  # 2024-01-31, 2024-01, 20240131
    r"|-?W(?P<week>\d\d)(?:-?(?P<weekday>[1-7]))?"  # 2024-W05-3, 2024W053
    r"|-?(?P<ordinal>\d{3}))"  # 2024-031, 2024031
)
_CLOCK = r"(?P<hour>\d\d)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)?"
_ZONE = r"(?P<zone>Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)"
_MOMENT = re.compile(
    rf"{_DAY}(?:(?:[T_]|\s+|(?<=\d{{8}})){_CLOCK}(?:\s*{_ZONE})?)?", re.IGNORECASE | re.ASCII
)
_DIGITS = re.compile(r"(?:19|20)(?:\d{6}|\d{8}|\d{10}|\d{12}(?:\.\d*|\d{3}|\d{6})?)", re.ASCII)
_SHORT = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])|(?:19|20)\d\d(?:[0-2]\d\d|3[0-6]\d)", re.ASCII)
_OTHER = re.compile(r"[12](?:\d{7}|\d{11}|\d{13})|(?:19|20)\d{8}", re.ASCII)
_PARTS = re.compile(r"(\d{14})(\d{3}|\d{6})", re.ASCII)
"""Digits down to the thousandth or the millionth of a second."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def number_of(text: str) -> float:
    """A number as people write it; NaN for anything else.

    Python would also accept ``1_000``, and digits of other scripts.

    Example:
        >>> [number_of(text) for text in ("1e3", "2024_05", "inf")]
        [1000.0, nan, inf]
    """
    try:
        return float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return math.nan


def seconds_of(text: str) -> float:
    """Seconds since 1970 of an ISO 8601 date, NaN for anything else; UTC without a zone.

    Days are ``2024-01-31``, ``20240131``, ``2024-031`` (day of the year) or ``2024-W05-3``; months and weeks begin on
    their first day. Then ``T``, a space or ``_`` may follow with a time such as ``23``, ``23:59`` or ``235959.5``, and
    a zone: ``Z``, ``UTC``, ``+02``, ``+0200`` or ``+02:00``. In 17 or 20 digits the last are thousandths or millionths
    of a second.

    Example:
        >>> [seconds_of(text) for text in ("19700102", "1970-W01-5T00:00+01:00", "1970-13-01")]
        [86400.0, 82800.0, nan]
    """
    parts = _PARTS.fullmatch(text)
    found = _MOMENT.fullmatch(f"{parts[1]}.{parts[2]}" if parts else text)
    if found is None:
        return math.nan
    part = found.groupdict()
    try:
        day = _day(part)
        hour, minute, second = (int(part[name] or 0) for name in ("hour", "minute", "second"))
        # 24:00 is the end of a day
        end = (hour, minute, second) == (24, 0, 0) and not int(part["fraction"] or 0)
        leap = (minute, second) == (59, 60)  # Unix counts it as the first of the next minute
        clock = time(0 if end else hour, minute, 59 if leap else second)
        moment = datetime.combine(day, clock, _zone(part["zone"]))
        whole = (moment.astimezone(timezone.utc) + timedelta(days=int(end)) - _EPOCH).total_seconds() + leap
    except (ValueError, OverflowError):  # no such day or hour
        return math.nan
    return whole + float(f"0.{part['fraction'] or 0}")


def _day(part: dict[str, str | None]) -> date:
    year = int(part["year"] or 0)
    if part["week"]:
        return date.fromisocalendar(year, int(part["week"]), int(part["weekday"] or 1))
    if part["ordinal"]:
        day = date(year, 1, 1) + timedelta(days=int(part["ordinal"]) - 1)
        if day.year != year:
            raise ValueError("the year has no such day")
        return day
    return date(year, int(part["month"] or part["month2"] or 0), int(part["day"] or part["day2"] or 1))


def _zone(text: str | None) -> timezone:
    if text is None or text[0] not in "+-":
        return timezone.utc
    digits = text[1:].replace(":", "")
    if int(digits[2:] or 0) > 59:
        raise ValueError("an hour has 60 minutes")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return timezone(-offset if text[0] == "-" else offset)


def are_dates(texts: Sequence[str], numbers: Sequence[float]) -> bool | int:
    """Whether times are dates; or, if most are but not all, the place of one that is not.

    They are, if the first is no number, or is a date beside others that are no numbers, or if all are digits that make
    up dates: 8, 10, 12, 14, 17 or 20 of them, from the year down to the day, hour, minute, second or parts of it, from
    1900 to 2099.

    Args:
        texts: As they are written.
        numbers: :func:`number_of` each.
    """
    if math.isnan(numbers[0]):
        return True
    if not all(map(math.isfinite, numbers)):
        others = (text for text, number in zip(texts, numbers, strict=True) if math.isnan(number))
        return math.isfinite(seconds_of(texts[0])) and any(math.isfinite(seconds_of(text)) for text in others)
    wrong = [
        place
        for place, text in enumerate(texts)
        if not (_DIGITS.fullmatch(text) and math.isfinite(seconds_of(text)))
    ]
    return wrong[0] if 0 < 2 * len(wrong) < len(texts) else not wrong


def may_be_dates(texts: Sequence[str]) -> bool:
    """Whether numbers all look like dates which are taken for numbers.

    Months (202405) and days of a year (2024136); days, minutes and seconds of other years (18500131), or as floating
    point (20240131.0, 2.0240131e+07), which says that they are numbers, but which programs write on their own.
    """
    written = [_whole(text) for text in texts]
    return len(texts) > 1 and (
        all(_SHORT.fullmatch(digits) for digits in written)
        or all(_OTHER.fullmatch(digits) and math.isfinite(seconds_of(digits)) for digits in written)
    )


def _whole(text: str) -> str:
    """Digits of a whole number, however it is written."""
    number = number_of(text)
    return f"{number:.0f}" if number.is_integer() else ""
