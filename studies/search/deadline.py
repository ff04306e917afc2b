"""How long a run may take: `--until 07:00` and `--for 90m`."""

import re
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from studies.display.errors import UsageError

MOST = timedelta(days=366)
"""What a run may be given: a longer time is a slip."""


class OutOfTime(Exception):
    """A deadline came before all was done: what is left, and what failed, in sentences."""

    def __init__(self, left: list[str], failed: list[str], begun: list[str]) -> None:
        """Take the sentences, and the models of which the store has a study."""
        super().__init__("\n".join(left))
        self.left, self.failed, self.begun = left, failed, begun


@dataclass(frozen=True)
class Deadline:
    """The moment at which a run is to have ended."""

    at: float
    """Seconds, as `time.time()` counts them."""

    @property
    def left(self) -> float:
        """The seconds until then; negative afterwards."""
        return self.at - time.time()

    def fits(self, seconds: float | None) -> bool:
        """Return whether what takes so long can end in time; for None, whether any time is left."""
        return self.left > (seconds or 0.0)

    def __str__(self) -> str:
        """Return the local time, with the day where it is another one."""
        at = datetime.fromtimestamp(self.at)
        is_today = at.date() == datetime.now().date()
        return f"{at:%H:%M:%S}" if is_today else f"{at:%Y-%m-%d %H:%M}"


def deadline(until: str | None, span: str | None) -> Deadline | None:
    """Return the deadline that `--until` or `--for` gives; None for neither. Raises UsageError."""
    if until is not None and span is not None:
        raise UsageError("--until and --for both say when to end: give one of them")
    now = datetime.now()
    if until is not None:
        return Deadline(_moment(until, now))
    if span is not None:
        return Deadline(time.time() + _span(span).total_seconds())
    return None


def _moment(text: str, now: datetime) -> float:
    try:
        if re.fullmatch(r"\d{1,2}:\d\d", text):
            hour, minute = map(int, text.split(":"))
            moment = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
            if moment <= now:
                moment += timedelta(days=1)
        elif re.search(r"\d[T ]\d", text):
            moment = datetime.fromisoformat(text)
        else:
            raise ValueError
        at = moment.timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"--until {text} is no time: give one such as 07:00, or 2030-01-31T07:00"
        ) from None
    if at <= now.timestamp():
        raise UsageError(f"--until {text} is past: give a time to come")
    if at > (now + MOST).timestamp():
        raise UsageError(f"--until {text} is more than a year away: give an earlier time")
    return at


def _span(text: str) -> timedelta:
    parts = re.fullmatch(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", text)
    hours, minutes, seconds = (int(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
    span = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if not span:
        raise UsageError(f"--for {text} is no time span: give one such as 90m, 2h, 1h30m or 45s")
    if span > MOST:
        raise UsageError(f"--for {text} is more than a year: give less")
    return span
