"""The time that is left of a run, by what was expected and by the run's own pace."""

import time
from collections.abc import Mapping
from datetime import datetime

from studies.display.words import duration

SECONDS_TO_TRUST = 30.0
SHARE_TO_TRUST = 0.1
"""After so much work as expected, and that share of the whole, the run's own pace corrects what is
expected of the rest: the first minute of small models tells little of an hour of large ones."""

LATE = 5.0
"""Seconds after its expected end from which on a run is late."""


class TimeLeft:
    """Wall time of the studies of a run; what nothing is known about is never guessed."""

    def __init__(self, expected: Mapping[str, float | None]) -> None:
        """Expect seconds by the name of the study, None where nothing is known about it yet."""
        self._left = dict(expected)
        self._expected_done = self._elapsed = 0.0
        self._start = time.monotonic()
        self._last_trained: float | None = None

    def begin(self, study_name: str, seconds: float | None) -> None:
        """Start a study; `seconds` replace what was expected of it at first, unless None."""
        if seconds is not None or study_name not in self._left:
            self._left[study_name] = seconds
        if self._last_trained is None:
            self._last_trained = time.monotonic()

    def trained(
        self,
        study_name: str,
        trainings: int,
        missing: int,
        seconds_each: float | None,
        are_alike: bool = False,
    ) -> None:
        """Count trainings as done, each expected to take `seconds_each`; `missing` are left.

        Where the study's trainings `are_alike`, all that are left take `seconds_each`, too: the
        first rerun of a model may have taught more than was known when the study began.
        """
        now = time.monotonic()
        assert self._last_trained is not None
        if seconds_each is not None:
            if are_alike or self._left.get(study_name) is None:
                self._left[study_name] = (missing + trainings) * seconds_each
            self.drop(study_name, trainings, seconds_each)
            self._expected_done += trainings * seconds_each
            self._elapsed += now - self._last_trained
        self._last_trained = now
        if missing <= 0:
            # Nothing is left of the study, even if it was quicker than expected.
            self._left[study_name] = 0.0

    def drop(self, study_name: str, trainings: int, seconds_each: float) -> None:
        """Take trainings that are done, or will not be done, off the time that is left."""
        left = self._left.get(study_name)
        if left is not None:
            self._left[study_name] = max(0.0, left - trainings * seconds_each)

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._start

    @property
    def seconds(self) -> float:
        """Seconds that are left of the run, as far as that is known; below 0 if it is late."""
        left = sum(seconds for seconds in self._left.values() if seconds is not None)
        enough = max(SECONDS_TO_TRUST, SHARE_TO_TRUST * (self._expected_done + left))
        trust = min(1.0, self._expected_done / enough)
        pace = self._elapsed / self._expected_done if self._expected_done else 1.0
        since = 0.0 if self._last_trained is None else time.monotonic() - self._last_trained
        return left * (trust * pace + 1 - trust) - since

    @property
    def is_known(self) -> bool:
        """Whether something is known of every study."""
        return None not in self._left.values()

    def text(self) -> str:
        """Return what is left of the run, as far as that is known."""
        seconds = max(0.0, self.seconds)
        if self.is_known:
            return f"{duration(seconds)} left"
        return f"at least {duration(seconds)} left" if seconds >= 1 else "time not known yet"

    def outlook(self, now: float) -> list[str]:
        """Return what is left and when the run ends by the clock, or that it is late.

        `now` are seconds since the epoch.
        """
        if self.is_known and self.seconds < -LATE:
            return ["longer than expected"]
        if self.is_known or self.seconds >= 1:
            end = clock_text(now, max(0.0, self.seconds))
            return [self.text(), f"ends {'about' if self.is_known else 'after'} {end}"]
        return [self.text()]


def clock_text(now: float, seconds: float) -> str:
    """Return the local time in so many seconds: `14:32`, or `07:10 on Tue 1 Dec` if not today."""
    today, then = datetime.fromtimestamp(now), datetime.fromtimestamp(now + seconds)
    day = "" if then.date() == today.date() else f" on {then:%a} {then.day} {then:%b}"
    return f"{then:%H:%M}{day}"
